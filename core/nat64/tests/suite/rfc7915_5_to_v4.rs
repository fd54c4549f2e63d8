//! From IPv6 to IPv4 (RFC 7915, section 5; RFC 6052), as the stateful translator does it.

use sixgate_nat64::Config;
use sixgate_reason as reason;
use sixgate_wire::addr::Prefix64;
use sixgate_wire::{Packet, protocol};

use crate::support::*;

fn datagram(data: usize) -> Packet {
    udp6(client(), 5000, embed(SERVER), 53, &vec![7; data])
}

#[test]
fn dont_fragment_is_set_above_1260_and_the_identification_is_fresh_below() {
    let mut lab = Lab::new(config());
    let largest = lab.out(datagram(1232));
    assert_eq!((largest.len(), view4(&largest).dont_fragment()), (1260, false));
    let larger = lab.out(datagram(1233));
    assert_eq!((larger.len(), view4(&larger).dont_fragment()), (1261, true));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        assert!(seen.insert(view4(&lab.out(datagram(10))).identification()));
    }
}

#[test]
fn a_packet_too_big_for_the_ipv4_link_is_answered_by_the_translator() {
    let mut lab = Lab::new(config());
    let mut packet = datagram(1400);
    let sent = packet.clone();
    assert_eq!(
        lab.nat.outbound(lab.now, &mut packet, 1400),
        sixgate_nat64::Verdict::Drop(reason::NAT64_TOO_BIG)
    );
    let error = lab.drain_one();
    assert_eq!(icmp(&error), (2, 0, 1420));
    assert_eq!((view6(&error).src(), view6(&error).dst()), (gateway6(), client()));
    assert_eq!(error.len(), 1280);
    assert!(sent.bytes().starts_with(quoted(&error)));
    // No state for what did not pass.
    assert_eq!(lab.nat.session_count(), 0);
    // A narrow link never asks for less than IPv6 allows: small packets are cut behind us.
    assert_eq!(
        lab.nat.outbound(lab.now, &mut datagram(1400), 576),
        sixgate_nat64::Verdict::Drop(reason::NAT64_TOO_BIG)
    );
    assert_eq!(icmp(&lab.drain_one()), (2, 0, 1280));
    assert_eq!(lab.nat.outbound(lab.now, &mut datagram(1232), 576), sixgate_nat64::Verdict::Translated);
}

#[test]
fn traffic_class_can_be_reset() {
    let mut lab = Lab::new(Config { reset_traffic_class: true, ..config() });
    let out = lab.out(datagram(10));
    assert_eq!(view4(&out).tos(), 0);
    let outside = ports(transport4(&out)).0;
    assert_eq!(view6(&lab.back(udp4(SERVER, 53, POOL, outside, b""))).traffic_class(), 0);
}

#[test]
fn extension_headers_are_left_behind() {
    let mut lab = Lab::new(config());
    let mut payload = vec![protocol::DESTINATION, 0, 1, 4, 0, 0, 0, 0];
    payload.extend_from_slice(&[protocol::UDP, 0, 1, 4, 0, 0, 0, 0]);
    payload.extend_from_slice(&udp6_payload(client(), 5000, embed(SERVER), 53, b"question"));
    let out = lab.out(six(protocol::HOP_BY_HOP, client(), embed(SERVER), &payload));
    assert_eq!(out.len(), 20 + 8 + 8);
    assert_eq!(&transport4(&out)[8..], b"question");
    // Also where they are longer than what they stand before: 1,024 octets.
    let mut payload = vec![protocol::UDP, 127, 1, 4, 0, 0, 0, 0];
    payload.resize(1024, 1);
    payload.extend_from_slice(&udp6_payload(client(), 5000, embed(SERVER), 53, b"question"));
    let out = lab.out(six(protocol::DESTINATION, client(), embed(SERVER), &payload));
    assert_eq!(out.len(), 20 + 8 + 8);
}

#[test]
fn a_routing_header_with_segments_left_is_refused_with_its_octet() {
    let mut lab = Lab::new(config());
    let mut payload = vec![protocol::UDP, 0, 0, 1, 0, 0, 0, 0];
    payload.extend_from_slice(&udp6_payload(client(), 5000, embed(SERVER), 53, b""));
    assert_eq!(
        lab.out_dropped(six(protocol::ROUTING, client(), embed(SERVER), &payload)),
        reason::NAT64_ROUTING_HEADER
    );
    assert_eq!(icmp(&lab.drain_one()), (4, 0, 43));
}

