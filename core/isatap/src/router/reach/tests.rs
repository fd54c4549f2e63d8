//! The machine as a table, then what the router does with it.

use std::fmt::Write as _;
use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;
use sixgate_reason::ISATAP_HOST_UNREACHABLE;
use sixgate_wire::Packet;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd::{self, Kind, NeighbourAdvertisement};
use sixgate_wire::refusal::Refusal;

use super::super::tests::{CLIENT, HOST, OTHER, ROUTER, T0, data, drain, fe80, global, router, six, solicit};
use super::*;
use crate::verdict::{Inbound, Refused};

const EVENTS: [Event; 5] = [Event::Sent, Event::Heard, Event::Answered, Event::PathFailed, Event::Timeout];

fn at(state: State, heard: bool) -> Reach {
    Reach { state, due: T0 + Duration::from_secs(1), heard }
}

/// Every state against every event, as the picture at the top of the file and RFC 4861, appendix C have it.
#[test]
fn every_state_against_every_event() {
    let probe = |asked| State::Probe { asked };
    let rows = [
        ("stale", at(State::Stale, false)),
        ("reachable", at(State::Reachable, false)),
        ("delay", at(State::Delay, false)),
        ("probe 1", at(probe(1), false)),
        ("probe 3", at(probe(3), false)),
        ("probe 3, heard", at(probe(3), true)),
        ("unreachable", at(State::Unreachable, false)),
    ];
    let mut table = String::new();
    for (name, reach) in rows {
        for event in EVENTS {
            let mut after = reach;
            let step = after.on(T0, event);
            writeln!(table, "{name:>14} {event:?} -> {:?}, {step:?}", after.state).unwrap();
        }
    }
    assert_eq!(table, include_str!("../reach.table"), "\n{table}");
}

fn sent(router: &mut super::super::Router, now: Instant) -> Result<Ipv4Addr, Refused> {
    router.encapsulate(now, &data(six(CLIENT), global(HOST)))
}

/// The neighbour solicitations that wait to be sent.
fn questions(router: &mut super::super::Router) -> Vec<Packet> {
    let is_question = |packet: &Packet| {
        Kind::of(&Ipv6::parse(packet.bytes()).unwrap()) == Some(Kind::NeighbourSolicitation)
    };
    drain(router).into_iter().map(|(_, packet)| packet).filter(is_question).collect()
}

fn answer(solicited: bool) -> Packet {
    let mut out = Packet::new();
    let message = NeighbourAdvertisement { target: fe80(HOST), router: false, solicited, replace: false };
    assert!(nd::write_neighbour_advertisement(fe80(HOST), fe80(ROUTER), &message, &mut out));
    out
}

fn run_to(router: &mut super::super::Router, end: Instant) -> usize {
    let mut asked = 0;
    while router.next_timeout() <= end {
        router.handle_timeout(router.next_timeout());
        asked += questions(router).len();
    }
    asked
}

#[test]
fn a_host_that_answers_is_asked_once_in_half_a_minute_of_traffic() {
    let mut router = router();
    solicit(&mut router, T0, HOST);
    drain(&mut router);
    assert_eq!(sent(&mut router, T0), Ok(HOST));
    let asked_at = T0 + DELAY_FIRST_PROBE_TIME;
    router.handle_timeout(asked_at - Duration::from_millis(1));
    assert!(questions(&mut router).is_empty());
    router.handle_timeout(asked_at);
    let questions = questions(&mut router);
    let ip = Ipv6::parse(questions[0].bytes()).unwrap();
    assert_eq!((ip.src(), ip.dst(), ip.hop_limit()), (fe80(ROUTER), fe80(HOST), 255));
    assert_eq!(nd::parse_neighbour_solicitation(&ip).unwrap().target, fe80(HOST));
    assert_eq!(router.decapsulate(asked_at, HOST, ROUTER, &answer(true)), Inbound::Consumed);
    for second in 0..30 {
        assert_eq!(sent(&mut router, asked_at + Duration::from_secs(second)), Ok(HOST));
    }
    assert_eq!(run_to(&mut router, asked_at + Duration::from_secs(34)), 0);
    assert_eq!(sent(&mut router, asked_at + Duration::from_secs(34)), Ok(HOST));
    assert_eq!(run_to(&mut router, asked_at + Duration::from_secs(39)), 1);
}

