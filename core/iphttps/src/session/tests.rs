use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use sixgate_reason as reason;
use sixgate_time::Duration;
use sixgate_wire::ipv6::Header;
use sixgate_wire::lease::LeasedPrefix;

use super::*;

const T0: Instant = Instant::from_secs(10_000);

fn ip(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn lease() -> Lease {
    Lease {
        addresses: vec![ip("fd00:1::a")],
        prefixes: vec![LeasedPrefix {
            prefix: "fd00:1::/64".parse().unwrap(),
            preferred: 600,
            valid: 900,
            on_link: false,
        }],
        mtu: 1400,
        lifetime: 3600,
        ..Lease::default()
    }
}

fn session() -> Session {
    Session::new(SessionConfig { lease: lease(), ..SessionConfig::default() })
}

fn packet(src: &str, dst: &str) -> Packet {
    let header = Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: 0,
        next_header: protocol::NONE,
        hop_limit: 64,
        src: ip(src),
        dst: ip(dst),
    };
    Packet::from_slice(&header.octets())
}

fn solicitation(src: &str, dst: &str, target: &str) -> Packet {
    let mut packet = Packet::new();
    assert!(nd::write_neighbour_solicitation(ip(src), ip(dst), ip(target), &mut packet));
    packet
}

/// The solicited-node address of `target` (RFC 4291, section 2.7.1).
fn solicited_node(target: &str) -> alloc::string::String {
    let low = ip(target).to_bits() as u32 & 0x00ff_ffff;
    alloc::format!("ff02::1:ff{:02x}:{:x}", low >> 16, low & 0xffff)
}

fn address_check(target: &str) -> Packet {
    solicitation("::", &solicited_node(target), target)
}

fn outputs(session: &mut Session) -> Vec<Packet> {
    let mut out = Packet::new();
    let mut all = Vec::new();
    while session.poll_output(&mut out) {
        all.push(out.clone());
    }
    all
}

#[test]
fn only_own_addresses_are_forwarded() {
    let mut s = session();
    assert_eq!(s.inbound(T0, &packet("fd00:1::a", "fd00:2::1")), Inbound::Forward);
    for foreign in ["fd00:2::1", "2001:db8::1", "::1"] {
        let verdict = s.inbound(T0, &packet(foreign, "fd00:2::1"));
        assert_eq!(verdict, Inbound::Drop(reason::IPHTTPS_SOURCE_FOREIGN), "{foreign}");
    }
    assert_eq!(s.poll_event(), None);
    assert_eq!(s.inbound(T0, &Packet::from_slice(&[0x60; 39])), Inbound::Drop(reason::MALFORMED_IPV6));
}

#[test]
fn link_local_traffic_is_for_the_gateway_alone() {
    let mut s = session();
    for (src, dst) in
        [("fe80::2", "fd00:2::1"), ("fd00:1::a", "fe80::3"), ("fe80::2", "fe80::3"), ("fe80::2", "fe80::1")]
    {
        let verdict = s.inbound(T0, &packet(src, dst));
        assert_eq!(verdict, Inbound::Drop(reason::IPHTTPS_LINK_LOCAL), "{src} > {dst}");
    }
}

#[test]
fn multicast_goes_nowhere() {
    let mut s = session();
    for dst in ["ff02::1", "ff02::fb", "ff05::2", "ff0e::1"] {
        let verdict = s.inbound(T0, &packet("fd00:1::a", dst));
        assert_eq!(verdict, Inbound::Drop(reason::IPHTTPS_MULTICAST), "{dst}");
    }
    // Nor does anything that claims to come from a group.
    assert_eq!(s.inbound(T0, &packet("ff02::1", "fd00:2::1")), Inbound::Drop(reason::IPHTTPS_LINK_LOCAL));
}

