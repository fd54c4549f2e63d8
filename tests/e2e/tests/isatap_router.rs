//! The ISATAP router alone, between namespaces: what a flood of solicitations does to a host that is allowed.

use std::io::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use sixgate_e2e::flood::{self, Flood};
use sixgate_e2e::plain::{Daemon, Row};

const SECOND: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);

/// A router in the middle; its hosts are behind the left machine, an IPv4 router of theirs, and so are the attackers.
fn router_row(test: &str) -> (Row, Daemon) {
    let mut row = Row::new(test);
    row.ip("left", "addr add 10.6.0.2/24 dev l0");
    row.ip("middle", "addr add 10.6.0.1/24 dev m0");
    row.ip("middle", "route add 10.7.0.0/16 via 10.6.0.2");
    for last in 0..16 {
        row.ip("left", &format!("addr add 10.7.255.{last}/32 dev lo"));
    }
    // Forged sources get as far as the router, as they do in a network that does not filter.
    let open = "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.m0.rp_filter=0";
    assert!(row.sh("middle", open).good);
    let file = row.file(
        "router",
        "[isatap]\ninterface = \"m0\"\nname = \"da-isatap.corp.example\"\nprefix = \"fd6a:7e00:cafe:2::/64\"\n\
         routes = [{ prefix = \"fd6a:7e00:cafe:1::/64\" }]\n\
         [[isatap.allow]]\nhosts = [\"10.7.0.0/16\"]\ngroup = \"helpdesk\"\n",
    );
    let daemon = row.daemon("middle", &["run"], &file);
    (row, daemon)
}

/// What a flood did to those who asked meanwhile: the longest wait for an answer.
struct Waited {
    known: Duration,
    newcomer: Duration,
}

/// Floods for three seconds; meanwhile a host that the router knows and some that it does not know solicit, each once.
fn under_flood(row: &Row, source: fn(u32) -> Ipv4Addr) -> (Flood, Waited) {
    let known = Ipv4Addr::new(10, 7, 255, 0);
    let namespace = row.namespace("left");
    let ask = |host| {
        let answer = flood::inside(&namespace, move || flood::answered(host, ROUTER, LONGEST)).join();
        answer.expect("no panic").unwrap_or(LONGEST)
    };
    assert!(ask(known) < LONGEST, "no answer before the flood");
    let attack =
        flood::inside(&namespace, move || flood::solicit(ROUTER, source, Duration::from_secs(3), 100_000));
    let mut waited = Waited { known: Duration::ZERO, newcomer: Duration::ZERO };
    for newcomer in 1..6 {
        std::thread::sleep(Duration::from_millis(300));
        waited.known = waited.known.max(ask(known));
        waited.newcomer = waited.newcomer.max(ask(Ipv4Addr::new(10, 7, 255, newcomer)));
    }
    (attack.join().expect("the flood ends"), waited)
}

fn counter(daemon: &Daemon, reason: &str) -> u64 {
    daemon.ask(&["counters"])["counters"][reason].as_u64().unwrap_or(0)
}

/// For whoever runs with --nocapture: a figure, not a verdict.
fn report(what: &str, flood: &Flood, waited: &Waited, refused: u64) {
    let _ = writeln!(
        std::io::stderr(),
        "{what}: {} solicitations a second for {:.1} s, {refused} refused; slowest answer to a known host {:?}, to a newcomer {:?}",
        flood.rate(),
        flood.lasted.as_secs_f64(),
        waited.known,
        waited.newcomer
    );
}

#[test]
fn allowed_hosts_are_answered_within_a_second_under_forged_solicitations_of_strangers() {
    let (row, daemon) = router_row("f");
    let (flood, waited) = under_flood(&row, |n| Ipv4Addr::from_bits(0x0b00_0000 + n));
    let refused = counter(&daemon, "isatap-host-not-allowed");
    report("strangers", &flood, &waited, refused);
    assert!(flood.sent > 10_000 && refused > 1000, "the flood did not arrive");
    assert!(waited.known < SECOND && waited.newcomer < SECOND, "an answer took too long");
    let hosts = daemon.ask(&["isatap", "hosts"]);
    assert!(hosts["hosts"].as_array().is_some_and(|h| h.len() <= 1024 + 16), "the list is bounded");
    assert!(daemon.stop());
}

/// Nothing tells a real newcomer from a forged one, so it is answered as long as the machine keeps up with all of them.
#[test]
fn a_known_host_is_answered_within_a_second_under_forged_solicitations_of_allowed_addresses() {
    let (row, daemon) = router_row("g");
    let (flood, waited) = under_flood(&row, |n| Ipv4Addr::from_bits(0x0a07_0000 + n % 0xff00));
    let limited = counter(&daemon, "isatap-rs-limited");
    report("allowed addresses", &flood, &waited, limited);
    assert!(flood.sent > 10_000, "the flood did not arrive");
    assert!(waited.known < SECOND, "the known host waited too long");
    assert!(waited.newcomer < SECOND || limited > 0, "the router kept up and a newcomer waited too long");
    assert!(daemon.stop());
}
