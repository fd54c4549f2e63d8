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
    router.decapsulate(T0, HOST, ROUTER, &data(global(HOST), six(CLIENT)));
    drain(&mut router);
    let mut answered = 0;
    for n in 0..50_000 {
        answered += usize::from(solicit(&mut router, T0, forged(n)) == Inbound::Consumed);
        drain(&mut router);
    }
    assert_eq!(answered, 19_999);
    assert_eq!(solicit(&mut router, T0, HOST), Inbound::Consumed);
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
fn whoever_only_solicited_makes_room_and_whoever_uses_the_link_stays() {
    let mut router = site();
    solicit(&mut router, T0, HOST);
    let packet = data(global(HOST), six(CLIENT));
    assert_eq!(router.decapsulate(T0, HOST, ROUTER, &packet), Inbound::Forward);
    for n in 0..5000 {
        assert_eq!(solicit(&mut router, T0, forged(n)), Inbound::Consumed);
        drain(&mut router);
    }
    assert_eq!(router.served(), 1000);
    assert_eq!(router.encapsulate(T0, &data(six(CLIENT), global(HOST))), Ok(HOST));
    // The oldest of the others went.
    assert!(router.encapsulate(T0, &data(six(CLIENT), global(forged(3999)))).is_err());
    assert!(router.encapsulate(T0, &data(six(CLIENT), global(forged(4999)))).is_ok());
}

#[test]
fn a_table_full_of_hosts_that_use_the_link_refuses_by_name_until_one_is_quiet() {
    let mut config = config();
    config.most_hosts = 2;
    let mut router = Router::new(config, [3; 32]);
    for (host, now) in [(HOST, T0), (OTHER, T0 + Duration::from_secs(300))] {
        assert_eq!(solicit(&mut router, now, host), Inbound::Consumed);
        let packet = data(global(host), six(CLIENT));
        assert_eq!(router.decapsulate(now, host, ROUTER, &packet), Inbound::Forward);
    }
    let third = Ipv4Addr::new(10, 6, 8, 22);
    let soon = T0 + Duration::from_secs(599);
    assert_eq!(solicit(&mut router, soon, third), Inbound::Drop(ISATAP_HOST_TABLE_FULL));
    assert_eq!(router.hosts().last().unwrap().reason, Some(ISATAP_HOST_TABLE_FULL));
    assert_eq!(solicit(&mut router, T0 + Duration::from_secs(600), third), Inbound::Consumed);
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
