use std::vec;
use std::vec::Vec;

use sixgate_wire::Packet;
use sixgate_wire::addr::isatap::{Form, link_local};
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::lease::{Lease, LeasedPrefix, LeasedRoute, Preference};
use sixgate_wire::nd;

use super::*;
use crate::retire::Retire;
use crate::verdict::Inbound;
use crate::{AllowRule, HostState, RouterConfig};

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
const USED: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);
const IDLE: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 21);
const LATE: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 22);
const T0: Instant = Instant::from_secs(1000);

fn config(stage: Stage) -> RouterConfig {
    RouterConfig {
        address: ROUTER,
        own_addresses: vec![ROUTER],
        broadcasts: vec![],
        lease: Lease {
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
        },
        peers: vec![],
        offers: vec![],
        deny: vec![],
        allow: vec![AllowRule {
            rule: "all".into(),
            prefixes: vec!["10.6.8.0/24".parse().unwrap()],
            ..AllowRule::default()
        }],
        most_hosts: 100,
        options: crate::RouterOptions::default(),
        retire: Retire { stage, in_use: vec![USED] },
    }
}

fn after(seconds: u64) -> Instant {
    T0 + Duration::from_secs(seconds)
}

/// Who is told what: preferred and valid lifetime of the prefix, lifetime of the route.
fn told(router: &mut Router) -> Vec<(Ipv4Addr, u32, u32, u32)> {
    let (mut out, mut all) = (Packet::new(), Vec::new());
    while let Some(to) = router.poll_output(&mut out) {
        let lease = nd::parse_advertisement(&Ipv6::parse(out.bytes()).unwrap()).unwrap();
        assert_eq!(lease.router_lifetime, 0);
        all.push((to, lease.prefixes[0].preferred, lease.prefixes[0].valid, lease.routes[0].lifetime));
    }
    all
}

fn solicit(router: &mut Router, now: Instant, from: Ipv4Addr) -> Inbound {
    let mut packet = Packet::with_capacity(200);
    let fe80 = |v4| link_local(Form::Private, v4);
    assert!(nd::write_solicitation(fe80(from), fe80(ROUTER), &mut packet));
    router.decapsulate(now, from, ROUTER, &packet)
}

/// A router that serves both hosts, and has told them all it had to.
fn served() -> Router {
    let mut router = Router::new(config(Stage::Serve), [3; 32]);
    for host in [USED, IDLE] {
        assert_eq!(solicit(&mut router, T0, host), Inbound::Consumed);
    }
    told(&mut router);
    router
}

/// Lets the repetitions happen; who was told what.
fn settle(router: &mut Router, now: Instant) -> Vec<(Ipv4Addr, u32, u32, u32)> {
    let mut all = told(router);
    for step in 1..=5 {
        router.handle_timeout(now + Duration::from_millis(200 * step));
        all.extend(told(router));
    }
    assert!(!router.is_announcing());
    all
}

#[test]
fn in_the_quiet_phase_the_used_are_deprecated_and_the_idle_fall_silent() {
    let mut router = served();
    router.reconfigure(after(10), config(Stage::Quiet));
    // Nobody loses anything before somebody has looked for flows.
    assert!(told(&mut router).iter().all(|t| (t.1, t.2, t.3) == (0, 86_400, 3600)));
    router.flows_are_open(after(10), &[]);
    let all = settle(&mut router, after(10));
    assert_eq!(all.iter().filter(|t| **t == (IDLE, 0, 7200, 0)).count(), 3);
    assert!(all.iter().filter(|t| t.0 == USED).all(|t| *t == (USED, 0, 86_400, 3600)));

    // Asked again: the one is told the same, the other nothing.
    assert_eq!(solicit(&mut router, after(60), USED), Inbound::Consumed);
    assert_eq!(told(&mut router), [(USED, 0, 86_400, 3600)]);
    for who in [IDLE, LATE] {
        assert_eq!(solicit(&mut router, after(60), who), Inbound::Drop(ISATAP_RETIRED));
    }
    assert!(told(&mut router).is_empty());
    let standing: Vec<_> = router.retirement().iter().map(|h| (h.ipv4, h.standing)).collect();
    assert_eq!(standing, [(USED, Standing::Deprecated), (IDLE, Standing::Withdrawn)]);
    let idle = router.hosts().into_iter().find(|h| h.ipv4 == IDLE).unwrap();
    assert_eq!((idle.state, idle.address, idle.reason), (HostState::Refused, None, Some(ISATAP_RETIRED)));
}

