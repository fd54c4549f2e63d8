//! The stateless translator: whatever IP carries, fragments one by one, errors of others and its own.

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_nat64::{Eam, Siit, SiitConfig, Verdict, Ways, ZeroChecksum};
use sixgate_reason::{self as reason, Reason};
use sixgate_time::{Duration, Instant};
use sixgate_wire::checksum::{pseudo_v4, pseudo_v6};
use sixgate_wire::{Packet, Segmentation, protocol};

use crate::support::*;

pub(crate) const NODE4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 8);
pub(crate) const OTHER_NODE4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);

/// A node that has a mapping.
pub(crate) fn node() -> Ipv6Addr {
    "2001:db8:1::8".parse().unwrap()
}

pub(crate) fn other_node() -> Ipv6Addr {
    "2001:db8:1::9".parse().unwrap()
}

/// A router without one.
pub(crate) fn router() -> Ipv6Addr {
    "2001:db8:ffff::1".parse().unwrap()
}

pub(crate) fn eam(v6: &str, v4: &str) -> Eam {
    Eam::new(v6.parse().unwrap(), v4.parse().unwrap()).unwrap()
}

pub(crate) fn siit_config() -> SiitConfig {
    SiitConfig {
        prefixes: vec![prefix()],
        mappings: vec![eam("2001:db8:1::/120", "198.51.100.0/24")],
        gateway4: GATEWAY4,
        gateway6: gateway6(),
        ..SiitConfig::default()
    }
}

/// A stateless translator and the time.
pub(crate) struct Stateless {
    pub(crate) siit: Siit,
    pub(crate) now: Instant,
}

impl Stateless {
    pub(crate) fn new(config: SiitConfig) -> Self {
        Self { siit: Siit::new(config, [42; 32]), now: Instant::from_secs(1000) }
    }

    pub(crate) fn out(&mut self, mut packet: Packet) -> Packet {
        assert_eq!(self.siit.outbound(self.now, &mut packet, 1500), Verdict::Translated, "{packet:?}");
        packet
    }

    pub(crate) fn back(&mut self, mut packet: Packet) -> Packet {
        assert_eq!(self.siit.inbound(self.now, &mut packet, 1500), Verdict::Translated, "{packet:?}");
        packet
    }

    pub(crate) fn out_dropped(&mut self, mut packet: Packet) -> Reason {
        dropped(self.siit.outbound(self.now, &mut packet, 1500))
    }

    pub(crate) fn back_dropped(&mut self, mut packet: Packet) -> Reason {
        dropped(self.siit.inbound(self.now, &mut packet, 1500))
    }

    pub(crate) fn drain(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        let mut out = Packet::new();
        while self.siit.poll_output(&mut out) {
            packets.push(out.clone());
        }
        packets
    }

    pub(crate) fn drain_one(&mut self) -> Packet {
        let mut packets = self.drain();
        assert_eq!(packets.len(), 1, "{packets:?}");
        packets.remove(0)
    }
}

fn dropped(verdict: Verdict) -> Reason {
    match verdict {
        Verdict::Drop(reason) => reason,
        verdict @ (Verdict::Translated | Verdict::Consumed) => panic!("{verdict:?}"),
    }
}

#[test]
fn tcp_udp_and_echo_cross_both_ways_with_ports_and_identifiers_as_they_are() {
    let mut lab = Stateless::new(siit_config());
    for packet in [
        tcp6(node(), 1025, embed(SERVER), 80, 2),
        udp6(node(), 1025, embed(SERVER), 80, b"data"),
        echo6(128, node(), embed(SERVER), 0x1234),
    ] {
        let sent = packet.clone();
        let out = lab.out(packet);
        let ip = view4(&out);
        assert_eq!((ip.src(), ip.dst(), ip.ttl(), ip.tos()), (NODE4, SERVER, 63, 0xba));
        if ip.protocol() == protocol::ICMP {
            assert_eq!((transport4(&out)[0], word(transport4(&out), 4)), (8, 0x1234));
        } else {
            assert_eq!(ports(transport4(&out)), ports(transport6(&sent)));
        }
    }
    for packet in [
        tcp4(SERVER, 80, NODE4, 1025, 0x12),
        udp4(SERVER, 80, NODE4, 1025, b"data"),
        echo4(0, SERVER, NODE4, 0x1234),
    ] {
        let back = lab.back(packet);
        let ip = view6(&back);
        assert_eq!((ip.src(), ip.dst(), ip.hop_limit()), (embed(SERVER), node(), 63));
        transport6(&back);
    }
}

