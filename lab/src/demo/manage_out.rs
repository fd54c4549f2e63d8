//! (b) Manage-out: an IPv4-only workstation opens a service on a roaming laptop; (c) the laptop opens one on the workstation.

use std::time::Duration;

use super::report::Step;
use super::traffic::{Traffic, demand};
use crate::error::LabError;
use crate::handle::{Lab, wait_for};
use crate::product::{CLIENT_DEVICE, HOST_DEVICE, address};
use crate::topology::Segment;

/// The laptop's name in the organisation's DNS.
pub(super) const LAPTOP: &str = "laptop-01.clients.corp.example";

pub(super) fn to_laptop(lab: &Lab, step: &mut Step) -> Result<(), LabError> {
    let own = address(lab, "laptop-01", CLIENT_DEVICE)
        .ok_or_else(|| LabError::failed(format!("laptop-01 has no address on {CLIENT_DEVICE}")))?;
    let traffic = Traffic::prepare(lab, "laptop-01", "manage-out.txt")?;
    let mut named = String::new();
    // The gateway registers a client when it connects: that takes a moment, not longer.
    let found = wait_for(Duration::from_secs(5), || {
        let asked = lab.run("helpdesk-01", &["dig", "+short", "+time=1", "+tries=1", "AAAA", LAPTOP]);
        named = asked.map(|done| done.stdout.trim().to_owned()).unwrap_or_default();
        named == own
    });
    step.did("helpdesk-01", &format!("dig +short AAAA {LAPTOP}"), &named);
    demand(found.is_some(), &format!("{LAPTOP} is {named:?} in DNS, and laptop-01's address is {own}"))?;
    traffic.fetch(lab, "helpdesk-01", &format!("http://{LAPTOP}:8080/manage-out.txt"), step)?;
    let ssh = lab.run("helpdesk-01", &["ssh", "-o", "BatchMode=yes", LAPTOP, "hostname"])?;
    step.did("helpdesk-01", &format!("ssh {LAPTOP} hostname"), &ssh.said());
    demand(
        ssh.ok() && ssh.stdout.trim() == "laptop-01",
        &format!("ssh ended with {}: {}", ssh.code, ssh.said()),
    )?;
    in_protocol_41(lab, &traffic, step)
}

pub(super) fn to_helpdesk(lab: &Lab, step: &mut Step) -> Result<(), LabError> {
    let own = address(lab, "helpdesk-01", HOST_DEVICE)
        .ok_or_else(|| LabError::failed(format!("helpdesk-01 has no address on {HOST_DEVICE}")))?;
    let traffic = Traffic::prepare(lab, "helpdesk-01", "to-helpdesk.txt")?;
    let got = traffic.fetch(lab, "laptop-01", &format!("http://[{own}]:8080/to-helpdesk.txt"), step)?;
    demand(
        got.from == own,
        &format!("the answer came from {}, not from the ISATAP address {own}", got.from),
    )?;
    in_protocol_41(lab, &traffic, step)
}

/// On both intranet segments every frame with the content is protocol 41.
fn in_protocol_41(lab: &Lab, traffic: &Traffic, step: &mut Step) -> Result<(), LabError> {
    let reading = lab.taps()?;
    let internet = reading.of(Segment::Internet);
    let mut line = String::new();
    for segment in [Segment::Desk, Segment::Corp] {
        let counts = reading.of(segment);
        let (all, inside) = (traffic.any(&counts), traffic.in_protocol_41(&counts));
        line.push_str(&format!(
            "{}: content {all} times, {inside} of them in protocol 41, 0x86dd {} · ",
            segment.name(),
            counts.ethertype_ipv6
        ));
        demand(traffic.seen(&counts) > 0, &format!("the content was not seen on {}", segment.name()))?;
        demand(
            all == inside,
            &format!("{} frames on {} had the content outside protocol 41", all - inside, segment.name()),
        )?;
    }
    step.wire(&format!(
        "{line}internet: {} TLS segments, content {} times, IPv6 {}",
        internet.https,
        traffic.any(&internet),
        internet.ipv6()
    ));
    traffic.confidential(&reading)
}
