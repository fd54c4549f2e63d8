//! (i) Removable: ISATAP is taken away under an ssh that stays open, and one command gives everything back.

use std::time::{Duration, Instant};

use super::manage_out::LAPTOP;
use super::report::Step;
use super::session::Session;
use super::traffic::{clean, demand, fetch, marker};
use crate::error::LabError;
use crate::handle::{Lab, wait_for};
use crate::product::{HOST_DEVICE, address};

/// How long a change may take to arrive.
const SOON: Duration = Duration::from_secs(5);
/// How long a program may take to learn that its connection is not opened any more.
const AT_ONCE: Duration = Duration::from_secs(1);

pub(super) fn taken_away(lab: &Lab, step: &mut Step) -> Result<(), LabError> {
    let before = address(lab, "helpdesk-01", HOST_DEVICE)
        .ok_or_else(|| LabError::failed("helpdesk-01 has no ISATAP address to begin with"))?;
    let mut ssh = Session::open(lab)?;
    ssh.echoes(&marker()?, SOON)?;
    step.did("helpdesk-01", &format!("ssh {LAPTOP} cat"), "echoes what it is sent, and stays open");
    let plan = retire(lab, &["--plan"])?;
    step.did("gateway", "sixgate isatap retire --plan", &format!("{} lines", plan.lines().count()));
    step.shown(&plan);
    let done = away(lab, step, &mut ssh);
    // Whatever was wrong in between: everything is to be as it was.
    let undone = retire(lab, &["--undo", "--yes"]);
    done?;
    step.did("gateway", "sixgate isatap retire --undo", undone?.lines().next().unwrap_or_default().trim());
    let back = wait_for(SOON, || fetch(lab, "helpdesk-01", &page(), "back", 1).is_ok() && !deprecated(lab));
    demand(back.is_some(), "helpdesk-01 does not reach laptop-01 within 5 s of the undo")?;
    let after = address(lab, "helpdesk-01", HOST_DEVICE).unwrap_or_default();
    demand(before == after, &format!("helpdesk-01 had {before} and now has {after}"))?;
    step.did("helpdesk-01", &format!("curl {}", page()), "200 again, from the address that it had");
    ssh.echoes(&marker()?, SOON)?;
    clean(&lab.taps()?)
}

fn away(lab: &Lab, step: &mut Step, ssh: &mut Session) -> Result<(), LabError> {
    let quiet = retire(lab, &["--phase", "2", "--yes"])?;
    step.did("gateway", "sixgate isatap retire --phase 2", "quiet: new connections choose IPv4");
    step.shown(&quiet);
    let told = wait_for(SOON, || deprecated(lab));
    demand(told.is_some(), "helpdesk-01's ISATAP address is not deprecated in phase 2")?;
    step.did("helpdesk-01", &format!("ip -6 address show dev {HOST_DEVICE}"), "deprecated");
    ssh.echoes(&marker()?, SOON)?;

    retire(lab, &["--phase", "3", "--yes"])?;
    step.did("gateway", "sixgate isatap retire --phase 3", "withdraw: nothing new is opened");
    let start = Instant::now();
    let opened = fetch(lab, "helpdesk-01", &page(), "new", 5);
    demand(opened.is_err(), "helpdesk-01 opens something new through ISATAP in phase 3")?;
    demand(start.elapsed() < AT_ONCE, "a new connection is not refused at once in phase 3")?;
    step.did(
        "helpdesk-01",
        &format!("curl {}", page()),
        &format!("refused after {} ms: nobody waits for a time-out", start.elapsed().as_millis()),
    );
    ssh.echoes(&marker()?, SOON)?;
    step.did("helpdesk-01", "the ssh opened before", "still echoes");
    let status = retire(lab, &["--status"])?;
    demand(status.contains("helpdesk-01"), "`retire --status` does not name who still has something open")
}

fn page() -> String {
    format!("http://{LAPTOP}:8080/")
}

fn retire(lab: &Lab, flags: &[&str]) -> Result<String, LabError> {
    let command = [&["sixgate", "isatap", "retire"], flags].concat();
    let done = lab.run("gateway", &command)?;
    demand(done.ok(), &format!("`{}` ended with {}: {}", command.join(" "), done.code, done.said()))?;
    Ok(done.stdout)
}

fn deprecated(lab: &Lab) -> bool {
    let show = ["ip", "-6", "address", "show", "dev", HOST_DEVICE, "scope", "global"];
    lab.run("helpdesk-01", &show).is_ok_and(|done| done.stdout.contains("deprecated"))
}
