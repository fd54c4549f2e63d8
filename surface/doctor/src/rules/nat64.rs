//! SG-NAT64-001 to -006: is there room in the pool, does everything lead to the translator, do the prefixes fit?

use sixgate_reason::diagnoses::{SG_NAT64_001, SG_NAT64_003, SG_NAT64_004, SG_NAT64_005, SG_NAT64_006};

use crate::case::{Case, list};
use crate::evidence::{Lead, Nat64Evidence, PoolPart};
use crate::finding::{Check, Finding};

fn of<'a>(case: &Case<'a>) -> Option<(&'a str, &'a Nat64Evidence)> {
    let gateway = case.gateway().filter(|g| g.all.daemon.answers)?;
    Some((&gateway.all.machine.name, gateway.role.nat64.as_ref()?))
}

/// Ports for all, and sessions for each.
pub(super) fn room(case: &Case<'_>) -> Vec<Check> {
    let Some((name, nat64)) = of(case) else { return Vec::new() };
    let short: Vec<&PoolPart> =
        nat64.pools.iter().filter(|p| p.level == "high" || p.level == "full").collect();
    let limit = u64::from(nat64.client_limit);
    let at_limit: Vec<&(String, u64)> =
        nat64.busiest.iter().filter(|(_, sessions)| limit > 0 && *sessions >= limit).collect();
    if short.is_empty() && at_limit.is_empty() {
        return vec![Check::passed(format!("{name}: the translator has free ports"))];
    }
    let full = short.iter().any(|p| p.level == "full");
    let what = match (short.first(), at_limit.first()) {
        (Some(_), _) if full => {
            format!("{name} has no ports left for new connections to IPv4, or nearly none")
        }
        (Some(_), _) => format!("{name} will soon have no ports left for new connections to IPv4"),
        (None, Some((client, _))) => format!("{client} has as many sessions as a client of {name} may have"),
        (None, None) => String::new(),
    };
    let cause = if short.is_empty() {
        "it opens more connections than `max-sessions-per-client` allows"
    } else {
        "more connections are open than the pool was made for"
    };
    let mut finding = Finding::new(&SG_NAT64_001, what, cause);
    for part in &short {
        finding = finding.because(format!(
            "{} {}: {} of {} ports in use ({})",
            part.proto, part.what, part.used, part.total, part.level
        ));
    }
    for (client, sessions) in &nat64.busiest {
        let of = if limit > 0 { format!(" of at most {limit}") } else { String::new() };
        finding = finding.because(format!("{client} has {sessions} sessions{of}"));
    }
    finding = finding.next("sixgate nat64 pools");
    if let Some((client, _)) = nat64.busiest.first() {
        finding = finding.next(format!("sixgate nat64 sessions --client {client}"));
    }
    if !full {
        finding = finding.warning();
    }
    vec![finding.into()]
}

/// Prefixes and pool come to the device.
pub(super) fn leads(case: &Case<'_>) -> Vec<Check> {
    let Some((name, nat64)) = of(case) else { return Vec::new() };
    let (device, mut checks) = (&nat64.device, Vec::new());
    let taken: Vec<&Lead> = nat64.leads.iter().filter(|l| l.local && !l.shared).collect();
    for lead in &taken {
        checks.push(
            Finding::new(
                &SG_NAT64_004,
                format!("{name} has the address {} itself, and the pool has it too", lead.address),
                format!("an interface has an address of {}", lead.to),
            )
            .because(format!("ip route get {}: local", lead.address))
            .not("an address whose ports are shared: the entry of the pool names no ports for it")
            .next(format!("ip address show to {}", lead.address))
            .into(),
        );
    }
    let wrong: Vec<&Lead> =
        nat64.leads.iter().filter(|l| !l.local && l.through.as_deref() != Some(device.as_str())).collect();
    let state = match nat64.device_up {
        Some(true) => "is up",
        Some(false) => "is down",
        None => "is gone",
    };
    if wrong.is_empty() && nat64.device_up == Some(true) {
        if taken.is_empty() {
            checks.push(Check::passed(format!("{name}: prefix and pool are routed to {device}")));
        }
        return checks;
    }
    let what = match nat64.device_up {
        Some(true) => {
            format!("{} does not come to the translator of {name}", list(wrong.iter().map(|l| &l.to)))
        }
        Some(false) | None => {
            format!("nothing comes to the translator of {name}: its device {device} {state}")
        }
    };
    let cause = match nat64.device_up {
        Some(true) => "a route is missing, or another one leads elsewhere",
        Some(false) => "the device was set down, and its routes are gone with it",
        None => "the device was deleted, and its routes with it",
    };
    let mut finding =
        Finding::new(&SG_NAT64_003, what, cause).because(format!("the device {device} {state}"));
    for lead in &wrong {
        let way = match &lead.through {
            Some(other) => format!("goes to {other}"),
            None => "has no route".to_owned(),
        };
        finding =
            finding.because(format!("{} (of {}) {way}, and must go to {device}", lead.address, lead.to));
    }
    finding = finding.next(format!("ip link show {device}"));
    if let Some(lead) = wrong.first() {
        finding = finding.next(format!("ip route get {}", lead.address));
    }
    checks.push(finding.into());
    checks
}

