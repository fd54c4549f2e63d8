use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use sixgate_reason::*;
use sixgate_time::Duration;
use sixgate_wire::lease::{Lease, LeasedPrefix, LeasedRoute, Preference};
use sixgate_wire::nd::{self, NdFault};
use sixgate_wire::{ipv6, protocol};

use super::*;
use crate::retire::Retire;

mod offers;

pub(super) const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);
pub(super) const OTHER: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 21);
pub(super) const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 6, 9, 9);
pub(super) const PEER: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 2);
pub(super) const CLIENT: &str = "fd6a:7e00:cafe:1::7";
pub(super) const T0: Instant = Instant::from_secs(1000);

mod entries;
mod flood;
mod refresh;

fn lease() -> Lease {
    Lease {
        prefixes: vec![LeasedPrefix {
            prefix: "fd6a:7e00:cafe:2::/64".parse().unwrap(),
            preferred: 14_400,
            valid: 86_400,
            on_link: false,
        }],
        routes: vec![LeasedRoute {
            prefix: "fd6a:7e00:cafe:1::/64".parse().unwrap(),
            preference: Preference::Medium,
            lifetime: 3600,
        }],
        mtu: 1280,
        ..Lease::default()
    }
}

pub(super) fn config() -> RouterConfig {
    RouterConfig {
        address: ROUTER,
        own_addresses: vec![ROUTER, Ipv4Addr::new(203, 0, 113, 10)],
        broadcasts: vec![Ipv4Addr::new(10, 6, 8, 255)],
        lease: lease(),
        offers: vec![],
        peers: vec![PEER],
        allow: vec![AllowRule {
            rule: "helpdesk".into(),
            prefixes: vec!["10.6.8.0/24".parse().unwrap(), "203.0.113.0/24".parse().unwrap()],
            ..AllowRule::default()
        }],
        deny: vec![],
        most_hosts: 1000,
        options: RouterOptions::default(),
        retire: Retire::default(),
    }
}

pub(super) fn router() -> Router {
    Router::new(config(), [3; 32])
}

pub(super) fn fe80(v4: Ipv4Addr) -> Ipv6Addr {
    isatap::link_local(Form::Private, v4)
}

pub(super) fn global(v4: Ipv4Addr) -> Ipv6Addr {
    isatap::address("fd6a:7e00:cafe:2::".parse().unwrap(), Form::Private, v4)
}

fn solicitation(src: Ipv6Addr, dst: Ipv6Addr) -> Packet {
    let mut packet = Packet::with_capacity(200);
    assert!(nd::write_solicitation(src, dst, &mut packet));
    packet
}

pub(super) fn data(src: Ipv6Addr, dst: Ipv6Addr) -> Packet {
    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: 8,
        next_header: protocol::UDP,
        hop_limit: 64,
        src,
        dst,
    };
    let mut packet = Packet::with_capacity(200);
    assert!(packet.extend(&header.octets()) && packet.extend(&[0; 8]));
    packet
}

pub(super) fn six(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// Everything that waits to be sent.
pub(super) fn drain(router: &mut Router) -> Vec<(Ipv4Addr, Packet)> {
    let mut out = Packet::new();
    let mut all = Vec::new();
    while let Some(to) = router.poll_output(&mut out) {
        all.push((to, out.clone()));
    }
    all
}

pub(super) fn solicit(router: &mut Router, now: Instant, from: Ipv4Addr) -> Inbound {
    router.decapsulate(now, from, ROUTER, &solicitation(fe80(from), fe80(ROUTER)))
}

/// A packet is sent to a host that is in the table, and five seconds later it answers the question whether it is there.
pub(super) fn prove(router: &mut Router, now: Instant, host: Ipv4Addr) {
    assert_eq!(router.encapsulate(now, &data(six(CLIENT), global(host))), Ok(host));
    drain(router);
    let later = now + Duration::from_secs(5);
    router.handle_timeout(later);
    let asks = |(to, packet): &(Ipv4Addr, Packet)| {
        *to == host && Kind::of(&Ipv6::parse(packet.bytes()).unwrap()) == Some(Kind::NeighbourSolicitation)
    };
    assert!(drain(router).iter().any(asks));
    assert_eq!(router.decapsulate(later, host, ROUTER, &answer(host)), Inbound::Consumed);
}

/// The advertisement with which a host answers that it is there.
fn answer(host: Ipv4Addr) -> Packet {
    let mut packet = Packet::new();
    let message =
        nd::NeighbourAdvertisement { target: fe80(host), router: false, solicited: true, replace: false };
    assert!(nd::write_neighbour_advertisement(fe80(host), fe80(ROUTER), &message, &mut packet));
    packet
}

fn advertised(packet: &Packet) -> Result<Lease, NdFault> {
    nd::parse_advertisement(&Ipv6::parse(packet.bytes()).unwrap())
}

#[test]
fn a_solicitation_of_an_allowed_host_is_answered_at_once_with_the_lease() {
    let mut router = router();
    assert_eq!(solicit(&mut router, T0, HOST), Inbound::Consumed);
    let answers = drain(&mut router);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].0, HOST);
    let ip = Ipv6::parse(answers[0].1.bytes()).unwrap();
    assert_eq!((ip.src(), ip.dst(), ip.hop_limit()), (fe80(ROUTER), fe80(HOST), 255));
    let offered = advertised(&answers[0].1).unwrap();
    assert_eq!((&offered, offered.router_lifetime), (&lease(), 0));
    assert_eq!(router.poll_event(), Some(RouterEvent::HostServed { ipv4: HOST }));
    let view = &router.hosts()[0];
    assert_eq!(
        (view.state, view.rule.as_deref(), view.address),
        (HostState::Served, Some("helpdesk"), Some(global(HOST)))
    );
    assert_eq!((view.first_rs, view.last_rs), (Some(T0), Some(T0)));
}

