//! The translator, both ways through an established session. A packet is translated in place, so each call first makes it
//! again in its buffer: the copy that a read from a device costs is part of the figure.

use std::hint::black_box;
use std::net::Ipv6Addr;

use sixgate_nat64::{Config, Nat64, PoolEntry, Verdict};
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::Prefix64;
use sixgate_wire::ipv4::{self, Ipv4};
use sixgate_wire::{Packet, ipv6, tcp};

use crate::measure::Bench;
use crate::packets::{refill, segment, super_packet};

const PORTS: (u16, u16) = (50_000, 445);
const MSS: u16 = 1340;
const MTU: u16 = 1500;
/// The most that a kernel or the coalescer puts into one packet, headers included; more would not fit IPv4 either.
const LARGEST: usize = 65_535;
/// Sessions beside the one that is measured.
const OTHERS: u16 = 1000;

pub(crate) fn run(bench: &mut Bench) {
    let ends: (Ipv6Addr, Ipv6Addr) =
        ("fd00:1::1".parse().expect("an address"), "fd00:64::a06:50".parse().expect("an address"));
    let now = Instant::from_secs(1);
    let mut nat = translator();
    for other in 0..OTHERS {
        translate(&mut nat, now, segment(ends, (other + 1, PORTS.1), tcp::SYN, 0, 0));
    }
    let syn = translate(&mut nat, now, segment(ends, PORTS, tcp::SYN, 0, 0));
    // Both at once is a way to open (RFC 6146, section 3.5.2.2), and it needs no packet of another kind.
    let mut answer = turned(&syn);
    assert_eq!(nat.inbound(now, &mut answer, MTU), Verdict::Translated);

    for (name, template) in [
        ("nat64: outbound, small segment", segment(ends, PORTS, tcp::ACK, 1, 0)),
        ("nat64: outbound, 1,400 octets", segment(ends, PORTS, tcp::ACK, 1, usize::from(MSS))),
        (
            "nat64: outbound, super-packet",
            super_packet(ends, PORTS, MSS, LARGEST - ipv6::HEADER - tcp::HEADER),
        ),
    ] {
        again(bench, name, &template, |now, p| nat.outbound(now, p, MTU));
    }
    let small = turned(&translate(&mut nat, now, segment(ends, PORTS, tcp::ACK, 1, 0)));
    let large = turned(&translate(&mut nat, now, segment(ends, PORTS, tcp::ACK, 1, usize::from(MSS))));
    for (name, template) in
        [("nat64: inbound, small segment", small), ("nat64: inbound, 1,380 octets", large)]
    {
        again(bench, name, &template, |now, p| nat.inbound(now, p, MTU));
    }
}

fn again(
    bench: &mut Bench,
    name: &'static str,
    template: &Packet,
    mut call: impl FnMut(Instant, &mut Packet) -> Verdict,
) {
    let (mut now, mut p) = (Instant::from_secs(2), Packet::new());
    bench.measure(name, template.len(), 1, || {
        now = now + Duration::from_micros(1);
        refill(&mut p, template);
        assert_eq!(call(now, black_box(&mut p)), Verdict::Translated);
    });
}

fn translator() -> Nat64 {
    let prefix = Prefix64::new("fd00:64::/96".parse().expect("a prefix")).expect("of a length that embeds");
    let pool = PoolEntry {
        protocol: None,
        addresses: "192.0.2.1/32".parse().expect("a prefix"),
        ports: 1024..=u16::MAX,
    };
    let config = Config {
        prefixes: vec![prefix],
        pool: vec![pool],
        gateway4: "192.0.2.1".parse().expect("an address"),
        gateway6: "fd00::1".parse().expect("an address"),
        ..Config::default()
    };
    Nat64::new(config, [42; 32])
}

fn translate(nat: &mut Nat64, now: Instant, mut p: Packet) -> Packet {
    let verdict = nat.outbound(now, &mut p, MTU);
    assert_eq!(verdict, Verdict::Translated, "{p:?}");
    p
}

/// The packet from the other end: addresses and ports change places, which no checksum notices.
fn turned(p: &Packet) -> Packet {
    let mut turned = p.clone();
    let ports = Ipv4::parse(p.bytes()).map_or(ipv4::HEADER, |ip| ip.header_len());
    let bytes = turned.bytes_mut();
    for at in 12..16 {
        bytes.swap(at, at + 4);
    }
    for at in ports..ports + 2 {
        bytes.swap(at, at + 2);
    }
    turned
}
