//! From IPv4 to IPv6 (RFC 7915, section 4), as the stateful translator does it.

use sixgate_nat64::{Config, Verdict, ZeroChecksum};
use sixgate_reason as reason;
use sixgate_wire::checksum::pseudo_v6;
use sixgate_wire::{Packet, ipv4, protocol};

use crate::support::*;

fn datagram(outside: u16, data: usize, dont_fragment: bool) -> Packet {
    let data: Vec<u8> = (0..data).map(|i| i as u8).collect();
    let payload = udp4_payload(SERVER, 53, POOL, outside, &data);
    four_with(protocol::UDP, SERVER, POOL, &payload, |header| ipv4::Header { dont_fragment, ..header })
}

#[test]
fn what_must_not_be_cut_and_is_too_big_is_answered() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let mut packet = datagram(outside, 1453, true);
    assert_eq!(packet.len(), 1481);
    let sent = packet.clone();
    assert_eq!(lab.nat.inbound(lab.now, &mut packet, 1500), Verdict::Drop(reason::NAT64_TOO_BIG));
    let error = lab.drain_one();
    assert_eq!(icmp(&error), (3, 4, 1480));
    assert_eq!((view4(&error).src(), view4(&error).dst(), error.len()), (GATEWAY4, SERVER, 576));
    assert!(sent.bytes().starts_with(quoted(&error)));
    let back = lab.back(datagram(outside, 1452, true));
    assert_eq!((back.len(), view6(&back).next_header()), (1500, protocol::UDP));
}

#[test]
fn what_may_be_cut_is_cut_to_the_lowest_mtu_even_on_a_wide_link() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    // Exactly 1,280 octets of IPv6: whole, and without a fragment header.
    let whole = lab.back(datagram(outside, 1232, false));
    assert_eq!((whole.len(), view6(&whole).next_header()), (1280, protocol::UDP));
    assert!(lab.drain().is_empty());

    let first = lab.back(datagram(outside, 1400, false));
    let second = lab.drain_one();
    let mut data = Vec::new();
    for (packet, offset, more) in [(&first, 0, true), (&second, 1232, false)] {
        assert!(packet.len() <= 1280);
        let upper = view6(packet).upper().unwrap();
        let fragment = upper.fragment.unwrap();
        assert_eq!((fragment.offset, fragment.more, fragment.identification), (offset, more, 0x4321));
        assert_eq!(upper.protocol, protocol::UDP);
        data.extend_from_slice(&packet.bytes()[48..]);
    }
    assert_eq!(data.len(), 1408);
    assert_eq!(pseudo_v6(embed(SERVER), client(), protocol::UDP, 1408).with(&data).fold(), 0xffff);
}

#[test]
fn a_higher_lowest_mtu_is_still_held_to_the_link() {
    let mut lab = Lab::new(Config { lowest_ipv6_mtu: 1500, ..config() });
    let outside = lab.open_udp(5000, SERVER);
    let whole = lab.back(datagram(outside, 1400, false));
    assert_eq!(whole.len(), 1448);
    let mut packet = datagram(outside, 1400, false);
    assert_eq!(lab.nat.inbound(lab.now, &mut packet, 1280), Verdict::Translated);
    assert!(packet.len() <= 1280);
    assert!(lab.drain_one().len() <= 1280);
}

#[test]
fn a_datagram_without_checksum_gets_one_or_is_refused_as_policy_says() {
    for (zero_checksum, passes) in [(ZeroChecksum::Compute, true), (ZeroChecksum::Drop, false)] {
        let mut lab = Lab::new(Config { zero_checksum, ..config() });
        let outside = lab.open_udp(5000, SERVER);
        let mut packet = datagram(outside, 33, true);
        packet.bytes_mut()[26..28].fill(0);
        if passes {
            let back = lab.back(packet);
            assert_ne!(word(transport6(&back), 6), 0);
        } else {
            assert_eq!(lab.back_dropped(packet), reason::NAT64_UDP_ZERO_CHECKSUM);
            assert_eq!(icmp(&lab.drain_one()), (3, 13, 0));
        }
    }
}

#[test]
fn time_to_live_ends_in_the_translator() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let payload = udp4_payload(SERVER, 53, POOL, outside, b"");
    let with = |ttl| four_with(protocol::UDP, SERVER, POOL, &payload, |h| ipv4::Header { ttl, ..h });
    assert_eq!(lab.back_dropped(with(1)), reason::NAT64_HOP_LIMIT);
    assert_eq!(icmp(&lab.drain_one()), (11, 0, 0));
    assert_eq!(view6(&lab.back(with(2))).hop_limit(), 1);
}

#[test]
fn a_source_route_with_hops_to_go_is_refused_and_other_options_are_left_behind() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let payload = udp4_payload(SERVER, 53, POOL, outside, b"answer");
    let with = |options: &[u8]| {
        let plain = four(protocol::UDP, SERVER, POOL, &payload);
        let mut header = plain.bytes()[..20].to_vec();
        header[0] = 0x45 + (options.len() / 4) as u8;
        header[2..4].copy_from_slice(&((20 + options.len() + payload.len()) as u16).to_be_bytes());
        header[10..12].fill(0);
        header.extend_from_slice(options);
        let sum = sixgate_wire::checksum::Sum::new().with(&header).finish();
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        header.extend_from_slice(&payload);
        Packet::from_slice(&header)
    };
    assert_eq!(lab.back_dropped(with(&[131, 7, 4, 10, 0, 0, 1, 0])), reason::NAT64_SOURCE_ROUTE);
    assert_eq!(icmp(&lab.drain_one()), (3, 5, 0));
    for options in [&[131, 7, 8, 10, 0, 0, 1, 0][..], &[1; 40], &[148, 4, 0, 0]] {
        let back = lab.back(with(options));
        assert_eq!(&transport6(&back)[8..], b"answer");
    }
}

#[test]
fn a_protocol_that_cannot_be_carried_is_refused() {
    let mut lab = Lab::new(config());
    for number in [132, 47, 50, 51, 4, 41, 58] {
        assert_eq!(
            lab.back_dropped(four(number, SERVER, POOL, &[0; 20])),
            reason::NAT64_PROTOCOL,
            "{number}"
        );
        assert_eq!(icmp(&lab.drain_one()), (3, 2, 0), "{number}");
    }
}

#[test]
fn sources_that_nobody_may_have_are_dropped_without_a_word() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    for bad in ["0.0.0.0", "127.0.0.1", "169.254.0.9", "224.0.0.5", "250.1.1.1", "255.255.255.255"] {
        let packet = udp4(bad.parse().unwrap(), 53, POOL, outside, b"");
        assert_eq!(lab.back_dropped(packet), reason::NAT64_SOURCE_MARTIAN, "{bad}");
    }
    assert!(lab.drain().is_empty());
}

#[test]
fn a_damaged_header_is_dropped_and_a_damaged_payload_stays_damaged() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let mut packet = datagram(outside, 30, true);
    packet.bytes_mut()[1] ^= 1;
    assert_eq!(lab.back_dropped(packet), reason::MALFORMED_IPV4);
    let mut packet = datagram(outside, 30, true);
    packet.bytes_mut()[40] ^= 1;
    assert_ne!(sum6(&lab.back(packet)), 0xffff);
}
