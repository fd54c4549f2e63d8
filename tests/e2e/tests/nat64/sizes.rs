//! How large packets may be: what is told to whom, by whom, and how often (RFC 7915, sections 4 and 5; RFC 1191; RFC 8201).

use std::net::Ipv4Addr;

use sixgate_e2e::nat64::craft::{ACK, SYN, data};
use sixgate_e2e::nat64::site::{GATEWAY4, GATEWAY6};
use sixgate_e2e::nat64::{Case, Four, Six, Talk, Upper};

/// The IPv4 link has 1,400.
pub(crate) const NARROW4: &[Case] = &[
    Case::new("1,500 octets get exactly one \"too big\" with 1,420, from our address", too_big)
        .cannot("the kernel answers, with a short quote and another source"),
    Case::new("what fits to the octet passes", fits),
    Case::new("of every protocol, and of what has no session yet, without one being made", every_protocol)
        .cannot("the kernel answers, with a short quote and another source"),
    Case::new("what may be cut is cut by the kernel behind us", cut_behind),
    Case::new("\"too big\" of a router further on says the smaller MTU", router_further)
        .cannot("its MTU is that of its own device"),
    Case::new(
        "IPv6 fragments that the link has no room for are cut by the kernel behind us",
        fragments_behind,
    )
    .cannot("conntrack puts them together"),
];

/// The IPv6 link has 1,380.
pub(crate) const NARROW6: &[Case] = &[
    Case::new("\"don't fragment\" and too large gets exactly one 3/4 with 1,360, from our address", needed)
        .cannot("the kernel answers, and the translator translates it"),
    Case::new("what fits to the octet comes in", fits_in),
    Case::new("what may be cut is cut to 1,280 all the same", cut_to_1280),
    Case::new("a fragment with \"don't fragment\" needs room for its header too", fragment_needs_room)
        .cannot("conntrack puts them together"),
    Case::new("\"fragmentation needed\" of a router becomes no more than our link takes", router_in)
        .cannot("its MTU is that of its own device"),
];

/// An IPv4 link of less than any IPv6 link.
pub(crate) const TINY4: &[Case] =
    &[Case::new("a link of 1,000 is told as 1,280, and what has that much is cut behind us", tiny)
        .cannot("says \"don't fragment\" about everything")];

/// Packets without "don't fragment" may have 1,500 on the IPv6 side.
pub(crate) const WIDE: &[Case] =
    &[Case::new("a larger lowest MTU is kept, and fragments have at most that", wide)
        .cannot("has no such key here")];

#[track_caller]
fn told(t: &mut Talk<'_>, six: &Six, mtu: u32) {
    t.client_says(six);
    let heard = t.client_hears();
    let quoted = Six { hop_limit: six.hop_limit - 1, ..six.clone() }.octets();
    let error = Upper::Icmp(2, 0, mtu, quoted[..quoted.len().min(1232)].to_vec());
    let expected = Six::of(GATEWAY6, t.client, &error);
    assert_eq!(heard, Six { hop_limit: heard.hop_limit, ..expected });
    t.client_hears_nothing();
    t.server_hears_nothing();
}

fn too_big(t: &mut Talk<'_>) {
    let six = t.six(&Upper::Udp(4000, 53, data(1500 - 48)));
    told(t, &six, 1420);
    t.counted("nat64-too-big", 1);
    let six = t.six(&Upper::Udp(4000, 53, data(1421 - 48)));
    told(t, &six, 1420);
}

fn fits(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(1420 - 48)));
    t.answers(at, &Upper::Udp(53, 0, data(1232)), 4000);
    t.opens(&Upper::Ping(9, data(1420 - 48)));
    t.opens(&Upper::Tcp(4001, 80, SYN, data(1420 - 60)));
    t.opens(&Upper::Tcp(4001, 80, ACK, data(1420 - 60)));
}

fn every_protocol(t: &mut Talk<'_>) {
    let long = data(1500 - 60);
    for upper in
        [Upper::Tcp(4001, 80, SYN, long.clone()), Upper::Ping(9, long.clone()), Upper::Udp(4000, 53, long)]
    {
        let six = t.six(&upper);
        told(t, &six, 1420);
    }
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
    // An extension header is left behind: what counts is what would be on the IPv4 link.
    let upper = Upper::Udp(4000, 53, data(1420 - 48));
    let six = t.six(&upper).behind(60, &[0, 1, 4, 0, 0, 0, 0]);
    t.passes_out(&six, &upper);
}

fn cut_behind(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(1240 - 28));
    let at = t.opens(&upper);
    let upper = Upper::Udp(4000, 53, data(1260 - 28));
    assert_eq!(t.opens(&upper), at, "1,260 octets fit the link as they are");
}

