//! (f) The cable is pulled and plugged again: same address, everything back, and an ssh opened before lives on.

use std::thread;
use std::time::{Duration, Instant};

use super::manage_out::LAPTOP;
use super::report::Step;
use super::session::Session;
use super::traffic::{clean, demand, fetch, marker};
use crate::error::LabError;
use crate::handle::{Lab, wait_for};
use crate::product::{CLIENT_DEVICE, address};

const PULLED: Duration = Duration::from_secs(10);
const BACK_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn pulled(lab: &Lab, step: &mut Step) -> Result<(), LabError> {
    let before = address(lab, "laptop-01", CLIENT_DEVICE)
        .ok_or_else(|| LabError::failed("laptop-01 has no address"))?;
    let mut ssh = Session::open(lab)?;
    ssh.echoes(&marker()?, BACK_WITHIN)?;
    step.did("helpdesk-01", &format!("ssh {LAPTOP} cat"), "echoes what it is sent, and stays open");

    lab.cable("laptop-01", false)?;
    let pulled = Instant::now();
    let cut = lab.run("laptop-01", &["ping", "-c", "1", "-W", "1", "192.168.77.1"]);
    thread::sleep(PULLED.saturating_sub(pulled.elapsed()));
    // Whatever was wrong in between: the cable is in again.
    lab.cable("laptop-01", true)?;
    let plugged = Instant::now();
    demand(cut?.code != 0, "laptop-01 reached its router without a cable")?;
    step.did(
        "switch",
        "ip link set laptop-01-0 down; sleep 10; ip link set laptop-01-0 up",
        "laptop-01 was cut off: no ping to its router",
    );

    let inbound =
        wait_for(BACK_WITHIN, || fetch(lab, "laptop-01", "http://files.corp.example/", "back", 1).is_ok());
    let outbound = wait_for(BACK_WITHIN, || {
        fetch(lab, "helpdesk-01", &format!("http://{LAPTOP}:8080/"), "back", 1).is_ok()
    });
    let back = plugged.elapsed();
    demand(inbound.is_some(), "laptop-01 does not reach files.corp.example 5 s after the cable")?;
    demand(outbound.is_some(), "helpdesk-01 does not reach laptop-01 5 s after the cable")?;
    demand(back <= BACK_WITHIN, &format!("everything was back {:.1} s after the cable", back.as_secs_f64()))?;
    step.did(
        "laptop-01",
        "curl http://files.corp.example/",
        &format!("back; both ways {:.1} s after the cable", back.as_secs_f64()),
    );

    let after = address(lab, "laptop-01", CLIENT_DEVICE).unwrap_or_default();
    demand(before == after, &format!("laptop-01 had {before} and now has {after}"))?;
    step.did("laptop-01", &format!("ip -6 address show dev {CLIENT_DEVICE}"), &format!("{after}, as before"));
    ssh.echoes(&marker()?, Duration::from_secs(10))?;
    step.did("helpdesk-01", "the ssh opened before", "still echoes");
    clean(&lab.taps()?)
}
