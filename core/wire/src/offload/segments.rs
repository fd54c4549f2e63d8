//! Cutting a super-packet into packets that fit a link.

use alloc::vec::Vec;

use super::finish_at;
use super::layout::{CWR, FLAGS, Layout, checksum_offset};
use crate::checksum::Sum;
use crate::packet::PartialChecksum;
use crate::{Malformed, Packet, Segmentation, be16, be32, protocol, tcp};

/// The link-sized packets of one [`Packet`], written one at a time where the caller wants them.
///
/// An ordinary packet yields itself, once, its checksum finished: senders need no case distinction.
///
/// ```
/// # use sixgate_wire::{Packet, Malformed, offload::Segments};
/// # fn example(packet: &Packet, out: &mut Vec<u8>) -> Result<(), Malformed> {
/// let mut segments = Segments::new(packet)?;
/// while let Some(length) = segments.append(out) {
///     // The segment is the last `length` octets of `out`.
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a> {
    bytes: &'a [u8],
    cut: Cut,
    /// Payload octets given so far, or for an ordinary packet all of it.
    done: usize,
    index: u16,
    finished: bool,
}

#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole(Option<PartialChecksum>),
    Pieces { layout: Layout, protocol: u8, size: usize },
}

impl<'a> Segments<'a> {
    /// Looks at `packet` and its offload metadata.
    ///
    /// # Errors
    /// [`Malformed`] when the metadata does not fit the packet: headers that are not there or cut short, a fragment, a
    /// segment size of zero, a checksum position outside.
    pub fn new(packet: &'a Packet) -> Result<Self, Malformed> {
        let bytes = packet.bytes();
        let (protocol, size) = match packet.offload.segmentation {
            Segmentation::None => return Self::whole(bytes, packet.offload.partial_checksum),
            Segmentation::Tcp { mss } => (protocol::TCP, usize::from(mss)),
            Segmentation::Udp { size } => (protocol::UDP, usize::from(size)),
        };
        let layout = Layout::of(bytes, protocol)?;
        if size == 0 {
            return Err(Malformed::Transport);
        }
        let cut = Cut::Pieces { layout, protocol, size };
        Ok(Self { bytes, cut, done: 0, index: 0, finished: false })
    }

    fn whole(bytes: &'a [u8], partial: Option<PartialChecksum>) -> Result<Self, Malformed> {
        if partial.is_some_and(|p| usize::from(p.start) + usize::from(p.offset) + 2 > bytes.len()) {
            return Err(Malformed::Transport);
        }
        Ok(Self { bytes, cut: Cut::Whole(partial), done: 0, index: 0, finished: false })
    }

    /// Length of the next segment, IP header included; `None` when all are written.
    #[must_use]
    pub fn next_len(&self) -> Option<usize> {
        if self.finished {
            return None;
        }
        Some(match self.cut {
            Cut::Whole(_) => self.bytes.len(),
            Cut::Pieces { layout, size, .. } => {
                layout.payload + size.min(layout.end - layout.payload - self.done)
            }
        })
    }

    /// How many segments are still to come.
    #[must_use]
    pub fn remaining(&self) -> usize {
        match self.cut {
            _ if self.finished => 0,
            Cut::Whole(_) => 1,
            Cut::Pieces { layout, size, .. } => {
                (layout.end - layout.payload - self.done).div_ceil(size).max(1)
            }
        }
    }

    /// Writes the next segment at the start of `out` and gives its length.
    ///
    /// `None` when all are written; also `None`, and nothing lost, when `out` is shorter than [`Segments::next_len`].
    pub fn write(&mut self, out: &mut [u8]) -> Option<usize> {
        let len = self.next_len()?;
        let out = out.get_mut(..len)?;
        match self.cut {
            Cut::Whole(partial) => {
                out.copy_from_slice(self.bytes);
                if let Some(p) = partial {
                    finish_at(out, usize::from(p.start), usize::from(p.offset));
                }
                self.finished = true;
            }
            Cut::Pieces { layout, protocol, .. } => self.write_piece(layout, protocol, out),
        }
        Some(len)
    }

