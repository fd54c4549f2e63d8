//! Cutting a super-packet for a link, and merging what came from one.

use std::hint::black_box;
use std::net::Ipv6Addr;

use sixgate_wire::offload::{Coalescer, Segments};
use sixgate_wire::{Packet, tcp};

use crate::measure::Bench;
use crate::packets::{MOST_DATA, refill, segment, super_packet};

const MSS: u16 = 1340;
const PORTS: (u16, u16) = (50_000, 445);
const SEGMENTS: u32 = 32;

pub(crate) fn run(bench: &mut Bench) {
    let ends = (Ipv6Addr::from_bits(1 << 120 | 1), Ipv6Addr::from_bits(1 << 120 | 2));
    cut(bench, &super_packet(ends, PORTS, MSS, MOST_DATA));
    let sequence = |n: u32| 1 + n * u32::from(MSS);
    let train: Vec<Packet> =
        (0..SEGMENTS).map(|n| segment(ends, PORTS, tcp::ACK, sequence(n), usize::from(MSS))).collect();
    merge(bench, &train);
}

fn cut(bench: &mut Bench, whole: &Packet) {
    let count = Segments::new(whole).map_or(0, |s| s.remaining()) as u64;
    let mut out = vec![0; usize::from(MSS) + 200];
    bench.measure("offload: cut 64 KiB into segments", usize::from(MSS), count, || {
        let mut segments = Segments::new(black_box(whole)).expect("a super-packet as a device gives it");
        let mut written = 0;
        while segments.write(&mut out).is_some() {
            written += 1;
        }
        assert_eq!(written, count);
    });
}

fn merge(bench: &mut Bench, train: &[Packet]) {
    let mut coalescer = Coalescer::new(16);
    let mut buffer = Packet::new();
    bench.measure("offload: merge 32 segments", train[0].len(), train.len() as u64, || {
        let mut emitted = 0;
        let mut emit = |p: &mut Packet| emitted += usize::from(p.len() > 1500);
        for template in train {
            refill(&mut buffer, template);
            coalescer.push_packet(black_box(&mut buffer), &mut emit);
        }
        coalescer.flush(&mut emit);
        assert_eq!(emitted, 1, "the segments were not merged");
    });
}
