//! What a flood does, and what it does not: limits of messages, of the table of hosts, of the list of refused ones, of the log.

use super::*;

fn site() -> Router {
    let mut config = config();
    config.allow[0].prefixes = vec!["10.0.0.0/8".parse().unwrap()];
    Router::new(config, [3; 32])
}

/// Forged sources of the allowed network, in turn.
fn forged(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a07_0000 + n)
}

#[test]
fn a_host_is_answered_twenty_times_at_once_then_ten_times_a_second() {
    let mut router = router();
    let mut answers = |now: Instant| {
        let limited =
            (0..200).filter(|_| solicit(&mut router, now, HOST) == Inbound::Drop(ISATAP_RS_LIMITED)).count();
        assert_eq!(drain(&mut router).len(), 200 - limited);
        200 - limited
    };
    assert_eq!(answers(T0), 20);
    assert_eq!(answers(T0 + Duration::from_secs(1)), 10);
}

/// A second of 100,000 forged solicitations from allowed addresses, each from another one: a host that the router knows and one
/// that it does not know are answered at once, whenever they ask.
#[test]
fn a_newcomer_and_a_known_host_are_answered_in_the_midst_of_forged_solicitations() {
    let mut router = site();
    solicit(&mut router, T0, HOST);
    drain(&mut router);
    for n in 0..100_000_u32 {
        let now = T0 + Duration::from_micros(u64::from(n) * 10);
        solicit(&mut router, now, forged(n));
        drain(&mut router);
        if n % 9000 == 0 {
            let newcomer = Ipv4Addr::from_bits(HOST.to_bits() + 1 + n / 9000);
            for host in [HOST, newcomer] {
                assert_eq!(solicit(&mut router, now, host), Inbound::Consumed, "{host} after {n}");
                let answers = drain(&mut router);
                assert_eq!((answers.len(), answers[0].0), (1, host));
            }
        }
    }
    assert_eq!(router.served(), 1000);
}

#[test]
fn newcomers_are_limited_together_and_known_hosts_are_not_touched_by_that() {
    let mut router = site();
    solicit(&mut router, T0, HOST);
    prove(&mut router, T0, HOST);
    let now = T0 + Duration::from_secs(5);
    let mut answered = 0;
    for n in 0..50_000 {
        answered += usize::from(solicit(&mut router, now, forged(n)) == Inbound::Consumed);
        drain(&mut router);
    }
    assert_eq!(answered, 20_000);
    assert_eq!(solicit(&mut router, now, HOST), Inbound::Consumed);
}

#[test]
fn forged_newcomers_of_our_own_link_do_not_fill_the_kernels_table_of_stations() {
    let mut router = site();
    router.set_near(vec!["10.7.0.0/16".parse().unwrap()]);
    let answered = |router: &mut Router, now, first| {
        let consumed = |n: &u32| solicit(router, now, forged(*n)) == Inbound::Consumed;
        (first..first + 5000).filter(consumed).count()
    };
    assert_eq!(answered(&mut router, T0, 0), 200);
    // A link of 254 addresses is answered within a second, whoever forges them.
    assert_eq!(answered(&mut router, T0 + Duration::from_secs(1), 5000), 100);
    drain(&mut router);
    // Hosts behind other routers are not touched by that, nor is one that is known.
    assert_eq!(solicit(&mut router, T0, HOST), Inbound::Consumed);
    assert_eq!(solicit(&mut router, T0, forged(0)), Inbound::Consumed);
}

#[test]
fn while_packets_come_too_fast_known_hosts_come_first() {
    let mut router = site();
    solicit(&mut router, T0, HOST);
    router.set_pressed(true);
    let answered = (0..5000).filter(|n| solicit(&mut router, T0, forged(*n)) == Inbound::Consumed).count();
    assert_eq!(answered, 200);
    assert_eq!(solicit(&mut router, T0, HOST), Inbound::Consumed);
    router.set_pressed(false);
    drain(&mut router);
    assert_eq!(solicit(&mut router, T0, OTHER), Inbound::Consumed);
}

