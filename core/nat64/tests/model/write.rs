//! Packets written: RFC 7915, sections 4.1, 4.5, 5.1 and 5.5, and the errors that the translator makes itself.

use crate::octets::{A4, A6, be16, corrected, pseudo4, pseudo6, put16, seal4, sealed};
use crate::read::{Four, Part, Six, trimmed6};

/// Addresses and ports on one side; both ports are the identifier of an echo message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends<A> {
    pub(crate) src: A,
    pub(crate) dst: A,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
}

/// A packet that is sent, and whether its identification is a fresh one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) bytes: Vec<u8>,
    pub(crate) fresh: bool,
    /// It is an error that quotes a packet whose identification is a fresh one.
    pub(crate) quotes_fresh: bool,
}

impl Sent {
    pub(crate) fn six(bytes: Vec<u8>) -> Self {
        Self { bytes, fresh: false, quotes_fresh: false }
    }

    pub(crate) fn four(bytes: Vec<u8>, fresh: bool) -> Self {
        Self { bytes, fresh, quotes_fresh: false }
    }
}

pub(crate) struct Header4 {
    pub(crate) tos: u8,
    pub(crate) length: usize,
    pub(crate) id: u16,
    pub(crate) dont_fragment: bool,
    pub(crate) more: bool,
    pub(crate) offset: usize,
    pub(crate) ttl: u8,
    pub(crate) number: u8,
    pub(crate) src: A4,
    pub(crate) dst: A4,
}

pub(crate) fn header4(h: &Header4) -> Vec<u8> {
    let mut bytes = vec![0; 20];
    bytes[0] = 0x45;
    bytes[1] = h.tos;
    put16(&mut bytes, 2, (20 + h.length).min(65_535) as u16);
    put16(&mut bytes, 4, h.id);
    let flags = u16::from(h.dont_fragment) * 0x4000 + u16::from(h.more) * 0x2000;
    put16(&mut bytes, 6, flags + (h.offset / 8) as u16);
    bytes[8] = h.ttl;
    bytes[9] = h.number;
    bytes[12..16].copy_from_slice(&h.src);
    bytes[16..20].copy_from_slice(&h.dst);
    seal4(&mut bytes);
    bytes
}

pub(crate) fn header6(class: u8, length: usize, next: u8, hops: u8, src: A6, dst: A6) -> Vec<u8> {
    let mut bytes = vec![0x60 | class >> 4, class << 4, 0, 0];
    bytes.extend((length.min(65_535) as u16).to_be_bytes());
    bytes.extend([next, hops]);
    bytes.extend(src);
    bytes.extend(dst);
    bytes
}

pub(crate) fn fragment_header(next: u8, offset: usize, more: bool, id: u32) -> Vec<u8> {
    [&[next, 0][..], &(offset as u16 | u16::from(more)).to_be_bytes(), &id.to_be_bytes()].concat()
}

pub(crate) fn number4(next: u8) -> u8 {
    if next == 58 { 1 } else { next }
}

pub(crate) fn number6(number: u8) -> u8 {
    if number == 1 { 58 } else { number }
}

/// The transport of `six` in IPv4: ports, identifier and checksum. `whole` is the length of the whole ICMP message.
pub(crate) fn transport_to_v4(six: &Six, ends: &Ends<A4>, whole: usize) -> Vec<u8> {
    let mut body = six.body.clone();
    match six.next {
        6 | 17 => {
            let length = six.length;
            let old = pseudo6(six.src, six.dst, six.next, length);
            let new = pseudo4(ends.src, ends.dst, six.next, length);
            ports(&mut body, six.next, ends.src_port, ends.dst_port, &old, &new);
        }
        58 => {
            let kind = if body.first() == Some(&128) { 8 } else { 0 };
            echo(&mut body, kind, ends.src_port, &pseudo6(six.src, six.dst, 58, whole), &[]);
        }
        other => {
            let (old, new) = ([six.src, six.dst].concat(), [ends.src, ends.dst].concat());
            addresses(&mut body, other, &old, &new);
        }
    }
    body
}

