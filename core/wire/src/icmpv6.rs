//! ICMPv6 (RFC 4443): type and code numbers, the view of a message.

use core::net::Ipv6Addr;

use crate::{Malformed, be16, be32, checksum, protocol};

/// Length of the header in octets: type, code, checksum, four octets that the type defines.
pub const HEADER: usize = 8;
/// Position of the checksum field.
pub const CHECKSUM: usize = 2;

/// Destination unreachable.
pub const UNREACHABLE: u8 = 1;
/// Packet too big.
pub const TOO_BIG: u8 = 2;
/// Time exceeded.
pub const TIME_EXCEEDED: u8 = 3;
/// Parameter problem.
pub const PARAMETER_PROBLEM: u8 = 4;
/// Echo request.
pub const ECHO_REQUEST: u8 = 128;
/// Echo reply.
pub const ECHO_REPLY: u8 = 129;
/// Router solicitation.
pub const ROUTER_SOLICITATION: u8 = 133;
/// Router advertisement.
pub const ROUTER_ADVERTISEMENT: u8 = 134;
/// Neighbour solicitation.
pub const NEIGHBOUR_SOLICITATION: u8 = 135;
/// Neighbour advertisement.
pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// Redirect.
pub const REDIRECT: u8 = 137;

/// Codes of [`UNREACHABLE`] (RFC 4443, section 3.1).
pub mod unreachable {
    /// No route to destination.
    pub const NO_ROUTE: u8 = 0;
    /// Communication administratively prohibited.
    pub const PROHIBITED: u8 = 1;
    /// Beyond scope of source address.
    pub const BEYOND_SCOPE: u8 = 2;
    /// Address unreachable.
    pub const ADDRESS: u8 = 3;
    /// Port unreachable.
    pub const PORT: u8 = 4;
    /// Source address failed ingress or egress policy.
    pub const SOURCE_POLICY: u8 = 5;
    /// Reject route to destination.
    pub const REJECT_ROUTE: u8 = 6;
}

/// A checked view of an ICMPv6 message: the eight octets of its header are there.
#[derive(Clone, Copy, Debug)]
pub struct Icmpv6<'a>(&'a [u8]);

impl<'a> Icmpv6<'a> {
    /// Checks `bytes`, which start at the ICMPv6 header.
    ///
    /// # Errors
    /// [`Malformed::Transport`] when there are fewer than eight octets.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() < HEADER { Err(Malformed::Transport) } else { Ok(Self(bytes)) }
    }

    /// Type.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.0[0]
    }

    /// Code.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.0[1]
    }

    /// Checksum field.
    #[must_use]
    pub fn checksum(&self) -> u16 {
        be16(self.0, CHECKSUM)
    }

    /// The four octets behind the checksum: MTU, pointer, or identifier and sequence.
    #[must_use]
    pub fn word(&self) -> u32 {
        be32(self.0, 4)
    }

    /// Identifier of an echo message.
    #[must_use]
    pub fn identifier(&self) -> u16 {
        be16(self.0, 4)
    }

    /// What follows the header: the quoted packet, the echo data, the options.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.0[HEADER..]
    }

    /// True for error messages, types below 128 (RFC 4443, section 2.1).
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.kind() < 128
    }

    /// True when the checksum over pseudo-header and message is right.
    #[must_use]
    pub fn checksum_ok(&self, src: Ipv6Addr, dst: Ipv6Addr) -> bool {
        // A message in a packet is shorter than 2^32.
        checksum::pseudo_v6(src, dst, protocol::ICMPV6, self.0.len() as u32).with(self.0).fold() == 0xffff
    }
}

/// Fills in the checksum of the message `bytes`, which start at the ICMPv6 header and hold at least eight octets.
pub fn finish(bytes: &mut [u8], src: Ipv6Addr, dst: Ipv6Addr) {
    bytes[CHECKSUM..CHECKSUM + 2].fill(0);
    let sum = checksum::pseudo_v6(src, dst, protocol::ICMPV6, bytes.len() as u32).with(bytes).finish();
    bytes[CHECKSUM..CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
}
