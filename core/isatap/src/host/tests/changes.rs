//! What happens to the machine under the host: it sleeps, other interfaces come and go.

use super::*;

fn with_machine(own: &[Ipv4Addr], ipv4_mtu: u32) -> HostConfig {
    HostConfig { address: HOST, own_addresses: own.to_vec(), broadcasts: vec![], ipv4_mtu }
}

#[test]
fn a_sleep_brings_the_ends_nearer_and_asks_every_router_at_once() {
    let mut host = host(T0, &[R1, R2]);
    advertise(&mut host, T0, R1, &usual());
    advertise(&mut host, T0, R2, &usual());
    drain(&mut host);
    events(&mut host);
    // Ten minutes of work, an hour and a bit of sleep: the routes of an hour are gone, the addresses are not.
    let woke = T0 + secs(600);
    host.slept(woke, secs(3200));
    let prefix = "fd6a:7e00:cafe:2::/64".parse().unwrap();
    let lifetimes = lives(woke, 14_400 - 3800, 86_400 - 3800);
    assert_eq!(
        events(&mut host),
        [
            HostEvent::AddressRenewed { address: global(HOST), prefix, lifetimes },
            HostEvent::RouteRemoved { prefix: CLIENTS.parse().unwrap(), next_hop: fe80(R1) },
        ]
    );
    let asked = kinds(&mut host);
    for router in [R1, R2] {
        assert!(asked.contains(&(router, Kind::RouterSolicitation)), "{asked:?}");
        assert!(asked.contains(&(router, Kind::NeighbourSolicitation)), "{asked:?}");
    }
    advertise(&mut host, woke, R1, &usual());
    assert_eq!(send(&mut host, woke, CLIENT), Ok(R1));
}

#[test]
fn after_a_short_sleep_in_the_same_network_nothing_is_interrupted() {
    let mut host = host(T0, &[R1]);
    advertise(&mut host, T0, R1, &usual());
    events(&mut host);
    host.slept(T0 + secs(1), secs(60));
    assert_eq!(send(&mut host, T0 + secs(1), CLIENT), Ok(R1));
    // In another network nobody answers, and what is tried fails at once.
    let mut now = T0 + secs(1);
    while send(&mut host, now, CLIENT).is_ok() {
        now = host.next_timeout();
        host.handle_timeout(now);
        assert!(now < T0 + secs(5));
    }
}

#[test]
fn what_lasts_for_ever_outlasts_any_sleep() {
    let mut host = host(T0, &[R1]);
    let mut lease = usual();
    (lease.prefixes[0].preferred, lease.prefixes[0].valid) = (u32::MAX, u32::MAX);
    advertise(&mut host, T0, R1, &lease);
    host.slept(T0, secs(1_000_000));
    assert_eq!(
        host.chosen.addresses[0].lifetimes,
        Lifetimes { preferred: Instant::NEVER, valid: Instant::NEVER }
    );
}

#[test]
fn an_address_of_another_interface_costs_nothing_but_a_router_that_is_ourselves() {
    let mut host = host(T0, &[R1, R2]);
    advertise(&mut host, T0, R1, &usual());
    advertise(&mut host, T0, R2, &usual());
    drain(&mut host);
    events(&mut host);
    host.set_machine(T0, &with_machine(&[HOST, OTHER], 1500));
    assert!(events(&mut host).is_empty() && kinds(&mut host).is_empty());
    assert_eq!(send(&mut host, T0, CLIENT), Ok(R1));
    // RFC 6324: nothing is sent to what is our own by now.
    host.set_machine(T0, &with_machine(&[HOST, R1], 1500));
    assert_eq!(send(&mut host, T0, CLIENT), Ok(R2));
    assert_eq!(host.routers().len(), 1);
}

#[test]
fn the_mtu_leaves_room_for_the_outer_header() {
    let mut host = host(T0, &[R1]);
    advertise(&mut host, T0, R1, &Lease { mtu: 1480, ..usual() });
    assert_eq!(host.mtu(), 1480);
    host.set_machine(T0, &with_machine(&[HOST], 1400));
    assert_eq!(host.mtu(), 1380);
    // Below that the kernel fragments the outer packet.
    host.set_machine(T0, &with_machine(&[HOST], 1000));
    assert_eq!(host.mtu(), 1280);
}

fn advertise_with(host: &mut Host, parameters: &nd::Parameters, lease: &Lease) {
    let mut packet = Packet::new();
    assert!(nd::write_advertisement_with(lease, parameters, fe80(R1), fe80(HOST), &mut packet));
    assert_eq!(host.decapsulate(T0, R1, HOST, &packet), Inbound::Consumed);
}

#[test]
fn a_router_says_how_long_to_wait_and_with_which_hop_limit_to_begin() {
    let mut host = host(T0, &[R1]);
    let parameters = nd::Parameters {
        hop_limit: 32,
        reachable_time: 5000,
        retrans_timer: 2000,
        ..nd::Parameters::default()
    };
    advertise_with(&mut host, &parameters, &usual());
    assert!(events(&mut host).contains(&HostEvent::HopLimitChanged { hop_limit: 32 }));
    drain(&mut host);
    assert_eq!(host.next_timeout(), T0 + secs(5));
    host.handle_timeout(T0 + secs(5));
    assert_eq!(kinds(&mut host), [(R1, Kind::NeighbourSolicitation)]);
    assert_eq!(host.next_timeout(), T0 + secs(7));
    // What says nothing changes nothing, and nonsense is brought within bounds.
    let silent = nd::Parameters { hop_limit: 0, ..nd::Parameters::default() };
    advertise_with(&mut host, &silent, &usual());
    assert_eq!(host.next_timeout(), T0 + secs(5));
    advertise_with(&mut host, &nd::Parameters { reachable_time: 1, ..silent }, &usual());
    assert_eq!(host.next_timeout(), T0 + secs(1));
    assert!(!events(&mut host).iter().any(|e| matches!(e, HostEvent::HopLimitChanged { .. })));
}

#[test]
fn the_default_route_has_the_preference_of_the_header() {
    let mut host = host(T0, &[R1]);
    let parameters = nd::Parameters { preference: Preference::High, ..nd::Parameters::default() };
    advertise_with(&mut host, &parameters, &Lease { router_lifetime: 600, ..usual() });
    let everywhere = "::/0".parse().unwrap();
    assert!(events(&mut host).iter().any(|e| matches!(
        e,
        HostEvent::RouteAdded { prefix, preference: Preference::High, .. } if *prefix == everywhere
    )));
}