/// The transport of `four` in IPv6.
pub(crate) fn transport_to_v6(four: &Four, ends: &Ends<A6>, whole: usize) -> Vec<u8> {
    let mut body = four.body.clone();
    match four.number {
        6 | 17 => {
            let length = four.length;
            let old = pseudo4(four.src, four.dst, four.number, length);
            let new = pseudo6(ends.src, ends.dst, four.number, length);
            ports(&mut body, four.number, ends.src_port, ends.dst_port, &old, &new);
        }
        1 => {
            let kind = if body.first() == Some(&8) { 128 } else { 129 };
            echo(&mut body, kind, ends.dst_port, &[], &pseudo6(ends.src, ends.dst, 58, whole));
        }
        other => {
            let (old, new) = ([four.src, four.dst].concat(), [ends.src, ends.dst].concat());
            addresses(&mut body, other, &old, &new);
        }
    }
    body
}

fn ports(body: &mut [u8], number: u8, src: u16, dst: u16, old: &[u8], new: &[u8]) {
    let before = body[..4].to_vec();
    put16(body, 0, src);
    put16(body, 2, dst);
    let at = if number == 6 { 16 } else { 6 };
    if body.len() < at + 2 || number == 17 && be16(body, at) == 0 {
        return;
    }
    let field = corrected(be16(body, at), &[old, &before], &[new, &body[..4]]);
    // RFC 768: zero means that there is none.
    put16(body, at, if number == 17 && field == 0 { 0xffff } else { field });
}

/// Protocols that a NAT64 does not carry. The checksums of DCCP and UDP-Lite cover the addresses.
fn addresses(body: &mut [u8], number: u8, old: &[u8], new: &[u8]) {
    if [33, 136].contains(&number) && body.len() >= 8 {
        let field = corrected(be16(body, 6), &[old], &[new]);
        put16(body, 6, if field == 0 { 0xffff } else { field });
    }
}

fn echo(body: &mut [u8], kind: u8, id: u16, old: &[u8], new: &[u8]) {
    let before = [&body[..2], &body[4..6]].concat();
    body[0] = kind;
    put16(body, 4, id);
    let after = [&body[..2], &body[4..6]].concat();
    let field = corrected(be16(body, 2), &[old, &before], &[new, &after]);
    put16(body, 2, field);
}

/// Section 5.1: the packet in IPv4.
pub(crate) fn to_v4(six: &Six, ends: &Ends<A4>, whole: usize, reset: bool) -> Sent {
    let later = six.part.is_some_and(|p| p.offset != 0);
    let body = if later { six.body.clone() } else { transport_to_v4(six, ends, whole) };
    let total = 20 + body.len();
    let part = six.part.unwrap_or(Part { offset: 0, more: false, id: 0 });
    let header = Header4 {
        tos: if reset { 0 } else { six.class },
        length: body.len(),
        id: part.id as u16,
        dont_fragment: six.part.is_none() && total > 1260,
        more: part.more,
        offset: part.offset,
        ttl: six.hops - 1,
        number: number4(six.next),
        src: ends.src,
        dst: ends.dst,
    };
    Sent::four([header4(&header), body].concat(), six.part.is_none())
}

/// Section 4.1: the packet in IPv6, cut where it must be. What is too large and must not be cut is no matter of this.
pub(crate) fn to_v6(four: &Four, ends: &Ends<A6>, whole: usize, limit: usize, reset: bool) -> Vec<Sent> {
    let later = four.part.is_some_and(|p| p.offset != 0);
    let body = if later { four.body.clone() } else { transport_to_v6(four, ends, whole) };
    let class = if reset { 0 } else { four.tos };
    let next = number6(four.number);
    let (start, last_more) = four.part.map_or((0, false), |p| (p.offset, p.more));
    let header = |length: usize, next: u8| header6(class, length, next, four.ttl - 1, ends.src, ends.dst);
    if four.part.is_none() && (four.dont_fragment || 40 + body.len() <= limit) {
        return vec![Sent::six([header(body.len(), next), body].concat())];
    }
    let most = if four.dont_fragment || 48 + body.len() <= limit { body.len() } else { (limit - 48) / 8 * 8 };
    let pieces: Vec<&[u8]> = body.chunks(most.max(1)).collect();
    let piece = |(n, data): (usize, &&[u8])| {
        let more = n + 1 < pieces.len() || last_more;
        let fragment = fragment_header(next, start + n * most, more, u32::from(four.id));
        Sent::six([header(8 + data.len(), 44), fragment, data.to_vec()].concat())
    };
    pieces.iter().enumerate().map(piece).collect()
}