#[test]
fn whoever_only_solicited_makes_room_and_whoever_answered_stays() {
    let mut router = site();
    solicit(&mut router, T0, HOST);
    prove(&mut router, T0, HOST);
    let now = T0 + Duration::from_secs(5);
    for n in 0..5000 {
        assert_eq!(solicit(&mut router, now, forged(n)), Inbound::Consumed);
        drain(&mut router);
    }
    assert_eq!(router.served(), 1000);
    assert_eq!(router.encapsulate(now, &data(six(CLIENT), global(HOST))), Ok(HOST));
    // The oldest of the others went.
    assert!(router.encapsulate(now, &data(six(CLIENT), global(forged(3999)))).is_err());
    assert!(router.encapsulate(now, &data(six(CLIENT), global(forged(4999)))).is_ok());
}

/// A packet as whoever forges sources sends it: data for a client or for us, a question for our address, an answer.
fn forgery(kind: u8, from: Ipv4Addr) -> Packet {
    let us = fe80(ROUTER);
    match kind {
        0 => data(global(from), six(CLIENT)),
        1 => data(fe80(from), us),
        2 => {
            let mut packet = Packet::new();
            assert!(nd::write_neighbour_solicitation(fe80(from), us, us, &mut packet));
            packet
        }
        _ => answer(from),
    }
}

#[test]
fn unknown_senders_of_data_pings_and_questions_meet_the_limit_of_those_that_solicit() {
    for kind in 0..3 {
        let mut router = site();
        let mut verdicts = (0..50_000).map(|n| {
            let verdict = router.decapsulate(T0, forged(n), ROUTER, &forgery(kind, forged(n)));
            drain(&mut router);
            verdict
        });
        let limited = Inbound::Drop(ISATAP_RS_LIMITED);
        assert_eq!(verdicts.by_ref().take_while(|verdict| *verdict != limited).count(), 20_000, "{kind}");
        assert!(verdicts.all(|verdict| verdict == limited));
        // Addresses of our own links: the kernel would look for the station of each.
        let mut router = site();
        router.set_near(vec!["10.7.0.0/16".parse().unwrap()]);
        let taken =
            |n: &u32| router.decapsulate(T0, forged(*n), ROUTER, &forgery(kind, forged(*n))) != limited;
        assert_eq!((0..5000).filter(taken).count(), 200, "{kind}");
    }
}

#[test]
fn a_source_that_its_rule_does_not_give_brings_nobody_into_the_table() {
    let mut config = config();
    config.offers = vec![Lease::default()];
    config.allow[0].offer = Some(0);
    let mut router = Router::new(config, [3; 32]);
    let verdict = router.decapsulate(T0, HOST, ROUTER, &data(global(HOST), six(CLIENT)));
    assert_eq!(verdict, Inbound::Drop(ISATAP_PREFIX_NOT_OF_HOST));
    assert!(router.hosts().is_empty() && router.poll_event().is_none());
}

/// 65,536 allowed sources, each forged once: a host that has proven itself is served all the while, and once it is over a newcomer is.
#[test]
fn forged_data_neither_evicts_a_proven_host_nor_locks_a_newcomer_out() {
    let mut router = site();
    solicit(&mut router, T0, HOST);
    prove(&mut router, T0, HOST);
    let begun = T0 + Duration::from_secs(5);
    let mut now = begun;
    for n in 0..65_536 {
        now = begun + Duration::from_micros(u64::from(n) * 10);
        let forged = forged(n);
        assert_eq!(router.decapsulate(now, forged, ROUTER, &forgery(0, forged)), Inbound::Forward);
        // What is forged may be allowed to open a flow, and its answer that nobody asked for follows at once.
        router.flow_started(now, forged);
        router.decapsulate(now, forged, ROUTER, &forgery(3, forged));
        if n % 5000 == 0 {
            assert_eq!(router.encapsulate(now, &data(six(CLIENT), global(HOST))), Ok(HOST), "{n}");
        }
    }
    assert_eq!(router.served(), 1000);
    assert_eq!(router.encapsulate(now, &data(six(CLIENT), global(HOST))), Ok(HOST));
    assert_eq!(solicit(&mut router, now, OTHER), Inbound::Consumed);
    let third = Ipv4Addr::new(10, 6, 8, 22);
    assert_eq!(router.decapsulate(now, third, ROUTER, &forgery(0, third)), Inbound::Forward);
}

