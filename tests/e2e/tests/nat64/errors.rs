//! ICMP errors of others, with the packets that they quote (RFC 7915, sections 4.2, 4.3, 5.2 and 5.3; RFC 6146, section 3.5;
//! RFC 6791; RFC 4884).

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_e2e::nat64::craft::{ACK, data};
use sixgate_e2e::nat64::site::GATEWAY4;
use sixgate_e2e::nat64::{Case, Four, Outside, Six, Talk, Upper};

pub(crate) const CASES: &[Case] = &[
    Case::new("every ICMPv4 error arrives as RFC 7915 says, from the router that made it", every_in)
        .cannot("some codes and pointers do not arrive"),
    Case::new("the ICMPv4 errors without counterpart do not arrive", none_in),
    Case::new("every ICMPv6 error of the client arrives, from where it is seen", every_out)
        .cannot("its quote says \"don't fragment\""),
    Case::new("the ICMPv6 errors without counterpart do not arrive", none_out),
    Case::new("an ICMPv6 error of a router on the way has a source of ours", router_out)
        .cannot("has no address for it"),
    Case::new("\"fragmentation needed\" becomes \"too big\" with 20 octets more", needed_in),
    Case::new("a router that tells no MTU means the plateau below the packet", plateau_in),
    Case::new("\"too big\" becomes \"fragmentation needed\" with 20 octets less", too_big_out)
        .cannot("its quote says \"don't fragment\""),
    Case::new("an error about a connection has the ports that the client knows", about_tcp),
    Case::new("an error about an echo request has the identifier that the client knows", about_echo),
    Case::new("an error that quotes no session's packet does not arrive, and makes no state", unknown),
    Case::new("an error about an error does not arrive", about_error),
    Case::new("an error with eight octets of its packet's transport arrives", short_quote),
    Case::new("an error inwards has at most 1,280 octets, outwards at most 576", long_quote)
        .cannot("quotes as much as came"),
    Case::new("the length of an extension is told in the units of the other family", extension_in)
        .cannot("copies the extension without its length"),
    Case::new("outwards as well, with padding", extension_out)
        .cannot("copies the extension without its length"),
    Case::new("a damaged error stays damaged", damage).cannot("drops damaged ICMP"),
    Case::new("the quoted hop limit and traffic class stay what the router saw", quoted_fields),
];

/// A router in the IPv4 network.
const ROUTER: Ipv4Addr = Ipv4Addr::new(198, 18, 7, 9);

/// Type, code, and the four octets behind the checksum.
type What = (u8, u8, u32);

/// What the server got from the client, as a router saw it when it refused it.
fn refused(t: &Talk<'_>, at: Outside, upper: &Upper) -> Four {
    Four { ttl: 55, ..Four::of(at.address, t.server, &upper.from(at.port)) }
}

/// The same as the client knows it.
fn refused6(t: &Talk<'_>, upper: &Upper) -> Six {
    Six { hop_limit: 55, ..Six::of(t.client, t.server6(), upper) }
}

/// The router says `what` about `quoted`, and the client hears `becomes`, quoting `known`.
#[track_caller]
fn arrives(t: &mut Talk<'_>, at: Outside, what: What, quoted: &[u8], becomes: What, known: &[u8]) {
    let error = Upper::Icmp(what.0, what.1, what.2, quoted.to_vec());
    let four = Four { ttl: 60, ..Four::of(ROUTER, at.address, &error) };
    t.passes_in(&four, &Upper::Icmp(becomes.0, becomes.1, becomes.2, known.to_vec()));
}

/// RFC 7915, section 4.2.
const IN: [(What, What); 28] = [
    ((3, 0, 0), (1, 0, 0)),
    ((3, 1, 0), (1, 0, 0)),
    ((3, 2, 0), (4, 1, 6)),
    ((3, 3, 0), (1, 4, 0)),
    ((3, 5, 0), (1, 0, 0)),
    ((3, 6, 0), (1, 0, 0)),
    ((3, 7, 0), (1, 0, 0)),
    ((3, 8, 0), (1, 0, 0)),
    ((3, 9, 0), (1, 1, 0)),
    ((3, 10, 0), (1, 1, 0)),
    ((3, 11, 0), (1, 0, 0)),
    ((3, 12, 0), (1, 0, 0)),
    ((3, 13, 0), (1, 1, 0)),
    ((3, 15, 0), (1, 1, 0)),
    ((11, 0, 0), (3, 0, 0)),
    ((11, 1, 0), (3, 1, 0)),
    ((12, 0, 0), (4, 0, 0)),
    ((12, 0, 1 << 24), (4, 0, 1)),
    ((12, 0, 2 << 24), (4, 0, 4)),
    ((12, 0, 3 << 24), (4, 0, 4)),
    ((12, 0, 8 << 24), (4, 0, 7)),
    ((12, 0, 9 << 24), (4, 0, 6)),
    ((12, 0, 12 << 24), (4, 0, 8)),
    ((12, 0, 15 << 24), (4, 0, 8)),
    ((12, 0, 16 << 24), (4, 0, 24)),
    ((12, 0, 19 << 24), (4, 0, 24)),
    ((12, 2, 0), (4, 0, 0)),
    ((3, 4, 1400), (2, 0, 1420)),
];