fn router_further(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(1420 - 48));
    let at = t.opens(&upper);
    let router = Ipv4Addr::new(198, 18, 7, 9);
    for (mtu, becomes) in [(1300, 1320), (1400, 1420), (1500, 1420), (9000, 1420), (0, 1280), (600, 1280)] {
        let sent = Four { ttl: 50, ..Four::of(at.address, t.server, &upper.from(at.port)) }.octets();
        let known = Six { hop_limit: 50, ..t.six(&upper) }.octets();
        let four = Four::of(router, at.address, &Upper::Icmp(3, 4, mtu, sent[..28].to_vec()));
        t.passes_in(&four, &Upper::Icmp(2, 0, becomes, known[..48].to_vec()));
    }
}

fn fragments_behind(t: &mut Talk<'_>) {
    // 1,440 octets of data are 1,460 on the IPv4 link.
    let upper = Upper::Udp(4000, 53, data(2000));
    for part in t.six(&upper).fragments(77, 1440) {
        t.client_says(&part);
    }
    let mut heard = [t.server_hears(), t.server_hears(), t.server_hears()];
    heard.sort_by_key(|four| four.offset);
    let body: Vec<u8> = heard.iter().flat_map(|four| four.body.clone()).collect();
    assert!(heard.iter().all(|four| four.identification == 77 && 20 + four.body.len() <= 1400));
    let at = heard[0].from_port();
    let whole = Four::of(heard[0].source, t.server, &upper.from(at));
    assert_eq!(body, whole.body);
}

fn needed(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    for length in [1500, 1361] {
        let four = t.four(at, &Upper::Udp(53, 0, data(length - 28)));
        t.server_says(&four);
        let heard = t.server_hears();
        let quoted = Four { ttl: 63, ..four }.octets();
        let error = Upper::Icmp(3, 4, 1360, quoted[..548].to_vec());
        let expected = Four::of(GATEWAY4, t.server, &error);
        let (ttl, identification, dont_fragment) = (heard.ttl, heard.identification, heard.dont_fragment);
        assert_eq!(heard, Four { tos: 0xc0, ttl, identification, dont_fragment, ..expected });
        t.server_hears_nothing();
        t.client_hears_nothing();
    }
    t.counted("nat64-too-big", 2);
}

fn fits_in(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    t.answers(at, &Upper::Udp(53, 0, data(1360 - 28)), 4000);
    let at = t.opens(&Upper::Tcp(4001, 80, SYN, vec![]));
    t.answers(at, &Upper::Tcp(80, 0, 0x12, data(1360 - 40)), 4001);
}

fn cut_to_1280(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    let back = Upper::Udp(53, 4000, data(1300));
    let four = Four { dont_fragment: false, identification: 0x77, ..t.four(at, &back) };
    let whole = t.reached(&four, &back);
    t.server_says(&four);
    let (a, b) = (t.client_hears(), t.client_hears());
    assert_eq!([a, b].to_vec(), whole.fragments(0x77, 1232));
}

fn fragment_needs_room(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    let whole = t.four(at, &Upper::Udp(53, 4000, data(1800)));
    // 1,352 octets of payload are 1,400 with both headers.
    let first = Four { dont_fragment: true, ..whole.fragments(1352).remove(0) };
    t.server_says(&first);
    let heard = t.server_hears();
    assert_eq!((heard.source, heard.body[0], heard.body[1]), (GATEWAY4, 3, 4));
    assert_eq!(u16::from_be_bytes([heard.body[6], heard.body[7]]), 1352);
}

fn router_in(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(1300));
    let at = t.opens(&upper);
    let sent = Four { ttl: 50, ..Four::of(at.address, t.server, &upper.from(at.port)) }.octets();
    let known = Six { hop_limit: 50, ..t.six(&upper) }.octets();
    for (mtu, becomes) in [(1340, 1360), (1370, 1380), (1500, 1380)] {
        let error = Upper::Icmp(3, 4, mtu, sent[..28].to_vec());
        let four = Four::of(Ipv4Addr::new(198, 18, 7, 9), at.address, &error);
        t.passes_in(&four, &Upper::Icmp(2, 0, becomes, known[..48].to_vec()));
    }
}

fn tiny(t: &mut Talk<'_>) {
    let six = t.six(&Upper::Udp(4000, 53, data(1400)));
    told(t, &six, 1280);
    let upper = Upper::Udp(4000, 53, data(1232));
    t.client_says(&t.six(&upper));
    let (a, b) = (t.server_hears(), t.server_hears());
    assert_eq!((a.more, b.more, a.identification), (true, false, b.identification));
    let whole = Four::of(a.source, t.server, &upper.from(a.from_port()));
    assert_eq!([a.body, b.body].concat(), whole.body);
}

fn wide(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    let back = Upper::Udp(53, 4000, data(1400));
    let four = Four { dont_fragment: false, ..t.four(at, &back) };
    let whole = t.reached(&four, &back);
    t.server_says(&four);
    assert_eq!(t.client_hears(), whole, "1,448 octets are not cut");
    let back = Upper::Udp(53, 4000, data(1470));
    let four = Four { dont_fragment: false, identification: 3, ..t.four(at, &back) };
    let whole = t.reached(&four, &back);
    t.server_says(&four);
    let (a, b) = (t.client_hears(), t.client_hears());
    assert_eq!([a, b].to_vec(), whole.fragments(3, 1448));
}
