//! ICMP errors with the packets that they quote (RFC 7915, sections 4.2, 4.3, 5.2 and 5.3; RFC 4884).
//!
//! A translated error is written anew into a small buffer of the caller: the quoted packet grows or shrinks, the
//! extension behind it must move to another boundary, and the whole has a largest size. The checksum still is the old
//! one corrected by the difference of everything, so that a damaged error stays damaged.

use core::net::Ipv6Addr;

use sixgate_wire::checksum::{self, Sum};
use sixgate_wire::{icmpv6, ipv4, ipv6, protocol};

use super::icmp::{ECHO_REPLY, ECHO_REQUEST, Message4, Message6, TIME_EXCEEDED, UNREACHABLE};
use super::pieces::fragment_header;
use super::transport::{Change, rewrite, rewrite_addresses, rewrite_echo};
use super::{Carried, Mapping4, Mapping6, Ports, Quote4, Quote6, SMALLEST_DF};
use crate::endpoint::Proto;

/// Octets of an ICMPv4 error behind the IPv4 header: 576 in all (RFC 1812, section 4.3.2.3).
pub const LARGEST_V4_ERROR: usize = 576 - ipv4::HEADER;
/// Octets of an ICMPv6 error behind the IPv6 header: 1,280 in all (RFC 4443, section 2.4).
pub const LARGEST_V6_ERROR: usize = 1280 - ipv6::HEADER;
/// A quoted datagram with an extension behind it is padded to this at least (RFC 4884, section 4).
const LEAST_WITH_EXTENSION: usize = 128;

/// Writes the ICMPv4 error `to` that stands for the ICMPv6 error `message`, and gives its length.
///
/// `quote` was read from `message`, `inner` is what the quoted packet becomes, `outer` are the addresses that `message`
/// came with.
pub fn error_to_v4<T: Copy + Into<Carried>>(
    message: &[u8],
    quote: &Quote6<'_, T>,
    to: Message4,
    inner: &Mapping4,
    outer: (Ipv6Addr, Ipv6Addr),
    out: &mut [u8; LARGEST_V4_ERROR],
) -> usize {
    let layout = &quote.layout;
    let carried: Carried = quote.proto.into();
    let mut packet = [0; LARGEST_V4_ERROR];
    let (front, room) = packet.split_at_mut(ipv4::HEADER);
    let length = layout.total - layout.transport;
    let (identification, dont_fragment, more_fragments, fragment_offset) = match layout.fragment {
        Some(f) => (f.identification as u16, false, f.more, f.offset),
        None => (0, ipv4::HEADER + length > SMALLEST_DF, false, 0),
    };
    let header = ipv4::Header {
        tos: layout.traffic_class,
        total_len: u16::try_from(ipv4::HEADER + length).unwrap_or(u16::MAX),
        identification,
        dont_fragment,
        more_fragments,
        fragment_offset,
        // RFC 7915, section 5.3: the quoted hop limit is what the router saw.
        ttl: layout.hop_limit,
        protocol: carried.v4_number(),
        src: inner.src,
        dst: inner.dst,
    };
    front.copy_from_slice(&header.octets());
    let transport = copy(room, &quote.bytes[layout.transport..]);
    let (src, dst) = (layout.src, layout.dst);
    let addresses = Change::to_v4((src, dst), (inner.src, inner.dst));
    match carried {
        // A later fragment has no transport header.
        _ if fragment_offset != 0 => {}
        Carried::Known(proto @ (Proto::Tcp | Proto::Udp)) => {
            rewrite(proto, transport, addresses, Ports { src: inner.src_port, dst: inner.dst_port }, false)
        }
        Carried::Other(_) => rewrite_addresses(carried, transport, addresses, false),
        Carried::Known(Proto::Icmp) => {
            let request = transport.first() == Some(&icmpv6::ECHO_REQUEST);
            let old = checksum::pseudo_v6(src, dst, protocol::ICMPV6, length as u32);
            let kind = if request { ECHO_REQUEST } else { ECHO_REPLY };
            rewrite_echo(transport, kind, inner.src_port, Change { old, new: Sum::new() }, false);
        }
    }
    let datagram = ipv4::HEADER + transport.len();
    out[..8].copy_from_slice(&[to.kind, to.code, 0, 0, 0, 0, 0, 0]);
    out[4..8].copy_from_slice(&to.word.to_be_bytes());
    // Both kinds have the length field; the MTU of "fragmentation needed" comes from a message that has none.
    let carries = matches!(to.kind, UNREACHABLE | TIME_EXCEEDED) && message[0] != icmpv6::TOO_BIG;
    let extension = if carries { quote.extension } else { &[] };
    let (end, padded) = place(&mut out[8..], &packet[..datagram], extension, 4);
    if let Some(padded) = padded {
        // At most 548 / 4.
        out[5] = (padded / 4) as u8;
    }
    let end = 8 + end;
    let old = checksum::pseudo_v6(outer.0, outer.1, protocol::ICMPV6, message.len() as u32);
    finish(message, old, &mut out[..end], Sum::new());
    end
}