fn every_in(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(40));
    let at = t.opens(&upper);
    let (quoted, known) = (refused(t, at, &upper).octets(), refused6(t, &upper).octets());
    for (what, becomes) in IN {
        arrives(t, at, what, &quoted, becomes, &known);
    }
}

fn none_in(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(40));
    let at = t.opens(&upper);
    let quoted = refused(t, at, &upper).octets();
    let kinds = [(3, 14), (3, 16), (4, 0), (12, 1), (5, 1), (13, 0), (15, 0), (17, 0), (40, 0)];
    for (kind, code) in kinds {
        let four = Four::of(ROUTER, at.address, &Upper::Icmp(kind, code, 0, quoted.clone()));
        t.server_says(&four);
    }
    for pointer in [4_u32, 5, 6, 7, 10, 11, 20, 40] {
        let error = Upper::Icmp(12, 0, pointer << 24, quoted.clone());
        t.server_says(&Four::of(ROUTER, at.address, &error));
    }
    t.client_hears_nothing();
    t.server_hears_nothing();
}

/// RFC 7915, section 5.2.
const OUT: [(What, What); 18] = [
    ((1, 0, 0), (3, 1, 0)),
    ((1, 1, 0), (3, 10, 0)),
    ((1, 2, 0), (3, 1, 0)),
    ((1, 3, 0), (3, 1, 0)),
    ((1, 4, 0), (3, 3, 0)),
    ((3, 0, 0), (11, 0, 0)),
    ((3, 1, 0), (11, 1, 0)),
    ((4, 0, 0), (12, 0, 0)),
    ((4, 0, 1), (12, 0, 1 << 24)),
    ((4, 0, 4), (12, 0, 2 << 24)),
    ((4, 0, 5), (12, 0, 2 << 24)),
    ((4, 0, 6), (12, 0, 9 << 24)),
    ((4, 0, 7), (12, 0, 8 << 24)),
    ((4, 0, 8), (12, 0, 12 << 24)),
    ((4, 0, 23), (12, 0, 12 << 24)),
    ((4, 0, 24), (12, 0, 16 << 24)),
    ((4, 0, 39), (12, 0, 16 << 24)),
    ((4, 1, 6), (3, 2, 0)),
];

/// A session with an answer: what the server said, as it sent it and as the client got it.
fn answered(t: &mut Talk<'_>) -> (Outside, Four, Six) {
    answered_with(t, 40)
}

fn answered_with(t: &mut Talk<'_>, length: usize) -> (Outside, Four, Six) {
    let upper = Upper::Udp(4000, 53, data(length));
    let at = t.opens(&upper);
    t.answers(at, &upper.back(), 4000);
    let said = t.four(at, &upper.back());
    let got = t.reached(&said, &upper.back());
    // What is quoted was on its way already; what says "don't fragment" and has no identification, as translators write it.
    (at, Four { ttl: got.hop_limit, identification: 0, dont_fragment: 28 + length > 1260, ..said }, got)
}

/// The client, or a router of its side, says `what`; the server hears `becomes` from `seen`.
#[track_caller]
fn leaves(
    t: &mut Talk<'_>,
    (from, seen): (Ipv6Addr, Ipv4Addr),
    (what, quoted): (What, &[u8]),
    (becomes, known): (What, &[u8]),
) {
    let error = Upper::Icmp(what.0, what.1, what.2, quoted.to_vec());
    t.client_says(&Six::of(from, t.server6(), &error));
    let heard = t.server_hears();
    let error = Upper::Icmp(becomes.0, becomes.1, becomes.2, known.to_vec());
    let expected = Four::of(seen, t.server, &error);
    let (identification, dont_fragment) = (heard.identification, heard.dont_fragment);
    assert_eq!(heard, Four { ttl: 61, identification, dont_fragment, ..expected });
}

fn every_out(t: &mut Talk<'_>) {
    let (at, said, got) = answered(t);
    for (what, becomes) in OUT {
        leaves(t, (t.client, at.address), (what, &got.octets()), (becomes, &said.octets()));
    }
}

