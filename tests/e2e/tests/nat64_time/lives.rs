//! How long sessions live.

use std::net::Ipv6Addr;
use std::thread::sleep;
use std::time::Duration;

use sixgate_e2e::nat64::craft::{ACK, FIN, RST, SYN, SYN_ACK, data};
use sixgate_e2e::nat64::site::GATEWAY6;
use sixgate_e2e::nat64::{Case, Outside, Six, Talk, Upper};

pub(crate) const CASES: &[Case] = &[
    Case::new("datagrams and echoes are forgotten, and what comes late is refused", forgotten),
    Case::new("both directions keep a session alive", kept),
    Case::new("a connection that nobody answers is forgotten", unanswered),
    Case::new("an idle connection is probed, and lives on when the inside answers", probed),
    Case::new("an idle connection that does not answer ends", probed_in_vain),
    Case::new("a reset does not kill: who speaks goes on", reset_survived),
    Case::new("a reset and silence end it", reset_believed),
    Case::new("both FINs end it, and until then all passes", finished),
    Case::new("one FIN does not", half_finished),
    Case::new("an ICMP error keeps nothing alive", errors_do_not_keep),
];

/// With one port in all.
pub(crate) const OF_ONE_PORT: &[Case] = &[Case::new("the next client gets it", next_client)];

fn millis(many: u64) {
    sleep(Duration::from_millis(many));
}

fn states(t: &Talk<'_>) -> Vec<String> {
    let lines = t.state().into_iter();
    lines.filter_map(|line| Some(line["state"].as_str()?.to_owned())).collect()
}

/// A connection of both sides.
fn established(t: &mut Talk<'_>) -> Outside {
    let at = t.opens(&Upper::Tcp(4001, 80, SYN, vec![]));
    assert_eq!(states(t), ["v6-init"]);
    t.answers(at, &Upper::Tcp(80, 0, SYN_ACK, vec![]), 4001);
    assert_eq!(t.opens(&Upper::Tcp(4001, 80, ACK, vec![])), at);
    assert_eq!(states(t), ["established"]);
    at
}

fn forgotten(t: &mut Talk<'_>) {
    let datagram = t.opens(&Upper::Udp(4000, 53, data(9)));
    let echo = t.opens(&Upper::Ping(9, data(9)));
    assert_eq!(t.state().len(), 4, "two bindings and two sessions");
    millis(2400);
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
    t.server_says(&t.four(datagram, &Upper::Udp(53, 0, data(9))));
    t.server_says(&t.four(echo, &Upper::Pong(0, data(9))));
    for _ in 0..2 {
        let heard = t.server_hears();
        assert_eq!((heard.protocol, heard.body[0], heard.body[1]), (1, 3, 1));
    }
}

fn kept(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    for _ in 0..2 {
        millis(1300);
        assert_eq!(t.opens(&Upper::Udp(4000, 53, data(9))), at);
    }
    for _ in 0..2 {
        millis(1300);
        t.answers(at, &Upper::Udp(53, 0, data(9)), 4000);
    }
}

fn unanswered(t: &mut Talk<'_>) {
    t.opens(&Upper::Tcp(4001, 80, SYN, vec![]));
    millis(2400);
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
}

/// RFC 6146, section 3.5.2.2: an ACK without data, as if from the server.
#[track_caller]
fn hears_probe(t: &mut Talk<'_>) {
    let heard = t.client_hears();
    let numbers = heard.body[4..12].to_vec();
    let window = heard.body[14..16].to_vec();
    let mut expected = Six::of(t.server6(), t.client, &Upper::Tcp(80, 4001, ACK, vec![]));
    expected.body[4..12].copy_from_slice(&numbers);
    expected.body[14..16].copy_from_slice(&window);
    expected.body[16..18].copy_from_slice(&heard.body[16..18]);
    assert_eq!(heard, Six { hop_limit: heard.hop_limit, ..expected });
}

