//! SG-ISATAP-009: does what the router sees embed where it came from?

use core::net::Ipv4Addr;

use sixgate_reason::diagnoses::SG_ISATAP_009;

use crate::case::{Case, ago};
use crate::finding::{Check, Finding};

/// Without the host's word when it asked, what is older may be mended already.
const FRESH_SECONDS: i64 = 60;

pub(super) fn none(case: &Case<'_>) -> Vec<Check> {
    let Some(gateway) = case.gateway() else { return Vec::new() };
    let host = case.host();
    let own = host.and_then(|h| h.ipv4());
    let fresh = |at: jiff::Timestamp| match host {
        Some(host) => host.is_since(at),
        None => gateway.all.taken.as_second() - at.as_second() <= FRESH_SECONDS,
    };
    let mut seen: Vec<(Ipv4Addr, Ipv4Addr, usize, jiff::Timestamp)> = Vec::new();
    for heard in gateway.role.heard.iter().filter(|h| fresh(h.at)) {
        let Some(inner) = heard.translated().filter(|v4| own.is_none_or(|own| own == *v4)) else { continue };
        match seen.iter_mut().find(|(i, o, ..)| (*i, *o) == (inner, heard.outer)) {
            Some((_, _, count, last)) => (*count, *last) = (*count + 1, (*last).max(heard.at)),
            None => seen.push((inner, heard.outer, 1, heard.at)),
        }
    }
    if seen.is_empty() {
        return vec![Check::passed("what arrives in protocol 41 embeds the address that it came from")];
    }
    let name = &gateway.all.machine.name;
    let one = |(inner, outer, count, last)| {
        Finding::new(
            &SG_ISATAP_009,
            format!("{inner} reaches {name} as {outer}"),
            format!(
                "a NAT between {inner} and {name} rewrites IPv4 addresses, and ISATAP cannot work through one"
            ),
        )
        .because(format!(
            "{name} dropped {count} packets from {outer} whose inner source embeds {inner}, the last one {}",
            ago(last, gateway.all.taken)
        ))
        .because("reason isatap-source-not-embedded (RFC 5214, section 7.3)".to_owned())
        .not("a firewall that drops protocol 41: it arrives")
        .fix(format!(
            "route instead of translating between {inner} and {name}, at the machine that has {outer}"
        ))
        .next(format!("on {name}: tcpdump -ni any ip proto 41 and host {outer}"))
        .into()
    };
    seen.into_iter().map(one).collect()
}
