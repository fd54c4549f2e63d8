//! Translating a super-packet and cutting it is cutting it and translating the pieces.

use proptest::prelude::*;
use sixgate_nat64::Verdict;
use sixgate_wire::checksum::{Sum, pseudo_v4, pseudo_v6};
use sixgate_wire::offload::Segments;
use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::tcp::{ACK, SYN};
use sixgate_wire::{Offload, Packet, Segmentation, ipv4, protocol};

use crate::support::*;

/// What a device makes of it.
fn cut(packet: &Packet) -> Vec<Packet> {
    let mut segments = Segments::new(packet).unwrap();
    let mut pieces = Vec::new();
    let mut out = Packet::new();
    while segments.fill(&mut out) {
        pieces.push(out.clone());
    }
    pieces
}

/// A packet whose checksum the device finishes.
fn marked(mut packet: Packet, udp: bool, size: u16) -> Packet {
    let offset = if udp { 6 } else { 16 };
    let (start, sum) = if packet.bytes()[0] >> 4 == 6 {
        let ip = view6(&packet);
        (40, pseudo_v6(ip.src(), ip.dst(), ip.next_header(), ip.payload().len() as u32).fold())
    } else {
        let ip = view4(&packet);
        (20, pseudo_v4(ip.src(), ip.dst(), ip.protocol(), ip.payload().len() as u16).fold())
    };
    let at = usize::from(start + offset);
    packet.bytes_mut()[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    let segmentation = if udp { Segmentation::Udp { size } } else { Segmentation::Tcp { mss: size } };
    packet.offload = Offload { partial_checksum: Some(PartialChecksum { start, offset }), segmentation };
    packet
}

/// Without what may differ: the identification that chance gave, DF, which all segments have in common, and which of its
/// two zeros a TCP checksum is. All checksums must be right.
fn blurred(packet: &Packet, out: bool) -> Vec<u8> {
    let mut bytes = packet.bytes().to_vec();
    let fragment = bytes[0] >> 4 == 6 && bytes[6] == protocol::FRAGMENT;
    if !fragment {
        assert_eq!(if bytes[0] >> 4 == 6 { sum6(packet) } else { sum4(packet) }, 0xffff, "{packet:?}");
    }
    let (number, at) = if bytes[0] >> 4 == 6 { (bytes[6], 40 + 16) } else { (bytes[9], 20 + 16) };
    if number == protocol::TCP {
        bytes[at..at + 2].fill(0);
    }
    if out {
        bytes[4..8].fill(0);
        bytes[10..12].fill(0);
        let sum = Sum::new().with(&bytes[..20]).finish();
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// All that leaves, cut for the wire.
fn through(lab: &mut Lab, mut packet: Packet, six: bool) -> Vec<Vec<u8>> {
    let verdict = if six {
        lab.nat.outbound(lab.now, &mut packet, 1500)
    } else {
        lab.nat.inbound(lab.now, &mut packet, 1500)
    };
    let mut all = lab.drain();
    match verdict {
        Verdict::Translated => all.insert(0, packet),
        Verdict::Consumed => {}
        Verdict::Drop(reason) => panic!("{reason}"),
    }
    all.iter().flat_map(cut).map(|piece| blurred(&piece, six)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_super_packet_and_its_pieces_come_out_the_same(
        six: bool, udp: bool, data in prop::collection::vec(any::<u8>(), 1..12_000), size in 100_u16..1432, dont_fragment: bool,
    ) {
        let mut lab = Lab::new(config());
        let outside = if udp {
            lab.open_udp(5000, SERVER)
        } else {
            let out = lab.out(tcp6(client(), 5000, embed(SERVER), 53, SYN));
            let outside = ports(transport4(&out)).0;
            lab.back(tcp4(SERVER, 53, POOL, outside, SYN | ACK));
            outside
        };
        // A segment of TCP that may be cut is made smaller instead, which has a test of its own.
        prop_assume!(six || udp || dont_fragment);
        let packet = match (six, udp) {
            (true, true) => udp6(client(), 5000, embed(SERVER), 53, &data),
            (true, false) => tcp6_data(client(), 5000, embed(SERVER), 53, ACK, &data),
            (false, true) => {
                let payload = udp4_payload(SERVER, 53, POOL, outside, &data);
                four_with(protocol::UDP, SERVER, POOL, &payload, |h| ipv4::Header { dont_fragment, ..h })
            }
            (false, false) => tcp4_data(SERVER, 53, POOL, outside, ACK, &data),
        };
        let whole = marked(packet, udp, size);
        let pieces = cut(&whole);
        let separately: Vec<Vec<u8>> =
            pieces.into_iter().flat_map(|piece| through(&mut lab, piece, six)).collect();
        prop_assert_eq!(through(&mut lab, whole, six), separately);
    }
}
