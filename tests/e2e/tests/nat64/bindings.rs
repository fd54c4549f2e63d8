//! Who gets which outside transport address, and who may use it (RFC 6146, sections 3.5 and 3.8; RFC 4787; RFC 5382; RFC 5508).

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_e2e::nat64::craft::{ACK, SYN, data};
use sixgate_e2e::nat64::site::GATEWAY4;
use sixgate_e2e::nat64::{Case, Four, Outside, Six, Talk, Upper};

/// Without a filter.
pub(crate) const OPEN: &[Case] = &[
    Case::new("one inside has one outside for all destinations, of each protocol", one_outside),
    Case::new("two insides never have the same outside", two_insides),
    Case::new("all that a client opens leaves from one address", paired),
    Case::new("parity of ports is kept", parity),
    Case::new("outside ports cannot be foretold from those before", unforeseeable)
        .cannot("keeps the inside's port where it is free"),
    Case::new("anybody may use an open binding", anybody).cannot("admits only who was spoken to"),
    Case::new("a connection from outside to an open binding is carried", inbound_tcp)
        .cannot("admits only who was spoken to"),
    Case::new("a segment by a binding and without a session passes, both ways", no_session),
    Case::new("a datagram to what nobody has is refused with 3/1", nobody).cannot("is silent"),
    Case::new("a static binding is open from the start", static_binding).cannot("has none here"),
    Case::new("clients meet by their outside addresses, errors too", hairpin).cannot("does not turn back"),
    Case::new("a client that calls itself by its outside address hears itself", oneself)
        .cannot("does not turn back"),
    Case::new("a datagram to a pool address that nobody has ends with one error", hairpin_to_nobody)
        .cannot("does not turn back"),
    Case::new("fragments meet too", hairpin_fragments).cannot("does not turn back"),
];

/// With address-dependent filtering.
pub(crate) const FILTERED: &[Case] = &[
    Case::new("who was spoken to may answer from any port", same_address)
        .cannot("asks for the same port too"),
    Case::new("who was not is refused with 3/13", other_address).cannot("is silent"),
    Case::new("of echo requests as well", other_echo).cannot("is silent"),
    Case::new("a static binding stays open", static_binding).cannot("has none here"),
    Case::new("neighbours are filtered too", filtered_hairpin).cannot("does not turn back"),
];

/// Somebody else.
const STRANGER: Ipv4Addr = Ipv4Addr::new(203, 0, 119, 5);

#[track_caller]
fn source(t: &mut Talk<'_>) -> Outside {
    let heard = t.server_hears();
    Outside { address: heard.source, port: heard.from_port() }
}

fn kinds() -> [Upper; 3] {
    [Upper::Udp(4000, 53, data(9)), Upper::Tcp(4001, 80, SYN, vec![]), Upper::Ping(9, data(9))]
}

fn one_outside(t: &mut Talk<'_>) {
    for upper in kinds() {
        let at = t.opens(&upper);
        for last in 1..6 {
            let other = t.site.embed(Ipv4Addr::new(203, 0, 119, last));
            t.client_says(&Six::of(
                t.client,
                other,
                &upper.to(if let Upper::Ping(..) = upper { 9 } else { 1000 + u16::from(last) }),
            ));
            assert_eq!(source(t), at, "{upper:?}");
        }
    }
}

fn two_insides(t: &mut Talk<'_>) {
    let mut seen = Vec::new();
    for port in 4000..4040 {
        seen.push(t.opens(&Upper::Udp(port, 53, data(9))));
    }
    let first = t.client;
    for n in 0..40 {
        t.client = Ipv6Addr::from_bits(first.to_bits() + 1 + n);
        seen.push(t.opens(&Upper::Udp(4000, 53, data(9))));
    }
    let ends: std::collections::BTreeSet<_> = seen.iter().map(|at| (at.address, at.port)).collect();
    assert_eq!(ends.len(), 80, "{seen:?}");
}

fn paired(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    for port in 1..20 {
        assert_eq!(t.opens(&Upper::Udp(4000 + port, 53, data(9))).address, at.address);
        assert_eq!(t.opens(&Upper::Tcp(4000 + port, 80, SYN, vec![])).address, at.address);
        assert_eq!(t.opens(&Upper::Ping(port, data(9))).address, at.address);
    }
    let first = t.client;
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..60 {
        t.client = Ipv6Addr::from_bits(first.to_bits() + 1 + n);
        seen.insert(t.opens(&Upper::Udp(4000, 53, data(9))).address);
    }
    assert!(seen.len() > 8, "clients are spread over the pool: {seen:?}");
}

