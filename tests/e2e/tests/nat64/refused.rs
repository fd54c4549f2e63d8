//! What must not pass, and what its sender is told: addresses that nobody has, protocols without ports, headers that cannot be
//! translated, hop limits that end (RFC 6146, sections 3.4, 3.5 and 5; RFC 7915).

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_e2e::nat64::craft::{ACK, RST, SYN, data};
use sixgate_e2e::nat64::site::{GATEWAY4, GATEWAY6};
use sixgate_e2e::nat64::{Case, Four, Outside, Six, Talk, Upper};

pub(crate) const CASES: &[Case] = &[
    Case::new("a source inside the prefix goes nowhere", source_in_prefix)
        .cannot("sends it on from the embedded address"),
    Case::new("IPv6 sources that nobody has go nowhere", sources6),
    Case::new("IPv4 sources that nobody has do not come in", sources4),
    Case::new("embedded addresses that nobody may reach are refused", denied)
        .cannot("sends them to the kernel, which drops some"),
    Case::new("protocols that have no ports are refused with 1/4 and do not leave", protocols_out)
        .cannot("passes them, from an inside address"),
    Case::new("and from IPv4 with 3/2", protocols_in).cannot("the pool has no answer"),
    Case::new("a routing header with segments left is refused with 4/0 at its octet", routing_header)
        .cannot("translates it"),
    Case::new("an extension header behind the fragment header is refused with 1/1", extension_in_fragment)
        .cannot("says nothing"),
    Case::new("an authentication header is a protocol without ports", authentication).cannot("says nothing"),
    Case::new("a hop limit ends in the kernel, in the translator, in the kernel; each says so", hops_out)
        .cannot("the second answer comes from its own address"),
    Case::new("and inwards", hops_in).cannot("the pool is not tayga's: nft hides the hops"),
    Case::new("an error about what ended is not made about errors", hops_of_errors),
    Case::new("a segment that opens nothing and belongs to nothing is refused with 1/3", no_session)
        .cannot("conntrack makes a session of it"),
    Case::new("an echo reply that answers nothing does not go out", reply_unasked).cannot("passes it"),
    Case::new("what is for neither prefix nor pool is not ours", not_ours),
    Case::new("neighbour discovery and its like do not cross", discovery),
    Case::new("headers that are cut do not pass and make no state", cut).cannot("translates some of them"),
];

/// Of a gateway whose kernel lets source routes come so far; others drop them without a word.
pub(crate) const SOURCE_ROUTES: &[Case] = &[Case::new(
    "a source route with hops to go is refused with 3/5, one at its end is no matter",
    source_routes,
)
.cannot("translates it")];

/// Our error about a packet of the client, as the translator saw it.
#[track_caller]
fn told6(t: &mut Talk<'_>, what: (u8, u8, u32), about: &Six) {
    let heard = t.client_hears();
    // The kernel has taken one hop before the translator saw it.
    let quoted = Six { hop_limit: about.hop_limit - 1, ..about.clone() }.octets();
    let most = quoted.len().min(1280 - 48);
    let error = Upper::Icmp(what.0, what.1, what.2, quoted[..most].to_vec());
    let expected = Six::of(GATEWAY6, about.source, &error);
    assert_eq!(heard, Six { hop_limit: heard.hop_limit, ..expected });
}

/// Our error about a packet of the server, as the translator saw it.
#[track_caller]
fn told4(t: &mut Talk<'_>, what: (u8, u8, u32), about: &Four) {
    let heard = t.server_hears();
    let quoted = Four { ttl: about.ttl - 1, ..about.clone() }.octets();
    let most = quoted.len().min(576 - 28);
    let error = Upper::Icmp(what.0, what.1, what.2, quoted[..most].to_vec());
    let expected = Four::of(GATEWAY4, about.source, &error);
    let (ttl, identification, dont_fragment) = (heard.ttl, heard.identification, heard.dont_fragment);
    // RFC 1812, section 4.3.2.5: precedence 6.
    assert_eq!(heard, Four { tos: 0xc0, ttl, identification, dont_fragment, ..expected });
}

fn source_in_prefix(t: &mut Talk<'_>) {
    let forged = t.site.embed(Ipv4Addr::new(203, 0, 119, 9));
    for upper in [Upper::Udp(4000, 53, data(9)), Upper::Tcp(4001, 80, SYN, vec![]), Upper::Ping(9, data(9))] {
        t.client_says(&Six::of(forged, t.server6(), &upper));
    }
    t.server_hears_nothing();
    t.client_hears_nothing();
    t.counted("nat64-source-in-prefix", 3);
}

fn sources6(t: &mut Talk<'_>) {
    for source in ["::", "::1", "ff02::1", "ff0e::9", "fe80::9", "::ffff:10.0.0.1"] {
        let source: Ipv6Addr = source.parse().expect("an address");
        t.client_says(&Six::of(source, t.server6(), &Upper::Udp(4000, 53, data(9))));
    }
    t.server_hears_nothing();
}

