//! Headers of both families (RFC 7915, sections 4.1 and 5.1) and the transport behind them.

use sixgate_e2e::nat64::craft::{ACK, SYN, SYN_ACK, damaged, data, word};
use sixgate_e2e::nat64::{Case, Four, Six, Talk, Upper};

pub(crate) const CASES: &[Case] = &[
    Case::new("a datagram goes out and its answer comes back", udp),
    Case::new("a connection opens and carries data both ways", tcp),
    Case::new("an echo request goes out and its reply comes back", echo),
    Case::new("\"don't fragment\" is clear up to 1,260 octets and set above", dont_fragment)
        .cannot("sets it always"),
    Case::new("what may be cut on its way has an identification of its own", identification)
        .cannot("its identification is zero"),
    Case::new("all eight bits of traffic class and type of service pass, both ways", traffic_class),
    Case::new("the flow label is left behind and none is made up", flow_label),
    Case::new("an IPv4 packet passes whatever its \"don't fragment\" and identification say", identified_in),
    Case::new("IPv4 options are left behind", options),
    Case::new("extension headers are left behind", extensions),
    Case::new("an atomic fragment is a whole packet", atomic),
    Case::new("damage on the way in stays the same damage", damage_in).cannot("drops damaged ICMP"),
    Case::new("damage on the way out stays the same damage", damage_out).cannot("drops damaged ICMP"),
    Case::new("a UDP checksum that comes to zero is sent as all ones", checksum_zero_out)
        .cannot("sends zero, which says that there is none"),
    Case::new("a datagram without checksum from IPv4 gets one", checksum_computed)
        .cannot("drops it unless told otherwise"),
    Case::new("a datagram without checksum from IPv6 does not go out", checksum_missing_out),
    Case::new("octets behind the end of a packet are no part of it", trailing),
];

fn udp(t: &mut Talk<'_>) {
    for length in [0, 1, 2, 511, 1200, 1452] {
        let upper = Upper::Udp(4000, 53, data(length));
        let at = t.opens(&upper);
        if length <= 1232 {
            t.answers(at, &upper.back(), 4000);
        }
    }
}

fn tcp(t: &mut Talk<'_>) {
    let syn = Upper::Tcp(4001, 80, SYN, vec![]);
    let at = t.opens(&syn);
    t.answers(at, &syn.back(), 4001);
    for length in [0, 1, 1000] {
        let segment = Upper::Tcp(4001, 80, ACK, data(length));
        assert_eq!(t.opens(&segment), at);
        t.answers(at, &Upper::Tcp(80, 0, ACK, data(length)), 4001);
    }
}

fn echo(t: &mut Talk<'_>) {
    for length in [0, 1, 56, 1200] {
        let ping = Upper::Ping(777, data(length));
        let at = t.opens(&ping);
        t.answers(at, &ping.back(), 777);
    }
}

fn dont_fragment(t: &mut Talk<'_>) {
    // The IPv4 packet has 20 and 8 octets of headers; `opens` knows the rule, this names the sizes.
    for (total, set) in [(1259, false), (1260, false), (1261, true), (1480, true)] {
        let six = t.six(&Upper::Udp(4000, 53, data(total - 28)));
        t.client_says(&six);
        let four = t.server_hears();
        assert_eq!((20 + four.body.len(), four.dont_fragment), (total, set));
    }
}

fn identification(t: &mut Talk<'_>) {
    let mut seen = Vec::new();
    for _ in 0..32 {
        let six = t.six(&Upper::Udp(4000, 53, data(100)));
        t.client_says(&six);
        seen.push(t.server_hears().identification);
    }
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() >= 31, "{seen:?}");
}

fn traffic_class(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(10));
    let at = t.opens(&upper);
    for octet in [0xba, 0x18, 0xff, 1, 2, 3, 4, 8, 16, 32, 64, 128, 0] {
        let six = Six { traffic_class: octet, ..t.six(&upper) };
        assert_eq!(t.passes_out(&six, &upper), at);
        let four = Four { tos: octet, ..t.four(at, &upper.back()) };
        t.passes_in(&four, &upper.back());
    }
}

