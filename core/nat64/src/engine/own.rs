//! Errors of our own, in both families, rate-limited.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{MALFORMED_EXTENSION, NAT64_ROUTING_HEADER, NAT64_SOURCE_ROUTE, Reason};
use sixgate_time::Instant;
use sixgate_wire::checksum::Sum;
use sixgate_wire::ipv4::{self, Ipv4};
use sixgate_wire::refusal::{self, Refusal};
use sixgate_wire::{Packet, protocol};

use super::Nat64;
use crate::identification::Identifications;
use crate::scope;
use crate::translate::{Fault4, Fault6};

/// An IPv6 packet that ends here, and what its sender is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused6 {
    pub(crate) reason: Reason,
    pub(crate) refusal: Option<Refusal>,
}

impl Refused6 {
    pub(crate) const fn silent(reason: Reason) -> Self {
        Self { reason, refusal: None }
    }

    pub(crate) const fn with(reason: Reason, refusal: Refusal) -> Self {
        Self { reason, refusal: Some(refusal) }
    }

    /// A packet that cannot be translated, whatever its addresses.
    pub(crate) const fn fault(fault: Fault6) -> Self {
        match fault {
            Fault6::Malformed(fault) => Self::silent(fault.reason()),
            Fault6::RoutingHeader { pointer } => {
                Self::with(NAT64_ROUTING_HEADER, Refusal::WrongField { pointer })
            }
            Fault6::ExtensionAfterFragment => Self::with(MALFORMED_EXTENSION, Refusal::Prohibited),
        }
    }
}

/// What the sender of an IPv4 packet is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal4 {
    /// 3/1.
    HostUnreachable,
    /// 3/2.
    ProtocolUnreachable,
    /// 3/3.
    PortUnreachable,
    /// 3/4.
    FragmentationNeeded { mtu: u16 },
    /// 3/5.
    SourceRouteFailed,
    /// 3/13.
    Prohibited,
    /// 11/0.
    TimeExceeded,
}

impl Refusal4 {
    const fn parts(self) -> (u8, u8, u16) {
        match self {
            Self::HostUnreachable => (3, 1, 0),
            Self::ProtocolUnreachable => (3, 2, 0),
            Self::PortUnreachable => (3, 3, 0),
            Self::FragmentationNeeded { mtu } => (3, 4, mtu),
            Self::SourceRouteFailed => (3, 5, 0),
            Self::Prohibited => (3, 13, 0),
            Self::TimeExceeded => (11, 0, 0),
        }
    }
}

/// An IPv4 packet that ends here, and what its sender is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused4 {
    pub(crate) reason: Reason,
    pub(crate) refusal: Option<Refusal4>,
}

impl Refused4 {
    pub(crate) const fn silent(reason: Reason) -> Self {
        Self { reason, refusal: None }
    }

    pub(crate) const fn with(reason: Reason, refusal: Refusal4) -> Self {
        Self { reason, refusal: Some(refusal) }
    }

    /// A packet that cannot be translated, whatever its addresses.
    pub(crate) const fn fault(fault: Fault4) -> Self {
        match fault {
            Fault4::Malformed(fault) => Self::silent(fault.reason()),
            // RFC 7915, section 4.1.
            Fault4::SourceRoute => Self::with(NAT64_SOURCE_ROUTE, Refusal4::SourceRouteFailed),
        }
    }
}

/// Octets of a quoted packet in an ICMPv4 error of 576 octets.
const QUOTE: usize = 576 - ipv4::HEADER - 8;

/// Precedence of ICMPv4 errors (RFC 1812, section 4.3.2.5).
const INTERNETWORK_CONTROL: u8 = 6 << 5;

impl Nat64 {
    /// Tells the sender of `refused`, if an error is due, allowed and within the rate.
    pub(super) fn refuse6(&mut self, now: Instant, refused: &[u8], why: Refusal) {
        let mut out = self.scratch.pop().unwrap_or_default();
        if own_error6(self.config.gateway6, refused, why, &mut out) && self.errors6.take(now) {
            self.emit(&out);
        }
        self.scratch.push(out);
    }

