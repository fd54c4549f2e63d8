//! The daemon in a network namespace of its own, against a router in another, over the kernels' own TCP/IP.
//!
//! ```text
//!   HOST namespace                          ROUTER namespace
//!   isatap0  fd00:2::5efe:10.6.8.20         r0  (TUN)      lo  fd00:1::7 "a client"
//!   eth0     10.6.8.20/24 ----- veth ------ eth0  10.6.8.1/24
//!   IPv6 disabled everywhere else           sixgate-isatap's Router, nothing else
//! ```
//!
//! Needs root. Each part is this test program again, told by its environment what to be.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests too")]

mod world;

use std::time::{Duration, Instant};

use world::{World, eventually};

#[test]
fn part() {
    world::play();
}

#[test]
fn a_host_reaches_clients_and_nothing_else_and_leaves_nothing_behind() {
    let world = World::new("reach");
    let before = world.dump();
    let router = world.router();
    let mut host = world.host();
    host.wait_for("ready");
    eventually("an address and a route", || {
        world.host_ip("-6 address show dev isatap0").contains("fd00:2::5efe:a06:814/64")
            && world.host_ip("-6 route show").contains("fd00:1::/64 via fe80::5efe:a06:801 dev isatap0")
    });
    // IPv6 is off for everything else, and stays so.
    assert_eq!(world.host_sysctl("net.ipv6.conf.eth0.disable_ipv6"), "1");
    assert!(world.host_run("ping -6 -c 3 -i 0.2 -W 1 fd00:1::7").0, "a client is reached");
    assert!(world.host_run("ping -6 -c 1 -W 1 fd00:2::5efe:a06:801").0, "the router is reached");

    let status = world.status();
    assert_eq!(status["role"], "host");
    assert_eq!(status["isatap"][0]["router"], "10.6.8.1");
    assert_eq!(status["isatap"][0]["address"], "fd00:2::5efe:a06:814");
    assert_eq!(status["isatap"][0]["state"], "up");
    assert_eq!(status["routes"][0], "fd00:1::/64 via fe80::5efe:a06:801");

    // A program that tries IPv6 first falls back at once: no route at all, and a route of ours that leads nowhere.
    for nowhere in ["2001:db8::1", "fd00:2::dead", "fd00:2::5efe:a06:863"] {
        let took = world.time_to_fail(nowhere);
        assert!(took < Duration::from_millis(50), "{nowhere}: {took:?}");
    }
    assert_eq!(world.counters()["isatap-no-router"], 2);

    host.terminate();
    assert!(host.ended_well(), "{}", host.log());
    drop(router);
    assert_eq!(world.dump(), before);
}

#[test]
fn bulk_tcp_goes_both_ways_whole() {
    let world = World::new("bulk");
    let _router = world.router();
    let mut host = world.host();
    host.wait_for("ready");
    eventually("a route", || world.host_ip("-6 route show").contains("fd00:1::/64"));
    let megabytes = 32;
    world.transfer(world::Side::Host, world::Side::Router, "[fd00:1::7]:5001", megabytes);
    world.transfer(world::Side::Router, world::Side::Host, "[fd00:2::5efe:a06:814]:5002", megabytes);
    // Both ends hand the kernel merged segments, or it would take far more than these.
    let packets = world.device_packets();
    assert!(packets < megabytes * 1_000_000 / 1220 * 2, "{packets} packets for {megabytes} MB each way");
}

#[test]
fn a_router_that_dies_is_given_up_and_taken_back() {
    let world = World::new("dies");
    let router = world.router();
    let mut host = world.host();
    host.wait_for("ready");
    let has_route = || world.host_ip("-6 route show").contains("fd00:1::/64");
    eventually("a route", has_route);
    drop(router);
    // Packets that are not answered raise the suspicion.
    let start = Instant::now();
    while has_route() {
        world.host_run("ping -6 -c 1 -W 1 fd00:1::7");
        assert!(start.elapsed() < Duration::from_secs(12), "the route is still there");
    }
    assert_eq!(world.status()["isatap"][0]["state"], "unreachable");
    // The kernel of its machine says that nobody takes protocol 41 there.
    assert_eq!(world.status()["isatap"][0]["reason"], "isatap-path-unreachable");
    assert!(world.time_to_fail("fd00:1::7") < Duration::from_millis(50));
    // The address stays, for what is open.
    assert!(world.host_ip("-6 address show dev isatap0").contains("fd00:2::5efe:a06:814"));
    let _router = world.router();
    eventually("the route again", has_route);
    assert!(world.host_run("ping -6 -c 2 -i 0.2 -W 1 fd00:1::7").0);
}

#[test]
fn an_open_tcp_connection_goes_on_by_the_next_router() {
    let world = World::new("goeson");
    world.router_ip("address add 10.6.8.2/24 dev eth0");
    let first = world.router();
    let _second = world.router_at("10.6.8.2");
    let mut host = world.host_with("interface = \"eth0\"\nrouters = [\"10.6.8.1\", \"10.6.8.2\"]\n");
    host.wait_for("ready");
    let by_first = || world.host_ip("-6 route get fd00:1::7").contains("via fe80::5efe:a06:801");
    eventually("a route by the first", by_first);
    // Without a word: it hangs, and its kernel goes on keeping quiet about protocol 41.
    let wait = world.longest_wait("[fd00:1::7]:5003", || {
        first.freeze();
        world.router_ip("-6 route del fd00:2::/64 dev r1");
    });
    assert!(!by_first(), "it went by the first all the time");
    assert!(wait > Duration::from_millis(300), "nothing was interrupted: {wait:?}");
    assert!(wait < Duration::from_secs(3), "{wait:?}");
    world::measured("TCP across the end of a router, longest wait", wait);
}

