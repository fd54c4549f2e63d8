//! A daemon that is killed at any moment leaves nothing behind after its next start and stop.

#![allow(clippy::unwrap_used, reason = "a test ends where its world does not answer")]

use std::thread;
use std::time::Duration;

use sixgate_e2e::{Random, World, dump};
use sixgate_lab::product::{self, CLIENT_FILE, GATEWAY_FILE, HOST_FILE, SERVICE};
use sixgate_lab::{Lab, LabError};

const TIMES: usize = 20;
/// Later than any daemon needs to be ready.
const LATEST: u64 = 1_500;

/// Kills the daemon of `node` at random moments after its start, and compares what is there after a start and a stop in order.
fn killed(world: &World, node: &str, command: &[&str], ready: impl Fn(&Lab) -> Result<(), LabError>) {
    world.stop(node, SERVICE).unwrap();
    let before = dump::of(world, node);
    let mut chance = Random::begin();
    for turn in 0..TIMES {
        let moment = Duration::from_millis(chance.number() % LATEST);
        world.start(node, SERVICE, command).unwrap();
        thread::sleep(moment);
        world.signal(node, SERVICE, "KILL").unwrap();
        world.until("the killed daemon is gone", 5, || !world.runs(node, SERVICE));
        ready(world).unwrap_or_else(|error| panic!("turn {turn}, killed after {moment:?}: {error}"));
        let during = dump::of(world, node);
        assert_ne!(before, during, "a daemon that changes nothing proves nothing");
        world.stop(node, SERVICE).unwrap();
        let after = dump::of(world, node);
        let difference = dump::difference(&before, &after);
        assert!(before == after, "turn {turn}, killed after {moment:?}: {difference:#?}");
    }
}

#[test]
fn a_gateway_leaves_nothing() {
    let world = World::up();
    killed(&world, "gateway", &["sixgate", "run", "--config", GATEWAY_FILE], product::gateway);
}

/// Neither knows of the other, and the gateway that both need goes on: so they are killed beside each other.
#[test]
fn a_client_and_a_host_leave_nothing() {
    let world = World::up();
    let client = ["sixgate", "client", "run", "--config", CLIENT_FILE];
    let host = ["sixgate", "host", "run", "--config", HOST_FILE];
    thread::scope(|both| {
        both.spawn(|| killed(&world, "laptop-01", &client, |lab| product::client(lab, "laptop-01")));
        both.spawn(|| killed(&world, "helpdesk-01", &host, product::host));
    });
}
