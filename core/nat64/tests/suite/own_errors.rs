//! Errors that the translator makes: never about what must not be answered (RFC 1122, section 3.2.2; RFC 4443, 2.4).

use sixgate_nat64::Config;
use sixgate_wire::{Packet, ipv4, protocol};

use crate::support::*;

#[test]
fn no_error_is_made_about_an_error() {
    let mut lab = Lab::new(config());
    let out = lab.out(udp6(client(), 5000, embed(SERVER), 53, b""));
    let mut error = error4(SERVER, 3, 3, 0, out.bytes());
    let header = sixgate_wire::ipv4::Ipv4::parse(error.bytes()).unwrap();
    let expired = four_with(protocol::ICMP, SERVER, POOL, header.payload(), |h| ipv4::Header { ttl: 1, ..h });
    lab.back_dropped(expired);
    let back = lab.back(udp4(SERVER, 53, POOL, ports(transport4(&out)).0, b""));
    error = error6(client(), 1, 4, 0, back.bytes());
    error.bytes_mut()[7] = 1;
    lab.out_dropped(error);
    assert!(lab.drain().is_empty());
}

#[test]
fn an_expired_echo_request_is_answered_so_that_traceroute_works() {
    let mut lab = Lab::new(config());
    let mut ping = echo6(128, client(), embed(SERVER), 77);
    ping.bytes_mut()[7] = 1;
    lab.out_dropped(ping.clone());
    let error = lab.drain_one();
    assert_eq!((icmp(&error), quoted(&error)), ((3, 0, 0), ping.bytes()));
}

#[test]
fn without_addresses_of_our_own_the_one_that_was_written_to_answers() {
    let unset = Config::default();
    let mut lab = Lab::new(Config { gateway4: unset.gateway4, gateway6: unset.gateway6, ..config() });
    lab.out_dropped(tcp6(client(), 9, embed(SERVER), 53, 16));
    assert_eq!(view6(&lab.drain_one()).src(), embed(SERVER));
    lab.back_dropped(udp4(SERVER, 1, POOL, 999, b""));
    assert_eq!(view4(&lab.drain_one()).src(), POOL);
}

#[test]
fn every_header_octet_of_our_ipv4_errors_adds_up() {
    let mut lab = Lab::new(config());
    lab.back_dropped(udp4(SERVER, 1, POOL, 999, &[3; 600]));
    let error = lab.drain_one();
    let ip = view4(&error);
    assert_eq!((error.len(), ip.ttl(), ip.dont_fragment(), ip.src()), (576, 64, false, GATEWAY4));
    // RFC 1812, section 4.3.2.5: precedence "internetwork control".
    assert_eq!(ip.tos(), 0xc0);
    transport4(&error);
}

#[test]
fn octets_behind_the_packet_are_not_quoted() {
    let mut lab = Lab::new(config());
    let denied = udp6(client(), 1, embed("127.0.0.1".parse().unwrap()), 2, b"question");
    lab.out_dropped(Packet::from_slice(&[denied.bytes(), &[0xee; 30]].concat()));
    assert_eq!(quoted(&lab.drain_one()), denied.bytes());
    let expired = four_with(protocol::UDP, SERVER, POOL, &[0; 8], |h| ipv4::Header { ttl: 1, ..h });
    lab.back_dropped(Packet::from_slice(&[expired.bytes(), &[0xee; 30]].concat()));
    assert_eq!(quoted(&lab.drain_one()), expired.bytes());
}
