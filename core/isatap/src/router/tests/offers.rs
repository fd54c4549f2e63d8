//! Hosts of different rules are given different things; nobody uses what another rule gives.

use super::*;

/// What the second rule gives: another prefix, another route, other lifetimes.
fn second() -> Lease {
    Lease {
        prefixes: vec![LeasedPrefix {
            prefix: "fd6a:7e00:cafe:22::/64".parse().unwrap(),
            preferred: 600,
            valid: 1200,
            on_link: false,
        }],
        routes: vec![LeasedRoute {
            prefix: "fd6a:7e00:cafe:11::/64".parse().unwrap(),
            preference: Preference::High,
            lifetime: 300,
        }],
        mtu: 1280,
        ..Lease::default()
    }
}

fn rule(name: &str, prefix: &str, offer: Option<usize>) -> AllowRule {
    AllowRule {
        rule: name.into(),
        origin: "line 7".into(),
        prefixes: vec![prefix.parse().unwrap()],
        offer,
        ..AllowRule::default()
    }
}

/// `HOST` has the offer for all, `OTHER` its own.
fn two_rules() -> RouterConfig {
    RouterConfig {
        offers: vec![second()],
        allow: vec![rule("helpdesk", "10.6.8.20/32", None), rule("admins", "10.6.8.21/32", Some(0))],
        ..config()
    }
}

fn in_second(v4: Ipv4Addr) -> Ipv6Addr {
    isatap::address("fd6a:7e00:cafe:22::".parse().unwrap(), Form::Private, v4)
}

/// What each host is told until nothing more is due, in order.
fn told(router: &mut Router) -> Vec<(Ipv4Addr, Lease)> {
    let mut all = Vec::new();
    loop {
        all.extend(drain(router).into_iter().map(|(to, packet)| (to, advertised(&packet).unwrap())));
        if !router.is_announcing() {
            return all;
        }
        router.handle_timeout(router.next_timeout());
    }
}

#[test]
fn each_host_is_offered_what_its_rule_gives() {
    let mut router = Router::new(two_rules(), [3; 32]);
    solicit(&mut router, T0, HOST);
    solicit(&mut router, T0, OTHER);
    assert_eq!(told(&mut router), [(HOST, lease()), (OTHER, second())]);
    let addresses: Vec<_> = router.addresses().collect();
    assert_eq!(addresses, [global(ROUTER), in_second(ROUTER)]);
    let views = router.hosts();
    assert_eq!((views[0].address, views[1].address), (Some(global(HOST)), Some(in_second(OTHER))));
    assert_eq!((views[1].rule.as_deref(), views[1].origin.as_deref()), (Some("admins"), Some("line 7")));
}

#[test]
fn a_prefix_is_for_the_hosts_of_its_rule_in_both_directions() {
    let mut router = Router::new(two_rules(), [3; 32]);
    solicit(&mut router, T0, HOST);
    solicit(&mut router, T0, OTHER);
    let mut from = |v4: Ipv4Addr, src: Ipv6Addr| router.decapsulate(T0, v4, ROUTER, &data(src, six(CLIENT)));
    assert_eq!(from(HOST, global(HOST)), Inbound::Forward);
    assert_eq!(from(OTHER, in_second(OTHER)), Inbound::Forward);
    assert_eq!(from(HOST, in_second(HOST)), Inbound::Drop(ISATAP_PREFIX_NOT_OF_HOST));
    assert_eq!(from(OTHER, global(OTHER)), Inbound::Drop(ISATAP_PREFIX_NOT_OF_HOST));
    let mut to = |dst: Ipv6Addr| router.encapsulate(T0, &data(six(CLIENT), dst));
    assert_eq!((to(global(HOST)), to(in_second(OTHER))), (Ok(HOST), Ok(OTHER)));
    let foreign = Refused { reason: ISATAP_PREFIX_NOT_OF_HOST, refusal: Some(Refusal::AddressUnreachable) };
    assert_eq!((to(in_second(HOST)), to(global(OTHER))), (Err(foreign), Err(foreign)));
    // Our own addresses are the router's in every prefix.
    assert_eq!(to(in_second(ROUTER)), Err(Refused { reason: ISATAP_LOOP, ..foreign }));
}

#[test]
fn a_host_that_moves_to_another_rule_gives_back_what_it_had() {
    let mut router = Router::new(two_rules(), [3; 32]);
    solicit(&mut router, T0, HOST);
    solicit(&mut router, T0, OTHER);
    drain(&mut router);
    let mut moved = two_rules();
    moved.allow[0].offer = Some(0);
    router.reconfigure(T0, moved);
    // A solicitation in the middle is answered alike.
    solicit(&mut router, T0, HOST);
    let told = told(&mut router);
    let to_host: Vec<_> = told.iter().filter(|(to, _)| *to == HOST).collect();
    assert_eq!(to_host.len(), 4);
    for (_, lease) in to_host {
        assert_eq!((lease.prefixes[0], lease.routes[0]), (second().prefixes[0], second().routes[0]));
        let (old, route) = (&lease.prefixes[1], &lease.routes[1]);
        assert_eq!((old.prefix, old.preferred, old.valid), (super::lease().prefixes[0].prefix, 0, 7200));
        assert_eq!((route.prefix, route.lifetime), (super::lease().routes[0].prefix, 0));
    }
    // Nothing changed for the other one.
    assert!(told.iter().all(|(to, _)| *to == HOST));
    // Afterwards the past is forgotten.
    solicit(&mut router, T0, HOST);
    assert_eq!(super::advertised(&drain(&mut router)[0].1).unwrap(), second());
}