fn probed(t: &mut Talk<'_>) {
    let at = established(t);
    millis(3200);
    hears_probe(t);
    assert_eq!(states(t), ["trans"]);
    assert_eq!(t.opens(&Upper::Tcp(4001, 80, ACK, vec![])), at);
    assert_eq!(states(t), ["established"]);
}

fn probed_in_vain(t: &mut Talk<'_>) {
    established(t);
    millis(3200);
    hears_probe(t);
    millis(2200);
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
}

fn reset_survived(t: &mut Talk<'_>) {
    let at = established(t);
    t.answers(at, &Upper::Tcp(80, 0, RST, vec![]), 4001);
    assert_eq!(states(t), ["trans"]);
    millis(1300);
    assert_eq!(t.opens(&Upper::Tcp(4001, 80, ACK, data(9))), at);
    assert_eq!(states(t), ["established"]);
    millis(1300);
    t.answers(at, &Upper::Tcp(80, 0, ACK, data(9)), 4001);
}

fn reset_believed(t: &mut Talk<'_>) {
    let at = established(t);
    assert_eq!(t.opens(&Upper::Tcp(4001, 80, RST, vec![])), at);
    millis(1300);
    // Another one is no sign of life.
    t.answers(at, &Upper::Tcp(80, 0, RST, vec![]), 4001);
    millis(1100);
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
}

fn finished(t: &mut Talk<'_>) {
    let at = established(t);
    assert_eq!(t.opens(&Upper::Tcp(4001, 80, FIN, vec![])), at);
    assert_eq!(states(t), ["v6-fin-rcv"]);
    t.answers(at, &Upper::Tcp(80, 0, ACK, data(9)), 4001);
    t.answers(at, &Upper::Tcp(80, 0, FIN, vec![]), 4001);
    assert_eq!(states(t), ["v4-fin-v6-fin-rcv"]);
    millis(1000);
    assert_eq!(t.opens(&Upper::Tcp(4001, 80, ACK, vec![])), at);
    millis(1400);
    assert_eq!(t.state(), Vec::<serde_json::Value>::new(), "and what passes does not prolong it");
}

fn half_finished(t: &mut Talk<'_>) {
    let at = established(t);
    t.answers(at, &Upper::Tcp(80, 0, FIN, vec![]), 4001);
    millis(2500);
    assert_eq!(states(t), ["v4-fin-rcv"]);
    assert_eq!(t.opens(&Upper::Tcp(4001, 80, ACK, data(9))), at);
}

fn errors_do_not_keep(t: &mut Talk<'_>) {
    let upper = Upper::Udp(4000, 53, data(9));
    let at = t.opens(&upper);
    let sent = sixgate_e2e::nat64::Four::of(at.address, t.server, &upper.from(at.port)).octets();
    millis(1400);
    t.server_says(&t.four(at, &Upper::Icmp(3, 1, 0, sent.clone())));
    assert_eq!(t.client_hears().body[0], 1);
    millis(1000);
    assert_eq!(t.state(), Vec::<serde_json::Value>::new());
    t.server_says(&t.four(at, &Upper::Icmp(3, 1, 0, sent)));
    t.client_hears_nothing();
    t.counted("nat64-icmp-error-unknown", 1);
}

fn next_client(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    let first = t.client;
    t.client = Ipv6Addr::from_bits(first.to_bits() + 1);
    let six = t.six(&Upper::Udp(4000, 53, data(9)));
    t.client_says(&six);
    let heard = t.client_hears();
    assert_eq!((heard.source, heard.destination), (GATEWAY6, t.client));
    assert_eq!((heard.next, heard.body[0], heard.body[1]), (58, 1, 3));
    millis(2400);
    assert_eq!(t.opens(&Upper::Udp(4000, 53, data(9))), at);
    // It is the new one's now.
    t.answers(at, &Upper::Udp(53, 0, data(9)), 4000);
}
