//! Super-packets and checksums that a device finishes.

use sixgate_nat64::Verdict;
use sixgate_reason as reason;
use sixgate_wire::checksum::{pseudo_v4, pseudo_v6};
use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::tcp::{ACK, SYN};
use sixgate_wire::{Offload, Packet, Segmentation, ipv4, protocol};

use crate::support::*;

/// Marks the checksum at `offset` of a packet without options as one that holds the pseudo-header's sum only.
fn partial(mut packet: Packet, offset: u16, segmentation: Segmentation) -> Packet {
    let (start, sum) = if packet.bytes()[0] >> 4 == 6 {
        let ip = view6(&packet);
        (40, pseudo_v6(ip.src(), ip.dst(), ip.next_header(), ip.payload().len() as u32).fold())
    } else {
        let ip = view4(&packet);
        (20, pseudo_v4(ip.src(), ip.dst(), ip.protocol(), ip.payload().len() as u16).fold())
    };
    let at = usize::from(start + offset);
    packet.bytes_mut()[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    packet.offload = Offload { partial_checksum: Some(PartialChecksum { start, offset }), segmentation };
    packet
}

/// What the device would make of it: the checksum must be right then.
fn finished_is_right(packet: &Packet) -> bool {
    let partial = packet.offload.partial_checksum.unwrap();
    let (start, at) = (usize::from(partial.start), usize::from(partial.start + partial.offset));
    let mut copy = packet.clone();
    let sum = sixgate_wire::checksum::Sum::new().with(&copy.bytes()[start..]).finish();
    copy.bytes_mut()[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    if packet.bytes()[0] >> 4 == 6 { sum6(&copy) == 0xffff } else { sum4(&copy) == 0xffff }
}

fn connected(lab: &mut Lab) -> u16 {
    let out = lab.out(tcp6(client(), 40_000, embed(SERVER), 80, SYN));
    let outside = ports(transport4(&out)).0;
    lab.back(tcp4(SERVER, 80, POOL, outside, SYN | ACK));
    outside
}

#[test]
fn a_super_packet_goes_out_whole_with_its_segment_size_and_a_checksum_to_be_finished() {
    let mut lab = Lab::new(config());
    connected(&mut lab);
    let data: Vec<u8> = (0..60_000).map(|i| i as u8).collect();
    let packet = tcp6_data(client(), 40_000, embed(SERVER), 80, ACK, &data);
    let out = lab.out(partial(packet, 16, Segmentation::Tcp { mss: 1440 }));
    assert_eq!(out.len(), 60_040);
    assert_eq!(out.offload.segmentation, Segmentation::Tcp { mss: 1440 });
    assert_eq!(out.offload.partial_checksum, Some(PartialChecksum { start: 20, offset: 16 }));
    assert!(finished_is_right(&out) && view4(&out).dont_fragment());
}

#[test]
fn a_super_packet_comes_in_whole() {
    let mut lab = Lab::new(config());
    let outside = connected(&mut lab);
    let packet = tcp4_data(SERVER, 80, POOL, outside, ACK, &[9; 60_000]);
    let back = lab.back(partial(packet, 16, Segmentation::Tcp { mss: 1440 }));
    assert_eq!(back.len(), 60_060);
    assert_eq!(back.offload.partial_checksum, Some(PartialChecksum { start: 40, offset: 16 }));
    assert!(finished_is_right(&back));
}

#[test]
fn the_segments_of_a_super_packet_must_fit_and_their_size_is_what_the_error_is_about() {
    let mut lab = Lab::new(config());
    let outside = connected(&mut lab);
    // 1,460 octets of data make 1,500 of IPv4 and 1,520 of IPv6.
    let packet = tcp4_data(SERVER, 80, POOL, outside, ACK, &[9; 60_000]);
    assert_eq!(lab.back_dropped(partial(packet, 16, Segmentation::Tcp { mss: 1460 })), reason::NAT64_TOO_BIG);
    assert_eq!(icmp(&lab.drain_one()), (3, 4, 1480));
    let packet = tcp6_data(client(), 40_000, embed(SERVER), 80, ACK, &[9; 60_000]);
    let mut packet = partial(packet, 16, Segmentation::Tcp { mss: 1440 });
    assert_eq!(lab.nat.outbound(lab.now, &mut packet, 1400), Verdict::Drop(reason::NAT64_TOO_BIG));
    assert_eq!(icmp(&lab.drain_one()), (2, 0, 1420));
}

#[test]
fn a_super_packet_that_may_be_cut_gets_smaller_segments_instead_of_fragments() {
    let mut lab = Lab::new(config());
    let outside = connected(&mut lab);
    let whole = tcp4_data(SERVER, 80, POOL, outside, ACK, &[9; 6000]);
    let packet = four_with(protocol::TCP, SERVER, POOL, view4(&whole).payload(), |h| ipv4::Header {
        dont_fragment: false,
        ..h
    });
    let back = lab.back(partial(packet, 16, Segmentation::Tcp { mss: 1460 }));
    assert_eq!(back.offload.segmentation, Segmentation::Tcp { mss: 1280 - 60 });
    assert!(finished_is_right(&back) && lab.drain().is_empty());
}

#[test]
fn a_whole_packet_with_a_checksum_to_be_finished_keeps_it_so_in_both_directions() {
    let mut lab = Lab::new(config());
    let out = lab.out(partial(udp6(client(), 5000, embed(SERVER), 53, b"question"), 6, Segmentation::None));
    assert!(finished_is_right(&out));
    let outside = ports(view4(&out).payload()).0;
    let back = lab.back(partial(udp4(SERVER, 53, POOL, outside, b"answer"), 6, Segmentation::None));
    assert!(finished_is_right(&back));
    // An echo, whose two families differ in the pseudo-header.
    let out = lab.out(partial(echo6(128, client(), embed(SERVER), 77), 2, Segmentation::None));
    assert!(finished_is_right(&out));
}

#[test]
fn a_checksum_is_finished_before_a_packet_is_cut() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let payload = udp4_payload(SERVER, 53, POOL, outside, &[4; 1400]);
    let packet =
        four_with(protocol::UDP, SERVER, POOL, &payload, |h| ipv4::Header { dont_fragment: false, ..h });
    let first = lab.back(partial(packet, 6, Segmentation::None));
    assert_eq!(first.offload, Offload::default());
    let mut whole = first.bytes()[48..].to_vec();
    whole.extend_from_slice(&lab.drain_one().bytes()[48..]);
    assert_eq!(pseudo_v6(embed(SERVER), client(), protocol::UDP, 1408).with(&whole).fold(), 0xffff);
}

#[test]
fn datagrams_of_a_udp_super_packet_are_made_and_cut_where_they_do_not_fit() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let data: Vec<u8> = (0..4200).map(|i| i as u8).collect();
    let payload = udp4_payload(SERVER, 53, POOL, outside, &data);
    let with = |dont_fragment| {
        let packet =
            four_with(protocol::UDP, SERVER, POOL, &payload, |h| ipv4::Header { dont_fragment, ..h });
        partial(packet, 6, Segmentation::Udp { size: 1400 })
    };
    // Must not be cut, and fits: stays whole.
    let back = lab.back(with(true));
    assert_eq!((back.len(), back.offload.segmentation), (4248, Segmentation::Udp { size: 1400 }));
    // May be cut to 1,280.
    let mut packet = with(false);
    assert_eq!(lab.nat.inbound(lab.now, &mut packet, 1500), Verdict::Consumed);
    let pieces = lab.drain();
    assert_eq!(pieces.len(), 6);
    let mut seen = Vec::new();
    for (n, pair) in pieces.chunks(2).enumerate() {
        let mut datagram = Vec::new();
        for piece in pair {
            assert!(piece.len() <= 1280);
            let id = view6(piece).upper().unwrap().fragment.unwrap().identification;
            assert_eq!(id, 0x4321 + n as u32);
            datagram.extend_from_slice(&piece.bytes()[48..]);
        }
        let pseudo = pseudo_v6(embed(SERVER), client(), protocol::UDP, datagram.len() as u32);
        assert_eq!(pseudo.with(&datagram).fold(), 0xffff);
        seen.extend_from_slice(&datagram[8..]);
    }
    assert_eq!(seen, data);
}

#[test]
fn a_udp_super_packet_without_checksum_leaves_it_to_the_device() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let mut packet = udp4(SERVER, 53, POOL, outside, &[4; 2000]);
    packet.bytes_mut()[26..28].fill(0);
    packet.offload.segmentation = Segmentation::Udp { size: 1000 };
    assert!(finished_is_right(&lab.back(packet)));
}

#[test]
fn metadata_that_does_not_fit_the_packet_is_refused() {
    let mut lab = Lab::new(config());
    let mut packet = udp6(client(), 5000, embed(SERVER), 53, b"question");
    packet.offload.partial_checksum = Some(PartialChecksum { start: 20, offset: 6 });
    assert_eq!(lab.out_dropped(packet), reason::BUFFER_FULL);
    let outside = lab.open_udp(5000, SERVER);
    let mut packet = udp4(SERVER, 53, POOL, outside, b"answer");
    packet.offload.partial_checksum = Some(PartialChecksum { start: 40, offset: 6 });
    assert_eq!(lab.back_dropped(packet), reason::BUFFER_FULL);
}