#[test]
fn an_address_in_the_prefix_needs_no_mapping() {
    let mut lab = Stateless::new(SiitConfig { mappings: Vec::new(), ..siit_config() });
    let out = lab.out(udp6(embed(OTHER), 5, embed(SERVER), 6, b""));
    assert_eq!((view4(&out).src(), view4(&out).dst()), (OTHER, SERVER));
    let back = lab.back(udp4(SERVER, 6, OTHER, 5, b""));
    assert_eq!((view6(&back).src(), view6(&back).dst()), (embed(SERVER), embed(OTHER)));
}

#[test]
fn rfc_7757_mappings_alone_translate_what_both_ends_have() {
    let mappings =
        vec![eam("2001:db8:1::/120", "198.51.100.0/24"), eam("2001:db8:2::/120", "203.0.113.0/24")];
    let mut lab = Stateless::new(SiitConfig { prefixes: Vec::new(), mappings, ..siit_config() });
    let far: Ipv6Addr = "2001:db8:2::5".parse().unwrap();
    let out = lab.out(udp6(node(), 5, far, 6, b""));
    assert_eq!((view4(&out).src(), view4(&out).dst()), (NODE4, SERVER));
    let back = lab.back(udp4(SERVER, 6, NODE4, 5, b""));
    assert_eq!((view6(&back).src(), view6(&back).dst()), (far, node()));
    assert_eq!(
        lab.back_dropped(udp4(Ipv4Addr::new(9, 9, 9, 9), 6, NODE4, 5, b"")),
        reason::SIIT_SOURCE_UNMAPPED
    );
    let told = lab.drain_one();
    assert_eq!((icmp(&told), view4(&told).src()), ((3, 13, 0), GATEWAY4));
}

#[test]
fn a_mapping_goes_before_the_prefix_that_it_lies_in() {
    let mappings = vec![eam("2001:db8:64::203.0.113.5/128", "192.0.2.77/32")];
    let mut lab = Stateless::new(SiitConfig { mappings, ..siit_config() });
    let out = lab.out(udp6(embed(OTHER), 5, embed(SERVER), 6, b""));
    assert_eq!(view4(&out).dst(), Ipv4Addr::new(192, 0, 2, 77));
    let back = lab.back(udp4(Ipv4Addr::new(192, 0, 2, 77), 6, OTHER, 5, b""));
    assert_eq!(view6(&back).src(), embed(SERVER));
}

/// A checksum at octet six, as DCCP and UDP-Lite have it.
fn sealed_at_six(mut bytes: Vec<u8>, pseudo: sixgate_wire::checksum::Sum) -> Vec<u8> {
    bytes[6..8].fill(0);
    let sum = pseudo.with(&bytes).finish();
    bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    bytes
}

#[test]
fn any_transport_passes_and_only_checksums_over_addresses_change() {
    let mut lab = Stateless::new(siit_config());
    let data: Vec<u8> = (0..40).collect();
    for number in [2, 4, 41, 47, protocol::ESP, protocol::NONE, 89, 103, 132, 139, 253] {
        let out = lab.out(six(number, node(), embed(SERVER), &data));
        assert_eq!((view4(&out).protocol(), view4(&out).payload()), (number, &data[..]), "{number}");
        let back = lab.back(four(number, SERVER, NODE4, &data));
        assert_eq!((view6(&back).next_header(), view6(&back).payload()), (number, &data[..]), "{number}");
    }
    for number in [33, 136] {
        let there = sealed_at_six(data.clone(), pseudo_v6(node(), embed(SERVER), number, 40));
        let out = lab.out(six(number, node(), embed(SERVER), &there));
        assert_eq!(pseudo_v4(NODE4, SERVER, number, 40).with(view4(&out).payload()).fold(), 0xffff);
        let there = sealed_at_six(data.clone(), pseudo_v4(SERVER, NODE4, number, 40));
        let back = lab.back(four(number, SERVER, NODE4, &there));
        assert_eq!(pseudo_v6(embed(SERVER), node(), number, 40).with(view6(&back).payload()).fold(), 0xffff);
    }
    assert!(lab.drain().is_empty());
}

