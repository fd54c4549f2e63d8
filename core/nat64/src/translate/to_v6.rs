//! An IPv4 packet becomes an IPv6 packet, in place (RFC 7915, section 4.1).

use sixgate_wire::checksum::{self, Sum};
use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::{Packet, Segmentation, icmpv6, ipv6, protocol};

use super::icmp::ECHO_REQUEST;
use super::pieces::fragment_header;
use super::to_v4::segment;
use super::transport::{Change, rewrite, rewrite_addresses, rewrite_echo};
use super::{Carried, Layout4, Mapping6, Ports};
use crate::endpoint::Proto;

/// What the addresses do not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V6Options {
    /// Traffic class: all eight bits of the type of service, or zero.
    pub traffic_class: u8,
    /// Puts a fragment header in: for fragments, and for packets that are to be cut.
    pub fragment_header: bool,
    /// Length of the ICMP message; of the whole one, where the packet is its first fragment.
    pub message_len: u32,
}

/// Size of the largest packet that will be on the IPv6 link, before a fragment header: of a super-packet's segment, not
/// of the whole.
#[must_use]
pub fn largest_v6(bytes: &[u8], at: &Layout4, segmentation: Segmentation) -> usize {
    segment(ipv6::HEADER, &bytes[at.transport..at.total], segmentation)
}

/// Rewrites `packet`, whose header is `at`, with the addresses and ports of `to`.
///
/// ICMP messages must be echo messages; errors are another matter (see [`super::error_to_v6`]). In a later fragment the
/// transport is left alone. False, and no change, when there is not enough headroom or the offload metadata does not fit
/// the packet.
pub fn v4_to_v6(
    packet: &mut Packet,
    at: &Layout4,
    carried: impl Into<Carried>,
    to: &Mapping6,
    options: &V6Options,
) -> bool {
    let carried = carried.into();
    let partial = packet.offload.partial_checksum;
    if partial.is_some_and(|p| usize::from(p.start) != at.transport) {
        return false;
    }
    let headers = if options.fragment_header { ipv6::HEADER + 8 } else { ipv6::HEADER };
    let length = at.total - at.transport + headers - ipv6::HEADER;
    let Ok(payload_len) = u16::try_from(length) else { return false };
    if packet.headroom() + at.transport < headers {
        return false;
    }
    if at.fragment.is_none_or(|f| f.offset == 0) {
        let transport = &mut packet.bytes_mut()[at.transport..at.total];
        translate_transport(transport, at, carried, to, options, partial.is_some());
    }
    packet.truncate(at.total);
    packet.pull_front(at.transport);
    let Some(front) = packet.push_front(headers) else {
        // Checked above.
        return false;
    };
    let header = ipv6::Header {
        traffic_class: options.traffic_class,
        flow_label: 0,
        payload_len,
        next_header: if options.fragment_header { protocol::FRAGMENT } else { carried.v6_number() },
        hop_limit: at.ttl.saturating_sub(1),
        src: to.src,
        dst: to.dst,
    };
    front[..ipv6::HEADER].copy_from_slice(&header.octets());
    if options.fragment_header {
        let (offset, more) = at.fragment.map_or((0, false), |f| (f.offset, f.more));
        // RFC 7915, section 4.1: the identification in the low half, zero in the high half.
        let octets = fragment_header(carried.v6_number(), offset, more, u32::from(at.identification));
        front[ipv6::HEADER..].copy_from_slice(&octets);
    }
    packet.offload.partial_checksum =
        partial.map(|p| PartialChecksum { start: headers as u16, offset: p.offset });
    true
}

fn translate_transport(
    transport: &mut [u8],
    at: &Layout4,
    carried: Carried,
    to: &Mapping6,
    options: &V6Options,
    partial: bool,
) {
    let addresses = Change::to_v6((at.src, at.dst), (to.src, to.dst));
    match carried {
        Carried::Known(proto @ (Proto::Tcp | Proto::Udp)) => {
            rewrite(proto, transport, addresses, Ports { src: to.src_port, dst: to.dst_port }, partial);
        }
        Carried::Known(Proto::Icmp) => {
            let request = transport.first() == Some(&ECHO_REQUEST);
            let kind = if request { icmpv6::ECHO_REQUEST } else { icmpv6::ECHO_REPLY };
            let pseudo = Change {
                old: Sum::new(),
                new: checksum::pseudo_v6(to.src, to.dst, Proto::Icmp.v6_number(), options.message_len),
            };
            rewrite_echo(transport, kind, to.dst_port, pseudo, partial);
        }
        Carried::Other(_) => rewrite_addresses(carried, transport, addresses, partial),
    }
}
