//! SG-ISATAP-008: does anything still know an address that the host does not have?

use core::net::Ipv4Addr;

use sixgate_reason::diagnoses::SG_ISATAP_008;
use sixgate_wire::addr::isatap;

use crate::case::{Case, Side, ago};
use crate::evidence::{Evidence, Held, HostEvidence};
use crate::finding::{Check, Finding};

/// A change that is older has been coped with, unless a rule still names the old address.
const RECENT_SECONDS: i64 = 86_400;

/// The address that the host had before, and the one that it has.
pub(super) fn of<'a>(host: Side<'a, HostEvidence>) -> Option<(&'a Held, Ipv4Addr)> {
    let now = host.ipv4()?;
    let old = host.role.held.iter().rev().find(|h| h.ipv4 != now)?;
    Some((old, now))
}

pub(super) fn address(case: &Case<'_>) -> Vec<Check> {
    let mut checks: Vec<Check> = case.sides().filter_map(stale).map(Check::from).collect();
    let Some(host) = case.host() else { return checks };
    let Some((old, now)) = of(host) else {
        checks.push(Check::passed(format!("{}: the IPv4 address has not changed", host.all.machine.name)));
        return checks;
    };
    // When the present address came; a daemon that does not run has not seen it come.
    let since = host.role.held.iter().rev().find(|h| h.ipv4 == now).map_or(host.all.taken, |h| h.since);
    let recent = host.all.taken.as_second() - since.as_second() < RECENT_SECONDS;
    let gateway = case.gateway().filter(|g| g.router().is_some());
    let (named_old, named_now) = match gateway {
        Some(g) => (g.allows(old.ipv4).is_some(), g.allows(now).is_some()),
        None => (false, host.is_served()),
    };
    if named_now || !(named_old || recent) {
        checks
            .push(Check::passed(format!("{}: nobody leans on {} any more", host.all.machine.name, old.ipv4)));
        return checks;
    }
    let name = &host.all.machine.name;
    let mut finding = Finding::new(
        &SG_ISATAP_008,
        format!("{name} had {} and has {now}", old.ipv4),
        match gateway {
            Some(g) if named_old => format!("{} still allows the old address and not the new one", g.all.machine.name),
            Some(_) | None => "an ISATAP address contains the IPv4 address, and the new one is not served".to_owned(),
        },
    )
    .because(format!("{name}: {} until {}, {now} since", old.ipv4, ago(since, host.all.taken)))
    .fix(format!("name the host by its DNS name, or write {now} instead of {} in [[isatap.allow]]; delete AAAA records with the old one", old.ipv4));
    if let Some(g) = gateway {
        let router = &g.all.machine.name;
        if let Some(rule) = g.allows(old.ipv4) {
            let rule = rule.rule.as_deref().unwrap_or("allowed");
            finding =
                finding.because(format!("{router}: rule \"{rule}\" names {}, none names {now}", old.ipv4));
        }
        if g.role.hosts.iter().any(|h| h.ipv4 == old.ipv4 && h.served) {
            finding = finding.because(format!("{router} still lists {} as served", old.ipv4));
        }
        finding = finding.next(format!("on {router}: sixgate isatap hosts"));
    } else {
        finding = finding.likely().next(
            "here: sixgate doctor --evidence > host.json; then on the gateway: sixgate doctor --with host.json",
        );
    }
    checks.push(finding.into());
    checks
}

/// An address on an ISATAP device that embeds what is no address of this machine.
fn stale(e: &Evidence) -> Option<Finding> {
    let embedded = |a: &core::net::Ipv6Addr| Some((*a, isatap::embedded(*a)?.1));
    let foreign = |(_, v4): &(core::net::Ipv6Addr, Ipv4Addr)| !e.machine.ipv4.contains(v4);
    let (address, v4) = e.machine.isatap.iter().filter_map(embedded).find(foreign)?;
    let name = &e.machine.name;
    Some(
        Finding::new(
            &SG_ISATAP_008,
            format!("{name} has the ISATAP address {address} and no IPv4 address {v4}"),
            format!("the address of the tunnel embeds {v4}, which {name} does not have any more"),
        )
        .because(format!("IPv4 addresses of {name}: {}", crate::case::list(&e.machine.ipv4)))
        .fix("restart the daemon on this machine"),
    )
}