#[test]
fn a_route_that_is_no_longer_offered_is_taken_away() {
    let mut router = router();
    solicit(&mut router, T0, HOST);
    drain(&mut router);
    let mut fewer = config();
    fewer.lease.routes.clear();
    router.reconfigure(T0, fewer);
    let told = told(&mut router);
    assert_eq!(told.len(), 3);
    for (_, lease) in told {
        assert_eq!((lease.routes[0].lifetime, lease.prefixes[0].preferred), (0, 14_400));
    }
}

#[test]
fn a_host_that_is_denied_is_withdrawn_from_and_listed_as_refused() {
    let mut router = router();
    solicit(&mut router, T0, HOST);
    drain(&mut router);
    let mut denied = config();
    denied.deny = vec!["10.6.8.20/32".parse().unwrap()];
    router.reconfigure(T0, denied);
    let view = &router.hosts()[0];
    assert_eq!((view.state, view.reason), (HostState::Leaving, Some(ISATAP_HOST_DENIED)));
    let packet = data(global(HOST), six(CLIENT));
    assert_eq!(router.decapsulate(T0, HOST, ROUTER, &packet), Inbound::Drop(ISATAP_HOST_DENIED));
    let told = told(&mut router);
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|(_, lease)| (lease.routes[0].lifetime, lease.prefixes[0].preferred) == (0, 0)));
    let views = router.hosts();
    assert_eq!(
        (views.len(), views[0].state, views[0].reason, views[0].first_rs),
        (1, HostState::Refused, Some(ISATAP_HOST_DENIED), Some(T0))
    );
    assert_eq!(solicit(&mut router, T0, HOST), Inbound::Drop(ISATAP_HOST_DENIED));
    // Allowed again, it is told so without asking, and served as before.
    router.reconfigure(T0, config());
    let again = self::told(&mut router);
    assert_eq!(again, [(HOST, lease())]);
    assert_eq!((router.hosts()[0].state, router.hosts()[0].first_rs), (HostState::Served, Some(T0)));
}

#[test]
fn a_host_that_may_stay_after_all_is_told_so() {
    let mut router = router();
    solicit(&mut router, T0, HOST);
    drain(&mut router);
    let mut denied = config();
    denied.deny = vec!["10.6.8.20/32".parse().unwrap()];
    router.reconfigure(T0, denied);
    // The first of three withdrawals is out.
    assert_eq!(advertised(&drain(&mut router)[0].1).unwrap().prefixes[0].preferred, 0);
    router.reconfigure(T0, config());
    // As often as the withdrawal had still to be said.
    assert_eq!(self::told(&mut router), [(HOST, lease()), (HOST, lease())]);
}

#[test]
fn a_host_that_asked_before_it_was_allowed_is_told_when_it_is() {
    let mut router = router();
    let asked = isatap::link_local(Form::Global, ROUTER);
    let packet = solicitation(fe80(STRANGER), asked);
    assert_eq!(router.decapsulate(T0, STRANGER, ROUTER, &packet), Inbound::Drop(ISATAP_HOST_NOT_ALLOWED));
    // One that only sent data did not ask for anything.
    let silent = Ipv4Addr::new(10, 6, 9, 10);
    router.decapsulate(T0, silent, ROUTER, &data(global(silent), six(CLIENT)));
    let mut more = config();
    more.allow[0].prefixes.push("10.6.9.0/24".parse().unwrap());
    router.reconfigure(T0, more);
    let answers = drain(&mut router);
    assert_eq!(answers.len(), 1);
    let ip = Ipv6::parse(answers[0].1.bytes()).unwrap();
    assert_eq!((answers[0].0, ip.src(), ip.dst()), (STRANGER, asked, fe80(STRANGER)));
    assert_eq!(advertised(&answers[0].1).unwrap(), lease());
}

#[test]
fn a_change_is_told_to_those_whom_it_is_about() {
    let mut config = config();
    config.allow[0].prefixes = vec!["10.0.0.0/8".parse().unwrap()];
    let mut router = Router::new(config.clone(), [3; 32]);
    for n in 0..200 {
        solicit(&mut router, T0, Ipv4Addr::new(10, 7, 0, n));
        drain(&mut router);
    }
    config.deny = vec!["10.7.0.9/32".parse().unwrap()];
    router.reconfigure(T0, config.clone());
    let about = told(&mut router);
    assert_eq!(about.len(), 3);
    assert!(about.iter().all(|(to, _)| *to == Ipv4Addr::new(10, 7, 0, 9)));
    // What all advertisements say is for all.
    config.options.parameters.hop_limit = 32;
    router.reconfigure(T0, config);
    assert_eq!(told(&mut router).len(), 199);
}

#[test]
fn a_walk_that_replaces_another_says_what_that_had_to_say() {
    let mut config = config();
    config.allow[0].prefixes = vec!["10.0.0.0/8".parse().unwrap()];
    let mut router = Router::new(config.clone(), [3; 32]);
    let remembered = |n| RememberedHost {
        ipv4: Ipv4Addr::new(10, 7, 0, n),
        form: Form::Private,
        router_form: Form::Private,
        first_rs: None,
        last_rs: None,
        flows_started: 0,
        last_flow: None,
        rx_bytes: 0,
        tx_bytes: 0,
    };
    let all: Vec<_> = (1..=200).map(remembered).collect();
    router.remember(T0, &all);
    // Before all of them know that their router is back, another configuration comes that is about nobody.
    router.reconfigure(T0, config);
    let mut told: Vec<_> = told(&mut router).into_iter().map(|(to, _)| to).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 200);
}
