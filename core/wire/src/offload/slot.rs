//! One flow of the coalescer: a super-packet that grows.

use super::layout::{FLAGS, Layout};
use crate::checksum::Sum;
use crate::packet::PartialChecksum;
use crate::{Offload, Packet, Segmentation, be32, ipv4, ipv6, protocol, tcp};

/// Largest super-packet: the length field of IPv4, and what a kernel takes as one buffer in either version.
const LARGEST: usize = 65_535;

/// A segment that may be merged: whole, only ACK and perhaps PSH, data in it, its checksum right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) layout: Layout,
    pub(super) push: bool,
    sequence: u32,
}

impl Segment {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let layout = Layout::of(bytes, protocol::TCP).ok()?;
        let plain = if layout.v6 {
            // No extension header, nothing behind the packet.
            layout.transport == ipv6::HEADER && layout.end == bytes.len()
        } else {
            // No option; DF set, since only then is the identification free to be anything (RFC 6864, section 4.1).
            layout.transport == ipv4::HEADER
                && bytes[6] == 0x40
                && Sum::new().with(&bytes[..ipv4::HEADER]).fold() == 0xffff
        };
        let header = &bytes[layout.transport..];
        let flags = header[FLAGS];
        if !plain || flags & !tcp::PSH != tcp::ACK || layout.payload == layout.end {
            return None;
        }
        let pseudo = layout.pseudo(bytes, protocol::TCP, bytes.len() - layout.transport);
        if pseudo.and(Sum::new().with(header)).fold() != 0xffff {
            return None;
        }
        Some(Self { layout, push: flags & tcp::PSH != 0, sequence: be32(header, 4) })
    }

    fn len(&self) -> usize {
        self.layout.end - self.layout.payload
    }
}

/// Holds the segments of one flow that were merged so far; empty when it is not open.
#[derive(Debug)]
pub(super) struct Slot {
    packet: Packet,
    layout: Layout,
    /// Payload octets of the first segment.
    mss: usize,
    /// The sequence number that has to come next.
    next: u32,
    segments: u32,
    complete: bool,
    opened: u64,
}

impl Slot {
    pub(super) fn new() -> Self {
        Self {
            packet: Packet::new(),
            layout: Layout { v6: false, transport: 0, payload: 0, end: 0 },
            mss: 0,
            next: 0,
            segments: 0,
            complete: false,
            opened: 0,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.segments > 0
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    /// Begins with `segment`; false when the buffer, which the emitter may have swapped, is too small.
    pub(super) fn open(&mut self, bytes: &[u8], segment: &Segment, opened: u64) -> bool {
        self.packet.reset();
        if !self.packet.extend(bytes) {
            return false;
        }
        self.layout = segment.layout;
        self.mss = segment.len();
        self.next = segment.sequence.wrapping_add(segment.len() as u32);
        self.segments = 1;
        self.complete = false;
        self.opened = opened;
        true
    }

    /// True when a TCP packet with `layout` has this flow's addresses and ports.
    pub(super) fn is_flow_of(&self, bytes: &[u8], layout: &Layout) -> bool {
        let held = self.packet.bytes();
        self.is_between(bytes)
            && held[self.layout.transport..][..4] == bytes[layout.transport..layout.transport + 4]
    }

    /// True when a packet goes from the source to the destination of this flow.
    pub(super) fn is_between(&self, bytes: &[u8]) -> bool {
        let addresses = if self.layout.v6 { 8..40 } else { 12..20 };
        self.is_open()
            && bytes[0] >> 4 == self.packet.bytes()[0] >> 4
            && bytes.get(addresses.clone()) == self.packet.bytes().get(addresses)
    }

    /// Appends a segment of this flow; false, and no change, when it does not continue what is held.
    pub(super) fn merge(&mut self, bytes: &[u8], segment: &Segment) -> bool {
        let fits = segment.sequence == self.next
            && segment.len() <= self.mss
            && self.packet.len() + segment.len() <= LARGEST
            && segment.layout.payload == self.layout.payload
            && self.same_headers(bytes)
            && self.packet.extend(&bytes[segment.layout.payload..]);
        if fits {
            self.next = self.next.wrapping_add(segment.len() as u32);
            self.segments += 1;
            // A later segment would have to be cut at another place than it was made.
            self.complete = segment.push || segment.len() < self.mss;
            if segment.push {
                self.packet.bytes_mut()[self.layout.transport + FLAGS] |= tcp::PSH;
            }
        }
        fits
    }

    /// Compares what must not differ; addresses and ports were compared when the slot was found.
    fn same_headers(&self, new: &[u8]) -> bool {
        let held = self.packet.bytes();
        let t = self.layout.transport;
        let ip = if self.layout.v6 {
            // Version, traffic class, flow label; hop limit.
            held[..4] == new[..4] && held[7] == new[7]
        } else {
            // Type of service; TTL.
            held[1] == new[1] && held[8] == new[8]
        };
        ip
            // Acknowledgement and data offset; window; urgent pointer and options.
            && held[t + 8..t + 13] == new[t + 8..t + 13]
            && held[t + 14..t + 16] == new[t + 14..t + 16]
            && held[t + 18..self.layout.payload] == new[t + 18..self.layout.payload]
    }

    /// Lets the packet leave: as it came when it is one segment, else as a super-packet. Then the slot is free.
    pub(super) fn emit(&mut self, emit: &mut impl FnMut(&mut Packet)) {
        if self.segments > 1 {
            self.finish_headers();
        }
        self.segments = 0;
        emit(&mut self.packet);
    }

    fn finish_headers(&mut self) {
        let (layout, total) = (self.layout, self.packet.len());
        let bytes = self.packet.bytes_mut();
        let identification = u16::from_be_bytes([bytes[4], bytes[5]]);
        layout.finish_ip(bytes, total, identification);
        let pseudo = layout.pseudo(bytes, protocol::TCP, total - layout.transport).fold();
        let field = layout.transport + tcp::CHECKSUM;
        bytes[field..field + 2].copy_from_slice(&pseudo.to_be_bytes());
        let start = layout.transport as u16;
        self.packet.offload = Offload {
            partial_checksum: Some(PartialChecksum { start, offset: tcp::CHECKSUM as u16 }),
            // At most LARGEST.
            segmentation: Segmentation::Tcp { mss: self.mss as u16 },
        };
    }
}
