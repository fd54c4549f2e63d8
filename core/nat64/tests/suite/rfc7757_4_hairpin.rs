//! RFC 7757, section 4: two nodes that have mappings meet by a translated address.

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_nat64::{Hairpinning, SiitConfig, Verdict, Ways};
use sixgate_reason as reason;
use sixgate_wire::Packet;
use sixgate_wire::checksum::pseudo_v6;
use sixgate_wire::ipv6::Ipv6;

use crate::siit::*;
use crate::support::*;

/// What the node sends to the other one, whose IPv4 address it was told.
fn question() -> Packet {
    udp6(node(), 5000, embed(OTHER_NODE4), 53, b"question")
}

/// What arrives is from the address that an answer must go to.
fn assert_turned(packet: &Packet) {
    let ip = view6(packet);
    assert_eq!((ip.src(), ip.dst()), (embed(NODE4), other_node()));
    assert_eq!(ports(transport6(packet)), (5000, 53));
}

#[test]
fn section_4_2_2_a_packet_turns_round_with_the_prefix_in_its_source() {
    let mut lab = Stateless::new(siit_config());
    let arrived = lab.out(question());
    assert_turned(&arrived);
    assert_eq!(view6(&arrived).hop_limit(), 62);
    let answer = lab.out(udp6(other_node(), 53, embed(NODE4), 5000, b"answer"));
    let ip = view6(&answer);
    assert_eq!((ip.src(), ip.dst(), ports(transport6(&answer))), (embed(OTHER_NODE4), node(), (53, 5000)));
}

#[test]
fn section_4_2_2_fragments_and_echoes_turn_too() {
    let mut lab = Stateless::new(siit_config());
    let request = lab.out(echo6(128, node(), embed(OTHER_NODE4), 7));
    assert_eq!((view6(&request).src(), transport6(&request)[0]), (embed(NODE4), 128));
    let mut later = vec![17, 0, 0x05, 0xc8, 0, 0, 0, 7];
    later.extend_from_slice(&[5; 40]);
    let later = lab.out(six(44, node(), embed(OTHER_NODE4), &later));
    let fragment = view6(&later).upper().unwrap().fragment.unwrap();
    assert_eq!((view6(&later).dst(), fragment.offset, fragment.identification), (other_node(), 1480, 7));
}

#[test]
fn section_4_2_2_an_error_about_such_a_packet_comes_back_about_what_was_sent() {
    let mut lab = Stateless::new(siit_config());
    let arrived = lab.out(question());
    // From the node itself: from the address that was written to.
    let error = lab.out(error6(other_node(), 1, 4, 0, arrived.bytes()));
    assert_eq!((view6(&error).src(), view6(&error).dst()), (embed(OTHER_NODE4), node()));
    assert_eq!(icmp(&error), (1, 4, 0));
    let inner = Ipv6::parse(quoted(&error)).unwrap();
    assert_eq!((inner.src(), inner.dst()), (node(), embed(OTHER_NODE4)));
    assert_eq!(ports(inner.payload()), (5000, 53));
    assert_eq!(pseudo_v6(inner.src(), inner.dst(), 17, 16).with(inner.payload()).fold(), 0xffff);
    // From a router on the way: from the address that it has in IPv4.
    let error = lab.out(error6(router(), 2, 0, 1400, arrived.bytes()));
    assert_eq!((view6(&error).src(), view6(&error).dst()), (embed(GATEWAY4), node()));
    assert_eq!(icmp(&error), (2, 0, 1400));
    let inner = Ipv6::parse(quoted(&error)).unwrap();
    assert_eq!((inner.src(), inner.dst()), (node(), embed(OTHER_NODE4)));
}

#[test]
fn section_4_2_2_only_what_the_prefix_leads_to_a_mapping_turns() {
    let mut lab = Stateless::new(siit_config());
    // A destination without mapping goes out.
    assert_eq!(view4(&lab.out(udp6(node(), 5, embed(SERVER), 6, b""))).dst(), SERVER);
    // A destination that a mapping translates goes out: its node is on the IPv4 side of this translator.
    assert_eq!(view4(&lab.out(udp6(node(), 5, other_node(), 6, b""))).dst(), OTHER_NODE4);
    // What comes from the IPv4 side keeps the mapping of its source.
    let back = lab.back(udp4(OTHER_NODE4, 6, NODE4, 5, b""));
    assert_eq!(view6(&back).src(), other_node());
}

#[test]
fn what_cannot_turn_is_told_about_the_packet_as_it_was_sent() {
    struct Narrow;
    impl Ways for Narrow {
        fn mtu4(&self, _: Ipv4Addr) -> u16 {
            100
        }
        fn mtu6(&self, _: Ipv6Addr) -> u16 {
            1400
        }
    }
    let mut lab = Stateless::new(siit_config());
    let mut big = udp6(node(), 5, embed(OTHER_NODE4), 6, &[1; 1400]);
    assert_eq!(lab.siit.outbound(lab.now, &mut big, Narrow), Verdict::Drop(reason::NAT64_TOO_BIG));
    let told = lab.drain_one();
    assert_eq!(
        (icmp(&told), Ipv6::parse_quoted(quoted(&told)).unwrap().dst()),
        ((2, 0, 1400), embed(OTHER_NODE4))
    );
    // It never sees the IPv4 link.
    let mut fits = udp6(node(), 5, embed(OTHER_NODE4), 6, &[1; 1352]);
    assert_eq!(lab.siit.outbound(lab.now, &mut fits, Narrow), Verdict::Translated);
    assert_eq!(fits.len(), 1400);
    let mut tired = question();
    tired.bytes_mut()[7] = 2;
    assert_eq!(lab.out_dropped(tired), reason::NAT64_HOP_LIMIT);
    let told = lab.drain_one();
    assert_eq!((icmp(&told), view6(&told).src()), ((3, 0, 0), gateway6()));
}

#[test]
fn section_4_2_1_simple_translates_no_source_by_a_mapping() {
    let mut lab = Stateless::new(SiitConfig { hairpinning: Hairpinning::Simple, ..siit_config() });
    // The kernel, or the next router, brings it back.
    let out = lab.out(question());
    assert_eq!((view4(&out).src(), view4(&out).dst()), (NODE4, OTHER_NODE4));
    let arrived = lab.back(out);
    assert_turned(&arrived);
    let error = lab.out(error6(other_node(), 1, 4, 0, arrived.bytes()));
    let error = lab.back(error);
    assert_eq!((view6(&error).src(), view6(&error).dst()), (embed(OTHER_NODE4), node()));
    let inner = Ipv6::parse(quoted(&error)).unwrap();
    assert_eq!((inner.src(), inner.dst()), (node(), embed(OTHER_NODE4)));
    // An error of somebody else on the way keeps the mapping of its source.
    let sent = udp4(NODE4, 5000, SERVER, 53, b"question");
    let error = lab.back(error4(OTHER_NODE4, 11, 0, 0, sent.bytes()));
    assert_eq!(view6(&error).src(), other_node());
}

#[test]
fn section_4_1_without_hairpinning_the_answer_would_miss() {
    let mut lab = Stateless::new(SiitConfig { hairpinning: Hairpinning::Off, ..siit_config() });
    let out = lab.out(question());
    let arrived = lab.back(out);
    assert_eq!((view6(&arrived).src(), view6(&arrived).dst()), (node(), other_node()));
}
