//! ICMPv4 errors about packets of protocol 41 (RFC 792; RFC 4213, section 3.4).

use core::net::Ipv4Addr;

use crate::checksum::Sum;
use crate::ipv4::Ipv4;
use crate::{be16, protocol};

/// Octets of the ICMP header.
const ICMP: usize = 8;
const UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const PORT_UNREACHABLE: u8 = 3;
const SOURCE_ROUTE_FAILED: u8 = 5;
const TIME_EXCEEDED: u8 = 11;
const IN_TRANSIT: u8 = 0;

/// What the IPv4 network says of a packet that we sent into it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathError<'a> {
    /// Our address: where the packet came from.
    pub from: Ipv4Addr,
    /// Where the packet was to go.
    pub to: Ipv4Addr,
    /// What became of it.
    pub fault: PathFault,
    /// The inner packet as far as it is quoted; empty when only the outer header is.
    pub quoted: &'a [u8],
}

/// What became of a packet on its IPv4 path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathFault {
    /// Its destination is not reached, or takes no protocol 41.
    Unreachable,
    /// Its time to live ended on the way.
    Expired,
    /// It may not be cut and does not fit.
    TooBig {
        /// Largest IPv4 packet that does, in octets; zero when the router does not say.
        mtu: u16,
    },
}

impl<'a> PathError<'a> {
    /// Reads an IPv4 packet; `None` for everything that is no such error, is damaged, or says nothing of the path.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let ip = Ipv4::parse(bytes).ok()?;
        if ip.protocol() != protocol::ICMP || ip.is_fragment() {
            return None;
        }
        let icmp = ip.payload();
        if icmp.len() < ICMP || Sum::new().with(icmp).fold() != 0xffff {
            return None;
        }
        let fault = match (icmp[0], icmp[1]) {
            (UNREACHABLE, FRAGMENTATION_NEEDED) => PathFault::TooBig { mtu: be16(icmp, 6) },
            // The first cannot be about protocol 41, and nobody sends source routes.
            (UNREACHABLE, PORT_UNREACHABLE | SOURCE_ROUTE_FAILED) => return None,
            (UNREACHABLE, _) => PathFault::Unreachable,
            (TIME_EXCEEDED, IN_TRANSIT) => PathFault::Expired,
            _ => return None,
        };
        let original = original(icmp);
        let outer = Ipv4::parse_quoted(original).ok()?;
        if outer.protocol() != protocol::IPV6 || outer.fragment_offset() != 0 {
            return None;
        }
        Some(Self { from: outer.src(), to: outer.dst(), fault, quoted: outer.payload() })
    }
}

/// What is quoted, without the extensions that may follow it (RFC 4884, section 4: a length in words, zero in old routers).
fn original(icmp: &[u8]) -> &[u8] {
    let all = &icmp[ICMP..];
    match usize::from(icmp[5]) * 4 {
        0 => all,
        length => all.get(..length).unwrap_or(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipv4::Header;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const US: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
    const HOST: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);
    const HOP: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 254);

    fn header(protocol: u8, src: Ipv4Addr, dst: Ipv4Addr, payload: usize) -> [u8; 20] {
        let header = Header {
            tos: 0,
            total_len: (20 + payload) as u16,
            identification: 7,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 60,
            protocol,
            src,
            dst,
        };
        header.octets()
    }

    /// An error with `rest` behind the checksum about a packet of `protocol` with `inner` in it.
    fn error(kind: u8, code: u8, rest: [u8; 4], protocol: u8, inner: &[u8]) -> Vec<u8> {
        let mut icmp = Vec::from([kind, code, 0, 0]);
        icmp.extend(rest);
        icmp.extend(header(protocol, US, HOST, 1280));
        icmp.extend(inner);
        let sum = Sum::new().with(&icmp).finish();
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        [&header(1, HOP, US, icmp.len())[..], &icmp].concat()
    }

    #[test]
    fn errors_about_the_path_are_told_apart() {
        let inner = [0x60; 48];
        let fault = |kind, code, rest| {
            let bytes = error(kind, code, rest, 41, &inner);
            PathError::parse(&bytes).map(|e| {
                assert_eq!((e.from, e.to, e.quoted), (US, HOST, &inner[..]));
                e.fault
            })
        };
        for code in [0, 1, 2, 9, 10, 13] {
            assert_eq!(fault(3, code, [0; 4]), Some(PathFault::Unreachable), "{code}");
        }
        assert_eq!(fault(3, 4, [0, 0, 5, 0]), Some(PathFault::TooBig { mtu: 1280 }));
        assert_eq!(fault(11, 0, [0; 4]), Some(PathFault::Expired));
        for (kind, code) in [(3, 3), (3, 5), (11, 1), (12, 0), (0, 0), (8, 0), (5, 1)] {
            assert_eq!(fault(kind, code, [0; 4]), None, "{kind} {code}");
        }
    }

    #[test]
    fn what_is_damaged_or_about_something_else_is_nothing() {
        let good = error(3, 1, [0; 4], 41, &[0x60; 8]);
        assert!(PathError::parse(&good).is_some_and(|e| e.quoted.len() == 8));
        let mut damaged = good.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(PathError::parse(&damaged), None);
        assert_eq!(PathError::parse(&error(3, 1, [0; 4], 17, &[0; 8])), None);
        assert_eq!(PathError::parse(&good[..40]), None);
    }

    #[test]
    fn extensions_are_not_quoted_octets() {
        let inner = [&[0x60_u8; 108][..], &[0x20, 0, 0, 0, 0, 8, 1, 1, 1, 2, 3, 4]].concat();
        let bytes = error(3, 1, [0, 32, 0, 0], 41, &inner);
        assert_eq!(PathError::parse(&bytes).unwrap().quoted, [0x60; 108]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = PathError::parse(&bytes);
            let mut icmp = error(3, 1, [0; 4], 41, &bytes);
            if let Some(first) = bytes.first() {
                let at = usize::from(*first) % icmp.len();
                icmp[at] ^= 0x5a;
            }
            if let Some(error) = PathError::parse(&icmp) {
                prop_assert!(error.quoted.len() <= icmp.len());
            }
        }
    }
}