#[test]
fn a_host_that_is_gone_is_refused_after_eight_seconds_and_taken_back_when_it_answers_or_is_heard() {
    for back in [answer(true), data(global(HOST), six(CLIENT))] {
        let mut router = router();
        solicit(&mut router, T0, HOST);
        drain(&mut router);
        assert_eq!(sent(&mut router, T0), Ok(HOST));
        assert_eq!(run_to(&mut router, T0 + Duration::from_millis(7999)), 3);
        assert_eq!(sent(&mut router, T0 + Duration::from_millis(7999)), Ok(HOST));
        assert_eq!(run_to(&mut router, T0 + Duration::from_secs(8)), 0);
        let refused = Refused { reason: ISATAP_HOST_UNREACHABLE, refusal: Some(Refusal::AddressUnreachable) };
        for n in 0..20 {
            let now = T0 + Duration::from_millis(8000 + n * 100);
            assert_eq!(sent(&mut router, now), Err(refused));
        }
        // Asked once a second as long as somebody wants it.
        assert_eq!(questions(&mut router).len(), 2);
        assert_eq!(router.hosts()[0].reason, Some(ISATAP_HOST_UNREACHABLE));
        let now = T0 + Duration::from_secs(11);
        router.decapsulate(now, HOST, ROUTER, &back);
        assert_eq!(sent(&mut router, now), Ok(HOST));
        assert_eq!(router.hosts()[0].reason, None);
    }
}

#[test]
fn a_host_that_sends_but_does_not_answer_is_not_given_up() {
    let mut router = router();
    solicit(&mut router, T0, HOST);
    drain(&mut router);
    for second in 0..60 {
        let now = T0 + Duration::from_secs(second);
        router.handle_timeout(now);
        assert_eq!(sent(&mut router, now), Ok(HOST));
        router.decapsulate(now, HOST, ROUTER, &data(global(HOST), six(CLIENT)));
    }
}

#[test]
fn an_answer_that_nobody_asked_for_or_that_speaks_for_another_proves_nothing() {
    let mut router = router();
    for host in [HOST, OTHER] {
        solicit(&mut router, T0, host);
    }
    drain(&mut router);
    assert_eq!(router.decapsulate(T0, HOST, ROUTER, &answer(true)), Inbound::Consumed);
    assert_eq!(sent(&mut router, T0), Ok(HOST));
    router.handle_timeout(T0 + Duration::from_secs(5));
    assert_eq!(questions(&mut router).len(), 1);
    let mut of_another = Packet::new();
    let message =
        NeighbourAdvertisement { target: fe80(HOST), router: false, solicited: true, replace: false };
    assert!(nd::write_neighbour_advertisement(fe80(OTHER), fe80(ROUTER), &message, &mut of_another));
    router.decapsulate(T0 + Duration::from_secs(5), OTHER, ROUTER, &of_another);
    router.decapsulate(T0 + Duration::from_secs(5), HOST, ROUTER, &answer(false));
    assert_eq!(run_to(&mut router, T0 + Duration::from_secs(7)), 2);
}

#[test]
fn probing_can_be_turned_off() {
    let mut config = super::super::tests::config();
    config.options.probe_hosts = false;
    let mut router = super::super::Router::new(config, [3; 32]);
    solicit(&mut router, T0, HOST);
    drain(&mut router);
    assert_eq!(sent(&mut router, T0), Ok(HOST));
    assert_eq!(run_to(&mut router, T0 + Duration::from_secs(60)), 0);
    assert_eq!(sent(&mut router, T0 + Duration::from_secs(60)), Ok(HOST));
}

fn event() -> impl Strategy<Value = (Event, u64)> {
    (proptest::sample::select(EVENTS.to_vec()), 0_u64..40_000)
}

proptest! {
    /// Whatever happens: a host that is heard or answers can be sent to, and only three questions without a sign of life give it up.
    #[test]
    fn only_silence_makes_a_host_unreachable(events in proptest::collection::vec(event(), 0..200)) {
        let (mut reach, mut now, mut asked_in_vain) = (Reach::NEW, T0, 0);
        for (event, wait) in events {
            now = now + Duration::from_millis(wait);
            let was = reach.is_unreachable();
            let step = reach.on(now, event);
            match event {
                Event::Heard | Event::Answered => asked_in_vain = 0,
                Event::Sent | Event::PathFailed | Event::Timeout => {}
            }
            asked_in_vain += u32::from(step == Step::Ask);
            if reach.is_unreachable() && !was {
                prop_assert_eq!(event, Event::Timeout);
                prop_assert!(asked_in_vain >= 3 || asked_in_vain == 0 && !reach.heard);
            }
            if matches!(event, Event::Heard | Event::Answered) {
                prop_assert!(!reach.is_unreachable());
            }
        }
    }
}
