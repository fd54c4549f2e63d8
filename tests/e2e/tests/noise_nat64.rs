//! Truncated and random IPv6 and IPv4 at the device of a NAT64 that runs alone, put there past the kernel's own checks.

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_e2e::noise::{Noise, cut, with_version};
use sixgate_e2e::packets::{self, octets};
use sixgate_e2e::plain::{Daemon, Row};
use sixgate_e2e::raw::Wire;

const CLIENT: &str = "2001:db8::8";
const SERVER: &str = "2001:db8:64::192.0.2.80";
const POOL: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 80);

fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

fn nat64() -> (Row, Daemon) {
    let mut row = Row::new("nn");
    row.ip("left", "addr add 2001:db8::8/64 dev l0 nodad");
    row.ip("middle", "addr add 2001:db8::1/64 dev m0 nodad");
    row.ip("left", "-6 route add default via 2001:db8::1");
    row.ip("middle", "addr add 192.0.2.1/24 dev m1");
    row.ip("right", "addr add 192.0.2.80/24 dev r0");
    row.ip("right", "route add default via 192.0.2.1");
    let file = row.file("nat64", "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"198.51.100.0/28\"]\n");
    let daemon = row.daemon("middle", &["run"], &file);
    (row, daemon)
}

fn to_server(next: u8, payload: &[u8]) -> Vec<u8> {
    packets::ipv6(v6(CLIENT), v6(SERVER), next, payload)
}

