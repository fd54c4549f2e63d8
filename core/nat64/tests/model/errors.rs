//! Errors of others, with what they quote: RFC 7915, sections 4.2, 4.3, 5.2, 5.3; RFC 4884.

use crate::octets::{A4, A6, be16, be32, corrected, pseudo6, put16};
use crate::read::{Four, Six, read4, read6};
use crate::tables::Message;
use crate::write::{
    Ends, Header4, fragment_header, header4, header6, number4, number6, transport_to_v4, transport_to_v6,
};

/// What an error says and quotes.
pub(crate) struct Error<P> {
    pub(crate) message: Message,
    pub(crate) quoted: P,
    /// The ports in it, or twice the identifier.
    pub(crate) ports: (u16, u16),
    extension: Vec<u8>,
}

pub(crate) fn said(body: &[u8]) -> Option<Message> {
    (body.len() >= 8).then(|| (body[0], body[1], be32(body, 4)))
}

/// The quoted packet and the extension behind it, by the length field of RFC 4884.
fn split(body: &[u8], length: usize) -> (&[u8], Vec<u8>) {
    let rest = &body[8..];
    if length == 0 || length > rest.len() {
        (rest, Vec::new())
    } else {
        (&rest[..length], rest[length..].to_vec())
    }
}

pub(crate) fn error6(body: &[u8]) -> Option<Error<Six>> {
    let message = said(body)?;
    let length = if [1, 3].contains(&message.0) { usize::from(body[4]) * 8 } else { 0 };
    let (quoted, extension) = split(body, length);
    let quoted = read6(quoted, true).ok()?;
    let ports = ends(quoted.next == 58, &quoted.body, quoted.next, [128, 129])?;
    (quoted.part.is_none_or(|p| p.offset == 0)).then_some(Error { message, quoted, ports, extension })
}

/// The same of a packet that may carry anything and be a later fragment, but no part of an ICMP message.
pub(crate) fn error6_of_any(body: &[u8]) -> Option<Error<Six>> {
    let message = said(body)?;
    let length = if [1, 3].contains(&message.0) { usize::from(body[4]) * 8 } else { 0 };
    let (quoted, extension) = split(body, length);
    let quoted = read6(quoted, true).ok()?;
    let offset = quoted.part.filter(|_| quoted.is_part()).map(|p| p.offset);
    let ports = ends_of_any(quoted.next, 58, offset, &quoted.body, [128, 129])?;
    (quoted.next != 1).then_some(Error { message, quoted, ports, extension })
}

pub(crate) fn error4_of_any(body: &[u8]) -> Option<Error<Four>> {
    let message = said(body)?;
    let length = if [3, 11, 12].contains(&message.0) { usize::from(body[5]) * 4 } else { 0 };
    let (quoted, extension) = split(body, length);
    let quoted = read4(quoted, true).ok()?;
    let ports = ends_of_any(quoted.number, 1, quoted.part.map(|p| p.offset), &quoted.body, [8, 0])?;
    (![0, 43, 44, 58, 60].contains(&quoted.number)).then_some(Error { message, quoted, ports, extension })
}

fn ends_of_any(number: u8, icmp: u8, part: Option<usize>, body: &[u8], echo: [u8; 2]) -> Option<(u16, u16)> {
    match (number, part) {
        (number, Some(_)) if number == icmp => None,
        (6 | 17, Some(1..)) => Some((0, 0)),
        (6 | 17, _) => ends(false, body, number, echo),
        (number, None) if number == icmp => ends(true, body, number, echo),
        _ => Some((0, 0)),
    }
}

pub(crate) fn error4(body: &[u8]) -> Option<Error<Four>> {
    let message = said(body)?;
    let length = if [3, 11, 12].contains(&message.0) { usize::from(body[5]) * 4 } else { 0 };
    let (quoted, extension) = split(body, length);
    let quoted = read4(quoted, true).ok()?;
    let ports = ends(quoted.number == 1, &quoted.body, quoted.number, [8, 0])?;
    (quoted.part.is_none_or(|p| p.offset == 0)).then_some(Error { message, quoted, ports, extension })
}

