//! Fragments in both directions (RFC 6146, section 3.4; RFC 7915, sections 4.1 and 5.1.1).

use sixgate_nat64::{Config, Verdict, ZeroChecksum};
use sixgate_reason as reason;
use sixgate_wire::checksum::{Sum, pseudo_v4, pseudo_v6};
use sixgate_wire::{Packet, ipv4, protocol};

use crate::support::*;

/// The parts of an IPv6 datagram, `step` octets each.
fn parts6(next: u8, dst: std::net::Ipv6Addr, payload: &[u8], step: usize, id: u32) -> Vec<Packet> {
    let chunks: Vec<&[u8]> = payload.chunks(step).collect();
    let fragment = |(i, chunk): (usize, &&[u8])| {
        let field = (i * step) as u16 | u16::from(i + 1 < chunks.len());
        let mut bytes = vec![next, 0];
        bytes.extend_from_slice(&field.to_be_bytes());
        bytes.extend_from_slice(&id.to_be_bytes());
        bytes.extend_from_slice(chunk);
        six(protocol::FRAGMENT, client(), dst, &bytes)
    };
    chunks.iter().enumerate().map(fragment).collect()
}

fn parts4(number: u8, src: std::net::Ipv4Addr, payload: &[u8], step: usize, id: u16) -> Vec<Packet> {
    let chunks: Vec<&[u8]> = payload.chunks(step).collect();
    let fragment = |(i, chunk): (usize, &&[u8])| {
        four_with(number, src, POOL, chunk, |header| ipv4::Header {
            identification: id,
            dont_fragment: false,
            more_fragments: i + 1 < chunks.len(),
            fragment_offset: (i * step) as u16,
            ..header
        })
    };
    chunks.iter().enumerate().map(fragment).collect()
}

fn joined4(mut packets: Vec<Packet>, id: u16) -> Vec<u8> {
    packets.sort_by_key(|p| view4(p).fragment_offset());
    let mut data = Vec::new();
    let count = packets.len();
    for (i, packet) in packets.iter().enumerate() {
        let ip = view4(packet);
        assert_eq!(usize::from(ip.fragment_offset()), data.len());
        assert_eq!(
            (ip.identification(), ip.dont_fragment(), ip.more_fragments()),
            (id, false, i + 1 < count)
        );
        data.extend_from_slice(ip.payload());
    }
    data
}

fn joined6(mut packets: Vec<Packet>, id: u32, limit: usize) -> Vec<u8> {
    let fragment = |p: &Packet| view6(p).upper().unwrap().fragment.unwrap();
    packets.sort_by_key(|p| fragment(p).offset);
    let mut data = Vec::new();
    let count = packets.len();
    for (i, packet) in packets.iter().enumerate() {
        assert!(packet.len() <= limit, "{packet:?}");
        let f = fragment(packet);
        assert_eq!((usize::from(f.offset), f.more, f.identification), (data.len(), i + 1 < count, id));
        data.extend_from_slice(&packet.bytes()[48..]);
    }
    data
}

/// Everything that comes out when these go out.
fn all_out(lab: &mut Lab, packets: Vec<Packet>) -> Vec<Packet> {
    let mut sent = Vec::new();
    for mut packet in packets {
        match lab.nat.outbound(lab.now, &mut packet, 1500) {
            Verdict::Translated => sent.push(packet),
            Verdict::Consumed => {}
            Verdict::Drop(reason) => panic!("{reason}"),
        }
        sent.extend(lab.drain());
    }
    sent
}

fn all_in(lab: &mut Lab, packets: Vec<Packet>) -> Vec<Packet> {
    let mut sent = Vec::new();
    for mut packet in packets {
        match lab.nat.inbound(lab.now, &mut packet, 1500) {
            Verdict::Translated => sent.push(packet),
            Verdict::Consumed => {}
            Verdict::Drop(reason) => panic!("{reason}"),
        }
        sent.extend(lab.drain());
    }
    sent
}

/// Every order of three.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

fn in_order(packets: &[Packet], order: [usize; 3]) -> Vec<Packet> {
    assert_eq!(packets.len(), 3);
    order.into_iter().map(|i| packets[i].clone()).collect()
}

#[test]
fn udp_goes_out_in_any_order_and_keeps_its_checksum_and_the_low_half_of_its_identification() {
    let data: Vec<u8> = (0..3000).map(|i| i as u8).collect();
    let payload = udp6_payload(client(), 5000, embed(SERVER), 53, &data);
    let parts = parts6(protocol::UDP, embed(SERVER), &payload, 1232, 0xdead_beef);
    for order in ORDERS {
        let mut lab = Lab::new(config());
        let sent = all_out(&mut lab, in_order(&parts, order));
        let whole = joined4(sent, 0xbeef);
        assert_eq!(pseudo_v4(POOL, SERVER, protocol::UDP, 3008).with(&whole).fold(), 0xffff, "{order:?}");
        assert_eq!(&whole[8..], data);
        assert_eq!(lab.nat.session_count(), 1);
        // Nothing is left of it.
        lab.wait_secs(2);
        lab.nat.handle_timeout(lab.now);
        assert_eq!(lab.nat.poll_late_drop(), None);
    }
}