    fn write_piece(&mut self, layout: Layout, protocol: u8, out: &mut [u8]) {
        let (headers, payload) = out.split_at_mut(layout.payload);
        let from = layout.payload + self.done;
        headers.copy_from_slice(&self.bytes[..layout.payload]);
        payload.copy_from_slice(&self.bytes[from..from + payload.len()]);
        let sent = self.done;
        self.done += payload.len();
        self.finished = layout.payload + self.done == layout.end;

        let total = out.len();
        // Only IPv4 has the field here; in IPv6 the value is not used.
        let identification = be16(out, 4).wrapping_add(self.index);
        layout.finish_ip(out, total, identification);
        let pseudo = layout.pseudo(out, protocol, total - layout.transport);
        let header = &mut out[layout.transport..];
        if protocol == protocol::TCP {
            let sequence = be32(header, 4).wrapping_add(sent as u32);
            header[4..8].copy_from_slice(&sequence.to_be_bytes());
            if !self.finished {
                header[FLAGS] &= !(tcp::FIN | tcp::PSH);
            }
            // RFC 3168, section 6.1.2: CWR answers once, on the first new data segment.
            if self.index > 0 {
                header[FLAGS] &= !CWR;
            }
        } else {
            let length = (total - layout.transport) as u16;
            header[4..6].copy_from_slice(&length.to_be_bytes());
        }
        self.index = self.index.wrapping_add(1);

        let at = checksum_offset(protocol);
        header[at..at + 2].fill(0);
        let sum = match pseudo.and(Sum::new().with(header)).finish() {
            // RFC 768: an all-zero checksum would mean none. In TCP both spellings are the same number.
            0 => 0xffff,
            sum => sum,
        };
        header[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }

    /// Appends the next segment to `out` and gives its length; allocates only when `out` has not the capacity.
    pub fn append(&mut self, out: &mut Vec<u8>) -> Option<usize> {
        let len = self.next_len()?;
        let start = out.len();
        out.resize(start + len, 0);
        self.write(&mut out[start..])
    }

    /// Replaces the content of `out` by the next segment; false when all are written or `out` is too small for it.
    pub fn fill(&mut self, out: &mut Packet) -> bool {
        out.reset();
        let Some(len) = self.write(out.spare_mut()) else {
            return false;
        };
        out.set_len(len);
        true
    }
}

/// Length of the largest packet that `packet` becomes on a link: of its first segment, or its own.
///
/// This is what an MTU is compared with. Metadata that does not fit the packet counts for nothing.
#[must_use]
pub fn wire_len(packet: &Packet) -> usize {
    if packet.offload.segmentation == Segmentation::None {
        return packet.len();
    }
    Segments::new(packet).ok().and_then(|s| s.next_len()).unwrap_or(packet.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipv4::Ipv4;
    use crate::offload::testing::{self, Flow};
    use crate::tcp::Tcp;
    use alloc::vec;
    use proptest::prelude::*;

    fn cut(packet: &Packet) -> Vec<Packet> {
        let mut segments = Segments::new(packet).unwrap();
        let expected = segments.remaining();
        let mut all = Vec::new();
        let mut out = Packet::new();
        while segments.fill(&mut out) {
            all.push(out.clone());
        }
        assert_eq!(all.len(), expected);
        all
    }

    #[test]
    fn fin_and_psh_go_on_the_last_cwr_on_the_first() {
        for flow in [Flow::v4(), Flow::v6()] {
            let mut packet = testing::tcp(&flow, u32::MAX - 50, 0x80 | 0x10 | 0x08 | 0x01, &[7; 250]);
            testing::make_super(&mut packet, Segmentation::Tcp { mss: 100 });
            let all = cut(&packet);
            let seen: Vec<_> = all
                .iter()
                .map(|p| {
                    assert!(testing::checksum_ok(p.bytes()));
                    let t = Tcp::parse(&p.bytes()[flow.transport()..]).unwrap();
                    (t.flags(), t.sequence(), t.payload().len())
                })
                .collect();
            let first = u32::MAX - 50;
            assert_eq!(
                seen,
                [
                    (0x90, first, 100),
                    (0x10, first.wrapping_add(100), 100),
                    (0x19, first.wrapping_add(200), 50)
                ]
            );
        }
    }

    #[test]
    fn ipv4_identification_counts_up_and_header_checksums_are_right() {
        let mut packet = testing::tcp(&Flow::v4(), 1, 0x10, &[7; 300]);
        packet.bytes_mut()[4..6].copy_from_slice(&[0xff, 0xff]);
        testing::make_super(&mut packet, Segmentation::Tcp { mss: 100 });
        let ids: Vec<_> = cut(&packet)
            .iter()
            .map(|p| {
                let ip = Ipv4::parse(p.bytes()).unwrap();
                assert!(ip.header_checksum_ok());
                ip.identification()
            })
            .collect();
        assert_eq!(ids, [0xffff, 0, 1]);
    }

    #[test]
    fn udp_datagrams_get_their_own_lengths() {
        for flow in [Flow::v4(), Flow::v6()] {
            let mut packet = testing::udp(&flow, &[9; 250]);
            testing::make_super(&mut packet, Segmentation::Udp { size: 100 });
            let all = cut(&packet);
            let lengths: Vec<_> = all
                .iter()
                .map(|p| {
                    assert!(testing::checksum_ok(p.bytes()));
                    be16(p.bytes(), flow.transport() + 4)
                })
                .collect();
            assert_eq!(lengths, [108, 108, 58]);
            assert_eq!(wire_len(&packet), flow.transport() + 108);
        }
    }

    #[test]
    fn an_ordinary_packet_is_given_once_with_its_checksum_finished() {
        let whole = testing::tcp(&Flow::v6(), 1, 0x10, b"abc");
        let mut partial = whole.clone();
        testing::make_partial(&mut partial);
        let mut out = vec![1, 2, 3];
        let mut segments = Segments::new(&partial).unwrap();
        assert_eq!(segments.append(&mut out), Some(whole.len()));
        assert_eq!(segments.append(&mut out), None);
        assert_eq!(&out[3..], whole.bytes());
    }

    #[test]
    fn a_short_buffer_loses_nothing() {
        let mut packet = testing::tcp(&Flow::v6(), 1, 0x10, &[7; 150]);
        testing::make_super(&mut packet, Segmentation::Tcp { mss: 100 });
        let mut segments = Segments::new(&packet).unwrap();
        assert_eq!(segments.write(&mut [0; 100]), None);
        assert_eq!(segments.write(&mut [0; 200]), Some(160));
        assert_eq!(segments.next_len(), Some(110));
    }

    #[test]
    fn metadata_that_does_not_fit_the_packet_is_refused() {
        let mut packet = testing::udp(&Flow::v6(), &[9; 250]);
        packet.offload.segmentation = Segmentation::Tcp { mss: 100 };
        assert!(Segments::new(&packet).is_err());
        packet.offload.segmentation = Segmentation::Udp { size: 0 };
        assert!(Segments::new(&packet).is_err());
        packet.offload.segmentation = Segmentation::Udp { size: 10 };
        packet.truncate(47);
        assert!(Segments::new(&packet).is_err());
    }

    proptest! {
        #[test]
        fn the_pieces_carry_the_payload_in_order(v6: bool, payload: Vec<u8>, mss in 1_u16..2000, seq: u32, flags: u8) {
            let flow = if v6 { Flow::v6() } else { Flow::v4() };
            let mut packet = testing::tcp(&flow, seq, flags, &payload);
            testing::make_super(&mut packet, Segmentation::Tcp { mss });
            let mut joined = Vec::new();
            for p in cut(&packet) {
                prop_assert!(testing::checksum_ok(p.bytes()));
                let t = Tcp::parse(&p.bytes()[flow.transport()..]).unwrap();
                prop_assert_eq!(t.sequence(), seq.wrapping_add(joined.len() as u32));
                prop_assert!(t.payload().len() <= usize::from(mss));
                joined.extend_from_slice(t.payload());
            }
            prop_assert_eq!(joined, payload);
        }

        #[test]
        fn random_bytes_never_panic(bytes: Vec<u8>, start: u16, offset: u16, size: u16, kind in 0..3) {
            let mut packet = Packet::from_slice(&bytes);
            packet.offload.partial_checksum = Some(PartialChecksum { start, offset });
            packet.offload.segmentation = match kind {
                0 => Segmentation::None,
                1 => Segmentation::Tcp { mss: size },
                _ => Segmentation::Udp { size },
            };
            if let Ok(mut segments) = Segments::new(&packet) {
                let mut out = Vec::new();
                while segments.append(&mut out).is_some() {}
            }
        }
    }
}
