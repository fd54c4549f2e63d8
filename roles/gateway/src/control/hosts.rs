//! ISATAP hosts over a restart: nothing else would tell them that their router is back before they ask again.

use std::net::SocketAddr;
use std::time::Duration as Wait;

use jiff::Timestamp;
use sixgate_api as api;
use sixgate_io_link::clock;
use sixgate_io_store::Space;
use sixgate_isatap::{HostState, HostView};
use sixgate_time::{Duration, Instant};

use super::Control;
use super::api::wall;
use super::ledger::Ledger;
use crate::seam::{Memory, Question, ToNet};

/// Days in which flows are counted for the list.
const SHOWN_DAYS: i64 = 30;
/// How long the end waits for the packet plane's last word.
const LAST_WORD: Wait = Wait::from_millis(500);

/// A person's time on the workers' clock; what lies before the clock's start is its start.
pub(super) fn monotonic(second: i64) -> Instant {
    let ago = Timestamp::now().as_second().saturating_sub(second);
    clock::now() - Duration::from_secs(u64::try_from(ago).unwrap_or(0))
}

/// A time of the workers' clock as a person's.
pub(super) fn second(at: Option<Instant>) -> Option<i64> {
    at.map(|at| wall(at).as_second())
}

impl Control {
    /// Keeps what the router says of the hosts that are served.
    pub(crate) fn keep_hosts(&self, memory: &Memory, last: bool) {
        let Ok(mut ledger) = self.ledger.lock() else { return };
        let now = Timestamp::now().as_second();
        ledger.note(now, memory);
        let changes = ledger.changes(now, last);
        if changes.is_empty() {
            return;
        }
        let rows = changes.iter().map(|(key, value)| (key.as_slice(), value.as_deref()));
        match self.store.change_values(Space::IsatapHosts, rows) {
            Ok(()) => ledger.wrote(now),
            Err(e) => tracing::warn!("the list of ISATAP hosts was not kept: {e}"),
        }
    }

    /// Hosts that asked this router, with what the ledger knows of them from before.
    pub(crate) async fn isatap_hosts(&self) -> api::IsatapHosts {
        let views = self.net.ask(Question::IsatapHosts).await.unwrap_or_default();
        let memory = self.net.ask(Question::IsatapMemory).await.unwrap_or_default();
        self.keep_hosts(&memory, false);
        let nameless = views.iter().filter(|view| view.name.is_none()).map(|view| view.ipv4);
        let names = self.host_names.of(nameless, self.name_servers()).await;
        let now = Timestamp::now().as_second();
        let Ok(ledger) = self.ledger.lock() else { return api::IsatapHosts::default() };
        let mut hosts: Vec<api::IsatapHost> =
            views.into_iter().map(|view| line(view, &ledger, now)).collect();
        for host in &mut hosts {
            host.name = host.name.take().or_else(|| names.get(&host.ipv4).cloned());
        }
        api::IsatapHosts { hosts }
    }

    /// Who is asked for names; empty where the file says nothing.
    pub(crate) fn name_servers(&self) -> Vec<SocketAddr> {
        let site = self.site.lock();
        site.map(|s| s.config.dns.as_ref().map(|d| d.upstream.clone()).unwrap_or_default())
            .unwrap_or_default()
    }

    /// Keeps what the router knows at the end.
    pub(crate) async fn keep_hosts_at_the_end(&self) {
        if let Ok(Some(memory)) = tokio::time::timeout(LAST_WORD, self.net.ask(Question::IsatapMemory)).await
        {
            self.keep_hosts(&memory, true);
        }
    }

    /// Tells the packet plane of the hosts that an earlier run served, so that it greets them.
    pub(crate) fn restore_hosts(&self) {
        match self.store.values(Space::IsatapHosts) {
            Ok(rows) => {
                let read = Ledger::read(rows.iter().map(|(_, value)| value.as_slice()));
                self.net.tell(ToNet::Remember(read.served()));
                if let Ok(mut ledger) = self.ledger.lock() {
                    *ledger = read;
                }
            }
            Err(e) => {
                tracing::warn!("the list of ISATAP hosts cannot be read: {e}");
                self.net.tell(ToNet::Remember(Vec::new()));
            }
        }
    }
}

fn line(view: HostView, ledger: &Ledger, now: i64) -> api::IsatapHost {
    let served = match view.state {
        HostState::Served => true,
        // One that leaves is still being told so; nothing of it is taken any more.
        HostState::Leaving | HostState::Refused => false,
    };
    let kept = ledger.get(view.ipv4);
    let second = |at: i64| Timestamp::from_second(at).ok();
    api::IsatapHost {
        name: view.name,
        ipv4: view.ipv4,
        address: view.address,
        rule: view.rule,
        origin: view.origin,
        first_rs: kept.and_then(|e| e.first_rs).and_then(second).or(view.first_rs.map(wall)),
        last_rs: view.last_rs.map(wall),
        state: if served { api::HostState::Served } else { api::HostState::Refused },
        reason: view.reason.map(|r| r.code().to_owned()),
        rx_bytes: kept.map_or(view.rx_bytes, |e| e.rx_bytes),
        tx_bytes: kept.map_or(view.tx_bytes, |e| e.tx_bytes),
        flows_30d: kept.map_or(view.flows_started, |e| e.flows(now, SHOWN_DAYS)),
        last_flow: kept.and_then(|e| e.last_flow).and_then(second).or(view.last_flow.map(wall)),
        refusals: view.refusals,
    }
}