#[test]
fn an_authentication_header_passes_as_what_it_is() {
    let mut lab = Stateless::new(siit_config());
    let header = [6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9];
    let out = lab.out(six(protocol::AH, node(), embed(SERVER), &header));
    assert_eq!((view4(&out).protocol(), view4(&out).payload()), (protocol::AH, &header[..]));
    let back = lab.back(four(protocol::AH, SERVER, NODE4, &header));
    assert_eq!((view6(&back).next_header(), view6(&back).payload()), (protocol::AH, &header[..]));
}

#[test]
fn what_would_mean_something_else_in_the_other_family_is_refused() {
    let mut lab = Stateless::new(siit_config());
    for number in [0, 43, 44, 58, 60] {
        let octets = [17, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 6, 0, 8, 0, 0];
        assert_eq!(
            lab.back_dropped(four(number, SERVER, NODE4, &octets)),
            reason::NAT64_PROTOCOL,
            "{number}"
        );
        assert_eq!(icmp(&lab.drain_one()), (3, 2, 0));
    }
    assert_eq!(
        lab.out_dropped(six(1, node(), embed(SERVER), &[5, 0, 0, 0, 0, 0, 0, 0])),
        reason::NAT64_PROTOCOL
    );
}

#[test]
fn echoes_are_the_only_messages_that_cross_beside_errors() {
    let mut lab = Stateless::new(siit_config());
    for kind in [130_u8, 131, 132, 133, 134, 135, 136, 137, 139, 143, 200, 255] {
        let packet = echo6(kind, node(), embed(SERVER), 1);
        assert_eq!(lab.out_dropped(packet), reason::NAT64_ICMP_UNTRANSLATABLE, "{kind}");
    }
    for kind in [9_u8, 10, 13, 14, 15, 16, 17, 18, 30, 40] {
        assert_eq!(
            lab.back_dropped(echo4(kind, SERVER, NODE4, 1)),
            reason::NAT64_ICMP_UNTRANSLATABLE,
            "{kind}"
        );
    }
    assert!(lab.drain().is_empty());
}

/// A part of an IPv6 datagram.
fn part6(next: u8, offset: u16, more: bool, data: &[u8]) -> Packet {
    let mut payload = vec![next, 0];
    payload.extend_from_slice(&(offset | u16::from(more)).to_be_bytes());
    payload.extend_from_slice(&0xabcd_1234_u32.to_be_bytes());
    payload.extend_from_slice(data);
    six(protocol::FRAGMENT, node(), embed(SERVER), &payload)
}

fn part4(number: u8, offset: u16, more: bool, data: &[u8]) -> Packet {
    four_with(number, SERVER, NODE4, data, |mut header| {
        header.dont_fragment = false;
        header.more_fragments = more;
        header.fragment_offset = offset;
        header
    })
}

