//! Packets to measure with.

use std::net::Ipv6Addr;

use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::{Packet, Segmentation, checksum, ipv6, protocol, tcp, udp};

/// Largest TCP payload of one IPv6 packet without extension headers.
pub(crate) const MOST_DATA: usize = 65_535 - tcp::HEADER;

fn packet(ends: (Ipv6Addr, Ipv6Addr), next_header: u8, payload: &[u8]) -> Packet {
    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: u16::try_from(payload.len()).unwrap_or(u16::MAX),
        next_header,
        hop_limit: 64,
        src: ends.0,
        dst: ends.1,
    };
    Packet::from_slice(&[&header.octets()[..], payload].concat())
}

/// A TCP segment with `data` octets and a right checksum.
pub(crate) fn segment(
    ends: (Ipv6Addr, Ipv6Addr),
    ports: (u16, u16),
    flags: u8,
    sequence: u32,
    data: usize,
) -> Packet {
    let mut payload = vec![0; tcp::HEADER + data];
    payload[0..2].copy_from_slice(&ports.0.to_be_bytes());
    payload[2..4].copy_from_slice(&ports.1.to_be_bytes());
    payload[4..8].copy_from_slice(&sequence.to_be_bytes());
    payload[12] = 0x50;
    payload[13] = flags;
    for (at, octet) in payload[tcp::HEADER..].iter_mut().enumerate() {
        *octet = at as u8;
    }
    let sum =
        checksum::pseudo_v6(ends.0, ends.1, protocol::TCP, payload.len() as u32).with(&payload).finish();
    payload[tcp::CHECKSUM..tcp::CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
    packet(ends, protocol::TCP, &payload)
}

/// A TCP super-packet as a TUN device gives it: checksum partial, to be cut into segments of `mss`.
pub(crate) fn super_packet(ends: (Ipv6Addr, Ipv6Addr), ports: (u16, u16), mss: u16, data: usize) -> Packet {
    let mut p = segment(ends, ports, tcp::ACK, 1, data);
    let at = ipv6::HEADER + tcp::CHECKSUM;
    let sum = checksum::pseudo_v6(ends.0, ends.1, protocol::TCP, (tcp::HEADER + data) as u32).fold();
    p.bytes_mut()[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    p.offload.partial_checksum =
        Some(PartialChecksum { start: ipv6::HEADER as u16, offset: tcp::CHECKSUM as u16 });
    p.offload.segmentation = Segmentation::Tcp { mss };
    p
}

/// A UDP datagram with `data` octets.
pub(crate) fn datagram(ends: (Ipv6Addr, Ipv6Addr), ports: (u16, u16), data: usize) -> Packet {
    let mut payload = vec![0; udp::HEADER + data];
    payload[0..2].copy_from_slice(&ports.0.to_be_bytes());
    payload[2..4].copy_from_slice(&ports.1.to_be_bytes());
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    payload[4..6].copy_from_slice(&length.to_be_bytes());
    packet(ends, protocol::UDP, &payload)
}

/// Makes `p` the same as `template`, in its own buffer: what a read from a device does.
pub(crate) fn refill(p: &mut Packet, template: &Packet) {
    p.reset();
    p.extend(template.bytes());
    p.offload = template.offload;
}