/// Everything that can be wrong on the way out.
fn out(noise: &mut Noise) {
    noise.kind("bytes of no version", &["malformed-ipv6"], |chance| {
        let version = chance.one_of(&[0, 1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        with_version(chance.some(1, 1400), version)
    });
    noise.kind("bytes of version 6", &["malformed-ipv6"], |chance| {
        let mut bytes = with_version(chance.some(1, 1400), 6);
        // Longer than it is, where it has a length at all.
        if let Some(length) = bytes.get_mut(4) {
            *length |= 0x80;
        }
        bytes
    });
    noise.kind("an IPv6 packet that is cut", &["malformed-ipv6"], |chance| {
        cut(packets::udp(v6(CLIENT), v6(SERVER), 9, b"whole"), chance)
    });
    noise.kind("a destination of nobody", &["nat64-not-ours"], |chance| {
        let mut destination = chance.bytes(16);
        // Unicast and not on one link: the kernel's own chatter is for nobody either, and no fault.
        destination[0] = 0x20;
        packets::udp(v6(CLIENT), octets(&destination), 9, &chance.some(0, 1300))
    });
    noise.kind("a source of the prefix", &["nat64-source-in-prefix"], |chance| {
        packets::udp(v6("2001:db8:64::192.0.2.7"), v6(SERVER), 9, &chance.some(0, 1300))
    });
    noise.kind("a protocol without ports", &["nat64-protocol"], |chance| {
        to_server(chance.one_of(&[1, 2, 4, 41, 47, 50, 59, 89, 132, 253]), &chance.some(0, 1300))
    });
    noise.kind("an extension header that is cut", &["malformed-extension"], |chance| {
        let mut header = chance.some(8, 40);
        header[1] = 200;
        to_server(chance.one_of(&[0, 43, 60]), &header)
    });
    noise.kind("a transport header that is cut", &["malformed-transport"], |chance| {
        let (next, first, end) = chance.one_of(&[(6, 0, 20), (17, 0, 8), (58, 128, 8)]);
        let mut header = chance.some(1, end);
        header[0] = first;
        to_server(next, &header)
    });
    noise.kind("a segment of no connection", &["nat64-tcp-no-session"], |chance| {
        let flags = chance.one_of(&[0x10, 0x11, 0x12, 0x18, 0x04, 0x14]);
        packets::tcp(v6(CLIENT), v6(SERVER), 1 + chance.below(65_535) as u16, flags)
    });
    noise.kind("an ICMPv6 error about nothing", &["nat64-icmp-error-unknown"], |chance| {
        packets::unreachable(v6(CLIENT), v6(SERVER), &chance.some(0, 1200))
    });
    noise.kind(
        "a later fragment of nothing",
        &["nat64-fragment-unknown", "nat64-fragment-limit"],
        |chance| {
            let eights = 2 + chance.below(100);
            let mut fragment = chance.bytes(8 * eights);
            fragment[0] = 17;
            fragment[2..4].copy_from_slice(&[0, 8]);
            to_server(44, &fragment)
        },
    );
}

/// Everything that can be wrong on the way in.
fn back(noise: &mut Noise) {
    let to_pool = |protocol, payload: &[u8]| packets::ipv4(PEER, POOL, protocol, payload);
    // Which of them is looked at first is nobody's business.
    let wrong = &["malformed-ipv4", "nat64-not-ours", "nat64-source-martian"];
    noise.kind("bytes of version 4", wrong, |chance| with_version(chance.some(1, 1400), 4));
    noise.kind("an IPv4 packet that is cut", &["malformed-ipv4"], move |chance| {
        cut(to_pool(17, &[9; 40]), chance)
    });
    noise.kind("an IPv4 header with another checksum", &["malformed-ipv4"], move |chance| {
        let mut packet = to_pool(17, &chance.some(8, 1300));
        packet[10] ^= 1 + chance.below(255) as u8;
        packet
    });
    noise.kind("an address that is not in the pool", &["nat64-not-ours"], |chance| {
        packets::ipv4(PEER, Ipv4Addr::new(198, 51, 100, 77), 17, &chance.some(8, 1300))
    });
    noise.kind("a source that nobody has", &["nat64-source-martian"], |chance| {
        packets::ipv4(Ipv4Addr::new(127, 0, 0, 1), POOL, 17, &chance.some(8, 1300))
    });
    noise.kind("an IPv4 protocol without ports", &["nat64-protocol"], move |chance| {
        to_pool(chance.one_of(&[2, 4, 41, 47, 50, 89, 132, 253]), &chance.some(0, 1300))
    });
    noise.kind("a datagram that nobody asked for", &["nat64-no-binding"], move |chance| {
        let mut datagram = chance.bytes(40);
        datagram[4..6].copy_from_slice(&[0, 40]);
        // Any checksum but none.
        datagram[6] |= 1;
        to_pool(17, &datagram)
    });
    noise.kind("an ICMP message without a counterpart", &["nat64-icmp-untranslatable"], move |chance| {
        let mut message = chance.some(8, 100);
        message[0] = chance.one_of(&[13, 14, 15, 17, 18]);
        to_pool(1, &message)
    });
    noise.kind("an ICMP error about nothing", &["nat64-icmp-error-unknown"], move |chance| {
        let mut message = chance.some(8, 500);
        message[..2].copy_from_slice(&[3, 3]);
        to_pool(1, &message)
    });
}

#[test]
fn each_is_counted_once_and_goes_nowhere() {
    let (row, mut nat64) = nat64();
    let device = Wire::open(&row.namespace("middle"), "nat64");
    let (left, right) = (Wire::open(&row.namespace("left"), "l0"), Wire::open(&row.namespace("right"), "r0"));
    let mut noise = Noise::new();
    out(&mut noise);
    back(&mut noise);
    let counted = noise.is_counted(&mut nat64, |_, packet| device.send(None, packet));
    assert!(counted.len() >= 13, "{counted:?}");

    // Errors about what was refused go back to where it said to come from, and nothing goes on.
    let outwards = right.expect(0);
    let forwarded = outwards.iter().find(|packet| packet[9] != 1 || packet[20] != 3);
    assert!(forwarded.is_none(), "{forwarded:02x?}");
    let inwards = left.expect(0);
    let forwarded = inwards.iter().find(|packet| packet[6] != 58 || packet[40] > 127);
    assert!(forwarded.is_none(), "{forwarded:02x?}");

    // What is right still passes.
    device.send(None, &packets::udp(v6(CLIENT), v6(SERVER), 9, b"whole"));
    let passed = right.expect(1);
    assert_eq!(
        passed.iter().filter(|packet| packet[9] == 17 && packet.ends_with(b"whole")).count(),
        1,
        "{passed:02x?}"
    );
    assert!(nat64.stop());
}
