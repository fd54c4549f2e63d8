//! The ISATAP router alone, between namespaces: a flood of solicitations, a path that fails, a host that falls silent.

use std::io::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use sixgate_e2e::flood::{self, Flood};
use sixgate_e2e::packets;
use sixgate_e2e::plain::{Daemon, Row};
use sixgate_e2e::raw::Sender;

const SECOND: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3);
const ROUTER_FILE: &str = "[isatap]\ninterface = \"m0\"\nname = \"da-isatap.corp.example\"\nprefix = \"fd6a:7e00:cafe:2::/64\"\n\
    routes = [{ prefix = \"fd6a:7e00:cafe:1::/64\" }]\n\
    [[isatap.allow]]\nhosts = [\"10.7.0.0/16\"]\ngroup = \"helpdesk\"\n";
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
    let file = row.file("router", ROUTER_FILE);
    let daemon = row.daemon("middle", &["run"], &file);
    (row, daemon)
}

/// What a flood did to those who asked meanwhile: the longest wait for an answer.
struct Waited {
    known: Duration,
    newcomer: Duration,
}

/// Floods for two seconds; meanwhile a host that the router knows and some that it does not know solicit, each once.
fn under_flood(row: &Row, source: fn(u32) -> Ipv4Addr, rate: u32) -> (Flood, Waited) {
    let known = Ipv4Addr::new(10, 7, 255, 0);
    let namespace = row.namespace("left");
    let ask = |host| {
        let answer = flood::inside(&namespace, move || flood::answered(host, ROUTER, LONGEST)).join();
        answer.expect("no panic").unwrap_or(LONGEST)
    };
    assert!(ask(known) < LONGEST, "no answer before the flood");
    let lasts = Duration::from_secs(2);
    let attack = flood::inside(&namespace, move || flood::solicit(ROUTER, source, lasts, rate));
    let mut waited = Waited { known: Duration::ZERO, newcomer: Duration::ZERO };
    for newcomer in 1..6 {
        std::thread::sleep(Duration::from_millis(200));
        waited.known = waited.known.max(ask(known));
        waited.newcomer = waited.newcomer.max(ask(Ipv4Addr::new(10, 7, 255, newcomer)));
    }
    (attack.join().expect("the flood ends"), waited)
}

/// Packets that the kernel threw away before the router could read them, because it had no time.
fn lost(row: &Row) -> u64 {
    let raw = row.sh("middle", "cat /proc/net/raw").text;
    // Local address with the protocol as its port; drops are the last column.
    let lines = raw.lines().filter(|line| line.contains(":0029 "));
    lines.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
}

/// Floods at 100,000 a second, or at the half of it, and so on, until the machine gives the router the time to read all of it: what
/// the kernel throws away before says something of the machine, and nothing of the router.
fn as_fast_as_the_machine_can(
    row: &Row,
    daemon: &Daemon,
    what: &str,
    source: fn(u32) -> Ipv4Addr,
    reason: &str,
) -> (Waited, u64) {
    for rate in [100_000, 50_000, 25_000, 12_500, 6000] {
        let (lost_before, refused_before) = (lost(row), counter(daemon, reason));
        let (flood, waited) = under_flood(row, source, rate);
        assert!(flood.sent > 5000, "the flood was none");
        let (lost, refused) = (lost(row) - lost_before, counter(daemon, reason) - refused_before);
        // For whoever runs with --nocapture: a figure, not a verdict.
        let _ = writeln!(
            std::io::stderr(),
            "{what}: {} solicitations a second for {:.1} s, {lost} not read, {refused} refused; slowest answer to a known host {:?}, to a \
             newcomer {:?}",
            flood.rate(),
            flood.lasted.as_secs_f64(),
            waited.known,
            waited.newcomer
        );
        if lost == 0 {
            return (waited, refused);
        }
    }
    panic!("the machine does not even read 6,000 solicitations a second");
}

fn counter(daemon: &Daemon, reason: &str) -> u64 {
    daemon.ask(&["counters"])["counters"][reason].as_u64().unwrap_or(0)
}

#[test]
fn allowed_hosts_are_answered_within_a_second_under_forged_solicitations_of_strangers() {
    let (row, daemon) = router_row("f");
    let strangers = |n| Ipv4Addr::from_bits(0x0b00_0000 + n);
    let (waited, refused) =
        as_fast_as_the_machine_can(&row, &daemon, "strangers", strangers, "isatap-host-not-allowed");
    assert!(refused > 1000, "the flood did not arrive");
    assert!(waited.known < SECOND && waited.newcomer < SECOND, "an answer took too long");
    let hosts = daemon.ask(&["isatap", "hosts"]);
    assert!(hosts["hosts"].as_array().is_some_and(|h| h.len() <= 1024 + 16), "the list is bounded");
    assert!(daemon.stop());
}

/// Nothing tells a real newcomer from a forged one, so it is answered as long as the router keeps up with all of them.
#[test]
fn a_known_host_is_answered_within_a_second_under_forged_solicitations_of_allowed_addresses() {
    let (row, daemon) = router_row("g");
    let allowed = |n| Ipv4Addr::from_bits(0x0a07_0000 + n % 0xff00);
    let (waited, limited) =
        as_fast_as_the_machine_can(&row, &daemon, "allowed addresses", allowed, "isatap-rs-limited");
    assert!(waited.known < SECOND, "the known host waited too long");
    assert!(waited.newcomer < SECOND || limited > 0, "the router kept up and a newcomer waited too long");
    assert!(daemon.stop());
}