/// RFC 768: the checksum of a datagram that has none.
pub(crate) fn fill_checksum(four: &mut Four) {
    let length = usize::from(be16(&four.body, 4));
    let pseudo = pseudo4(four.src, four.dst, 17, length);
    put16(&mut four.body, 6, 0);
    let field = sealed(&[&pseudo, &four.body[..length]]);
    put16(&mut four.body, 6, if field == 0 { 0xffff } else { field });
}

/// An ICMPv6 error of our own about `refused`, if RFC 4443, section 2.4 allows one.
pub(crate) fn own6(refused: &[u8], from: A6, (kind, code, word): (u8, u8, u32)) -> Option<Sent> {
    let bytes = trimmed6(refused, false).ok()?;
    let mut src = [0; 16];
    src.copy_from_slice(&bytes[8..24]);
    if src[0] == 0xff || src[..15] == [0; 15] && src[15] <= 1 {
        return None;
    }
    let (next, message) = upper6(bytes)?;
    let error = message.first().is_none_or(|kind| *kind < 128 || *kind == 137) || message.len() < 8;
    if next == 58 && error {
        return None;
    }
    let quoted = &bytes[..bytes.len().min(1232)];
    let mut message = [&[kind, code, 0, 0][..], &word.to_be_bytes(), quoted].concat();
    let field = sealed(&[&pseudo6(from, src, 58, message.len()), &message]);
    put16(&mut message, 2, field);
    Some(Sent::six([header6(0, message.len(), 58, 64, from, src), message].concat()))
}

/// The transport of a packet, also of one that is refused for its headers; `None` for a later fragment or a chain that
/// cannot be followed.
fn upper6(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (mut next, mut at, mut part) = (bytes[6], 40, false);
    for _ in 0..9 {
        let length = match next {
            0 | 43 | 60 | 44 | 51 if bytes.len() < at + 8 => return None,
            0 | 43 | 60 => (usize::from(bytes[at + 1]) + 1) * 8,
            51 => (usize::from(bytes[at + 1]) + 2) * 4,
            44 if part || be16(bytes, at + 2) & 0xfff8 != 0 => return None,
            44 => {
                part = true;
                8
            }
            _ => return Some((next, &bytes[at..])),
        };
        next = bytes[at];
        at += length;
        if at > bytes.len() || at - 40 > 1024 {
            return None;
        }
    }
    None
}

/// An ICMPv4 error of our own about `refused`, if RFC 1122, section 3.2.2 allows one.
pub(crate) fn own4(refused: &[u8], from: A4, (kind, code, word): (u8, u8, u32)) -> Option<Sent> {
    let header = usize::from(refused[0] & 15) * 4;
    let dst: A4 = refused[12..16].try_into().unwrap();
    if crate::octets::unusable4(dst) || be16(refused, 6) & 0x1fff != 0 {
        return None;
    }
    let query = |kind: &u8| [0, 8, 13, 14, 15, 16, 17, 18].contains(kind);
    if refused[9] == 1 && !refused.get(header).is_some_and(query) {
        return None;
    }
    let quoted = &refused[..refused.len().min(548)];
    let mut message = [&[kind, code, 0, 0][..], &word.to_be_bytes(), quoted].concat();
    let field = sealed(&[&message]);
    put16(&mut message, 2, field);
    let outer = Header4 {
        // RFC 1812, section 4.3.2.5.
        tos: 0xc0,
        length: message.len(),
        id: 0,
        dont_fragment: false,
        more: false,
        offset: 0,
        ttl: 64,
        number: 1,
        src: from,
        dst,
    };
    Some(Sent::four([header4(&outer), message].concat(), true))
}