fn sources4(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(9));
    let at = t.opens(&upper);
    for source in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "169.254.3.4",
        "224.0.0.5",
        "239.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
    ] {
        let source: Ipv4Addr = source.parse().expect("an address");
        t.server_says(&Four::of(source, at.address, &upper.back().to(at.port)));
    }
    t.client_hears_nothing();
    t.server_hears_nothing();
    // Those of our own pool, which only hairpinning has, and the gateway's own address: the kernel's check of sources or ours.
    let own = Ipv4Addr::new(198, 51, 100, 3);
    t.server_says(&Four::of(own, at.address, &upper.back().to(at.port)));
    t.client_hears_nothing();
}

fn denied(t: &mut Talk<'_>) {
    let nobody = [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.1.2.3",
        "169.254.169.254",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
    ];
    for address in nobody {
        let destination = t.site.embed(address.parse().expect("an address"));
        for upper in
            [Upper::Udp(4000, 53, data(9)), Upper::Tcp(4001, 80, SYN, vec![]), Upper::Ping(9, data(9))]
        {
            let six = Six::of(t.client, destination, &upper);
            t.client_says(&six);
            told6(t, (1, 1, 0), &six);
        }
    }
    t.counted("nat64-destination-denied", 3 * nobody.len() as u64);
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
}

/// IGMP, IPv4 in IP, IPv6 in IP, GRE, ESP, EIGRP, SCTP, UDP-Lite, "no next header", something of nobody.
const OTHERS: [u8; 10] = [2, 4, 41, 47, 50, 88, 132, 136, 59, 253];

fn protocols_out(t: &mut Talk<'_>) {
    for protocol in OTHERS {
        let six = t.six(&Upper::Other(protocol, data(40)));
        t.client_says(&six);
        told6(t, (1, 4, 0), &six);
    }
    t.counted("nat64-protocol", OTHERS.len() as u64);
}

fn protocols_in(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    for protocol in [2, 4, 41, 47, 50, 51, 88, 132, 136, 253] {
        let four = Four::of(t.server, at.address, &Upper::Other(protocol, data(40)));
        t.server_says(&four);
        told4(t, (3, 2, 0), &four);
    }
    t.counted("nat64-protocol", 10);
}

fn routing_header(t: &mut Talk<'_>) {
    let plain = t.six(&Upper::Udp(4000, 53, data(10)));
    let six = plain.clone().behind(43, &[0, 253, 1, 0, 0, 0, 0]);
    t.client_says(&six);
    told6(t, (4, 0, 43), &six);
    // Behind another header the octet is further on.
    let six =
        plain.behind(43, &[2, 4, 2, 0, 0, 0, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    let six = six.behind(60, &[0, 1, 4, 0, 0, 0, 0]);
    t.client_says(&six);
    told6(t, (4, 0, 51), &six);
    t.counted("nat64-routing-header", 2);
}

fn extension_in_fragment(t: &mut Talk<'_>) {
    let six = t.six(&Upper::Udp(4000, 53, data(40))).behind(60, &[0, 1, 4, 0, 0, 0, 0]);
    let parts = six.fragments(77, 24);
    t.client_says(&parts[0]);
    told6(t, (1, 1, 0), &parts[0]);
    for part in &parts[1..] {
        t.client_says(part);
    }
    t.server_hears_nothing();
}

fn authentication(t: &mut Talk<'_>) {
    let six =
        t.six(&Upper::Udp(4000, 53, data(10))).behind(51, &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 9, 9, 9, 9]);
    t.client_says(&six);
    told6(t, (1, 4, 0), &six);
}

fn hops_out(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(10));
    let at = t.opens(&upper);
    // The kernel before us: its own error, from the same address.
    let six = Six { hop_limit: 1, ..t.six(&upper) };
    t.client_says(&six);
    let heard = t.client_hears();
    assert_eq!((heard.source, heard.body[0], heard.body[1]), (GATEWAY6, 3, 0));
    assert_eq!(heard.body[8..], six.octets());
    // The translator.
    let six = Six { hop_limit: 2, ..t.six(&upper) };
    t.client_says(&six);
    told6(t, (3, 0, 0), &six);
    t.counted("nat64-hop-limit", 1);
    // The kernel behind us, whose IPv4 error about the IPv4 packet is translated like any router's.
    let six = Six { hop_limit: 3, ..t.six(&upper) };
    t.client_says(&six);
    let heard = t.client_hears();
    assert_eq!((heard.source, heard.body[0], heard.body[1]), (t.site.embed(GATEWAY4), 3, 0));
    assert_eq!(heard.body[8..], Six { hop_limit: 1, ..six }.octets());
    // One hop more arrives with the last one.
    let six = Six { hop_limit: 4, ..t.six(&upper) };
    assert_eq!(t.passes_out(&six, &upper), at);
}

