//! What must be there of a transport header so that it can be translated.

use sixgate_reason::{
    MALFORMED_TRANSPORT, NAT64_FRAGMENT_OVERLAP, NAT64_ICMP_UNTRANSLATABLE, NAT64_UDP_ZERO_CHECKSUM, Reason,
};
use sixgate_wire::tcp::Tcp;
use sixgate_wire::udp::Udp;
use sixgate_wire::{Offload, Segmentation, tcp, udp};

use crate::endpoint::Proto;
use crate::translate::{Carried, Ports, ends4, ends6};

/// Ports of a transport that has none, or whose header is in another fragment.
const NONE: Ports = Ports { src: 0, dst: 0 };

/// The part of a packet behind its IP headers.
#[derive(Clone, Copy)]
pub(super) struct Behind<'a> {
    pub(super) carried: Carried,
    pub(super) octets: &'a [u8],
    /// Offset in the datagram that this is a part of; `None` where it is whole.
    pub(super) part: Option<u16>,
    pub(super) offload: Offload,
}

impl Behind<'_> {
    /// The ports in an IPv6 packet.
    pub(super) fn ends6(&self) -> Result<Ports, Reason> {
        // RFC 8200, section 8.1: IPv6 knows no datagram without checksum.
        if self.lacks_checksum() {
            return Err(NAT64_UDP_ZERO_CHECKSUM);
        }
        self.ends(ends6)
    }

    /// The ports in an IPv4 packet.
    pub(super) fn ends4(&self) -> Result<Ports, Reason> {
        self.ends(ends4)
    }

    /// True for a UDP datagram, or the first fragment of one, without checksum.
    pub(super) fn lacks_checksum(&self) -> bool {
        self.carried == Carried::Known(Proto::Udp)
            && self.part.is_none_or(|offset| offset == 0)
            && self.offload.partial_checksum.is_none()
            && self.octets.get(udp::CHECKSUM..udp::HEADER) == Some(&[0, 0])
    }

    fn ends(&self, read: impl FnOnce(Proto, &[u8]) -> Option<Ports>) -> Result<Ports, Reason> {
        match (self.part, self.carried) {
            (Some(1..), _) => Ok(NONE),
            (Some(0), _) => {
                // What hides the header from filters is no accident; and without its checksum it cannot be corrected.
                self.first_is_enough().then_some(()).ok_or(NAT64_FRAGMENT_OVERLAP)?;
                match self.carried {
                    Carried::Known(proto) => read(proto, self.octets).ok_or(NAT64_FRAGMENT_OVERLAP),
                    Carried::Other(_) => Ok(NONE),
                }
            }
            (None, Carried::Known(Proto::Tcp)) => {
                Tcp::parse(self.octets).map_err(|_| MALFORMED_TRANSPORT)?;
                read(Proto::Tcp, self.octets).ok_or(MALFORMED_TRANSPORT)
            }
            (None, Carried::Known(Proto::Udp)) => {
                let header = Udp::parse(self.octets).map_err(|_| MALFORMED_TRANSPORT)?;
                let single = !matches!(self.offload.segmentation, Segmentation::Udp { .. });
                if single && usize::from(header.length()) > self.octets.len() {
                    return Err(MALFORMED_TRANSPORT);
                }
                read(Proto::Udp, self.octets).ok_or(MALFORMED_TRANSPORT)
            }
            (None, Carried::Known(Proto::Icmp)) => {
                if self.octets.len() < 8 {
                    return Err(MALFORMED_TRANSPORT);
                }
                read(Proto::Icmp, self.octets).ok_or(NAT64_ICMP_UNTRANSLATABLE)
            }
            (None, Carried::Other(_)) => {
                let is_there = self.carried.checksum().is_none_or(|at| self.octets.len() >= at + 2);
                is_there.then_some(NONE).ok_or(MALFORMED_TRANSPORT)
            }
        }
    }

    fn first_is_enough(&self) -> bool {
        let least = match self.carried {
            Carried::Known(Proto::Tcp) => tcp::HEADER,
            Carried::Known(Proto::Udp | Proto::Icmp) => udp::HEADER,
            Carried::Other(_) => self.carried.checksum().map_or(0, |at| at + 2),
        };
        self.octets.len() >= least
    }
}