#[test]
fn a_host_with_an_open_flow_is_never_withdrawn_under_it() {
    let mut router = served();
    router.reconfigure(after(10), config(Stage::Withdraw));
    router.flows_are_open(after(10), &[(USED, 2)]);
    let all = settle(&mut router, after(10));
    assert!(all.iter().filter(|t| t.0 == USED).all(|t| *t == (USED, 0, 7200, 3600)));
    assert!(all.contains(&(IDLE, 0, 7200, 0)));

    // It never asks again, and is told before its two hours or its route end, for as long as the flow is there.
    let mut now = 10;
    let mut last = now;
    while now < 10 + 5 * 86_400 {
        now += 30;
        router.flows_are_open(after(now), &[(USED, 2)]);
        if router.next_timeout() <= after(now) {
            router.handle_timeout(after(now));
        }
        for told in told(&mut router) {
            assert_eq!(told, (USED, 0, 7200, 3600));
            last = now;
        }
        assert!(now - last < 3600, "not told for {} s", now - last);
    }
    router.flows_are_open(after(now), &[]);
    assert!(settle(&mut router, after(now)).contains(&(USED, 0, 7200, 0)));
}

#[test]
fn what_is_left_of_an_address_only_ever_falls() {
    let mut router = served();
    router.reconfigure(after(0), config(Stage::Withdraw));
    router.flows_are_open(after(0), &[]);
    settle(&mut router, after(0));
    for (at, valid) in [(60, 7140), (7000, 200), (7200, 0), (50_000, 0)] {
        assert_eq!(solicit(&mut router, after(at), IDLE), Inbound::Consumed);
        assert_eq!(told(&mut router), [(IDLE, 0, valid, 0)]);
    }
    // Neither does a restart begin it anew.
    let remembered = router.memory_of_hosts();
    let mut again = Router::new(config(Stage::Withdraw), [4; 32]);
    again.remember(after(60_000), &remembered);
    assert!(settle(&mut again, after(60_000)).iter().all(|t| (t.1, t.2, t.3) == (0, 0, 0)));
    // Nor the end of the run.
    router.shutdown(after(60_000));
    assert!(settle(&mut router, after(60_000)).is_empty());
}

#[test]
fn whoever_is_not_known_gets_nothing_new_whatever_it_sends_first() {
    let mut router = served();
    router.reconfigure(after(10), config(Stage::Withdraw));
    router.flows_are_open(after(10), &[]);
    settle(&mut router, after(10));
    let fe80 = |v4| link_local(Form::Private, v4);
    let mut probe = Packet::with_capacity(200);
    assert!(nd::write_neighbour_solicitation(fe80(LATE), fe80(ROUTER), fe80(ROUTER), &mut probe));
    assert_eq!(router.decapsulate(after(20), LATE, ROUTER, &probe), Inbound::Drop(ISATAP_RETIRED));
    assert_eq!(solicit(&mut router, after(21), LATE), Inbound::Drop(ISATAP_RETIRED));
    assert!(told(&mut router).is_empty());
}

#[test]
fn undone_everybody_has_everything_again() {
    for stage in [Stage::Quiet, Stage::Withdraw] {
        let mut router = served();
        router.reconfigure(after(10), config(stage));
        router.flows_are_open(after(10), &[]);
        settle(&mut router, after(10));
        router.reconfigure(after(500), config(Stage::Serve));
        let all = settle(&mut router, after(500));
        for host in [USED, IDLE] {
            assert_eq!(all.iter().filter(|t| **t == (host, 14_400, 86_400, 3600)).count(), 3);
        }
        assert!(router.retirement().iter().all(|h| h.standing == Standing::Offered));
        // Counting flows does nothing to anybody.
        router.flows_are_open(after(510), &[]);
        assert!(settle(&mut router, after(510)).is_empty());
    }
}

#[test]
fn back_in_the_quiet_phase_the_used_are_served_again() {
    let mut router = served();
    router.reconfigure(after(10), config(Stage::Withdraw));
    router.flows_are_open(after(10), &[]);
    settle(&mut router, after(10));
    router.reconfigure(after(20), config(Stage::Quiet));
    router.flows_are_open(after(20), &[]);
    assert!(settle(&mut router, after(20)).contains(&(USED, 0, 86_400, 3600)));
    assert_eq!(router.retirement()[1].standing, Standing::Withdrawn);
}

#[test]
fn whoever_was_heard_last_is_known() {
    let mut router = served();
    assert_eq!(router.last_heard(), Some(T0));
    router.reconfigure(after(10), config(Stage::Withdraw));
    assert_eq!(solicit(&mut router, after(99), LATE), Inbound::Drop(ISATAP_RETIRED));
    assert_eq!(router.last_heard(), Some(after(99)));
}
