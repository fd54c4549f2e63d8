//! SYNs from outside that nobody inside has asked for (RFC 6146, section 3.5.2.2): held for six seconds.

use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use sixgate_e2e::nat64::craft::{ACK, SYN, SYN_ACK, data};
use sixgate_e2e::nat64::site::GATEWAY4;
use sixgate_e2e::nat64::{Case, Four, Outside, Talk, Upper};

pub(crate) const CASES: &[Case] = &[
    Case::new("it is answered after six seconds with 3/3 that quotes it", answered),
    Case::new("one from inside to the same place makes both a connection, and nothing is answered", met),
    Case::new("a segment that opens nothing is not held and not answered", other_segments),
    Case::new("so many are held, the next is answered at once, and the service goes on", many),
];

/// With address-dependent filtering.
pub(crate) const FILTERED: &[Case] = &[
    Case::new("one to an open binding is held too, and meets the inside's own", filtered_met),
    Case::new("one to an open binding that is not met is answered after six seconds", filtered_answered),
];

fn unbound(port: u16) -> Outside {
    Outside { address: Ipv4Addr::new(198, 51, 100, 3), port }
}

/// The answer to a held SYN.
#[track_caller]
fn refused(t: &mut Talk<'_>, syn: &Four) {
    let heard = t.server_hears();
    let quoted = Four { ttl: syn.ttl - 1, ..syn.clone() }.octets();
    let expected = Four::of(GATEWAY4, t.server, &Upper::Icmp(3, 3, 0, quoted));
    let (ttl, identification, dont_fragment) = (heard.ttl, heard.identification, heard.dont_fragment);
    assert_eq!(heard, Four { tos: 0xc0, ttl, identification, dont_fragment, ..expected });
}

#[track_caller]
fn waits_six_seconds(t: &mut Talk<'_>, syn: &Four) {
    let since = Instant::now();
    t.server_says(syn);
    // Another copy is the same SYN.
    sleep(Duration::from_secs(2));
    t.server_says(syn);
    sleep(Duration::from_secs(3));
    t.server_hears_nothing();
    refused(t, syn);
    let waited = since.elapsed();
    assert!((Duration::from_millis(5900)..Duration::from_millis(7500)).contains(&waited), "{waited:?}");
}

fn answered(t: &mut Talk<'_>) {
    let syn = t.four(unbound(50_001), &Upper::Tcp(7777, 0, SYN, vec![]));
    waits_six_seconds(t, &syn);
    t.counted("nat64-syn-held", 2);
    t.client_hears_nothing();
}

fn met(t: &mut Talk<'_>) {
    let at = unbound(50_003);
    t.server_says(&t.four(at, &Upper::Tcp(7777, 0, SYN, vec![])));
    t.server_hears_nothing();
    assert_eq!(t.opens(&Upper::Tcp(4001, 7777, SYN, vec![])), at, "the inside gets what was called");
    t.answers(at, &Upper::Tcp(7777, 0, SYN_ACK, vec![]), 4001);
    assert_eq!(t.opens(&Upper::Tcp(4001, 7777, ACK, data(9))), at);
    sleep(Duration::from_millis(6500));
    t.server_hears_nothing();
    let states: Vec<_> = t.state().into_iter().filter(|line| line["state"] == "established").collect();
    assert_eq!(states.len(), 1);
}

fn other_segments(t: &mut Talk<'_>) {
    for flags in [ACK, SYN_ACK, 4, 0x11, 0] {
        t.server_says(&t.four(unbound(50_005), &Upper::Tcp(7777, 0, flags, data(9))));
    }
    t.server_hears_nothing();
    t.counted("nat64-no-binding", 5);
}

fn many(t: &mut Talk<'_>) {
    for port in 1..=2000_u16 {
        let at = unbound(20_000 + port / 8);
        t.server_says(&t.four(at, &Upper::Tcp(port, 0, SYN, vec![])));
        if port % 50 == 0 {
            sleep(Duration::from_millis(5));
        }
    }
    // Bounded, and its errors as well.
    let told = t.server_hears_all();
    assert!(told.iter().all(|four| (four.protocol, four.body[0], four.body[1]) == (1, 3, 3)));
    let at_once = told.len();
    assert!((1..=976).contains(&at_once), "1,024 are held at most, {at_once} were told at once");
    let at = t.opens(&Upper::Tcp(4001, 80, SYN, vec![]));
    t.answers(at, &Upper::Tcp(80, 0, SYN_ACK, vec![]), 4001);
}

fn filtered_met(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Tcp(4001, 80, SYN, vec![]));
    t.server = Ipv4Addr::new(203, 0, 119, 5);
    t.server_says(&t.four(at, &Upper::Tcp(7777, 0, SYN, vec![])));
    t.client_hears_nothing();
    assert_eq!(t.opens(&Upper::Tcp(4001, 7777, SYN, vec![])), at);
    t.answers(at, &Upper::Tcp(7777, 0, SYN_ACK, vec![]), 4001);
}

fn filtered_answered(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Tcp(4001, 80, SYN, vec![]));
    t.server = Ipv4Addr::new(203, 0, 119, 5);
    let syn = t.four(at, &Upper::Tcp(7777, 0, SYN, vec![]));
    waits_six_seconds(t, &syn);
}
