//! An ICMP error with its IP header, translated, in place of the packet that it was.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix};
use sixgate_wire::{Packet, ipv4, ipv6, protocol};

use crate::keyed::Key;
use crate::translate::{
    Carried, LARGEST_V4_ERROR, LARGEST_V6_ERROR, Layout4, Layout6, Mapping4, Mapping6, Message4, Message6,
    Quote4, Quote6, SMALLEST_DF, error_to_v4, error_to_v6,
};

/// What the outer header of an ICMPv4 error has from its translator.
pub(crate) struct Outer4 {
    pub(crate) src: Ipv4Addr,
    pub(crate) dst: Ipv4Addr,
    pub(crate) identification: u16,
    pub(crate) reset_traffic_class: bool,
}

/// A translated ICMPv4 error.
pub(crate) struct Error4 {
    header: [u8; ipv4::HEADER],
    body: [u8; LARGEST_V4_ERROR],
    length: usize,
}

impl Error4 {
    /// Translates the ICMPv6 error `message` of the packet `at`. The other arguments are as in [`error_to_v4`].
    pub(crate) fn of<T: Copy + Into<Carried>>(
        message: &[u8],
        at: &Layout6,
        quote: &Quote6<'_, T>,
        to: Message4,
        inner: &Mapping4,
        outer: Outer4,
    ) -> Self {
        let mut body = [0; LARGEST_V4_ERROR];
        let length = error_to_v4(message, quote, to, inner, (at.src, at.dst), &mut body);
        let total = ipv4::HEADER + length;
        let header = ipv4::Header {
            tos: if outer.reset_traffic_class { 0 } else { at.traffic_class },
            // At most 576.
            total_len: total as u16,
            identification: outer.identification,
            dont_fragment: total > SMALLEST_DF,
            more_fragments: false,
            fragment_offset: 0,
            ttl: at.hop_limit.saturating_sub(1),
            protocol: protocol::ICMP,
            src: outer.src,
            dst: outer.dst,
        };
        Self { header: header.octets(), body, length }
    }

    /// Becomes `packet`; false when that has no room.
    pub(crate) fn put(&self, packet: &mut Packet) -> bool {
        replace(packet, &[&self.header, &self.body[..self.length]])
    }
}

/// A translated ICMPv6 error.
pub(crate) struct Error6 {
    header: [u8; ipv6::HEADER],
    body: [u8; LARGEST_V6_ERROR],
    length: usize,
}

impl Error6 {
    /// Translates the ICMPv4 error `message` of the packet `at`; `outer` are the addresses that it goes out with. The
    /// other arguments are as in [`error_to_v6`].
    pub(crate) fn of<T: Copy + Into<Carried>>(
        message: &[u8],
        at: &Layout4,
        quote: &Quote4<'_, T>,
        to: Message6,
        inner: &Mapping6,
        outer: (Ipv6Addr, Ipv6Addr),
        reset_traffic_class: bool,
    ) -> Self {
        let mut body = [0; LARGEST_V6_ERROR];
        let length = error_to_v6(message, quote, to, inner, outer, &mut body);
        let header = ipv6::Header {
            traffic_class: if reset_traffic_class { 0 } else { at.tos },
            flow_label: 0,
            // ICMPv6 errors end at 1,280 octets.
            payload_len: length.min(LARGEST_V6_ERROR) as u16,
            next_header: protocol::ICMPV6,
            hop_limit: at.ttl.saturating_sub(1),
            src: outer.0,
            dst: outer.1,
        };
        Self { header: header.octets(), body, length }
    }

    /// Becomes `packet`; false when that has no room.
    pub(crate) fn put(&self, packet: &mut Packet) -> bool {
        replace(packet, &[&self.header, &self.body[..self.length]])
    }
}

/// Type and code, and the four octets behind the checksum.
pub(crate) fn head(message: &[u8]) -> Option<(u8, u8, u32)> {
    let (kind, code) = (*message.first()?, *message.get(1)?);
    let word = message.get(4..8)?;
    Some((kind, code, u32::from_be_bytes([word[0], word[1], word[2], word[3]])))
}

/// An address of `sources` for a router that has only an IPv6 one (RFC 6791): always the same for the same router.
pub(crate) fn source4(sources: Ipv4Prefix, key: Key, router: Ipv6Addr) -> Ipv4Addr {
    let hosts = u32::MAX.checked_shr(u32::from(sources.length())).unwrap_or(0);
    let chosen = key.hash(&router.octets()) as u32 & hosts;
    Ipv4Addr::from_bits(sources.address().to_bits() | chosen)
}

/// An address of `sources` for a router whose IPv4 address cannot be translated.
pub(crate) fn source6(sources: Ipv6Prefix, key: Key, router: Ipv4Addr) -> Ipv6Addr {
    let hosts = u128::MAX.checked_shr(u32::from(sources.length())).unwrap_or(0);
    let chosen = u128::from(key.hash(&router.octets())) & hosts;
    Ipv6Addr::from_bits(sources.address().to_bits() | chosen)
}

/// Replaces a packet's octets by `parts`; false when they do not fit its buffer.
fn replace(packet: &mut Packet, parts: &[&[u8]]) -> bool {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    packet.reset();
    let missing = length.saturating_sub(packet.tailroom());
    if missing > 0 && packet.push_front(missing).is_none() {
        return false;
    }
    packet.truncate(0);
    parts.iter().all(|part| packet.extend(part))
}
