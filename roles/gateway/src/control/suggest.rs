//! `isatap suggest`: who needs ISATAP, and who does not, by what hosts did over weeks.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sixgate_api::{
    AskingHost, HostState, IdleHost, IsatapHost, NativeHost, NeedsIsatap, SuggestRequest, Suggestions,
};
use sixgate_io_control::Response;
use sixgate_reason::ISATAP_HOST_NOT_ALLOWED;
use sixgate_wire::addr::Ipv6Prefix;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Control;
use super::api::document;
use super::ledger::{Entry, KEPT_DAYS, Ledger};
use crate::seam::Question;

/// Days that are looked at unless somebody says otherwise.
const DAYS: u32 = 30;
/// A host that was refused so often did not ask by accident: each start of a machine asks three times (RFC 4861, section 10).
const OFTEN: u64 = 4;
const DAY: i64 = 86_400;
/// Names that are looked up for native addresses: in all, at once, and for how long.
const MOST_ASKED: usize = 256;
const AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_secs(2);

impl Control {
    /// Answers the call.
    pub(crate) async fn suggest(&self, request: SuggestRequest) -> Response {
        let days = request.days.unwrap_or(DAYS);
        if days == 0 || i64::from(days) > KEPT_DAYS {
            let line = format!("flows are kept for {KEPT_DAYS} days: allowed are 1 to {KEPT_DAYS}");
            return Response::failure(400, "request-invalid", &line);
        }
        let hosts = self.isatap_hosts().await.hosts;
        let gone: Vec<Ipv4Addr> = match self.ledger.lock() {
            Ok(ledger) => {
                ledger.iter().map(|(v4, _)| v4).filter(|v4| !hosts.iter().any(|h| h.ipv4 == *v4)).collect()
            }
            Err(_) => Vec::new(),
        };
        let names = self.host_names.of(gone.into_iter(), self.name_servers()).await;
        let mut found = match self.ledger.lock() {
            Ok(ledger) => suggestions(&hosts, &ledger, Timestamp::now().as_second(), days),
            Err(_) => return Response::failure(503, "ending", "the gateway is ending"),
        };
        found.native = self.with_native_addresses(&hosts).await;
        let name = |v4: &Ipv4Addr| names.get(v4).cloned();
        for host in &mut found.need {
            host.name = host.name.take().or_else(|| name(&host.ipv4));
        }
        for host in found.idle.iter_mut().chain(&mut found.early) {
            host.name = host.name.take().or_else(|| name(&host.ipv4));
        }
        document(found)
    }
}

impl Control {
    /// Served hosts that DNS gives an address in a native prefix. Nothing where the file has none.
    async fn with_native_addresses(&self, hosts: &[IsatapHost]) -> Vec<NativeHost> {
        let prefixes = match self.site.lock() {
            Ok(site) => site.config.native.as_ref().map(|n| n.prefixes.clone()).unwrap_or_default(),
            Err(_) => return Vec::new(),
        };
        if prefixes.is_empty() {
            return Vec::new();
        }
        let servers = Arc::new(self.name_servers());
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut asked = JoinSet::new();
        let named = hosts.iter().filter(|h| h.state == HostState::Served);
        for (ipv4, name) in named.filter_map(|h| Some((h.ipv4, h.name.clone()?))).take(MOST_ASKED) {
            let (servers, room, prefixes) = (Arc::clone(&servers), Arc::clone(&room), prefixes.clone());
            asked.spawn(async move {
                let _permit = room.acquire().await.ok()?;
                let addresses = crate::names::look_up(&name, &servers).await.ok()?;
                let address = addresses.into_iter().find_map(|address| match address {
                    IpAddr::V6(v6) => prefixes.iter().any(|p| p.contains(v6)).then_some(v6),
                    IpAddr::V4(_) => None,
                })?;
                Some(NativeHost { name, ipv4, address, in_use: false })
            });
        }
        let mut found = Vec::new();
        let all = async {
            while let Some(done) = asked.join_next().await {
                found.extend(done.ok().flatten());
            }
        };
        // What has not come by then is not suggested this time.
        let _ = tokio::time::timeout(PATIENCE, all).await;
        for host in &mut found {
            let own = Ipv6Prefix::containing(host.address, 128);
            let flows = self.net.ask(|to| Question::FlowList(own, to)).await.unwrap_or_default();
            host.in_use = flows.iter().any(|flow| flow.key.src == host.address);
        }
        found.sort_by_key(|host| host.ipv4);
        found
    }
}