#[test]
fn fragments_cross_one_by_one_in_any_order() {
    let mut lab = Stateless::new(siit_config());
    let datagram = udp6_payload(node(), 5, embed(SERVER), 6, &[7; 100]);
    let last = lab.out(part6(17, 64, false, &datagram[64..]));
    let first = lab.out(part6(17, 0, true, &datagram[..64]));
    for (packet, offset, more) in [(&first, 0, true), (&last, 64, false)] {
        let ip = view4(packet);
        assert_eq!((ip.fragment_offset(), ip.more_fragments(), ip.dont_fragment()), (offset, more, false));
        assert_eq!((ip.identification(), ip.protocol()), (0x1234, 17));
    }
    let whole = [view4(&first).payload(), view4(&last).payload()].concat();
    assert_eq!(pseudo_v4(NODE4, SERVER, 17, 108).with(&whole).fold(), 0xffff);

    let datagram = udp4_payload(SERVER, 5, NODE4, 6, &[8; 100]);
    let last = lab.back(part4(17, 64, false, &datagram[64..]));
    let first = lab.back(part4(17, 0, true, &datagram[..64]));
    for (packet, offset, more) in [(&first, 0, true), (&last, 64, false)] {
        let fragment = view6(packet).upper().unwrap().fragment.unwrap();
        assert_eq!((fragment.offset, fragment.more, fragment.identification), (offset, more, 0x4321));
    }
    let whole = [&view6(&first).payload()[8..], &view6(&last).payload()[8..]].concat();
    assert_eq!(pseudo_v6(embed(SERVER), node(), 17, 108).with(&whole).fold(), 0xffff);
}

#[test]
fn fragments_of_other_transports_cross_too() {
    let mut lab = Stateless::new(siit_config());
    for offset in [0_u16, 1400] {
        let out = lab.out(part6(132, offset, true, &[1; 64]));
        assert_eq!((view4(&out).protocol(), view4(&out).payload()), (132, &[1; 64][..]));
        let back = lab.back(part4(132, offset, true, &[1; 64]));
        assert_eq!((view6(&back).payload()[0], &view6(&back).payload()[8..]), (132, &[1; 64][..]));
    }
}

#[test]
fn fragments_of_icmp_messages_and_without_transport_header_do_not_cross() {
    let mut lab = Stateless::new(siit_config());
    for offset in [0, 64] {
        assert_eq!(lab.out_dropped(part6(58, offset, true, &[128; 64])), reason::SIIT_ICMP_FRAGMENT);
        assert_eq!(lab.back_dropped(part4(1, offset, true, &[8; 64])), reason::SIIT_ICMP_FRAGMENT);
    }
    assert_eq!(lab.out_dropped(part6(6, 0, true, &[0; 16])), reason::NAT64_FRAGMENT_OVERLAP);
    assert_eq!(lab.back_dropped(part4(6, 0, true, &[0; 16])), reason::NAT64_FRAGMENT_OVERLAP);
    assert_eq!(lab.back_dropped(part4(17, 0, true, &[0; 7])), reason::NAT64_FRAGMENT_OVERLAP);
    assert_eq!(lab.back_dropped(part4(33, 0, true, &[0; 7])), reason::NAT64_FRAGMENT_OVERLAP);
    assert!(lab.drain().is_empty());
}

#[test]
fn an_atomic_fragment_of_an_echo_is_whole() {
    let mut lab = Stateless::new(siit_config());
    let message = echo6_payload(128, node(), embed(SERVER), 9, b"ping");
    let out = lab.out(part6(58, 0, false, &message));
    assert_eq!((transport4(&out)[0], view4(&out).is_fragment()), (8, false));
}

#[test]
fn a_datagram_without_checksum_is_dropped_unless_it_is_to_be_computed_and_whole() {
    let mut lab = Stateless::new(siit_config());
    let mut datagram = udp4_payload(SERVER, 5, NODE4, 6, &[8; 100]);
    datagram[6..8].fill(0);
    assert_eq!(lab.back_dropped(four(17, SERVER, NODE4, &datagram)), reason::NAT64_UDP_ZERO_CHECKSUM);
    assert_eq!(icmp(&lab.drain_one()), (3, 13, 0));
    lab.siit.reconfigure(SiitConfig { zero_checksum: ZeroChecksum::Compute, ..siit_config() });
    let back = lab.back(four(17, SERVER, NODE4, &datagram));
    transport6(&back);
    let part = part4(17, 0, true, &datagram[..64]);
    assert_eq!(lab.back_dropped(part), reason::NAT64_UDP_ZERO_CHECKSUM);
    // What follows is not known to lack one.
    lab.back(part4(17, 64, false, &datagram[64..]));
}

