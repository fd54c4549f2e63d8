//! Settings change while sessions live.

use sixgate_nat64::{Config, Inside, Outside, PoolEntry, Proto, StaticBinding, Timeouts};
use sixgate_reason as reason;
use sixgate_time::Duration;
use sixgate_wire::addr::Prefix64;

use crate::support::*;

fn entry(text: &str) -> PoolEntry {
    PoolEntry { protocol: None, addresses: text.parse().unwrap(), ports: 1..=65_535 }
}

#[test]
fn sessions_stay_when_the_pool_grows_and_end_when_their_address_goes() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    lab.nat.reconfigure(Config { pool: vec![entry("198.51.100.0/28"), entry("192.0.2.2/32")], ..config() });
    lab.back(udp4(SERVER, 53, POOL, outside, b"still there"));
    assert_eq!(lab.nat.pools().map(|p| p.used).sum::<u64>(), 1);
    lab.nat.reconfigure(Config { pool: vec![entry("198.51.100.0/28")], ..config() });
    assert_eq!((lab.nat.session_count(), lab.nat.bib().count()), (0, 0));
    assert_eq!(lab.back_dropped(udp4(SERVER, 53, POOL, outside, b"")), reason::NAT64_NOT_OURS);
    assert_eq!(lab.nat.next_timeout(), sixgate_time::Instant::NEVER);
}

#[test]
fn a_port_in_use_is_not_given_again_after_the_change() {
    let small = PoolEntry { ports: 2000..=2001, ..entry("192.0.2.2/32") };
    let mut lab = Lab::new(Config { pool: vec![small.clone()], ..config() });
    let first = lab.open_udp(5000, SERVER);
    lab.nat.reconfigure(Config { pool: vec![small], ..config() });
    assert_ne!(lab.open_udp(5001, SERVER), first);
    assert_eq!(lab.out_dropped(udp6(client(), 5002, embed(SERVER), 53, b"")), reason::NAT64_POOL_EXHAUSTED);
}

#[test]
fn prefixes_may_change_places_and_go() {
    let other = Prefix64::new("2001:db8:65::/96".parse().unwrap()).unwrap();
    let mut lab = Lab::new(Config { prefixes: vec![prefix(), other], ..config() });
    let outside = ports(transport4(&lab.out(udp6(client(), 1, other.embed(SERVER), 53, b"")))).0;
    lab.nat.reconfigure(Config { prefixes: vec![other, prefix()], ..config() });
    assert_eq!(view6(&lab.back(udp4(SERVER, 53, POOL, outside, b""))).src(), other.embed(SERVER));
    lab.nat.reconfigure(config());
    assert_eq!(lab.nat.session_count(), 0);
}

#[test]
fn static_bindings_come_and_go() {
    let inside = Inside { address: client(), port: 443 };
    let outside = Outside { address: POOL, port: 443 };
    let statics = vec![StaticBinding { protocol: Proto::Udp, outside, inside }];
    let mut lab = Lab::new(config());
    // What a packet bound before gives way.
    lab.out(udp6(client(), 443, embed(SERVER), 53, b""));
    lab.nat.reconfigure(Config { statics: statics.clone(), ..config() });
    assert_eq!(lab.nat.bib().map(|b| (b.outside, b.is_static)).collect::<Vec<_>>(), [(outside, true)]);
    lab.back(udp4(SERVER, 7, POOL, 443, b""));
    lab.nat.reconfigure(Config { statics, ..config() });
    assert_eq!(lab.nat.session_count(), 1);
    lab.nat.reconfigure(config());
    lab.back(udp4(SERVER, 7, POOL, 443, b"the session is still there"));
    lab.wait_secs(300);
    lab.nat.handle_timeout(lab.now);
    assert_eq!(lab.nat.bib().count(), 0);
}

#[test]
fn a_shorter_lifetime_holds_for_sessions_that_exist() {
    let mut lab = Lab::new(config());
    lab.open_udp(5000, SERVER);
    let timeouts = Timeouts { udp: Duration::from_secs(120), ..Timeouts::default() };
    lab.nat.reconfigure(Config { timeouts, ..config() });
    assert_eq!(lab.nat.next_timeout(), lab.now + Duration::from_secs(120));
}
