//! An IPv6 packet becomes an IPv4 packet, in place (RFC 7915, section 5.1).

use sixgate_wire::checksum::{self, Sum};
use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::{Packet, Segmentation, icmpv6, ipv4, udp};

use super::icmp::{ECHO_REPLY, ECHO_REQUEST};
use super::transport::{Change, rewrite, rewrite_addresses, rewrite_echo};
use super::{Carried, Layout6, Mapping4, Ports, SMALLEST_DF};
use crate::endpoint::Proto;

/// What the addresses do not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V4Options {
    /// Type of service: all eight bits of the traffic class, or zero.
    pub tos: u8,
    /// For packets without a fragment header.
    pub identification: u16,
    /// Length of the ICMP message; of the whole one, where the packet is its first fragment.
    pub message_len: u32,
}

/// Size of the largest packet that will be on the IPv4 link: of a super-packet's segment, not of the whole.
#[must_use]
pub fn largest_v4(bytes: &[u8], at: &Layout6, segmentation: Segmentation) -> usize {
    segment(ipv4::HEADER, &bytes[at.transport..at.total], segmentation)
}

/// Size of a segment with a network header of `header` octets.
pub(super) fn segment(header: usize, transport: &[u8], segmentation: Segmentation) -> usize {
    let whole = header + transport.len();
    match segmentation {
        Segmentation::None => whole,
        Segmentation::Tcp { mss } => {
            let tcp = transport.get(12).map_or(0, |octet| usize::from(octet >> 4) * 4);
            whole.min(header + tcp + usize::from(mss))
        }
        Segmentation::Udp { size } => whole.min(header + udp::HEADER + usize::from(size)),
    }
}

/// Rewrites `packet`, whose headers are `at`, with the addresses and ports of `to`.
///
/// ICMP messages must be echo messages; errors are another matter (see [`super::error_to_v4`]). In a later fragment the
/// transport is left alone. False, and no change, when the result would exceed 65,535 octets or the offload metadata
/// does not fit the packet.
pub fn v6_to_v4(
    packet: &mut Packet,
    at: &Layout6,
    carried: impl Into<Carried>,
    to: &Mapping4,
    options: &V4Options,
) -> bool {
    let carried = carried.into();
    let Ok(total_len) = u16::try_from(ipv4::HEADER + at.total - at.transport) else {
        return false;
    };
    let partial = packet.offload.partial_checksum;
    if partial.is_some_and(|p| usize::from(p.start) != at.transport) {
        return false;
    }
    let largest = largest_v4(packet.bytes(), at, packet.offload.segmentation);
    let later = at.fragment.is_some_and(|f| f.offset != 0);
    if !later {
        let transport = &mut packet.bytes_mut()[at.transport..at.total];
        translate_transport(transport, at, carried, to, options, partial.is_some());
    }
    let (identification, dont_fragment, more_fragments, fragment_offset) = match at.fragment {
        // RFC 7915, section 5.1.1: the low half of the identification, and routers may fragment further.
        Some(f) => (f.identification as u16, false, f.more, f.offset),
        None => (options.identification, largest > SMALLEST_DF, false, 0),
    };
    let header = ipv4::Header {
        tos: options.tos,
        total_len,
        identification,
        dont_fragment,
        more_fragments,
        fragment_offset,
        ttl: at.hop_limit.saturating_sub(1),
        protocol: carried.v4_number(),
        src: to.src,
        dst: to.dst,
    };
    packet.truncate(at.total);
    // The transport starts behind the 40 octets of the IPv6 header at the earliest.
    packet.pull_front(at.transport - ipv4::HEADER);
    packet.bytes_mut()[..ipv4::HEADER].copy_from_slice(&header.octets());
    packet.offload.partial_checksum =
        partial.map(|p| PartialChecksum { start: ipv4::HEADER as u16, offset: p.offset });
    true
}

fn translate_transport(
    transport: &mut [u8],
    at: &Layout6,
    carried: Carried,
    to: &Mapping4,
    options: &V4Options,
    partial: bool,
) {
    let addresses = Change::to_v4((at.src, at.dst), (to.src, to.dst));
    match carried {
        Carried::Known(proto @ (Proto::Tcp | Proto::Udp)) => {
            rewrite(proto, transport, addresses, Ports { src: to.src_port, dst: to.dst_port }, partial);
        }
        Carried::Known(Proto::Icmp) => {
            let kind =
                if transport.first() == Some(&icmpv6::ECHO_REQUEST) { ECHO_REQUEST } else { ECHO_REPLY };
            // ICMP for IPv4 has no pseudo-header.
            let pseudo = Change {
                old: checksum::pseudo_v6(at.src, at.dst, Proto::Icmp.v6_number(), options.message_len),
                new: Sum::new(),
            };
            rewrite_echo(transport, kind, to.src_port, pseudo, partial);
        }
        Carried::Other(_) => rewrite_addresses(carried, transport, addresses, partial),
    }
}