fn parity(t: &mut Talk<'_>) {
    for port in 5000..5032 {
        assert_eq!(t.opens(&Upper::Udp(port, 53, data(9))).port % 2, port % 2);
    }
    for port in [1, 2, 1022, 1023] {
        assert!(t.opens(&Upper::Udp(port, 53, data(9))).port < 1024, "RFC 4787, REQ-3");
    }
    assert!(t.opens(&Upper::Udp(1024, 53, data(9))).port >= 1024);
}

fn unforeseeable(t: &mut Talk<'_>) {
    let ports: Vec<u16> = (0..200).map(|n| t.opens(&Upper::Udp(6000 + n, 53, data(9))).port).collect();
    let steps: std::collections::BTreeSet<u16> =
        ports.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    assert!(steps.len() > 180, "{} different steps of 199: {ports:?}", steps.len());
    let upper = ports.iter().filter(|port| **port > 32_768).count();
    assert!((40..160).contains(&upper), "over the whole range: {upper} of 200 are above 32,768");
}

fn anybody(t: &mut Talk<'_>) {
    let datagram = t.opens(&Upper::Udp(4000, 53, data(9)));
    let echo = t.opens(&Upper::Ping(9, data(9)));
    t.server = STRANGER;
    // And is answered, from the same outside.
    t.answers(datagram, &Upper::Udp(999, 0, data(9)), 4000);
    assert_eq!(t.opens(&Upper::Udp(4000, 999, data(9))), datagram);
    t.answers(echo, &Upper::Ping(0, data(9)), 9);
    assert_eq!(t.opens(&Upper::Pong(9, data(9))), echo);
}

fn inbound_tcp(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Tcp(4001, 80, SYN, vec![]));
    t.server = STRANGER;
    t.answers(at, &Upper::Tcp(7777, 0, SYN, vec![]), 4001);
    assert_eq!(t.opens(&Upper::Tcp(4001, 7777, 0x12, vec![])), at);
    t.answers(at, &Upper::Tcp(7777, 0, ACK, data(50)), 4001);
    let states = t.state().iter().filter(|line| line["state"] == "established").count();
    assert_eq!(states, 1);
}

fn no_session(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Tcp(4001, 80, SYN, vec![]));
    t.server = STRANGER;
    let state = t.state().len();
    assert_eq!(t.opens(&Upper::Tcp(4001, 7777, ACK, data(5))), at);
    t.answers(at, &Upper::Tcp(7777, 0, ACK, data(50)), 4001);
    assert_eq!(t.state().len(), state, "neither makes a session");
}

fn nobody(t: &mut Talk<'_>) {
    let at = Outside { address: Ipv4Addr::new(198, 51, 100, 3), port: 61_000 };
    for upper in [Upper::Udp(53, 0, data(30)), Upper::Ping(0, data(30))] {
        let four = t.four(at, &upper);
        t.server_says(&four);
        let heard = t.server_hears();
        assert_eq!((heard.source, heard.destination, heard.protocol), (GATEWAY4, t.server, 1));
        assert_eq!((heard.body[0], heard.body[1]), (3, 1));
        assert_eq!(heard.body[8..], Four { ttl: 63, ..four }.octets());
    }
    t.counted("nat64-no-binding", 2);
}

/// What [`crate::STATICS`] says.
fn static_binding(t: &mut Talk<'_>) {
    t.client = "2001:db8:1:aaaa::8".parse().expect("an address");
    let at = |port| Outside { address: Ipv4Addr::new(198, 51, 100, 2), port };
    t.answers(at(443), &Upper::Tcp(7777, 0, SYN, vec![]), 4443);
    assert_eq!(t.opens(&Upper::Tcp(4443, 7777, 0x12, vec![])), at(443));
    t.answers(at(53), &Upper::Udp(7777, 0, data(30)), 5353);
    assert_eq!(t.opens(&Upper::Udp(5353, 7777, data(30))), at(53));
    t.passes_in(&t.four(at(7), &Upper::Ping(7, data(30))), &Upper::Ping(70, data(30)));
    assert_eq!(t.opens(&Upper::Pong(70, data(30))), at(7));
    // The inside leaves by it too, whoever it talks to.
    t.server = STRANGER;
    assert_eq!(t.opens(&Upper::Udp(5353, 99, data(30))), at(53));
}

/// Another client of the same case.
fn neighbour(t: &Talk<'_>) -> Ipv6Addr {
    Ipv6Addr::from_bits(t.client.to_bits() + 1)
}

