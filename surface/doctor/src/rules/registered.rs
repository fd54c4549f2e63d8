//! SG-DNS-001: do connected clients' names lead to them?

use core::net::{IpAddr, Ipv6Addr};

use sixgate_reason::diagnoses::{SG_DNS_001, SG_DNS_003};

use crate::case::{Case, list};
use crate::evidence::{Answer, Purpose};
use crate::finding::{Check, Finding};

pub(super) fn clients(case: &Case<'_>) -> Vec<Check> {
    let Some(gateway) = case.gateway() else { return Vec::new() };
    let mut checks = Vec::new();
    for wanted in &gateway.role.registered {
        let name = &wanted.name;
        let client = name.split('.').next().unwrap_or_default();
        let session: Option<Ipv6Addr> =
            gateway.role.connected.iter().find(|(n, _)| n == client).map(|(_, address)| *address);
        let Some(session) = session else { continue };
        let lookups = &gateway.all.lookups;
        let Some(lookup) = lookups.iter().find(|l| l.purpose == Purpose::Client && l.name == *name) else {
            continue;
        };
        let found = match &lookup.answer {
            Answer::Silent(_) => continue,
            Answer::NoSuchName => "there is no such name".to_owned(),
            Answer::Addresses(a) if a.contains(&IpAddr::V6(session)) => {
                checks.push(Check::passed(format!("{name} is {session}")));
                continue;
            }
            Answer::Addresses(a) if a.is_empty() => "the name has no AAAA record".to_owned(),
            Answer::Addresses(a) => list(a),
        };
        let mut finding = Finding::new(
            &SG_DNS_001,
            format!("{name} does not lead to the client that is connected"),
            format!("the client has {session}, the DNS says: {found}"),
        )
        .unless(&[&SG_DNS_003])
        .because(format!("{} was asked for {name} AAAA: {found}", lookup.asked()))
        .because(format!("its session has {session}"))
        .next("sixgate who");
        if let Some(failure) = &wanted.failure {
            finding = finding.because(format!("the last update failed: {failure}"));
        }
        checks.push(finding.into());
    }
    checks
}
