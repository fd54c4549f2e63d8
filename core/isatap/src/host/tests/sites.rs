//! Two sites at once: each with routers, a prefix and routes of its own.

use super::*;

/// The router of another site, and what it gives.
const FAR: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const FAR_CLIENTS: &str = "fdbb::/64";
const FAR_CLIENT: &str = "fdbb::7";
/// What both sites lead to.
const SHARED: &str = "fdcc::/64";
const SHARED_HOST: &str = "fdcc::7";

fn far_address() -> Ipv6Addr {
    isatap::address(six("fdaa:2::"), Form::Private, HOST)
}

fn far(routes: Vec<LeasedRoute>) -> Lease {
    let prefix = "fdaa:2::/64".parse().unwrap();
    let prefixes = vec![LeasedPrefix { prefix, preferred: 14_400, valid: 86_400, on_link: false }];
    Lease { prefixes, routes, mtu: 1280, ..Lease::default() }
}

fn from(host: &mut Host, src: Ipv6Addr, dst: &str) -> Result<Ipv4Addr, Refused> {
    host.encapsulate(T0, &data(src, six(dst)))
}

fn sources(events: &[HostEvent]) -> Vec<(Ipv6Prefix, Ipv4Addr, Option<Ipv6Addr>)> {
    let route = |e: &HostEvent| match *e {
        HostEvent::RouteAdded { prefix, router, source, .. } => Some((prefix, router, source)),
        HostEvent::AddressAdded { .. }
        | HostEvent::AddressRenewed { .. }
        | HostEvent::AddressRemoved { .. }
        | HostEvent::RouteRemoved { .. }
        | HostEvent::MtuChanged { .. }
        | HostEvent::HopLimitChanged { .. }
        | HostEvent::RouterChanged { .. } => None,
    };
    events.iter().filter_map(route).collect()
}

const OF_ANOTHER: Result<Ipv4Addr, Refused> =
    Err(Refused { reason: ISATAP_SOURCE_OF_ANOTHER, refusal: Some(Refusal::SourcePolicy) });

#[test]
fn each_route_has_the_source_that_its_own_router_gave() {
    let mut host = host(T0, &[R1, FAR]);
    advertise(&mut host, T0, R1, &usual());
    advertise(&mut host, T0, FAR, &far(vec![route(FAR_CLIENTS, Preference::Medium, 3600)]));
    assert_eq!(
        sources(&events(&mut host)),
        [
            (CLIENTS.parse().unwrap(), R1, Some(global(HOST))),
            (FAR_CLIENTS.parse().unwrap(), FAR, Some(far_address())),
        ]
    );
    assert_eq!(from(&mut host, global(HOST), CLIENT), Ok(R1));
    assert_eq!(from(&mut host, far_address(), FAR_CLIENT), Ok(FAR));
    // A program that insists on the wrong one is told at once: the router would drop it without a word.
    assert_eq!(from(&mut host, far_address(), CLIENT), OF_ANOTHER);
    assert_eq!(from(&mut host, global(HOST), FAR_CLIENT), OF_ANOTHER);
    assert_eq!(host.routers()[1].addresses, [far_address()]);
}

#[test]
fn where_both_sites_lead_the_source_names_the_router() {
    let mut host = host(T0, &[R1, FAR]);
    let mut near = usual();
    near.routes.push(route(SHARED, Preference::Medium, 3600));
    advertise(&mut host, T0, R1, &near);
    advertise(&mut host, T0, FAR, &far(vec![route(SHARED, Preference::High, 3600)]));
    // New connections take the preferred router, and open ones stay with theirs.
    let told = sources(&events(&mut host));
    assert_eq!(told.last(), Some(&(SHARED.parse().unwrap(), FAR, Some(far_address()))));
    assert_eq!(from(&mut host, far_address(), SHARED_HOST), Ok(FAR));
    assert_eq!(from(&mut host, global(HOST), SHARED_HOST), Ok(R1));
    // With the far router gone new connections come from the near site's address; the far address leads nowhere.
    host.set_routers(T0, &[R1]);
    assert_eq!(sources(&events(&mut host)).last(), Some(&(SHARED.parse().unwrap(), R1, Some(global(HOST)))));
    assert_eq!(from(&mut host, global(HOST), SHARED_HOST), Ok(R1));
}

