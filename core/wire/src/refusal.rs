//! ICMPv6 errors that quote the packet they refuse (RFC 4443, section 2.4).

use core::net::Ipv6Addr;

use crate::icmpv6::{self, Icmpv6, unreachable};
use crate::ipv6::{self, Ipv6};
use crate::{Packet, protocol};

/// What is wrong, as ICMPv6 says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// 1/0.
    NoRoute,
    /// 1/1.
    Prohibited,
    /// 1/3.
    AddressUnreachable,
    /// 1/4.
    PortUnreachable,
    /// 1/5.
    SourcePolicy,
    /// 2/0 with the MTU of the link that the packet does not fit.
    TooBig {
        /// In octets, IPv6 header included.
        mtu: u32,
    },
    /// 3/0.
    HopLimit,
    /// 4/1 with a pointer to the next-header field that is not understood.
    UnknownNextHeader {
        /// Octets from the start of the refused packet.
        pointer: u32,
    },
    /// 4/0 with a pointer to the field that is wrong.
    WrongField {
        /// Octets from the start of the refused packet.
        pointer: u32,
    },
}

impl Refusal {
    /// Type, code and the four octets behind the checksum.
    #[must_use]
    pub const fn parts(self) -> (u8, u8, u32) {
        match self {
            Self::NoRoute => (icmpv6::UNREACHABLE, unreachable::NO_ROUTE, 0),
            Self::Prohibited => (icmpv6::UNREACHABLE, unreachable::PROHIBITED, 0),
            Self::AddressUnreachable => (icmpv6::UNREACHABLE, unreachable::ADDRESS, 0),
            Self::PortUnreachable => (icmpv6::UNREACHABLE, unreachable::PORT, 0),
            Self::SourcePolicy => (icmpv6::UNREACHABLE, unreachable::SOURCE_POLICY, 0),
            Self::TooBig { mtu } => (icmpv6::TOO_BIG, 0, mtu),
            Self::HopLimit => (icmpv6::TIME_EXCEEDED, 0, 0),
            Self::WrongField { pointer } => (icmpv6::PARAMETER_PROBLEM, 0, pointer),
            Self::UnknownNextHeader { pointer } => (icmpv6::PARAMETER_PROBLEM, 1, pointer),
        }
    }
}

/// Largest error message: the minimum MTU of IPv6.
pub const LARGEST: usize = 1280;

/// Writes the error about `refused` into `out`, from `from` to the source of `refused`, hop limit 64.
///
/// False, with `out` empty, when RFC 4443, section 2.4 (e) forbids an error: the packet is itself an error or a
/// redirect, its source names no single node, it went to a multicast address (too big excepted), or it is a later fragment;
/// and when its headers hide what it is.
pub fn write(refusal: Refusal, refused: &[u8], from: Ipv6Addr, out: &mut Packet) -> bool {
    out.reset();
    let Ok(ip) = Ipv6::parse_quoted(refused) else {
        return false;
    };
    if !may_be_refused(&ip, refusal) {
        return false;
    }
    let quoted = &refused[..refused.len().min(LARGEST - ipv6::HEADER - icmpv6::HEADER)];
    let (kind, code, word) = refusal.parts();
    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        // At most 1280 - 40.
        payload_len: (icmpv6::HEADER + quoted.len()) as u16,
        next_header: protocol::ICMPV6,
        hop_limit: 64,
        src: from,
        dst: ip.src(),
    };
    let mut icmp = [0; icmpv6::HEADER];
    icmp[0] = kind;
    icmp[1] = code;
    icmp[4..8].copy_from_slice(&word.to_be_bytes());
    let whole = out.extend(&header.octets()) && out.extend(&icmp) && out.extend(quoted);
    if !whole {
        out.reset();
        return false;
    }
    icmpv6::finish(&mut out.bytes_mut()[ipv6::HEADER..], from, ip.src());
    true
}

fn may_be_refused(ip: &Ipv6<'_>, refusal: Refusal) -> bool {
    let src = ip.src();
    if src.is_unspecified() || src.is_multicast() || src.is_loopback() {
        return false;
    }
    if ip.dst().is_multicast() && !matches!(refusal, Refusal::TooBig { .. }) {
        return false;
    }
    // What cannot be read may be an error as well.
    let Ok(upper) = ip.upper() else { return false };
    if upper.is_later_fragment() {
        return false;
    }
    if upper.protocol != protocol::ICMPV6 {
        return true;
    }
    match Icmpv6::parse(&ip.bytes()[upper.offset..]) {
        Ok(icmp) => !icmp.is_error() && icmp.kind() != icmpv6::REDIRECT,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp_packet(src: &str, dst: &str, len: usize) -> Packet {
        let header = ipv6::Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: len as u16,
            next_header: protocol::UDP,
            hop_limit: 1,
            src: src.parse().unwrap(),
            dst: dst.parse().unwrap(),
        };
        let mut p = Packet::with_capacity(2000);
        assert!(p.extend(&header.octets()));
        assert!(p.extend(&[0x55; 1500][..len]));
        p
    }

    #[test]
    fn quotes_as_much_as_fits_in_1280() {
        let from = "fd00::1".parse().unwrap();
        let mut out = Packet::new();
        assert!(write(
            Refusal::TooBig { mtu: 1280 },
            udp_packet("fd00::2", "fd00::3", 1400).bytes(),
            from,
            &mut out
        ));
        assert_eq!(out.len(), 1280);
        let ip = Ipv6::parse(out.bytes()).unwrap();
        let icmp = Icmpv6::parse(ip.payload()).unwrap();
        assert!(icmp.checksum_ok(ip.src(), ip.dst()));
        assert_eq!((icmp.kind(), icmp.code(), icmp.word()), (2, 0, 1280));
    }

    #[test]
    fn no_error_about_what_hides_whether_it_is_one() {
        let (from, mut out) = ("fd00::1".parse().unwrap(), Packet::new());
        let mut packet = udp_packet("fd00::2", "fd00::3", 16);
        assert!(write(Refusal::NoRoute, packet.bytes(), from, &mut out));
        // Destination options that end behind the packet.
        packet.bytes_mut()[6] = protocol::DESTINATION;
        assert!(!write(Refusal::NoRoute, packet.bytes(), from, &mut out));
    }

    #[test]
    fn no_error_about_an_error_or_to_nobody() {
        let from = "fd00::1".parse().unwrap();
        let mut first = Packet::new();
        let mut out = Packet::new();
        assert!(write(Refusal::NoRoute, udp_packet("fd00::2", "fd00::3", 10).bytes(), from, &mut first));
        assert!(!write(Refusal::NoRoute, first.bytes(), from, &mut out));
        assert!(!write(Refusal::NoRoute, udp_packet("::", "fd00::3", 10).bytes(), from, &mut out));
        assert!(!write(Refusal::NoRoute, udp_packet("fd00::2", "ff02::1", 10).bytes(), from, &mut out));
        assert!(out.is_empty());
    }
}
