//! Cutting and merging of packets that nobody checked: no panic, no octet of a packet lost or out of its place.
//!
//! The first octet chooses between two readings of the rest: metadata for one packet of raw octets, or a script that sends
//! well-formed segments of a few flows with gaps, damage and odd flags in between.
#![no_main]

use std::net::Ipv6Addr;

use libfuzzer_sys::fuzz_target;
use sixgate_wire::checksum::{Sum, pseudo_v4, pseudo_v6};
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::offload::{Coalescer, Segments, finish_checksum, mark_unfinished, wire_len};
use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::{Packet, Segmentation, ipv4, protocol, tcp};

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((kind, rest)) if kind & 1 == 0 => raw(rest),
        Some((_, rest)) => script(rest),
        None => {}
    }
});

/// One packet whose headers and metadata are whatever they are.
fn raw(data: &[u8]) {
    let Some((head, rest)) = data.split_at_checked(7) else { return };
    let word = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let mut packet = Packet::from_slice(rest);
    mark_unfinished(&mut packet, word(4));
    check_cut(&packet);
    packet.offload.partial_checksum =
        (head[6] & 4 != 0).then(|| PartialChecksum { start: word(0), offset: word(2) });
    packet.offload.segmentation = match head[6] & 3 {
        0 => Segmentation::None,
        1 => Segmentation::Tcp { mss: word(4) },
        _ => Segmentation::Udp { size: word(4) },
    };
    check_cut(&packet);
    finish_checksum(&mut packet);
    let mut packets: Vec<_> = rest.chunks(200).map(Packet::from_slice).collect();
    packets.push(packet);
    merge(&packets);
}

/// The pieces are as many and as large as was announced.
fn check_cut(packet: &Packet) {
    let Ok(mut segments) = Segments::new(packet) else { return };
    let announced = segments.remaining();
    let mut out = Packet::new();
    let mut count = 0;
    while segments.fill(&mut out) {
        assert!(out.len() <= wire_len(packet));
        count += 1;
    }
    assert_eq!(count, announced);
}

/// Four octets a segment: flow and oddity, size, step of the sequence number, flags.
fn script(data: &[u8]) {
    let mut sequence = [0_u32; 4];
    let mut packets = Vec::new();
    for step in data.chunks_exact(4).take(200) {
        let flow = usize::from(step[0] & 3);
        let size = usize::from(step[1]) * 8;
        sequence[flow] = sequence[flow].wrapping_add(if step[2] < 250 { 0 } else { u32::from(step[2]) });
        let flags = if step[3] < 200 { tcp::ACK } else { step[3] };
        let mut packet = segment(flow, sequence[flow], flags, size, packets.len() as u8);
        sequence[flow] = sequence[flow].wrapping_add(size as u32);
        // Damage anywhere behind what names the flow: a packet of another flow may go before these.
        if step[0] & 0xf0 == 0xf0 {
            let named = if flow < 2 { 44 } else { 24 };
            let at = named + usize::from(step[2]) % (packet.len() - named);
            packet.bytes_mut()[at] ^= step[3] | 1;
        }
        packets.push(packet);
    }
    let out = merge(&packets);
    // Cut again, what left is what came: the same octets, of each flow in the same order.
    for flow in 0..4_u16 {
        let of_flow = |all: &[Packet]| -> Vec<Vec<u8>> {
            all.iter().map(|p| plain(p.bytes())).filter(|b| port(b) == Some(flow)).collect()
        };
        assert_eq!(of_flow(&out), of_flow(&packets));
    }
}

/// Everything that leaves, cut again.
fn merge(packets: &[Packet]) -> Vec<Packet> {
    let mut out = Vec::new();
    let mut emit = |p: &mut Packet| {
        let Ok(mut segments) = Segments::new(p) else { return };
        let mut piece = Packet::new();
        while segments.fill(&mut piece) {
            out.push(piece.clone());
        }
    };
    let mut coalescer = Coalescer::new(2);
    for (n, packet) in packets.iter().enumerate() {
        if n % 2 == 0 && packet.offload == Default::default() {
            coalescer.push(packet.bytes(), &mut emit);
        } else {
            coalescer.push_packet(&mut packet.clone(), &mut emit);
        }
    }
    coalescer.flush(&mut emit);
    out
}

/// Flows 0 and 1 are IPv6, 2 and 3 are IPv4.
fn segment(flow: usize, sequence: u32, flags: u8, size: usize, fill: u8) -> Packet {
    let length = 20 + size;
    let mut header = [0_u8; 20];
    header[1] = flow as u8;
    header[4..8].copy_from_slice(&sequence.to_be_bytes());
    header[12] = 0x50;
    header[13] = flags;
    let mut bytes = header.to_vec();
    bytes.resize(length, fill);
    let ends: (Ipv6Addr, Ipv6Addr) = (Ipv6Addr::from_bits(1 << 120), Ipv6Addr::from_bits(2 << 120));
    let mut packet = Packet::new();
    let (pseudo, ip) = if flow < 2 {
        let header = ipv6::Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: length as u16,
            next_header: protocol::TCP,
            hop_limit: 64,
            src: ends.0,
            dst: ends.1,
        };
        (pseudo_v6(ends.0, ends.1, protocol::TCP, length as u32), header.octets().to_vec())
    } else {
        let header = ipv4::Header {
            tos: 0,
            total_len: (20 + length) as u16,
            identification: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol: protocol::TCP,
            src: [192, 0, 2, 1].into(),
            dst: [192, 0, 2, 2].into(),
        };
        (pseudo_v4(header.src, header.dst, protocol::TCP, length as u16), header.octets().to_vec())
    };
    let sum = pseudo.and(Sum::new().with(&bytes)).finish();
    bytes[16..18].copy_from_slice(&sum.to_be_bytes());
    assert!(packet.extend(&ip) && packet.extend(&bytes));
    packet
}

/// Without what a cut gives anew: the identification of IPv4, and which of the two zeroes a checksum is.
fn plain(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let transport = if bytes[0] >> 4 == 6 { 40 } else { 20 };
    if transport == 20 && bytes.len() > 20 {
        bytes[4..6].fill(0);
        bytes[10..12].fill(0);
    }
    if let Some(sum) = bytes.get_mut(transport + 16..transport + 18)
        && sum == [0, 0]
    {
        sum.fill(0xff);
    }
    bytes
}

/// The flow, where the packet is whole enough to tell.
fn port(bytes: &[u8]) -> Option<u16> {
    let transport = if Ipv6::parse(bytes).is_ok() { 40 } else { 20 };
    let octets = bytes.get(transport..transport + 2)?;
    Some(u16::from_be_bytes([octets[0], octets[1]]))
}
