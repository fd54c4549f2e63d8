//! What one client may have, and that no other pays for it (RFC 6888, section 3, REQ-4, REQ-5, REQ-11).

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use proptest::prelude::*;
use sixgate_nat64::{Config, Inside, Outside, PoolEntry, Proto, StaticBinding, Timeouts, Verdict};
use sixgate_reason as reason;
use sixgate_time::Duration;
use sixgate_wire::Packet;
use sixgate_wire::tcp::{ACK, FIN, RST, SYN};

use crate::support::*;

/// Opens a connection of the client and gives its outside port.
fn connect(lab: &mut Lab, port: u16) -> u16 {
    let syn = lab.out(tcp6(client(), port, embed(SERVER), 80, SYN));
    let outside = ports(transport4(&syn)).0;
    lab.back(tcp4(SERVER, 80, POOL, outside, SYN | ACK));
    outside
}

fn connect_refused(lab: &mut Lab, port: u16) -> sixgate_reason::Reason {
    lab.out_dropped(tcp6(client(), port, embed(SERVER), 80, SYN))
}

#[test]
fn ports_have_a_limit_of_their_own_for_all_protocols_together() {
    let mut lab = Lab::new(Config { max_ports_per_client: 3, ..config() });
    lab.out(udp6(client(), 1, embed(SERVER), 53, b""));
    lab.out(tcp6(client(), 1, embed(SERVER), 53, SYN));
    lab.out(echo6(128, client(), embed(SERVER), 1));
    assert_eq!(lab.out_dropped(udp6(client(), 2, embed(SERVER), 53, b"")), reason::NAT64_CLIENT_PORTS);
    assert_eq!(icmp(&lab.drain_one()), (1, 3, 0));
    // Another destination takes no port, and another client has its own.
    lab.out(udp6(client(), 1, embed(OTHER), 53, b""));
    lab.out(udp6(neighbour(), 2, embed(SERVER), 53, b""));
    lab.wait_secs(61);
    lab.out(udp6(client(), 2, embed(SERVER), 53, b""));
}

#[test]
fn a_static_binding_is_no_port_of_the_client() {
    let binding = StaticBinding {
        protocol: Proto::Udp,
        outside: Outside { address: POOL, port: 53 },
        inside: Inside { address: client(), port: 53 },
    };
    let mut lab = Lab::new(Config { max_ports_per_client: 1, statics: vec![binding], ..config() });
    lab.out(udp6(client(), 53, embed(SERVER), 53, b""));
    lab.out(udp6(client(), 54, embed(SERVER), 53, b""));
    assert_eq!(lab.out_dropped(udp6(client(), 55, embed(SERVER), 53, b"")), reason::NAT64_CLIENT_PORTS);
}

#[test]
fn sessions_open_no_faster_than_allowed() {
    let mut lab = Lab::new(Config { new_sessions_per_second_per_client: 20, ..config() });
    let burst = |lab: &mut Lab, from: u16| {
        let verdict =
            |port| lab.nat.outbound(lab.now, &mut udp6(client(), port, embed(SERVER), 53, b""), 1500);
        (from..from + 100).map(verdict).filter(|v| *v == Verdict::Translated).count()
    };
    assert_eq!(burst(&mut lab, 0), 20);
    let refused = lab.nat.outbound(lab.now, &mut udp6(client(), 99, embed(SERVER), 53, b""), 1500);
    assert_eq!(refused, Verdict::Drop(reason::NAT64_CLIENT_RATE));
    lab.out(udp6(client(), 3, embed(SERVER), 53, b"a session that is open is not new"));
    lab.out(udp6(neighbour(), 3, embed(SERVER), 53, b""));
    lab.wait(Duration::from_millis(250));
    assert_eq!(burst(&mut lab, 100), 5);
}

#[test]
fn a_prefix_is_one_client_where_the_file_says_so() {
    let mut lab = Lab::new(Config { client_prefix_length: 64, max_sessions_per_client: 2, ..config() });
    lab.out(udp6(client(), 1, embed(SERVER), 53, b""));
    lab.out(udp6(neighbour(), 1, embed(SERVER), 53, b""));
    assert_eq!(lab.out_dropped(udp6(client(), 2, embed(SERVER), 53, b"")), reason::NAT64_CLIENT_LIMIT);
    let far = "2001:db8:1:1::8".parse().unwrap();
    lab.out(udp6(far, 1, embed(SERVER), 53, b""));
}

#[test]
fn what_others_open_from_outside_counts_too() {
    let mut lab = Lab::new(Config { max_sessions_per_client: 3, ..config() });
    let outside = lab.open_udp(5000, SERVER);
    for from in 1..=2 {
        lab.back(udp4(OTHER, from, POOL, outside, b""));
    }
    assert_eq!(lab.back_dropped(udp4(OTHER, 3, POOL, outside, b"")), reason::NAT64_CLIENT_LIMIT);
    assert_eq!(lab.out_dropped(udp6(client(), 1, embed(SERVER), 53, b"")), reason::NAT64_CLIENT_LIMIT);
    assert_eq!(lab.nat.session_count(), 3);
}