proptest! {
    #[test]
    fn whatever_is_forged_a_proven_host_stays_and_a_newcomer_is_answered_after_it(
        forgeries in proptest::collection::vec((0_u8..4, 0_u32..65_536, 0_u64..200), 0..400),
        asked in proptest::bool::ANY,
    ) {
        let mut config = config();
        config.allow[0].prefixes = vec!["10.0.0.0/8".parse().unwrap()];
        config.most_hosts = 8;
        let mut router = Router::new(config, [3; 32]);
        solicit(&mut router, T0, HOST);
        prove(&mut router, T0, HOST);
        let mut now = T0 + Duration::from_secs(5);
        for (kind, n, pause) in forgeries {
            now = now + Duration::from_micros(pause);
            router.decapsulate(now, forged(n), ROUTER, &forgery(kind, forged(n)));
            if asked {
                // A client answers what was forged.
                let _ = router.encapsulate(now, &data(six(CLIENT), global(forged(n))));
            }
            drain(&mut router);
            prop_assert_eq!(router.encapsulate(now, &data(six(CLIENT), global(HOST))), Ok(HOST));
        }
        prop_assert_eq!(solicit(&mut router, now + Duration::from_secs(1), OTHER), Inbound::Consumed);
    }
}

#[test]
fn a_table_full_of_hosts_that_answered_refuses_by_name_until_one_is_quiet() {
    let mut config = config();
    config.most_hosts = 2;
    let mut router = Router::new(config, [3; 32]);
    for (host, now) in [(HOST, T0), (OTHER, T0 + Duration::from_secs(300))] {
        assert_eq!(solicit(&mut router, now, host), Inbound::Consumed);
        prove(&mut router, now, host);
    }
    let third = Ipv4Addr::new(10, 6, 8, 22);
    let soon = T0 + Duration::from_secs(604);
    assert_eq!(solicit(&mut router, soon, third), Inbound::Drop(ISATAP_HOST_TABLE_FULL));
    assert_eq!(router.hosts().last().unwrap().reason, Some(ISATAP_HOST_TABLE_FULL));
    assert_eq!(solicit(&mut router, T0 + Duration::from_secs(605), third), Inbound::Consumed);
    assert_eq!(router.hosts().iter().map(|host| host.ipv4).collect::<Vec<_>>(), [OTHER, third]);
}

#[test]
fn a_host_that_was_silent_as_long_as_its_address_is_valid_is_forgotten() {
    let mut router = router();
    solicit(&mut router, T0, HOST);
    let heard = T0 + Duration::from_secs(1000);
    router.decapsulate(heard, HOST, ROUTER, &data(global(HOST), six(CLIENT)));
    let end = heard + Duration::from_secs(86_400);
    router.handle_timeout(end - Duration::from_secs(1));
    assert_eq!(router.served(), 1);
    router.handle_timeout(end);
    assert_eq!(router.served(), 0);
}

#[test]
fn refused_hosts_are_bounded_and_the_oldest_makes_room() {
    let mut router = router();
    for n in 0..5000_u32 {
        solicit(&mut router, T0, Ipv4Addr::from_bits(0x0b00_0001 + n));
    }
    let views = router.hosts();
    assert_eq!(views.len(), 1024);
    assert_eq!(views[0].ipv4, Ipv4Addr::from_bits(0x0b00_0001 + 5000 - 1024));
}

#[test]
fn a_sweep_of_addresses_leaves_the_log_readable() {
    let mut router = site();
    let mut lines = 0;
    for n in 0..5000 {
        solicit(&mut router, T0, forged(n));
        solicit(&mut router, T0, Ipv4Addr::from_bits(0x0b00_0001 + n));
        drain(&mut router);
        while router.poll_event().is_some() {
            lines += 1;
        }
    }
    assert_eq!(lines, 400);
}