fn none_out(t: &mut Talk<'_>) {
    let (_, _, got) = answered(t);
    let kinds = [(1, 5), (1, 6), (1, 7), (4, 2), (100, 0), (127, 0), (130, 0), (137, 0), (138, 0), (200, 0)];
    for (kind, code) in kinds {
        let error = Upper::Icmp(kind, code, 0, got.octets());
        t.client_says(&t.six(&error));
    }
    for pointer in [2, 3, 40, 41, 256] {
        let error = Upper::Icmp(4, 0, pointer, got.octets());
        t.client_says(&t.six(&error));
    }
    t.server_hears_nothing();
    t.client_hears_nothing();
}

fn router_out(t: &mut Talk<'_>) {
    let (_, said, got) = answered(t);
    let router = Ipv6Addr::new(0x2001, 0xdb8, 1, 0xffff, 0, 0, 0, 1);
    leaves(t, (router, GATEWAY4), ((3, 0, 0), &got.octets()), ((11, 0, 0), &said.octets()));
}

fn needed_in(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(1300));
    let at = t.opens(&upper);
    let (quoted, known) = (refused(t, at, &upper).octets(), refused6(t, &upper).octets());
    for (mtu, becomes) in [
        (1300, 1320),
        (1400, 1420),
        (1480, 1500),
        (1261, 1281),
        (1260, 1280),
        (576, 1280),
        (68, 1280),
        (1500, 1500),
        (9000, 1500),
    ] {
        arrives(t, at, (3, 4, mtu), &quoted[..28], (2, 0, becomes), &known[..48]);
    }
}

fn plateau_in(t: &mut Talk<'_>) {
    for (total, becomes) in [(1480, 1280), (1301, 1280)] {
        let upper = Upper::Udp(4000, 53, data(total - 28));
        let at = t.opens(&upper);
        let (quoted, known) = (refused(t, at, &upper).octets(), refused6(t, &upper).octets());
        arrives(t, at, (3, 4, 0), &quoted[..28], (2, 0, becomes), &known[..48]);
    }
}

fn too_big_out(t: &mut Talk<'_>) {
    let (at, said, got) = answered_with(t, 1232);
    for (mtu, becomes) in [(1280, 1260), (1281, 1261), (1400, 1380), (1500, 1480), (9000, 1480)] {
        let (quoted, known) = (got.octets(), said.octets());
        leaves(t, (t.client, at.address), ((2, 0, mtu), &quoted[..600]), ((3, 4, becomes), &known[..548]));
    }
}

fn about_tcp(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Tcp(4001, 80, 2, vec![]));
    let upper = Upper::Tcp(4001, 80, ACK, data(400));
    let (quoted, known) = (refused(t, at, &upper).octets(), refused6(t, &upper).octets());
    arrives(t, at, (3, 1, 0), &quoted, (1, 0, 0), &known);
}

fn about_echo(t: &mut Talk<'_>) {
    let upper = Upper::Ping(777, data(56));
    let at = t.opens(&upper);
    let (quoted, known) = (refused(t, at, &upper).octets(), refused6(t, &upper).octets());
    arrives(t, at, (3, 1, 0), &quoted, (1, 0, 0), &known);
    arrives(t, at, (11, 0, 0), &quoted, (3, 0, 0), &known);
}

