//! SG-ISATAP-001, 002, 007 and SG-DNS-003: what names say.

use core::net::Ipv4Addr;

use sixgate_reason::diagnoses::{
    SG_DNS_003, SG_DNS_006, SG_ISATAP_001, SG_ISATAP_002, SG_ISATAP_006, SG_ISATAP_007,
};

use crate::case::{Case, list, v4};
use crate::evidence::{Answer, Evidence, Lookup, Purpose, Role};
use crate::finding::{Check, Finding};

/// Every server that was asked answers.
pub(super) fn servers(case: &Case<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for e in case.sides() {
        let mut seen: Vec<String> = Vec::new();
        for lookup in &e.lookups {
            let asked = lookup.asked();
            if seen.contains(&asked) {
                continue;
            }
            let silent: Vec<&Lookup> =
                e.lookups.iter().filter(|l| l.asked() == asked && is_silent(l)).collect();
            let name = &e.machine.name;
            checks.push(match silent.first() {
                None => Check::passed(format!("{name}: {asked} answers")),
                Some(first) => {
                    let why = match &first.answer {
                        Answer::Silent(why) => why.as_str(),
                        Answer::Addresses(_) | Answer::NoSuchName => "",
                    };
                    Finding::new(
                        &SG_DNS_003,
                        format!("{name} gets no answer from its name server {asked}"),
                        format!("{asked} does not answer"),
                    )
                    .because(format!("{} was asked for: {why}", list(silent.iter().map(|l| &l.name))))
                    .not("a tunnel that is up: it goes on without names")
                    .next(format!("dig {} @{}", first.name, asked.split(',').next().unwrap_or_default()))
                    .into()
                }
            });
            seen.push(asked);
        }
    }
    checks
}

/// The routers' name has an address where it is asked for.
pub(super) fn router(case: &Case<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for e in case.sides() {
        for lookup in of(e, Purpose::Router) {
            let (name, asked) = (&lookup.name, lookup.asked());
            match &lookup.answer {
                Answer::Silent(_) => checks.push(Check::skipped(format!("{name}: {asked} is silent"))),
                Answer::Addresses(found) if !found.is_empty() => {
                    checks.push(Check::passed(format!("{}: {name} is {}", e.machine.name, list(found))))
                }
                Answer::Addresses(_) | Answer::NoSuchName => checks.push(unknown(case, e, lookup).into()),
            }
        }
    }
    checks
}

fn unknown(case: &Case<'_>, e: &Evidence, lookup: &Lookup) -> Finding {
    let (name, asked) = (&lookup.name, lookup.asked());
    let how = match lookup.answer {
        Answer::NoSuchName => "there is no such name",
        Answer::Addresses(_) | Answer::Silent(_) => "the name has no IPv4 address",
    };
    let mut finding = Finding::new(
        &SG_ISATAP_001,
        format!("{}: the ISATAP router's name {name} does not resolve", e.machine.name),
        format!("{asked} does not know {name}"),
    )
    .because(format!("{asked} was asked for {name} A: {how}"))
    .not("the name server: it answers")
    .next(format!("dig {name} A @{}", asked.split(',').next().unwrap_or_default()));
    if !name.contains('.') {
        finding = finding.because(match e.machine.search.as_slice() {
            [] => "the name has no dot and /etc/resolv.conf has no search suffix".to_owned(),
            search => format!("the name has no dot; search suffixes: {}", list(search)),
        });
    }
    // What another server says tells whether the record or the choice of the server is at fault.
    let elsewhere = case
        .sides()
        .flat_map(|side| of(side, Purpose::Router).map(move |l| (side, l)))
        .find(|(_, l)| l.name == *name && l.servers != lookup.servers && !l.addresses().is_empty());
    if let Some((side, other)) = elsewhere {
        finding = finding
            .because(format!(
                "{} asks {} and gets {}",
                side.machine.name,
                other.asked(),
                list(other.addresses())
            ))
            .fix(format!("let {} ask {} for names of the intranet", e.machine.name, other.asked()));
    }
    match &e.role {
        Some(Role::Host(host)) if !host.list.is_empty() => finding
            .because(format!("the host still uses what the name meant before: {}", list(&host.list)))
            .warning(),
        Some(Role::Host(_) | Role::Gateway(_) | Role::Client(_)) | None => finding,
    }
}

/// `isatap` below a suffix of the site.
pub(super) fn bare(case: &Case<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut found: Vec<(&str, String, String)> = Vec::new();
    for e in case.sides() {
        for lookup in of(e, Purpose::BareIsatap) {
            match &lookup.answer {
                Answer::Silent(_) => {}
                Answer::Addresses(a) if !a.is_empty() => {
                    found.push((&lookup.name, lookup.asked(), list(a)));
                }
                Answer::Addresses(_) | Answer::NoSuchName => {
                    checks.push(Check::passed(format!("{}: {} has no address", e.machine.name, lookup.name)))
                }
            }
        }
    }
    let Some((name, asked, addresses)) = found.first() else { return checks };
    let mut finding = Finding::new(
        &SG_ISATAP_007,
        format!("the name {name} exists: the whole site tunnels"),
        format!("{asked} answers {name} with {addresses}, and every Windows machine asks for it by itself"),
    )
    .warning()
    .because(format!("{asked} was asked for {name} A: {addresses}"))
    .fix(format!("delete {name} from the DNS and put `isatap` back on the server's block list"))
    .next(format!("dig {name} A @{}", asked.split(',').next().unwrap_or_default()));
    if let Some(gateway) = case.gateway() {
        let strangers: Vec<Ipv4Addr> =
            gateway.role.hosts.iter().filter(|h| !h.served).map(|h| h.ipv4).collect();
        finding = finding
            .because(match strangers.as_slice() {
                [] => format!(
                    "{} was solicited by no host that is not allowed, so far",
                    gateway.all.machine.name
                ),
                some => format!(
                    "hosts that solicited {} and are not allowed: {}",
                    gateway.all.machine.name,
                    list(some)
                ),
            })
            .next("sixgate isatap hosts");
    }
    checks.push(finding.into());
    checks
}

