//! Where the headers of a packet lie, as far as cutting and merging need to know.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::checksum::{Sum, pseudo_v4, pseudo_v6};
use crate::ipv4::Ipv4;
use crate::ipv6::{self, Ipv6};
use crate::tcp::Tcp;
use crate::udp::Udp;
use crate::{Malformed, protocol, tcp, udp};

/// Offsets in a packet that was checked: each lies within it, in this order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// IP version 6; otherwise 4.
    pub(super) v6: bool,
    /// Start of the transport header; in IPv4 the length of the IP header.
    pub(super) transport: usize,
    /// Start of the payload.
    pub(super) payload: usize,
    /// End of the payload.
    pub(super) end: usize,
}

impl Layout {
    /// The layout of a whole packet (no fragment) whose transport header is of `protocol`: TCP or UDP.
    pub(super) fn of(bytes: &[u8], wanted: u8) -> Result<Self, Malformed> {
        let (v6, transport, found, end) = if bytes.first().is_some_and(|b| b >> 4 == 6) {
            let ip = Ipv6::parse(bytes)?;
            let upper = ip.upper()?;
            if upper.fragment.is_some() {
                return Err(Malformed::Transport);
            }
            (true, upper.offset, upper.protocol, ip.bytes().len())
        } else {
            let ip = Ipv4::parse(bytes)?;
            if ip.is_fragment() {
                return Err(Malformed::Transport);
            }
            (false, ip.header_len(), ip.protocol(), bytes.len())
        };
        if found != wanted {
            return Err(Malformed::Transport);
        }
        let header = match wanted {
            protocol::TCP => Tcp::parse(&bytes[transport..end])?.header_len(),
            _ => {
                Udp::parse(&bytes[transport..end])?;
                udp::HEADER
            }
        };
        Ok(Self { v6, transport, payload: transport + header, end })
    }

    /// The pseudo-header sum of `bytes`, which have this layout up to the transport header, for `length` octets of
    /// transport header and payload.
    pub(super) fn pseudo(&self, bytes: &[u8], protocol: u8, length: usize) -> Sum {
        // Both lengths come from 16-bit length fields or are bounded by them.
        if self.v6 {
            let (src, dst): (Ipv6Addr, Ipv6Addr) = (ipv6::address(bytes, 8), ipv6::address(bytes, 24));
            pseudo_v6(src, dst, protocol, length as u32)
        } else {
            let src = Ipv4Addr::new(bytes[12], bytes[13], bytes[14], bytes[15]);
            let dst = Ipv4Addr::new(bytes[16], bytes[17], bytes[18], bytes[19]);
            pseudo_v4(src, dst, protocol, length as u16)
        }
    }

    /// Writes the length of a packet of `total` octets, and in IPv4 the identification and the header checksum.
    pub(super) fn finish_ip(&self, bytes: &mut [u8], total: usize, identification: u16) {
        if self.v6 {
            let payload = (total - ipv6::HEADER) as u16;
            bytes[4..6].copy_from_slice(&payload.to_be_bytes());
            return;
        }
        bytes[2..4].copy_from_slice(&(total as u16).to_be_bytes());
        bytes[4..6].copy_from_slice(&identification.to_be_bytes());
        bytes[10..12].fill(0);
        let sum = Sum::new().with(&bytes[..self.transport]).finish();
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Congestion window reduced (RFC 3168, section 6.1.2).
pub(super) const CWR: u8 = 0x80;
/// Position of the flags octet in the TCP header.
pub(super) const FLAGS: usize = 13;
/// Position of the checksum in the transport header of `protocol`.
pub(super) const fn checksum_offset(protocol: u8) -> usize {
    if protocol == protocol::TCP { tcp::CHECKSUM } else { udp::CHECKSUM }
}
