//! What the entries of a pool mean: protocols, ports, the gateway's own address, and what happens when nothing is left.

use std::net::Ipv4Addr;

use sixgate_e2e::nat64::craft::{SYN, data};
use sixgate_e2e::nat64::site::{GATEWAY4, GATEWAY6};
use sixgate_e2e::nat64::{Case, Four, Outside, Six, Talk, Upper};

/// Ranges for each protocol.
pub(crate) const RANGES: &[&str] = &[
    "tcp/198.51.100.1:2000-2009",
    "udp/198.51.100.2:3000-3099",
    "icmp/198.51.100.3:7-9",
    "tcp/198.51.100.4:50000-50001",
];
pub(crate) const OF_RANGES: &[Case] = &[
    Case::new("each protocol leaves from its own addresses and ports", ranges),
    Case::new("what is left of the pool is given out to the last, then refused with 1/3", exhausted),
    Case::new("ports outside the ranges are nobody's", outside_of_ranges),
];

/// The gateway's own address, some of its ports.
pub(crate) const OWN: &[&str] = &["192.0.2.1:10000-10999"];
pub(crate) const OF_OWN: &[Case] = &[
    Case::new("sessions leave from the gateway's own address and their answers come back", own),
    Case::new("the other ports are the kernel's", kernels),
    Case::new("fragments come back too", own_fragments),
    Case::new("errors about sessions come back, errors about the kernel's do not", own_errors),
    Case::new("a datagram to a port of the pool that nobody has is refused by us", own_nobody),
    Case::new("clients meet there too", own_hairpin),
];

/// Bindings on the gateway's own address, of ports that its pool has not.
pub(crate) const OWN_STATICS: &str = "static = [\"tcp 192.0.2.1:443 = [2001:db8:1:aaaa::8]:4443\", \
    \"udp 192.0.2.1:53 = [2001:db8:1:aaaa::8]:5353\", \"icmp 192.0.2.1:7 = [2001:db8:1:aaaa::8]:70\"]\n";
pub(crate) const OF_OWN_STATICS: &[Case] = &[
    Case::new("a static binding on the gateway's own address needs no port of the pool", own_statics),
    Case::new("and the ports beside it are the kernel's", kernels),
];

/// A client may have four sessions.
pub(crate) const OF_LIMITED: &[Case] =
    &[Case::new("a client has so many sessions and no more, others are not touched", limited)
        .cannot("has no such key")];

fn ranges(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    assert!(at.address == Ipv4Addr::new(198, 51, 100, 2) && (3000..3100).contains(&at.port), "{at:?}");
    let at = t.opens(&Upper::Ping(9, data(9)));
    assert!(at.address == Ipv4Addr::new(198, 51, 100, 3) && (7..10).contains(&at.port), "{at:?}");
    let at = t.opens(&Upper::Tcp(4001, 80, SYN, vec![]));
    let first = at.address == Ipv4Addr::new(198, 51, 100, 1) && (2000..2010).contains(&at.port);
    let second = at.address == Ipv4Addr::new(198, 51, 100, 4) && (50_000..50_002).contains(&at.port);
    assert!(first || second, "{at:?}");
    t.answers(at, &Upper::Tcp(80, 0, 0x12, vec![]), 4001);
}

fn exhausted(t: &mut Talk<'_>) {
    // Three identifiers are all there are; one went to the case before.
    t.opens(&Upper::Ping(100, data(9)));
    t.opens(&Upper::Ping(101, data(9)));
    let six = t.six(&Upper::Ping(102, data(9)));
    t.client_says(&six);
    let heard = t.client_hears();
    let quoted = Six { hop_limit: 63, ..six }.octets();
    let expected = Six::of(GATEWAY6, t.client, &Upper::Icmp(1, 3, 0, quoted));
    assert_eq!(heard, Six { hop_limit: heard.hop_limit, ..expected });
    t.counted("nat64-pool-exhausted", 1);
    // Who has one keeps it, and the other protocols go on.
    t.opens(&Upper::Ping(100, data(9)));
    t.opens(&Upper::Udp(4000, 53, data(9)));
}

fn outside_of_ranges(t: &mut Talk<'_>) {
    for (last, upper) in [
        (1, Upper::Udp(53, 2000, data(9))),
        (2, Upper::Tcp(53, 3000, SYN, vec![])),
        (2, Upper::Udp(53, 2999, data(9))),
    ] {
        let at = Ipv4Addr::new(198, 51, 100, last);
        t.server_says(&Four::of(t.server, at, &upper));
    }
    t.client_hears_nothing();
    t.server_hears_nothing();
}

fn own(t: &mut Talk<'_>) {
    for (upper, port) in [
        (Upper::Udp(4000, 53, data(30)), 4000),
        (Upper::Tcp(4001, 80, SYN, vec![]), 4001),
        (Upper::Ping(9, data(30)), 9),
    ] {
        let at = t.opens(&upper);
        assert!(at.address == GATEWAY4 && (10_000..11_000).contains(&at.port), "{at:?}");
        t.answers(at, &upper.back(), port);
    }
}

