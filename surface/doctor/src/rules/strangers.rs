//! SG-ISATAP-005: does anybody advertise who is no router of the list?

use jiff::Timestamp;
use sixgate_reason::diagnoses::SG_ISATAP_005;

use crate::case::{Case, ago, list};
use crate::evidence::Advertisement;
use crate::finding::{Check, Finding};

/// One advertisement alone says nothing about when the next is due; lifetimes of a router are of this order.
const LONGEST_MS: i64 = 600_000;

pub(super) fn advertise(case: &Case<'_>) -> Vec<Check> {
    let Some(host) = case.host() else { return Vec::new() };
    let expected = &host.role.list;
    if expected.is_empty() {
        return vec![Check::skipped("strangers: the host has no list of routers")];
    }
    // Whom the doctor itself solicited beside the list may answer.
    let asked = |a: &Advertisement| host.all.probes.iter().any(|p| p.router == a.from && !p.listed);
    let own = |a: &&Advertisement| !expected.contains(&a.from) && !asked(a);
    let heard = host.all.advertisements.iter().filter(own);
    let listened = host.all.probes.iter().all(|p| p.untried.is_none());
    let listened = if listened { milliseconds(host.all.begun, host.all.taken) } else { 0 };
    let known = host.role.advertisements.iter().filter(own);
    let known = known.filter(|a| is_current(a, host.all.taken, listened));
    let mut strangers: Vec<&Advertisement> = Vec::new();
    for advertisement in heard.chain(known) {
        if !strangers.iter().any(|s| s.from == advertisement.from) {
            strangers.push(advertisement);
        }
    }
    if strangers.is_empty() {
        return vec![Check::passed(format!("only routers of the list advertise ({})", list(expected)))];
    }
    let name = &host.all.machine.name;
    let gateway = case.gateway();
    let one = |stranger: &Advertisement| {
        let from = stranger.from;
        let ours = gateway.is_some_and(|g| g.is_router(from) || g.role.own.contains(&from));
        let mut finding = Finding::new(
            &SG_ISATAP_005,
            format!("{name} gets router advertisements from {from}, which is not in its list"),
            if ours {
                format!("{from} is one of the gateways, and the router's name does not carry it")
            } else {
                format!("{from} is no router that {name} knows: an old one, or somebody who wants to be one")
            },
        )
        .because(format!(
            "{} from {from}, the last one {}",
            if stranger.count == 1 {
                "1 advertisement".to_owned()
            } else {
                format!("{} advertisements", stranger.count)
            },
            ago(stranger.last, host.all.taken)
        ))
        .because(format!("expected from {} alone", list(expected)))
        .because(format!("it offers {}", offer(stranger)))
        .not("a danger for this host: what it says was dropped")
        .next(format!("tcpdump -ni any ip proto 41 and host {from}"));
        if ours {
            finding = finding.fix(format!("add {from} to the router's name in the DNS"));
        }
        // A host that has its address from its own router loses nothing.
        if host.is_served() { finding.warning().into() } else { finding.into() }
    };
    strangers.into_iter().map(one).collect()
}

/// Who advertised every `t` and has been silent for three times as long has stopped; and so has who would have been heard
/// while the doctor listened, and was not.
fn is_current(a: &Advertisement, now: Timestamp, listened: i64) -> bool {
    let silent = milliseconds(a.last, now);
    if a.count < 2 {
        return silent <= LONGEST_MS;
    }
    let gaps = i64::try_from(a.count - 1).unwrap_or(i64::MAX);
    let mean = milliseconds(a.first, a.last) / gaps;
    mean * 2 > listened && silent <= (mean * 3).min(LONGEST_MS)
}

fn milliseconds(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond().saturating_sub(from.as_millisecond())
}

fn offer(a: &Advertisement) -> String {
    let mut parts: Vec<String> = a.prefixes.iter().map(|p| format!("addresses of {p}")).collect();
    parts.extend(a.routes.iter().map(|r| format!("a route to {r}")));
    if a.router_lifetime > 0 {
        parts.push("a default route".to_owned());
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}