/// Writes the ICMPv6 error `to` that stands for the ICMPv4 error `message`, and gives its length.
///
/// `quote` was read from `message`, `inner` is what the quoted packet becomes, `outer` are the addresses that the
/// result will go out with.
pub fn error_to_v6<T: Copy + Into<Carried>>(
    message: &[u8],
    quote: &Quote4<'_, T>,
    to: Message6,
    inner: &Mapping6,
    outer: (Ipv6Addr, Ipv6Addr),
    out: &mut [u8; LARGEST_V6_ERROR],
) -> usize {
    let layout = &quote.layout;
    let carried: Carried = quote.proto.into();
    let mut packet = [0; LARGEST_V6_ERROR];
    let headers = if layout.fragment.is_some() { ipv6::HEADER + 8 } else { ipv6::HEADER };
    let (front, room) = packet.split_at_mut(headers);
    let length = layout.total - layout.transport;
    let payload_len = length + headers - ipv6::HEADER;
    let next_header = if layout.fragment.is_some() { protocol::FRAGMENT } else { carried.v6_number() };
    let header = ipv6::Header {
        traffic_class: layout.tos,
        flow_label: 0,
        payload_len: u16::try_from(payload_len).unwrap_or(u16::MAX),
        next_header,
        // RFC 7915, section 4.3: the quoted TTL is what the router saw.
        hop_limit: layout.ttl,
        src: inner.src,
        dst: inner.dst,
    };
    front[..ipv6::HEADER].copy_from_slice(&header.octets());
    if let Some(f) = layout.fragment {
        let octets = fragment_header(carried.v6_number(), f.offset, f.more, u32::from(layout.identification));
        front[ipv6::HEADER..].copy_from_slice(&octets);
    }
    let transport = copy(room, &quote.bytes[layout.transport..]);
    let addresses = Change::to_v6((layout.src, layout.dst), (inner.src, inner.dst));
    match carried {
        _ if layout.fragment.is_some_and(|f| f.offset != 0) => {}
        Carried::Known(proto @ (Proto::Tcp | Proto::Udp)) => {
            rewrite(proto, transport, addresses, Ports { src: inner.src_port, dst: inner.dst_port }, false)
        }
        Carried::Other(_) => rewrite_addresses(carried, transport, addresses, false),
        Carried::Known(Proto::Icmp) => {
            let request = transport.first() == Some(&ECHO_REQUEST);
            let new = checksum::pseudo_v6(inner.src, inner.dst, protocol::ICMPV6, length as u32);
            let kind = if request { icmpv6::ECHO_REQUEST } else { icmpv6::ECHO_REPLY };
            rewrite_echo(transport, kind, inner.src_port, Change { old: Sum::new(), new }, false);
        }
    }
    let datagram = headers + transport.len();
    out[..8].copy_from_slice(&[to.kind, to.code, 0, 0, 0, 0, 0, 0]);
    out[4..8].copy_from_slice(&to.word.to_be_bytes());
    // ICMPv6 has the length field in these two messages only.
    let carries = matches!(to.kind, icmpv6::UNREACHABLE | icmpv6::TIME_EXCEEDED);
    let extension = if carries { quote.extension } else { &[] };
    let (end, padded) = place(&mut out[8..], &packet[..datagram], extension, 8);
    if let Some(padded) = padded {
        // At most 1,232 / 8.
        out[4] = (padded / 8) as u8;
    }
    let end = 8 + end;
    let new = checksum::pseudo_v6(outer.0, outer.1, protocol::ICMPV6, end as u32);
    finish(message, Sum::new(), &mut out[..end], new);
    end
}

/// Copies as much of `from` as there is room for.
fn copy<'a>(room: &'a mut [u8], from: &[u8]) -> &'a mut [u8] {
    let n = room.len().min(from.len());
    room[..n].copy_from_slice(&from[..n]);
    &mut room[..n]
}

