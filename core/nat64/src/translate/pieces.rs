//! Cutting an IPv6 packet that the next link, or the path behind it, cannot take whole (RFC 8200, section 4.5).

use sixgate_wire::checksum;
use sixgate_wire::{Packet, ipv6, protocol, udp};

/// IPv6 header and fragment header together.
pub const FRAGMENT_HEADERS: usize = ipv6::HEADER + 8;

/// The fields of a fragment header.
pub(super) fn fragment_header(next: u8, offset: u16, more: bool, identification: u32) -> [u8; 8] {
    let mut octets = [0; 8];
    octets[0] = next;
    octets[2..4].copy_from_slice(&(offset & 0xfff8 | u16::from(more)).to_be_bytes());
    octets[4..].copy_from_slice(&identification.to_be_bytes());
    octets
}

/// One fragment to be sent: its parts follow each other.
pub type Piece<'a> = [&'a [u8]; 3];

/// Cuts `packet`, which has a fragment header right behind the IPv6 header, into fragments of at most `limit` octets.
///
/// The packet becomes the first of them; the others are given to `emit` in their order. `limit` is at least 1,280.
pub fn cut(packet: &mut Packet, limit: usize, mut emit: impl FnMut(Piece<'_>)) {
    let bytes = packet.bytes();
    if bytes.len() <= limit || bytes.len() <= FRAGMENT_HEADERS {
        return;
    }
    let step = step(limit);
    let mut headers = [0; FRAGMENT_HEADERS];
    headers.copy_from_slice(&bytes[..FRAGMENT_HEADERS]);
    let field = u16::from_be_bytes([headers[42], headers[43]]);
    let (base, last_more) = (field & 0xfff8, field & 1 != 0);
    let data = &bytes[FRAGMENT_HEADERS..];
    for (i, chunk) in data.chunks(step).enumerate().skip(1) {
        let end = i * step + chunk.len() == data.len();
        set(&mut headers, chunk.len(), usize::from(base) + i * step, !end || last_more);
        emit([&headers, chunk, &[]]);
    }
    packet.truncate(FRAGMENT_HEADERS + step);
    let first = packet.bytes_mut();
    headers.copy_from_slice(&first[..FRAGMENT_HEADERS]);
    set(&mut headers, first.len() - FRAGMENT_HEADERS, usize::from(base), true);
    first[..FRAGMENT_HEADERS].copy_from_slice(&headers);
}

/// Cuts a UDP super-packet, translated with a fragment header, into datagrams of `size` octets of data, and each of them
/// into fragments of at most `limit` octets where it does not fit. Checksums are computed, because no device could do it
/// behind us.
///
/// False when the packet holds no UDP header.
pub fn cut_datagrams(packet: &Packet, size: u16, limit: usize, mut emit: impl FnMut(Piece<'_>)) -> bool {
    let bytes = packet.bytes();
    let Ok(ip) = ipv6::Ipv6::parse(bytes) else { return false };
    let Some((front, data)) = bytes.split_at_checked(FRAGMENT_HEADERS + udp::HEADER) else { return false };
    let mut headers = [0; FRAGMENT_HEADERS];
    headers.copy_from_slice(&front[..FRAGMENT_HEADERS]);
    let identification = u32::from_be_bytes([headers[44], headers[45], headers[46], headers[47]]);
    let mut head = [0; udp::HEADER];
    for (n, datagram) in data.chunks(usize::from(size.max(1))).enumerate() {
        head.copy_from_slice(&front[FRAGMENT_HEADERS..]);
        // A datagram is no longer than the super-packet, which fits 65,535.
        let length = (udp::HEADER + datagram.len()) as u16;
        head[4..6].copy_from_slice(&length.to_be_bytes());
        head[6..].fill(0);
        let pseudo = checksum::pseudo_v6(ip.src(), ip.dst(), protocol::UDP, u32::from(length));
        let sum = match pseudo.with(&head).with(datagram).finish() {
            0 => 0xffff,
            sum => sum,
        };
        head[6..].copy_from_slice(&sum.to_be_bytes());
        // RFC 7915, section 4.1: the identification of the n-th datagram would have been the n-th after the first.
        let id = u32::from((identification as u16).wrapping_add(n as u16));
        headers[44..48].copy_from_slice(&id.to_be_bytes());
        // RFC 7915, section 4: no fragment header where nothing is cut, as for the last one, which may be short.
        if ipv6::HEADER + usize::from(length) <= limit.max(1280) {
            let mut plain = [0; ipv6::HEADER];
            plain.copy_from_slice(&headers[..ipv6::HEADER]);
            plain[4..6].copy_from_slice(&length.to_be_bytes());
            plain[6] = protocol::UDP;
            emit([&plain, &head, datagram]);
            continue;
        }
        let step = step(limit);
        let (first, rest) = datagram.split_at(datagram.len().min(step - udp::HEADER));
        set(&mut headers, udp::HEADER + first.len(), 0, !rest.is_empty());
        emit([&headers, &head, first]);
        for (i, chunk) in rest.chunks(step).enumerate() {
            let end = i * step + chunk.len() == rest.len();
            set(&mut headers, chunk.len(), udp::HEADER + first.len() + i * step, !end);
            emit([&headers, chunk, &[]]);
        }
    }
    true
}

/// Data octets in every fragment but the last: a multiple of eight.
fn step(limit: usize) -> usize {
    (limit.max(1280) - FRAGMENT_HEADERS) & !7
}

/// Sets payload length, offset and "more" of an IPv6 header with a fragment header behind it.
fn set(headers: &mut [u8; FRAGMENT_HEADERS], data: usize, offset: usize, more: bool) {
    headers[4..6].copy_from_slice(&((data + 8) as u16).to_be_bytes());
    headers[42..44].copy_from_slice(&(offset as u16 & 0xfff8 | u16::from(more)).to_be_bytes());
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use proptest::prelude::*;

    fn packet(data: &[u8], offset: u16, more: bool) -> Packet {
        let header = ipv6::Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: (data.len() + 8) as u16,
            next_header: protocol::FRAGMENT,
            hop_limit: 9,
            src: "2001:db8::1".parse().unwrap(),
            dst: "2001:db8::2".parse().unwrap(),
        };
        let mut bytes = header.octets().to_vec();
        bytes.extend_from_slice(&fragment_header(17, offset, more, 77));
        bytes.extend_from_slice(data);
        Packet::from_slice(&bytes)
    }

    /// Fragments put together again, after checks of each.
    fn joined(pieces: &[Vec<u8>], limit: usize) -> (u16, bool, Vec<u8>) {
        let mut data = Vec::new();
        let mut start = None;
        let mut open = true;
        for piece in pieces {
            assert!(piece.len() <= limit && open);
            let ip = ipv6::Ipv6::parse(piece).unwrap();
            assert_eq!(ip.bytes().len(), piece.len());
            let fragment = ip.upper().unwrap().fragment.unwrap();
            let start = *start.get_or_insert(fragment.offset);
            assert_eq!(usize::from(fragment.offset), usize::from(start) + data.len());
            open = fragment.more;
            data.extend_from_slice(&piece[FRAGMENT_HEADERS..]);
        }
        (start.unwrap(), open, data)
    }

    proptest! {
        #[test]
        fn fragments_join_to_what_was_cut(len in 1_usize..9000, base in 0_u16..2000, more: bool, limit in 1280_usize..1600) {
            let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut first = packet(&data, base & 0xfff8, more);
            let mut rest: Vec<Vec<u8>> = Vec::new();
            cut(&mut first, limit, |parts| rest.push(parts.concat()));
            let mut all = std::vec![first.bytes().to_vec()];
            all.append(&mut rest);
            prop_assert_eq!(joined(&all, limit), (base & 0xfff8, more, data));
        }

        #[test]
        fn datagrams_of_a_super_packet_are_whole_after_joining(len in 1_usize..9000, size in 1300_u16..3000) {
            let mut data: Vec<u8> = std::vec![0, 1, 0, 2, 0xff, 0xff, 0xff, 0xff];
            data.extend((0..len).map(|i| i as u8));
            let mut fragments: Vec<Vec<u8>> = Vec::new();
            prop_assert!(cut_datagrams(&packet(&data, 0, false), size, 1280, |parts| fragments.push(parts.concat())));
            let mut seen = Vec::new();
            let mut from = 0;
            for end in 1..=fragments.len() {
                let ip = ipv6::Ipv6::parse(&fragments[end - 1]).unwrap();
                let fragment = ip.upper().unwrap().fragment;
                if fragment.is_some_and(|f| f.more) {
                    continue;
                }
                let datagram = if fragment.is_some() {
                    prop_assert!(end - from > 1, "a fragment header where nothing was cut");
                    let (offset, open, datagram) = joined(&fragments[from..end], 1280);
                    prop_assert!(offset == 0 && !open);
                    datagram
                } else {
                    prop_assert!(ip.bytes().len() == fragments[end - 1].len() && ip.bytes().len() <= 1280);
                    ip.payload().to_vec()
                };
                let sum = checksum::pseudo_v6(ip.src(), ip.dst(), 17, datagram.len() as u32).with(&datagram);
                prop_assert_eq!(sum.fold(), 0xffff);
                prop_assert!(datagram.len() <= 8 + usize::from(size));
                seen.extend_from_slice(&datagram[8..]);
                from = end;
            }
            prop_assert_eq!(seen, &data[8..]);
        }
    }
}
