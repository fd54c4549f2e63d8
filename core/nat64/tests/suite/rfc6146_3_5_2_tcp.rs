//! TCP sessions (RFC 6146, section 3.5.2).

use sixgate_nat64::{Config, Inside, Outside, Proto, StaticBinding};
use sixgate_reason as reason;
use sixgate_wire::tcp::{ACK, FIN, RST, SYN};

use crate::support::*;

fn from_client(flags: u8) -> sixgate_wire::Packet {
    tcp6(client(), 40_000, embed(SERVER), 80, flags)
}

/// A connection that both sides have opened; gives the outside port.
fn connected(lab: &mut Lab) -> u16 {
    let outside = ports(transport4(&lab.out(from_client(SYN)))).0;
    assert_eq!(lab.states(), ["v6-init"]);
    let back = lab.back(tcp4(SERVER, 80, POOL, outside, SYN | ACK));
    assert_eq!(ports(transport6(&back)), (80, 40_000));
    assert_eq!(lab.states(), ["established"]);
    outside
}

#[test]
fn opened_from_inside_and_closed_by_both() {
    let mut lab = Lab::new(config());
    let outside = connected(&mut lab);
    lab.out(from_client(ACK | FIN));
    assert_eq!(lab.states(), ["v6-fin-rcv"]);
    lab.back(tcp4(SERVER, 80, POOL, outside, ACK | FIN));
    assert_eq!(lab.states(), ["v4-fin-v6-fin-rcv"]);
    lab.wait_secs(239);
    lab.out(from_client(ACK));
    lab.wait_secs(1);
    lab.nat.handle_timeout(lab.now);
    assert_eq!(lab.nat.session_count(), 0);
}

#[test]
fn an_established_connection_lives_two_hours_and_four_minutes_and_is_probed_before_it_ends() {
    let mut lab = Lab::new(config());
    connected(&mut lab);
    lab.wait_secs(7439);
    lab.nat.handle_timeout(lab.now);
    assert_eq!(lab.states(), ["established"]);
    lab.wait_secs(1);
    lab.nat.handle_timeout(lab.now);
    assert_eq!(lab.states(), ["trans"]);
    let probe = lab.drain_one();
    let ip = view6(&probe);
    assert_eq!((ip.src(), ip.dst()), (embed(SERVER), client()));
    let segment = transport6(&probe);
    assert_eq!(ports(segment), (80, 40_000));
    assert_eq!((segment.len(), segment[13], &segment[4..12]), (20, ACK, &[0; 8][..]));
    // The inside answers: the connection lives.
    lab.out(from_client(ACK));
    assert_eq!(lab.states(), ["established"]);
}

#[test]
fn a_probe_without_answer_ends_after_four_minutes() {
    let mut lab = Lab::new(config());
    connected(&mut lab);
    lab.wait_secs(7440);
    lab.nat.handle_timeout(lab.now);
    lab.wait_secs(240);
    lab.nat.handle_timeout(lab.now);
    assert_eq!((lab.nat.session_count(), lab.nat.bib().count()), (0, 0));
}

#[test]
fn a_blind_reset_does_not_kill() {
    let mut lab = Lab::new(config());
    let outside = connected(&mut lab);
    lab.back(tcp4(SERVER, 80, POOL, outside, RST));
    assert_eq!(lab.states(), ["trans"]);
    lab.wait_secs(239);
    lab.out(from_client(ACK));
    assert_eq!(lab.states(), ["established"]);
    lab.out(from_client(RST));
    assert_eq!(lab.states(), ["trans"]);
    lab.wait_secs(240);
    lab.nat.handle_timeout(lab.now);
    assert_eq!(lab.nat.session_count(), 0);
}

#[test]
fn a_segment_without_session_passes_by_a_binding_only() {
    let mut lab = Lab::new(config());
    assert_eq!(lab.out_dropped(from_client(ACK)), reason::NAT64_TCP_NO_SESSION);
    assert_eq!(icmp(&lab.drain_one()), (1, 3, 0));
    assert_eq!(lab.out_dropped(from_client(SYN | ACK)), reason::NAT64_TCP_NO_SESSION);
    lab.drain();
    let outside = connected(&mut lab);
    lab.out(tcp6(client(), 40_000, embed(OTHER), 81, ACK));
    let back = lab.back(tcp4(OTHER, 82, POOL, outside, ACK));
    assert_eq!(ports(transport6(&back)), (82, 40_000));
    assert_eq!(lab.nat.session_count(), 1);
    assert_eq!(lab.back_dropped(tcp4(SERVER, 80, POOL, outside ^ 1, ACK)), reason::NAT64_NO_BINDING);
}

