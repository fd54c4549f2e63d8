//! Fragments of both families, in every order (RFC 7915, sections 4.1 and 5.1.1; RFC 6146, section 3.4; RFC 5722; RFC 6946).

use sixgate_e2e::nat64::craft::{SYN, data};
use sixgate_e2e::nat64::{Case, Four, Outside, Six, Talk, Upper};

pub(crate) const CASES: &[Case] = &[
    Case::new("4,000 octets come in, in all six orders of their three fragments", in_orders),
    Case::new("4,000 octets go out, in all six orders of their three fragments", out_orders),
    Case::new("a fragmented echo request goes out and its reply comes in, in all orders", echo_orders)
        .cannot("does not carry fragmented ICMP"),
    Case::new("a first fragment of a connection opens it", tcp_fragments),
    Case::new("overlapping fragments end their datagram, both ways", overlap).cannot("only conntrack looks"),
    Case::new("a fragment twice is no overlap, and passes once", twice),
    Case::new("a first fragment without its ports goes nowhere", tiny).cannot("passes it to conntrack"),
    Case::new("a fragment that cannot be goes nowhere", impossible),
    Case::new("what may be cut and is too large is cut to 1,280", cut_in),
    Case::new("fragments that are too large are cut again", recut),
    Case::new("a fragment with \"don't fragment\" passes with its header", dont_fragment)
        .cannot("conntrack puts them together"),
    Case::new("a fragmented datagram without checksum is refused", without_checksum).cannot("says nothing"),
    Case::new("fragments of a datagram that the filter would not have admitted stay outside", unbound),
    Case::new("the same identification from two servers is two datagrams", two_servers)
        .cannot("admits only who was spoken to"),
];

/// All orders of three.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// The IPv6 packet that an IPv4 fragment becomes; `next` and the addresses are the datagram's.
fn part6(whole: &Six, part: &Four) -> Six {
    let six = whole.fragment(u32::from(part.identification), part.offset.into(), part.more, &part.body);
    Six { hop_limit: part.ttl - 3, traffic_class: part.tos, ..six }
}

fn in_orders(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(10));
    let at = t.opens(&upper);
    for (n, order) in ORDERS.into_iter().enumerate() {
        let back = Upper::Udp(53, 4000, data(4000 - 28));
        let four = Four { identification: 0x4000 + n as u16, dont_fragment: false, ..t.four(at, &back) };
        let whole = t.reached(&four, &back);
        let parts = four.fragments(1480);
        for n in order {
            t.server_says(&parts[n]);
        }
        hears_whole(t, &whole, 0x4000 + n as u16);
    }
}

/// The client hears fragments, none larger than 1,280 octets, each octet once, that together are `whole`.
#[track_caller]
fn hears_whole(t: &mut Talk<'_>, whole: &Six, identification: u16) {
    let mut octets = vec![None; whole.body.len()];
    while octets.iter().any(Option::is_none) {
        let six = t.client_hears();
        assert!(40 + six.body.len() <= 1280, "{} octets", 40 + six.body.len());
        let place = usize::from(u16::from_be_bytes([six.body[2], six.body[3]]));
        let (offset, more) = (place & !7, place & 1 == 1);
        let part = six.body[8..].to_vec();
        let expected = whole.fragment(identification.into(), offset, more, &part);
        assert_eq!(six, expected, "the header of a fragment");
        assert_eq!(more, offset + part.len() < octets.len(), "only the last is the last");
        for (n, octet) in part.into_iter().enumerate() {
            assert_eq!(octets[offset + n].replace(octet), None, "octet {} twice", offset + n);
        }
    }
    let octets: Vec<u8> = octets.into_iter().flatten().collect();
    assert_eq!(octets, whole.body);
}