#[test]
fn a_host_that_is_not_named_gets_nothing_and_is_listed_once() {
    let mut router = router();
    for n in 0..3 {
        let now = T0 + Duration::from_secs(n);
        assert_eq!(solicit(&mut router, now, STRANGER), Inbound::Drop(ISATAP_HOST_NOT_ALLOWED));
    }
    assert!(drain(&mut router).is_empty());
    let refused = RouterEvent::HostRefused { ipv4: STRANGER, reason: ISATAP_HOST_NOT_ALLOWED };
    assert_eq!((router.poll_event(), router.poll_event()), (Some(refused), None));
    let views = router.hosts();
    assert_eq!(
        (views.len(), views[0].state, views[0].reason),
        (1, HostState::Refused, Some(ISATAP_HOST_NOT_ALLOWED))
    );
    assert_eq!((views[0].first_rs, views[0].last_rs), (Some(T0), Some(T0 + Duration::from_secs(2))));
    // Its data goes nowhere either.
    let packet = data(global(STRANGER), six(CLIENT));
    assert_eq!(router.decapsulate(T0, STRANGER, ROUTER, &packet), Inbound::Drop(ISATAP_HOST_NOT_ALLOWED));
}

#[test]
fn the_source_must_embed_the_outer_source_and_be_on_the_link() {
    let mut router = router();
    solicit(&mut router, T0, HOST);
    let mut verdict =
        |outer: Ipv4Addr, src: Ipv6Addr| router.decapsulate(T0, outer, ROUTER, &data(src, six(CLIENT)));
    assert_eq!(verdict(HOST, global(HOST)), Inbound::Forward);
    assert_eq!(verdict(HOST, isatap::address(global(HOST), Form::Global, HOST)), Inbound::Forward);
    assert_eq!(verdict(HOST, global(OTHER)), Inbound::Drop(ISATAP_SOURCE_NOT_EMBEDDED));
    assert_eq!(verdict(HOST, six(CLIENT)), Inbound::Drop(ISATAP_SOURCE_NOT_EMBEDDED));
    assert_eq!(verdict(HOST, six("::")), Inbound::Drop(ISATAP_SOURCE_NOT_EMBEDDED));
    assert_eq!(verdict(HOST, six("fd00:9::5efe:10.6.8.20")), Inbound::Drop(ISATAP_SOURCE_OFF_LINK));
    // A router of the list is believed whatever it carries, but not when that is no source at all.
    assert_eq!(verdict(PEER, six(CLIENT)), Inbound::Forward);
    assert_eq!(verdict(PEER, six("ff02::1")), Inbound::Drop(ISATAP_SOURCE_NOT_EMBEDDED));
}

