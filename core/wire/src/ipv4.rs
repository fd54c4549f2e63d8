//! The IPv4 header (RFC 791).

use core::fmt;
use core::net::Ipv4Addr;

use crate::checksum::Sum;
use crate::{Malformed, be16};

/// Length of a header without options, in octets.
pub const HEADER: usize = 20;

/// A checked view of an IPv4 packet: version 4, header whole, total length within the bytes.
///
/// The header checksum is not checked by [`Ipv4::parse`]; see [`Ipv4::header_checksum_ok`].
#[derive(Clone, Copy)]
pub struct Ipv4<'a>(&'a [u8]);

impl<'a> Ipv4<'a> {
    /// Checks `bytes`, which start at the IPv4 header.
    ///
    /// # Errors
    /// [`Malformed::Ipv4`] when the version, header length or total length is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let view = Self::parse_quoted(bytes)?;
        if view.0.len() == usize::from(view.total_len()) { Ok(view) } else { Err(Malformed::Ipv4) }
    }

    /// Like [`Ipv4::parse`], but a payload that was cut short is accepted as far as it goes: for packets quoted in errors.
    ///
    /// # Errors
    /// [`Malformed::Ipv4`] when the version or the header length is wrong or the header is not whole.
    pub fn parse_quoted(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() < HEADER || bytes[0] >> 4 != 4 {
            return Err(Malformed::Ipv4);
        }
        let header = usize::from(bytes[0] & 0x0f) * 4;
        let total = usize::from(be16(bytes, 2));
        if header < HEADER || total < header || bytes.len() < header {
            return Err(Malformed::Ipv4);
        }
        Ok(Self(&bytes[..total.min(bytes.len())]))
    }

    /// The whole packet, header first.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Header length in octets, options included.
    #[must_use]
    pub fn header_len(&self) -> usize {
        usize::from(self.0[0] & 0x0f) * 4
    }

    /// Type of service: DSCP and ECN, all eight bits.
    #[must_use]
    pub fn tos(&self) -> u8 {
        self.0[1]
    }

    /// Total length field.
    #[must_use]
    pub fn total_len(&self) -> u16 {
        be16(self.0, 2)
    }

    /// Identification.
    #[must_use]
    pub fn identification(&self) -> u16 {
        be16(self.0, 4)
    }

    /// The "don't fragment" bit.
    #[must_use]
    pub fn dont_fragment(&self) -> bool {
        self.0[6] & 0x40 != 0
    }

    /// The "more fragments" bit.
    #[must_use]
    pub fn more_fragments(&self) -> bool {
        self.0[6] & 0x20 != 0
    }

    /// Fragment offset, in octets.
    #[must_use]
    pub fn fragment_offset(&self) -> u16 {
        (be16(self.0, 6) & 0x1fff) << 3
    }

    /// True for any part of a fragmented datagram.
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        self.more_fragments() || self.fragment_offset() != 0
    }

    /// Time to live.
    #[must_use]
    pub fn ttl(&self) -> u8 {
        self.0[8]
    }

    /// Protocol of the payload.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.0[9]
    }

    /// Source address.
    #[must_use]
    pub fn src(&self) -> Ipv4Addr {
        Ipv4Addr::new(self.0[12], self.0[13], self.0[14], self.0[15])
    }

    /// Destination address.
    #[must_use]
    pub fn dst(&self) -> Ipv4Addr {
        Ipv4Addr::new(self.0[16], self.0[17], self.0[18], self.0[19])
    }

    /// Options, without the fixed header.
    #[must_use]
    pub fn options(&self) -> &'a [u8] {
        &self.0[HEADER..self.header_len()]
    }

    /// What follows the header.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.0[self.header_len()..]
    }

    /// True when the header checksum is right.
    #[must_use]
    pub fn header_checksum_ok(&self) -> bool {
        Sum::new().with(&self.0[..self.header_len()]).fold() == 0xffff
    }
}

impl fmt::Debug for Ipv4<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} > {} proto {} ttl {} len {}",
            self.src(),
            self.dst(),
            self.protocol(),
            self.ttl(),
            self.0.len()
        )?;
        if self.is_fragment() {
            write!(f, " frag {}{}", self.fragment_offset(), if self.more_fragments() { "+" } else { "" })?;
        }
        Ok(())
    }
}

/// The fields of a header without options to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// DSCP and ECN.
    pub tos: u8,
    /// Header and payload, in octets.
    pub total_len: u16,
    /// Identification.
    pub identification: u16,
    /// The "don't fragment" bit.
    pub dont_fragment: bool,
    /// The "more fragments" bit.
    pub more_fragments: bool,
    /// In octets, a multiple of eight.
    pub fragment_offset: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol of what follows.
    pub protocol: u8,
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
}

impl Header {
    /// The 20 octets of the header, checksum filled in.
    #[must_use]
    pub fn octets(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[0] = 0x45;
        out[1] = self.tos;
        out[2..4].copy_from_slice(&self.total_len.to_be_bytes());
        out[4..6].copy_from_slice(&self.identification.to_be_bytes());
        let flags = u16::from(self.dont_fragment) << 14 | u16::from(self.more_fragments) << 13;
        out[6..8].copy_from_slice(&(flags | self.fragment_offset >> 3).to_be_bytes());
        out[8] = self.ttl;
        out[9] = self.protocol;
        out[12..16].copy_from_slice(&self.src.octets());
        out[16..20].copy_from_slice(&self.dst.octets());
        let sum = Sum::new().with(&out).finish();
        out[10..12].copy_from_slice(&sum.to_be_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_round_trip() {
        let header = Header {
            tos: 0xb9,
            total_len: 22,
            identification: 0xbeef,
            dont_fragment: false,
            more_fragments: true,
            fragment_offset: 1480,
            ttl: 63,
            protocol: 17,
            src: Ipv4Addr::new(10, 6, 0, 1),
            dst: Ipv4Addr::new(10, 6, 8, 20),
        };
        let mut bytes = [0; 30];
        bytes[..20].copy_from_slice(&header.octets());
        let view = Ipv4::parse(&bytes).unwrap();
        assert!(
            view.header_checksum_ok() && view.is_fragment() && view.more_fragments() && !view.dont_fragment()
        );
        assert_eq!(
            (view.tos(), view.total_len(), view.identification(), view.fragment_offset()),
            (0xb9, 22, 0xbeef, 1480)
        );
        assert_eq!((view.ttl(), view.protocol(), view.src(), view.dst()), (63, 17, header.src, header.dst));
        assert_eq!(view.payload().len(), 2);
        assert_eq!(Ipv4::parse(&bytes[..21]).err(), Some(Malformed::Ipv4));
        bytes[0] = 0x44;
        assert_eq!(Ipv4::parse(&bytes).err(), Some(Malformed::Ipv4));
    }
}