/// DNS64 and NAT64 mean the same prefix, and one that may stand for what is asked of it.
pub(super) fn prefixes(case: &Case<'_>) -> Vec<Check> {
    let Some((name, nat64)) = of(case) else { return Vec::new() };
    let mut checks = Vec::new();
    let foreign: Vec<&String> =
        nat64.synthesised.iter().filter(|prefix| !nat64.prefixes.contains(prefix)).collect();
    if !foreign.is_empty() {
        let (theirs, ours) = (list(&foreign), list(&nat64.prefixes));
        checks.push(
            Finding::new(
                &SG_NAT64_005,
                format!("names are answered with addresses in {theirs}, which {name} does not translate"),
                "the prefixes of [dns64] and [nat64] are not the same",
            )
            .because(format!("[nat64] translates {ours}"))
            .because(format!("[dns64] synthesises in {theirs}"))
            .next("sixgate dns64 explain NAME")
            .warning()
            .into(),
        );
    } else if !nat64.synthesised.is_empty() {
        checks.push(Check::passed(format!("{name}: DNS64 and NAT64 have the same prefix")));
    }
    if nat64.well_known_only_global && nat64.destinations_denied > 0 {
        checks.push(
            Finding::new(
                &SG_NAT64_006,
                format!("{name} refuses IPv4 addresses that its prefix may not stand for"),
                "64:ff9b::/96 stands for addresses of the Internet only",
            )
            .because(format!("nat64-destination-denied: {} packets", nat64.destinations_denied))
            .because("[nat64] prefix is 64:ff9b::/96, and well-known-non-global is false")
            .likely()
            .warning()
            .next("sixgate nat64 explain 'tcp [CLIENT]:1 > [64:ff9b::10.0.0.1]:80'")
            .into(),
        );
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Evidence, GatewayEvidence, Role};
    use crate::finding::Severity;

    fn gateway(nat64: Nat64Evidence) -> Evidence {
        let role = GatewayEvidence { nat64: Some(nat64), ..GatewayEvidence::default() };
        let mut evidence = Evidence { role: Some(Role::Gateway(Box::new(role))), ..Evidence::default() };
        evidence.daemon.answers = true;
        evidence
    }

    fn findings(nat64: Nat64Evidence, rule: fn(&Case<'_>) -> Vec<Check>) -> Vec<Finding> {
        let evidence = gateway(nat64);
        let checks = rule(&Case { ours: &evidence, other: None });
        checks
            .into_iter()
            .filter_map(|check| match check {
                Check::Found(finding) => Some(*finding),
                Check::Passed(_) | Check::Skipped(_) => None,
            })
            .collect()
    }

    #[test]
    fn a_client_at_its_limit_is_named_and_the_pool_is_not_blamed() {
        let nat64 = Nat64Evidence {
            client_limit: 10,
            busiest: vec![("laptop-01".to_owned(), 10), ("laptop-02".to_owned(), 3)],
            ..Nat64Evidence::default()
        };
        let found = findings(nat64, room);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Warn));
        assert!(found[0].what.starts_with("laptop-01 has as many"), "{}", found[0].what);
        assert!(found[0].evidence.contains(&"laptop-01 has 10 sessions of at most 10".to_owned()));
        let below = Nat64Evidence {
            client_limit: 11,
            busiest: vec![("laptop-01".to_owned(), 10)],
            ..Nat64Evidence::default()
        };
        assert_eq!(findings(below, room).len(), 0);
    }

    #[test]
    fn a_device_that_is_gone_is_one_finding_whatever_else_is_gone_with_it() {
        let lead = |to: &str| Lead { to: to.to_owned(), ..Lead::default() };
        let nat64 = Nat64Evidence {
            device: "nat64".to_owned(),
            leads: vec![lead("64:ff9b::/96"), lead("198.51.100.0/28")],
            ..Nat64Evidence::default()
        };
        let found = findings(nat64, leads);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Fail));
        assert!(found[0].what.contains("its device nat64 is gone"), "{}", found[0].what);
    }

    #[test]
    fn a_shared_own_address_is_no_fault() {
        let shared = Lead { local: true, shared: true, ..Lead::default() };
        let nat64 = Nat64Evidence { device_up: Some(true), leads: vec![shared], ..Nat64Evidence::default() };
        assert_eq!(findings(nat64, leads).len(), 0);
    }
}