/// Puts the quoted datagram and the extension into `room`; gives the length, and that of the padded datagram when there
/// is an extension behind it. The datagram is cut rather than the extension.
fn place(room: &mut [u8], datagram: &[u8], extension: &[u8], unit: usize) -> (usize, Option<usize>) {
    if extension.is_empty() || extension.len() + LEAST_WITH_EXTENSION > room.len() {
        return (copy(room, datagram).len(), None);
    }
    let most = (room.len() - extension.len()) / unit * unit;
    let padded = datagram.len().next_multiple_of(unit).clamp(LEAST_WITH_EXTENSION, most);
    let (front, behind) = room.split_at_mut(padded);
    front.fill(0);
    copy(front, datagram);
    behind[..extension.len()].copy_from_slice(extension);
    (padded + extension.len(), Some(padded))
}

/// Fills in the checksum of `new`: that of `old`, corrected by the difference of all that the two cover.
fn finish(old: &[u8], old_pseudo: Sum, new: &mut [u8], new_pseudo: Sum) {
    let covered = |bytes: &[u8]| Sum::new().with(&bytes[..2]).and(Sum::new().with(&bytes[4..]));
    let field = u16::from_be_bytes([old[2], old[3]]);
    let sum = checksum::update(field, old_pseudo.and(covered(old)), new_pseudo.and(covered(new)));
    new[2..4].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    extern crate std;
    use core::net::Ipv4Addr;
    use std::vec::Vec;

    use super::super::fill_udp_checksum;
    use super::*;

    const POOL: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
    const PEER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

    fn client() -> Ipv6Addr {
        "2001:db8::8".parse().unwrap()
    }

    fn peer6() -> Ipv6Addr {
        "64:ff9b::c633:6407".parse().unwrap()
    }

    /// A UDP datagram from the pool to the peer, as a router on the IPv4 side quotes it.
    fn datagram4(data: usize) -> Vec<u8> {
        let header = ipv4::Header {
            tos: 0xb9,
            total_len: (28 + data) as u16,
            identification: 5,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 3,
            protocol: 17,
            src: POOL,
            dst: PEER,
        };
        let mut bytes = header.octets().to_vec();
        bytes.extend_from_slice(&[0x30, 0x39, 0, 53]);
        bytes.extend_from_slice(&((8 + data) as u16).to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend((0..data).map(|i| i as u8));
        assert!(fill_udp_checksum(&mut bytes[20..], POOL, PEER));
        bytes
    }

    fn message4(kind: u8, code: u8, length: usize, quoted: &[u8], extension: &[u8]) -> Vec<u8> {
        let mut m = std::vec![kind, code, 0, 0, 0, (length / 4) as u8, 0, 0];
        m.extend_from_slice(quoted);
        m.resize(8 + quoted.len().max(length), 0);
        m.extend_from_slice(extension);
        let sum = Sum::new().with(&m).finish();
        m[2..4].copy_from_slice(&sum.to_be_bytes());
        m
    }

    const INNER6_PORTS: (u16, u16) = (40_001, 53);

    fn to_v6(message: &[u8], to: Message6) -> Vec<u8> {
        let quote = Quote4::of(message).unwrap();
        let inner =
            Mapping6 { src: client(), dst: peer6(), src_port: INNER6_PORTS.0, dst_port: INNER6_PORTS.1 };
        let mut out = [0; LARGEST_V6_ERROR];
        let n = error_to_v6(message, &quote, to, &inner, (peer6(), client()), &mut out);
        out[..n].to_vec()
    }

    const HOST: Message6 = Message6 { kind: 1, code: 0, word: 0 };

    #[test]
    fn a_quoted_datagram_is_translated_with_its_checksum_and_keeps_its_ttl() {
        let message = message4(3, 1, 0, &datagram4(40), &[]);
        let out = to_v6(&message, HOST);
        let icmp = icmpv6::Icmpv6::parse(&out).unwrap();
        assert!(icmp.checksum_ok(peer6(), client()));
        let ip = ipv6::Ipv6::parse(icmp.body()).unwrap();
        assert_eq!((ip.src(), ip.dst(), ip.hop_limit(), ip.traffic_class()), (client(), peer6(), 3, 0xb9));
        assert_eq!(checksum::pseudo_v6(client(), peer6(), 17, 48).with(ip.payload()).fold(), 0xffff);
        assert_eq!(ip.payload()[..2], INNER6_PORTS.0.to_be_bytes());
    }

    #[test]
    fn a_damaged_error_is_as_damaged_afterwards() {
        let good = to_v6(&message4(3, 1, 0, &datagram4(40), &[]), HOST);
        let mut message = message4(3, 1, 0, &datagram4(40), &[]);
        message[2] ^= 0x10;
        let bad = to_v6(&message, HOST);
        assert!(!icmpv6::Icmpv6::parse(&bad).unwrap().checksum_ok(peer6(), client()));
        let value = |m: &[u8]| u16::from_be_bytes([m[2], m[3]]);
        let of = |m: &[u8]| u16::from_be_bytes([m[2], m[3]]);
        let original = message4(3, 1, 0, &datagram4(40), &[]);
        let delta = |a: u16, b: u16| Sum::new().with_word(a).minus(Sum::new().with_word(b)).fold();
        assert_eq!(delta(value(&bad), value(&good)), delta(of(&message), of(&original)));
    }

    #[test]
    fn an_extension_moves_to_the_next_unit_and_the_length_says_where() {
        let extension = [0x20, 0, 0, 0, 0, 8, 1, 1, 0, 1, 2, 3];
        let message = message4(11, 0, 132, &datagram4(101), &extension);
        let out = to_v6(&message, Message6 { kind: 3, code: 0, word: 0 });
        // 132 octets of IPv4 make 149 of IPv6 and three of padding, so 152.
        assert_eq!(out[4], 19);
        assert_eq!(out[8 + 152..], extension);
        assert_eq!(out.len(), 8 + 152 + extension.len());
        assert!(icmpv6::Icmpv6::parse(&out).unwrap().checksum_ok(peer6(), client()));
    }

    #[test]
    fn a_short_datagram_with_an_extension_is_padded_to_128() {
        let extension = [0x20, 0, 0, 0, 0, 8, 1, 1, 0, 1, 2, 3];
        let message = message4(3, 1, 128, &datagram4(10), &extension);
        let out = to_v6(&message, HOST);
        assert_eq!(out[4], 16);
        assert_eq!(out[8 + 128..], extension);
    }

    #[test]
    fn too_big_has_no_extension() {
        let extension = [0x20, 0, 0, 0, 0, 8, 1, 1, 0, 1, 2, 3];
        let message = message4(3, 4, 128, &datagram4(100), &extension);
        let out = to_v6(&message, Message6 { kind: 2, code: 0, word: 1400 });
        assert_eq!(out[4..8], 1400_u32.to_be_bytes());
        // The datagram's own 128 octets and the 20 that IPv6 is longer.
        assert_eq!(out.len(), 8 + 148);
    }

    #[test]
    fn the_quote_is_cut_at_1280_and_at_576() {
        let message = message4(3, 1, 0, &datagram4(1400), &[]);
        let out6 = to_v6(&message, HOST);
        assert_eq!(out6.len() + 40, 1280);
        assert!(icmpv6::Icmpv6::parse(&out6).unwrap().checksum_ok(peer6(), client()));
        let quote = Quote6::of(&out6).unwrap();
        let inner = Mapping4 { src: POOL, dst: PEER, src_port: 12_345, dst_port: 53 };
        let mut out = [0; LARGEST_V4_ERROR];
        let to = Message4 { kind: 3, code: 1, word: 0 };
        let n = error_to_v4(&out6, &quote, to, &inner, (peer6(), client()), &mut out);
        assert_eq!(n + 20, 576);
        assert_eq!(Sum::new().with(&out[..n]).fold(), 0xffff);
        // There and back again the quote is the datagram that went out, as far as it reaches; TTL included, DF derived.
        let mut expected = datagram4(1400);
        expected[4..6].fill(0);
        let ttl = expected[8];
        let sum = &mut expected[10..12];
        sum.fill(0);
        let checksum = Sum::new().with(&expected[..20]).finish();
        expected[10..12].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(ttl, 3);
        assert_eq!(out[8..n], expected[..n - 8]);
    }

    #[test]
    fn an_extension_too_large_is_left_behind() {
        let extension = std::vec![0x20; 500];
        let mut message = std::vec![1, 0, 0, 0, 16, 0, 0, 0];
        let six = to_v6(&message4(3, 1, 0, &datagram4(60), &[]), HOST);
        message.extend_from_slice(&six[8..]);
        message.resize(8 + 128, 0);
        message.extend_from_slice(&extension);
        let quote = Quote6::of(&message).unwrap();
        let inner = Mapping4 { src: POOL, dst: PEER, src_port: 12_345, dst_port: 53 };
        let mut out = [0; LARGEST_V4_ERROR];
        let to = Message4 { kind: 3, code: 1, word: 0 };
        let n = error_to_v4(&message, &quote, to, &inner, (peer6(), client()), &mut out);
        assert_eq!((out[5], n), (0, 8 + 28 + 60));
    }
}
