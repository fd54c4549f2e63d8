//! What an IP header carries, as far as translation must know it.

use sixgate_wire::protocol;

use crate::endpoint::Proto;

/// Datagram Congestion Control Protocol (RFC 4340): its checksum covers the addresses.
const DCCP: u8 = 33;
/// UDP-Lite (RFC 3828): its checksum covers the addresses.
const UDP_LITE: u8 = 136;

/// The transport of a packet that may be of any protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carried {
    /// TCP, UDP or ICMP, whose numbers or contents differ between the families.
    Known(Proto),
    /// Anything else: the same number in both families (RFC 7915, sections 4.1 and 5.1).
    Other(u8),
}

impl From<Proto> for Carried {
    fn from(proto: Proto) -> Self {
        Self::Known(proto)
    }
}

impl Carried {
    /// The transport of an IPv6 packet. `None` for ICMP of the other family, which nobody checks there.
    #[must_use]
    pub const fn from_v6(next_header: u8) -> Option<Self> {
        match (Proto::from_v6(next_header), next_header) {
            (Some(proto), _) => Some(Self::Known(proto)),
            (None, protocol::ICMP) => None,
            (None, other) => Some(Self::Other(other)),
        }
    }

    /// The transport of an IPv4 packet. `None` for ICMP of the other family and for what would be an extension header
    /// there: a sender of IPv4 has no business writing those.
    #[must_use]
    pub const fn from_v4(number: u8) -> Option<Self> {
        match (Proto::from_v4(number), number) {
            (Some(proto), _) => Some(Self::Known(proto)),
            (
                None,
                protocol::ICMPV6
                | protocol::HOP_BY_HOP
                | protocol::ROUTING
                | protocol::FRAGMENT
                | protocol::DESTINATION,
            ) => None,
            (None, other) => Some(Self::Other(other)),
        }
    }

    /// The number in an IPv6 header.
    #[must_use]
    pub const fn v6_number(self) -> u8 {
        match self {
            Self::Known(proto) => proto.v6_number(),
            Self::Other(number) => number,
        }
    }

    /// The number in an IPv4 header.
    #[must_use]
    pub const fn v4_number(self) -> u8 {
        match self {
            Self::Known(proto) => proto.v4_number(),
            Self::Other(number) => number,
        }
    }

    /// Where in the transport header a checksum is that covers the addresses. ICMP is another matter: of the two
    /// families only IPv6's has such a checksum.
    #[must_use]
    pub const fn checksum(self) -> Option<usize> {
        match self {
            Self::Known(Proto::Tcp) => Some(sixgate_wire::tcp::CHECKSUM),
            Self::Known(Proto::Udp) | Self::Other(DCCP | UDP_LITE) => Some(sixgate_wire::udp::CHECKSUM),
            Self::Known(Proto::Icmp) | Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transport_has_the_same_number_on_both_sides_but_icmp() {
        for number in 0..=u8::MAX {
            let (six, four) = (Carried::from_v6(number), Carried::from_v4(number));
            match number {
                1 => assert_eq!((six, four), (None, Some(Carried::Known(Proto::Icmp)))),
                58 => assert_eq!((six, four), (Some(Carried::Known(Proto::Icmp)), None)),
                // The parser of IPv6 takes these for headers and never gives them as a transport.
                0 | 43 | 44 | 60 => assert_eq!(four, None, "{number}"),
                _ => {
                    assert_eq!(six, four, "{number}");
                    assert_eq!(six.unwrap().v4_number(), number);
                    assert_eq!(six.unwrap().v6_number(), number);
                }
            }
        }
        assert_eq!(Carried::Known(Proto::Icmp).v4_number(), 1);
        assert_eq!(Carried::Known(Proto::Icmp).v6_number(), 58);
    }
}
