//! SG-ISATAP-003 and 012: do solicitations arrive, and do answers come back?

use core::net::Ipv4Addr;

use sixgate_reason::diagnoses::{SG_ISATAP_003, SG_ISATAP_012};

use crate::case::{Case, Side, list};
use crate::evidence::{Echo, GatewayEvidence, HostEvidence, Probe};
use crate::finding::{Check, Finding};

pub(super) fn passes(case: &Case<'_>) -> Vec<Check> {
    let Some(host) = case.host() else { return Vec::new() };
    let Some(own) = host.ipv4() else {
        return vec![Check::skipped("protocol 41: the host has no IPv4 address")];
    };
    host.all.probes.iter().map(|probe| one(case, host, own, probe)).collect()
}

fn one(case: &Case<'_>, host: Side<'_, HostEvidence>, own: Ipv4Addr, probe: &Probe) -> Check {
    let (router, name) = (probe.router, &host.all.machine.name);
    if probe.advertised_ms.is_some() {
        return Check::passed(format!("protocol 41 passes between {own} and {router}"));
    }
    if let Some(why) = &probe.untried {
        return Check::skipped(format!("protocol 41 to {router}: {why}"));
    }
    let sent = probe.solicited_ms.len();
    if sent == 0 || probe.refused_by.is_some() {
        return Check::skipped(format!("protocol 41 to {router}: somebody else's finding"));
    }
    let times = list(probe.solicited_ms.iter().map(|ms| format!("{:.1} s", *ms as f64 / 1000.0)));
    let solicited = format!("{name} sent {sent} router solicitations ({times})");
    let echo = match probe.echo {
        Echo::Answered(ms) => {
            format!("ICMP echo between the same addresses works ({ms:.1} ms), so the path itself is up")
        }
        Echo::Silent | Echo::Untried => String::new(),
    };
    let gateway = case.gateway().filter(|g| g.is_later_than(host));
    let Some(gateway) = gateway else { return alone(host, own, probe, &solicited, &echo) };
    if !gateway.is_router(router) || !gateway.all.daemon.answers {
        return Check::skipped(format!("protocol 41 to {router}: it is no router that runs"));
    }
    if gateway.router().is_some_and(|r| r.address != Some(router)) {
        return Check::skipped(format!("protocol 41 to {router}: evidence of that router is not here"));
    }
    let heard = gateway.heard(host, own);
    let translated = gateway.role.heard.iter().any(|h| host.is_since(h.at) && h.translated() == Some(own));
    if translated {
        return Check::skipped("protocol 41: it arrives from another address");
    }
    if matches!(probe.echo, Echo::Silent) && heard.is_empty() {
        return unreachable(own, probe, &solicited, false).into();
    }
    if !heard.is_empty() && heard.iter().all(|h| h.dropped.is_some()) {
        return Check::passed(format!("protocol 41 passes from {own} to {router}"));
    }
    drops(case, host, own, probe, heard.len(), gateway)
        .because(format!("{solicited}; {} received {} of them", gateway.all.machine.name, heard.len()))
        .because(echo)
        .into()
}

fn drops(
    case: &Case<'_>,
    host: Side<'_, HostEvidence>,
    own: Ipv4Addr,
    probe: &Probe,
    heard: usize,
    gateway: Side<'_, GatewayEvidence>,
) -> Finding {
    let (router, name) = (probe.router, &host.all.machine.name);
    let link_local = sixgate_wire::addr::isatap::link_local(sixgate_wire::addr::isatap::Form::of(own), own);
    let has = host.role.links.iter().any(|l| l.router == router && l.state == "up");
    let what = if has {
        format!("{name} has an ISATAP address that will not be renewed: {router} is not heard any more")
    } else {
        format!("{name} has only a link-local ISATAP address ({link_local})")
    };
    let way = if heard == 0 { "" } else { ", on the way back to the host" };
    let mut finding = Finding::new(
        &SG_ISATAP_003,
        what,
        format!("protocol 41 is dropped between {name} ({own}) and the router ({router}){way}"),
    )
    .fix(format!("allow IPv4 protocol 41 between the network of {own} and {router} on firewalls in between"))
    .next(format!("on {}: tcpdump -ni any ip proto 41 and host {own}", gateway.all.machine.name));
    let resolved = case.ours.lookups.iter().any(|l| l.addresses().contains(&router.into()));
    if resolved {
        finding = finding.not(format!("the router name (resolves to {router}, a gateway address)"));
    }
    if gateway.allows(own).is_some() {
        finding = finding.not("the allow list");
    }
    if gateway.router().is_some_and(|r| !r.prefixes.is_empty()) {
        finding = finding.not("advertising");
    }
    finding
}

/// The host alone: a router that drops by a firewall and one that does not serve this host are silent alike.
fn alone(host: Side<'_, HostEvidence>, own: Ipv4Addr, probe: &Probe, solicited: &str, echo: &str) -> Check {
    let (router, name) = (probe.router, &host.all.machine.name);
    if !probe.listed {
        return Check::skipped(format!("{router} is not on the list"));
    }
    if matches!(probe.echo, Echo::Silent) {
        return unreachable(own, probe, solicited, true).into();
    }
    if host.role.links.iter().any(|l| l.router == router && l.state == "withdrawn") {
        return Check::skipped(format!("{router} took its offer back, so protocol 41 passes"));
    }
    Finding::new(
        &SG_ISATAP_003,
        format!("{name} gets no answer from the ISATAP router {router}"),
        format!("protocol 41 is dropped between {own} and {router}; a router that does not allow this host looks the same from here"),
    )
    .likely()
    .because(format!("{solicited} and heard nothing"))
    .because(echo)
    .not("a router name that leads elsewhere: nobody refused protocol 41")
    .next("here: sixgate doctor --evidence > host.json; then on the gateway: sixgate doctor --with host.json")
    .into()
}

fn unreachable(own: Ipv4Addr, probe: &Probe, solicited: &str, likely: bool) -> Finding {
    let router = probe.router;
    let finding = Finding::new(
        &SG_ISATAP_012,
        format!("the router {router} does not answer at all"),
        format!("the IPv4 path between {own} and {router} is broken, or {router} is down"),
    )
    .because(format!("{solicited} and ICMP echoes to {router}, and heard nothing"))
    .next(format!("ip route get {router}; ping -c1 {router}"));
    if likely { finding.likely() } else { finding }
}