#[test]
fn udp_comes_in_in_any_order_whatever_the_size_of_the_link() {
    let data: Vec<u8> = (0..4000).map(|i| (i / 3) as u8).collect();
    for order in ORDERS {
        let mut lab = Lab::new(config());
        let outside = lab.open_udp(5000, SERVER);
        let payload = udp4_payload(SERVER, 53, POOL, outside, &data);
        let parts = parts4(protocol::UDP, SERVER, &payload, 1480, 0x1234);
        let sent = all_in(&mut lab, in_order(&parts, order));
        let whole = joined6(sent, 0x1234, 1280);
        let pseudo = pseudo_v6(embed(SERVER), client(), protocol::UDP, 4008);
        assert_eq!(pseudo.with(&whole).fold(), 0xffff, "{order:?}");
        assert_eq!(&whole[8..], data);
    }
}

#[test]
fn a_fragmented_ping_goes_out_and_comes_back_in_any_order() {
    let data: Vec<u8> = (0..3000).map(|i| i as u8).collect();
    for order in ORDERS {
        let mut lab = Lab::new(config());
        let request = echo6_payload(128, client(), embed(SERVER), 77, &data);
        let parts = parts6(protocol::ICMPV6, embed(SERVER), &request, 1232, 9);
        let whole = joined4(all_out(&mut lab, in_order(&parts, order)), 9);
        assert_eq!(Sum::new().with(&whole).fold(), 0xffff, "{order:?}");
        assert_eq!((whole[0], &whole[8..]), (8, &data[..]));
        let mut reply = whole;
        reply[0] = 0;
        let parts = parts4(protocol::ICMP, SERVER, &icmp4_sealed(reply), 1480, 7);
        let whole = joined6(all_in(&mut lab, in_order(&parts, order)), 7, 1280);
        let pseudo = pseudo_v6(embed(SERVER), client(), protocol::ICMPV6, 3008);
        assert_eq!(pseudo.with(&whole).fold(), 0xffff, "{order:?}");
        assert_eq!((whole[0], word(&whole, 4), &whole[8..]), (129, 77, &data[..]));
    }
}

#[test]
fn the_largest_datagram_passes_both_ways() {
    let data: Vec<u8> = (0..65_000).map(|i| (i / 7) as u8).collect();
    let mut lab = Lab::new(config());
    let payload = udp6_payload(client(), 5000, embed(SERVER), 53, &data);
    let mut parts = parts6(protocol::UDP, embed(SERVER), &payload, 1432, 5);
    parts.reverse();
    let whole = joined4(all_out(&mut lab, parts), 5);
    assert_eq!(&whole[8..], data);
    let payload = udp4_payload(SERVER, 53, POOL, ports(&whole).0, &data);
    let mut parts = parts4(protocol::UDP, SERVER, &payload, 1480, 5);
    parts.reverse();
    let whole = joined6(all_in(&mut lab, parts), 5, 1280);
    assert_eq!(&whole[8..], data);
}

#[test]
fn an_atomic_fragment_becomes_a_whole_packet() {
    let mut lab = Lab::new(config());
    let payload = udp6_payload(client(), 5000, embed(SERVER), 53, b"question");
    let mut bytes = vec![protocol::UDP, 0, 0, 0, 0xaa, 0xbb, 0xcc, 0xdd];
    bytes.extend_from_slice(&payload);
    let out = lab.out(six(protocol::FRAGMENT, client(), embed(SERVER), &bytes));
    let ip = view4(&out);
    assert!(!ip.is_fragment() && !ip.dont_fragment());
    assert_eq!(ip.identification(), 0xccdd);
    assert_eq!(&transport4(&out)[8..], b"question");
}

#[test]
fn a_first_fragment_without_its_transport_header_is_dropped() {
    let mut lab = Lab::new(config());
    let parts = parts6(protocol::TCP, embed(SERVER), &[0; 40], 16, 1);
    assert_eq!(lab.out_dropped(parts[0].clone()), reason::NAT64_FRAGMENT_OVERLAP);
    assert_eq!(lab.nat.session_count(), 0);
}

#[test]
fn overlap_drops_the_rest_of_the_datagram() {
    let mut lab = Lab::new(config());
    let payload = udp6_payload(client(), 5000, embed(SERVER), 53, &[1; 3000]);
    let parts = parts6(protocol::UDP, embed(SERVER), &payload, 1232, 1);
    lab.out(parts[0].clone());
    let overlapping = parts6(protocol::UDP, embed(SERVER), &payload, 1024, 1).remove(1);
    assert_eq!(lab.out_dropped(overlapping), reason::NAT64_FRAGMENT_OVERLAP);
    assert_eq!(lab.out_dropped(parts[1].clone()), reason::NAT64_FRAGMENT_OVERLAP);
    assert_eq!(lab.out_dropped(parts[2].clone()), reason::NAT64_FRAGMENT_OVERLAP);
}

