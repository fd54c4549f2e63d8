//! Ports: whatever carries packets in and out of the fabric.

use core::net::Ipv6Addr;

use crate::identity::{Identity, group};

/// The name of a port, chosen by the role that owns it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PortId(pub u32);

/// What lies behind a port, for those addresses that have no identity of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Zone {
    /// Enrolled clients: a client's session, or a route to another gateway's clients.
    Clients,
    /// The organisation's network: the NAT64, the kernel's routes inside.
    Intranet,
    /// An ISATAP link: every host that the link lets in is served, and is part of the intranet.
    Isatap,
    /// The gateway's own services.
    Gateway,
    /// Anything else; belongs to no group, so only `any` and prefixes match it.
    Outside,
}

impl Zone {
    /// Who an address behind such a port is when nothing else is known.
    #[must_use]
    pub const fn identity(self) -> Identity {
        let groups = match self {
            Self::Clients => group::CLIENTS,
            Self::Intranet => group::INTRANET,
            Self::Isatap => group::INTRANET | group::SERVED,
            Self::Gateway | Self::Outside => 0,
        };
        Identity { groups, name: Identity::NAMELESS }
    }
}

/// What the fabric has to know of a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Port {
    /// What lies behind it.
    pub zone: Zone,
    /// Largest IPv6 packet it carries, in octets; at least 1280 (RFC 8200, section 5).
    pub mtu: u32,
    /// Our address on it: the source of the ICMPv6 errors we send there.
    pub source: Ipv6Addr,
}