fn out_orders(t: &mut Talk<'_>) {
    for (n, order) in ORDERS.into_iter().enumerate() {
        let upper = Upper::Udp(4100 + n as u16, 53, data(4000 - 28));
        let identification = 0xabcd_4000 + n as u32;
        let parts = t.six(&upper).fragments(identification, 1400);
        for n in order {
            t.client_says(&parts[n]);
        }
        let mut heard: Vec<Four> = (0..3).map(|_| t.server_hears()).collect();
        heard.sort_by_key(|four| four.offset);
        let at = Outside { address: heard[0].source, port: heard[0].from_port() };
        let whole = t.translated(&t.six(&upper), &upper, at, &heard[0]);
        let expected = Four { identification: identification as u16, dont_fragment: false, ..whole };
        assert_eq!(heard, expected.fragments(1400));
    }
}

fn echo_orders(t: &mut Talk<'_>) {
    for (n, order) in ORDERS.into_iter().enumerate() {
        let ping = Upper::Ping(500 + n as u16, data(3000));
        let parts = t.six(&ping).fragments(0x77_0000 + n as u32, 1200);
        for n in order {
            t.client_says(&parts[n]);
        }
        let mut heard: Vec<Four> = (0..3).map(|_| t.server_hears()).collect();
        heard.sort_by_key(|four| four.offset);
        let at = Outside { address: heard[0].source, port: heard[0].from_port() };
        let whole = t.translated(&t.six(&ping), &ping, at, &heard[0]);
        assert_eq!(heard, Four { identification: n as u16, dont_fragment: false, ..whole }.fragments(1200));
        let pong = ping.back();
        let four = Four { identification: n as u16, dont_fragment: false, ..t.four(at, &pong) };
        let whole = t.reached(&four, &pong.to(500 + n as u16));
        let parts = four.fragments(1200);
        for n in order {
            t.server_says(&parts[n]);
        }
        hears_whole(t, &whole, n as u16);
    }
}

fn tcp_fragments(t: &mut Talk<'_>) {
    let upper = Upper::Tcp(4001, 80, SYN, data(1000));
    for part in t.six(&upper).fragments(9, 512) {
        t.client_says(&part);
    }
    let heard = [t.server_hears(), t.server_hears()];
    let at = Outside { address: heard[0].source, port: heard[0].from_port() };
    let whole = Four {
        identification: 9,
        dont_fragment: false,
        ..t.translated(&t.six(&upper), &upper, at, &heard[0])
    };
    assert_eq!(heard.to_vec(), whole.fragments(512));
    t.answers(at, &upper.back(), 4001);
}

fn overlap(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(1000));
    let six = t.six(&upper);
    let parts = six.fragments(9, 504);
    t.client_says(&parts[0]);
    let first = t.server_hears();
    // It repeats a part of the first one, with other octets.
    t.client_says(&six.fragment(9, 496, false, &[0x55; 512]));
    t.client_says(&parts[1]);
    t.server_hears_nothing();
    let at = Outside { address: first.source, port: first.from_port() };
    let four = Four { identification: 9, ..t.four(at, &Upper::Udp(53, 4000, data(1000))) };
    let parts = four.fragments(504);
    t.server_says(&parts[1]);
    t.server_says(&four.fragment(496, true, &[0x55; 16]));
    t.server_says(&parts[0]);
    t.client_hears_nothing();
    t.counted("nat64-fragment-overlap", 4);
}

fn twice(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(1000));
    let parts = t.six(&upper).fragments(9, 504);
    for part in [&parts[0], &parts[0], &parts[1]] {
        t.client_says(part);
    }
    let _ = (t.server_hears(), t.server_hears());
    t.server_hears_nothing();
}

fn tiny(t: &mut Talk<'_>) {
    // Eight octets of TCP: its ports are there, its flags are not (RFC 7112).
    let six = t.six(&Upper::Tcp(4001, 80, SYN, data(32)));
    for part in six.fragments(9, 8) {
        t.client_says(&part);
    }
    t.server_hears_nothing();
    let at = t.opens(&Upper::Tcp(4001, 80, SYN, vec![]));
    for part in t.four(at, &Upper::Tcp(80, 4001, 0x12, data(32))).fragments(8) {
        t.server_says(&part);
    }
    t.client_hears_nothing();
}