#[test]
fn listener_reports_of_a_kernel_are_no_offence() {
    // As Linux sends it: hop-by-hop with router alert, then MLDv2 with no records.
    let mut octets = packet("fe80::2", "ff02::16").bytes().to_vec();
    octets[5] = 16;
    octets[6] = protocol::HOP_BY_HOP;
    octets[7] = 1;
    octets.extend([protocol::ICMPV6, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(session().inbound(T0, &Packet::from_slice(&octets)), Inbound::Consumed);
}

#[test]
fn solicitation_is_answered_with_the_lease() {
    let mut s = session();
    let mut packet = Packet::new();
    for (src, to) in [("fe80::2", "fe80::2"), ("::", "ff02::1")] {
        assert!(nd::write_solicitation(ip(src), ip("ff02::2"), &mut packet));
        assert_eq!(s.inbound(T0, &packet), Inbound::Consumed);
        let out = outputs(&mut s);
        let [answer] = &out[..] else { panic!("{out:?}") };
        let answer = Ipv6::parse(answer.bytes()).unwrap();
        assert_eq!((answer.src(), answer.dst()), (ip("fe80::1"), ip(to)));
        assert_eq!(nd::parse_advertisement(&answer).unwrap().addresses, lease().addresses);
    }
}

#[test]
fn solicitation_through_a_router_or_with_damage_is_refused_under_its_own_reason() {
    let mut s = session();
    let mut packet = Packet::new();
    assert!(nd::write_solicitation(ip("fe80::2"), ip("ff02::2"), &mut packet));
    packet.bytes_mut()[7] = 254;
    assert_eq!(s.inbound(T0, &packet), Inbound::Drop(reason::ND_HOP_LIMIT));
    packet.bytes_mut()[7] = 255;
    packet.bytes_mut()[43] ^= 1;
    assert_eq!(s.inbound(T0, &packet), Inbound::Drop(reason::ND_CHECKSUM));
    assert!(outputs(&mut s).is_empty());
}

#[test]
fn reachability_of_the_gateway_is_confirmed() {
    let mut s = session();
    for dst in ["fe80::1", "ff02::1:ff00:1"] {
        assert_eq!(s.inbound(T0, &solicitation("fe80::2", dst, "fe80::1")), Inbound::Consumed);
        let out = outputs(&mut s);
        let answer = Ipv6::parse(out[0].bytes()).unwrap();
        let said = nd::parse_neighbour_advertisement(&answer).unwrap();
        assert_eq!((said.target, said.solicited, said.router), (ip("fe80::1"), true, true));
        assert_eq!(answer.dst(), ip("fe80::2"));
    }
}

#[test]
fn a_client_cannot_look_for_another() {
    let mut s = session();
    let verdict = s.inbound(T0, &solicitation("fe80::2", "ff02::1:ff00:b", "fd00:1::b"));
    assert_eq!(verdict, Inbound::Drop(reason::IPHTTPS_MULTICAST));
    assert!(outputs(&mut s).is_empty());
}

#[test]
fn nobody_but_the_gateway_is_the_router() {
    let mut s = session();
    let mut packet = Packet::new();
    for dst in ["ff02::1", "fe80::1"] {
        assert!(nd::write_advertisement(&lease(), 64, ip("fe80::2"), ip(dst), &mut packet));
        assert_eq!(s.inbound(T0, &packet), Inbound::Drop(reason::IPHTTPS_ND_INVALID));
    }
}

#[test]
fn address_that_is_free_is_claimed_then_used() {
    let mut s = session();
    assert_eq!(s.inbound(T0, &address_check("fd00:1::b")), Inbound::Consumed);
    assert_eq!(s.poll_event(), Some(Event::Claimed(ip("fd00:1::b"))));
    s.grant(T0, ip("fd00:1::b"));
    assert_eq!(s.inbound(T0, &packet("fd00:1::b", "fd00:2::1")), Inbound::Forward);
    assert!(outputs(&mut s).is_empty(), "silence says that the address is free");
}

#[test]
fn address_of_another_is_defended_in_its_name() {
    let mut s = session();
    assert_eq!(s.inbound(T0, &address_check("fd00:1::c")), Inbound::Consumed);
    assert_eq!(s.poll_event(), Some(Event::Claimed(ip("fd00:1::c"))));
    assert_eq!(s.refuse(ip("fd00:1::c")), reason::IPHTTPS_ADDRESS_TAKEN);
    let out = outputs(&mut s);
    let answer = Ipv6::parse(out[0].bytes()).unwrap();
    assert_eq!((answer.src(), answer.dst()), (ip("fd00:1::c"), ip("ff02::1")));
    let said = nd::parse_neighbour_advertisement(&answer).unwrap();
    assert_eq!((said.target, said.router), (ip("fd00:1::c"), false));
}

#[test]
fn the_gateways_own_address_and_foreign_ones_are_defended_without_asking() {
    let mut s = session();
    assert_eq!(s.inbound(T0, &address_check("fe80::1")), Inbound::Drop(reason::IPHTTPS_ADDRESS_TAKEN));
    assert_eq!(s.inbound(T0, &address_check("fd00:9::1")), Inbound::Drop(reason::IPHTTPS_SOURCE_FOREIGN));
    assert_eq!(outputs(&mut s).len(), 2);
    assert_eq!(s.inbound(T0, &address_check("fe80::2")), Inbound::Consumed);
    assert_eq!((s.poll_event(), outputs(&mut s).len()), (None, 0));
}

#[test]
fn use_of_an_address_without_a_check_claims_it() {
    let mut s = session();
    let first = s.inbound(T0, &packet("fd00:1::b", "fd00:2::1"));
    assert_eq!(first, Inbound::Drop(reason::IPHTTPS_SOURCE_FOREIGN));
    assert_eq!(s.poll_event(), Some(Event::Claimed(ip("fd00:1::b"))));
    s.grant(T0, ip("fd00:1::b"));
    assert_eq!(s.inbound(T0, &packet("fd00:1::b", "fd00:2::1")), Inbound::Forward);
}

#[test]
fn addresses_are_limited_and_only_idle_ones_make_room() {
    let mut s = session();
    for n in 1..16_u128 {
        s.grant(T0, Ipv6Addr::from_bits(ip("fd00:1::1000").to_bits() + n));
    }
    assert_eq!(s.inbound(T0, &address_check("fd00:1::b")), Inbound::Drop(reason::IPHTTPS_ADDRESS_LIMIT));
    assert_eq!((s.poll_event(), outputs(&mut s).len()), (None, 1));

    let later = T0 + Duration::from_secs(3600);
    for n in 2..16_u128 {
        let used = Ipv6Addr::from_bits(ip("fd00:1::1000").to_bits() + n);
        assert!(s.addresses.touch(later, used));
    }
    assert_eq!(s.inbound(later, &address_check("fd00:1::b")), Inbound::Consumed);
    assert_eq!(s.poll_event(), Some(Event::Released(ip("fd00:1::1001"))));
    assert_eq!(s.poll_event(), Some(Event::Claimed(ip("fd00:1::b"))));
    s.grant(later, ip("fd00:1::b"));
    assert_eq!(s.addresses().count(), 16);
    assert!(s.addresses().any(|a| a == ip("fd00:1::a")), "the lease's own never makes room");
}

#[test]
fn new_lease_is_advertised_and_what_lies_outside_is_released() {
    let mut s = session();
    s.grant(T0, ip("fd00:1::b"));
    s.set_lease(T0, Lease { addresses: vec![ip("fd00:3::a")], ..lease() });
    assert_eq!(outputs(&mut s).len(), 1);
    assert_eq!(s.poll_event(), None);
    assert_eq!(s.inbound(T0, &packet("fd00:3::a", "fd00:2::1")), Inbound::Forward);
    s.set_lease(T0, Lease { addresses: vec![ip("fd00:3::a")], prefixes: vec![], ..lease() });
    let mut gone = vec![s.poll_event(), s.poll_event()];
    gone.sort_by_key(|e| alloc::format!("{e:?}"));
    assert_eq!(gone, [Some(Event::Released(ip("fd00:1::a"))), Some(Event::Released(ip("fd00:1::b")))]);
    let verdict = s.inbound(T0, &packet("fd00:1::b", "fd00:2::1"));
    assert_eq!(verdict, Inbound::Drop(reason::IPHTTPS_SOURCE_FOREIGN));
}

#[test]
fn a_client_that_only_asks_is_answered_a_few_times() {
    let mut s = session();
    let mut packet = Packet::new();
    assert!(nd::write_solicitation(ip("fe80::2"), ip("ff02::2"), &mut packet));
    for _ in 0..1000 {
        assert_eq!(s.inbound(T0, &packet), Inbound::Consumed);
    }
    assert_eq!(outputs(&mut s).len(), MOST_ANSWERS);
}

proptest! {
    #[test]
    fn whatever_comes_only_own_sources_are_forwarded(
        octets in prop::collection::vec(any::<u8>(), 0..120),
        src in prop::sample::select(vec!["fd00:1::a", "fd00:1::b", "fd00:2::1", "fe80::2", "::", "ff02::1"]),
        dst in prop::sample::select(vec!["fd00:2::1", "fe80::1", "ff02::2", "ff02::1:ff00:b", "::"]),
        next in prop::sample::select(vec![0_u8, 6, 58, 59]),
        kind in 130_u8..145,
    ) {
        let mut whole = packet(src, dst).bytes().to_vec();
        whole[5] = octets.len() as u8;
        whole[6] = next;
        whole[7] = 255;
        whole.extend(&octets);
        if let Some(first) = whole.get_mut(40) {
            *first = kind;
        }
        let mut s = session();
        let verdict = s.inbound(T0, &Packet::from_slice(&whole));
        let own = src == "fd00:1::a" && dst == "fd00:2::1";
        prop_assert_eq!(verdict == Inbound::Forward, own);
        while s.poll_output(&mut Packet::new()) {}
        while s.poll_event().is_some() {}
    }
}
