//! The cut between packets: the IPv6 header's own length, and nothing else (MS-IPHTTPS, section 3.2.5.2.2).

use core::fmt;

use sixgate_wire::{ipv6, protocol};

/// Octets that cannot be the start of a packet. Nothing behind them can be found again: the connection must end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadFraming;

impl fmt::Display for BadFraming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stream is not back-to-back IPv6 packets")
    }
}

impl core::error::Error for BadFraming {}

/// Length of the packet at the front of `stream`; `None` when its end has not come yet.
///
/// # Errors
/// [`BadFraming`] when the version is not 6, known from the first octet, or the length is that of a jumbogram.
pub fn cut(stream: &[u8]) -> Result<Option<usize>, BadFraming> {
    let Some(first) = stream.first() else { return Ok(None) };
    if first >> 4 != 6 {
        return Err(BadFraming);
    }
    let Some(header) = stream.first_chunk::<{ ipv6::HEADER }>() else { return Ok(None) };
    let payload = usize::from(u16::from_be_bytes([header[4], header[5]]));
    // RFC 2675, section 2: a jumbogram says zero here and its length in a hop-by-hop option.
    if payload == 0 && header[6] == protocol::HOP_BY_HOP {
        return Err(BadFraming);
    }
    let length = ipv6::HEADER + payload;
    Ok((length <= stream.len()).then_some(length))
}

/// The whole packets at the front of a stream, one by one. Ends at the first that is not whole, or after bad framing.
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    stream: &'a [u8],
    consumed: usize,
    broken: bool,
}

impl<'a> Packets<'a> {
    /// The packets of `stream`.
    #[must_use]
    pub fn new(stream: &'a [u8]) -> Self {
        Self { stream, consumed: 0, broken: false }
    }

    /// Octets of the packets that were given so far.
    #[must_use]
    pub fn consumed(&self) -> usize {
        self.consumed
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<&'a [u8], BadFraming>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let rest = &self.stream[self.consumed..];
        match cut(rest) {
            Ok(length) => {
                let packet = &rest[..length?];
                self.consumed += packet.len();
                Some(Ok(packet))
            }
            Err(fault) => {
                self.broken = true;
                Some(Err(fault))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn packet(payload: usize) -> Vec<u8> {
        let mut packet = vec![0; ipv6::HEADER + payload];
        packet[0] = 0x60;
        packet[4..6].copy_from_slice(&u16::try_from(payload).unwrap().to_be_bytes());
        packet[6] = protocol::NONE;
        packet
    }

    #[test]
    fn smallest_and_largest_packets_are_cut() {
        assert_eq!(cut(&packet(0)), Ok(Some(40)));
        assert_eq!(cut(&packet(65_535)), Ok(Some(65_575)));
        assert_eq!(cut(&packet(65_535)[..65_574]), Ok(None));
        assert_eq!(cut(&[]), Ok(None));
    }

    #[test]
    fn other_versions_are_refused_from_the_first_octet() {
        for version in (0..16).filter(|v| *v != 6) {
            assert_eq!(cut(&[version << 4]), Err(BadFraming));
        }
        assert_eq!(cut(&[0x6f]), Ok(None));
    }

    #[test]
    fn jumbogram_is_refused() {
        let mut jumbo = packet(0);
        jumbo[6] = protocol::HOP_BY_HOP;
        assert_eq!(cut(&jumbo), Err(BadFraming));
    }

    #[test]
    fn packets_before_bad_framing_are_given_and_none_after() {
        let mut stream = packet(8);
        stream.push(0x45);
        stream.extend(packet(8));
        let mut packets = Packets::new(&stream);
        assert_eq!(packets.next(), Some(Ok(&stream[..48])));
        assert_eq!(packets.next(), Some(Err(BadFraming)));
        assert_eq!(packets.next(), None);
        assert_eq!(packets.consumed(), 48);
    }

    proptest! {
        #[test]
        fn a_stream_gives_the_same_packets_however_it_is_split(
            payloads in prop::collection::vec(0_usize..300, 0..20),
            pieces in prop::collection::vec(1_usize..200, 1..20),
        ) {
            let whole: Vec<u8> = payloads.iter().flat_map(|p| packet(*p)).collect();
            let (mut seen, mut buffer, mut at) = (Vec::new(), Vec::new(), 0);
            for piece in pieces.iter().cycle() {
                let end = (at + piece).min(whole.len());
                buffer.extend_from_slice(&whole[at..end]);
                at = end;
                let mut packets = Packets::new(&buffer);
                for cut in &mut packets {
                    seen.push(cut.unwrap().len() - ipv6::HEADER);
                }
                let consumed = packets.consumed();
                buffer.drain(..consumed);
                if at == whole.len() {
                    break;
                }
            }
            prop_assert!(buffer.is_empty());
            prop_assert_eq!(seen, payloads);
        }

        #[test]
        fn no_stream_makes_it_panic_or_give_more_than_there_is(stream in prop::collection::vec(any::<u8>(), 0..500)) {
            let mut packets = Packets::new(&stream);
            let given: usize = packets.by_ref().map_while(Result::ok).map(<[u8]>::len).sum();
            prop_assert_eq!(given, packets.consumed());
            prop_assert!(given <= stream.len());
        }
    }
}
