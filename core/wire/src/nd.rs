//! Neighbour discovery (RFC 4861): router solicitation and advertisement, neighbour solicitation and advertisement.
//!
//! A router advertisement is one rendering of a [`crate::lease::Lease`]: prefix information, route information
//! (RFC 4191), MTU, DNS (RFC 8106) and PREF64 (RFC 8781). No message of ours carries a link-layer address option,
//! because the links that use this module have no link-layer addresses, or have them inside the identifier.
//!
//! Writers give the whole IPv6 packet, hop limit 255. Parsers check everything that the RFC lets a receiver check
//! without knowing its own addresses: hop limit, code, checksum, length, that no option has the length zero.

use core::net::Ipv6Addr;

use sixgate_reason::{
    ND_CHECKSUM, ND_CODE, ND_HOP_LIMIT, ND_LENGTH, ND_NOT_ND, ND_OPTION, ND_SOURCE, ND_TARGET,
};

use crate::icmpv6::{self, Icmpv6};
use crate::ipv6::{self, Ipv6};
use crate::{Packet, protocol};

mod advertisement;
mod dns;
mod neighbour;
mod options;
mod pref64;
mod prefix;
mod redirect;
mod route;
mod solicitation;

pub use advertisement::{
    Parameters, parse_advertisement, parse_parameters, write_advertisement, write_advertisement_with,
};
pub use neighbour::{
    NeighbourAdvertisement, NeighbourSolicitation, parse_neighbour_advertisement,
    parse_neighbour_solicitation, write_neighbour_advertisement, write_neighbour_solicitation,
};
pub use redirect::write_redirect;
pub use solicitation::{parse_solicitation, write_solicitation};

/// RFC 4861, sections 6.1 and 7.1: a message that crossed a router has lost some of this and is no neighbour's.
pub const HOP_LIMIT: u8 = 255;

/// Which message of neighbour discovery a packet holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// 133
    RouterSolicitation,
    /// 134
    RouterAdvertisement,
    /// 135
    NeighbourSolicitation,
    /// 136
    NeighbourAdvertisement,
    /// 137
    Redirect,
}

impl Kind {
    /// What `ip` claims to be; `None` for everything that is not neighbour discovery. Nothing else is checked.
    ///
    /// Messages behind extension headers are not recognised: RFC 6980 forbids the fragment header, and nobody sends others.
    #[must_use]
    pub fn of(ip: &Ipv6<'_>) -> Option<Self> {
        if ip.next_header() != protocol::ICMPV6 {
            return None;
        }
        match ip.payload().first().copied()? {
            icmpv6::ROUTER_SOLICITATION => Some(Self::RouterSolicitation),
            icmpv6::ROUTER_ADVERTISEMENT => Some(Self::RouterAdvertisement),
            icmpv6::NEIGHBOUR_SOLICITATION => Some(Self::NeighbourSolicitation),
            icmpv6::NEIGHBOUR_ADVERTISEMENT => Some(Self::NeighbourAdvertisement),
            icmpv6::REDIRECT => Some(Self::Redirect),
            _ => None,
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::RouterSolicitation => icmpv6::ROUTER_SOLICITATION,
            Self::RouterAdvertisement => icmpv6::ROUTER_ADVERTISEMENT,
            Self::NeighbourSolicitation => icmpv6::NEIGHBOUR_SOLICITATION,
            Self::NeighbourAdvertisement => icmpv6::NEIGHBOUR_ADVERTISEMENT,
            Self::Redirect => icmpv6::REDIRECT,
        }
    }
}

/// Why a message is not valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NdFault {
    /// Not the message that was looked for.
    NotNd,
    /// The hop limit is not 255: it came through a router.
    HopLimit,
    /// The code is not zero.
    Code,
    /// The checksum is wrong.
    Checksum,
    /// Shorter than the fixed part.
    Length,
    /// An option of length zero, or one that runs over the end.
    Option,
    /// A source or destination that this message must not have.
    Source,
    /// A target that is no unicast address.
    Target,
}

impl NdFault {
    /// The registry's reason for this fault.
    #[must_use]
    pub const fn reason(self) -> sixgate_reason::Reason {
        match self {
            Self::NotNd => ND_NOT_ND,
            Self::HopLimit => ND_HOP_LIMIT,
            Self::Code => ND_CODE,
            Self::Checksum => ND_CHECKSUM,
            Self::Length => ND_LENGTH,
            Self::Option => ND_OPTION,
            Self::Source => ND_SOURCE,
            Self::Target => ND_TARGET,
        }
    }
}

/// Checks what all messages have in common and gives the ICMPv6 message: header of eight octets, `fixed` in all.
fn check<'a>(ip: &Ipv6<'a>, kind: Kind, fixed: usize) -> Result<Icmpv6<'a>, NdFault> {
    if Kind::of(ip) != Some(kind) {
        return Err(NdFault::NotNd);
    }
    if ip.hop_limit() != HOP_LIMIT {
        return Err(NdFault::HopLimit);
    }
    let icmp = Icmpv6::parse(ip.payload()).map_err(|_| NdFault::Length)?;
    if !icmp.checksum_ok(ip.src(), ip.dst()) {
        return Err(NdFault::Checksum);
    }
    if icmp.code() != 0 {
        return Err(NdFault::Code);
    }
    if ip.payload().len() < fixed {
        return Err(NdFault::Length);
    }
    if ip.src().is_multicast() {
        return Err(NdFault::Source);
    }
    Ok(icmp)
}

/// Starts a message in `out`: room for the IPv6 header, type, code 0, no checksum yet, then `word`.
fn start(out: &mut Packet, kind: Kind, word: u32) -> bool {
    out.reset();
    let [a, b, c, d] = word.to_be_bytes();
    out.extend(&[0; ipv6::HEADER]) && out.extend(&[kind.number(), 0, 0, 0, a, b, c, d])
}

/// Writes the IPv6 header and the checksum of the message in `out`; empties `out` when `whole` is false.
fn seal(out: &mut Packet, whole: bool, src: Ipv6Addr, dst: Ipv6Addr) -> bool {
    let Some(length) = out.len().checked_sub(ipv6::HEADER).filter(|_| whole) else {
        out.reset();
        return false;
    };
    let Ok(payload_len) = u16::try_from(length) else {
        out.reset();
        return false;
    };
    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len,
        next_header: protocol::ICMPV6,
        hop_limit: HOP_LIMIT,
        src,
        dst,
    };
    out.bytes_mut()[..ipv6::HEADER].copy_from_slice(&header.octets());
    icmpv6::finish(&mut out.bytes_mut()[ipv6::HEADER..], src, dst);
    true
}
