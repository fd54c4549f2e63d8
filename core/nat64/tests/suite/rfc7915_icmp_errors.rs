//! Translated ICMP errors (RFC 7915, sections 4.2 to 4.5 and 5.2 to 5.5; RFC 6791). Tables are tested beside them.

use sixgate_nat64::Config;
use sixgate_reason as reason;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::tcp::{ACK, SYN};
use sixgate_wire::{Packet, ipv4, protocol};

use crate::support::*;

const ROUTER: std::net::Ipv4Addr = std::net::Ipv4Addr::new(198, 51, 100, 254);

fn router6() -> std::net::Ipv6Addr {
    "2001:db8:5::254".parse().unwrap()
}

#[test]
fn a_router_s_error_comes_in_from_the_router_about_the_packet_that_was_sent() {
    let mut lab = Lab::new(config());
    let sent = udp6(client(), 5000, embed(SERVER), 53, b"question");
    let out = lab.out(sent.clone());
    let error = lab.back(error4(ROUTER, 3, 1, 0, out.bytes()));
    assert_eq!(icmp(&error), (1, 0, 0));
    assert_eq!((view6(&error).src(), view6(&error).dst()), (embed(ROUTER), client()));
    // The quote is what the client sent, but for the hop that it has made and the label that IPv4 lost.
    let mut expected = sent.bytes().to_vec();
    expected[1..4].copy_from_slice(&[0xa0, 0, 0]);
    expected[7] = 63;
    assert_eq!(quoted(&error), expected);
}

#[test]
fn an_error_neither_makes_nor_refreshes_a_session() {
    let mut lab = Lab::new(config());
    let out = lab.out(udp6(client(), 5000, embed(SERVER), 53, b"question"));
    let expires = lab.nat.sessions().next().unwrap().expires;
    lab.wait_secs(100);
    lab.back(error4(ROUTER, 3, 3, 0, out.bytes()));
    assert_eq!(lab.nat.sessions().next().unwrap().expires, expires);
    lab.wait_secs(200);
    assert_eq!(lab.back_dropped(error4(ROUTER, 3, 3, 0, out.bytes())), reason::NAT64_ICMP_ERROR_UNKNOWN);
}

#[test]
fn an_error_that_quotes_no_session_s_packet_is_dropped() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    // Another destination, another port, another protocol, a short quote, a later fragment.
    let strangers = [
        udp4(POOL, outside, OTHER, 53, b""),
        udp4(POOL, outside, SERVER, 54, b""),
        udp4(POOL, outside ^ 2, SERVER, 53, b""),
        tcp4(POOL, outside, SERVER, 53, SYN),
    ];
    for stranger in strangers {
        let error = error4(ROUTER, 3, 1, 0, stranger.bytes());
        assert_eq!(lab.back_dropped(error), reason::NAT64_ICMP_ERROR_UNKNOWN, "{stranger:?}");
    }
    let short = error4(ROUTER, 3, 1, 0, &udp4(POOL, outside, SERVER, 53, b"").bytes()[..27]);
    assert_eq!(lab.back_dropped(short), reason::NAT64_ICMP_ERROR_UNKNOWN);
    // Sent to the pool about a packet that the pool did not send.
    let mut lie = error4(ROUTER, 3, 1, 0, udp4(OTHER, outside, SERVER, 53, b"").bytes()).bytes().to_vec();
    lie[16..20].copy_from_slice(&POOL.octets());
    lie[10..12].fill(0);
    let sum = sixgate_wire::checksum::Sum::new().with(&lie[..20]).finish();
    lie[10..12].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(lab.back_dropped(Packet::from_slice(&lie)), reason::NAT64_ICMP_ERROR_UNKNOWN);
    assert!(lab.drain().is_empty());
}

