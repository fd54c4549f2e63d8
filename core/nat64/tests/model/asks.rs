//! What transport headers ask for, and what becomes of a session then: RFC 6146, section 3.5.

use sixgate_reason::{self as reason, Reason};

use crate::octets::{A6, be16, pseudo6, put16, sealed};
use crate::read::Six;
use crate::state::Inside;
use crate::write::{Sent, header6};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Datagram,
    Query,
    V4Init,
    V6Init,
    Established,
    V4Fin,
    V6Fin,
    BothFin,
    Trans,
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) kind: Kind,
    pub(crate) expires: u64,
    pub(crate) prefix: usize,
}

/// What the transport header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Datagram,
    Request,
    Reply,
    Segment { opens: bool, syn: bool, fin: bool, rst: bool },
}

/// Refused, and what the sender is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct No {
    pub(crate) reason: Reason,
    pub(crate) word: Option<(u8, u8, u32)>,
}

pub(crate) fn silent(reason: Reason) -> No {
    No { reason, word: None }
}

pub(crate) fn told(reason: Reason, kind: u8, code: u8, word: u32) -> No {
    No { reason, word: Some((kind, code, word)) }
}

/// RFC 7112: a first fragment without its transport header is no accident.
pub(crate) fn headless(no: No) -> No {
    let reason =
        if no.reason == reason::MALFORMED_TRANSPORT { reason::NAT64_FRAGMENT_OVERLAP } else { no.reason };
    No { reason, ..no }
}

pub(crate) fn segment(body: &[u8]) -> Result<Ask, No> {
    let header = body.get(12).map_or(0, |octet| usize::from(octet >> 4) * 4);
    if body.len() < 20 || header < 20 || header > body.len() {
        return Err(silent(reason::MALFORMED_TRANSPORT));
    }
    let flag = |bit: u8| body[13] & bit != 0;
    let rst = flag(4);
    let opens = flag(2) && !flag(16) && !rst;
    Ok(Ask::Segment { opens, syn: flag(2) && !rst, fin: flag(1) && !flag(2) && !rst, rst })
}

pub(crate) fn ask6(six: &Six) -> Result<Ask, No> {
    let body = &six.body;
    match six.next {
        6 => segment(body),
        17 => {
            let length = usize::from(if body.len() < 8 { 0 } else { be16(body, 4) });
            if length < 8 {
                return Err(silent(reason::MALFORMED_TRANSPORT));
            }
            if be16(body, 6) == 0 {
                return Err(silent(reason::NAT64_UDP_ZERO_CHECKSUM));
            }
            if !six.is_part() && length > body.len() {
                return Err(silent(reason::MALFORMED_TRANSPORT));
            }
            Ok(Ask::Datagram)
        }
        _ if body.len() < 8 => Err(silent(reason::MALFORMED_TRANSPORT)),
        _ => match body[0] {
            128 => Ok(Ask::Request),
            129 => Ok(Ask::Reply),
            _ => Err(silent(reason::NAT64_ICMP_UNTRANSLATABLE)),
        },
    }
}

/// RFC 6146, section 4.
pub(crate) fn lifetime(kind: Kind) -> u64 {
    match kind {
        Kind::Datagram => 300,
        Kind::Query => 60,
        Kind::Established | Kind::V4Fin | Kind::V6Fin => 7440,
        Kind::V4Init | Kind::V6Init | Kind::BothFin | Kind::Trans => 240,
    }
}

/// RFC 6146, section 3.5.2.2, a paragraph a state.
pub(crate) fn step(session: &mut Session, from_v6: bool, ask: Ask, now: u64) {
    let Ask::Segment { syn, fin, rst, .. } = ask else {
        session.expires = now + lifetime(session.kind);
        return;
    };
    let next = match session.kind {
        Kind::V4Init if from_v6 && syn => Kind::Established,
        Kind::V6Init if !from_v6 && syn => Kind::Established,
        Kind::V6Init if from_v6 && syn => Kind::V6Init,
        Kind::V4Init | Kind::V6Init => return,
        Kind::Established if rst => Kind::Trans,
        Kind::Established if fin && from_v6 => Kind::V6Fin,
        Kind::Established if fin => Kind::V4Fin,
        Kind::Established => Kind::Established,
        Kind::V4Fin if fin && from_v6 => Kind::BothFin,
        Kind::V6Fin if fin && !from_v6 => Kind::BothFin,
        kind @ (Kind::V4Fin | Kind::V6Fin) => kind,
        Kind::BothFin => return,
        Kind::Trans if rst => return,
        Kind::Trans => Kind::Established,
        kind @ (Kind::Datagram | Kind::Query) => kind,
    };
    session.kind = next;
    session.expires = now + lifetime(next);
}

/// RFC 6146, section 3.5.2.2: what asks the inside whether a connection that was silent still is one.
pub(crate) fn probe(src: A6, src_port: u16, (dst, dst_port): Inside) -> Sent {
    let mut body = vec![0; 20];
    put16(&mut body, 0, src_port);
    put16(&mut body, 2, dst_port);
    body[12] = 0x50;
    body[13] = 0x10;
    let field = sealed(&[&pseudo6(src, dst, 6, 20), &body]);
    put16(&mut body, 16, field);
    Sent::six([header6(0, 20, 6, 64, src, dst), body].concat())
}
