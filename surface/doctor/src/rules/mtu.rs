//! SG-ISATAP-010: does an IPv6 packet of 1280 octets fit?

use sixgate_reason::diagnoses::SG_ISATAP_010;

use crate::case::Case;
use crate::finding::{Check, Finding};

/// RFC 8200, section 5, and the outer header.
const NEEDED: u32 = 1280 + 20;

pub(super) fn path(case: &Case<'_>) -> Vec<Check> {
    let Some(host) = case.host() else { return Vec::new() };
    let own = host.ipv4().map_or_else(|| host.all.machine.name.clone(), |v4| v4.to_string());
    let mut checks = Vec::new();
    for probe in &host.all.probes {
        let router = probe.router;
        let Some(mtu) = &probe.mtu else {
            checks.push(Check::skipped(format!("path MTU to {router}: ICMP echo is not answered")));
            continue;
        };
        let (Some(lost), true) = (mtu.lost, mtu.passed < NEEDED) else {
            checks.push(Check::passed(format!("the path to {router} takes {} octets", mtu.passed)));
            continue;
        };
        let hop = match mtu.last_hop {
            Some(hop) => format!("behind {hop}"),
            None => "before the first hop that answers".to_owned(),
        };
        let mut finding = Finding::new(
            &SG_ISATAP_010,
            format!("the path from {own} to {router} takes {} octets, and {NEEDED} are needed", mtu.passed),
            format!("a link {hop} has an MTU below {NEEDED}"),
        )
        .because(format!("ICMP echoes that must not be cut: {} octets answered, {lost} not", mtu.passed))
        .fix(format!(
            "raise the MTU of the link {hop} to at least {NEEDED}, or let ICMP \"fragmentation needed\" pass"
        ))
        .next(format!("ping -M do -s {} {router}", NEEDED - 28));
        finding = if mtu.told {
            finding.because("a router on the way says \"fragmentation needed\"").warning()
        } else {
            finding.because("nobody says \"fragmentation needed\"")
        };
        checks.push(finding.into());
    }
    checks
}