fn suggestions(hosts: &[IsatapHost], ledger: &Ledger, now: i64, days: u32) -> Suggestions {
    let mut found = Suggestions { days, ..Suggestions::default() };
    let first = now - i64::from(days) * DAY;
    // Whoever was not heard in these days has no part in them.
    for (ipv4, entry) in ledger.iter().filter(|(_, entry)| entry.heard() >= first) {
        let listed = hosts.iter().find(|h| h.ipv4 == ipv4);
        let name = listed.and_then(|h| h.name.clone());
        let rule = listed.filter(|h| h.state == HostState::Served).and_then(|h| h.rule.clone());
        let flows = entry.flows(now, i64::from(days));
        found.watched_since = [found.watched_since, second(entry.first_rs)].into_iter().flatten().min();
        if flows > 0 {
            found.need.push(NeedsIsatap { name, ipv4, rule, flows, last_flow: second(entry.last_flow) });
        } else if rule.is_some() {
            let idle = idle(name, ipv4, rule, entry);
            let is_known_for_long = entry.first_rs.is_some_and(|at| at <= first);
            if is_known_for_long { found.idle.push(idle) } else { found.early.push(idle) }
        }
    }
    found.need.sort_by_key(|host| (std::cmp::Reverse(host.flows), host.ipv4));
    let refused = hosts.iter().filter(|h| h.state == HostState::Refused && h.refusals >= OFTEN);
    let asks = refused.filter(|h| h.reason.as_deref() == Some(ISATAP_HOST_NOT_ALLOWED.code()));
    found.ask = asks
        .map(|h| AskingHost { name: h.name.clone(), ipv4: h.ipv4, refusals: h.refusals, last_rs: h.last_rs })
        .collect();
    found.ask.sort_by_key(|host| (std::cmp::Reverse(host.refusals), host.ipv4));
    found
}

fn idle(name: Option<String>, ipv4: Ipv4Addr, rule: Option<String>, entry: &Entry) -> IdleHost {
    IdleHost {
        name,
        ipv4,
        rule,
        first_rs: second(entry.first_rs),
        last_rs: second(entry.last_rs),
        last_flow: second(entry.last_flow),
    }
}

fn second(at: Option<i64>) -> Option<Timestamp> {
    at.and_then(|at| Timestamp::from_second(at).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 20_000 * DAY;

    fn entry(last: u8, first_rs: i64, days: &[(i64, u64)]) -> Vec<u8> {
        let row = json!({
            "ipv4": Ipv4Addr::new(10, 6, 8, last), "global": false, "router_global": false,
            "first_rs": NOW - first_rs * DAY, "last_rs": NOW - DAY / 2,
            "last_flow": days.last().map(|(ago, _)| NOW - ago * DAY),
            "days": days.iter().map(|(ago, flows)| (20_000 - ago, *flows)).collect::<Vec<_>>(),
        });
        serde_json::to_vec(&row).unwrap()
    }

    fn host(last: u8, state: HostState, refusals: u64, reason: Option<&str>) -> IsatapHost {
        IsatapHost {
            name: Some(format!("host-{last}")),
            ipv4: Ipv4Addr::new(10, 6, 8, last),
            address: None,
            rule: (state == HostState::Served).then(|| "helpdesk".to_owned()),
            origin: None,
            first_rs: None,
            last_rs: None,
            state,
            reason: reason.map(str::to_owned),
            rx_bytes: 0,
            tx_bytes: 0,
            flows_30d: 0,
            last_flow: None,
            refusals,
        }
    }

    #[test]
    fn each_host_stands_where_what_it_did_puts_it() {
        let rows = [
            entry(1, 60, &[(40, 9), (3, 2)]),
            entry(2, 60, &[(2, 5)]),
            entry(3, 60, &[(40, 7)]),
            entry(4, 5, &[]),
            // Opened some and is not served any more.
            entry(5, 60, &[(1, 1)]),
            // Never opened any and is not served any more: nothing to drop.
            entry(6, 60, &[]),
        ];
        let ledger = Ledger::read(rows.iter().map(Vec::as_slice));
        let not_allowed = Some("isatap-host-not-allowed");
        let mut hosts: Vec<IsatapHost> = (1..5).map(|n| host(n, HostState::Served, 0, None)).collect();
        hosts.push(host(7, HostState::Refused, 9, not_allowed));
        hosts.push(host(8, HostState::Refused, 2, not_allowed));
        // Somebody said no on purpose.
        hosts.push(host(9, HostState::Refused, 50, Some("isatap-host-denied")));
        let found = suggestions(&hosts, &ledger, NOW, 30);
        let last = |v4: &Ipv4Addr| v4.octets()[3];
        assert_eq!(
            found.need.iter().map(|h| (last(&h.ipv4), h.flows)).collect::<Vec<_>>(),
            [(2, 5), (1, 2), (5, 1)]
        );
        assert_eq!(found.need[2].rule, None);
        assert_eq!(found.idle.iter().map(|h| last(&h.ipv4)).collect::<Vec<_>>(), [3]);
        assert_eq!(found.early.iter().map(|h| last(&h.ipv4)).collect::<Vec<_>>(), [4]);
        assert_eq!(found.ask.iter().map(|h| last(&h.ipv4)).collect::<Vec<_>>(), [7]);
        assert_eq!(found.watched_since, Timestamp::from_second(NOW - 60 * DAY).ok());
        // Over 50 days the third one used it.
        assert!(suggestions(&hosts, &ledger, NOW, 50).idle.is_empty());
    }
}