#[test]
fn outer_addresses_that_no_neighbour_has_are_dropped() {
    let mut router = router();
    for bad in
        ["10.6.0.1", "203.0.113.10", "10.6.8.255", "255.255.255.255", "224.0.0.1", "127.0.0.1", "0.0.0.0"]
    {
        let outer: Ipv4Addr = bad.parse().unwrap();
        let packet = solicitation(fe80(outer), fe80(ROUTER));
        let verdict = router.decapsulate(T0, outer, ROUTER, &packet);
        assert_eq!(verdict, Inbound::Drop(ISATAP_OUTER_UNUSABLE), "{bad}");
    }
    let packet = solicitation(fe80(HOST), fe80(ROUTER));
    let broadcast = Ipv4Addr::new(10, 6, 8, 255);
    assert_eq!(router.decapsulate(T0, HOST, broadcast, &packet), Inbound::Drop(ISATAP_OUTER_UNUSABLE));
    assert!(drain(&mut router).is_empty());
}

#[test]
fn what_is_no_ipv6_or_multicast_or_a_loop_is_dropped_by_name() {
    let mut router = router();
    let mut verdict = |packet: &Packet| router.decapsulate(T0, HOST, ROUTER, packet);
    assert_eq!(verdict(&Packet::from_slice(&[0x45; 40])), Inbound::Drop(ISATAP_NOT_IPV6));
    assert_eq!(verdict(&Packet::from_slice(&[])), Inbound::Drop(ISATAP_NOT_IPV6));
    assert_eq!(verdict(&Packet::from_slice(&[0x60; 39])), Inbound::Drop(MALFORMED_IPV6));
    assert_eq!(verdict(&data(global(HOST), six("ff02::1"))), Inbound::Drop(ISATAP_MULTICAST));
    assert_eq!(verdict(&data(global(HOST), fe80(OTHER))), Inbound::Drop(ISATAP_NEXT_HOP_NONE));
    // 203.0.113.10 is ours, by 6to4 and as a Teredo server.
    for back in ["2002:cb00:710a::1", "2001:0:cb00:710a::1"] {
        assert_eq!(verdict(&data(global(HOST), six(back))), Inbound::Drop(ISATAP_TUNNEL_ADDRESS));
    }
}

/// RFC 6324, section 2: two routers, each of which believes that the other has the host.
#[test]
fn a_packet_that_would_come_back_is_not_sent_and_not_taken() {
    let mut router = router();
    solicit(&mut router, T0, HOST);
    // Addresses of another site's ISATAP prefix that embed one of ours, and our own as somebody else's source.
    let foreign = six("fd99:1::5efe:10.6.0.1");
    let verdict = router.decapsulate(T0, HOST, ROUTER, &data(global(HOST), foreign));
    assert_eq!(verdict, Inbound::Drop(ISATAP_TUNNEL_ADDRESS));
    let verdict = router.decapsulate(T0, PEER, ROUTER, &data(foreign, six(CLIENT)));
    assert_eq!(verdict, Inbound::Drop(ISATAP_TUNNEL_ADDRESS));
    let verdict = router.decapsulate(T0, PEER, ROUTER, &data(global(ROUTER), six(CLIENT)));
    assert_eq!(verdict, Inbound::Drop(ISATAP_LOOP));
    for back in [foreign, six("2002:cb00:710a::1")] {
        let refused = Refused { reason: ISATAP_TUNNEL_ADDRESS, refusal: None };
        assert_eq!(router.encapsulate(T0, &data(back, global(HOST))), Err(refused));
    }
    // What the router says itself is no loop.
    assert_eq!(router.encapsulate(T0, &data(global(ROUTER), global(HOST))), Ok(HOST));
}

#[test]
fn each_wrong_solicitation_is_dropped_and_not_answered() {
    let mut router = router();
    let good = solicitation(fe80(HOST), fe80(ROUTER));
    let mut through_a_router = good.clone();
    through_a_router.bytes_mut()[7] = 254;
    let mut wrong: Vec<(Packet, Reason)> = vec![
        (through_a_router, ISATAP_RS_INVALID),
        (solicitation(fe80(OTHER), fe80(ROUTER)), ISATAP_SOURCE_NOT_EMBEDDED),
        (solicitation(fe80(HOST), fe80(PEER)), ISATAP_RS_INVALID),
        (solicitation(fe80(HOST), six("ff02::1")), ISATAP_RS_INVALID),
        (solicitation(six("::"), fe80(ROUTER)), ISATAP_SOURCE_NOT_EMBEDDED),
    ];
    let mut damaged = good.clone();
    damaged.bytes_mut()[42] ^= 1;
    wrong.push((damaged, ISATAP_RS_INVALID));
    for (packet, reason) in wrong {
        assert_eq!(router.decapsulate(T0, HOST, ROUTER, &packet), Inbound::Drop(reason), "{packet:?}");
    }
    assert!(drain(&mut router).is_empty() && router.hosts().is_empty());
}

