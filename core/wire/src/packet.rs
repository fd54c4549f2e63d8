//! The buffer a packet lives in from the moment it is read until it is written: headroom in front, metadata beside.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use crate::{ipv4, ipv6};

/// How a packet larger than the link may be cut, and what its transport checksum field holds.
///
/// Mirrors what a TUN device with segmentation offload says of a packet, so that bulk TCP crosses whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Offload {
    /// Set when the transport checksum field holds only the folded pseudo-header sum (not complemented) and
    /// the sender expects the device to finish it.
    pub partial_checksum: Option<PartialChecksum>,
    /// How the packet is to be cut into link-sized ones.
    pub segmentation: Segmentation,
}

/// Where a checksum that is not finished starts and where it is stored, in octets from the start of the IP header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartialChecksum {
    /// First octet that the checksum covers: the transport header.
    pub start: u16,
    /// Position of the two checksum octets, counted from `start`.
    pub offset: u16,
}

/// How a super-packet is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Segmentation {
    /// An ordinary packet.
    #[default]
    None,
    /// TCP: every segment but the last carries `mss` octets of payload.
    Tcp {
        /// Payload octets a segment.
        mss: u16,
    },
    /// UDP: every datagram but the last carries `size` octets of payload.
    Udp {
        /// Payload octets a datagram.
        size: u16,
    },
}

/// An IP packet (version 4 or 6, never a link-layer header) in a buffer with headroom.
///
/// The buffer has a fixed size and is reused; [`Packet::reset`] forgets the content but keeps the memory. Octets that
/// [`Packet::push_front`] exposes are zeroed, so the packet before never shows through.
pub struct Packet {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// What the device said, or is to be told, of this packet.
    pub offload: Offload,
}

impl Packet {
    /// Octets kept free in front after [`Packet::reset`]: an outer IPv4 header, the growth of NAT64, a device header.
    pub const HEADROOM: usize = 128;
    /// Largest packet that fits a buffer made by [`Packet::new`]: an IPv6 super-packet.
    pub const LARGEST: usize = 65_535 + 40;

    /// An empty buffer that takes any packet up to [`Packet::LARGEST`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(Self::LARGEST)
    }

    /// An empty buffer for packets up to `capacity` octets.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            buffer: vec![0; Self::HEADROOM + capacity].into_boxed_slice(),
            start: Self::HEADROOM,
            end: Self::HEADROOM,
            offload: Offload::default(),
        }
    }

    /// A copy of `bytes` in a buffer that just fits.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Self {
        let mut packet = Self::with_capacity(bytes.len());
        packet.buffer[Self::HEADROOM..].copy_from_slice(bytes);
        packet.end = packet.start + bytes.len();
        packet
    }

    /// Empties the packet and gives back the whole headroom.
    pub fn reset(&mut self) {
        self.start = Self::HEADROOM;
        self.end = Self::HEADROOM;
        self.offload = Offload::default();
    }

    /// The packet, from the first octet of the IP header.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The packet, writable in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.end]
    }

    /// Length in octets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// True when there is no octet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Free octets in front.
    #[must_use]
    pub fn headroom(&self) -> usize {
        self.start
    }

    /// Free octets behind.
    #[must_use]
    pub fn tailroom(&self) -> usize {
        self.buffer.len() - self.end
    }

    /// Everything behind the start, for a read that then tells its length with [`Packet::set_len`].
    pub fn spare_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..]
    }

    /// The same with `front` octets before it, for a read that brings a header of the device; `None` when the headroom is smaller.
    pub fn spare_with_front_mut(&mut self, front: usize) -> Option<&mut [u8]> {
        let from = self.start.checked_sub(front)?;
        self.buffer.get_mut(from..)
    }

    /// The packet with a `header` of the device in front, in the headroom; `None` when that is smaller. The packet stays as
    /// it is.
    pub fn with_front(&mut self, header: &[u8]) -> Option<&[u8]> {
        let from = self.start.checked_sub(header.len())?;
        self.buffer.get_mut(from..self.start)?.copy_from_slice(header);
        self.buffer.get(from..self.end)
    }

    /// The free octets in front and the packet, for a device that reads or writes a header of its own before the packet.
    pub fn split_headroom_mut(&mut self) -> (&mut [u8], &mut [u8]) {
        let (front, rest) = self.buffer.split_at_mut(self.start);
        (front, &mut rest[..self.end - self.start])
    }

    /// Sets the length after a read into [`Packet::spare_mut`]; a length beyond the buffer is cut to it.
    pub fn set_len(&mut self, len: usize) {
        self.end = (self.start + len).min(self.buffer.len());
    }

    /// Cuts the packet to at most `len` octets.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start + len);
    }

    /// Adds `n` zero octets in front and gives them; `None`, and no change, when the headroom is too small.
    pub fn push_front(&mut self, n: usize) -> Option<&mut [u8]> {
        let start = self.start.checked_sub(n)?;
        self.buffer[start..self.start].fill(0);
        self.start = start;
        Some(&mut self.buffer[start..start + n])
    }

    /// Removes `n` octets in front; false, and no change, when there are fewer.
    pub fn pull_front(&mut self, n: usize) -> bool {
        let fits = n <= self.len();
        if fits {
            self.start += n;
        }
        fits
    }

    /// Appends `bytes`; false, and no change, when they do not fit.
    pub fn extend(&mut self, bytes: &[u8]) -> bool {
        let Some(room) = self.buffer.get_mut(self.end..self.end + bytes.len()) else {
            return false;
        };
        room.copy_from_slice(bytes);
        self.end += bytes.len();
        true
    }
}