fn impossible(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(100));
    let at = t.opens(&upper);
    let six = t.six(&upper);
    // Not a multiple of eight and not the last; beyond 65,535.
    t.client_says(&six.fragment(9, 0, true, &six.body[..41]));
    t.client_says(&six.fragment(10, 65_528, false, &[1; 16]));
    let four = t.four(at, &upper.back());
    t.server_says(&four.fragment(0, true, &four.body[..41]));
    t.server_says(&four.fragment(65_528, false, &[1; 16]));
    t.server_hears_nothing();
    while let Some(heard) = t.client_hears_perhaps() {
        // RFC 8200, section 4.5: a parameter problem is in order.
        assert_eq!((heard.next, heard.body[0]), (58, 4), "{heard:?}");
    }
}

fn cut_in(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(10)));
    for length in [1232, 1233, 1400, 1472] {
        let back = Upper::Udp(53, 4000, data(length));
        let four = Four { identification: 0x1357, dont_fragment: false, ..t.four(at, &back) };
        let whole = t.reached(&four, &back);
        t.server_says(&four);
        if length <= 1232 {
            assert_eq!(t.client_hears(), whole);
        } else {
            hears_whole(t, &whole, 0x1357);
        }
    }
}

fn recut(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(10)));
    let back = Upper::Udp(53, 4000, data(2900));
    let four = Four { identification: 0x2468, dont_fragment: false, ..t.four(at, &back) };
    let whole = t.reached(&four, &back);
    for part in four.fragments(1480) {
        t.server_says(&part);
    }
    hears_whole(t, &whole, 0x2468);
}

fn dont_fragment(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(10)));
    let back = Upper::Udp(53, 4000, data(1000));
    let four = Four { identification: 0x1111, ..t.four(at, &back) };
    let whole = t.reached(&four, &back);
    for part in four.fragments(504) {
        let part = Four { dont_fragment: true, ..part };
        t.server_says(&part);
        let expected = whole.body[part.offset.into()..][..part.body.len()].to_vec();
        assert_eq!(t.client_hears(), part6(&whole, &Four { body: expected, ..part }));
    }
}

fn without_checksum(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(10)));
    let mut four = t.four(at, &Upper::Udp(53, 4000, data(1000)));
    four.body[6..8].fill(0);
    for part in four.fragments(504) {
        t.server_says(&part);
    }
    let heard = t.server_hears();
    assert_eq!((heard.protocol, heard.body[0], heard.destination), (1, 3, t.server));
    t.client_hears_nothing();
    t.counted("nat64-udp-zero-checksum", 2);
}

fn unbound(t: &mut Talk<'_>) {
    let at = Outside { address: std::net::Ipv4Addr::new(198, 51, 100, 3), port: 4444 };
    for part in t.four(at, &Upper::Udp(53, 0, data(1000))).fragments(504).into_iter().rev() {
        t.server_says(&part);
    }
    t.client_hears_nothing();
    while let Some(heard) = t.server_hears_perhaps() {
        assert_eq!((heard.protocol, heard.body[0]), (1, 3), "{heard:?}");
    }
}

fn two_servers(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(10)));
    let back = Upper::Udp(53, 4000, data(900));
    let other = std::net::Ipv4Addr::new(203, 0, 119, 77);
    let (a, b) =
        (t.four(at, &back), Four { source: other, ..Four::of(other, at.address, &back.to(at.port)) });
    let (whole_a, whole_b) = (t.reached(&a, &back), t.reached(&b, &back));
    let (a, b) = (a.fragments(456), b.fragments(456));
    for part in [&a[1], &b[1], &b[0], &a[0]] {
        t.server_says(part);
    }
    let mut heard: Vec<Six> = (0..4).map(|_| t.client_hears()).collect();
    heard.sort_by_key(|six| (six.source, six.body[2..4].to_vec()));
    let mut expected = [whole_a.fragments(7, 456), whole_b.fragments(7, 456)].concat();
    expected.sort_by_key(|six| (six.source, six.body[2..4].to_vec()));
    assert_eq!(heard, expected);
}