fn source_routes(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(10));
    let at = t.opens(&upper);
    // RFC 791: loose, the pointer at the first of one address; RFC 7915, section 4.1.
    let four = Four { options: vec![131, 7, 4, 192, 0, 2, 9, 0], ..t.four(at, &upper.back()) };
    t.server_says(&four);
    told4(t, (3, 5, 0), &four);
    t.client_hears_nothing();
    t.counted("nat64-source-route", 1);
    let four = Four { options: vec![131, 7, 8, 192, 0, 2, 9, 0], ..t.four(at, &upper.back()) };
    t.passes_in(&four, &upper.back().to(4000));
}

fn hops_in(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(10));
    let at = t.opens(&upper);
    let four = Four { ttl: 1, ..t.four(at, &upper.back()) };
    t.server_says(&four);
    let heard = t.server_hears();
    assert_eq!((heard.source, heard.body[0], heard.body[1]), (GATEWAY4, 11, 0));
    let four = Four { ttl: 2, ..t.four(at, &upper.back()) };
    t.server_says(&four);
    told4(t, (11, 0, 0), &four);
    t.counted("nat64-hop-limit", 1);
    let four = Four { ttl: 3, ..t.four(at, &upper.back()) };
    t.server_says(&four);
    let heard = t.server_hears();
    // A router that has only an IPv6 address speaks from one of ours (RFC 6791).
    assert_eq!((heard.source, heard.body[0], heard.body[1]), (GATEWAY4, 11, 0));
    let quoted = Four::read_quoted(&heard.body[8..]);
    assert_eq!((quoted.source, quoted.destination, quoted.ttl), (t.server, at.address, 1));
    let four = Four { ttl: 4, ..t.four(at, &upper.back()) };
    t.passes_in(&four, &upper.back().to(4000));
}

fn hops_of_errors(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(10));
    let at = t.opens(&upper);
    let quoted = Four::of(at.address, t.server, &upper.from(at.port)).octets();
    t.server_says(&Four { ttl: 2, ..Four::of(t.server, at.address, &Upper::Icmp(3, 3, 0, quoted)) });
    let quoted = Six::of(t.server6(), t.client, &upper.back()).octets();
    t.client_says(&Six { hop_limit: 2, ..t.six(&Upper::Icmp(1, 4, 0, quoted)) });
    t.server_hears_nothing();
    t.client_hears_nothing();
}

fn no_session(t: &mut Talk<'_>) {
    for flags in [ACK, RST, 0x11, 0x12, 0x18, 0, 0x29] {
        let six = t.six(&Upper::Tcp(4001, 80, flags, vec![]));
        t.client_says(&six);
        told6(t, (1, 3, 0), &six);
    }
    t.counted("nat64-tcp-no-session", 7);
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
}

fn reply_unasked(t: &mut Talk<'_>) {
    t.client_says(&t.six(&Upper::Pong(9, data(9))));
    t.server_hears_nothing();
    t.counted("nat64-echo-unsolicited", 1);
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
}

fn not_ours(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(9));
    t.client_says(&Six::of(t.client, "2001:db8:65::1".parse().expect("an address"), &upper));
    t.client_says(&Six::of(t.client, "64:ff9b::cb00:7101".parse().expect("an address"), &upper));
    t.server_hears_nothing();
    // The kernel may say that it knows no route.
    while let Some(heard) = t.client_hears_perhaps() {
        assert_eq!((heard.source, heard.next, heard.body[0]), (GATEWAY6, 58, 1), "{heard:?}");
    }
}

fn discovery(t: &mut Talk<'_>) {
    for kind in [130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 143, 144, 151, 155] {
        t.client_says(&t.six(&Upper::Icmp(kind, 0, 0, data(24))));
    }
    let at = Outside { address: Ipv4Addr::new(198, 51, 100, 3), port: 0 };
    for kind in [5, 9, 10, 13, 14, 15, 16, 17, 18, 30, 37, 42, 43] {
        t.server_says(&t.four(at, &Upper::Icmp(kind, 0, 0, data(24))));
    }
    t.server_hears_nothing();
    t.client_hears_nothing();
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
}

fn cut(t: &mut Talk<'_>) {
    for (upper, octets) in [
        (Upper::Udp(4000, 53, vec![]), 7),
        (Upper::Tcp(4001, 80, SYN, vec![]), 19),
        (Upper::Ping(9, vec![]), 7),
        (Upper::Ping(9, vec![]), 3),
    ] {
        let mut six = t.six(&upper);
        six.body.truncate(octets);
        t.client_says(&six);
    }
    // A datagram that says that it is longer, a segment whose header is, or is too short.
    for (upper, at, octet) in [
        (Upper::Udp(4000, 53, data(8)), 5, 200),
        (Upper::Tcp(4001, 80, SYN, vec![]), 12, 0xf0),
        (Upper::Tcp(4001, 80, SYN, vec![]), 12, 0x40),
    ] {
        let mut six = t.six(&upper);
        six.body[at] = octet;
        t.client_says(&six);
    }
    t.server_hears_nothing();
    t.client_hears_nothing();
    t.counted("malformed-transport", 7);
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
}