    /// Tells the sender of `refused`, if an error is due, allowed and within the rate.
    pub(super) fn refuse4(&mut self, now: Instant, refused: &[u8], why: Refusal4) {
        let Some(error) = own_error4(self.config.gateway4, refused, why) else { return };
        if !self.errors4.take(now) {
            return;
        }
        let (header, icmp, quoted) = error.octets(&mut self.identifications);
        self.emit_octets(&[&header, &icmp, quoted]);
    }

    /// The verdict on an IPv6 packet that `why` refuses; `packet` is still what it was.
    pub(super) fn drop6(&mut self, now: Instant, packet: &Packet, why: Refused6) -> Reason {
        if let Some(refusal) = why.refusal {
            self.refuse6(now, packet.bytes(), refusal);
        }
        why.reason
    }

    /// The verdict on an IPv4 packet that `why` refuses; `packet` is still what it was.
    pub(super) fn drop4(&mut self, now: Instant, packet: &Packet, why: Refused4) -> Reason {
        if let Some(refusal) = why.refusal {
            self.refuse4(now, packet.bytes(), refusal);
        }
        why.reason
    }
}

/// Writes what the sender of `refused` is told into `out`; false when nobody may be told.
pub(crate) fn own_error6(own: Ipv6Addr, refused: &[u8], why: Refusal, out: &mut Packet) -> bool {
    let from = match own {
        // Without an address of ours the one that was written to answers.
        Ipv6Addr::UNSPECIFIED => {
            let Ok(ip) = sixgate_wire::ipv6::Ipv6::parse_quoted(refused) else { return false };
            ip.dst()
        }
        address => address,
    };
    refusal::write(why, refused, from, out)
}

/// What the sender of `refused` is told; `None` when nobody may be told.
pub(crate) fn own_error4(own: Ipv4Addr, refused: &[u8], why: Refusal4) -> Option<OwnError4<'_>> {
    let ip = Ipv4::parse_quoted(refused).ok().filter(may_be_refused)?;
    let from = match own {
        Ipv4Addr::UNSPECIFIED => ip.dst(),
        address => address,
    };
    Some(OwnError4 { from, to: ip.src(), why, quoted: &refused[..refused.len().min(QUOTE)] })
}

/// An ICMPv4 error of our own, not yet written.
pub(crate) struct OwnError4<'a> {
    from: Ipv4Addr,
    to: Ipv4Addr,
    why: Refusal4,
    quoted: &'a [u8],
}

impl<'a> OwnError4<'a> {
    /// IP header, ICMP header and the quoted packet.
    pub(crate) fn octets(
        self,
        identifications: &mut Identifications,
    ) -> ([u8; ipv4::HEADER], [u8; 8], &'a [u8]) {
        let quoted = self.quoted;
        let (kind, code, mtu) = self.why.parts();
        let mut icmp = [kind, code, 0, 0, 0, 0, 0, 0];
        icmp[6..].copy_from_slice(&mtu.to_be_bytes());
        let sum = Sum::new().with(&icmp).and(Sum::new().with(quoted)).finish();
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        let header = ipv4::Header {
            tos: INTERNETWORK_CONTROL,
            // At most 576.
            total_len: (ipv4::HEADER + icmp.len() + quoted.len()) as u16,
            identification: identifications.take(self.to, 1),
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol: protocol::ICMP,
            src: self.from,
            dst: self.to,
        };
        (header.octets(), icmp, quoted)
    }
}

/// RFC 1122, section 3.2.2: never about an error, a later fragment, or to an address that is no single node.
fn may_be_refused(ip: &Ipv4<'_>) -> bool {
    let no_node = scope::unusable_v4(ip.src()) || ip.dst().is_multicast() || ip.dst().is_broadcast();
    if no_node || ip.fragment_offset() != 0 {
        return false;
    }
    // Echo, timestamp and the like are queries; every other type is an error or unknown.
    let query = |kind: &u8| matches!(kind, 0 | 8 | 13..=18);
    ip.protocol() != protocol::ICMP || ip.payload().first().is_some_and(query)
}
