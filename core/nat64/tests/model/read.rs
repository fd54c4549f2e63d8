//! Packets read: RFC 791 and RFC 8200.

use sixgate_reason::{self as reason, Reason};

use crate::octets::{A4, A6, be16, be32};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) offset: usize,
    pub(crate) more: bool,
    pub(crate) id: u32,
}

/// An IPv6 packet.
#[derive(Clone, Debug)]
pub(crate) struct Six {
    pub(crate) class: u8,
    pub(crate) hops: u8,
    pub(crate) src: A6,
    pub(crate) dst: A6,
    /// The fragment header, also of an atomic one.
    pub(crate) part: Option<Part>,
    pub(crate) next: u8,
    /// What stands behind the last header, as far as it is there.
    pub(crate) body: Vec<u8>,
    /// How long the body is by the length field.
    pub(crate) length: usize,
}

impl Six {
    /// Really a part: RFC 6946 calls the others atomic.
    pub(crate) fn is_part(&self) -> bool {
        self.part.is_some_and(|p| p.offset != 0 || p.more)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad6 {
    Malformed(Reason),
    /// Segments left; where the octet is.
    Routing(usize),
    /// An extension header behind the fragment header.
    Behind,
}

/// The packet without what lies behind it; of a quoted one, what there is.
pub(crate) fn trimmed6(bytes: &[u8], quoted: bool) -> Result<&[u8], Reason> {
    if bytes.len() < 40 || bytes[0] >> 4 != 6 {
        return Err(reason::MALFORMED_IPV6);
    }
    let end = 40 + usize::from(be16(bytes, 4));
    if end > bytes.len() && !quoted {
        return Err(reason::MALFORMED_IPV6);
    }
    Ok(&bytes[..end.min(bytes.len())])
}

pub(crate) fn read6(bytes: &[u8], quoted: bool) -> Result<Six, Bad6> {
    let malformed = Bad6::Malformed(reason::MALFORMED_EXTENSION);
    let bytes = trimmed6(bytes, quoted).map_err(Bad6::Malformed)?;
    let (mut next, mut at) = (bytes[6], 40);
    let (mut part, mut part_end, mut routing) = (None, 0, None);
    let mut authenticated = None;
    let mut headers = 0;
    loop {
        let length = match next {
            0 | 43 | 60 | 44 | 51 if bytes.len() < at + 8 => return Err(malformed),
            0 | 43 | 60 => (usize::from(bytes[at + 1]) + 1) * 8,
            44 => 8,
            51 => (usize::from(bytes[at + 1]) + 2) * 4,
            _ => break,
        };
        headers += 1;
        // The shipped one follows eight headers and 1,024 octets.
        if headers > 9 || at + length > bytes.len() || at + length - 40 > 1024 {
            return Err(malformed);
        }
        if next == 43 && bytes[at + 3] != 0 {
            routing = Some(at + 3);
        }
        if next == 51 && authenticated.is_none() {
            authenticated = Some(at);
        }
        let mut later = false;
        if next == 44 {
            if part.is_some() {
                return Err(malformed);
            }
            let field = be16(bytes, at + 2);
            let found =
                Part { offset: usize::from(field & 0xfff8), more: field & 1 == 1, id: be32(bytes, at + 4) };
            later = found.offset != 0;
            part = Some(found);
            part_end = at + 8;
        }
        next = bytes[at];
        at += length;
        if later {
            break;
        }
        if headers == 9 {
            return Err(malformed);
        }
    }
    if let Some(at) = routing {
        return Err(Bad6::Routing(at));
    }
    if part.is_some() && (at != part_end || [0, 43, 44, 51, 60].contains(&next)) {
        return Err(Bad6::Behind);
    }
    // An authentication header covers the addresses: what is behind it is hidden.
    (next, at) = authenticated.map_or((next, at), |at| (51, at));
    let mut address = [[0; 16]; 2];
    address[0].copy_from_slice(&bytes[8..24]);
    address[1].copy_from_slice(&bytes[24..40]);
    Ok(Six {
        class: bytes[0] << 4 | bytes[1] >> 4,
        hops: bytes[7],
        src: address[0],
        dst: address[1],
        part,
        next,
        body: bytes[at..].to_vec(),
        length: 40 + usize::from(be16(bytes, 4)) - at,
    })
}

/// An IPv4 packet.
#[derive(Clone, Debug)]
pub(crate) struct Four {
    pub(crate) tos: u8,
    pub(crate) id: u16,
    pub(crate) dont_fragment: bool,
    /// Set for a part of a datagram.
    pub(crate) part: Option<Part>,
    pub(crate) ttl: u8,
    pub(crate) number: u8,
    pub(crate) src: A4,
    pub(crate) dst: A4,
    pub(crate) body: Vec<u8>,
    /// How long the body is by the length field.
    pub(crate) length: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad4 {
    Malformed,
    SourceRoute,
}

pub(crate) fn trimmed4(bytes: &[u8], quoted: bool) -> Result<&[u8], Bad4> {
    if bytes.len() < 20 || bytes[0] >> 4 != 4 {
        return Err(Bad4::Malformed);
    }
    let (header, total) = (usize::from(bytes[0] & 15) * 4, usize::from(be16(bytes, 2)));
    if header < 20 || total < header || bytes.len() < header || total > bytes.len() && !quoted {
        return Err(Bad4::Malformed);
    }
    Ok(&bytes[..total.min(bytes.len())])
}

pub(crate) fn read4(bytes: &[u8], quoted: bool) -> Result<Four, Bad4> {
    let bytes = trimmed4(bytes, quoted)?;
    let header = usize::from(bytes[0] & 15) * 4;
    if !quoted {
        // A header that adds up is a multiple of 65,535, and a header is never all zero.
        if crate::octets::sum(&bytes[..header]) != 0 {
            return Err(Bad4::Malformed);
        }
        source_route(&bytes[20..header])?;
    }
    let field = be16(bytes, 6);
    let id = be16(bytes, 4);
    let part = Part { offset: usize::from(field & 0x1fff) * 8, more: field & 0x2000 != 0, id: u32::from(id) };
    Ok(Four {
        tos: bytes[1],
        id,
        dont_fragment: field & 0x4000 != 0,
        part: (part.offset != 0 || part.more).then_some(part),
        ttl: bytes[8],
        number: bytes[9],
        src: [bytes[12], bytes[13], bytes[14], bytes[15]],
        dst: [bytes[16], bytes[17], bytes[18], bytes[19]],
        body: bytes[header..].to_vec(),
        length: usize::from(be16(bytes, 2)) - header,
    })
}

/// RFC 7915, section 4.1, of options only: a source route that has not come to its end.
fn source_route(options: &[u8]) -> Result<(), Bad4> {
    let mut at = 0;
    while at < options.len() && options[at] != 0 {
        if options[at] == 1 {
            at += 1;
            continue;
        }
        let length = usize::from(*options.get(at + 1).ok_or(Bad4::Malformed)?);
        if length < 2 || at + length > options.len() {
            return Err(Bad4::Malformed);
        }
        if [131, 137].contains(&options[at]) {
            if length < 3 {
                return Err(Bad4::Malformed);
            }
            if usize::from(options[at + 2]) <= length {
                return Err(Bad4::SourceRoute);
            }
        }
        at += length;
    }
    Ok(())
}