#[test]
fn a_solicitation_to_all_routers_or_from_a_global_address_is_answered_from_our_link_local_one() {
    let mut router = router();
    for (src, dst) in
        [(fe80(HOST), six("ff02::2")), (global(HOST), fe80(ROUTER)), (fe80(HOST), global(ROUTER))]
    {
        assert_eq!(router.decapsulate(T0, HOST, ROUTER, &solicitation(src, dst)), Inbound::Consumed);
        let answers = drain(&mut router);
        let ip = Ipv6::parse(answers[0].1.bytes()).unwrap();
        assert_eq!((answers[0].0, ip.src(), ip.dst()), (HOST, fe80(ROUTER), src));
    }
}

#[test]
fn both_forms_are_accepted_and_the_one_that_was_used_is_answered() {
    let mut router = router();
    let theirs = isatap::link_local(Form::Global, HOST);
    let ours = isatap::link_local(Form::Global, ROUTER);
    assert_eq!(router.decapsulate(T0, HOST, ROUTER, &solicitation(theirs, ours)), Inbound::Consumed);
    let answers = drain(&mut router);
    let ip = Ipv6::parse(answers[0].1.bytes()).unwrap();
    assert_eq!((ip.src(), ip.dst()), (ours, theirs));
    // Its twin was never used by anybody.
    let used = isatap::address(global(HOST), Form::Global, HOST);
    assert_eq!(router.encapsulate(T0, &data(six(CLIENT), used)), Ok(HOST));
    let twin = Refused { reason: ISATAP_IDENTIFIER_TWIN, refusal: Some(Refusal::AddressUnreachable) };
    assert_eq!(router.encapsulate(T0, &data(six(CLIENT), global(HOST))), Err(twin));
}

#[test]
fn only_known_hosts_and_peers_are_sent_to() {
    let mut router = router();
    solicit(&mut router, T0, HOST);
    let mut verdict = |dst: Ipv6Addr| router.encapsulate(T0, &data(six(CLIENT), dst));
    let unreachable = |reason| Err(Refused { reason, refusal: Some(Refusal::AddressUnreachable) });
    assert_eq!(verdict(global(HOST)), Ok(HOST));
    assert_eq!(verdict(global(PEER)), Ok(PEER));
    assert_eq!(verdict(global(OTHER)), unreachable(ISATAP_NEIGHBOUR_UNKNOWN));
    assert_eq!(verdict(six("fd6a:7e00:cafe:2::dead")), unreachable(ISATAP_NEXT_HOP_NONE));
    for own in [ROUTER, Ipv4Addr::new(203, 0, 113, 10)] {
        assert_eq!(verdict(global(own)), unreachable(ISATAP_LOOP));
        assert_eq!(verdict(isatap::address(global(own), Form::Global, own)), unreachable(ISATAP_LOOP));
    }
    for nobody in ["255.255.255.255", "224.0.0.5", "127.0.0.1", "10.6.8.255", "0.0.0.0"] {
        assert_eq!(verdict(global(nobody.parse().unwrap())), unreachable(ISATAP_NEXT_HOP_NONE), "{nobody}");
    }
    assert_eq!(verdict(six("2002:cb00:710a::1")), unreachable(ISATAP_TUNNEL_ADDRESS));
    let off_link = Refused { reason: ISATAP_NEXT_HOP_NONE, refusal: Some(Refusal::NoRoute) };
    assert_eq!(verdict(six("2001:db8::1")), Err(off_link));
    assert_eq!(verdict(six("ff02::1")), Err(Refused { reason: ISATAP_MULTICAST, refusal: None }));
}

#[test]
fn traffic_is_counted_by_host() {
    let mut router = router();
    solicit(&mut router, T0, HOST);
    let packet = data(global(HOST), six(CLIENT));
    assert_eq!(router.decapsulate(T0, HOST, ROUTER, &packet), Inbound::Forward);
    assert_eq!(router.encapsulate(T0, &data(six(CLIENT), global(HOST))), Ok(HOST));
    assert_eq!(router.encapsulate(T0, &data(six(CLIENT), global(HOST))), Ok(HOST));
    let view = &router.hosts()[0];
    assert_eq!((view.rx_bytes, view.rx_packets, view.tx_bytes, view.tx_packets), (48, 1, 96, 2));
}