fn flow_label(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(10));
    let six = Six { flow_label: 0xa_bcde, ..t.six(&upper) };
    let at = t.passes_out(&six, &upper);
    t.answers(at, &upper.back(), 4000);
}

fn identified_in(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(10));
    let at = t.opens(&upper);
    for (dont_fragment, identification) in [(true, 0), (true, 0xffff), (false, 0), (false, 0xabcd)] {
        let four = Four { dont_fragment, identification, ..t.four(at, &upper.back()) };
        t.passes_in(&four, &upper.back());
    }
}

fn options(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(10));
    let at = t.opens(&upper);
    // Nothing at all, router alert (RFC 2113), a record of the route that is full, a source route at its end.
    for options in [vec![1, 1, 1, 0], vec![148, 4, 0, 0], vec![7, 7, 8, 192, 0, 2, 9, 0]] {
        let four = Four { options, ..t.four(at, &upper.back()) };
        t.passes_in(&four, &upper.back());
    }
}

/// What follows the first octet of a hop-by-hop or destination header of eight octets: padding.
const PADDING: [u8; 7] = [0, 1, 4, 0, 0, 0, 0];

fn extensions(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(10));
    let plain = t.six(&upper);
    let done = [2, 4, 0, 0, 0, 0, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    for six in [
        plain.clone().behind(0, &PADDING),
        plain.clone().behind(60, &PADDING),
        // RFC 8200, section 4.4: a routing header whose segments have all been visited; one of an unknown type.
        plain.clone().behind(43, &[0, 253, 0, 0, 0, 0, 0]),
        plain.clone().behind(43, &done.map(|octet| if octet == 4 { 253 } else { octet })),
        plain
            .clone()
            .behind(60, &PADDING)
            .behind(43, &[0, 253, 0, 0, 0, 0, 0])
            .behind(60, &PADDING)
            .behind(0, &PADDING),
    ] {
        t.passes_out(&six, &upper);
    }
    // Of TCP and ICMP as well.
    for upper in [Upper::Tcp(4001, 80, SYN, vec![]), Upper::Ping(9, data(8))] {
        let six = t.six(&upper).behind(60, &PADDING);
        t.passes_out(&six, &upper);
    }
}

fn atomic(t: &mut Talk<'_>) {
    for upper in [Upper::Udp(4000, 53, data(10)), Upper::Tcp(4001, 80, SYN, vec![]), Upper::Ping(9, data(8))]
    {
        let six = t.six(&upper).fragments(0x1234_abcd, 4096).remove(0);
        t.client_says(&six);
        let heard = t.server_hears();
        let at = sixgate_e2e::nat64::Outside { address: heard.source, port: heard.from_port() };
        // RFC 7915, section 5.1.1: the low half of the identification, and "don't fragment" clear.
        let expected =
            Four { identification: 0xabcd, dont_fragment: false, ..t.translated(&six, &upper, at, &heard) };
        assert_eq!(heard, expected);
    }
}

/// Where the checksum of each is, and somewhere in its data.
fn kinds() -> [(Upper, usize, usize); 3] {
    [
        (Upper::Udp(4000, 53, data(21)), 6, 20),
        (Upper::Tcp(4001, 80, SYN, data(21)), 16, 30),
        (Upper::Ping(9, data(21)), 2, 20),
    ]
}

fn damage_out(t: &mut Talk<'_>) {
    for (upper, field, inner) in kinds() {
        let whole = t.six(&upper);
        let at = t.passes_out(&whole, &upper);
        // What came right arrives right, what came wrong arrives as wrong: by the same difference.
        let data = Six { body: damaged(whole.body.clone(), inner), ..whole.clone() };
        t.client_says(&data);
        let heard = t.server_hears();
        let right = t.translated(&whole, &upper, at, &heard);
        assert_eq!(heard, Four { body: damaged(right.body.clone(), inner), ..right });

        let sum = Six { body: damaged(whole.body.clone(), field), ..whole.clone() };
        t.client_says(&sum);
        let heard = t.server_hears();
        let right = t.translated(&whole, &upper, at, &heard);
        assert_eq!(
            difference(&heard.body, &right.body, field),
            difference(&sum.body, &whole.body, field),
            "{upper:?}"
        );
    }
}

