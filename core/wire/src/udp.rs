//! The UDP header (RFC 768).

use crate::{Malformed, be16};

/// Length of the header in octets.
pub const HEADER: usize = 8;
/// Position of the checksum field.
pub const CHECKSUM: usize = 6;

/// A checked view of a UDP datagram's header.
///
/// The length field is not compared with the bytes: a first fragment carries less, a super-packet may say otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Udp<'a>(&'a [u8]);

impl<'a> Udp<'a> {
    /// Checks `bytes`, which start at the UDP header.
    ///
    /// # Errors
    /// [`Malformed::Transport`] when there are fewer than eight octets or the length field is below eight.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() < HEADER || usize::from(be16(bytes, 4)) < HEADER {
            return Err(Malformed::Transport);
        }
        Ok(Self(bytes))
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

    /// Length field: header and data.
    #[must_use]
    pub fn length(&self) -> u16 {
        be16(self.0, 4)
    }

    /// Checksum field; zero in IPv4 means that there is none.
    #[must_use]
    pub fn checksum(&self) -> u16 {
        be16(self.0, CHECKSUM)
    }

    /// Data behind the header.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.0[HEADER..]
    }
}
