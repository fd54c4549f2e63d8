//! Truncated and random protocol 41 at an ISATAP host, from its neighbour and from the address of its router.
//!
//! ```text
//!  left: router 10.6.8.1, neighbour 10.6.8.66 ════ middle: host 10.6.8.20
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use sixgate_e2e::noise::{Noise, cut, with_version};
use sixgate_e2e::packets::{self, octets};
use sixgate_e2e::plain::{Daemon, Row, wait};
use sixgate_e2e::raw::{Sender, Wire};

const HOST: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 1);
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 66);
/// Kinds that come from the router's address begin so.
const AS_ROUTER: &str = "as the router: ";

fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

/// The router, and the host that it serves.
fn served() -> (Row, Daemon, Daemon) {
    let mut row = Row::new("nh");
    row.ip("left", "addr add 10.6.8.1/24 dev l0");
    row.ip("left", "addr add 10.6.8.66/24 dev l0");
    row.ip("middle", "addr add 10.6.8.20/24 dev m0");
    let router = row.file(
        "router",
        "[isatap]\ninterface = \"l0\"\nname = \"da-isatap.corp.example\"\nprefix = \"fd00:2::/64\"\n\
         routes = [{ prefix = \"fd00:1::/64\" }]\n[[isatap.allow]]\nhosts = [\"10.6.8.20\", \"10.6.8.66\"]\n",
    );
    let router = row.daemon("left", &["run"], &router);
    let host = row.file("host", "[host]\ninterface = \"m0\"\nrouters = [\"10.6.8.1\"]\n");
    let host = row.daemon("middle", &["host", "run"], &host);
    let addressed = || row.sh("middle", "ip -6 addr show dev isatap0").text.contains("fd00:2::5efe:a06:814");
    assert!(wait(Duration::from_secs(5), addressed), "{}", row.sh("middle", "ip -6 addr").text);
    (row, router, host)
}

fn noise() -> Noise {
    let (own, neighbour) = (v6("fd00:2::5efe:a06:814"), v6("fe80::5efe:a06:842"));
    let mut noise = Noise::new();
    noise.kind("nothing", &["isatap-not-ipv6"], |_| Vec::new());
    noise.kind("bytes of another version", &["isatap-not-ipv6"], |chance| {
        let version = chance.one_of(&[0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        with_version(chance.some(1, 1400), version)
    });
    noise.kind("bytes of version 6", &["malformed-ipv6", "isatap-source-not-embedded"], |chance| {
        with_version(chance.some(1, 1400), 6)
    });
    noise.kind("a packet that is cut", &["malformed-ipv6"], |chance| {
        cut(packets::udp(neighbour, own, 9, b"whole"), chance)
    });
    noise.kind("another's source", &["isatap-source-not-embedded"], |chance| {
        packets::udp(octets(&chance.bytes(16)), own, 9, &chance.some(0, 1300))
    });
    noise.kind("a prefix that is not on the link", &["isatap-source-off-link"], |chance| {
        // That of the link itself is not, so that everything passes the router's policy.
        let prefix = chance.one_of(&["fd00:2::5efe:a06:842", "fd00:9::5efe:a06:842"]);
        packets::udp(v6(prefix), own, 9, &chance.some(0, 1300))
    });
    noise.kind("another's destination", &["isatap-not-for-us"], |chance| {
        let mut destination = chance.bytes(16);
        destination[0] = 0x20;
        packets::udp(neighbour, octets(&destination), 9, &chance.some(0, 1300))
    });
    noise.kind("an advertisement of no router", &["isatap-ra-not-from-router"], |chance| {
        let mut message = chance.some(16, 200);
        message[..2].copy_from_slice(&[134, 0]);
        packets::ipv6(v6("fe80::5efe:a06:842"), v6("fe80::5efe:a06:814"), 58, &message)
    });
    // A redirect is judged by its type alone.
    let reasons = &["isatap-nd-invalid", "isatap-redirect-ignored"];
    noise.kind("a solicitation that is none", reasons, |chance| {
        let mut message = chance.some(8, 200);
        message[0] = chance.one_of(&[133, 135, 137]);
        packets::ipv6(v6("fe80::5efe:a06:842"), v6("fe80::5efe:a06:814"), 58, &message)
    });
    noise.kind("as the router: an advertisement that is none", &["isatap-ra-invalid"], |chance| {
        let mut message = chance.some(8, 200);
        message[..2].copy_from_slice(&[134, 0]);
        packets::ipv6(v6("fe80::5efe:a06:801"), v6("fe80::5efe:a06:814"), 58, &message)
    });
    noise.kind("as the router: another's destination", &["isatap-not-for-us"], |chance| {
        let mut destination = chance.bytes(16);
        destination[0] = 0x20;
        packets::udp(v6("fd00:1::7"), octets(&destination), 9, &chance.some(0, 1300))
    });
    noise.kind("as the router: the host's own source", &["isatap-loop"], |chance| {
        packets::udp(own, own, 9, &chance.some(0, 1300))
    });
    noise
}

#[test]
fn each_is_counted_once_and_the_kernel_sees_none() {
    let (row, router, mut host) = served();
    let neighbour = Sender::open(&row.namespace("left"), 41, NEIGHBOUR);
    let as_router = Sender::open(&row.namespace("left"), 41, ROUTER);
    // What the kernel says by itself into a new device is no packet of anybody's.
    std::thread::sleep(Duration::from_secs(1));
    let kernel = Wire::open(&row.namespace("middle"), "isatap0");
    let noise = noise();
    let counted = noise.is_counted(&mut host, |kind, packet| {
        let from = if kind.name.starts_with(AS_ROUTER) { &as_router } else { &neighbour };
        from.send(HOST, packet);
    });
    assert!(counted.len() >= 8, "{counted:?}");
    let addresses = row.sh("middle", "ip -6 addr show dev isatap0").text;
    assert!(addresses.contains("fd00:2::5efe:a06:814"), "{addresses}");

    // What is right still passes, and is the only thing that ever did.
    as_router.send(HOST, &packets::udp(v6("fd00:1::7"), v6("fd00:2::5efe:a06:814"), 9, b"whole"));
    let passed = kernel.expect(1);
    assert_eq!(passed.len(), 1, "{passed:02x?}");
    assert!(passed[0].ends_with(b"whole"));
    assert!(host.stop() && router.stop());
}
