//! (a) Inbound: a roaming laptop opens a page of an IPv4-only server by its name.

use super::report::Step;
use super::traffic::{Traffic, demand};
use crate::error::LabError;
use crate::handle::Lab;
use crate::topology::Segment;

/// The NAT64 address of 10.6.0.30 under the prefix of the lab's gateway.
const FILES: &str = "fd6a:7e00:cafe:7777::a06:1e";

pub(super) fn files(lab: &Lab, step: &mut Step) -> Result<(), LabError> {
    let traffic = Traffic::prepare(lab, "files", "inbound.txt")?;
    let got = traffic.fetch(lab, "laptop-01", "http://files.corp.example/inbound.txt", step)?;
    demand(
        got.from == FILES,
        &format!("the answer came from {}, not from the NAT64 address {FILES}", got.from),
    )?;
    let reading = lab.taps()?;
    let (corp, internet) = (reading.of(Segment::Corp), reading.of(Segment::Internet));
    let clear = traffic.seen(&corp);
    step.wire(&format!(
        "corp: content in clear {clear} times, 0x86dd {} · internet: {} TLS segments, content {} times, IPv6 {}, 10.6/16 {}",
        corp.ethertype_ipv6,
        internet.https,
        traffic.any(&internet),
        internet.ipv6(),
        internet.intranet_address
    ));
    demand(clear > 0, "the content was not seen on corp: how did it reach files?")?;
    demand(
        traffic.in_protocol_41(&corp) == 0,
        "files speaks IPv4 only, yet the content was inside protocol 41",
    )?;
    traffic.confidential(&reading)
}
