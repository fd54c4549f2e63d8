//! SG-ISATAP-004: is the host named?

use sixgate_reason::diagnoses::{SG_ISATAP_004, SG_ISATAP_008};
use sixgate_wire::addr::Ipv4Prefix;

use super::moved;
use crate::case::{Case, list};
use crate::finding::{Check, Finding};

pub(super) fn host(case: &Case<'_>) -> Vec<Check> {
    let Some(host) = case.host() else { return Vec::new() };
    let Some(own) = host.ipv4() else { return Vec::new() };
    let name = &host.all.machine.name;
    let Some(gateway) = case.gateway() else { return alone(case) };
    let Some(plan) = gateway.router() else { return Vec::new() };
    let router = &gateway.all.machine.name;
    if let Some(rule) = gateway.allows(own) {
        let rule = rule.rule.as_deref().unwrap_or("allowed");
        return vec![Check::passed(format!("{router} allows {own} by rule \"{rule}\""))];
    }
    let named = match plan.allow.as_slice() {
        [] => "nobody".to_owned(),
        some => list(some.iter().take(12).map(|a| &a.prefix)),
    };
    let denied = |prefix: &&String| prefix.parse::<Ipv4Prefix>().is_ok_and(|p| p.contains(own));
    let cause = match plan.deny.iter().find(denied) {
        Some(prefix) => format!("{router} denies {prefix}, whatever its allow rules say"),
        None => format!("no [[isatap.allow]] rule of {router} names {own}"),
    };
    let mut finding =
        Finding::new(&SG_ISATAP_004, format!("{name} ({own}) gets no answer from {router}"), cause)
            .because(format!("{router} allows {named}"))
            .not("protocol 41 or the router's name: the list alone decides")
            .fix(format!(
                "add hosts = [\"{own}\"] (or the host's name) to [[isatap.allow]] on {router}, and reload"
            ))
            .next(format!("on {router}: sixgate isatap hosts"));
    if let Some(seen) = gateway.role.hosts.iter().find(|h| h.ipv4 == own && !h.served) {
        let why = seen.reason.as_deref().unwrap_or("isatap-host-not-allowed");
        finding = finding.because(format!("{router} lists {own} as refused: {why}"));
    }
    // The rule names the host by an address that it had until a moment ago: that is the cause.
    if moved::of(host).is_some_and(|(old, _)| gateway.allows(old.ipv4).is_some()) {
        finding = finding.unless(&[&SG_ISATAP_008]);
    }
    vec![finding.into()]
}

/// A router that answered once and takes its offer back says so; one that never served this host says nothing.
fn alone(case: &Case<'_>) -> Vec<Check> {
    let Some(host) = case.host().filter(|h| !h.is_served()) else { return Vec::new() };
    let name = &host.all.machine.name;
    let withdrawn = host.role.links.iter().filter(|l| l.state == "withdrawn");
    withdrawn
        .map(|link| {
            Finding::new(
                &SG_ISATAP_004,
                format!("the router {} does not serve {name} any more", link.router),
                format!("no [[isatap.allow]] rule of {} names this host any more; a router that is being taken out of use looks the same from here", link.router),
            )
            .likely()
            .because(format!("{} advertised lifetimes of zero, and does not answer solicitations since", link.router))
            .not("protocol 41: the withdrawal arrived")
            .next("here: sixgate doctor --evidence > host.json; then on the gateway: sixgate doctor --with host.json")
            .into()
        })
        .collect()
}