fn kernels(t: &mut Talk<'_>) {
    let own = |port| Outside { address: GATEWAY4, port };
    // Nobody listens: the kernel says so itself, in its own words.
    let syn = t.four(own(22), &Upper::Tcp(7777, 0, SYN, vec![]));
    t.server_says(&syn);
    let heard = t.server_hears();
    assert_eq!((heard.protocol, heard.body[13] & 4), (6, 4), "a reset of the kernel's");
    let datagram = t.four(own(9999), &Upper::Udp(7777, 0, data(9)));
    t.server_says(&datagram);
    let heard = t.server_hears();
    assert_eq!((heard.protocol, heard.body[0], heard.body[1]), (1, 3, 3));
    let ping = t.four(own(99), &Upper::Ping(0, data(9)));
    t.server_says(&ping);
    let heard = t.server_hears();
    assert_eq!(heard.body, Four::of(GATEWAY4, t.server, &Upper::Pong(99, data(9))).body);
    // As does whoever listens there.
    let said = t
        .site
        .row
        .sh("middle", "timeout 4 socat -u UDP4-RECV:8053 STDOUT & for n in 1 2 3 4 5 6 7 8 9; do sleep 0.2; ss -lun | grep -c :8053 && break; done");
    assert!(said.text.contains('1'), "{}", said.text);
}

fn own_fragments(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(30)));
    let back = Upper::Udp(53, 4000, data(1800));
    let four = Four { identification: 0x55, dont_fragment: false, ..t.four(at, &back) };
    let whole = t.reached(&four, &back);
    let parts = four.fragments(1200);
    t.server_says(&parts[1]);
    t.server_says(&parts[0]);
    let mut heard = Vec::new();
    while heard.iter().map(|six: &Six| six.body.len() - 8).sum::<usize>() < whole.body.len() {
        heard.push(t.client_hears());
    }
    heard.sort_by_key(|six| six.body[2..4].to_vec());
    let octets: Vec<u8> = heard.iter().flat_map(|six| six.body[8..].to_vec()).collect();
    assert_eq!(octets, whole.body);
    let parts = t.six(&Upper::Udp(4000, 53, data(1800))).fragments(9, 1200);
    t.client_says(&parts[1]);
    t.client_says(&parts[0]);
    let mut heard = [t.server_hears(), t.server_hears()];
    heard.sort_by_key(|four| four.offset);
    let whole = Four::of(GATEWAY4, t.server, &Upper::Udp(at.port, 53, data(1800)));
    assert_eq!(heard[0].body.len() + heard[1].body.len(), whole.body.len());
    assert_eq!([heard[0].body.clone(), heard[1].body.clone()].concat(), whole.body);
}

fn own_errors(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(30));
    let at = t.opens(&upper);
    let sent = Four { ttl: 40, ..Four::of(GATEWAY4, t.server, &upper.from(at.port)) };
    let router = Ipv4Addr::new(203, 0, 119, 200);
    let known = Six { hop_limit: 40, ..t.six(&upper) };
    let four = Four::of(router, GATEWAY4, &Upper::Icmp(11, 0, 0, sent.octets()));
    t.passes_in(&four, &Upper::Icmp(3, 0, 0, known.octets()));
    let kernels = Four::of(GATEWAY4, t.server, &Upper::Udp(45_000, 53, data(30)));
    t.server_says(&Four::of(router, GATEWAY4, &Upper::Icmp(11, 0, 0, kernels.octets())));
    t.client_hears_nothing();
}

fn own_nobody(t: &mut Talk<'_>) {
    let four = t.four(Outside { address: GATEWAY4, port: 10_998 }, &Upper::Udp(53, 0, data(9)));
    t.server_says(&four);
    let heard = t.server_hears();
    assert_eq!((heard.source, heard.body[0], heard.body[1]), (GATEWAY4, 3, 1));
    t.counted("nat64-no-binding", 1);
}

fn own_hairpin(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(30)));
    let a = t.client;
    let b = std::net::Ipv6Addr::from_bits(a.to_bits() + 1);
    t.client_says(&Six::of(b, t.site.embed(GATEWAY4), &Upper::Udp(6000, at.port, data(9))));
    let heard = t.client_hears();
    assert_eq!((heard.source, heard.destination), (t.site.embed(GATEWAY4), a));
}

fn own_statics(t: &mut Talk<'_>) {
    t.client = "2001:db8:1:aaaa::8".parse().expect("an address");
    let at = |port| Outside { address: GATEWAY4, port };
    t.answers(at(443), &Upper::Tcp(7777, 0, SYN, vec![]), 4443);
    assert_eq!(t.opens(&Upper::Tcp(4443, 7777, 0x12, vec![])), at(443));
    t.answers(at(53), &Upper::Udp(7777, 0, data(30)), 5353);
    assert_eq!(t.opens(&Upper::Udp(5353, 7777, data(30))), at(53));
    // Echo requests from outside are the kernel's on its own address; replies to the inside's are not.
    assert_eq!(t.opens(&Upper::Ping(70, data(30))), at(7));
    t.answers(at(7), &Upper::Pong(0, data(30)), 70);
    // Errors about what it sent find their way.
    let sent = Four { ttl: 40, ..Four::of(GATEWAY4, t.server, &Upper::Udp(53, 7777, data(30))) };
    let known = Six { hop_limit: 40, ..t.six(&Upper::Udp(5353, 7777, data(30))) };
    let four = Four::of(t.server, GATEWAY4, &Upper::Icmp(3, 3, 0, sent.octets()));
    t.passes_in(&four, &Upper::Icmp(1, 4, 0, known.octets()));
}

fn limited(t: &mut Talk<'_>) {
    for port in 1..5 {
        t.opens(&Upper::Udp(4000 + port, 53, data(9)));
    }
    let six = t.six(&Upper::Udp(4009, 53, data(9)));
    t.client_says(&six);
    let heard = t.client_hears();
    assert_eq!((heard.source, heard.next, heard.body[0]), (GATEWAY6, 58, 1));
    t.server_hears_nothing();
    t.counted("nat64-client-limit", 1);
    // What it has stays, and somebody else opens.
    t.opens(&Upper::Udp(4001, 53, data(9)));
    t.client = std::net::Ipv6Addr::from_bits(t.client.to_bits() + 1);
    t.opens(&Upper::Udp(4001, 53, data(9)));
}