#[test]
fn what_waits_in_vain_is_counted_and_a_new_datagram_with_the_same_number_may_come() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let payload = udp4_payload(SERVER, 53, POOL, outside, &[1; 3000]);
    let parts = parts4(protocol::UDP, SERVER, &payload, 1480, 1);
    assert!(all_in(&mut lab, vec![parts[1].clone(), parts[2].clone()]).is_empty());
    assert_eq!(lab.nat.next_timeout(), lab.now + std::time::Duration::from_secs(2));
    lab.wait_secs(2);
    lab.nat.handle_timeout(lab.now);
    assert_eq!(lab.nat.poll_late_drop(), Some(reason::NAT64_FRAGMENT_UNKNOWN));
    assert_eq!(lab.nat.poll_late_drop(), Some(reason::NAT64_FRAGMENT_UNKNOWN));
    assert_eq!(lab.nat.poll_late_drop(), None);
    assert_eq!(joined6(all_in(&mut lab, parts), 1, 1280).len(), 3008);
}

#[test]
fn what_may_wait_is_bounded() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    for id in 0..3000 {
        let mut part = parts4(protocol::UDP, SERVER, &[0; 2960], 1480, id).remove(1);
        assert_eq!(lab.nat.inbound(lab.now, &mut part, 1500), Verdict::Consumed);
    }
    let given_up = std::iter::from_fn(|| lab.nat.poll_late_drop()).count();
    assert!(given_up > 2800, "{given_up}");
    // Neither another source nor the same one is kept from what it sends next.
    for (from, id) in [(OTHER, 1), (SERVER, 5000)] {
        lab.open_udp(5000, from);
        let payload = udp4_payload(from, 53, POOL, outside, &[1; 3000]);
        let mut parts = parts4(protocol::UDP, from, &payload, 1480, id);
        parts.reverse();
        assert_eq!(joined6(all_in(&mut lab, parts), u32::from(id), 1280).len(), 3008, "{from}");
    }
}

#[test]
fn a_fragmented_datagram_without_checksum_is_refused() {
    let mut lab = Lab::new(Config { zero_checksum: ZeroChecksum::Compute, ..config() });
    let outside = lab.open_udp(5000, SERVER);
    let mut payload = udp4_payload(SERVER, 53, POOL, outside, &[1; 3000]);
    payload[6..8].fill(0);
    let parts = parts4(protocol::UDP, SERVER, &payload, 1480, 1);
    assert_eq!(lab.back_dropped(parts[0].clone()), reason::NAT64_UDP_ZERO_CHECKSUM);
    assert_eq!(icmp(&lab.drain_one()), (3, 13, 0));
    // The others do not wait for a first one that will not pass, and say nothing.
    assert_eq!(lab.back_dropped(parts[1].clone()), reason::NAT64_UDP_ZERO_CHECKSUM);
    assert_eq!(lab.back_dropped(parts[2].clone()), reason::NAT64_UDP_ZERO_CHECKSUM);
    assert!(lab.drain().is_empty());
}

#[test]
fn first_fragments_alone_do_not_keep_out_what_comes_next() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let payload = udp4_payload(SERVER, 53, POOL, outside, &[1; 3000]);
    for id in 0..10_000 {
        lab.back(parts4(protocol::UDP, SERVER, &payload, 1480, id).remove(0));
        lab.drain();
    }
    let parts = parts4(protocol::UDP, SERVER, &payload, 1480, 20_000);
    for order in ORDERS {
        let whole = joined6(all_in(&mut lab, in_order(&parts, order)), 20_000, 1280);
        assert_eq!(whole.len(), 3008, "{order:?}");
    }
}

#[test]
fn fragments_are_hairpinned() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let source = neighbour();
    let payload = udp6_payload(source, 6000, embed(POOL), outside, &[9; 3000]);
    let parts: Vec<Packet> = parts6(protocol::UDP, embed(POOL), &payload, 1232, 3)
        .into_iter()
        .map(|mut p| {
            p.bytes_mut()[8..24].copy_from_slice(&source.octets());
            p
        })
        .collect();
    for order in ORDERS {
        let sent = all_out(&mut lab, in_order(&parts, order));
        assert!(sent.iter().all(|p| view6(p).dst() == client()));
        let whole = joined6(sent, 3, 1280);
        let pseudo = pseudo_v6(embed(POOL), client(), protocol::UDP, 3008);
        assert_eq!(pseudo.with(&whole).fold(), 0xffff, "{order:?}");
    }
}