#[test]
fn a_route_that_is_gone_for_a_moment_does_not_cost_the_address() {
    let world = World::new("renews");
    let _router = world.router();
    // The interface is the one that leads to the router.
    let mut host = world.host_with("routers = [\"10.6.8.1\"]\n");
    host.wait_for("ready");
    eventually("a client", || world.host_run("ping -6 -c 1 -W 1 fd00:1::7").0);
    world.host_ip("route del 10.6.8.0/24 dev eth0");
    std::thread::sleep(Duration::from_secs(1));
    assert!(world.host_ip("-6 address show dev isatap0").contains("fd00:2::5efe:a06:814"), "{}", host.log());
    world.host_ip("route add 10.6.8.0/24 dev eth0 src 10.6.8.20");
    eventually("a client again", || world.host_run("ping -6 -c 1 -W 1 fd00:1::7").0);
    assert!(!host.log().contains("waiting for one"), "{}", host.log());
}

#[test]
fn another_address_of_the_interface_is_noticed() {
    let world = World::new("moves");
    let _router = world.router();
    let mut host = world.host();
    host.wait_for("ready");
    eventually("an address", || {
        world.host_ip("-6 address show dev isatap0").contains("fd00:2::5efe:a06:814")
    });
    world.host_ip("address del 10.6.8.20/24 dev eth0");
    eventually("no address", || !world.host_ip("-6 address show dev isatap0").contains("5efe"));
    let status = world.status();
    assert_eq!(
        (&status["isatap"][0]["router"], &status["isatap"][0]["state"]),
        (&"10.6.8.1".into(), &"waiting".into())
    );
    assert_eq!(status["isatap"][0]["reason"], "isatap-no-ipv4");
    world.host_ip("address add 10.6.8.33/24 dev eth0");
    eventually("another address", || {
        world.host_ip("-6 address show dev isatap0").contains("fd00:2::5efe:a06:821/64")
    });
    eventually("a client again", || world.host_run("ping -6 -c 1 -W 1 fd00:1::7").0);
}

#[test]
fn a_killed_host_leaves_nothing_behind() {
    let world = World::new("killed");
    let before = world.dump();
    let router = world.router();
    for wait in [0, 20, 60, 150, 400] {
        let mut host = world.host();
        std::thread::sleep(Duration::from_millis(wait));
        host.kill();
    }
    let mut host = world.host();
    host.wait_for("ready");
    host.terminate();
    assert!(host.ended_well(), "{}", host.log());
    drop(router);
    assert_eq!(world.dump(), before);
}

/// Routers by name, and the interface is the one that leads to them.
const BY_NAME: &str = "routers = [\"da-isatap.corp.example\"]\nnameserver = [\"10.6.8.1\"]\n";

#[test]
fn an_outage_of_dns_neither_stops_a_host_nor_keeps_it_from_starting() {
    let world = World::new("names");
    let _router = world.router();
    let has_route = || world.host_ip("-6 route show").contains("fd00:1::/64");
    // Nothing is known yet and nobody answers: it starts, says so, and goes on asking.
    let mut host = world.host_with(BY_NAME);
    host.wait_for("ready");
    assert!(host.log().contains("looking up the router's name"), "{}", host.log());
    assert_eq!(world.status()["isatap"].as_array().unwrap().len(), 0);
    let names = world.name_server();
    eventually("a route by name", has_route);
    drop(names);
    host.terminate();
    assert!(host.ended_well(), "{}", host.log());
    // Without a name server it starts from what it knew, at once.
    let begin = Instant::now();
    let mut host = world.host_with(BY_NAME);
    host.wait_for("ready");
    eventually("a route from memory", has_route);
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(world.status()["interface"], "eth0");
}

#[test]
fn a_hang_up_takes_over_a_file_that_is_valid_and_no_other() {
    let world = World::new("reload");
    let _router = world.router();
    let mut host = world.host();
    host.wait_for("ready");
    let has_route = || world.host_ip("-6 route show").contains("fd00:1::/64");
    eventually("a route", has_route);
    world.write_file("routers = [\"nonsense nonsense\"]\n");
    host.hang_up();
    host.wait_for("nothing is changed");
    assert!(has_route());
    world.write_file("interface = \"eth0\"\nrouters = [\"10.6.8.77\"]\n");
    host.hang_up();
    host.wait_for("reloaded");
    eventually("no route", || !has_route());
    assert_eq!(world.status()["isatap"][0]["router"], "10.6.8.77");
}

#[test]
fn a_missing_interface_is_one_line() {
    let world = World::new("missing");
    let mut host = world.host_with("interface = \"eth7\"\nrouters = [\"10.6.8.1\"]\n");
    assert!(!host.ended_well());
    let log = host.log();
    assert!(log.contains("host.interface: device eth7"), "{log}");
}