#[test]
fn too_big_is_told_by_us_on_both_sides() {
    struct Narrow;
    impl Ways for Narrow {
        fn mtu4(&self, _: Ipv4Addr) -> u16 {
            1400
        }
        fn mtu6(&self, _: Ipv6Addr) -> u16 {
            1300
        }
    }
    let mut lab = Stateless::new(siit_config());
    let mut big = udp6(node(), 5, embed(SERVER), 6, &[1; 1452]);
    assert_eq!(lab.siit.outbound(lab.now, &mut big, Narrow), Verdict::Drop(reason::NAT64_TOO_BIG));
    let told = lab.drain_one();
    assert_eq!((icmp(&told), view6(&told).src(), view6(&told).dst()), ((2, 0, 1420), gateway6(), node()));
    let mut big = udp4(SERVER, 5, NODE4, 6, &[1; 1300]);
    assert_eq!(lab.siit.inbound(lab.now, &mut big, Narrow), Verdict::Drop(reason::NAT64_TOO_BIG));
    let told = lab.drain_one();
    assert_eq!((icmp(&told), view4(&told).src(), view4(&told).dst()), ((3, 4, 1280), GATEWAY4, SERVER));
    // Without "don't fragment" it is cut, to the lowest MTU of IPv6.
    let mut big = four_with(17, SERVER, NODE4, &udp4_payload(SERVER, 5, NODE4, 6, &[1; 1300]), |mut h| {
        h.dont_fragment = false;
        h
    });
    assert_eq!(lab.siit.inbound(lab.now, &mut big, Narrow), Verdict::Translated);
    assert!(big.len() <= 1280 && lab.drain_one().len() <= 1280);
}

#[test]
fn hop_limits_end_here_and_say_so_from_our_addresses() {
    let mut lab = Stateless::new(siit_config());
    let mut packet = udp6(node(), 5, embed(SERVER), 6, b"");
    packet.bytes_mut()[7] = 1;
    assert_eq!(lab.out_dropped(packet), reason::NAT64_HOP_LIMIT);
    let told = lab.drain_one();
    assert_eq!((icmp(&told), view6(&told).src()), ((3, 0, 0), gateway6()));
    let payload = udp4_payload(SERVER, 5, NODE4, 6, b"");
    let packet = four_with(17, SERVER, NODE4, &payload, |mut header| {
        header.ttl = 1;
        header
    });
    assert_eq!(lab.back_dropped(packet), reason::NAT64_HOP_LIMIT);
    let told = lab.drain_one();
    assert_eq!((icmp(&told), view4(&told).src()), ((11, 0, 0), GATEWAY4));
}

#[test]
fn addresses_that_nobody_may_have_do_not_cross() {
    let mut lab = Stateless::new(siit_config());
    for src in ["::", "::1", "fe80::1", "ff02::1", "::ffff:192.0.2.1"] {
        let packet = udp6(src.parse().unwrap(), 5, embed(SERVER), 6, b"");
        assert_eq!(lab.out_dropped(packet), reason::NAT64_SOURCE_MARTIAN, "{src}");
    }
    for v4 in ["0.0.0.1", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255"] {
        let v4: Ipv4Addr = v4.parse().unwrap();
        assert_eq!(lab.back_dropped(udp4(v4, 5, NODE4, 6, b"")), reason::NAT64_SOURCE_MARTIAN, "{v4}");
        assert_eq!(lab.back_dropped(udp4(SERVER, 5, v4, 6, b"")), reason::NAT64_DESTINATION_DENIED, "{v4}");
        assert_eq!(lab.out_dropped(udp6(embed(v4), 5, embed(SERVER), 6, b"")), reason::NAT64_SOURCE_MARTIAN);
        assert!(lab.drain().is_empty(), "{v4}");
        assert_eq!(lab.out_dropped(udp6(node(), 5, embed(v4), 6, b"")), reason::NAT64_DESTINATION_DENIED);
        assert_eq!(icmp(&lab.drain_one()), (1, 1, 0));
    }
}

