//! The stateless translator with a thousand mappings, both ways and round.

use std::hint::black_box;
use std::net::Ipv6Addr;

use sixgate_nat64::{Eam, Siit, SiitConfig, Verdict};
use sixgate_time::Instant;
use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, Prefix64};
use sixgate_wire::{Packet, tcp};

use crate::measure::Bench;
use crate::packets::{refill, segment};

const PORTS: (u16, u16) = (50_000, 445);
const MTU: u16 = 1500;
const MAPPINGS: u32 = 1000;

pub(crate) fn run(bench: &mut Bench) {
    let now = Instant::from_secs(1);
    let mut siit = Siit::new(config(), [42; 32]);
    let ends = |to: &str| -> (Ipv6Addr, Ipv6Addr) {
        ("fd00:1:0:1f4::7".parse().expect("an address"), to.parse().expect("an address"))
    };
    let out = segment(ends("fd00:64::a06:50"), PORTS, tcp::ACK, 1, 0);
    // To a node that has a mapping itself: 10.100.2.9 is the ninth of the third.
    let round = segment(ends("fd00:64::a64:209"), PORTS, tcp::ACK, 1, 0);
    let mut back = out.clone();
    assert_eq!(siit.outbound(now, &mut back, MTU), Verdict::Translated);
    let bytes = back.bytes_mut();
    for at in 12..16 {
        bytes.swap(at, at + 4);
    }
    let mut p = Packet::new();
    for (name, template, six) in [
        ("siit: outbound, small segment", &out, true),
        ("siit: inbound, small segment", &back, false),
        ("siit: round, small segment", &round, true),
    ] {
        bench.measure(name, template.len(), 1, || {
            refill(&mut p, template);
            let packet = black_box(&mut p);
            let verdict = if six { siit.outbound(now, packet, MTU) } else { siit.inbound(now, packet, MTU) };
            assert_eq!(verdict, Verdict::Translated);
        });
    }
}

/// `fd00:1:0:N::/120 = 10.100.0.0/24` and on, a /24 each.
fn config() -> SiitConfig {
    let prefix = Prefix64::new("fd00:64::/96".parse().expect("a prefix")).expect("of a length that embeds");
    let mapping = |n: u32| {
        let v6 = Ipv6Addr::new(0xfd00, 1, 0, n as u16, 0, 0, 0, 0);
        Eam {
            v6: Ipv6Prefix::containing(v6, 120),
            v4: Ipv4Prefix::containing((0x0a64_0000 + (n << 8)).into(), 24),
        }
    };
    SiitConfig {
        prefixes: vec![prefix],
        mappings: (0..MAPPINGS).map(mapping).collect(),
        gateway4: "192.0.2.1".parse().expect("an address"),
        gateway6: "fd00::1".parse().expect("an address"),
        ..SiitConfig::default()
    }
}
