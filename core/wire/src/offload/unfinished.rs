//! Recognising what a kernel left unfinished when it hands a packet over without saying so.

use super::layout::{Layout, checksum_offset};
use crate::ipv6::{self, Ipv6};
use crate::packet::PartialChecksum;
use crate::{Packet, Segmentation, be16, protocol};

/// Notes in the offload metadata of an IPv6 packet from a raw socket what the socket cannot say.
///
/// A kernel's receive offload merges TCP inside protocol 41 before a raw socket sees it, and a sender on the same
/// machine may leave checksums to a device that never comes. Both leave the folded pseudo-header sum in the checksum
/// field, and that is the mark. Whatever exceeds `mtu` then is cut so that each segment fits it: TCP is a stream of
/// octets, so where it was cut before does not matter.
///
/// A finished checksum that happens to equal the pseudo-header sum is finished to itself, so the mark does no harm.
pub fn mark_unfinished(packet: &mut Packet, mtu: u16) {
    let bytes = packet.bytes();
    // Receive offload merges no packet with extension headers.
    let Ok(ip) = Ipv6::parse(bytes) else { return };
    let protocol = ip.next_header();
    if !matches!(protocol, protocol::TCP | protocol::UDP) {
        return;
    }
    let Ok(layout) = Layout::of(bytes, protocol) else { return };
    let offset = checksum_offset(protocol);
    let pseudo = layout.pseudo(bytes, protocol, layout.end - layout.transport).fold();
    if be16(bytes, layout.transport + offset) != pseudo {
        return;
    }
    let start = ipv6::HEADER as u16;
    let mss = usize::from(mtu).saturating_sub(layout.payload);
    let cut = protocol == protocol::TCP && layout.end > usize::from(mtu) && mss > 0;
    packet.offload.partial_checksum = Some(PartialChecksum { start, offset: offset as u16 });
    if cut {
        // Below the MTU, which has 16 bits.
        packet.offload.segmentation = Segmentation::Tcp { mss: mss as u16 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Offload;
    use crate::offload::testing::{self, Flow};
    use crate::offload::{Segments, finish_checksum};

    #[test]
    fn a_finished_packet_is_left_as_it_is() {
        let mut packet = testing::tcp(&Flow::v6(), 1, 0x10, &[3; 3000]);
        mark_unfinished(&mut packet, 1280);
        assert_eq!(packet.offload, Offload::default());
    }

    #[test]
    fn merged_tcp_is_cut_to_the_mtu() {
        let mut packet = testing::tcp(&Flow { timestamp: Some(1), ..Flow::v6() }, 1, 0x10, &[3; 3000]);
        testing::make_partial(&mut packet);
        packet.offload = Offload::default();
        mark_unfinished(&mut packet, 1280);
        assert_eq!(packet.offload.segmentation, Segmentation::Tcp { mss: 1208 });
        let mut segments = Segments::new(&packet).unwrap();
        let mut out = Packet::new();
        while segments.fill(&mut out) {
            assert!(out.len() <= 1280 && testing::checksum_ok(out.bytes()));
        }
    }

    #[test]
    fn an_unfinished_datagram_can_be_finished() {
        let whole = testing::udp(&Flow::v6(), b"question");
        let mut packet = whole.clone();
        testing::make_partial(&mut packet);
        packet.offload = Offload::default();
        mark_unfinished(&mut packet, 1280);
        assert!(finish_checksum(&mut packet));
        assert_eq!(packet.bytes(), whole.bytes());
    }
}