/// `wpad` below a suffix of the site.
pub(super) fn proxy(case: &Case<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for e in case.sides() {
        for lookup in of(e, Purpose::BareWpad) {
            let (name, asked) = (&lookup.name, lookup.asked());
            checks.push(match &lookup.answer {
                Answer::Silent(_) => continue,
                Answer::Addresses(a) if !a.is_empty() => Finding::new(
                    &SG_DNS_006,
                    format!("the name {name} exists"),
                    format!(
                        "{asked} answers {name}, and whoever has that address says which proxy everybody uses"
                    ),
                )
                .warning()
                .because(format!("{asked} was asked for {name} A: {}", list(a)))
                .next(format!("dig {name} A @{}", asked.split(',').next().unwrap_or_default()))
                .into(),
                Answer::Addresses(_) | Answer::NoSuchName => {
                    Check::passed(format!("{}: {name} has no address", e.machine.name))
                }
            });
        }
    }
    checks
}

/// What the routers' name leads to is a router.
pub(super) fn is_a_router(case: &Case<'_>) -> Vec<Check> {
    let Some(gateway) = case.gateway().filter(|g| g.router().is_some_and(|r| r.address.is_some())) else {
        return alone(case);
    };
    let mut checks: Vec<Check> = Vec::new();
    let mut wrong: Vec<(Ipv4Addr, Vec<String>)> = Vec::new();
    for e in case.sides() {
        for lookup in of(e, Purpose::Router) {
            for address in v4(lookup.addresses()) {
                let line =
                    format!("{} asks {} for {}: {address}", e.machine.name, lookup.asked(), lookup.name);
                if gateway.is_router(address) {
                    checks.push(Check::passed(format!("{address} is a router")));
                } else if let Some((_, lines)) = wrong.iter_mut().find(|(a, _)| *a == address) {
                    lines.push(line);
                } else {
                    wrong.push((address, vec![line]));
                }
            }
        }
    }
    let name =
        gateway.router().and_then(|r| r.name.clone()).unwrap_or_else(|| "the router's name".to_owned());
    let nodes: Vec<Ipv4Addr> = gateway
        .router()
        .into_iter()
        .flat_map(|r| r.address.into_iter().chain(r.peers.iter().copied()))
        .collect();
    for (address, lines) in wrong {
        let mut finding = Finding::new(
            &SG_ISATAP_002,
            format!("{name} leads to {address}, which is no ISATAP router"),
            format!(
                "{address} is not an address of {} or of a peer: a load balancer's, or an old one",
                gateway.all.machine.name
            ),
        )
        .because(format!("routers are at {}", list(&nodes)))
        .fix(format!("give {name} one A record for each gateway: {}; and take {address} out", list(&nodes)))
        .next(format!("dig {name} A"));
        for line in lines {
            finding = finding.because(line);
        }
        if let Some(probe) = case.host().and_then(|h| h.probe(address)) {
            finding = finding.because(match (probe.refused_by, probe.advertised_ms) {
                (Some(by), _) => format!("{by} answers protocol 41 with \"protocol unreachable\""),
                (None, Some(_)) => {
                    format!("{address} answers all the same: is it a router of somebody else?")
                }
                (None, None) => format!("{address} does not answer solicitations"),
            });
        }
        checks.push(finding.into());
    }
    checks
}

/// Without a gateway's word, only a refusal tells.
fn alone(case: &Case<'_>) -> Vec<Check> {
    let Some(host) = case.host() else { return Vec::new() };
    let refused = host.all.probes.iter().filter_map(|p| Some((p, p.refused_by?)));
    // It is the gateway at hand, and that one has no [isatap].
    let is_off = |router| {
        let gateway = case.gateway().filter(|g| g.all.daemon.answers && g.router().is_none());
        gateway.is_some_and(|g| g.role.own.contains(router))
    };
    refused
        .map(|(probe, by)| {
            let finding = Finding::new(
                &SG_ISATAP_002,
                format!("{} is no ISATAP router", probe.router),
                format!("{by} says that nobody there takes protocol 41: a load balancer's address, or a gateway whose daemon does not run"),
            )
            .likely()
            .because(format!("a solicitation to {} was answered with ICMP \"protocol unreachable\" by {by}", probe.router))
            .not("a firewall that drops: somebody answers")
            .next("here: sixgate doctor --evidence > host.json; then on the gateway: sixgate doctor --with host.json");
            if is_off(&probe.router) { finding.unless(&[&SG_ISATAP_006]).into() } else { finding.into() }
        })
        .collect()
}

fn of(e: &Evidence, purpose: Purpose) -> impl Iterator<Item = &Lookup> {
    e.lookups.iter().filter(move |l| l.purpose == purpose)
}

fn is_silent(lookup: &Lookup) -> bool {
    matches!(lookup.answer, Answer::Silent(_))
}
