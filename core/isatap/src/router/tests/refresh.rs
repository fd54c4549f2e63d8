//! Advertisements that nobody asked for, to hosts that did not ask in time.

use super::*;

/// When advertisements go out until `end`, in seconds after the start, with what the host does in between.
fn told(router: &mut Router, end: u64, mut asks: impl FnMut(u64) -> bool) -> Vec<u64> {
    let mut times = Vec::new();
    for second in 0..end {
        let now = T0 + Duration::from_secs(second);
        while router.next_timeout() <= now {
            router.handle_timeout(router.next_timeout());
        }
        if asks(second) {
            assert_eq!(solicit(router, now, HOST), Inbound::Consumed);
            drain(router);
        }
        times.extend(drain(router).iter().map(|(to, packet)| {
            assert_eq!((*to, advertised(packet).unwrap()), (HOST, lease()));
            second
        }));
    }
    times
}

#[test]
fn a_host_that_asks_no_more_is_told_before_its_routes_end() {
    let mut router = router();
    let times = told(&mut router, 12_000, |second| second == 0);
    // The route lasts an hour; nine tenths of it are 3240 s, and walks are 180 s apart.
    let mut last = 0;
    for time in &times {
        assert!((3060..=3240).contains(&(time - last)), "{times:?}");
        last = *time;
    }
    assert_eq!(times.len(), 3);
}

#[test]
fn a_host_that_asks_in_time_is_told_nothing_beside() {
    let mut router = router();
    assert_eq!(told(&mut router, 12_000, |second| second % 2880 == 0), []);
}

#[test]
fn a_host_that_is_silent_for_good_is_told_until_it_is_forgotten() {
    let mut config = config();
    config.lease.prefixes[0].valid = 14_400;
    let mut router = Router::new(config, [3; 32]);
    solicit(&mut router, T0, HOST);
    drain(&mut router);
    let mut last = T0;
    while router.next_timeout() < Instant::NEVER {
        let now = router.next_timeout();
        router.handle_timeout(now);
        if !drain(&mut router).is_empty() {
            last = now;
        }
    }
    assert_eq!(router.served(), 0);
    assert!(last.since(T0) > Duration::from_secs(10_000) && last.since(T0) < Duration::from_secs(14_400));
}

#[test]
fn many_hosts_are_told_a_batch_at_a_time_and_renewal_can_be_turned_off() {
    for renew in [true, false] {
        let mut config = config();
        config.allow[0].prefixes = vec!["10.0.0.0/8".parse().unwrap()];
        config.options.renew = renew;
        let mut router = Router::new(config, [3; 32]);
        for n in 0..1000 {
            solicit(&mut router, T0, Ipv4Addr::from_bits(0x0a07_0000 + n));
            drain(&mut router);
        }
        let mut told = 0;
        while router.next_timeout() < T0 + Duration::from_secs(3600) {
            router.handle_timeout(router.next_timeout());
            let batch = drain(&mut router).len();
            assert!(batch <= 64);
            told += batch;
        }
        assert_eq!(told, if renew { 1000 } else { 0 });
    }
}

#[test]
fn an_advertisement_has_the_parameters_of_the_configuration() {
    let mut config = config();
    config.options.parameters = sixgate_wire::nd::Parameters {
        hop_limit: 32,
        reachable_time: 45_000,
        retrans_timer: 2000,
        preference: Preference::Low,
    };
    for (lifetime, flags) in [(0, 0), (1800, 0x18)] {
        config.lease.router_lifetime = lifetime;
        let mut router = Router::new(config.clone(), [3; 32]);
        solicit(&mut router, T0, HOST);
        let packet = drain(&mut router).remove(0).1;
        let message = &packet.bytes()[ipv6::HEADER..];
        assert_eq!((message[4], message[5]), (32, flags));
        assert_eq!(message[8..16], [0, 0, 0xaf, 0xc8, 0, 0, 0x07, 0xd0]);
        assert_eq!(advertised(&packet).unwrap().router_lifetime, lifetime);
    }
}
