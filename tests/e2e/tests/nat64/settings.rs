//! What the keys of `[nat64]` change: prefixes, checksums, sources of errors, echo, traffic class.

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_e2e::nat64::craft::{SYN, data};
use sixgate_e2e::nat64::site::GATEWAY6;
use sixgate_e2e::nat64::{Case, Four, Outside, Six, Talk, Upper};

/// Of every length (RFC 6052, section 2.2), all at once.
pub(crate) const PREFIXES: &str = "prefixes = [\"2001:db8:64::/96\", \"2001:dc0::/32\", \"2001:db9:100::/40\", \
    \"2001:dba:1::/48\", \"2001:dbb:1:100::/56\", \"2001:dbc:1:1::/64\", \"64:ff9b:1:7777::/96\"]\n";
pub(crate) const OF_PREFIXES: &[Case] = &[
    Case::new("every length of prefix carries out and back, with its own octets", every_length)
        .cannot("has one prefix"),
    Case::new("the suffix is ignored when it comes and zero when it goes", suffix).cannot("has one prefix"),
    Case::new("a source in any of the prefixes goes nowhere", sources).cannot("has one prefix"),
    Case::new("errors come from the prefix that the session has", errors).cannot("has one prefix"),
];

/// Nothing that can be forgiven is.
pub(crate) const STRICT: &str = "udp-zero-checksum = \"drop\"\nreset-traffic-class = true\ninbound-icmp-echo = false\n\
    source4 = \"192.0.2.128/26\"\nsource6 = \"2001:db8:6791::/64\"\n\
    static = [\"icmp 198.51.100.2:7 = [2001:db8:1:aaaa::8]:70\"]\n";
pub(crate) const OF_STRICT: &[Case] = &[
    Case::new("a datagram without checksum is refused", without_checksum).cannot("is silent"),
    Case::new("traffic class and type of service are zero", class_reset).cannot("has no such key"),
    Case::new("echo requests do not come in, replies do", no_echo),
    Case::new("a router without IPv4 address has one of ours, the same each time", source4)
        .cannot("has no such key"),
];

/// The prefix that everybody knows, which has a restriction.
pub(crate) const OF_WELL_KNOWN: &[Case] = &[
    Case::new("private addresses are refused", private_refused).cannot("says nothing"),
    Case::new("global ones are reached", global_reached),
];
/// Its restriction lifted.
pub(crate) const OF_LIFTED: &[Case] =
    &[Case::new("private addresses are reached", private_reached).cannot("has no such key")];

/// RFC 6052, section 2.4, by hand.
fn embedded(server: Ipv4Addr) -> Vec<Ipv6Addr> {
    let [a, b, c, d] = server.octets().map(u16::from);
    let two = |x: u16, y: u16| x << 8 | y;
    vec![
        Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0, 0, 0, two(a, b), two(c, d)),
        Ipv6Addr::new(0x2001, 0xdc0, two(a, b), two(c, d), 0, 0, 0, 0),
        Ipv6Addr::new(0x2001, 0xdb9, two(1, a), two(b, c), d, 0, 0, 0),
        Ipv6Addr::new(0x2001, 0xdba, 1, two(a, b), c, d << 8, 0, 0),
        Ipv6Addr::new(0x2001, 0xdbb, 1, two(1, a), b, two(c, d), 0, 0),
        Ipv6Addr::new(0x2001, 0xdbc, 1, 1, a, two(b, c), d << 8, 0),
        Ipv6Addr::new(0x64, 0xff9b, 1, 0x7777, 0, 0, two(a, b), two(c, d)),
    ]
}

fn every_length(t: &mut Talk<'_>) {
    for (n, address) in embedded(t.server).into_iter().enumerate() {
        let port = 4100 + n as u16;
        for upper in
            [Upper::Udp(port, 53, data(20)), Upper::Tcp(port, 80, SYN, vec![]), Upper::Ping(port, data(5))]
        {
            let at = t.passes_out(&Six::of(t.client, address, &upper), &upper);
            let back = upper.back();
            t.server_says(&t.four(at, &back));
            let expected = Six { hop_limit: 61, ..Six::of(address, t.client, &back.to(port)) };
            assert_eq!(t.client_hears(), expected);
        }
    }
}

fn suffix(t: &mut Talk<'_>) {
    // Behind the address, where the RFC reserves octets, anything may stand; so in the octet that must be zero.
    let filled = [(1_usize, 0x0011_2233_4455_u128), (5, 0x33_4455)];
    for (which, octets) in filled {
        let plain = embedded(t.server)[which];
        let address = Ipv6Addr::from_bits(plain.to_bits() | octets);
        let upper = Upper::Udp(4200 + which as u16, 53, data(20));
        let at = t.passes_out(&Six::of(t.client, address, &upper), &upper);
        t.server_says(&t.four(at, &upper.back()));
        let heard = t.client_hears();
        let expected = Six::of(plain, t.client, &upper.back().to(4200 + which as u16));
        assert_eq!(heard, Six { hop_limit: 61, ..expected });
    }
}

