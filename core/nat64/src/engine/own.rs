//! Errors of our own, in both families, rate-limited.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::Reason;
use sixgate_time::Instant;
use sixgate_wire::checksum::Sum;
use sixgate_wire::ipv4::{self, Ipv4};
use sixgate_wire::refusal::{self, Refusal};
use sixgate_wire::{Packet, protocol};

use super::Nat64;
use crate::scope;

/// An IPv6 packet that ends here, and what its sender is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused6 {
    pub(super) reason: Reason,
    pub(super) refusal: Option<Refusal>,
}

impl Refused6 {
    pub(super) const fn silent(reason: Reason) -> Self {
        Self { reason, refusal: None }
    }

    pub(super) const fn with(reason: Reason, refusal: Refusal) -> Self {
        Self { reason, refusal: Some(refusal) }
    }
}

/// What the sender of an IPv4 packet is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal4 {
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
pub(super) struct Refused4 {
    pub(super) reason: Reason,
    pub(super) refusal: Option<Refusal4>,
}

impl Refused4 {
    pub(super) const fn silent(reason: Reason) -> Self {
        Self { reason, refusal: None }
    }

    pub(super) const fn with(reason: Reason, refusal: Refusal4) -> Self {
        Self { reason, refusal: Some(refusal) }
    }
}

/// Octets of a quoted packet in an ICMPv4 error of 576 octets.
const QUOTE: usize = 576 - ipv4::HEADER - 8;

/// Precedence of ICMPv4 errors (RFC 1812, section 4.3.2.5).
const INTERNETWORK_CONTROL: u8 = 6 << 5;

impl Nat64 {
    /// Tells the sender of `refused`, if an error is due, allowed and within the rate.
    pub(super) fn refuse6(&mut self, now: Instant, refused: &[u8], why: Refusal) {
        let from = match self.config.gateway6 {
            // Without an address of ours the one that was written to answers.
            Ipv6Addr::UNSPECIFIED => {
                let Ok(ip) = sixgate_wire::ipv6::Ipv6::parse_quoted(refused) else { return };
                ip.dst()
            }
            address => address,
        };
        let mut out = self.scratch.pop().unwrap_or_default();
        if refusal::write(why, refused, from, &mut out) && self.errors6.take(now) {
            self.emit(&out);
        }
        self.scratch.push(out);
    }

    /// Tells the sender of `refused`, if an error is due, allowed and within the rate.
    pub(super) fn refuse4(&mut self, now: Instant, refused: &[u8], why: Refusal4) {
        let Ok(ip) = Ipv4::parse_quoted(refused) else { return };
        if !may_be_refused(&ip) || !self.errors4.take(now) {
            return;
        }
        let from = match self.config.gateway4 {
            Ipv4Addr::UNSPECIFIED => ip.dst(),
            address => address,
        };
        let quoted = &refused[..refused.len().min(QUOTE)];
        let (kind, code, mtu) = why.parts();
        let mut icmp = [kind, code, 0, 0, 0, 0, 0, 0];
        icmp[6..].copy_from_slice(&mtu.to_be_bytes());
        let sum = Sum::new().with(&icmp).and(Sum::new().with(quoted)).finish();
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        let header = ipv4::Header {
            tos: INTERNETWORK_CONTROL,
            // At most 576.
            total_len: (ipv4::HEADER + icmp.len() + quoted.len()) as u16,
            identification: self.identifications.take(ip.src(), 1),
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol: protocol::ICMP,
            src: from,
            dst: ip.src(),
        };
        self.emit_octets(&[&header.octets(), &icmp, quoted]);
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