#[test]
fn a_host_that_an_earlier_run_served_is_learnt_from_its_data() {
    let mut router = router();
    assert_eq!(router.decapsulate(T0, HOST, ROUTER, &data(global(HOST), six(CLIENT))), Inbound::Forward);
    assert_eq!(router.encapsulate(T0, &data(six(CLIENT), global(HOST))), Ok(HOST));
    assert_eq!(router.hosts()[0].first_rs, None);
}

#[test]
fn a_neighbour_solicitation_is_answered_for_our_own_addresses_only() {
    let mut router = router();
    solicit(&mut router, T0, HOST);
    drain(&mut router);
    let mut ask = |src: Ipv6Addr, target: Ipv6Addr, from: Ipv4Addr| {
        let mut packet = Packet::new();
        assert!(nd::write_neighbour_solicitation(src, target, target, &mut packet));
        let verdict = router.decapsulate(T0, from, ROUTER, &packet);
        (verdict, drain(&mut router))
    };
    for target in [fe80(ROUTER), isatap::link_local(Form::Global, ROUTER), global(ROUTER)] {
        let (verdict, answers) = ask(fe80(HOST), target, HOST);
        assert_eq!(verdict, Inbound::Consumed);
        let ip = Ipv6::parse(answers[0].1.bytes()).unwrap();
        let message = nd::parse_neighbour_advertisement(&ip).unwrap();
        assert_eq!((message.target, message.router, message.solicited), (target, true, true));
        assert_eq!((ip.src(), ip.dst(), answers[0].0), (target, fe80(HOST), HOST));
    }
    assert_eq!(ask(fe80(HOST), fe80(OTHER), HOST).0, Inbound::Drop(ISATAP_ND_INVALID));
    let (verdict, answers) = ask(fe80(STRANGER), fe80(ROUTER), STRANGER);
    assert_eq!((verdict, answers.len()), (Inbound::Drop(ISATAP_HOST_NOT_ALLOWED), 0));
}

#[test]
fn advertisements_and_redirects_of_hosts_are_not_believed() {
    let mut router = router();
    let mut packet = Packet::new();
    assert!(nd::write_advertisement(&lease(), 64, fe80(HOST), fe80(ROUTER), &mut packet));
    assert_eq!(router.decapsulate(T0, HOST, ROUTER, &packet), Inbound::Drop(ISATAP_RA_NOT_FROM_ROUTER));
    packet.bytes_mut()[40] = 137;
    assert_eq!(router.decapsulate(T0, HOST, ROUTER, &packet), Inbound::Drop(ISATAP_ND_INVALID));
}

#[test]
fn a_router_that_comes_back_tells_every_host_it_remembers() {
    let mut before = router();
    solicit(&mut before, T0, HOST);
    before.decapsulate(
        T0,
        OTHER,
        ROUTER,
        &solicitation(isatap::link_local(Form::Global, OTHER), isatap::link_local(Form::Global, ROUTER)),
    );
    let remembered = before.memory_of_hosts();
    assert_eq!(remembered.len(), 2);
    let mut config = config();
    config.allow[0].prefixes = vec!["10.6.8.21/32".parse().unwrap()];
    let mut after = Router::new(config, [4; 32]);
    after.remember(T0 + Duration::from_secs(60), &remembered);
    let told = drain(&mut after);
    assert_eq!(told.len(), 2);
    for (to, packet) in told {
        let lease_now = advertised(&packet).unwrap();
        let ip = Ipv6::parse(packet.bytes()).unwrap();
        if to == OTHER {
            assert_eq!(lease_now, lease());
            assert_eq!(ip.dst(), isatap::link_local(Form::Global, OTHER));
            assert_eq!(ip.src(), isatap::link_local(Form::Global, ROUTER));
        } else {
            // It is not allowed any more, and is told so.
            assert_eq!((to, lease_now.routes[0].lifetime, lease_now.prefixes[0].preferred), (HOST, 0, 0));
        }
    }
    let views = after.hosts();
    assert_eq!((views.len(), views[1].ipv4, views[1].first_rs), (2, OTHER, Some(T0)));
    assert_eq!((views[0].ipv4, views[0].state, views[0].first_rs), (HOST, HostState::Refused, Some(T0)));
    assert!(!after.is_announcing());
}