#[test]
fn what_nobody_translates_is_told_so() {
    let mut lab = Stateless::new(siit_config());
    assert_eq!(lab.out_dropped(udp6(router(), 5, embed(SERVER), 6, b"")), reason::SIIT_SOURCE_UNMAPPED);
    assert_eq!(icmp(&lab.drain_one()), (1, 5, 0));
    assert_eq!(lab.out_dropped(udp6(node(), 5, router(), 6, b"")), reason::SIIT_DESTINATION_UNMAPPED);
    assert_eq!(icmp(&lab.drain_one()), (1, 0, 0));
    let mut lab = Stateless::new(SiitConfig { prefixes: Vec::new(), ..siit_config() });
    assert_eq!(lab.back_dropped(udp4(NODE4, 5, SERVER, 6, b"")), reason::SIIT_DESTINATION_UNMAPPED);
    assert_eq!(icmp(&lab.drain_one()), (3, 1, 0));
}

#[test]
fn rfc_6052_section_3_1_the_well_known_prefix_carries_global_addresses_only_unless_that_is_lifted() {
    let well_known = sixgate_wire::addr::Prefix64::new("64:ff9b::/96".parse().unwrap()).unwrap();
    let config = SiitConfig { prefixes: vec![well_known], ..siit_config() };
    let private = Ipv4Addr::new(10, 6, 0, 30);
    let global = Ipv4Addr::new(9, 9, 9, 9);
    let mut lab = Stateless::new(config.clone());
    let out = |to| udp6(node(), 5, well_known.embed(to), 6, b"");
    assert_eq!(view4(&lab.out(out(global))).dst(), global);
    assert_eq!(lab.out_dropped(out(private)), reason::NAT64_DESTINATION_DENIED);
    assert_eq!(lab.back_dropped(udp4(private, 5, NODE4, 6, b"")), reason::SIIT_SOURCE_UNMAPPED);
    lab.drain();
    lab.siit.reconfigure(SiitConfig { well_known_non_global: true, ..config });
    assert_eq!(view4(&lab.out(out(private))).dst(), private);
    assert_eq!(view6(&lab.back(udp4(private, 5, NODE4, 6, b""))).src(), well_known.embed(private));
}

#[test]
fn rfc_6791_a_router_without_ipv4_address_gets_one_of_the_pool_and_always_the_same() {
    let pool: sixgate_wire::addr::Ipv4Prefix = "192.0.2.64/26".parse().unwrap();
    let mut lab = Stateless::new(SiitConfig { source4: Some(pool), ..siit_config() });
    let quoted_packet = udp6(embed(SERVER), 6, node(), 5, &[1; 40]);
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..64_u128 {
        let router = Ipv6Addr::from_bits(router().to_bits() + n);
        let error = |lab: &mut Stateless| lab.out(error6(router, 3, 0, 0, quoted_packet.bytes()));
        let (one, two) = (error(&mut lab), error(&mut lab));
        let ip = view4(&one);
        assert!(pool.contains(ip.src()) && ip.src() == view4(&two).src());
        assert_eq!((ip.dst(), icmp(&one)), (SERVER, (11, 0, 0)));
        let inner = sixgate_wire::ipv4::Ipv4::parse(quoted(&one)).unwrap();
        assert_eq!((inner.src(), inner.dst()), (SERVER, NODE4));
        assert_eq!(pseudo_v4(SERVER, NODE4, 17, 48).with(inner.payload()).fold(), 0xffff);
        seen.insert(ip.src());
    }
    assert!(seen.len() > 20, "{seen:?}");
}

