//! Merging consecutive TCP segments of a flow into super-packets, by the rules of the kernel's own receive offload.

use alloc::vec::Vec;

use super::layout::Layout;
use super::slot::{Segment, Slot};
use crate::ipv4::Ipv4;
use crate::{Offload, Packet, protocol};

/// Merges TCP data segments that follow each other, and passes everything else as it came.
///
/// Two segments become one when their headers are equal in all but length, sequence, checksum and PSH, the second
/// begins where the first ends, neither is larger than the first, and both checksums are right. A smaller segment or PSH
/// ends the super-packet. Extension headers, IPv4 options, fragments, a clear DF bit and any flag but ACK and PSH
/// keep a packet out. Packets of one flow leave in the order in which they came; one that cannot be merged pushes what
/// was held of its flow out in front of itself.
///
/// Holds at most as many flows as it was made for, 64 KiB each; a further one pushes the oldest out.
/// The driving loop pushes a batch and then flushes, so nothing waits for packets that may never come:
///
/// ```
/// # use sixgate_wire::{Packet, offload::Coalescer};
/// let mut coalescer = Coalescer::new(8);
/// # let batch: [Packet; 0] = [];
/// let mut emit = |packet: &mut Packet| { /* write it; its buffer may be swapped for another */ };
/// for packet in &batch {
///     coalescer.push(packet.bytes(), &mut emit);
/// }
/// coalescer.flush(&mut emit);
/// ```
#[derive(Debug)]
pub struct Coalescer {
    slots: Vec<Slot>,
    alone: Packet,
    opened: u64,
}

impl Coalescer {
    /// Room for `flows` flows at a time (at least one): 64 KiB each, all of it allocated here.
    #[must_use]
    pub fn new(flows: usize) -> Self {
        let slots = (0..flows.max(1)).map(|_| Slot::new()).collect();
        Self { slots, alone: Packet::new(), opened: 0 }
    }

    /// Takes a copy of an ordinary packet whose checksum is finished. `emit` is called for each packet that leaves.
    pub fn push(&mut self, bytes: &[u8], emit: &mut impl FnMut(&mut Packet)) {
        if self.keep(bytes, emit) {
            return;
        }
        self.alone.reset();
        // A packet that is larger than any packet can be is cut nowhere: it was never in a buffer of ours.
        if self.alone.extend(bytes) {
            emit(&mut self.alone);
        }
    }

    /// Like [`Coalescer::push`], without the copy when the packet passes alone: then it is `packet` itself that leaves.
    ///
    /// A packet with offload metadata always passes alone.
    pub fn push_packet(&mut self, packet: &mut Packet, emit: &mut impl FnMut(&mut Packet)) {
        if packet.offload != Offload::default() {
            self.flush_flow(packet.bytes(), emit);
            emit(packet);
        } else if !self.keep(packet.bytes(), emit) {
            emit(packet);
        }
    }

    /// Pushes out everything that is held, oldest flow first.
    pub fn flush(&mut self, emit: &mut impl FnMut(&mut Packet)) {
        while let Some(slot) = oldest(&mut self.slots) {
            slot.emit(emit);
        }
    }

    /// True when the packet was taken; false when it has to leave alone, after what was held of its flow.
    fn keep(&mut self, bytes: &[u8], emit: &mut impl FnMut(&mut Packet)) -> bool {
        let Some(segment) = Segment::parse(bytes) else {
            self.flush_flow(bytes, emit);
            return false;
        };
        if let Some(slot) = self.slots.iter_mut().find(|s| s.is_flow_of(bytes, &segment.layout)) {
            if slot.merge(bytes, &segment) {
                if slot.is_complete() {
                    slot.emit(emit);
                }
                return true;
            }
            slot.emit(emit);
        }
        // Nothing may follow a PSH in a super-packet, so nothing is won by holding the segment.
        if segment.push {
            return false;
        }
        self.opened += 1;
        let opened = self.opened;
        let slot = match self.slots.iter_mut().position(|s| !s.is_open()) {
            Some(free) => &mut self.slots[free],
            None => match oldest(&mut self.slots) {
                Some(slot) => {
                    slot.emit(emit);
                    slot
                }
                None => return false,
            },
        };
        slot.open(bytes, &segment, opened)
    }

