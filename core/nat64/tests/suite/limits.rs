//! What happens when something is full (RFC 6146, sections 3.5.1.1 and 5.3; RFC 6888).

use sixgate_nat64::{Config, PoolEntry};
use sixgate_reason as reason;
use sixgate_wire::tcp::SYN;

use crate::support::*;

#[test]
fn an_exhausted_pool_is_told_with_address_unreachable() {
    let pool =
        vec![PoolEntry { protocol: None, addresses: "192.0.2.2/32".parse().unwrap(), ports: 2000..=2009 }];
    let mut lab = Lab::new(Config { pool, ..config() });
    for port in 0..10 {
        lab.out(udp6(client(), port, embed(SERVER), 53, b""));
    }
    assert_eq!(lab.out_dropped(udp6(client(), 99, embed(SERVER), 53, b"")), reason::NAT64_POOL_EXHAUSTED);
    let error = lab.drain_one();
    assert_eq!(icmp(&error), (1, 3, 0));
    assert_eq!(view6(&error).src(), gateway6());
    // Sessions that exist are not touched, other protocols have ports of their own, and time gives ports back.
    lab.out(udp6(client(), 5, embed(OTHER), 53, b""));
    lab.out(tcp6(client(), 99, embed(SERVER), 53, SYN));
    lab.wait_secs(300);
    lab.out(udp6(client(), 99, embed(SERVER), 53, b""));
}

#[test]
fn one_client_has_only_its_share() {
    let mut lab = Lab::new(Config { max_sessions_per_client: 5, ..config() });
    for port in 0..5 {
        lab.out(udp6(client(), port, embed(SERVER), 53, b""));
    }
    assert_eq!(lab.out_dropped(tcp6(client(), 9, embed(SERVER), 53, SYN)), reason::NAT64_CLIENT_LIMIT);
    assert_eq!(icmp(&lab.drain_one()), (1, 3, 0));
    assert_eq!(lab.out_dropped(udp6(client(), 0, embed(OTHER), 53, b"")), reason::NAT64_CLIENT_LIMIT);
    lab.out(udp6(client(), 4, embed(SERVER), 53, b""));
    lab.out(udp6(neighbour(), 4, embed(SERVER), 53, b""));
    lab.wait_secs(300);
    lab.out(udp6(client(), 0, embed(OTHER), 53, b""));
}

#[test]
fn the_table_of_sessions_has_a_size() {
    let mut lab = Lab::new(Config { max_sessions: 20, ..config() });
    for port in 0..20 {
        lab.out(udp6(client(), port, embed(SERVER), 53, b""));
    }
    assert_eq!(lab.out_dropped(udp6(client(), 99, embed(SERVER), 53, b"")), reason::NAT64_SESSION_LIMIT);
    let outside = lab.nat.bib().next().unwrap().outside.port;
    assert_eq!(lab.back_dropped(udp4(OTHER, 1, POOL, outside, b"")), reason::NAT64_SESSION_LIMIT);
    assert_eq!((lab.nat.session_count(), lab.nat.bib().count()), (20, 20));
}

#[test]
fn errors_have_a_rate() {
    let mut lab = Lab::new(Config { errors_per_second: 10, ..config() });
    for _ in 0..100 {
        lab.out_dropped(tcp6(client(), 9, embed(SERVER), 53, 16));
        lab.back_dropped(udp4(SERVER, 1, POOL, 999, b""));
    }
    assert_eq!(lab.drain().len(), 20);
    lab.wait_secs(1);
    for _ in 0..100 {
        lab.out_dropped(tcp6(client(), 9, embed(SERVER), 53, 16));
    }
    assert_eq!(lab.drain().len(), 10);
}

#[test]
fn a_flood_of_syns_from_outside_is_answered_at_once_when_nothing_more_can_be_held() {
    let mut lab = Lab::new(config());
    for port in 1..=16 {
        lab.back_dropped(tcp4(SERVER, port, POOL, 2000, SYN));
    }
    assert!(lab.drain().is_empty());
    assert_eq!(lab.back_dropped(tcp4(SERVER, 17, POOL, 2000, SYN)), reason::NAT64_SYN_HELD);
    assert_eq!(icmp(&lab.drain_one()), (3, 3, 0));
    assert_eq!((lab.nat.session_count(), lab.nat.bib().count()), (0, 0));
}
