//! (g) Targeted: an administrator takes ISATAP from one workstation and gives it back; nobody else's traffic changes.

use std::time::Duration;

use super::report::Step;
use super::traffic::{clean, demand};
use crate::error::LabError;
use crate::handle::{Lab, wait_for};
use crate::product::{HOST_DEVICE, address};

/// helpdesk-01's IPv4 address.
const HELPDESK: &str = "10.6.8.20";
/// How long a change may take to arrive.
const SOON: Duration = Duration::from_secs(5);

pub(super) fn named_hosts_only(lab: &Lab, step: &mut Step) -> Result<(), LabError> {
    let before = address(lab, "helpdesk-01", HOST_DEVICE)
        .ok_or_else(|| LabError::failed("helpdesk-01 has no ISATAP address to begin with"))?;
    let bystander = lab.sh("bystander-01", "ip -6 address; ip -6 route show table all")?;

    gateway(lab, step, &["isatap", "deny", HELPDESK])?;
    let gone = wait_for(SOON, || route(lab).is_empty());
    let hosts = gateway(lab, step, &["isatap", "hosts"])?;
    step.shown(&hosts);
    step.did("helpdesk-01", &format!("ip -6 route show dev {HOST_DEVICE} proto 64"), &said(gone, "no route"));
    demand(gone.is_some(), "helpdesk-01 keeps its route to the clients although it was denied")?;
    let line = hosts.lines().find(|line| line.contains(HELPDESK)).unwrap_or_default();
    demand(line.contains("denied"), &format!("`isatap hosts` does not say that it was denied: {line:?}"))?;

    gateway(lab, step, &["isatap", "allow", "--forget", HELPDESK])?;
    let back = wait_for(SOON, || {
        address(lab, "helpdesk-01", HOST_DEVICE).as_ref() == Some(&before) && !route(lab).is_empty()
    });
    step.did("helpdesk-01", &format!("ip -6 address show dev {HOST_DEVICE}"), &said(back, &before));
    demand(back.is_some(), "helpdesk-01 does not get its address and route back")?;

    let after = lab.sh("bystander-01", "ip -6 address; ip -6 route show table all")?;
    demand(bystander == after, "bystander-01's IPv6 changed")?;
    clean(&lab.taps()?)
}

/// The routes that our host daemon has set.
fn route(lab: &Lab) -> String {
    let shown = lab.run("helpdesk-01", &["ip", "-6", "route", "show", "dev", HOST_DEVICE, "proto", "64"]);
    shown.map(|done| done.stdout).unwrap_or_default()
}

fn gateway(lab: &Lab, step: &mut Step, command: &[&str]) -> Result<String, LabError> {
    let whole = [&["sixgate"], command].concat();
    let done = lab.run("gateway", &whole)?;
    step.did("gateway", &whole.join(" "), done.stdout.lines().last().unwrap_or_default());
    demand(done.ok(), &format!("`{}` ended with {}: {}", whole.join(" "), done.code, done.said()))?;
    Ok(done.stdout)
}

fn said(after: Option<Duration>, what: &str) -> String {
    after.map_or_else(
        || "nothing within 5 s".to_owned(),
        |after| format!("{what}, after {:.1} s", after.as_secs_f64()),
    )
}
