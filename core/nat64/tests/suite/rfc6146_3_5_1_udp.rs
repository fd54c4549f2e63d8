//! UDP sessions (RFC 6146, section 3.5.1).

use sixgate_nat64::{Config, Inside, Outside, Proto, StaticBinding};
use sixgate_reason as reason;

use crate::support::*;

#[test]
fn a_datagram_goes_out_from_the_pool_and_its_answer_comes_back() {
    let mut lab = Lab::new(config());
    let out = lab.out(udp6(client(), 5000, embed(SERVER), 53, b"question"));
    let ip = view4(&out);
    assert_eq!((ip.src(), ip.dst(), ip.ttl(), ip.tos()), (POOL, SERVER, 63, 0xba));
    let (outside, to) = ports(transport4(&out));
    assert_eq!(to, 53);
    let back = lab.back(udp4(SERVER, 53, POOL, outside, b"answer"));
    let ip = view6(&back);
    assert_eq!((ip.src(), ip.dst(), ip.hop_limit(), ip.traffic_class()), (embed(SERVER), client(), 63, 0xb9));
    assert_eq!(ip.flow_label(), 0);
    assert_eq!(ports(transport6(&back)), (53, 5000));
    assert_eq!(&transport6(&back)[8..], b"answer");
}

#[test]
fn one_inside_has_one_outside_for_all_destinations() {
    let mut lab = Lab::new(config());
    let first = lab.open_udp(5000, SERVER);
    assert_eq!(lab.open_udp(5000, OTHER), first);
    assert_ne!(lab.open_udp(5001, SERVER), first);
    assert_eq!(lab.nat.bib().count(), 2);
    assert_eq!(lab.nat.session_count(), 3);
}

#[test]
fn without_filtering_anybody_may_use_an_open_binding() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let back = lab.back(udp4(OTHER, 9, POOL, outside, b"hello"));
    assert_eq!(view6(&back).src(), embed(OTHER));
    assert_eq!(lab.nat.session_count(), 2);
}

#[test]
fn with_filtering_the_address_decides_and_the_port_does_not() {
    let mut lab = Lab::new(filtering());
    let outside = lab.open_udp(5000, SERVER);
    lab.back(udp4(SERVER, 999, POOL, outside, b"from another port"));
    assert_eq!(lab.back_dropped(udp4(OTHER, 53, POOL, outside, b"stranger")), reason::NAT64_FILTERED);
    // RFC 6146, section 3.5.1.2: communication administratively prohibited.
    assert_eq!(icmp(&lab.drain_one()), (3, 13, 0));
}

#[test]
fn a_binding_lives_until_its_last_session_and_then_the_port_is_free() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    lab.wait_secs(200);
    lab.open_udp(5000, OTHER);
    lab.wait_secs(200);
    lab.nat.handle_timeout(lab.now);
    assert_eq!((lab.nat.bib().count(), lab.nat.session_count()), (1, 1));
    lab.wait_secs(100);
    lab.nat.handle_timeout(lab.now);
    assert_eq!((lab.nat.bib().count(), lab.nat.session_count()), (0, 0));
    assert_eq!(lab.nat.next_timeout(), sixgate_time::Instant::NEVER);
    assert_eq!(lab.nat.pools().map(|p| p.used).sum::<u64>(), 0);
    assert_eq!(lab.back_dropped(udp4(SERVER, 53, POOL, outside, b"late")), reason::NAT64_NO_BINDING);
    assert_eq!(icmp(&lab.drain_one()), (3, 1, 0));
}

#[test]
fn a_session_ends_on_time_even_if_nobody_calls_for_it() {
    let mut lab = Lab::new(filtering());
    let outside = lab.open_udp(5000, SERVER);
    lab.wait_secs(299);
    lab.back(udp4(SERVER, 53, POOL, outside, b"in time"));
    lab.wait_secs(300);
    assert_eq!(lab.back_dropped(udp4(SERVER, 53, POOL, outside, b"too late")), reason::NAT64_NO_BINDING);
}

#[test]
fn expired_session_gets_a_new_port() {
    let mut lab = Lab::new(config());
    let first = lab.open_udp(5000, SERVER);
    lab.wait_secs(301);
    // Of 32,256 ports of the same parity and half; the seed is fixed, so this is not chance.
    assert_ne!(lab.open_udp(5000, SERVER), first);
    assert_eq!(lab.nat.session_count(), 1);
}

#[test]
fn a_static_binding_is_open_from_the_start_and_does_not_end() {
    let inside = Inside { address: client(), port: 443 };
    let outside = Outside { address: POOL, port: 8443 };
    let statics = vec![StaticBinding { protocol: Proto::Udp, outside, inside }];
    let mut lab = Lab::new(Config { statics, ..filtering() });
    let back = lab.back(udp4(SERVER, 7, POOL, 8443, b"hello"));
    assert_eq!(ports(transport6(&back)), (7, 443));
    let out = lab.out(udp6(client(), 443, embed(SERVER), 7, b"hello yourself"));
    assert_eq!(ports(transport4(&out)), (8443, 7));
    lab.wait_secs(1000);
    lab.nat.handle_timeout(lab.now);
    assert_eq!(lab.nat.session_count(), 0);
    assert!(lab.nat.bib().all(|b| b.is_static && b.inside == inside));
    lab.back(udp4(OTHER, 7, POOL, 8443, b"hello"));
}

#[test]
fn a_port_that_is_not_in_the_pool_gets_no_answer() {
    let mut settings = config();
    settings.pool[0].ports = 1000..=2000;
    let mut lab = Lab::new(settings);
    assert_eq!(lab.back_dropped(udp4(SERVER, 53, POOL, 999, b"")), reason::NAT64_NO_BINDING);
    assert_eq!(lab.back_dropped(tcp4(SERVER, 53, POOL, 2001, 2)), reason::NAT64_NO_BINDING);
    assert!(lab.drain().is_empty());
    assert_eq!(lab.back_dropped(udp4(SERVER, 53, OTHER, 1500, b"")), reason::NAT64_NOT_OURS);
}