fn damage_in(t: &mut Talk<'_>) {
    for (upper, field, inner) in kinds() {
        let at = t.opens(&upper);
        let back = upper.back();
        let whole = t.four(at, &back);
        let port = if matches!(upper, Upper::Udp(..)) {
            4000
        } else if field == 16 {
            4001
        } else {
            9
        };
        let right = t.reached(&whole, &back.to(port));
        let data = Four { body: damaged(whole.body.clone(), inner), ..whole.clone() };
        t.server_says(&data);
        assert_eq!(t.client_hears(), Six { body: damaged(right.body.clone(), inner), ..right.clone() });

        let sum = Four { body: damaged(whole.body.clone(), field), ..whole.clone() };
        t.server_says(&sum);
        let heard = t.client_hears();
        assert_eq!(
            difference(&heard.body, &right.body, field),
            difference(&sum.body, &whole.body, field),
            "{upper:?}"
        );
    }
}

/// How far a checksum is from another, in one's complement.
fn difference(a: &[u8], b: &[u8], at: usize) -> u32 {
    (u32::from(word(a, at)) + 0xffff - u32::from(word(b, at))) % 0xffff
}

fn checksum_zero_out(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, vec![0, 0]));
    // What is added to the data is taken from the checksum.
    let four = Four::of(at.address, t.server, &Upper::Udp(at.port, 53, vec![0, 0]));
    let upper = Upper::Udp(4000, 53, word(&four.body, 6).to_be_bytes().to_vec());
    let six = t.six(&upper);
    t.client_says(&six);
    let heard = t.server_hears();
    assert_eq!(heard, t.translated(&six, &upper, at, &heard));
    assert_eq!(heard.body[6..8], [0xff, 0xff]);
    // And inwards.
    let zero = t.reached(&t.four(at, &Upper::Udp(53, 0, vec![0, 0])), &Upper::Udp(53, 4000, vec![0, 0]));
    let upper = Upper::Udp(53, 4000, word(&zero.body, 6).to_be_bytes().to_vec());
    t.server_says(&t.four(at, &upper));
    let heard = t.client_hears();
    assert_eq!(heard.body[6..8], [0xff, 0xff]);
    assert_eq!(heard, t.reached(&t.four(at, &upper), &upper));
}

fn checksum_computed(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(33));
    let at = t.opens(&upper);
    let mut four = t.four(at, &upper.back());
    four.body[6..8].fill(0);
    t.passes_in(&four, &upper.back());
}

fn checksum_missing_out(t: &mut Talk<'_>) {
    let mut six = t.six(&Upper::Udp(4000, 53, data(33)));
    six.body[6..8].fill(0);
    t.client_says(&six);
    t.server_hears_nothing();
    t.counted("nat64-udp-zero-checksum", 1);
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
}

fn trailing(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(10));
    let six = t.six(&upper);
    t.site.client_says(&[six.octets(), vec![9; 11]].concat());
    let heard = t.server_hears();
    let at = sixgate_e2e::nat64::Outside { address: heard.source, port: heard.from_port() };
    assert_eq!(heard, t.translated(&six, &upper, at, &heard));
    let four = t.four(at, &upper.back());
    t.site.server_says(&[four.octets(), vec![9; 11]].concat());
    assert_eq!(t.client_hears(), t.reached(&four, &upper.back()));
    // A segment that opens nothing twice.
    let syn = Upper::Tcp(4001, 80, SYN, vec![]);
    let at = t.opens(&syn);
    t.answers(at, &Upper::Tcp(80, 0, SYN_ACK, vec![]), 4001);
}
