//! The TCP header (RFC 9293, section 3.1).

use crate::{Malformed, be16, be32};

/// Length of a header without options, in octets.
pub const HEADER: usize = 20;
/// Position of the checksum field.
pub const CHECKSUM: usize = 16;

/// No more data from sender.
pub const FIN: u8 = 0x01;
/// Synchronise sequence numbers.
pub const SYN: u8 = 0x02;
/// Reset the connection.
pub const RST: u8 = 0x04;
/// Push.
pub const PSH: u8 = 0x08;
/// The acknowledgement field is significant.
pub const ACK: u8 = 0x10;

/// A checked view of a TCP segment: fixed header whole, data offset within the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Tcp<'a>(&'a [u8]);

impl<'a> Tcp<'a> {
    /// Checks `bytes`, which start at the TCP header.
    ///
    /// # Errors
    /// [`Malformed::Transport`] when the header is cut short or its length field impossible.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() < HEADER {
            return Err(Malformed::Transport);
        }
        let view = Self(bytes);
        if view.header_len() < HEADER || view.header_len() > bytes.len() {
            return Err(Malformed::Transport);
        }
        Ok(view)
    }

    /// Source port.
    #[must_use]
    pub fn src_port(&self) -> u16 {
        be16(self.0, 0)
    }

    /// Destination port.
    #[must_use]
    pub fn dst_port(&self) -> u16 {
        be16(self.0, 2)
    }

    /// Sequence number.
    #[must_use]
    pub fn sequence(&self) -> u32 {
        be32(self.0, 4)
    }

    /// Acknowledgement number.
    #[must_use]
    pub fn acknowledgement(&self) -> u32 {
        be32(self.0, 8)
    }

    /// Header length in octets, options included.
    #[must_use]
    pub fn header_len(&self) -> usize {
        usize::from(self.0[12] >> 4) * 4
    }

    /// The eight flag bits: [`FIN`], [`SYN`], [`RST`], [`PSH`], [`ACK`], ...
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.0[13]
    }

    /// Checksum field.
    #[must_use]
    pub fn checksum(&self) -> u16 {
        be16(self.0, CHECKSUM)
    }

    /// Data behind the header.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.0[self.header_len()..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_header_lengths_are_refused() {
        let mut b = [0_u8; 24];
        b[12] = 0x40;
        assert!(Tcp::parse(&b).is_err());
        b[12] = 0x70;
        assert!(Tcp::parse(&b).is_err());
        b[12] = 0x60;
        assert_eq!(Tcp::parse(&b).unwrap().header_len(), 24);
        assert!(Tcp::parse(&b[..19]).is_err());
    }
}