#[test]
fn new_connections_avoid_a_router_whose_address_runs_out() {
    let mut host = host(T0, &[R1, FAR]);
    let mut near = usual();
    near.routes.push(route(SHARED, Preference::High, 3600));
    advertise(&mut host, T0, R1, &near);
    advertise(&mut host, T0, FAR, &far(vec![route(SHARED, Preference::Low, 3600)]));
    events(&mut host);
    near.prefixes[0].preferred = 0;
    advertise(&mut host, T0, R1, &near);
    assert_eq!(
        sources(&events(&mut host)).last(),
        Some(&(SHARED.parse().unwrap(), FAR, Some(far_address())))
    );
    // What is open goes on by the way it came.
    assert_eq!(from(&mut host, global(HOST), SHARED_HOST), Ok(R1));
    assert_eq!(from(&mut host, global(HOST), CLIENT), Ok(R1));
}

#[test]
fn a_router_without_a_prefix_takes_what_has_no_better_way() {
    let mut host = host(T0, &[R1, R2]);
    advertise(&mut host, T0, R1, &usual());
    let routes = vec![route(CLIENTS, Preference::High, 3600), route(SHARED, Preference::Medium, 3600)];
    advertise(&mut host, T0, R2, &Lease { routes, mtu: 1280, ..Lease::default() });
    assert_eq!(from(&mut host, global(HOST), CLIENT), Ok(R1));
    assert_eq!(from(&mut host, global(HOST), SHARED_HOST), Ok(R2));
    assert_eq!(host.routers()[1].reason, Some(ISATAP_NO_PREFIX));
    assert_eq!(host.routers()[1].state, RouterState::Reachable);
}

#[test]
fn a_longer_route_of_another_site_does_not_take_what_is_not_its_own() {
    let mut host = host(T0, &[R1, FAR]);
    advertise(&mut host, T0, R1, &lease(false, vec![route("fdcc::/32", Preference::Medium, 3600)]));
    advertise(&mut host, T0, FAR, &far(vec![route(SHARED, Preference::Medium, 3600)]));
    assert_eq!(from(&mut host, far_address(), SHARED_HOST), Ok(FAR));
    assert_eq!(from(&mut host, global(HOST), SHARED_HOST), Ok(R1));
    assert_eq!(from(&mut host, far_address(), "fdcc:0:9::1"), OF_ANOTHER);
}

#[test]
fn two_routers_of_one_prefix_let_its_address_live_as_long_as_the_longer_of_them() {
    let mut host = host(T0, &[R1, R2]);
    advertise(&mut host, T0, R1, &usual());
    let mut longer = usual();
    (longer.prefixes[0].preferred, longer.prefixes[0].valid) = (20_000, 90_000);
    advertise(&mut host, T0, R2, &longer);
    let prefix = "fd6a:7e00:cafe:2::/64".parse().unwrap();
    let renewed =
        HostEvent::AddressRenewed { address: global(HOST), prefix, lifetimes: lives(T0, 20_000, 90_000) };
    assert!(events(&mut host).contains(&renewed));
}

#[test]
fn why_a_router_is_of_no_use_has_a_reason_each() {
    let mut host = host(T0, &[R1, R2, FAR]);
    let mut brief = usual();
    brief.routes[0].lifetime = 40;
    (brief.prefixes[0].preferred, brief.prefixes[0].valid) = (40, 40);
    advertise(&mut host, T0, R1, &brief);
    advertise(&mut host, T0, FAR, &far(vec![]));
    let mut now = T0;
    while now < T0 + secs(100) {
        now = host.next_timeout();
        host.handle_timeout(now);
        for (asked, kind) in kinds(&mut host) {
            // Both answer probes, and R1 answers no solicitation any more.
            if kind == Kind::NeighbourSolicitation {
                confirm(&mut host, now, asked);
            }
        }
    }
    let reasons: Vec<_> = host.routers().iter().map(|r| r.reason).collect();
    assert_eq!(reasons, [Some(ISATAP_OFFER_ENDED), Some(ISATAP_ROUTER_SILENT), Some(ISATAP_NO_ROUTE)]);
    assert_eq!(host.routers()[2].since, T0);
}