#[test]
fn a_protocol_that_cannot_be_carried_is_refused_and_not_leaked() {
    let mut lab = Lab::new(config());
    for number in [132, 47, 50, 51, 4, 41, 59] {
        let packet = six(number, client(), embed(SERVER), &[59, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(lab.out_dropped(packet), reason::NAT64_PROTOCOL, "{number}");
        assert_eq!(icmp(&lab.drain_one()), (1, 4, 0), "{number}");
    }
}

#[test]
fn the_hop_limit_ends_in_the_translator() {
    let mut lab = Lab::new(config());
    for hops in [0, 1] {
        let mut packet = datagram(10);
        packet.bytes_mut()[7] = hops;
        assert_eq!(lab.out_dropped(packet), reason::NAT64_HOP_LIMIT);
        assert_eq!(icmp(&lab.drain_one()), (3, 0, 0));
    }
    let mut packet = datagram(10);
    packet.bytes_mut()[7] = 2;
    assert_eq!(view4(&lab.out(packet)).ttl(), 1);
}

#[test]
fn sources_that_nobody_may_have_are_dropped_without_a_word() {
    let mut lab = Lab::new(config());
    for bad in ["::", "::1", "ff02::1", "fe80::1", "::ffff:10.0.0.1"] {
        let packet = udp6(bad.parse().unwrap(), 1, embed(SERVER), 2, b"");
        assert_eq!(lab.out_dropped(packet), reason::NAT64_SOURCE_MARTIAN, "{bad}");
    }
    let inside_prefix = udp6(embed(OTHER), 1, embed(SERVER), 2, b"");
    assert_eq!(lab.out_dropped(inside_prefix), reason::NAT64_SOURCE_IN_PREFIX);
    assert!(lab.drain().is_empty());
    assert_eq!(lab.nat.session_count(), 0);
}

#[test]
fn destinations_that_are_nobody_are_refused() {
    let mut lab = Lab::new(config());
    for bad in ["0.0.0.1", "127.0.0.1", "169.254.1.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"] {
        let packet = udp6(client(), 1, embed(bad.parse().unwrap()), 2, b"");
        assert_eq!(lab.out_dropped(packet), reason::NAT64_DESTINATION_DENIED, "{bad}");
        assert_eq!(icmp(&lab.drain_one()), (1, 1, 0), "{bad}");
    }
    assert_eq!(lab.out_dropped(udp6(client(), 1, neighbour(), 2, b"")), reason::NAT64_NOT_OURS);
    // An intranet's own prefix may stand for private addresses.
    lab.out(udp6(client(), 1, embed("10.6.0.30".parse().unwrap()), 2, b""));
}

#[test]
fn the_well_known_prefix_stands_for_global_addresses_unless_that_is_lifted() {
    let well_known = Prefix64::new("64:ff9b::/96".parse().unwrap()).unwrap();
    let private = well_known.embed("10.6.0.30".parse().unwrap());
    let global = well_known.embed("9.9.9.9".parse().unwrap());
    let settings = Config { prefixes: vec![well_known], ..config() };
    let mut lab = Lab::new(settings.clone());
    assert_eq!(lab.out_dropped(udp6(client(), 1, private, 2, b"")), reason::NAT64_DESTINATION_DENIED);
    let outside = ports(transport4(&lab.out(udp6(client(), 1, global, 2, b"")))).0;
    // Nor does anybody with such an address come in through an open binding.
    let stranger = udp4("10.6.0.30".parse().unwrap(), 5, POOL, outside, b"");
    assert_eq!(lab.back_dropped(stranger), reason::NAT64_FILTERED);
    let mut lab = Lab::new(Config { well_known_non_global: true, ..settings });
    lab.out(udp6(client(), 1, private, 2, b""));
}

#[test]
fn every_prefix_length_and_several_prefixes_work_at_once() {
    let texts = [
        "2001:db8::/32",
        "2001:dc8:100::/40",
        "2001:dd8:122::/48",
        "2001:de8:122:300::/56",
        "2001:df8:122:344::/64",
    ];
    let prefixes: Vec<Prefix64> =
        texts.iter().map(|text| Prefix64::new(text.parse().unwrap()).unwrap()).collect();
    let mut lab = Lab::new(Config { prefixes: prefixes.clone(), ..config() });
    let source = "fd00::8".parse().unwrap();
    for prefix in prefixes {
        // The suffix is not looked at (RFC 6052, section 2.2).
        let mut octets = prefix.embed(SERVER).octets();
        octets[15] = 0x77;
        let out = lab.out(udp6(source, 5000, octets.into(), 53, b""));
        assert_eq!(view4(&out).dst(), SERVER);
        let back = lab.back(udp4(SERVER, 53, POOL, ports(transport4(&out)).0, b""));
        assert_eq!(view6(&back).src(), prefix.embed(SERVER), "{prefix}");
    }
    assert_eq!(lab.nat.bib().count(), 1);
}

#[test]
fn a_udp_datagram_without_checksum_does_not_go_out() {
    let mut lab = Lab::new(config());
    let mut packet = datagram(10);
    packet.bytes_mut()[46..48].fill(0);
    assert_eq!(lab.out_dropped(packet), reason::NAT64_UDP_ZERO_CHECKSUM);
}

#[test]
fn octets_behind_the_packet_are_not_part_of_it() {
    let mut lab = Lab::new(config());
    let mut packet = datagram(10);
    assert!(packet.extend(&[0xee; 30]));
    let out = lab.out(packet);
    assert_eq!(out.len(), 38);
    transport4(&out);
}
