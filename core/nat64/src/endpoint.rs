//! The ends of a mapping, each of its own type, so that no two can be taken for one another.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::protocol;

/// What a NAT64 carries (RFC 6146, section 3): everything else is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Proto {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP queries, named by their identifier.
    Icmp,
}

impl Proto {
    /// Every protocol, in the order of their discriminants.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Icmp];

    /// The protocol of an IPv6 next-header value.
    #[must_use]
    pub const fn from_v6(next_header: u8) -> Option<Self> {
        match next_header {
            protocol::TCP => Some(Self::Tcp),
            protocol::UDP => Some(Self::Udp),
            protocol::ICMPV6 => Some(Self::Icmp),
            _ => None,
        }
    }

    /// The protocol of an IPv4 protocol value.
    #[must_use]
    pub const fn from_v4(number: u8) -> Option<Self> {
        match number {
            protocol::TCP => Some(Self::Tcp),
            protocol::UDP => Some(Self::Udp),
            protocol::ICMP => Some(Self::Icmp),
            _ => None,
        }
    }

    /// The number in an IPv6 header.
    #[must_use]
    pub const fn v6_number(self) -> u8 {
        match self {
            Self::Tcp => protocol::TCP,
            Self::Udp => protocol::UDP,
            Self::Icmp => protocol::ICMPV6,
        }
    }

    /// The number in an IPv4 header.
    #[must_use]
    pub const fn v4_number(self) -> u8 {
        match self {
            Self::Tcp => protocol::TCP,
            Self::Udp => protocol::UDP,
            Self::Icmp => protocol::ICMP,
        }
    }

    /// `tcp`, `udp` or `icmp`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }
}

macro_rules! endpoint {
    ($name:ident, $address:ty, $brackets:literal, $what:literal) => {
        #[doc = $what]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name {
            /// Address.
            pub address: $address,
            /// Port, or identifier of an ICMP query.
            pub port: u16,
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $brackets, self.address, self.port)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

endpoint!(
    Inside,
    Ipv6Addr,
    "[{}]:{}",
    "The IPv6 transport address of a node behind the NAT64 (X',x in RFC 6146)."
);
endpoint!(
    Outside,
    Ipv4Addr,
    "{}:{}",
    "The IPv4 transport address of the pool that stands for an [`Inside`] (T,t in RFC 6146)."
);
endpoint!(
    Peer,
    Ipv4Addr,
    "{}:{}",
    "The IPv4 node that is talked to (Z,z in RFC 6146). The port of an ICMP peer is zero."
);