#[test]
fn rfc_6791_without_a_pool_the_error_comes_from_this_machine() {
    let mut lab = Stateless::new(siit_config());
    let quoted_packet = udp6(embed(SERVER), 6, node(), 5, &[1; 40]);
    let error = lab.out(error6(router(), 1, 3, 0, quoted_packet.bytes()));
    assert_eq!((view4(&error).src(), icmp(&error)), (GATEWAY4, (3, 1, 0)));
    // A source that has an address in IPv4 keeps it.
    let error = lab.out(error6(node(), 1, 4, 0, quoted_packet.bytes()));
    assert_eq!((view4(&error).src(), icmp(&error)), (NODE4, (3, 3, 0)));
}

#[test]
fn an_ipv4_router_keeps_its_address_in_the_prefix_or_gets_one() {
    let sent = lab_sent();
    let mut lab = Stateless::new(siit_config());
    let error = lab.back(error4(OTHER, 11, 0, 0, &sent));
    assert_eq!((view6(&error).src(), view6(&error).dst(), icmp(&error)), (embed(OTHER), node(), (3, 0, 0)));
    let inner = sixgate_wire::ipv6::Ipv6::parse(quoted(&error)).unwrap();
    assert_eq!((inner.src(), inner.dst()), (node(), embed(SERVER)));
    let mappings =
        vec![eam("2001:db8:1::/120", "198.51.100.0/24"), eam("2001:db8:2::5/128", "203.0.113.5/32")];
    let config = SiitConfig { prefixes: Vec::new(), mappings, ..siit_config() };
    let mut lab = Stateless::new(config.clone());
    assert_eq!(view6(&lab.back(error4(OTHER, 11, 0, 0, &sent))).src(), gateway6());
    let pool: sixgate_wire::addr::Ipv6Prefix = "2001:db8:6791::/64".parse().unwrap();
    lab.siit.reconfigure(SiitConfig { source6: Some(pool), ..config.clone() });
    assert!(pool.contains(view6(&lab.back(error4(OTHER, 11, 0, 0, &sent))).src()));
    lab.siit.reconfigure(SiitConfig { gateway6: Ipv6Addr::UNSPECIFIED, ..config });
    assert_eq!(lab.back_dropped(error4(OTHER, 11, 0, 0, &sent)), reason::SIIT_SOURCE_UNMAPPED);
}

/// A datagram of the node as the server's side sees it.
fn lab_sent() -> Vec<u8> {
    udp4(NODE4, 5, SERVER, 6, &[1; 40]).bytes().to_vec()
}

#[test]
fn errors_about_any_transport_and_about_later_fragments_are_translated() {
    let mut lab = Stateless::new(siit_config());
    let sctp = four(132, NODE4, SERVER, &[3; 40]);
    let error = lab.back(error4(OTHER, 3, 2, 0, sctp.bytes()));
    assert_eq!(icmp(&error), (4, 1, 6));
    let inner = sixgate_wire::ipv6::Ipv6::parse(quoted(&error)).unwrap();
    assert_eq!((inner.next_header(), inner.payload()), (132, &[3; 40][..]));
    let later = four_with(17, NODE4, SERVER, &[4; 40], |mut header| {
        header.dont_fragment = false;
        header.fragment_offset = 1480;
        header
    });
    let error = lab.back(error4(OTHER, 11, 1, 0, later.bytes()));
    let inner = sixgate_wire::ipv6::Ipv6::parse(quoted(&error)).unwrap();
    let fragment = inner.upper().unwrap().fragment.unwrap();
    assert_eq!((fragment.offset, &inner.payload()[8..]), (1480, &[4; 40][..]));
    let mut six_later = vec![17, 0];
    six_later.extend_from_slice(&1480_u16.to_be_bytes());
    six_later.extend_from_slice(&[0, 0, 0, 7]);
    six_later.extend_from_slice(&[5; 40]);
    let later = six(protocol::FRAGMENT, embed(SERVER), node(), &six_later);
    let error = lab.out(error6(router(), 3, 1, 0, later.bytes()));
    let inner = sixgate_wire::ipv4::Ipv4::parse(quoted(&error)).unwrap();
    assert_eq!((inner.fragment_offset(), inner.identification(), inner.payload()), (1480, 7, &[5; 40][..]));
}