#[test]
fn an_unsolicited_syn_is_held_for_six_seconds_and_then_answered() {
    let mut lab = Lab::new(config());
    let syn = tcp4(SERVER, 80, POOL, 2000, SYN);
    assert_eq!(lab.back_dropped(syn.clone()), reason::NAT64_SYN_HELD);
    assert_eq!(lab.back_dropped(syn.clone()), reason::NAT64_SYN_HELD);
    assert!(lab.drain().is_empty());
    assert_eq!(lab.nat.next_timeout(), lab.now + std::time::Duration::from_secs(6));
    lab.wait_secs(6);
    lab.nat.handle_timeout(lab.now);
    let error = lab.drain_one();
    assert_eq!(icmp(&error), (3, 3, 0));
    assert_eq!(view4(&error).dst(), SERVER);
    assert_eq!(quoted(&error), syn.bytes());
    assert_eq!(lab.nat.session_count(), 0);
}

#[test]
fn a_syn_that_meets_one_from_inside_is_a_simultaneous_open() {
    let mut lab = Lab::new(config());
    assert_eq!(lab.back_dropped(tcp4(SERVER, 80, POOL, 2000, SYN)), reason::NAT64_SYN_HELD);
    let out = lab.out(from_client(SYN));
    // The inside gets the very transport address that the peer has called.
    assert_eq!(ports(transport4(&out)), (2000, 80));
    assert_eq!(lab.states(), ["established"]);
    lab.wait_secs(10);
    lab.nat.handle_timeout(lab.now);
    assert!(lab.drain().is_empty());
}

#[test]
fn with_filtering_a_syn_to_a_bound_port_is_held_too_and_passes_the_inside_s_own() {
    let mut lab = Lab::new(filtering());
    let outside = connected(&mut lab);
    assert_eq!(lab.back_dropped(tcp4(OTHER, 81, POOL, outside, SYN)), reason::NAT64_SYN_HELD);
    assert_eq!(lab.back_dropped(tcp4(OTHER, 81, POOL, outside, ACK)), reason::NAT64_FILTERED);
    lab.drain();
    lab.out(tcp6(client(), 40_000, embed(OTHER), 81, SYN));
    assert_eq!(lab.states(), ["established", "established"]);
}

#[test]
fn without_filtering_a_syn_to_a_bound_port_passes() {
    let mut lab = Lab::new(config());
    let outside = connected(&mut lab);
    lab.back(tcp4(OTHER, 81, POOL, outside, SYN));
    assert_eq!(lab.states(), ["established", "v4-init"]);
    lab.out(tcp6(client(), 40_000, embed(OTHER), 81, SYN | ACK));
    assert_eq!(lab.states(), ["established", "established"]);
}

#[test]
fn a_server_behind_a_static_binding_is_reached_and_answers() {
    let inside = Inside { address: client(), port: 443 };
    let statics =
        vec![StaticBinding { protocol: Proto::Tcp, outside: Outside { address: POOL, port: 443 }, inside }];
    let mut lab = Lab::new(Config { statics, ..filtering() });
    lab.back(tcp4(SERVER, 5555, POOL, 443, SYN));
    let answer = lab.out(tcp6(client(), 443, embed(SERVER), 5555, SYN | ACK));
    assert_eq!(ports(transport4(&answer)), (443, 5555));
    assert_eq!(lab.states(), ["established"]);
    // The port of a static binding is never given to another.
    for port in 1..1000 {
        let out = lab.out(tcp6(neighbour(), port, embed(SERVER), 80, SYN));
        assert_ne!(ports(transport4(&out)).0, 443);
        lab.wait_secs(241);
    }
}

#[test]
fn a_segment_cut_before_its_header_ends_is_malformed() {
    let mut lab = Lab::new(config());
    let mut packet = from_client(SYN);
    packet.bytes_mut()[52] = 0xf0;
    assert_eq!(lab.out_dropped(packet), reason::MALFORMED_TRANSPORT);
    assert_eq!(lab.nat.session_count(), 0);
}