#[test]
fn path_mtu_is_told_in_both_directions_with_the_difference_of_the_headers() {
    let mut lab = Lab::new(config());
    let syn = lab.out(tcp6(client(), 40_000, embed(SERVER), 80, SYN));
    let outside = ports(transport4(&syn)).0;
    let answer = lab.back(tcp4(SERVER, 80, POOL, outside, SYN | ACK));
    let error = lab.back(error4(ROUTER, 3, 4, 1400, syn.bytes()));
    assert_eq!(icmp(&error), (2, 0, 1420));
    let error = lab.back(error4(ROUTER, 3, 4, 0, syn.bytes()));
    assert_eq!(icmp(&error), (2, 0, 1280));
    let error = lab.out(error6(router6(), 2, 0, 1400, answer.bytes()));
    assert_eq!(icmp(&error), (3, 4, 1380));
    let error = lab.out(error6(router6(), 2, 0, 9000, answer.bytes()));
    assert_eq!(icmp(&error), (3, 4, 1480));
}

#[test]
fn the_fragment_header_of_the_quoted_packet_takes_its_share_of_the_path_mtu() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let payload = udp4_payload(SERVER, 53, POOL, outside, &[1; 1300]);
    let whole = lab.back(four(protocol::UDP, SERVER, POOL, &payload));
    assert_eq!(icmp(&lab.out(error6(router6(), 2, 0, 1300, whole.bytes()))), (3, 4, 1280));
    let cut =
        four_with(protocol::UDP, SERVER, POOL, &payload, |h| ipv4::Header { dont_fragment: false, ..h });
    let first = lab.back(cut);
    lab.drain();
    let error = lab.out(error6(router6(), 2, 0, 1300, &first.bytes()[..1200]));
    assert_eq!(icmp(&error), (3, 4, 1272));
    // The quote is that fragment: more follow, the identification is the low half, and the length is the whole one.
    let inner = sixgate_wire::ipv4::Ipv4::parse_quoted(quoted(&error)).unwrap();
    assert_eq!(
        (inner.more_fragments(), inner.dont_fragment(), inner.identification()),
        (true, false, 0x4321)
    );
    assert_eq!((inner.total_len(), inner.fragment_offset()), (1252, 0));
}

#[test]
fn an_error_outwards_needs_a_session_that_still_lives() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let back = lab.back(udp4(SERVER, 53, POOL, outside, b"answer"));
    // More sessions than one packet pays for end at the same time, this one last.
    for port in 0..20 {
        lab.out(udp6(neighbour(), port, embed(SERVER), 53, b""));
    }
    lab.wait_secs(299);
    lab.out(error6(client(), 1, 4, 0, back.bytes()));
    lab.wait_secs(1);
    assert_eq!(lab.out_dropped(error6(client(), 1, 4, 0, back.bytes())), reason::NAT64_ICMP_ERROR_UNKNOWN);
}

#[test]
fn an_error_from_the_client_leaves_from_its_outside_address_and_one_from_a_router_from_ours() {
    let mut lab = Lab::new(Config { source4: Some("198.18.0.16/28".parse().unwrap()), ..config() });
    let outside = lab.open_udp(5000, SERVER);
    let sent = udp4(SERVER, 53, POOL, outside, b"answer");
    let back = lab.back(sent.clone());
    let error = lab.out(error6(client(), 1, 4, 0, back.bytes()));
    assert_eq!(icmp(&error), (3, 3, 0));
    assert_eq!((view4(&error).src(), view4(&error).dst()), (POOL, SERVER));
    let inner = sixgate_wire::ipv4::Ipv4::parse(quoted(&error)).unwrap();
    assert_eq!((inner.src(), inner.dst(), inner.ttl(), inner.tos()), (SERVER, POOL, 63, 0xb9));
    assert_eq!(inner.payload(), view4(&sent).payload());

    let error = lab.out(error6(router6(), 3, 0, 0, back.bytes()));
    assert_eq!(icmp(&error), (11, 0, 0));
    let source = view4(&error).src();
    assert!(u32::from(source) & !15 == u32::from(std::net::Ipv4Addr::new(198, 18, 0, 16)), "{source}");
    assert_eq!(view4(&lab.out(error6(router6(), 3, 1, 0, back.bytes()))).src(), source);

    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let back = lab.back(udp4(SERVER, 53, POOL, outside, b"answer"));
    assert_eq!(view4(&lab.out(error6(router6(), 3, 0, 0, back.bytes()))).src(), GATEWAY4);
}

