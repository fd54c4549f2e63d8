extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use sixgate_wire::lease::{LeasedRoute, Preference};
use sixgate_wire::nd::{parse_advertisement, write_solicitation};

use super::*;

fn offer() -> Lease {
    Lease {
        routes: vec![LeasedRoute {
            prefix: "fd6a:7e00:cafe:1::/64".parse().unwrap(),
            preference: Preference::Medium,
            lifetime: 1800,
        }],
        ..Lease::default()
    }
}

fn advertiser(seed: u64) -> Advertiser {
    let config = Config {
        source: "fe80::1".parse().unwrap(),
        offer: offer(),
        longest_interval: Duration::from_secs(600),
    };
    Advertiser::new(config, seed, Instant::ZERO)
}

fn solicitation(src: &str) -> Packet {
    let mut packet = Packet::new();
    assert!(write_solicitation(src.parse().unwrap(), ALL_ROUTERS, &mut packet));
    packet
}

fn ask(advertiser: &mut Advertiser, now: Instant, packet: &Packet) -> Result<(), Reason> {
    advertiser.solicited(now, &Ipv6::parse(packet.bytes()).unwrap())
}

/// Sends everything that is due until `end`, and gives when.
fn run(advertiser: &mut Advertiser, end: Instant) -> Vec<Instant> {
    let (mut out, mut times) = (Packet::new(), Vec::new());
    while advertiser.next_timeout() <= end {
        let now = advertiser.next_timeout();
        assert!(advertiser.poll_transmit(now, &mut out));
        times.push(now);
    }
    times
}

#[test]
fn the_advertisement_has_the_routes_and_no_default_route() {
    let mut advertiser = advertiser(1);
    let mut out = Packet::new();
    assert!(advertiser.poll_transmit(Instant::ZERO, &mut out));
    let ip = Ipv6::parse(out.bytes()).unwrap();
    assert_eq!((ip.dst(), ip.hop_limit()), (ALL_NODES, 255));
    let lease = parse_advertisement(&ip).unwrap();
    assert_eq!((lease.router_lifetime, lease.routes), (0, offer().routes));
    assert!(lease.prefixes.is_empty() && lease.mtu == 0, "these are for somebody else to say");
    assert!(!advertiser.poll_transmit(Instant::ZERO, &mut out), "once");
}

#[test]
fn the_first_come_soon_and_the_others_at_intervals() {
    let times = run(&mut advertiser(2), Instant::from_secs(4000));
    let gaps: Vec<Duration> = times.windows(2).map(|w| w[1].since(w[0])).collect();
    assert!(gaps[..3].iter().all(|g| *g <= INITIAL_INTERVAL), "{gaps:?}");
    let later = Duration::from_secs(200)..=Duration::from_secs(600);
    assert!(gaps.len() > 6 && gaps[3..].iter().all(|g| later.contains(g)), "{gaps:?}");
}

#[test]
fn a_solicitation_that_crossed_a_router_is_refused() {
    let mut advertiser = advertiser(3);
    run(&mut advertiser, Instant::from_secs(100));
    let due = advertiser.next_timeout();
    let mut far = solicitation("fe80::8");
    far.bytes_mut()[7] = 254;
    assert_eq!(ask(&mut advertiser, Instant::from_secs(101), &far), Err(sixgate_reason::ND_HOP_LIMIT));
    assert_eq!(advertiser.next_timeout(), due);
}

#[test]
fn at_the_end_the_routes_are_withdrawn_three_times() {
    let mut advertiser = advertiser(4);
    run(&mut advertiser, Instant::from_secs(100));
    let end = Instant::from_secs(101);
    advertiser.shutdown(end);
    advertiser.shutdown(end);
    assert!(!advertiser.is_silent());
    let mut out = Packet::new();
    let mut sent = 0;
    while advertiser.next_timeout() != Instant::NEVER {
        assert!(advertiser.poll_transmit(advertiser.next_timeout(), &mut out));
        let lease = parse_advertisement(&Ipv6::parse(out.bytes()).unwrap()).unwrap();
        assert_eq!(lease.routes[0].lifetime, 0);
        sent += 1;
        // Whoever asks is told the same, not something else.
        assert_eq!(ask(&mut advertiser, end, &solicitation("::")), Ok(()));
    }
    assert_eq!((sent, advertiser.is_silent()), (3, true));
}

proptest! {
    #[test]
    fn floods_get_one_answer_in_three_seconds_and_everybody_gets_one_soon(
        seed: u64,
        asked in prop::collection::vec(1_u64..120_000, 1..200),
    ) {
        let mut advertiser = advertiser(seed);
        let mut asked: Vec<Instant> = asked.into_iter().map(Instant::from_millis).collect();
        asked.sort_unstable();
        let packet = solicitation("fe80::8");
        let mut sent = Vec::new();
        for now in &asked {
            sent.extend(run(&mut advertiser, *now));
            prop_assert_eq!(ask(&mut advertiser, *now, &packet), Ok(()));
        }
        sent.extend(run(&mut advertiser, Instant::from_secs(130)));
        for pair in sent.windows(2) {
            prop_assert!(pair[1].since(pair[0]) >= SHORTEST_PAUSE);
        }
        for now in asked {
            let answer = sent.iter().find(|at| **at >= now).unwrap();
            prop_assert!(answer.since(now) <= SHORTEST_PAUSE + LONGEST_DELAY, "{:?} {:?}", now, answer);
        }
    }
}