/// The ports, or the identifier twice. Eight octets must be there.
pub(crate) fn ends(icmp: bool, body: &[u8], number: u8, echo: [u8; 2]) -> Option<(u16, u16)> {
    if body.len() < 8 {
        return None;
    }
    match (icmp, number) {
        (true, _) => echo.contains(&body[0]).then(|| (be16(body, 4), be16(body, 4))),
        (false, 6 | 17) => Some((be16(body, 0), be16(body, 2))),
        (false, _) => None,
    }
}

/// The body of the ICMPv4 error; `inner` is what the quoted packet's ends become.
pub(crate) fn to_v4(
    body: &[u8],
    error: &Error<Six>,
    to: Message,
    inner: &Ends<A4>,
    outer: (A6, A6),
) -> Vec<u8> {
    let six = &error.quoted;
    let header = Header4 {
        tos: six.class,
        length: six.length,
        id: six.part.map_or(0, |p| p.id as u16),
        dont_fragment: six.part.is_none() && 20 + six.length > 1260,
        more: six.part.is_some_and(|p| p.more),
        offset: six.part.map_or(0, |p| p.offset),
        // Section 5.3: not one less.
        ttl: six.hops,
        number: number4(six.next),
        src: inner.src,
        dst: inner.dst,
    };
    let later = six.part.is_some_and(|p| p.offset != 0);
    let transport = if later { six.body.clone() } else { transport_to_v4(six, inner, six.length) };
    let quoted = [header4(&header), transport].concat();
    let extends = [3, 11].contains(&to.0) && error.message.0 != 2;
    let mut out = placed(to, &quoted, if extends { &error.extension } else { &[] }, 4, 5, 576 - 20);
    let field = be16(body, 2);
    let field = corrected(field, &[&pseudo6(outer.0, outer.1, 58, body.len()), &without(body)], &[&out]);
    put16(&mut out, 2, field);
    out
}

/// The body of the ICMPv6 error.
pub(crate) fn to_v6(
    body: &[u8],
    error: &Error<Four>,
    to: Message,
    inner: &Ends<A6>,
    outer: (A6, A6),
) -> Vec<u8> {
    let four = &error.quoted;
    let fragment =
        four.part.map(|p| fragment_header(number6(four.number), p.offset, p.more, p.id)).unwrap_or_default();
    let next = if four.part.is_some() { 44 } else { number6(four.number) };
    let header = header6(four.tos, fragment.len() + four.length, next, four.ttl, inner.src, inner.dst);
    let later = four.part.is_some_and(|p| p.offset != 0);
    let transport = if later { four.body.clone() } else { transport_to_v6(four, inner, four.length) };
    let quoted = [header, fragment, transport].concat();
    let extends = [1, 3].contains(&to.0);
    let mut out = placed(to, &quoted, if extends { &error.extension } else { &[] }, 8, 4, 1280 - 40);
    let field = be16(body, 2);
    let pseudo = pseudo6(outer.0, outer.1, 58, out.len());
    let field = corrected(field, &[&without(body)], &[&pseudo, &out]);
    put16(&mut out, 2, field);
    out
}

/// The message without its checksum.
fn without(body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    put16(&mut body, 2, 0);
    body
}

/// Header, quoted packet and extension in at most `most` octets. RFC 4884, section 4: the packet is padded to 128 octets
/// and to a multiple of `unit`; it is cut rather than the extension, and the extension goes where even 128 have no room.
fn placed(
    (kind, code, word): Message,
    quoted: &[u8],
    extension: &[u8],
    unit: usize,
    at: usize,
    most: usize,
) -> Vec<u8> {
    let mut out = [&[kind, code, 0, 0][..], &word.to_be_bytes()].concat();
    let room = most - 8;
    if extension.is_empty() || extension.len() + 128 > room {
        out.extend(&quoted[..quoted.len().min(room)]);
        return out;
    }
    let mut length = quoted.len().max(128);
    while !length.is_multiple_of(unit) {
        length += 1;
    }
    while length + extension.len() > room || !length.is_multiple_of(unit) {
        length -= 1;
    }
    let mut padded = quoted.to_vec();
    padded.resize(length, 0);
    out.extend(&padded);
    out.extend(extension);
    out[at] = (length / unit) as u8;
    out
}
