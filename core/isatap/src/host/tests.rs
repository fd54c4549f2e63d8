use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use sixgate_reason::*;
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::lease::{Lease, LeasedPrefix, LeasedRoute, Preference};
use sixgate_wire::nd::{self, Kind, NeighbourAdvertisement};
use sixgate_wire::protocol;
use sixgate_wire::refusal::Refusal;

mod changes;
mod machine;
mod path;
mod sites;

use super::*;
use crate::verdict::{Inbound, Refused};

const HOST: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);
const R1: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
const R2: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 30);
const CLIENTS: &str = "fd6a:7e00:cafe:1::/64";
const CLIENT: &str = "fd6a:7e00:cafe:1::7";
const T0: Instant = Instant::from_secs(100);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn six(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn fe80(v4: Ipv4Addr) -> Ipv6Addr {
    isatap::link_local(Form::Private, v4)
}

fn global(v4: Ipv4Addr) -> Ipv6Addr {
    isatap::address(six("fd6a:7e00:cafe:2::"), Form::Private, v4)
}

fn lives(now: Instant, preferred: u64, valid: u64) -> Lifetimes {
    let preferred = if preferred == 0 { Instant::ZERO } else { now + secs(preferred) };
    Lifetimes { preferred, valid: now + secs(valid) }
}

fn route(prefix: &str, preference: Preference, lifetime: u32) -> LeasedRoute {
    LeasedRoute { prefix: prefix.parse().unwrap(), preference, lifetime }
}

fn lease(on_link: bool, routes: Vec<LeasedRoute>) -> Lease {
    let prefix: Ipv6Prefix = "fd6a:7e00:cafe:2::/64".parse().unwrap();
    let prefixes = vec![LeasedPrefix { prefix, preferred: 14_400, valid: 86_400, on_link }];
    Lease { prefixes, routes, mtu: 1280, ..Lease::default() }
}

fn usual() -> Lease {
    lease(false, vec![route(CLIENTS, Preference::Medium, 3600)])
}

fn host(now: Instant, routers: &[Ipv4Addr]) -> Host {
    let broadcasts = vec![Ipv4Addr::new(10, 6, 8, 255)];
    let mut host =
        Host::new(HostConfig { address: HOST, own_addresses: vec![HOST], broadcasts, ipv4_mtu: 0 }, [9; 32]);
    host.set_routers(now, routers);
    host
}

fn drain(host: &mut Host) -> Vec<(Ipv4Addr, Packet)> {
    let mut out = Packet::new();
    let mut all = Vec::new();
    while let Some(to) = host.poll_output(&mut out) {
        all.push((to, out.clone()));
    }
    all
}

fn events(host: &mut Host) -> Vec<HostEvent> {
    core::iter::from_fn(|| host.poll_event()).collect()
}

fn kinds(host: &mut Host) -> Vec<(Ipv4Addr, Kind)> {
    let kind = |p: &Packet| Kind::of(&Ipv6::parse(p.bytes()).unwrap()).unwrap();
    drain(host).iter().map(|(to, packet)| (*to, kind(packet))).collect()
}

fn advertise(host: &mut Host, now: Instant, from: Ipv4Addr, lease: &Lease) -> Inbound {
    let mut packet = Packet::new();
    assert!(nd::write_advertisement(lease, 64, fe80(from), fe80(HOST), &mut packet));
    host.decapsulate(now, from, HOST, &packet)
}

fn confirm(host: &mut Host, now: Instant, from: Ipv4Addr) -> Inbound {
    let message =
        NeighbourAdvertisement { target: fe80(from), router: true, solicited: true, replace: false };
    let mut packet = Packet::new();
    assert!(nd::write_neighbour_advertisement(fe80(from), fe80(HOST), &message, &mut packet));
    host.decapsulate(now, from, HOST, &packet)
}

fn data(src: Ipv6Addr, dst: Ipv6Addr) -> Packet {
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

fn send(host: &mut Host, now: Instant, dst: &str) -> Result<Ipv4Addr, Refused> {
    host.encapsulate(now, &data(global(HOST), six(dst)))
}

const NO_ROUTE: Result<Ipv4Addr, Refused> =
    Err(Refused { reason: ISATAP_NO_ROUTER, refusal: Some(Refusal::NoRoute) });

#[test]
fn solicits_at_once_then_every_four_seconds_then_every_half_minute() {
    let mut host = host(T0, &[R1]);
    let mut times = Vec::new();
    let mut now = T0;
    while times.len() < 6 {
        for (to, packet) in drain(&mut host) {
            let ip = Ipv6::parse(packet.bytes()).unwrap();
            assert_eq!((to, ip.src(), ip.dst(), packet.len()), (R1, fe80(HOST), fe80(R1), 48));
            times.push(now.since(T0).as_secs_f32());
        }
        now = host.next_timeout();
        host.handle_timeout(now);
    }
    assert_eq!(times[..3], [0.0, 4.0, 8.0]);
    for pair in times[2..].windows(2) {
        assert!((27.0..=33.1).contains(&(pair[1] - pair[0])), "{times:?}");
    }
    assert_eq!(host.routers()[0].state, RouterState::Silent);
    assert_eq!(host.routers()[0].reason, Some(ISATAP_ROUTER_SILENT));
    assert!(events(&mut host).contains(&HostEvent::RouterChanged { router: R1, state: RouterState::Silent }));
}

#[test]
fn a_router_gets_packets_only_after_its_answer() {
    let mut host = host(T0, &[R1]);
    assert_eq!(kinds(&mut host), [(R1, Kind::RouterSolicitation)]);
    assert_eq!(host.encapsulate(T0, &data(fe80(HOST), six(CLIENT))), NO_ROUTE);
    advertise(&mut host, T0, R1, &usual());
    assert_eq!(send(&mut host, T0, CLIENT), Ok(R1));
}

#[test]
fn a_router_whose_address_looks_global_is_asked_by_both_forms() {
    let public = Ipv4Addr::new(203, 0, 114, 1);
    let mut host = host(T0, &[public]);
    let asked: Vec<_> = drain(&mut host).iter().map(|(_, p)| Ipv6::parse(p.bytes()).unwrap().dst()).collect();
    assert_eq!(asked, [fe80(public), isatap::link_local(Form::Global, public)]);
    let mut packet = Packet::new();
    let source = isatap::link_local(Form::Global, public);
    assert!(nd::write_advertisement(&usual(), 64, source, fe80(HOST), &mut packet));
    assert_eq!(host.decapsulate(T0, public, HOST, &packet), Inbound::Consumed);
    assert_eq!(host.routers()[0].next_hop, source);
}

#[test]
fn an_advertisement_gives_an_address_and_routes_to_the_clients_only() {
    let mut host = host(T0, &[R1]);
    assert_eq!(send(&mut host, T0, CLIENT).unwrap_err().reason, ISATAP_SOURCE_NOT_EMBEDDED);
    assert_eq!(advertise(&mut host, T0, R1, &usual()), Inbound::Consumed);
    let prefix = "fd6a:7e00:cafe:2::/64".parse().unwrap();
    let clients = CLIENTS.parse().unwrap();
    assert_eq!(
        events(&mut host),
        [
            HostEvent::AddressAdded { address: global(HOST), prefix, lifetimes: lives(T0, 14_400, 86_400) },
            HostEvent::RouteAdded {
                prefix: clients,
                next_hop: fe80(R1),
                router: R1,
                preference: Preference::Medium,
                source: Some(global(HOST)),
            },
            HostEvent::RouterChanged { router: R1, state: RouterState::Reachable },
        ]
    );
    assert_eq!(send(&mut host, T0, CLIENT), Ok(R1));
    assert_eq!(send(&mut host, T0, "2001:db8::1"), NO_ROUTE);
    assert_eq!(host.routers()[0].addresses, [global(HOST)]);
}

#[test]
fn the_next_solicitation_is_at_four_fifths_of_the_smallest_lifetime() {
    let mut host = host(T0, &[R1]);
    drain(&mut host);
    advertise(&mut host, T0, R1, &lease(false, vec![route(CLIENTS, Preference::Medium, 30)]));
    host.handle_timeout(T0 + Duration::from_millis(23_999));
    assert!(!kinds(&mut host).contains(&(R1, Kind::RouterSolicitation)));
    host.handle_timeout(T0 + secs(24));
    assert_eq!(kinds(&mut host), [(R1, Kind::RouterSolicitation)]);
}

#[test]
fn addresses_and_routes_end_with_their_lifetimes() {
    let mut host = host(T0, &[R1]);
    let mut short = usual();
    short.routes[0].lifetime = 600;
    (short.prefixes[0].preferred, short.prefixes[0].valid) = (700, 800);
    advertise(&mut host, T0, R1, &short);
    events(&mut host);
    let mut seen = Vec::new();
    let mut now = T0;
    while now < T0 + secs(900) {
        now = host.next_timeout();
        host.handle_timeout(now);
        // The router answers probes, but no solicitation.
        if kinds(&mut host).contains(&(R1, Kind::NeighbourSolicitation)) {
            confirm(&mut host, now, R1);
        }
        seen.extend(events(&mut host).into_iter().map(|e| (now.since(T0).as_secs(), e)));
    }
    let prefix = "fd6a:7e00:cafe:2::/64".parse().unwrap();
    let address = global(HOST);
    assert_eq!(
        seen[0],
        (600, HostEvent::RouteRemoved { prefix: CLIENTS.parse().unwrap(), next_hop: fe80(R1) })
    );
    let deprecated = Lifetimes { preferred: Instant::ZERO, valid: T0 + secs(800) };
    assert_eq!(seen[1], (700, HostEvent::AddressAdded { address, prefix, lifetimes: deprecated }));
    assert_eq!(seen[2], (700, HostEvent::RouterChanged { router: R1, state: RouterState::Silent }));
    assert_eq!(seen[3], (800, HostEvent::AddressRemoved { address, prefix }));
    assert_eq!(seen.len(), 4);
}

#[test]
fn an_advertisement_counts_only_from_a_router_of_the_list() {
    let mut host = host(T0, &[R1]);
    let mut verdict = |outer: Ipv4Addr, src: Ipv6Addr, dst: Ipv6Addr, hop_limit: u8| {
        let mut packet = Packet::new();
        assert!(nd::write_advertisement(&usual(), 64, src, dst, &mut packet));
        packet.bytes_mut()[7] = hop_limit;
        host.decapsulate(T0, outer, HOST, &packet)
    };
    assert_eq!(verdict(R2, fe80(R2), fe80(HOST), 255), Inbound::Drop(ISATAP_RA_NOT_FROM_ROUTER));
    assert_eq!(verdict(R2, fe80(R1), fe80(HOST), 255), Inbound::Drop(ISATAP_RA_NOT_FROM_ROUTER));
    assert_eq!(verdict(R1, fe80(R2), fe80(HOST), 255), Inbound::Drop(ISATAP_RA_INVALID));
    assert_eq!(verdict(R1, global(R1), fe80(HOST), 255), Inbound::Drop(ISATAP_RA_INVALID));
    assert_eq!(verdict(R1, fe80(R1), fe80(OTHER), 255), Inbound::Drop(ISATAP_RA_INVALID));
    assert_eq!(verdict(R1, fe80(R1), fe80(HOST), 254), Inbound::Drop(ISATAP_RA_INVALID));
    assert_eq!(verdict(R1, fe80(R1), fe80(HOST), 255), Inbound::Consumed);
}

#[test]
fn decapsulation_checks_the_source_against_the_outer_one() {
    let mut host = host(T0, &[R1]);
    advertise(&mut host, T0, R1, &usual());
    let mut verdict =
        |outer: Ipv4Addr, src: Ipv6Addr, dst: Ipv6Addr| host.decapsulate(T0, outer, HOST, &data(src, dst));
    let own = global(HOST);
    assert_eq!(verdict(R1, six(CLIENT), own), Inbound::Forward);
    assert_eq!(verdict(OTHER, six(CLIENT), own), Inbound::Drop(ISATAP_SOURCE_NOT_EMBEDDED));
    assert_eq!(verdict(R2, six(CLIENT), own), Inbound::Drop(ISATAP_SOURCE_NOT_EMBEDDED));
    // The prefix is not on-link: other hosts speak through the router.
    assert_eq!(verdict(OTHER, global(OTHER), own), Inbound::Drop(ISATAP_SOURCE_OFF_LINK));
    assert_eq!(verdict(OTHER, fe80(OTHER), fe80(HOST)), Inbound::Forward);
    assert_eq!(verdict(R1, own, own), Inbound::Drop(ISATAP_LOOP));
    assert_eq!(verdict(R1, six("::"), own), Inbound::Drop(ISATAP_SOURCE_NOT_EMBEDDED));
    assert_eq!(verdict(HOST, six(CLIENT), own), Inbound::Drop(ISATAP_OUTER_UNUSABLE));
    // Nothing is taken that the kernel could send on.
    assert_eq!(verdict(R1, six(CLIENT), six("2001:db8::1")), Inbound::Drop(ISATAP_NOT_FOR_US));
    assert_eq!(verdict(R1, six(CLIENT), six("ff02::1")), Inbound::Drop(ISATAP_MULTICAST));
    let twin = isatap::address(own, Form::Global, HOST);
    assert_eq!(verdict(R1, six(CLIENT), twin), Inbound::Drop(ISATAP_IDENTIFIER_TWIN));
}

#[test]
fn hosts_of_an_on_link_prefix_are_reached_directly() {
    let mut host = host(T0, &[R1]);
    advertise(&mut host, T0, R1, &lease(true, vec![]));
    assert_eq!(host.encapsulate(T0, &data(global(HOST), global(OTHER))), Ok(OTHER));
    assert_eq!(host.decapsulate(T0, OTHER, HOST, &data(global(OTHER), global(HOST))), Inbound::Forward);
    let unreachable = |reason| Err(Refused { reason, refusal: Some(Refusal::AddressUnreachable) });
    assert_eq!(send(&mut host, T0, "fd6a:7e00:cafe:2::dead"), unreachable(ISATAP_NEXT_HOP_NONE));
    assert_eq!(
        send(&mut host, T0, "fd6a:7e00:cafe:2:0:5efe:255.255.255.255"),
        unreachable(ISATAP_NEXT_HOP_NONE)
    );
    assert_eq!(send(&mut host, T0, "fd6a:7e00:cafe:2:200:5efe:10.6.8.20"), unreachable(ISATAP_LOOP));
    assert_eq!(send(&mut host, T0, "fd99:1::5efe:10.6.8.20"), unreachable(ISATAP_LOOP));
}

#[test]
fn hosts_of_a_prefix_that_is_not_on_link_are_reached_through_a_route_or_not_at_all() {
    let mut host = host(T0, &[R1]);
    advertise(&mut host, T0, R1, &usual());
    assert_eq!(host.encapsulate(T0, &data(global(HOST), global(OTHER))), NO_ROUTE);
    // The router itself needs no route.
    assert_eq!(host.encapsulate(T0, &data(global(HOST), global(R1))), Ok(R1));
    let own = route("fd6a:7e00:cafe:2::/64", Preference::Medium, 3600);
    advertise(&mut host, T0, R1, &lease(false, vec![own]));
    assert_eq!(host.encapsulate(T0, &data(global(HOST), global(OTHER))), Ok(R1));
}

#[test]
fn a_foreign_source_is_refused_because_no_router_would_take_it() {
    let mut host = host(T0, &[R1]);
    advertise(&mut host, T0, R1, &usual());
    let refused = Refused { reason: ISATAP_SOURCE_NOT_EMBEDDED, refusal: Some(Refusal::SourcePolicy) };
    assert_eq!(host.encapsulate(T0, &data(six("fd00::1"), six(CLIENT))), Err(refused));
    let silent = Refused { reason: ISATAP_MULTICAST, refusal: None };
    assert_eq!(host.encapsulate(T0, &data(fe80(HOST), six("ff02::16"))), Err(silent));
}

#[test]
fn the_longest_prefix_decides_then_the_preference_then_the_order_of_the_list() {
    let mut host = host(T0, &[R1, R2]);
    advertise(&mut host, T0, R1, &lease(false, vec![route("fd6a:7e00:cafe::/48", Preference::High, 600)]));
    assert_eq!(send(&mut host, T0, CLIENT), Ok(R1));
    advertise(&mut host, T0, R2, &lease(false, vec![route(CLIENTS, Preference::Low, 600)]));
    assert_eq!(send(&mut host, T0, CLIENT), Ok(R2));
    assert_eq!(send(&mut host, T0, "fd6a:7e00:cafe:9::1"), Ok(R1));
    advertise(&mut host, T0, R1, &lease(false, vec![route(CLIENTS, Preference::Medium, 600)]));
    assert_eq!(send(&mut host, T0, CLIENT), Ok(R1));
    advertise(&mut host, T0, R2, &lease(false, vec![route(CLIENTS, Preference::Medium, 600)]));
    assert_eq!(send(&mut host, T0, CLIENT), Ok(R1));
    advertise(&mut host, T0, R2, &lease(false, vec![route(CLIENTS, Preference::High, 600)]));
    assert_eq!(send(&mut host, T0, CLIENT), Ok(R2));
}

#[test]
fn a_router_that_stops_answering_is_left_for_another_before_tcp_gives_up_hope() {
    let mut host = host(T0, &[R1, R2]);
    advertise(&mut host, T0, R1, &usual());
    advertise(&mut host, T0, R2, &usual());
    drain(&mut host);
    events(&mut host);
    let start = T0 + secs(5);
    assert_eq!(send(&mut host, start, CLIENT), Ok(R1));
    let mut now = start;
    let mut asked = 0;
    while send(&mut host, now, CLIENT) == Ok(R1) {
        now = host.next_timeout();
        assert!(now <= start + Duration::from_millis(1200));
        host.handle_timeout(now);
        let sent = kinds(&mut host);
        asked += sent.iter().filter(|s| **s == (R1, Kind::NeighbourSolicitation)).count();
        if sent.contains(&(R2, Kind::NeighbourSolicitation)) {
            confirm(&mut host, now, R2);
        }
    }
    assert_eq!((asked, send(&mut host, now, CLIENT)), (3, Ok(R2)));
    let told = events(&mut host);
    let clients: Ipv6Prefix = CLIENTS.parse().unwrap();
    // One route takes the place of the other: there is no moment without.
    assert!(
        told.iter()
            .any(|e| matches!(e, HostEvent::RouteAdded { prefix, router: R2, .. } if *prefix == clients))
    );
    assert!(!told.iter().any(|e| matches!(e, HostEvent::RouteRemoved { .. })));
    while host.routers()[0].state != RouterState::Unreachable {
        now = host.next_timeout();
        assert!(now <= start + secs(4));
        host.handle_timeout(now);
        confirm(&mut host, now, R2);
    }
    // It comes back with its next advertisement.
    advertise(&mut host, now, R1, &usual());
    assert_eq!(send(&mut host, now, CLIENT), Ok(R1));
}

#[test]
fn without_any_router_that_answers_everything_fails_at_once() {
    let mut host = host(T0, &[R1]);
    advertise(&mut host, T0, R1, &usual());
    events(&mut host);
    let mut now = T0;
    while host.routers()[0].state == RouterState::Reachable {
        now = host.next_timeout();
        assert!(now < T0 + secs(60));
        host.handle_timeout(now);
    }
    assert_eq!(send(&mut host, now, CLIENT), NO_ROUTE);
    let told = events(&mut host);
    assert!(told.contains(&HostEvent::RouteRemoved { prefix: CLIENTS.parse().unwrap(), next_hop: fe80(R1) }));
    // The address stays for the connections that are open, and the router is looked for at once.
    assert!(!told.iter().any(|e| matches!(e, HostEvent::AddressRemoved { .. })));
    assert!(kinds(&mut host).contains(&(R1, Kind::RouterSolicitation)));
}

#[test]
fn packets_from_the_router_allay_suspicion_but_the_idle_probe_still_comes() {
    let mut host = host(T0, &[R1]);
    advertise(&mut host, T0, R1, &usual());
    drain(&mut host);
    for n in 0..29 {
        let now = T0 + secs(n);
        assert_eq!(send(&mut host, now, CLIENT), Ok(R1));
        assert_eq!(host.decapsulate(now, R1, HOST, &data(six(CLIENT), global(HOST))), Inbound::Forward);
        host.handle_timeout(now);
        assert!(kinds(&mut host).is_empty());
    }
    host.handle_timeout(T0 + secs(30));
    assert_eq!(kinds(&mut host), [(R1, Kind::NeighbourSolicitation)]);
    assert_eq!(confirm(&mut host, T0 + secs(30), R1), Inbound::Consumed);
    host.handle_timeout(T0 + secs(59));
    assert!(kinds(&mut host).is_empty());
}

#[test]
fn a_withdrawal_takes_the_routes_and_deprecates_the_address() {
    let mut host = host(T0, &[R1]);
    advertise(&mut host, T0, R1, &usual());
    events(&mut host);
    let mut gone = usual();
    gone.routes[0].lifetime = 0;
    (gone.prefixes[0].preferred, gone.prefixes[0].valid) = (0, 7200);
    advertise(&mut host, T0, R1, &gone);
    let prefix = "fd6a:7e00:cafe:2::/64".parse().unwrap();
    assert_eq!(
        events(&mut host),
        [
            HostEvent::AddressAdded { address: global(HOST), prefix, lifetimes: lives(T0, 0, 7200) },
            HostEvent::RouteRemoved { prefix: CLIENTS.parse().unwrap(), next_hop: fe80(R1) },
            HostEvent::RouterChanged { router: R1, state: RouterState::Withdrawn },
        ]
    );
    assert_eq!(host.routers()[0].reason, Some(ISATAP_ROUTER_WITHDRAWN));
    assert_eq!(send(&mut host, T0, CLIENT), NO_ROUTE);
    // It is asked again after MinRouterSolicitInterval.
    drain(&mut host);
    host.handle_timeout(T0 + secs(119));
    assert!(!kinds(&mut host).contains(&(R1, Kind::RouterSolicitation)));
    host.handle_timeout(T0 + secs(120));
    assert!(kinds(&mut host).contains(&(R1, Kind::RouterSolicitation)));
}

#[test]
fn a_router_that_leaves_the_list_takes_what_it_offered_along() {
    let mut host = host(T0, &[R1, R2]);
    advertise(&mut host, T0, R1, &usual());
    events(&mut host);
    host.set_routers(T0, &[R2]);
    let told = events(&mut host);
    assert!(told.iter().any(|e| matches!(e, HostEvent::RouteRemoved { .. })));
    assert!(told.iter().any(|e| matches!(e, HostEvent::AddressRemoved { .. })));
    assert_eq!(host.routers().len(), 1);
    // What the list may not hold is left out: ourselves, doubles, nobody.
    host.set_routers(T0, &[HOST, R1, R1, Ipv4Addr::BROADCAST, Ipv4Addr::new(10, 6, 8, 255)]);
    assert_eq!(host.routers().len(), 1);
    let many: Vec<_> = (0..100).map(|n| Ipv4Addr::new(10, 7, 0, n + 1)).collect();
    host.set_routers(T0, &many);
    assert_eq!(host.routers().len(), MOST_ROUTERS);
}

#[test]
fn the_smallest_mtu_of_the_routers_counts_within_bounds() {
    let mut host = host(T0, &[R1, R2]);
    advertise(&mut host, T0, R1, &Lease { mtu: 1480, ..usual() });
    assert_eq!(host.mtu(), 1480);
    assert!(events(&mut host).contains(&HostEvent::MtuChanged { mtu: 1480 }));
    advertise(&mut host, T0, R2, &Lease { mtu: 1400, ..usual() });
    assert_eq!(host.mtu(), 1400);
    advertise(&mut host, T0, R2, &Lease { mtu: 100, ..usual() });
    assert_eq!(host.mtu(), 1280);
    advertise(&mut host, T0, R1, &Lease { mtu: u32::MAX, ..usual() });
    advertise(&mut host, T0, R2, &Lease { mtu: u32::MAX, ..usual() });
    assert_eq!(host.mtu(), HIGHEST_MTU);
}

#[test]
fn a_neighbour_solicitation_is_answered_as_a_host() {
    let mut host = host(T0, &[R1]);
    drain(&mut host);
    let mut packet = Packet::new();
    assert!(nd::write_neighbour_solicitation(fe80(OTHER), fe80(HOST), fe80(HOST), &mut packet));
    assert_eq!(host.decapsulate(T0, OTHER, HOST, &packet), Inbound::Consumed);
    let answers = drain(&mut host);
    let message = nd::parse_neighbour_advertisement(&Ipv6::parse(answers[0].1.bytes()).unwrap()).unwrap();
    assert_eq!((answers[0].0, message.target, message.router), (OTHER, fe80(HOST), false));
    assert!(nd::write_solicitation(fe80(OTHER), fe80(HOST), &mut packet));
    assert_eq!(host.decapsulate(T0, OTHER, HOST, &packet), Inbound::Drop(ISATAP_ND_INVALID));
}

#[test]
fn a_redirect_changes_nothing_and_is_counted_by_its_name() {
    let mut host = host(T0, &[R1, R2]);
    advertise(&mut host, T0, R1, &usual());
    drain(&mut host);
    let mut to_client = Packet::new();
    assert!(nd::write_redirect(fe80(R1), global(HOST), fe80(R2), six(CLIENT), &mut to_client));
    assert_eq!(host.decapsulate(T0, R1, HOST, &to_client), Inbound::Drop(ISATAP_REDIRECT_IGNORED));
    assert_eq!(host.next_hop(global(HOST), six(CLIENT)), Ok(R1));
    // From anybody else it is no better than any forged packet.
    assert_eq!(host.decapsulate(T0, OTHER, HOST, &to_client), Inbound::Drop(ISATAP_SOURCE_NOT_EMBEDDED));
}

proptest! {
    #[test]
    fn any_bytes_get_a_verdict(bytes in proptest::collection::vec(any::<u8>(), 0..200), outer in any::<u32>()) {
        let mut host = host(T0, &[R1]);
        advertise(&mut host, T0, R1, &usual());
        let packet = Packet::from_slice(&bytes);
        let _ = host.decapsulate(T0, Ipv4Addr::from_bits(outer), HOST, &packet);
        let _ = host.decapsulate(T0, R1, HOST, &packet);
        let _ = host.encapsulate(T0, &packet);
    }

    /// Events are a complete account: whoever applies them has exactly what the host chose, and never a packet's way
    /// without its route. Timers always move forward.
    #[test]
    fn whoever_applies_the_events_has_what_the_host_has(steps in proptest::collection::vec(
        (0..8_u8, 0..200_u64, 0..4_u32, any::<bool>()), 0..60,
    )) {
        let mut host = host(T0, &[R1, R2]);
        let mut now = T0;
        let mut addresses: Vec<(Ipv6Addr, Lifetimes)> = Vec::new();
        let mut routes: Vec<(Ipv6Prefix, Ipv6Addr)> = Vec::new();
        for (what, wait, life, on_link) in steps {
            now = now + secs(wait);
            host.handle_timeout(now);
            let router = if what & 1 == 0 { R1 } else { R2 };
            match what >> 1 {
                0 => {
                    let mut offer = lease(on_link, vec![route(CLIENTS, Preference::Medium, life * 100)]);
                    (offer.prefixes[0].preferred, offer.prefixes[0].valid) = (life * 70, life * 150);
                    advertise(&mut host, now, router, &offer);
                }
                1 => { confirm(&mut host, now, router); }
                2 => { let _ = send(&mut host, now, CLIENT); }
                _ => host.set_routers(now, if on_link { &[R2] } else { &[R1, R2] }),
            }
            drain(&mut host);
            for event in events(&mut host) {
                match event {
                    HostEvent::AddressAdded { address, lifetimes, .. } => {
                        addresses.retain(|a| a.0 != address);
                        addresses.push((address, lifetimes));
                    }
                    HostEvent::AddressRenewed { address, lifetimes, .. } => {
                        let known = addresses.iter_mut().find(|a| a.0 == address).unwrap();
                        prop_assert_eq!(known.1.is_preferred(), lifetimes.is_preferred());
                        known.1 = lifetimes;
                    }
                    HostEvent::AddressRemoved { address, .. } => addresses.retain(|a| a.0 != address),
                    HostEvent::RouteAdded { prefix, next_hop, .. } => {
                        routes.retain(|r| r.0 != prefix);
                        routes.push((prefix, next_hop));
                    }
                    HostEvent::RouteRemoved { prefix, next_hop } => {
                        prop_assert!(routes.contains(&(prefix, next_hop)));
                        routes.retain(|r| r.0 != prefix);
                    }
                    HostEvent::MtuChanged { .. }
                    | HostEvent::HopLimitChanged { .. }
                    | HostEvent::RouterChanged { .. } => {}
                }
            }
            let has: Vec<_> = host.chosen.addresses.iter().map(|a| (a.address, a.lifetimes)).collect();
            prop_assert_eq!(&addresses, &has);
            let has: Vec<_> = host.chosen.routes.iter().map(|r| (r.prefix, r.next_hop)).collect();
            prop_assert_eq!(&routes, &has);
            prop_assert_eq!(send(&mut host, now, CLIENT).is_ok(), !routes.is_empty() && !addresses.is_empty());
            host.handle_timeout(now);
            prop_assert!(host.next_timeout() > now);
        }
    }
}