fn unknown(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(40));
    let at = t.opens(&upper);
    let state = t.state();
    let error = |quoted: &Four| Four::of(ROUTER, at.address, &Upper::Icmp(3, 1, 0, quoted.octets()));
    let known = refused(t, at, &upper);
    let elsewhere = Four::of(at.address, Ipv4Addr::new(203, 0, 119, 1), &upper.from(at.port));
    let other_port = Four::of(at.address, t.server, &upper.from(at.port ^ 0x100));
    let other_peer_port = Four::of(at.address, t.server, &upper.from(at.port).to(54));
    let not_from_there = Four { source: Ipv4Addr::new(198, 51, 100, 77), ..known.clone() };
    let backwards = Four::of(t.server, at.address, &upper.back().to(at.port));
    let later = Four { offset: 800, ..known };
    for quoted in [&elsewhere, &other_port, &other_peer_port, &not_from_there, &backwards, &later] {
        t.server_says(&error(quoted));
    }
    t.client_hears_nothing();
    t.counted("nat64-icmp-error-unknown", 6);
    let ends = |state: &[serde_json::Value]| {
        state.iter().map(|line| (line["outside"].clone(), line["peer"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(ends(&t.state()), ends(&state));
}

fn about_error(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(40));
    let at = t.opens(&upper);
    let inner = Four::of(at.address, t.server, &Upper::Icmp(3, 3, 0, refused(t, at, &upper).octets()));
    t.server_says(&Four::of(ROUTER, at.address, &Upper::Icmp(11, 0, 0, inner.octets())));
    t.client_hears_nothing();
    let inner = Six::of(t.server6(), t.client, &Upper::Icmp(1, 4, 0, refused6(t, &upper).octets()));
    t.client_says(&t.six(&Upper::Icmp(3, 0, 0, inner.octets())));
    t.server_hears_nothing();
    t.client_hears_nothing();
}

fn short_quote(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(40));
    let at = t.opens(&upper);
    let (quoted, known) = (refused(t, at, &upper).octets(), refused6(t, &upper).octets());
    // RFC 792: the header and 64 bits. The lengths that the quoted headers tell stay those of the whole packet.
    arrives(t, at, (3, 1, 0), &quoted[..28], (1, 0, 0), &known[..48]);
    // A record of the route, which a router may have added, is no part of an IPv6 packet.
    let with_options = Four { options: vec![7, 7, 4, 0, 0, 0, 0, 0], ..refused(t, at, &upper) };
    arrives(t, at, (3, 1, 0), &with_options.octets(), (1, 0, 0), &known);
}

fn long_quote(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(1400));
    let at = t.opens(&upper);
    let (quoted, known) = (refused(t, at, &upper).octets(), refused6(t, &upper).octets());
    arrives(t, at, (3, 1, 0), &quoted[..1400], (1, 0, 0), &known[..1280 - 48]);
    let (at, said, got) = answered_with(t, 1100);
    let (quoted, known) = (got.octets(), said.octets());
    leaves(t, (t.client, at.address), ((1, 4, 0), &quoted), ((3, 3, 0), &known[..576 - 28]));
}

/// RFC 4884: a structure with one object of eight octets. Version 2, checksum.
const EXTENSION: [u8; 12] = [0x20, 0, 0xd6, 0xfe, 0, 8, 1, 1, 0, 1, 1, 1];

fn extension_in(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(300));
    let at = t.opens(&upper);
    let (quoted, known) = (refused(t, at, &upper).octets(), refused6(t, &upper).octets());
    // 128 octets of the packet in units of four; 148 of what it becomes, and padding to units of eight: 19.
    let quoted = [&quoted[..128], &EXTENSION].concat();
    let known = [&known[..148], &[0; 4], &EXTENSION[..]].concat();
    arrives(t, at, (11, 0, 32 << 16), &quoted, (3, 0, 19 << 24), &known);
    arrives(t, at, (3, 1, 32 << 16), &quoted, (1, 0, 19 << 24), &known);
}

fn extension_out(t: &mut Talk<'_>) {
    let (at, said, got) = answered_with(t, 300);
    let (quoted, known) = (got.octets(), said.octets());
    // 160 octets in units of eight; 140 in units of four.
    let longer = [&quoted[..160], &EXTENSION].concat();
    let shorter = [&known[..140], &EXTENSION].concat();
    leaves(t, (t.client, at.address), ((3, 0, 20 << 24), &longer), ((11, 0, 35 << 16), &shorter));
    // 128 octets become 108, which are padded to 128 again.
    let longer = [&quoted[..128], &EXTENSION].concat();
    let shorter = [&known[..108], &[0; 20], &EXTENSION[..]].concat();
    leaves(t, (t.client, at.address), ((1, 3, 16 << 24), &longer), ((3, 1, 32 << 16), &shorter));
}

fn damage(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(40));
    let at = t.opens(&upper);
    let (quoted, known) = (refused(t, at, &upper).octets(), refused6(t, &upper).octets());
    let whole = Four::of(ROUTER, at.address, &Upper::Icmp(3, 1, 0, quoted));
    let right = t.reached(&whole, &Upper::Icmp(1, 0, 0, known));
    let mut broken = whole;
    broken.body[50] ^= 0x40;
    t.server_says(&broken);
    let heard = t.client_hears();
    let mut expected = right;
    expected.body[70] ^= 0x40;
    assert_eq!(heard, expected, "the octet is as wrong as it was, and the checksum still says so");
}

fn quoted_fields(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(40));
    let at = t.opens(&upper);
    let quoted = Four { ttl: 1, tos: 0xba, identification: 77, ..refused(t, at, &upper) };
    let known = Six { hop_limit: 1, traffic_class: 0xba, ..refused6(t, &upper) };
    arrives(t, at, (11, 0, 0), &quoted.octets(), (3, 0, 0), &known.octets());
    let error = Upper::Icmp(11, 0, 0, quoted.octets());
    let four = Four { tos: 0x48, ..Four::of(ROUTER, at.address, &error) };
    t.passes_in(&four, &Upper::Icmp(3, 0, 0, known.octets()));
}
