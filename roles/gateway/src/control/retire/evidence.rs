//! What is known of each host: the ledger's weeks, the router's table, the flows that are open.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use sixgate_isatap::retire::HostEvidence;
use sixgate_isatap::{HostState, Standing};
use sixgate_reason::ISATAP_RETIRED;

use super::super::Control;
use super::super::hosts::second as of_instant;
use crate::seam::Question;

/// Days in which use counts.
const DAYS: i64 = 30;

/// A host.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) evidence: HostEvidence,
    /// What it has of the router; `None` when that does not know it.
    pub(crate) standing: Option<Standing>,
    pub(crate) name: Option<String>,
}

impl Control {
    /// Every host that solicited within thirty days or that the router knows, by address; and when one was last heard.
    pub(crate) async fn hosts_in_use(&self) -> (Vec<Known>, Option<u64>) {
        let memory = self.net.ask(Question::IsatapMemory).await.unwrap_or_default();
        self.keep_hosts(&memory, false);
        let view = self.net.ask(Question::Retirement).await.unwrap_or_default();
        let listed = self.net.ask(Question::IsatapHosts).await.unwrap_or_default();
        let seconds = |at: Option<i64>| at.and_then(|at| u64::try_from(at).ok());
        let now = super::second();
        let heard = self.kept();
        let mut all: BTreeMap<Ipv4Addr, Known> = BTreeMap::new();
        let recent = |at: Option<u64>| at.is_some_and(|at| at + DAYS as u64 * 86_400 > now);
        if let Ok(ledger) = self.ledger.lock() {
            for entry in ledger.entries() {
                let last_rs = seconds(entry.last_rs).max(heard.heard.get(&entry.ipv4).copied());
                let last_flow = seconds(entry.last_flow);
                if !recent(last_rs) && !recent(last_flow) {
                    continue;
                }
                let flows_started = entry.flows(i64::try_from(now).unwrap_or(i64::MAX), DAYS);
                let evidence = HostEvidence { ipv4: entry.ipv4, flows_started, last_flow, open: 0, last_rs };
                all.insert(entry.ipv4, Known { evidence, standing: None, name: None });
            }
        }
        for host in &view.hosts {
            let known = all.entry(host.ipv4).or_insert_with(|| nothing(host.ipv4));
            known.standing = Some(host.standing);
            known.evidence.last_rs = known.evidence.last_rs.max(seconds(of_instant(host.last_rs)));
        }
        for (v4, open) in &view.open {
            all.entry(*v4).or_insert_with(|| nothing(*v4)).evidence.open = *open;
        }
        for host in listed {
            // Those whom policy refuses have nothing to lose, but those who are refused for this are still asking.
            if host.state == HostState::Refused && host.reason != Some(ISATAP_RETIRED) {
                continue;
            }
            let known = all.entry(host.ipv4).or_insert_with(|| nothing(host.ipv4));
            known.evidence.last_rs = known.evidence.last_rs.max(seconds(of_instant(host.last_rs)));
            known.name = host.name.or(known.name.take());
        }
        let last = seconds(of_instant(view.last_heard)).max(heard.last_heard);
        (self.named(all).await, last)
    }

    async fn named(&self, mut all: BTreeMap<Ipv4Addr, Known>) -> Vec<Known> {
        let servers = match self.site.lock() {
            Ok(site) => site.config.dns.as_ref().map(|d| d.upstream.clone()).unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let nameless: Vec<_> = all.values().filter(|k| k.name.is_none()).map(|k| k.evidence.ipv4).collect();
        let names = self.host_names.of(nameless.into_iter(), servers).await;
        for (v4, name) in names {
            if let Some(known) = all.get_mut(&v4) {
                known.name.get_or_insert(name);
            }
        }
        all.into_values().collect()
    }
}

const fn nothing(ipv4: Ipv4Addr) -> Known {
    let evidence = HostEvidence { ipv4, flows_started: 0, last_flow: None, open: 0, last_rs: None };
    Known { evidence, standing: None, name: None }
}