#[test]
fn nobody_outside_keeps_a_client_from_opening_its_own() {
    for limits in
        [Config { max_sessions_per_client: 80, ..config() }, Config { max_sessions: 80, ..config() }]
    {
        let mut lab = Lab::new(limits);
        let outside = lab.open_udp(5000, SERVER);
        let knock =
            |lab: &mut Lab, from| lab.nat.inbound(lab.now, &mut udp4(OTHER, from, POOL, outside, b""), 1500);
        let through = (1..=200).filter(|from| knock(&mut lab, *from) == Verdict::Translated).count();
        assert_eq!(through, 69);
        for port in 1..=10 {
            lab.out(udp6(client(), port, embed(SERVER), 53, b""));
        }
        assert_eq!(lab.nat.session_count(), 80);
    }
}

#[test]
fn a_connection_that_both_ends_closed_makes_room_a_little_later() {
    let mut lab = Lab::new(Config { max_sessions_per_client: 2, max_ports_per_client: 2, ..config() });
    let first = connect(&mut lab, 1);
    let second = connect(&mut lab, 2);
    assert_eq!(connect_refused(&mut lab, 3), reason::NAT64_CLIENT_PORTS);
    // Half closed is not over.
    lab.out(tcp6(client(), 1, embed(SERVER), 80, FIN | ACK));
    assert_eq!(connect_refused(&mut lab, 3), reason::NAT64_CLIENT_PORTS);
    lab.back(tcp4(SERVER, 80, POOL, first, FIN | ACK));
    // The last segments may be lost, and come again.
    assert_eq!(connect_refused(&mut lab, 3), reason::NAT64_CLIENT_PORTS);
    lab.wait_secs(3);
    lab.out(tcp6(client(), 1, embed(SERVER), 80, ACK));
    assert_eq!(connect_refused(&mut lab, 3), reason::NAT64_CLIENT_PORTS);
    lab.wait_secs(1);
    connect(&mut lab, 3);
    // The one that lives is still there, and nothing is over any more.
    lab.back(tcp4(SERVER, 80, POOL, second, ACK));
    assert_eq!(connect_refused(&mut lab, 4), reason::NAT64_CLIENT_PORTS);
    assert_eq!((lab.nat.session_count(), lab.nat.bib().count()), (2, 2));
}

#[test]
fn a_reset_connection_makes_room_once_it_is_silent_and_a_forged_reset_ends_nothing() {
    let mut lab = Lab::new(Config { max_sessions_per_client: 1, ..config() });
    let outside = connect(&mut lab, 1);
    lab.back(tcp4(SERVER, 80, POOL, outside, RST));
    assert_eq!(connect_refused(&mut lab, 2), reason::NAT64_CLIENT_LIMIT);
    lab.wait_secs(3);
    // It lives: the reset was not the server's.
    lab.back(tcp4(SERVER, 80, POOL, outside, ACK));
    lab.wait_secs(10);
    assert_eq!(connect_refused(&mut lab, 2), reason::NAT64_CLIENT_LIMIT);
    lab.out(tcp6(client(), 1, embed(SERVER), 80, RST));
    lab.wait_secs(4);
    connect(&mut lab, 2);
    assert_eq!(lab.nat.session_count(), 1);
}

#[test]
fn a_session_of_another_client_never_makes_room() {
    let mut lab = Lab::new(Config { max_sessions_per_client: 1, ..config() });
    let outside = connect(&mut lab, 1);
    lab.out(tcp6(client(), 1, embed(SERVER), 80, FIN | ACK));
    lab.back(tcp4(SERVER, 80, POOL, outside, FIN | ACK));
    lab.wait_secs(5);
    lab.out(udp6(neighbour(), 1, embed(SERVER), 53, b""));
    assert_eq!(lab.out_dropped(udp6(neighbour(), 2, embed(SERVER), 53, b"")), reason::NAT64_CLIENT_LIMIT);
    assert_eq!(lab.nat.session_count(), 2);
}

#[test]
fn room_that_is_made_keeps_the_port_of_the_binding_that_asks() {
    let mut lab = Lab::new(Config { max_sessions_per_client: 1, ..config() });
    let outside = connect(&mut lab, 1);
    lab.out(tcp6(client(), 1, embed(SERVER), 80, FIN | ACK));
    lab.back(tcp4(SERVER, 80, POOL, outside, FIN | ACK));
    lab.wait_secs(4);
    let syn = lab.out(tcp6(client(), 1, embed(OTHER), 80, SYN));
    assert_eq!(ports(transport4(&syn)).0, outside);
    assert_eq!((lab.nat.session_count(), lab.nat.bib().count()), (1, 1));
}