#[test]
fn too_big_of_others_is_translated_with_the_sizes_of_both_links() {
    let mut lab = Stateless::new(siit_config());
    let quoted_packet = udp6(embed(SERVER), 6, node(), 5, &[1; 1300]);
    let error = lab.out(error6(router(), 2, 0, 1280, &quoted_packet.bytes()[..1232]));
    assert_eq!(icmp(&error), (3, 4, 1260));
    let error = lab.back(error4(OTHER, 3, 4, 1400, &lab_sent()));
    assert_eq!(icmp(&error), (2, 0, 1420));
}

#[test]
fn an_error_about_what_is_not_translated_here_goes_nowhere() {
    let mut lab = Stateless::new(siit_config());
    let stranger = udp6(router(), 6, node(), 5, b"");
    let mut error = error6(node(), 1, 4, 0, stranger.bytes());
    // Sent to an address that is translated, about a packet that is not.
    let (src, dst) = (node(), embed(SERVER));
    error.bytes_mut()[24..40].copy_from_slice(&dst.octets());
    let message = icmp6_sealed(src, dst, error.bytes()[40..].to_vec());
    error.bytes_mut()[40..].copy_from_slice(&message);
    assert_eq!(lab.out_dropped(error), reason::SIIT_QUOTE_UNMAPPED);
    let redirect = error4(OTHER, 5, 0, 0, &lab_sent());
    assert_eq!(lab.back_dropped(redirect), reason::NAT64_ICMP_UNTRANSLATABLE);
    assert!(lab.drain().is_empty());
}

#[test]
fn our_errors_are_limited_in_rate_and_never_about_errors() {
    let mut lab = Stateless::new(SiitConfig { errors_per_second: 3, ..siit_config() });
    for _ in 0..10 {
        lab.out_dropped(udp6(router(), 5, embed(SERVER), 6, b""));
        lab.back_dropped(four(44, SERVER, NODE4, &[0; 16]));
    }
    assert_eq!(lab.drain().len(), 6);
    lab.now = lab.now + Duration::from_secs(5);
    let mut error = error4(OTHER, 11, 0, 0, &lab_sent());
    error.bytes_mut()[8] = 1;
    error.bytes_mut()[10..12].fill(0);
    let sum = sixgate_wire::checksum::Sum::new().with(&error.bytes()[..20]).finish();
    error.bytes_mut()[10..12].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(lab.back_dropped(error), reason::NAT64_HOP_LIMIT);
    assert!(lab.drain().is_empty());
}

#[test]
fn super_packets_cross_in_place() {
    let mut lab = Stateless::new(siit_config());
    let mut packet = tcp6_data(node(), 5, embed(SERVER), 6, 0x10, &[1; 20_000]);
    packet.offload.segmentation = Segmentation::Tcp { mss: 1440 };
    let out = lab.out(packet);
    assert_eq!((out.offload.segmentation, out.len()), (Segmentation::Tcp { mss: 1440 }, 20_040));
    let mut packet = tcp4_data(SERVER, 5, NODE4, 6, 0x10, &[1; 20_000]);
    packet.offload.segmentation = Segmentation::Tcp { mss: 1440 };
    let back = lab.back(packet);
    assert_eq!((back.offload.segmentation, back.len()), (Segmentation::Tcp { mss: 1440 }, 20_060));
}

#[test]
fn the_traffic_class_is_copied_whole_or_not_at_all() {
    let mut lab = Stateless::new(SiitConfig { reset_traffic_class: true, ..siit_config() });
    assert_eq!(view4(&lab.out(udp6(node(), 5, embed(SERVER), 6, b""))).tos(), 0);
    assert_eq!(view6(&lab.back(udp4(SERVER, 6, NODE4, 5, b""))).traffic_class(), 0);
    lab.siit.reconfigure(siit_config());
    assert_eq!(view4(&lab.out(udp6(node(), 5, embed(SERVER), 6, b""))).tos(), 0xba);
    assert_eq!(view6(&lab.back(udp4(SERVER, 6, NODE4, 5, b""))).traffic_class(), 0xb9);
}