fn sources(t: &mut Talk<'_>) {
    for address in embedded(Ipv4Addr::new(203, 0, 119, 8)) {
        t.client_says(&Six::of(address, t.server6(), &Upper::Udp(4000, 53, data(20))));
    }
    t.server_hears_nothing();
    t.counted("nat64-source-in-prefix", 7);
}

fn errors(t: &mut Talk<'_>) {
    let router = Ipv4Addr::new(203, 0, 119, 200);
    for (n, (address, seen)) in embedded(t.server).into_iter().zip(embedded(router)).enumerate() {
        let upper = Upper::Udp(4300 + n as u16, 53, data(20));
        let six = Six::of(t.client, address, &upper);
        let at = t.passes_out(&six, &upper);
        let sent = Four { ttl: 40, ..Four::of(at.address, t.server, &upper.from(at.port)) };
        t.server_says(&Four::of(router, at.address, &Upper::Icmp(11, 0, 0, sent.octets())));
        let known = Six { hop_limit: 40, ..six };
        let expected = Six::of(seen, t.client, &Upper::Icmp(3, 0, 0, known.octets()));
        assert_eq!(t.client_hears(), Six { hop_limit: 61, ..expected });
    }
}

fn without_checksum(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(20)));
    let mut four = t.four(at, &Upper::Udp(53, 0, data(20)));
    four.body[6..8].fill(0);
    t.server_says(&four);
    let heard = t.server_hears();
    assert_eq!((heard.protocol, heard.body[0], heard.body[1]), (1, 3, 13));
    assert_eq!(heard.body[8..], Four { ttl: 63, ..four }.octets());
    t.counted("nat64-udp-zero-checksum", 1);
}

fn class_reset(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(20));
    let at = t.opens(&upper);
    let six = Six { traffic_class: 0xff, ..t.six(&upper) };
    t.client_says(&six);
    assert_eq!(t.server_hears().tos, 0);
    t.server_says(&Four { tos: 0xff, ..t.four(at, &upper.back()) });
    assert_eq!(t.client_hears().traffic_class, 0);
}

fn no_echo(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Ping(9, data(20)));
    t.answers(at, &Upper::Pong(9, data(20)), 9);
    t.server_says(&t.four(at, &Upper::Ping(0, data(20))));
    let bound = Outside { address: Ipv4Addr::new(198, 51, 100, 2), port: 7 };
    t.server_says(&t.four(bound, &Upper::Ping(0, data(20))));
    t.client_hears_nothing();
    while t.server_hears_perhaps().is_some() {}
}

fn source4(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(20));
    let at = t.opens(&upper);
    t.answers(at, &upper.back(), 4000);
    let got = t.reached(&t.four(at, &upper.back()), &upper.back().to(4000));
    let mut sources = Vec::new();
    for router in ["2001:db8:1:ffff::1", "2001:db8:1:ffff::2", "2001:db8:1:ffff::1", "2001:db8:1:fffe::9"] {
        let error = Upper::Icmp(3, 0, 0, got.octets());
        t.client_says(&Six::of(router.parse().expect("an address"), t.server6(), &error));
        let heard = t.server_hears();
        assert_eq!((heard.body[0], heard.body[1]), (11, 0));
        assert_eq!(heard.source.to_bits() & !63, Ipv4Addr::new(192, 0, 2, 128).to_bits());
        sources.push(heard.source);
    }
    assert_eq!(sources[0], sources[2]);
    assert!(sources[0] != sources[1] || sources[0] != sources[3], "{sources:?}");
}

fn well_known(server: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(0x64_ff9b_u128 << 96 | u128::from(server.to_bits()))
}

/// RFC 6052, section 3.1: of the IANA registry of special addresses.
const PRIVATE: [[u8; 4]; 7] = [
    [10, 1, 2, 3],
    [172, 16, 0, 1],
    [192, 168, 1, 1],
    [100, 64, 0, 1],
    [192, 0, 2, 80],
    [198, 18, 0, 1],
    [203, 0, 113, 7],
];

fn private_refused(t: &mut Talk<'_>) {
    for address in PRIVATE {
        let six = Six::of(t.client, well_known(address.into()), &Upper::Udp(4000, 53, data(20)));
        t.client_says(&six);
        let heard = t.client_hears();
        assert_eq!((heard.source, heard.next, heard.body[0], heard.body[1]), (GATEWAY6, 58, 1, 1));
    }
    t.counted("nat64-destination-denied", PRIVATE.len() as u64);
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
}

fn global_reached(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(20));
    let at = t.opens(&upper);
    t.answers(at, &upper.back(), 4000);
    // A stranger with a private address is none that the prefix could show.
    let stranger = Four::of([10, 1, 2, 3].into(), at.address, &Upper::Udp(53, at.port, data(20)));
    t.server_says(&stranger);
    t.client_hears_nothing();
}

fn private_reached(t: &mut Talk<'_>) {
    // One of them is on the gateway's own link, where nobody is.
    for address in PRIVATE.into_iter().filter(|address| address[..3] != [192, 0, 2]) {
        t.server = address.into();
        let upper = Upper::Udp(4000, 53, data(20));
        let at = t.opens(&upper);
        t.answers(at, &upper.back(), 4000);
    }
}