    /// Pushes out what is held of the flow that a packet which cannot be merged belongs to, or may belong to.
    fn flush_flow(&mut self, bytes: &[u8], emit: &mut impl FnMut(&mut Packet)) {
        if self.slots.iter().all(|s| !s.is_open()) {
            return;
        }
        if let Ok(layout) = Layout::of(bytes, protocol::TCP) {
            if let Some(slot) = self.slots.iter_mut().find(|s| s.is_flow_of(bytes, &layout)) {
                slot.emit(emit);
            }
        } else if is_tcp_in_pieces(bytes) {
            // The ports may be in another fragment: everything between the two hosts goes.
            while let Some(slot) = self.slots.iter_mut().find(|s| s.is_between(bytes)) {
                slot.emit(emit);
            }
        }
    }
}

fn oldest(slots: &mut [Slot]) -> Option<&mut Slot> {
    slots.iter_mut().filter(|s| s.is_open()).min_by_key(|s| s.opened())
}

/// A packet without a readable TCP header that may still be part of a TCP flow: anything but whole, other protocols.
fn is_tcp_in_pieces(bytes: &[u8]) -> bool {
    match bytes.first().map(|b| b >> 4) {
        Some(4) => Ipv4::parse_quoted(bytes).is_ok_and(|ip| ip.protocol() == protocol::TCP),
        Some(6) => crate::ipv6::Ipv6::parse_quoted(bytes)
            .is_ok_and(|ip| ip.upper().is_ok_and(|u| u.protocol == protocol::TCP || u.fragment.is_some())),
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offload::testing::{self, Flow};
    use crate::offload::{Segments, finish_checksum};
    use crate::tcp::Tcp;
    use crate::{Segmentation, be16};
    use alloc::vec;
    use proptest::prelude::*;

    const ACK: u8 = 0x10;
    const PSH: u8 = 0x18;

    fn run(flows: usize, packets: &[Packet]) -> Vec<Packet> {
        let mut out = Vec::new();
        let mut emit = |p: &mut Packet| out.push(p.clone());
        let mut coalescer = Coalescer::new(flows);
        for p in packets {
            coalescer.push(p.bytes(), &mut emit);
        }
        coalescer.flush(&mut emit);
        out
    }

    fn payloads(packets: &[Packet], transport: usize) -> Vec<usize> {
        packets.iter().map(|p| Tcp::parse(&p.bytes()[transport..]).unwrap().payload().len()).collect()
    }

    #[test]
    fn consecutive_segments_become_one_super_packet() {
        for flow in [Flow::v4(), Flow { timestamp: Some(7), ..Flow::v6() }] {
            let packets = [
                testing::tcp(&flow, u32::MAX - 99, ACK, &[1; 100]),
                testing::tcp(&flow, 0, ACK, &[2; 100]),
                testing::tcp(&flow, 100, PSH, &[3; 40]),
            ];
            let out = run(8, &packets);
            assert_eq!(payloads(&out, flow.transport()), [240]);
            assert_eq!(out[0].offload.segmentation, Segmentation::Tcp { mss: 100 });
            assert_eq!(Tcp::parse(&out[0].bytes()[flow.transport()..]).unwrap().flags(), PSH);
            let partial = out[0].offload.partial_checksum.unwrap();
            assert_eq!((usize::from(partial.start), partial.offset), (flow.transport(), 16));
            // The field holds the pseudo-header sum: finishing it gives a right checksum.
            let mut whole = out[0].clone();
            whole.offload.segmentation = Segmentation::None;
            assert!(finish_checksum(&mut whole));
            assert!(testing::checksum_ok(whole.bytes()));
        }
    }

    #[test]
    fn a_lone_segment_leaves_as_it_came() {
        let packet = testing::tcp(&Flow::v6(), 1, ACK, &[1; 100]);
        let out = run(8, core::slice::from_ref(&packet));
        assert_eq!(out[0].bytes(), packet.bytes());
        assert_eq!(out[0].offload, Offload::default());
    }

    #[test]
    fn a_gap_an_overlap_or_a_larger_segment_begins_anew() {
        let flow = Flow::v6();
        let out = run(
            8,
            &[
                testing::tcp(&flow, 0, ACK, &[1; 100]),
                testing::tcp(&flow, 101, ACK, &[1; 100]),
                testing::tcp(&flow, 200, ACK, &[1; 100]),
                testing::tcp(&flow, 300, ACK, &[1; 101]),
            ],
        );
        assert_eq!(payloads(&out, 40), [100, 100, 100, 101]);
    }

    #[test]
    fn a_smaller_segment_is_the_last_of_its_super_packet() {
        let flow = Flow::v6();
        let out = run(
            8,
            &[
                testing::tcp(&flow, 0, ACK, &[1; 100]),
                testing::tcp(&flow, 100, ACK, &[1; 99]),
                testing::tcp(&flow, 199, ACK, &[1; 99]),
            ],
        );
        assert_eq!(payloads(&out, 40), [199, 99]);
    }

    #[test]
    fn headers_that_differ_are_not_merged() {
        let flow = Flow { timestamp: Some(1), ..Flow::v6() };
        let others = [
            Flow { ack: 6, ..flow.clone() },
            Flow { window: 501, ..flow.clone() },
            Flow { hop_limit: 63, ..flow.clone() },
            Flow { timestamp: Some(2), ..flow.clone() },
            Flow { timestamp: None, ..flow.clone() },
        ];
        for other in others {
            let out =
                run(8, &[testing::tcp(&flow, 0, ACK, &[1; 100]), testing::tcp(&other, 100, ACK, &[1; 100])]);
            assert_eq!(out.len(), 2, "{other:?}");
        }
    }

    #[test]
    fn a_damaged_segment_passes_alone_and_as_damaged_as_it_came() {
        let flow = Flow::v6();
        let mut bad = testing::tcp(&flow, 100, ACK, &[1; 100]);
        bad.bytes_mut()[70] ^= 1;
        let out = run(
            8,
            &[testing::tcp(&flow, 0, ACK, &[1; 100]), bad.clone(), testing::tcp(&flow, 200, ACK, &[1; 100])],
        );
        assert_eq!(out.len(), 3);
        assert_eq!(out[1].bytes(), bad.bytes());
    }

    #[test]
    fn fin_pushes_the_data_out_before_itself() {
        let flow = Flow::v4();
        let out = run(
            8,
            &[
                testing::tcp(&flow, 0, ACK, &[1; 100]),
                testing::tcp(&flow, 100, ACK, &[1; 100]),
                testing::tcp(&flow, 200, ACK | 1, &[]),
            ],
        );
        assert_eq!(payloads(&out, 20), [200, 0]);
    }

    #[test]
    fn flows_do_not_disturb_each_other_and_the_oldest_gives_way() {
        let flows: Vec<_> = (0..3).map(|i| Flow { src_port: 1000 + i, ..Flow::v6() }).collect();
        let mut packets = Vec::new();
        for n in 0..3 {
            for flow in &flows[..2] {
                packets.push(testing::tcp(flow, n * 100, ACK, &[1; 100]));
            }
        }
        packets.push(testing::tcp(&flows[2], 0, ACK, &[1; 50]));
        let out = run(2, &packets);
        let seen: Vec<_> = out.iter().map(|p| be16(p.bytes(), 40)).collect();
        assert_eq!(seen, [1000, 1001, 1002]);
        assert_eq!(payloads(&out, 40), [300, 300, 50]);
    }

    #[test]
    fn a_super_packet_ends_before_its_length_field_would_overflow() {
        for flow in [Flow::v4(), Flow::v6()] {
            let packets: Vec<_> = (0..50).map(|i| testing::tcp(&flow, i * 1400, ACK, &[1; 1400])).collect();
            let out = run(8, &packets);
            assert_eq!(payloads(&out, flow.transport()), [64_400, 5_600]);
        }
    }

    #[test]
    fn fragments_and_clear_df_pass_in_order() {
        let flow = Flow::v4();
        let mut fragment = testing::tcp(&flow, 100, ACK, &[1; 100]);
        fragment.bytes_mut()[6..8].copy_from_slice(&[0x20, 0]);
        let mut clear = testing::tcp(&flow, 200, ACK, &[1; 100]);
        clear.bytes_mut()[6] = 0;
        for odd in [fragment, clear] {
            let packets =
                [testing::tcp(&flow, 0, ACK, &[1; 100]), odd, testing::tcp(&flow, 300, ACK, &[1; 100])];
            let out = run(8, &packets);
            assert!(out.iter().map(Packet::bytes).eq(packets.iter().map(Packet::bytes)));
        }
    }

    #[test]
    fn a_packet_with_metadata_passes_behind_its_flow() {
        let flow = Flow::v6();
        let mut big = testing::tcp(&flow, 100, ACK, &[1; 300]);
        testing::make_super(&mut big, Segmentation::Tcp { mss: 100 });
        let mut out = Vec::new();
        let mut emit = |p: &mut Packet| out.push(p.clone());
        let mut coalescer = Coalescer::new(2);
        coalescer.push_packet(&mut testing::tcp(&flow, 0, ACK, &[1; 100]), &mut emit);
        coalescer.push_packet(&mut big, &mut emit);
        coalescer.flush(&mut emit);
        assert_eq!(payloads(&out, 40), [100, 300]);
        assert_eq!(out[1].offload.segmentation, Segmentation::Tcp { mss: 100 });
    }

    proptest! {
        #[test]
        fn cut_then_merged_is_the_same_packet(v6: bool, stamped: bool, len in 1_usize..60_000, mss in 100_u16..1500, seq: u32, push: bool) {
            let timestamp = stamped.then_some(3);
            let flow = Flow { timestamp, ..if v6 { Flow::v6() } else { Flow::v4() } };
            let payload: Vec<u8> = (0..len).map(|i| (i * 7 + i / 251) as u8).collect();
            let mut whole = testing::tcp(&flow, seq, if push { PSH } else { ACK }, &payload);
            if len > usize::from(mss) {
                testing::make_super(&mut whole, Segmentation::Tcp { mss });
            }
            let mut pieces = Vec::new();
            let mut segments = Segments::new(&whole).unwrap();
            let mut piece = Packet::new();
            while segments.fill(&mut piece) {
                pieces.push(piece.clone());
            }
            let out = run(8, &pieces);
            prop_assert_eq!(out.len(), 1);
            prop_assert_eq!(out[0].bytes(), whole.bytes());
            prop_assert_eq!(out[0].offload, whole.offload);
        }

        #[test]
        fn every_flow_keeps_its_bytes_and_its_order(steps in proptest::collection::vec((0_u16..4, 0_usize..6, 0..12), 1..80)) {
            let mut sequence = [0_u32; 4];
            let mut sent = vec![Vec::new(); 4];
            let mut packets = Vec::new();
            for (port, size, oddity) in steps {
                let flow = Flow { src_port: port, ack: u32::from(oddity == 1), ..Flow::v6() };
                let flags = match oddity { 2 => PSH, 3 => ACK | 1, 4 => ACK | 0x20, _ => ACK };
                let n = usize::from(port);
                let payload: Vec<u8> = (0..size * 50).map(|i| (sent[n].len() + i) as u8).collect();
                packets.push(testing::tcp(&flow, sequence[n], flags, &payload));
                sequence[n] += payload.len() as u32;
                sent[n].extend_from_slice(&payload);
            }
            let mut got = vec![Vec::new(); 4];
            for p in run(2, &packets) {
                let t = Tcp::parse(&p.bytes()[40..]).unwrap();
                let n = usize::from(t.src_port());
                prop_assert_eq!(t.sequence() as usize, got[n].len());
                got[n].extend_from_slice(t.payload());
            }
            prop_assert_eq!(got, sent);
        }

        #[test]
        fn random_bytes_pass_unchanged(packets: Vec<Vec<u8>>) {
            let packets: Vec<_> = packets.iter().map(|b| Packet::from_slice(b)).collect();
            let out = run(2, &packets);
            prop_assert!(out.iter().map(Packet::bytes).eq(packets.iter().map(Packet::bytes)));
        }
    }
}