#[test]
fn an_error_about_an_echo_has_the_inside_identifier() {
    let mut lab = Lab::new(config());
    let sent = echo6(128, client(), embed(SERVER), 77);
    let out = lab.out(sent.clone());
    let error = lab.back(error4(ROUTER, 11, 0, 0, out.bytes()));
    assert_eq!(icmp(&error), (3, 0, 0));
    let inner = Ipv6::parse(quoted(&error)).unwrap();
    // Type, identifier, checksum: all as the client sent them.
    assert_eq!(inner.payload(), view6(&sent).payload());
    let reply = lab.back(echo4(0, SERVER, POOL, (icmp(&out).2 >> 16) as u16));
    let error = lab.out(error6(client(), 1, 3, 0, reply.bytes()));
    assert_eq!(icmp(&error), (3, 1, 0));
    assert_eq!(quoted(&error)[24..26], out.bytes()[24..26]);
}

#[test]
fn an_error_from_a_router_with_a_private_address_does_not_put_it_in_the_well_known_prefix() {
    let well_known = sixgate_wire::addr::Prefix64::new("64:ff9b::/96".parse().unwrap()).unwrap();
    let private = "10.1.2.3".parse().unwrap();
    let server = "9.9.9.9".parse().unwrap();
    let mut lab = Lab::new(Config { prefixes: vec![well_known], ..config() });
    let out = lab.out(udp6(client(), 5000, well_known.embed(server), 53, b""));
    assert_eq!(view6(&lab.back(error4(private, 11, 0, 0, out.bytes()))).src(), gateway6());
    let source6 = Some("2001:db8:6791::/64".parse().unwrap());
    let mut lab = Lab::new(Config { prefixes: vec![well_known], source6, ..config() });
    let out = lab.out(udp6(client(), 5000, well_known.embed(server), 53, b""));
    let source = view6(&lab.back(error4(private, 11, 0, 0, out.bytes()))).src();
    assert_eq!(&source.segments()[..4], [0x2001, 0xdb8, 0x6791, 0]);
}

#[test]
fn messages_without_counterpart_are_dropped() {
    let mut lab = Lab::new(config());
    let out = lab.out(udp6(client(), 5000, embed(SERVER), 53, b""));
    for (kind, code, word) in [(4, 0, 0), (5, 0, 0), (3, 14, 0), (12, 1, 0), (12, 0, 5 << 24)] {
        let error = error4(ROUTER, kind, code, word, out.bytes());
        assert_eq!(lab.back_dropped(error), reason::NAT64_ICMP_UNTRANSLATABLE, "{kind}/{code}");
    }
    let back = lab.back(udp4(SERVER, 53, POOL, ports(transport4(&out)).0, b""));
    for (kind, code, word) in [(1, 5, 0), (4, 2, 0), (4, 0, 2), (100, 0, 0)] {
        let error = error6(client(), kind, code, word, back.bytes());
        assert_eq!(lab.out_dropped(error), reason::NAT64_ICMP_UNTRANSLATABLE, "{kind}/{code}");
    }
}

#[test]
fn an_error_about_an_error_is_nobody_s_business() {
    let mut lab = Lab::new(config());
    let out = lab.out(udp6(client(), 5000, embed(SERVER), 53, b""));
    let first = error4(SERVER, 3, 3, 0, out.bytes());
    // As if the pool had sent an error that somebody complains about.
    let quoting = four(protocol::ICMP, POOL, SERVER, view4(&first).payload());
    assert_eq!(lab.back_dropped(error4(ROUTER, 3, 1, 0, quoting.bytes())), reason::NAT64_ICMP_ERROR_UNKNOWN);
}

#[test]
fn a_long_quote_fits_in_1280_and_in_576() {
    let mut lab = Lab::new(config());
    let out = lab.out(udp6(client(), 5000, embed(SERVER), 53, &[5; 1400]));
    let error = lab.back(error4(ROUTER, 3, 1, 0, out.bytes()));
    assert_eq!(error.len(), 1280);
    icmp(&error);
    let outside = ports(transport4(&out)).0;
    let back = lab.back(udp4(SERVER, 53, POOL, outside, &[5; 1400]));
    let error = lab.out(error6(client(), 1, 4, 0, &back.bytes()[..1232]));
    assert_eq!(error.len(), 576);
    icmp(&error);
}
