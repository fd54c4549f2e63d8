//! Truncated and random protocol 41 at an ISATAP router that runs alone, between a host on the left and IPv6 on the right.

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_e2e::noise::{Noise, cut, with_version};
use sixgate_e2e::packets::{self, octets};
use sixgate_e2e::plain::{Daemon, Row};
use sixgate_e2e::raw::{Sender, Wire};

const HOST: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 66);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 1);

fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

fn router() -> (Row, Daemon) {
    let mut row = Row::new("ni");
    row.ip("left", "addr add 10.6.8.20/24 dev l0");
    row.ip("left", "addr add 10.6.8.66/24 dev l0");
    row.ip("middle", "addr add 10.6.8.1/24 dev m0");
    row.ip("middle", "addr add fd00:1::1/64 dev m1 nodad");
    row.ip("right", "addr add fd00:1::7/64 dev r0 nodad");
    row.ip("right", "-6 route add default via fd00:1::1");
    let file = row.file(
        "router",
        "[isatap]\ninterface = \"m0\"\nname = \"da-isatap.corp.example\"\nprefix = \"fd00:2::/64\"\n\
         routes = [{ prefix = \"fd00:1::/64\" }]\n[[isatap.allow]]\nhosts = [\"10.6.8.20\"]\n",
    );
    let daemon = row.daemon("middle", &["run"], &file);
    (row, daemon)
}

/// Everything that a host can get wrong: the outer payload, the inner source, the inner packet, and what it says.
fn noise() -> Noise {
    let (own, far) = (v6("fd00:2::5efe:a06:814"), v6("fd00:1::7"));
    let mut noise = Noise::new();
    noise.kind("nothing", &["isatap-not-ipv6"], |_| Vec::new());
    noise.kind("bytes of another version", &["isatap-not-ipv6"], |chance| {
        let version = chance.one_of(&[0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        with_version(chance.some(1, 1400), version)
    });
    noise.kind("bytes of version 6", &["malformed-ipv6", "isatap-source-not-embedded"], |chance| {
        with_version(chance.some(1, 1400), 6)
    });
    noise.kind("a packet that is cut", &["malformed-ipv6"], |chance| cut(whole(own), chance));
    noise.kind("another's source", &["isatap-source-not-embedded"], |chance| {
        packets::udp(octets(&chance.bytes(16)), far, 9, &chance.some(0, 1300))
    });
    noise.kind("a transport header that is cut", &["malformed-transport"], |chance| {
        // An echo request where it is ICMPv6: other types are judged by their first octet alone.
        let (next, first, end) = chance.one_of(&[(6, 0, 20), (17, 0, 4), (58, 128, 8)]);
        let mut header = chance.some(1, end);
        header[0] = first;
        packets::ipv6(own, far, next, &header)
    });
    noise.kind("an extension header that is cut", &["malformed-extension"], |chance| {
        let mut header = chance.some(8, 40);
        // Longer than what follows.
        header[1] = 200;
        packets::ipv6(own, far, chance.one_of(&[0, 43, 60]), &header)
    });
    noise.kind("a segment of no connection", &["flow-tcp-outside"], |chance| {
        let flags = chance.one_of(&[0x10, 0x11, 0x18, 0x04, 0x14, 0x01, 0x00]);
        packets::tcp(own, far, 1 + chance.below(65_535) as u16, flags)
    });
    noise.kind("an ICMPv6 error about nothing", &["flow-icmp-error-unknown"], |chance| {
        packets::unreachable(own, far, &chance.some(0, 1200))
    });
    noise.kind("a later fragment of nothing", &["flow-fragment-unknown"], |chance| {
        let mut fragment = chance.some(8, 1200);
        fragment[2..4].copy_from_slice(&[0, 8]);
        packets::ipv6(own, far, 44, &fragment)
    });
    noise.kind("a solicitation that is none", &["isatap-rs-invalid"], |chance| {
        let mut message = chance.some(8, 200);
        message[..2].copy_from_slice(&[133, 0]);
        packets::ipv6(v6("fe80::5efe:a06:814"), v6("fe80::5efe:a06:801"), 58, &message)
    });
    noise.kind(UNNAMED, &["isatap-host-not-allowed"], |_| whole(v6("fd00:2::5efe:a06:842")));
    noise
}

const UNNAMED: &str = "a host that is not named";

/// What would be forwarded, if the sender may.
fn whole(source: Ipv6Addr) -> Vec<u8> {
    packets::udp(source, v6("fd00:1::7"), 9, b"whole")
}

#[test]
fn each_is_counted_once_and_goes_nowhere() {
    let (row, mut router) = router();
    let host = Sender::open(&row.namespace("left"), 41, HOST);
    let stranger = Sender::open(&row.namespace("left"), 41, STRANGER);
    let right = Wire::open(&row.namespace("right"), "r0");
    let noise = noise();
    let counted = noise.is_counted(&mut router, |kind, packet| {
        let from = if kind.name == UNNAMED { &stranger } else { &host };
        from.send(ROUTER, packet);
    });
    assert!(counted.len() >= 9, "{counted:?}");

    // What is right still passes, and is the only thing that ever did.
    host.send(ROUTER, &whole(v6("fd00:2::5efe:a06:814")));
    let passed = right.expect(1);
    assert_eq!(passed.len(), 1, "{passed:02x?}");
    assert!(passed[0].ends_with(b"whole"));
    assert!(router.stop());
}
