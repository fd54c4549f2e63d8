//! Cutting the plaintext of an IP-HTTPS connection into packets.

use std::hint::black_box;
use std::net::Ipv6Addr;

use sixgate_iphttps::cutter::Packets;
use sixgate_wire::tcp;

use crate::measure::Bench;
use crate::packets::segment;

/// What one TLS record carries: 11 packets of 1,400 octets.
const PACKETS: u32 = 11;

pub(crate) fn run(bench: &mut Bench) {
    let ends = (Ipv6Addr::from_bits(1 << 120 | 1), Ipv6Addr::from_bits(1 << 120 | 2));
    let mut stream = Vec::new();
    for n in 0..PACKETS {
        stream.extend_from_slice(segment(ends, (50_000, 445), tcp::ACK, n * 1340, 1340).bytes());
    }
    bench.measure("iphttps: cut a record into packets", 1400, u64::from(PACKETS), || {
        let packets = Packets::new(black_box(&stream));
        let octets: usize = packets.map(|p| p.map_or(0, <[u8]>::len)).sum();
        assert_eq!(octets, stream.len());
    });
}