const HOST: Ipv4Addr = Ipv4Addr::new(10, 7, 255, 1);
const HOST_ADDRESS: &str = "fd6a:7e00:cafe:2:0:5efe:10.7.255.1";

/// The same row with a client on the right, who may open connections to hosts, and one host that has solicited.
fn row_with_a_client(test: &str) -> (Row, Daemon) {
    let (mut row, daemon) = router_row(test);
    assert!(daemon.stop());
    row.ip("middle", "addr add fd6a:7e00:cafe:1::1/64 dev m1 nodad");
    row.ip("right", "addr add fd6a:7e00:cafe:1::7/64 dev r0 nodad");
    row.ip("right", "-6 route add default via fd6a:7e00:cafe:1::1");
    let file = row.file("open", &format!("{ROUTER_FILE}[[policy]]\nfrom = \"any\"\nto = \"any\"\n"));
    let daemon = row.daemon("middle", &["run"], &file);
    let namespace = row.namespace("left");
    let answer = flood::inside(&namespace, || flood::answered(HOST, ROUTER, LONGEST)).join();
    assert!(answer.expect("no panic").is_some(), "the host is not answered");
    (row, daemon)
}

#[test]
fn what_the_ipv4_network_cannot_deliver_is_told_to_the_client_at_once() {
    let (row, daemon) = row_with_a_client("p");
    row.ip("left", "addr del 10.7.255.1/32 dev lo");
    row.ip("left", "route add unreachable 10.7.255.1/32");
    assert!(row.sh("left", "sysctl -qw net.ipv4.ip_forward=1").good);
    let ping = row.sh("right", &format!("ping -n -c 1 -W 5 {HOST_ADDRESS}"));
    assert!(!ping.good && ping.text.contains("Address unreachable"), "{}", ping.text);
    assert!(counter(&daemon, "isatap-path-unreachable") > 0);
    assert!(daemon.stop());
}

/// Waits until it is so, at most three seconds.
fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..60 {
        if so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what}");
}

/// Whoever can forge an ICMPv4 error knows addresses, but not which ports are in use.
#[test]
fn a_forged_error_about_a_packet_that_nobody_sent_is_told_to_nobody() {
    let (row, daemon) = row_with_a_client("e");
    let left = row.namespace("left");
    let _takes = Sender::open(&left, 41, HOST);
    let forger = Sender::open(&left, 1, Ipv4Addr::new(10, 6, 0, 2));
    let told = || {
        let count = row.sh(
            "right",
            "awk '/^Icmp6InDestUnreachs|^Icmp6InPktTooBigs/ { n += $2 } END { print n }' /proc/net/snmp6",
        );
        count.text.trim().parse::<u64>().expect("a number")
    };
    let sent = format!("echo x | socat -u - UDP6:[{HOST_ADDRESS}]:9,sourceport=40000");
    assert!(row.sh("right", &sent).good);
    let (client, host) = ("fd6a:7e00:cafe:1::7".parse().expect("v6"), HOST_ADDRESS.parse().expect("v6"));
    let complain = |port, code, mtu| {
        let inner = packets::datagram((client, port), (host, 9), &[0; 1400]);
        forger.send(ROUTER, &packets::ipv4_error(3, code, mtu, &packets::ipv4(ROUTER, HOST, 41, &inner)));
    };
    let before = told();
    complain(40_001, 1, 0);
    complain(40_001, 4, 1300);
    until("the forged errors have come", || {
        counter(&daemon, "isatap-path-unreachable") == 1 && counter(&daemon, "isatap-path-error-foreign") == 1
    });
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(told(), before);
    complain(40_000, 1, 0);
    complain(40_000, 4, 1300);
    until("the client is told of its own packets", || told() == before + 2);
    assert!(daemon.stop());
}

#[test]
fn a_host_that_falls_silent_is_refused_within_ten_seconds_and_is_back_with_its_first_packet() {
    let (row, daemon) = row_with_a_client("n");
    row.ip("left", "addr del 10.7.255.1/32 dev lo");
    let ping = row.sh("right", &format!("ping -n -c 11 -i 1 -W 1 {HOST_ADDRESS}"));
    assert!(!ping.good && ping.text.contains("Address unreachable"), "{}", ping.text);
    let refusals = ping.text.matches("Address unreachable").count();
    assert!((1..=4).contains(&refusals), "{}", ping.text);
    assert!(counter(&daemon, "isatap-host-unreachable") > 0);
    row.ip("left", "addr add 10.7.255.1/32 dev lo");
    let namespace = row.namespace("left");
    // As long as somebody holds such a socket, the host takes protocol 41.
    let _takes = Sender::open(&namespace, 41, HOST);
    let answer = flood::inside(&namespace, || flood::answered(HOST, ROUTER, LONGEST)).join();
    assert!(answer.expect("no panic").is_some(), "the host is not answered");
    let ping = row.sh("right", &format!("ping -n -c 1 -W 1 {HOST_ADDRESS}"));
    assert!(!ping.text.contains("unreachable"), "{}", ping.text);
    assert!(daemon.stop());
}
