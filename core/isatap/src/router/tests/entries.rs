//! What the router knows of a host, and what happens to it: the other half of RFC 5214, section 8.2 that is not in the RFC.
//!
//! ```text
//!                  asks or sends, not allowed            asks or sends, allowed          answers
//!   +---------+ ---------------------------> +---------+ ------------+ +--------+ ----------------> +--------+
//!   | unknown |                              | refused |             +>| served |                   | proven |
//!   +---------+ <--- others need the room -- +---------+             +>+--------+                   +--------+
//!     ^  ^  |                                     ^                  |   |    |                      |   |
//!     |  |  +-------------------------------------|------------------+   |    | not allowed any more |   |
//!     |  |                                        |  told three times  +---------+                   |   |
//!     |  |                                        +------------------- | leaving | <-----------------+   |
//!     |  +-- silent as long as its address lives, or others need the room (served only) ---+----------+   |
//! ```

use std::fmt::Write as _;
use std::string::String;

use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd::Kind;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Event {
    Solicits,
    Sends,
    IsSentTo,
    AsksForUs,
    Advertises,
    IsAllowedNoMore,
    IsAllowedAgain,
    IsSilentForADay,
}

const EVENTS: [Event; 8] = [
    Event::Solicits,
    Event::Sends,
    Event::IsSentTo,
    Event::AsksForUs,
    Event::Advertises,
    Event::IsAllowedNoMore,
    Event::IsAllowedAgain,
    Event::IsSilentForADay,
];

fn without_hosts() -> RouterConfig {
    let mut config = config();
    config.allow.clear();
    config
}

fn standing(router: &Router) -> String {
    router.hosts().first().map_or("unknown".into(), |host| std::format!("{:?}", host.state))
}

/// Does what the event says and tells what the router answered.
fn happen(router: &mut Router, event: Event) -> String {
    let mut said = String::new();
    match event {
        Event::Solicits => write!(said, "{:?}", solicit(router, T0, HOST)),
        Event::Sends => {
            let packet = data(global(HOST), six(CLIENT));
            write!(said, "{:?}", router.decapsulate(T0, HOST, ROUTER, &packet))
        }
        Event::IsSentTo => {
            let verdict = router.encapsulate(T0, &data(six(CLIENT), global(HOST)));
            write!(said, "{:?}", verdict.map_err(|refused| refused.reason))
        }
        Event::AsksForUs => {
            let mut packet = Packet::new();
            assert!(nd::write_neighbour_solicitation(fe80(HOST), fe80(ROUTER), fe80(ROUTER), &mut packet));
            write!(said, "{:?}", router.decapsulate(T0, HOST, ROUTER, &packet))
        }
        Event::Advertises => {
            let mut packet = Packet::new();
            assert!(nd::write_advertisement(&lease(), 64, fe80(HOST), fe80(ROUTER), &mut packet));
            write!(said, "{:?}", router.decapsulate(T0, HOST, ROUTER, &packet))
        }
        Event::IsAllowedNoMore => {
            router.reconfigure(T0, without_hosts());
            write!(said, "-")
        }
        Event::IsAllowedAgain => {
            router.reconfigure(T0, config());
            write!(said, "-")
        }
        Event::IsSilentForADay => {
            router.handle_timeout(T0 + Duration::from_secs(86_400));
            write!(said, "-")
        }
    }
    .unwrap();
    for (_, packet) in drain(router) {
        let kind = Kind::of(&Ipv6::parse(packet.bytes()).unwrap()).unwrap();
        let goes = advertised(&packet).is_ok_and(|lease| lease.routes[0].lifetime == 0);
        write!(said, ", {kind:?}{}", if goes { " that withdraws" } else { "" }).unwrap();
    }
    said
}

#[test]
fn every_standing_of_a_host_against_every_event() {
    let prepared = |config: RouterConfig, before: &[Event]| {
        let mut router = Router::new(config, [3; 32]);
        for event in before {
            happen(&mut router, *event);
        }
        router
    };
    let mut table = String::new();
    for (name, allowed, before) in [
        ("unknown", true, &[][..]),
        ("unknown, not allowed", false, &[]),
        ("refused", false, &[Event::Solicits]),
        ("served", true, &[Event::Solicits]),
        ("sends", true, &[Event::Solicits, Event::Sends]),
        ("leaving", true, &[Event::Solicits, Event::Sends, Event::IsAllowedNoMore]),
    ] {
        for event in EVENTS {
            let config = if allowed { config() } else { without_hosts() };
            let mut router = prepared(config, before);
            let said = happen(&mut router, event);
            writeln!(table, "{name:>20} {event:?}: {}, {said}", standing(&router)).unwrap();
        }
    }
    assert_eq!(table, include_str!("entries.table"), "\n{table}");
}
