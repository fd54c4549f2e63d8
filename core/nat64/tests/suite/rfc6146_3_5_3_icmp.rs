//! ICMP queries (RFC 6146, section 3.5.3; RFC 5508).

use sixgate_nat64::{Config, Inside, Outside, Proto, StaticBinding};
use sixgate_reason as reason;

use crate::support::*;

#[test]
fn an_echo_request_goes_out_with_another_identifier_and_the_reply_comes_back() {
    let mut lab = Lab::new(config());
    let out = lab.out(echo6(128, client(), embed(SERVER), 77));
    let (kind, code, word) = icmp(&out);
    assert_eq!((kind, code, word & 0xffff), (8, 0, 1));
    let outside = (word >> 16) as u16;
    let back = lab.back(echo4(0, SERVER, POOL, outside));
    assert_eq!(icmp(&back), (129, 0, 77 << 16 | 1));
    assert_eq!(view6(&back).src(), embed(SERVER));
    // The same identifier to another host keeps its outside identifier.
    assert_eq!(icmp(&lab.out(echo6(128, client(), embed(OTHER), 77))).2 >> 16, u32::from(outside));
    assert_ne!(icmp(&lab.out(echo6(128, neighbour(), embed(SERVER), 77))).2 >> 16, u32::from(outside));
}

#[test]
fn a_query_is_forgotten_after_a_minute() {
    let mut lab = Lab::new(config());
    let outside = (icmp(&lab.out(echo6(128, client(), embed(SERVER), 77))).2 >> 16) as u16;
    lab.wait_secs(59);
    lab.back(echo4(0, SERVER, POOL, outside));
    lab.wait_secs(60);
    assert_eq!(lab.back_dropped(echo4(0, SERVER, POOL, outside)), reason::NAT64_NO_BINDING);
}

#[test]
fn a_reply_that_answers_nothing_does_not_go_out() {
    let mut lab = Lab::new(config());
    assert_eq!(lab.out_dropped(echo6(129, client(), embed(SERVER), 77)), reason::NAT64_ECHO_UNSOLICITED);
    assert_eq!(lab.nat.bib().count(), 0);
}

fn with_static_echo(inbound_icmp_echo: bool) -> Lab {
    let inside = Inside { address: client(), port: 5 };
    let outside = Outside { address: POOL, port: 500 };
    let statics = vec![StaticBinding { protocol: Proto::Icmp, outside, inside }];
    Lab::new(Config { statics, inbound_icmp_echo, ..config() })
}

#[test]
fn a_request_from_outside_reaches_a_static_binding_and_is_answered() {
    let mut lab = with_static_echo(true);
    assert_eq!(icmp(&lab.back(echo4(8, SERVER, POOL, 500))), (128, 0, 5 << 16 | 1));
    assert_eq!(icmp(&lab.out(echo6(129, client(), embed(SERVER), 5))), (0, 0, 500 << 16 | 1));
}

#[test]
fn requests_from_outside_can_be_turned_off_and_replies_cannot() {
    let mut lab = with_static_echo(false);
    assert_eq!(lab.back_dropped(echo4(8, SERVER, POOL, 500)), reason::NAT64_FILTERED);
    lab.out(echo6(128, client(), embed(SERVER), 5));
    lab.back(echo4(0, SERVER, POOL, 500));
}

#[test]
fn a_damaged_echo_passes_and_stays_damaged() {
    let mut lab = Lab::new(config());
    let mut packet = echo6(128, client(), embed(SERVER), 77);
    packet.bytes_mut()[50] ^= 0x40;
    let out = lab.out(packet);
    assert_ne!(sum4(&out), 0xffff);
}

#[test]
fn neighbour_discovery_and_other_messages_of_the_link_never_cross() {
    let mut lab = Lab::new(config());
    for kind in [130, 131, 132, 133, 134, 135, 136, 137, 143, 255] {
        let packet = echo6(kind, client(), embed(SERVER), 77);
        assert_eq!(lab.out_dropped(packet), reason::NAT64_ICMP_UNTRANSLATABLE, "{kind}");
    }
    for kind in [9, 10, 13, 14, 15, 16, 17, 18, 40] {
        let packet = echo4(kind, SERVER, POOL, 77);
        assert_eq!(lab.back_dropped(packet), reason::NAT64_ICMP_UNTRANSLATABLE, "{kind}");
    }
    assert!(lab.drain().is_empty());
}