fn hairpin(t: &mut Talk<'_>) {
    let (a, b) = (t.client, neighbour(t));
    for (upper, port) in kinds().into_iter().zip([4000, 4001, 0]) {
        if port == 0 {
            continue;
        }
        let at = t.opens(&upper);
        let towards = t.site.embed(at.address);
        t.client_says(&Six::of(b, towards, &upper.from(6000).to(at.port)));
        let heard = t.client_hears();
        let from = u16::from_be_bytes([heard.body[0], heard.body[1]]);
        let seen = Six { hop_limit: heard.hop_limit, ..Six::of(heard.source, a, &upper.from(from).to(port)) };
        assert_eq!(heard, seen, "the neighbour is seen by its own outside address");
        let other = t.site.embed(Ipv4Addr::new(198, 51, 100, 0)).to_bits();
        assert_eq!(heard.source.to_bits() & !15, other);
        // The answer goes the same way back.
        t.client_says(&Six::of(a, heard.source, &upper.from(port).to(from)));
        let answer = t.client_hears();
        let expected = Six::of(towards, b, &upper.from(at.port).to(6000));
        assert_eq!(answer, Six { hop_limit: answer.hop_limit, ..expected });
        // And an error about it.
        t.client_says(&Six::of(b, towards, &Upper::Icmp(1, 4, 0, answer.octets())));
        let error = t.client_hears();
        let sent =
            Six { hop_limit: answer.hop_limit, ..Six::of(a, heard.source, &upper.from(port).to(from)) };
        let expected = Six::of(heard.source, a, &Upper::Icmp(1, 4, 0, sent.octets()));
        assert_eq!(error, Six { hop_limit: error.hop_limit, ..expected });
    }
}

fn oneself(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(20));
    let at = t.opens(&upper);
    let own = t.site.embed(at.address);
    t.client_says(&Six::of(t.client, own, &upper.to(at.port)));
    let heard = t.client_hears();
    let expected = Six::of(own, t.client, &Upper::Udp(at.port, 4000, data(20)));
    assert_eq!(heard, Six { hop_limit: heard.hop_limit, ..expected });
}

fn hairpin_to_nobody(t: &mut Talk<'_>) {
    let towards = t.site.embed(Ipv4Addr::new(198, 51, 100, 3));
    let six = Six::of(t.client, towards, &Upper::Udp(4000, 61_001, data(20)));
    t.client_says(&six);
    let heard = t.client_hears();
    assert_eq!((heard.destination, heard.next, heard.body[0]), (t.client, 58, 1));
    let quoted = &heard.body[8..];
    assert_eq!(quoted[8..], six.octets()[8..], "about what was sent");
}

fn hairpin_fragments(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(20)));
    let upper = Upper::Udp(6000, at.port, data(1000));
    let towards = t.site.embed(at.address);
    let parts = Six::of(neighbour(t), towards, &upper).fragments(9, 504);
    t.client_says(&parts[1]);
    t.client_says(&parts[0]);
    let (first, second) = (t.client_hears(), t.client_hears());
    let from = u16::from_be_bytes([first.body[8], first.body[9]]);
    let whole = Six::of(first.source, t.client, &Upper::Udp(from, 4000, data(1000)));
    let expected: Vec<Six> = whole.fragments(9, 504);
    let hop_limit = first.hop_limit;
    assert_eq!(
        [first, second].to_vec(),
        expected.into_iter().map(|six| Six { hop_limit, ..six }).collect::<Vec<_>>()
    );
}

fn same_address(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(20));
    let at = t.opens(&upper);
    t.answers(at, &upper.back(), 4000);
    t.answers(at, &Upper::Udp(54, 0, data(30)), 4000);
}

fn other_address(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(20)));
    let four = Four::of(STRANGER, at.address, &Upper::Udp(53, at.port, data(20)));
    t.server_says(&four);
    let heard = t.server_hears();
    assert_eq!((heard.source, heard.destination, heard.protocol), (GATEWAY4, STRANGER, 1));
    assert_eq!((heard.body[0], heard.body[1]), (3, 13));
    assert_eq!(heard.body[8..], Four { ttl: 63, ..four }.octets());
    t.counted("nat64-filtered", 1);
}

fn other_echo(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Ping(9, data(20)));
    t.server_says(&Four::of(STRANGER, at.address, &Upper::Ping(at.port, data(20))));
    let heard = t.server_hears();
    assert_eq!((heard.source, heard.body[0], heard.body[1]), (GATEWAY4, 3, 13));
}

fn filtered_hairpin(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(20)));
    let towards = t.site.embed(at.address);
    t.client_says(&Six::of(neighbour(t), towards, &Upper::Udp(6000, at.port, data(20))));
    let heard = t.client_hears();
    assert_eq!((heard.destination, heard.next, heard.body[0], heard.body[1]), (neighbour(t), 58, 1, 1));
    t.counted("nat64-filtered", 1);
}