#[test]
fn who_asks_in_vain_does_not_use_up_the_errors_of_others() {
    let mut lab = Lab::new(Config { max_sessions_per_client: 1, errors_per_second: 50, ..config() });
    lab.out(udp6(client(), 1, embed(SERVER), 53, b""));
    for port in 2..1000 {
        lab.out_dropped(udp6(client(), port, embed(SERVER), 53, b""));
    }
    let errors = lab.drain();
    assert_eq!(errors.len(), 10);
    assert!(errors.iter().all(|e| icmp(e) == (1, 3, 0)));
    let big = udp6(neighbour(), 1, embed(SERVER), 53, &[0; 1300]);
    assert_eq!(lab.nat.outbound(lab.now, &mut big.clone(), 1280), Verdict::Drop(reason::NAT64_TOO_BIG));
    assert_eq!(icmp(&lab.drain_one()).0, 2);
}

#[test]
fn limits_change_while_sessions_live() {
    let mut lab = Lab::new(config());
    for port in 0..5 {
        lab.out(udp6(client(), port, embed(SERVER), 53, b""));
    }
    lab.nat.reconfigure(Config { max_sessions_per_client: 5, ..config() });
    assert_eq!(lab.out_dropped(udp6(client(), 9, embed(SERVER), 53, b"")), reason::NAT64_CLIENT_LIMIT);
    lab.nat.reconfigure(Config { client_prefix_length: 64, max_ports_per_client: 6, ..config() });
    lab.out(udp6(neighbour(), 9, embed(SERVER), 53, b""));
    assert_eq!(lab.out_dropped(udp6(client(), 9, embed(SERVER), 53, b"")), reason::NAT64_CLIENT_PORTS);
    lab.nat.reconfigure(config());
    lab.out(udp6(client(), 9, embed(SERVER), 53, b""));
}

/// Sessions and dynamic ports of each client, as the tables say.
fn have(lab: &Lab) -> BTreeMap<Ipv6Addr, (u32, u32)> {
    let mut have: BTreeMap<Ipv6Addr, (u32, u32)> = BTreeMap::new();
    for session in lab.nat.sessions() {
        have.entry(session.inside.address).or_default().0 += 1;
    }
    for binding in lab.nat.bib().filter(|b| !b.is_static) {
        have.entry(binding.inside.address).or_default().1 += 1;
    }
    have
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever comes from both sides: nobody exceeds a limit, who is below gets what it asks for, and only what is over
    /// ends before its time.
    #[test]
    fn limits_hold_for_whatever_is_sent(
        steps in prop::collection::vec((0_u8..5, 0_u16..3, 1_u16..9, 1_u16..4, any::<bool>()), 1..300),
    ) {
        let timeouts = Timeouts { udp: Duration::from_secs(20), tcp_transitory: Duration::from_secs(30), ..Timeouts::default() };
        let pool = PoolEntry { protocol: None, addresses: "192.0.2.2/32".parse().unwrap(), ports: 1000..=1999 };
        let mut lab = Lab::new(Config {
            max_sessions_per_client: 6, max_ports_per_client: 4, timeouts, pool: vec![pool], ..config()
        });
        for (what, who, port, peer, back) in steps {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 8 + who);
            let flags = [SYN, ACK, FIN | ACK, RST][usize::from(peer) % 4];
            let before = have(&lab);
            let living: Vec<_> = lab.nat.sessions().filter(|s| !["trans", "v4-fin-v6-fin-rcv"].contains(&s.state)).collect();
            let bound = lab.nat.bib().find(|b| b.inside == Inside { address, port }
                && (b.protocol == Proto::Udp) == (what == 0)).map(|b| b.outside.port);
            let mut packet = match (what, back, bound) {
                (0, true, Some(outside)) => udp4(SERVER, peer, POOL, outside, b""),
                (0, ..) => udp6(address, port, embed(SERVER), peer, b""),
                (4, ..) => { lab.wait_secs(u64::from(port)); Packet::new() }
                (_, true, Some(outside)) => tcp4(SERVER, 80, POOL, outside, flags),
                _ => tcp6(address, port, embed(SERVER), 80, flags),
            };
            if what == 4 {
                continue;
            }
            let back = packet.bytes()[0] >> 4 == 4;
            let verdict = if back {
                lab.nat.inbound(lab.now, &mut packet, 1500)
            } else {
                lab.nat.outbound(lab.now, &mut packet, 1500)
            };
            lab.drain();
            for (sessions, ports) in have(&lab).values() {
                prop_assert!(*sessions <= 6 && *ports <= 4);
            }
            let (sessions, ports) = before.get(&address).copied().unwrap_or_default();
            if sessions < 6 && ports < 4 {
                prop_assert!(![reason::NAT64_CLIENT_LIMIT, reason::NAT64_CLIENT_PORTS].map(Verdict::Drop).contains(&verdict));
            }
            for session in living.into_iter().filter(|s| s.expires > lab.now) {
                prop_assert!(lab.nat.sessions().any(|s| (s.protocol, s.inside, s.peer) == (session.protocol, session.inside, session.peer)));
            }
        }
    }
}
