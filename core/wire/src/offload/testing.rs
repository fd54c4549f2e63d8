//! Packets for the tests of this module.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::layout::{Layout, checksum_offset};
use crate::checksum::Sum;
use crate::packet::PartialChecksum;
use crate::{Packet, Segmentation, ipv4, ipv6, protocol};

/// Who talks to whom, and with which TCP options.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) v6: bool,
    pub(super) src_port: u16,
    pub(super) ack: u32,
    pub(super) window: u16,
    pub(super) hop_limit: u8,
    pub(super) timestamp: Option<u32>,
}

impl Flow {
    pub(super) fn v6() -> Self {
        Self { v6: true, src_port: 40_000, ack: 5, window: 500, hop_limit: 64, timestamp: None }
    }

    pub(super) fn v4() -> Self {
        Self { v6: false, ..Self::v6() }
    }

    pub(super) fn transport(&self) -> usize {
        if self.v6 { ipv6::HEADER } else { ipv4::HEADER }
    }

    fn ip_header(&self, protocol: u8, length: usize) -> Packet {
        let mut out = Packet::new();
        if self.v6 {
            let header = ipv6::Header {
                traffic_class: 0,
                flow_label: 0x77,
                payload_len: length as u16,
                next_header: protocol,
                hop_limit: self.hop_limit,
                src: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1),
                dst: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2),
            };
            assert!(out.extend(&header.octets()));
        } else {
            let header = ipv4::Header {
                tos: 0,
                total_len: (ipv4::HEADER + length) as u16,
                identification: 9,
                dont_fragment: true,
                more_fragments: false,
                fragment_offset: 0,
                ttl: self.hop_limit,
                protocol,
                src: Ipv4Addr::new(192, 0, 2, 1),
                dst: Ipv4Addr::new(192, 0, 2, 2),
            };
            assert!(out.extend(&header.octets()));
        }
        out
    }
}

pub(super) fn tcp(flow: &Flow, sequence: u32, flags: u8, payload: &[u8]) -> Packet {
    let options = if flow.timestamp.is_some() { 12 } else { 0 };
    let mut out = flow.ip_header(protocol::TCP, 20 + options + payload.len());
    let mut header = [0_u8; 32];
    header[0..2].copy_from_slice(&flow.src_port.to_be_bytes());
    header[2..4].copy_from_slice(&443_u16.to_be_bytes());
    header[4..8].copy_from_slice(&sequence.to_be_bytes());
    header[8..12].copy_from_slice(&flow.ack.to_be_bytes());
    header[12] = (((20 + options) / 4) << 4) as u8;
    header[13] = flags;
    header[14..16].copy_from_slice(&flow.window.to_be_bytes());
    if let Some(timestamp) = flow.timestamp {
        header[20..24].copy_from_slice(&[1, 1, 8, 10]);
        header[24..28].copy_from_slice(&timestamp.to_be_bytes());
    }
    assert!(out.extend(&header[..20 + options]) && out.extend(payload));
    finish(&mut out, protocol::TCP);
    out
}

pub(super) fn udp(flow: &Flow, payload: &[u8]) -> Packet {
    let mut out = flow.ip_header(protocol::UDP, 8 + payload.len());
    let mut header = [0_u8; 8];
    header[0..2].copy_from_slice(&flow.src_port.to_be_bytes());
    header[2..4].copy_from_slice(&53_u16.to_be_bytes());
    header[4..6].copy_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
    assert!(out.extend(&header) && out.extend(payload));
    finish(&mut out, protocol::UDP);
    out
}

fn finish(packet: &mut Packet, protocol: u8) {
    let (layout, at, pseudo) = field(packet.bytes(), protocol);
    let bytes = packet.bytes_mut();
    bytes[at..at + 2].fill(0);
    let sum = match pseudo.and(Sum::new().with(&bytes[layout.transport..])).finish() {
        0 => 0xffff,
        sum => sum,
    };
    bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

fn field(bytes: &[u8], protocol: u8) -> (Layout, usize, Sum) {
    let layout = Layout::of(bytes, protocol).unwrap();
    let pseudo = layout.pseudo(bytes, protocol, bytes.len() - layout.transport);
    (layout, layout.transport + checksum_offset(protocol), pseudo)
}

fn protocol_of(bytes: &[u8]) -> u8 {
    if bytes[0] >> 4 == 6 { bytes[6] } else { bytes[9] }
}

/// Puts the pseudo-header sum into the checksum field, as a kernel does.
pub(super) fn make_partial(packet: &mut Packet) {
    let (layout, at, pseudo) = field(packet.bytes(), protocol_of(packet.bytes()));
    packet.bytes_mut()[at..at + 2].copy_from_slice(&pseudo.fold().to_be_bytes());
    packet.offload.partial_checksum =
        Some(PartialChecksum { start: layout.transport as u16, offset: (at - layout.transport) as u16 });
}

pub(super) fn make_super(packet: &mut Packet, segmentation: Segmentation) {
    make_partial(packet);
    packet.offload.segmentation = segmentation;
}

/// The full sum over pseudo-header and transport is all ones, and in IPv4 that over the header is.
pub(super) fn checksum_ok(bytes: &[u8]) -> bool {
    let (layout, _, pseudo) = field(bytes, protocol_of(bytes));
    let ip_ok = layout.v6 || Sum::new().with(&bytes[..layout.transport]).fold() == 0xffff;
    ip_ok && pseudo.and(Sum::new().with(&bytes[layout.transport..])).fold() == 0xffff
}
