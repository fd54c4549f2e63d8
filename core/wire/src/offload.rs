//! Segmentation and coalescing of packets larger than a link, and checksums that a device left unfinished.
//!
//! A kernel hands bulk TCP to a TUN device 64 KiB at a time and wants it back the same way. Links that carry ordinary
//! packets (protocol 41, IP-HTTPS) need them cut, and what comes from such links is merged before it goes to a TUN:
//!
//! ```text
//!  TUN -> super-packet -> Segments  -> link-sized packets -> link
//!  TUN <- super-packet <- Coalescer <- link-sized packets <- link
//! ```
//!
//! Nothing here allocates once it is made, and nothing repairs a packet: a segment whose checksum is wrong passes
//! alone and as wrong as it came.

mod coalesce;
mod layout;
mod segments;
mod slot;
mod unfinished;

pub use coalesce::Coalescer;
pub use segments::{Segments, wire_len};
pub use unfinished::mark_unfinished;

use crate::checksum::Sum;
use crate::{Packet, Segmentation};

/// Finishes the transport checksum that a device left as the pseudo-header sum.
///
/// True when the checksum of the packet is whole afterwards. False, and no change, for a super-packet (its checksums are
/// made when it is cut, see [`Segments`]) and for positions outside the packet.
pub fn finish_checksum(packet: &mut Packet) -> bool {
    let Some(partial) = packet.offload.partial_checksum else {
        return true;
    };
    if packet.offload.segmentation != Segmentation::None {
        return false;
    }
    let done = finish_at(packet.bytes_mut(), usize::from(partial.start), usize::from(partial.offset));
    if done {
        packet.offload.partial_checksum = None;
    }
    done
}

/// Sums from `start` to the end, pseudo-header sum in the field included, and stores the complement in the field.
fn finish_at(bytes: &mut [u8], start: usize, offset: usize) -> bool {
    let field = start + offset;
    if field + 2 > bytes.len() {
        return false;
    }
    // RFC 768: zero would say that there is no checksum; 0xffff is the same number, and harmless in TCP.
    let sum = match Sum::new().with(&bytes[start..]).finish() {
        0 => 0xffff,
        sum => sum,
    };
    bytes[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    true
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::testing::{self, Flow};
    use super::*;
    use crate::packet::PartialChecksum;

    #[test]
    fn a_partial_checksum_is_finished_to_the_full_one() {
        let flow = Flow::v6();
        let mut packet = testing::tcp(&flow, 7, 0x18, b"odd");
        let whole = packet.clone();
        testing::make_partial(&mut packet);
        assert_ne!(packet.bytes(), whole.bytes());
        assert!(finish_checksum(&mut packet));
        assert_eq!(packet.bytes(), whole.bytes());
        assert_eq!(packet.offload, crate::Offload::default());
    }

    #[test]
    fn a_checksum_position_outside_the_packet_is_refused() {
        let mut packet = Packet::from_slice(&[0x60; 41]);
        packet.offload.partial_checksum = Some(PartialChecksum { start: 40, offset: 0 });
        assert!(!finish_checksum(&mut packet));
        assert!(packet.offload.partial_checksum.is_some());
    }

    #[test]
    fn a_checksum_that_comes_out_as_zero_is_sent_as_all_ones() {
        let mut bytes = [0xff, 0xff, 0, 0];
        assert!(finish_at(&mut bytes, 0, 2));
        assert_eq!(bytes, [0xff, 0xff, 0xff, 0xff]);
    }
}
