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
    let echoed = gateway.all.echoes.iter().filter(|e| e.inner != e.outer && fresh(e.at));
    for echo in echoed.filter(|e| own.is_none_or(|own| own == e.inner)) {
        if !seen.iter().any(|(i, o, ..)| (*i, *o) == (echo.inner, echo.outer)) {
            seen.push((echo.inner, echo.outer, 0, echo.at));
        }
    }
    if seen.is_empty() {
        return vec![Check::passed("what arrives in protocol 41 embeds the address that it came from")];
    }
    let name = &gateway.all.machine.name;
    let one = |(inner, outer, count, last)| {
        let arrives = count > 0;
        let finding = Finding::new(
            &SG_ISATAP_009,
            format!("{inner} reaches {name} as {outer}"),
            format!(
                "a NAT between {inner} and {name} rewrites IPv4 addresses, and ISATAP cannot work through one"
            ),
        )
        .because(if count > 0 {
            format!(
                "{name} dropped {count} packets from {outer} whose inner source embeds {inner}, the last one {}: isatap-source-not-embedded (RFC 5214, section 7.3)",
                ago(last, gateway.all.taken)
            )
        } else {
            format!("ICMP echoes that {inner} sent arrived at {name} from {outer}")
        })
        .fix(format!(
            "route instead of translating between {inner} and {name}, at the machine that has {outer}"
        ))
        .next(format!("on {name}: tcpdump -ni any ip proto 41 and host {outer}"));
        if arrives {
            finding.not("a firewall that drops protocol 41: it arrives").into()
        } else {
            finding.into()
        }
    };
    seen.into_iter().map(one).collect()
}