#[test]
fn flows_of_a_host_are_counted_and_remembered_and_those_of_others_are_nobodys() {
    let mut before = router();
    solicit(&mut before, T0, HOST);
    solicit(&mut before, T0, STRANGER);
    for (after, v4) in [(1, HOST), (2, HOST), (3, STRANGER)] {
        before.flow_started(T0 + Duration::from_secs(after), v4);
    }
    solicit(&mut before, T0, STRANGER);
    let seen = |router: &Router| {
        let counts = |v: &HostView| (v.ipv4, v.flows_started, v.last_flow, v.refusals);
        router.hosts().iter().map(counts).collect::<Vec<_>>()
    };
    let kept = (HOST, 2, Some(T0 + Duration::from_secs(2)), 0);
    assert_eq!(seen(&before), [kept, (STRANGER, 0, None, 2)]);
    let mut after = router();
    after.remember(T0 + Duration::from_secs(60), &before.memory_of_hosts());
    assert_eq!(seen(&after), [kept]);
}

#[test]
fn shutdown_withdraws_three_times_a_fifth_of_a_second_apart() {
    let mut router = router();
    solicit(&mut router, T0, HOST);
    drain(&mut router);
    router.shutdown(T0);
    let mut rounds = Vec::new();
    let mut now = T0;
    loop {
        for (to, packet) in drain(&mut router) {
            let gone = advertised(&packet).unwrap();
            assert_eq!((to, gone.router_lifetime, gone.routes[0].lifetime), (HOST, 0, 0));
            // Nobody believes less than two hours, so nobody is told less.
            assert_eq!((gone.prefixes[0].preferred, gone.prefixes[0].valid), (0, 7200));
            rounds.push(now.since(T0).as_millis());
        }
        if !router.is_announcing() {
            break;
        }
        now = router.next_timeout();
        router.handle_timeout(now);
    }
    assert_eq!(rounds, [0, 200, 400]);
    assert_eq!(solicit(&mut router, now, HOST), Inbound::Drop(ISATAP_HOST_NOT_ALLOWED));
}

#[test]
fn a_new_configuration_reaches_every_host_and_withdraws_from_those_it_leaves_out() {
    let mut router = router();
    for n in 0..200 {
        solicit(&mut router, T0, Ipv4Addr::new(10, 6, 8, n));
    }
    drain(&mut router);
    let mut config = config();
    config.lease.routes[0].lifetime = 1200;
    config.allow[0].prefixes = vec!["10.6.8.0/25".parse().unwrap()];
    router.reconfigure(T0, config);
    let mut kept = 0;
    let mut gone = 0;
    loop {
        for (to, packet) in drain(&mut router) {
            let lifetime = advertised(&packet).unwrap().routes[0].lifetime;
            assert_eq!(lifetime, if to.octets()[3] < 128 { 1200 } else { 0 });
            if lifetime > 0 { kept += 1 } else { gone += 1 }
        }
        if !router.is_announcing() {
            break;
        }
        router.handle_timeout(router.next_timeout());
    }
    assert_eq!((kept, gone, router.served()), (128 * 3, 72 * 3, 128));
}

proptest! {
    #[test]
    fn any_bytes_get_a_verdict(bytes in proptest::collection::vec(any::<u8>(), 0..200), outer in any::<u32>()) {
        let mut router = router();
        let packet = Packet::from_slice(&bytes);
        let _ = router.decapsulate(T0, Ipv4Addr::from_bits(outer), ROUTER, &packet);
        let _ = router.encapsulate(T0, &packet);
    }

    /// Whatever is sent where: never to ourselves, to nobody, or to a host that did not show itself.
    #[test]
    fn nothing_is_sent_to_an_address_that_did_not_show_itself(last in any::<[u8; 4]>(), form in any::<bool>()) {
        let mut router = router();
        solicit(&mut router, T0, HOST);
        let v4 = Ipv4Addr::from(last);
        let form = if form { Form::Private } else { Form::Global };
        let dst = isatap::address(global(HOST), form, v4);
        if let Ok(to) = router.encapsulate(T0, &data(six(CLIENT), dst)) {
            prop_assert!(to == HOST || to == PEER);
        }
    }

    /// The address check of the whole link: what is forwarded embeds where it came from, unless a peer sent it.
    #[test]
    fn what_is_forwarded_embeds_where_it_came_from(src in any::<[u8; 4]>(), inner in any::<[u8; 4]>(), same in any::<bool>()) {
        let mut router = router();
        let outer = Ipv4Addr::from([10, 6, 8, src[3]]);
        let inner = if same { outer } else { Ipv4Addr::from(inner) };
        let verdict = router.decapsulate(T0, outer, ROUTER, &data(global(inner), six(CLIENT)));
        prop_assert_eq!(verdict == Inbound::Forward, inner == outer && src[3] != 255);
    }
}