impl Default for Packet {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Packet {
    /// A copy in a buffer that just fits; for tests and captures, not for the packet path.
    fn clone(&self) -> Self {
        let mut copy = Self::from_slice(self.bytes());
        copy.offload = self.offload;
        copy
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Ok(ip) = ipv6::Ipv6::parse(self.bytes()) {
            write!(f, "{ip:?}")?;
        } else if let Ok(ip) = ipv4::Ipv4::parse(self.bytes()) {
            write!(f, "{ip:?}")?;
        } else {
            write!(f, "[{} octets, not IP]", self.len())?;
        }
        match self.offload.segmentation {
            Segmentation::None => Ok(()),
            Segmentation::Tcp { mss } => write!(f, " gso tcp {mss}"),
            Segmentation::Udp { size } => write!(f, " gso udp {size}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushed_octets_are_zero_whatever_was_there() {
        let mut p = Packet::from_slice(&[1, 2, 3, 4]);
        assert!(p.pull_front(4));
        assert_eq!(p.push_front(4), Some(&mut [0, 0, 0, 0][..]));
    }

    #[test]
    fn a_device_header_stands_in_front_and_is_no_part_of_the_packet() {
        let mut p = Packet::from_slice(&[1, 2]);
        assert_eq!(p.with_front(&[8, 9]), Some(&[8, 9, 1, 2][..]));
        assert_eq!(p.bytes(), [1, 2]);
        assert!(p.with_front(&[0; Packet::HEADROOM + 1]).is_none());
        p.reset();
        p.spare_with_front_mut(2).unwrap()[..3].copy_from_slice(&[5, 6, 7]);
        p.set_len(1);
        assert_eq!(p.bytes(), [7]);
        assert!(p.spare_with_front_mut(Packet::HEADROOM + 1).is_none());
    }

    #[test]
    fn bounds_are_refused_without_change() {
        let mut p = Packet::from_slice(&[1, 2]);
        assert!(!p.pull_front(3));
        assert!(p.push_front(Packet::HEADROOM + 1).is_none());
        assert!(!p.extend(&[0; 10]));
        assert_eq!(p.bytes(), [1, 2]);
        p.set_len(1_000_000);
        assert_eq!(p.len(), 2);
    }
}
