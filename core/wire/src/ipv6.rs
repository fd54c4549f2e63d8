//! The IPv6 header (RFC 8200, section 3).

use core::fmt;
use core::net::Ipv6Addr;

use crate::extension::{self, Upper};
use crate::{Malformed, be16, be32};

/// Length of the fixed header in octets.
pub const HEADER: usize = 40;

/// A checked view of an IPv6 packet: version 6, the fixed header present, payload length within the bytes.
///
/// Octets behind the payload length are not part of the view.
#[derive(Clone, Copy)]
pub struct Ipv6<'a>(&'a [u8]);

impl<'a> Ipv6<'a> {
    /// Checks `bytes`, which start at the IPv6 header.
    ///
    /// # Errors
    /// [`Malformed::Ipv6`] when the version is not 6 or the packet is shorter than its length field says.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() < HEADER || bytes[0] >> 4 != 6 {
            return Err(Malformed::Ipv6);
        }
        let end = HEADER + usize::from(be16(bytes, 4));
        bytes.get(..end).map(Self).ok_or(Malformed::Ipv6)
    }

    /// Like [`Ipv6::parse`], but a payload that was cut short is accepted as far as it goes: for packets quoted in errors.
    ///
    /// # Errors
    /// [`Malformed::Ipv6`] when the version is not 6 or the fixed header is not whole.
    pub fn parse_quoted(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() < HEADER || bytes[0] >> 4 != 6 {
            return Err(Malformed::Ipv6);
        }
        let end = (HEADER + usize::from(be16(bytes, 4))).min(bytes.len());
        Ok(Self(&bytes[..end]))
    }

    /// The whole packet, header first.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Traffic class: DSCP and ECN, all eight bits.
    #[must_use]
    pub fn traffic_class(&self) -> u8 {
        self.0[0] << 4 | self.0[1] >> 4
    }

    /// Flow label, 20 bits.
    #[must_use]
    pub fn flow_label(&self) -> u32 {
        be32(self.0, 0) & 0x000f_ffff
    }

    /// Payload length field, in octets behind the fixed header.
    #[must_use]
    pub fn payload_len(&self) -> u16 {
        be16(self.0, 4)
    }

    /// Next header field of the fixed header.
    #[must_use]
    pub fn next_header(&self) -> u8 {
        self.0[6]
    }

    /// Hop limit.
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        self.0[7]
    }

    /// Source address.
    #[must_use]
    pub fn src(&self) -> Ipv6Addr {
        address(self.0, 8)
    }

    /// Destination address.
    #[must_use]
    pub fn dst(&self) -> Ipv6Addr {
        address(self.0, 24)
    }

    /// What follows the fixed header.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.0[HEADER..]
    }

    /// Walks the extension headers to the transport header.
    ///
    /// # Errors
    /// [`Malformed::Extension`] when a header is cut short or there are more than we follow.
    pub fn upper(&self) -> Result<Upper, Malformed> {
        extension::walk(self.next_header(), self.0, HEADER)
    }
}

impl fmt::Debug for Ipv6<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} > {} nh {} hl {} len {}",
            self.src(),
            self.dst(),
            self.next_header(),
            self.hop_limit(),
            self.0.len()
        )
    }
}

/// The fields of a header to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// 20 bits.
    pub flow_label: u32,
    /// Octets behind the fixed header.
    pub payload_len: u16,
    /// Protocol of what follows.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
}

impl Header {
    /// The 40 octets of the header.
    #[must_use]
    pub fn octets(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label & 0x000f_ffff;
        out[0..4].copy_from_slice(&first.to_be_bytes());
        out[4..6].copy_from_slice(&self.payload_len.to_be_bytes());
        out[6] = self.next_header;
        out[7] = self.hop_limit;
        out[8..24].copy_from_slice(&self.src.octets());
        out[24..40].copy_from_slice(&self.dst.octets());
        out
    }
}

/// Sets the hop limit of a packet that [`Ipv6::parse`] accepted.
pub fn set_hop_limit(bytes: &mut [u8], hop_limit: u8) {
    bytes[7] = hop_limit;
}

/// Sets the traffic class of a packet that [`Ipv6::parse`] accepted.
pub fn set_traffic_class(bytes: &mut [u8], traffic_class: u8) {
    bytes[0] = bytes[0] & 0xf0 | traffic_class >> 4;
    bytes[1] = traffic_class << 4 | bytes[1] & 0x0f;
}

/// The address at `at`. The caller has checked the length.
pub(crate) fn address(bytes: &[u8], at: usize) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&bytes[at..at + 16]);
    Ipv6Addr::from(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_round_trip() {
        let header = Header {
            traffic_class: 0xba,
            flow_label: 0x12345,
            payload_len: 3,
            next_header: 59,
            hop_limit: 64,
            src: Ipv6Addr::LOCALHOST,
            dst: Ipv6Addr::UNSPECIFIED,
        };
        let mut bytes = [0; 50];
        bytes[..40].copy_from_slice(&header.octets());
        let view = Ipv6::parse(&bytes).unwrap();
        assert_eq!((view.traffic_class(), view.flow_label(), view.payload_len()), (0xba, 0x12345, 3));
        assert_eq!((view.next_header(), view.hop_limit()), (59, 64));
        assert_eq!((view.src(), view.dst()), (header.src, header.dst));
        assert_eq!(view.bytes().len(), 43);
        assert_eq!(Ipv6::parse(&bytes[..42]).err(), Some(Malformed::Ipv6));
        assert_eq!(Ipv6::parse_quoted(&bytes[..42]).unwrap().payload().len(), 2);
    }
}
