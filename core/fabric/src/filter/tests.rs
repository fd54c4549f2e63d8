use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use sixgate_reason as reason;
use sixgate_wire::icmpv6::{ECHO_REPLY, ECHO_REQUEST};
use sixgate_wire::refusal::{self, Refusal};
use sixgate_wire::tcp::{ACK, FIN, RST, SYN};
use sixgate_wire::{Packet, protocol};

use crate::testing::*;
use crate::{Fabric, FlowState, Limits, Policy, Ports, Rule, Selector, group};

const PORTS: (u16, u16) = (5000, 80);
const BACK: (u16, u16) = (80, 5000);

fn rule(from: Selector, to: Selector, ports: &[Ports]) -> Rule {
    Rule { from: vec![from], to: vec![to], ports: ports.to_vec() }
}

/// The laptop's connection to the file server, established.
fn connected() -> Fabric {
    let mut fabric = fabric();
    assert_eq!(send(&mut fabric, at(1), &tcp(laptop(), files(), PORTS, SYN)), Ok(NAT64));
    assert_eq!(send(&mut fabric, at(1), &tcp(files(), laptop(), BACK, SYN | ACK)), Ok(LAPTOP));
    assert_eq!(send(&mut fabric, at(1), &tcp(laptop(), files(), PORTS, ACK)), Ok(NAT64));
    fabric
}

#[test]
fn only_a_packet_that_opens_a_flow_counts_as_one_opened() {
    let mut fabric = connected();
    assert_eq!(fabric.flows_opened(), 1);
    assert!(send(&mut fabric, at(2), &tcp(files(), laptop(), (80, 5001), SYN)).is_err());
    assert_eq!(fabric.flows_opened(), 1);
    assert_eq!(send(&mut fabric, at(2), &udp(laptop(), files(), PORTS)), Ok(NAT64));
    assert_eq!(fabric.flows_opened(), 2);
}

fn state(fabric: &Fabric) -> Vec<FlowState> {
    fabric.flows().map(|flow| flow.state).collect()
}

/// An ICMPv6 error of `src` about `quoted`, sent to whoever sent that.
fn error(src: Ipv6Addr, quoted: &Packet) -> Packet {
    let mut out = Packet::new();
    assert!(refusal::write(Refusal::PortUnreachable, quoted.bytes(), src, &mut out));
    out
}

#[test]
fn standard_policy_lets_clients_in_and_helpdesk_out() {
    let denied = Err((reason::POLICY_DENIED, Some(Refusal::Prohibited)));
    for (src, dst, expected) in [
        (laptop(), files(), Ok(NAT64)),
        (laptop(), helpdesk(), Ok(ISATAP)),
        (helpdesk(), laptop(), Ok(LAPTOP)),
        (laptop(), other(), denied),
        (files(), laptop(), denied),
        (helpdesk(), files(), denied),
        (laptop(), addr("fd00::99"), denied),
    ] {
        for p in [
            tcp(src, dst, (40_000, 22), SYN),
            udp(src, dst, (40_000, 22)),
            echo(src, dst, ECHO_REQUEST, 7),
            packet(src, dst, protocol::ESP, &[0; 16]),
        ] {
            assert_eq!(ask(&mut fabric(), at(1), &p), expected, "{p:?}");
        }
    }
}

#[test]
fn the_gateway_s_services_are_reached_whatever_policy_says() {
    let mut fabric = fabric_with(Policy::new(Vec::new()), Limits { flows: 16, ..Limits::default() });
    for p in [
        udp(laptop(), resolver(), (5000, 53)),
        tcp(laptop(), resolver(), (5000, 53), SYN),
        echo(laptop(), resolver(), ECHO_REQUEST, 1),
        echo(helpdesk(), resolver(), ECHO_REQUEST, 1),
    ] {
        assert_eq!(send(&mut fabric, at(1), &p), Ok(KERNEL), "{p:?}");
    }
    assert_eq!(send(&mut fabric, at(1), &udp(resolver(), laptop(), (53, 5000))), Ok(LAPTOP));
    for p in [
        udp(laptop(), resolver(), (5000, 54)),
        udp(helpdesk(), resolver(), (5000, 53)),
        udp(resolver(), laptop(), (53, 5001)),
        udp(laptop(), files(), (5000, 53)),
    ] {
        assert_eq!(send(&mut fabric, at(1), &p), Err(reason::POLICY_DENIED), "{p:?}");
    }
}

/// What is refused outside a flow under a reason of its own, and passes inside one.
#[test]
fn a_bare_syn_ack_is_refused_and_the_answer_to_a_syn_is_not() {
    let (mut outside, mut inside) = (fabric(), fabric());
    let syn_ack = tcp(files(), laptop(), BACK, SYN | ACK);
    let told = Err((reason::FLOW_TCP_SYN_ACK_UNKNOWN, Some(Refusal::Prohibited)));
    assert_eq!(ask(&mut outside, at(1), &syn_ack), told);
    // Not even in the direction in which policy lets a SYN through.
    let from_client = tcp(laptop(), files(), PORTS, SYN | ACK);
    assert_eq!(ask(&mut outside, at(1), &from_client), told);
    assert_eq!(outside.flow_count(), 0);
    assert_eq!(send(&mut inside, at(1), &tcp(laptop(), files(), PORTS, SYN)), Ok(NAT64));
    assert_eq!(send(&mut inside, at(1), &syn_ack), Ok(LAPTOP));
    assert_eq!(state(&inside), [FlowState::Established]);
}

#[test]
fn a_segment_outside_any_flow_is_refused_and_inside_one_is_not() {
    let (mut outside, mut inside) = (fabric(), connected());
    for flags in [ACK, 0, FIN | ACK, SYN | FIN, SYN | RST, RST] {
        let there = tcp(laptop(), files(), PORTS, flags);
        let back = tcp(files(), laptop(), BACK, flags);
        for p in [&there, &back] {
            let told = Err((reason::FLOW_TCP_OUTSIDE, Some(Refusal::Prohibited)));
            assert_eq!(ask(&mut outside, at(1), p), told, "{flags:#x}");
        }
        assert_eq!(send(&mut inside, at(2), &there), Ok(NAT64), "{flags:#x}");
        assert_eq!(send(&mut inside, at(2), &back), Ok(LAPTOP), "{flags:#x}");
        let other_port = tcp(laptop(), files(), (5001, 80), flags);
        assert_eq!(send(&mut inside, at(2), &other_port), Err(reason::FLOW_TCP_OUTSIDE));
    }
}

#[test]
fn an_error_that_quotes_no_flow_is_refused_and_one_that_quotes_a_flow_is_not() {
    let (mut outside, mut inside) = (fabric(), connected());
    let about_there = error(files(), &tcp(laptop(), files(), PORTS, ACK));
    let about_back = error(laptop(), &tcp(files(), laptop(), BACK, ACK));
    let from_router = error(addr("fd00:64::10.6.0.1"), &tcp(laptop(), files(), PORTS, ACK));
    for (p, to) in [(about_there, LAPTOP), (about_back, NAT64), (from_router, LAPTOP)] {
        assert_eq!(ask(&mut outside, at(1), &p), Err((reason::FLOW_ICMP_ERROR_UNKNOWN, None)), "{p:?}");
        assert_eq!(send(&mut inside, at(1), &p), Ok(to), "{p:?}");
    }
    assert_eq!(state(&inside), [FlowState::Established]);
}

#[test]
fn an_error_is_believed_only_from_where_the_packet_went_and_by_who_sent_it() {
    let mut fabric = connected();
    let quoted = tcp(laptop(), files(), PORTS, ACK);
    // A second client that guesses the ports of the first.
    assert_eq!(send(&mut fabric, at(1), &error(other(), &quoted)), Err(reason::FLOW_ICMP_ERROR_UNKNOWN));
    // Goes to somebody who did not send what it quotes.
    let astray = icmp(files(), other(), 1, 0, quoted.bytes());
    assert_eq!(send(&mut fabric, at(1), &astray), Err(reason::FLOW_ICMP_ERROR_UNKNOWN));
    // Quotes too little, nothing, or another error.
    for body in [&quoted.bytes()[..43], &quoted.bytes()[..20], &[], error(laptop(), &quoted).bytes()] {
        let p = icmp(files(), laptop(), 1, 0, body);
        assert_eq!(send(&mut fabric, at(1), &p), Err(reason::FLOW_ICMP_ERROR_UNKNOWN), "{}", body.len());
    }
    // Eight octets of the transport header are enough: an ICMPv4 error promises no more.
    let short = icmp(files(), laptop(), 3, 0, &quoted.bytes()[..48]);
    assert_eq!(send(&mut fabric, at(1), &short), Ok(LAPTOP));
}

#[test]
fn a_lone_later_fragment_is_refused_and_one_that_follows_its_first_is_not() {
    let mut fabric = fabric();
    let there =
        |offset, more, data: &[u8]| fragment(laptop(), files(), protocol::UDP, (offset, more, 77), data);
    let first = there(0, true, &udp_header(PORTS, 92)[..64]);
    let (second, last) = (there(64, true, &[1; 32]), there(96, false, &[2; 4]));
    assert_eq!(ask(&mut fabric, at(1), &second), Err((reason::FLOW_FRAGMENT_UNKNOWN, None)));
    assert_eq!(send(&mut fabric, at(1), &first), Ok(NAT64));
    // Another datagram, and the opposite direction, are other datagrams.
    let stranger = fragment(laptop(), files(), protocol::UDP, (64, true, 78), &[1; 32]);
    let opposite = fragment(files(), laptop(), protocol::UDP, (64, true, 77), &[1; 32]);
    for p in [stranger, opposite] {
        assert_eq!(send(&mut fabric, at(1), &p), Err(reason::FLOW_FRAGMENT_UNKNOWN));
    }
    assert_eq!(send(&mut fabric, at(1), &there(56, false, &[1; 16])), Err(reason::FLOW_FRAGMENT_OVERLAP));
    assert_eq!(send(&mut fabric, at(1), &second), Ok(NAT64));
    assert_eq!(fabric.fragment_count(), 1);
    assert_eq!(send(&mut fabric, at(1), &last), Ok(NAT64));
    assert_eq!(fabric.fragment_count(), 0);
    // The answer, in fragments too.
    let answer =
        |offset, more, data: &[u8]| fragment(files(), laptop(), protocol::UDP, (offset, more, 9), data);
    assert_eq!(send(&mut fabric, at(1), &answer(0, true, &udp_header(BACK, 0))), Ok(LAPTOP));
    assert_eq!(send(&mut fabric, at(1), &answer(8, false, &[0; 9])), Ok(LAPTOP));
}

#[test]
fn a_first_fragment_that_is_refused_opens_the_way_for_nothing() {
    let mut fabric = fabric();
    let part =
        |offset, more, data: &[u8]| fragment(files(), laptop(), protocol::UDP, (offset, more, 5), data);
    assert_eq!(send(&mut fabric, at(1), &part(0, true, &udp_header(BACK, 8))), Err(reason::POLICY_DENIED));
    assert_eq!(send(&mut fabric, at(1), &part(16, false, &[0; 8])), Err(reason::FLOW_FRAGMENT_UNKNOWN));
    // RFC 7112: the whole transport header is in the first fragment, or there is nothing to judge by.
    let short = fragment(laptop(), files(), protocol::TCP, (0, true, 6), &tcp_header(PORTS, SYN)[..16]);
    assert_eq!(send(&mut fabric, at(1), &short), Err(reason::MALFORMED_TRANSPORT));
}

#[test]
fn a_second_first_fragment_widens_what_must_not_be_overlapped() {
    let mut fabric = fabric();
    let part = |offset, data: &[u8]| fragment(laptop(), files(), protocol::UDP, (offset, true, 5), data);
    assert_eq!(send(&mut fabric, at(1), &part(0, &udp_header(PORTS, 8))), Ok(NAT64));
    assert_eq!(send(&mut fabric, at(1), &part(0, &udp_header(PORTS, 24))), Ok(NAT64));
    assert_eq!(send(&mut fabric, at(1), &part(16, &[0; 8])), Err(reason::FLOW_FRAGMENT_OVERLAP));
    assert_eq!(send(&mut fabric, at(1), &part(32, &[0; 8])), Ok(NAT64));
}

#[test]
fn an_error_about_a_later_fragment_finds_its_flow() {
    let mut fabric = fabric();
    let part = |offset, data: &[u8]| fragment(laptop(), files(), protocol::UDP, (offset, true, 5), data);
    let about = icmp(files(), laptop(), 3, 1, part(16, &[0; 8]).bytes());
    assert_eq!(send(&mut fabric, at(1), &about), Err(reason::FLOW_ICMP_ERROR_UNKNOWN));
    assert_eq!(send(&mut fabric, at(1), &part(0, &udp_header(PORTS, 8))), Ok(NAT64));
    assert_eq!(send(&mut fabric, at(1), &about), Ok(LAPTOP));
}

#[test]
fn the_table_of_fragments_is_bounded_and_empties_with_time() {
    let mut fabric = fabric();
    let first = |id| fragment(laptop(), files(), protocol::UDP, (0, true, id), &udp_header(PORTS, 0));
    for id in 0..8 {
        assert_eq!(send(&mut fabric, at(1), &first(id)), Ok(NAT64));
    }
    let full = Err((reason::FLOW_FRAGMENT_TABLE_FULL, Some(Refusal::AddressUnreachable)));
    assert_eq!(ask(&mut fabric, at(1), &first(8)), full);
    assert_eq!(send(&mut fabric, at(1), &first(3)), Ok(NAT64));
    assert_eq!(send(&mut fabric, at(63), &first(8)), Ok(NAT64));
    let late = fragment(laptop(), files(), protocol::UDP, (8, true, 2), &[0; 8]);
    assert_eq!(send(&mut fabric, at(63), &late), Err(reason::FLOW_FRAGMENT_UNKNOWN));
}

#[test]
fn an_atomic_fragment_is_a_whole_datagram() {
    let mut fabric = fabric();
    let atomic = fragment(laptop(), files(), protocol::UDP, (0, false, 1), &udp_header(PORTS, 0));
    assert_eq!(send(&mut fabric, at(1), &atomic), Ok(NAT64));
    assert_eq!((fabric.fragment_count(), fabric.flow_count()), (0, 1));
}

#[test]
fn an_unknown_echo_reply_is_refused_and_the_answer_to_a_request_is_not() {
    let mut fabric = fabric();
    let reply = echo(files(), laptop(), ECHO_REPLY, 7);
    let told = Err((reason::FLOW_ECHO_REPLY_UNKNOWN, Some(Refusal::Prohibited)));
    assert_eq!(ask(&mut fabric, at(1), &reply), told);
    assert_eq!(send(&mut fabric, at(1), &echo(laptop(), files(), ECHO_REQUEST, 7)), Ok(NAT64));
    assert_eq!(send(&mut fabric, at(1), &reply), Ok(LAPTOP));
    let wrong = echo(files(), laptop(), ECHO_REPLY, 8);
    assert_eq!(send(&mut fabric, at(1), &wrong), Err(reason::FLOW_ECHO_REPLY_UNKNOWN));
    // Whoever asked does not answer itself.
    let own = echo(laptop(), files(), ECHO_REPLY, 7);
    assert_eq!(send(&mut fabric, at(1), &own), Err(reason::FLOW_ECHO_REPLY_UNKNOWN));
}

#[test]
fn two_that_ping_each_other_with_one_identifier_are_judged_each_by_itself() {
    let mut fabric = fabric();
    assert_eq!(send(&mut fabric, at(1), &echo(laptop(), files(), ECHO_REQUEST, 1)), Ok(NAT64));
    let opposite = echo(files(), laptop(), ECHO_REQUEST, 1);
    assert_eq!(send(&mut fabric, at(1), &opposite), Err(reason::POLICY_DENIED));
    assert_eq!(send(&mut fabric, at(1), &echo(laptop(), helpdesk(), ECHO_REQUEST, 1)), Ok(ISATAP));
    assert_eq!(send(&mut fabric, at(1), &echo(helpdesk(), laptop(), ECHO_REQUEST, 1)), Ok(LAPTOP));
    assert_eq!(send(&mut fabric, at(1), &echo(helpdesk(), laptop(), ECHO_REPLY, 1)), Ok(LAPTOP));
    assert_eq!(send(&mut fabric, at(1), &echo(laptop(), helpdesk(), ECHO_REPLY, 1)), Ok(ISATAP));
}

#[test]
fn icmpv6_of_a_link_never_crosses() {
    let rules = vec![rule(Selector::Any, Selector::Any, &[])];
    let mut fabric = fabric_with(Policy::new(rules), Limits { flows: 8, ..Limits::default() });
    for kind in (0..=u8::MAX).filter(|kind| !matches!(*kind, 1..=4 | ECHO_REQUEST | ECHO_REPLY)) {
        let p = icmp(laptop(), files(), kind, 0, &[0; 16]);
        assert_eq!(ask(&mut fabric, at(1), &p), Err((reason::FLOW_ICMP_TYPE, None)), "{kind}");
    }
}

#[test]
fn a_syn_against_the_direction_of_its_flow_needs_a_rule_of_its_own() {
    let mut fabric = connected();
    let opposite = tcp(files(), laptop(), BACK, SYN);
    assert_eq!(send(&mut fabric, at(1), &opposite), Err(reason::POLICY_DENIED));
    assert_eq!(state(&fabric), [FlowState::Established]);
    // Both at once is an answer (RFC 9293, section 3.5).
    assert_eq!(send(&mut fabric, at(1), &tcp(laptop(), files(), (5001, 80), SYN)), Ok(NAT64));
    assert_eq!(send(&mut fabric, at(1), &tcp(files(), laptop(), (80, 5001), SYN)), Ok(LAPTOP));
}

#[test]
fn ports_of_the_policy_are_held_to() {
    let from = Selector::V4("10.6.8.0/24".parse().unwrap());
    let rules = vec![rule(from, Selector::Group(group::CLIENTS), &[Ports::Tcp(22, 22), Ports::Icmp])];
    let mut fabric = fabric_with(Policy::new(rules), Limits { flows: 8, ..Limits::default() });
    let stranger = addr("fd00:2::5efe:10.6.9.20");
    assert_eq!(send(&mut fabric, at(1), &tcp(helpdesk(), laptop(), (5000, 22), SYN)), Ok(LAPTOP));
    assert_eq!(send(&mut fabric, at(1), &tcp(laptop(), helpdesk(), (22, 5000), SYN | ACK)), Ok(ISATAP));
    assert_eq!(send(&mut fabric, at(1), &echo(helpdesk(), laptop(), ECHO_REQUEST, 3)), Ok(LAPTOP));
    for p in [
        tcp(helpdesk(), laptop(), (22, 23), SYN),
        udp(helpdesk(), laptop(), (5000, 22)),
        tcp(stranger, laptop(), (5000, 22), SYN),
        tcp(laptop(), files(), PORTS, SYN),
    ] {
        assert_eq!(send(&mut fabric, at(1), &p), Err(reason::POLICY_DENIED), "{p:?}");
    }
}

#[test]
fn a_full_table_refuses_new_flows_and_keeps_the_old_ones() {
    let mut fabric = fabric();
    for port in 0..64 {
        assert_eq!(send(&mut fabric, at(1), &udp(laptop(), files(), (port, 53))), Ok(NAT64));
    }
    let one_more = udp(laptop(), files(), (64, 53));
    let full = Err((reason::FLOW_TABLE_FULL, Some(Refusal::AddressUnreachable)));
    assert_eq!(ask(&mut fabric, at(1), &one_more), full);
    assert_eq!(send(&mut fabric, at(2), &udp(files(), laptop(), (53, 63))), Ok(LAPTOP));
    assert_eq!(fabric.flow_count(), 64);
    // What policy does not allow is not called a full table.
    assert_eq!(send(&mut fabric, at(2), &udp(files(), laptop(), (53, 64))), Err(reason::POLICY_DENIED));
    // Idle for five minutes, they make room; the one that was used lives on.
    assert_eq!(send(&mut fabric, at(302), &one_more), Ok(NAT64));
    assert_eq!(send(&mut fabric, at(302), &udp(files(), laptop(), (53, 63))), Ok(LAPTOP));
    assert_eq!(send(&mut fabric, at(302), &udp(files(), laptop(), (53, 62))), Err(reason::POLICY_DENIED));
}

#[test]
fn nobody_fills_the_table_alone() {
    let limits = Limits { flows: 64, flows_per_source: 10, fragments_per_source: 3, ..Limits::default() };
    let mut fabric = fabric_with(Policy::standard(), limits);
    for port in 0..10 {
        assert_eq!(send(&mut fabric, at(1), &udp(laptop(), files(), (port, 53))), Ok(NAT64));
    }
    let told = Err((reason::FLOW_SOURCE_LIMIT, Some(Refusal::AddressUnreachable)));
    assert_eq!(ask(&mut fabric, at(1), &udp(laptop(), files(), (10, 53))), told);
    assert_eq!(send(&mut fabric, at(1), &udp(other(), files(), (10, 53))), Ok(NAT64));
    // What others open to it is theirs.
    assert_eq!(send(&mut fabric, at(1), &tcp(helpdesk(), laptop(), (10, 22), SYN)), Ok(LAPTOP));
    let first = |src, id| fragment(src, files(), protocol::UDP, (0, true, id), &udp_header((1, 53), 0));
    for id in 0..3 {
        assert_eq!(send(&mut fabric, at(1), &first(laptop(), id)), Ok(NAT64));
    }
    assert_eq!(send(&mut fabric, at(1), &first(laptop(), 3)), Err(reason::FLOW_FRAGMENT_TABLE_FULL));
    assert_eq!(send(&mut fabric, at(1), &first(other(), 3)), Ok(NAT64));
}

#[test]
fn each_state_has_its_own_lifetime() {
    let lives = |fabric: &mut Fabric, now| send(fabric, at(now), &tcp(files(), laptop(), BACK, ACK)).is_ok();
    let half_open = || {
        let mut fabric = fabric();
        assert_eq!(send(&mut fabric, at(1), &tcp(laptop(), files(), PORTS, SYN)), Ok(NAT64));
        fabric
    };
    assert!(lives(&mut half_open(), 241) && !lives(&mut half_open(), 242));
    assert!(lives(&mut connected(), 7441) && !lives(&mut connected(), 7442));
    let closed = || {
        let mut fabric = connected();
        assert_eq!(send(&mut fabric, at(1), &tcp(laptop(), files(), PORTS, FIN | ACK)), Ok(NAT64));
        assert_eq!(state(&fabric), [FlowState::Established]);
        assert_eq!(send(&mut fabric, at(1), &tcp(files(), laptop(), BACK, FIN | ACK)), Ok(LAPTOP));
        assert_eq!(state(&fabric), [FlowState::Closing]);
        fabric
    };
    assert!(lives(&mut closed(), 241) && !lives(&mut closed(), 242));
    let mut fabric = connected();
    assert_eq!(fabric.next_timeout(), at(7442));
    fabric.handle_timeout(at(7442));
    assert_eq!(fabric.flow_count(), 0);
}

#[test]
fn a_new_connection_may_use_the_ports_of_a_closed_one() {
    let mut fabric = connected();
    for (src, dst, ports) in [(laptop(), files(), PORTS), (files(), laptop(), BACK)] {
        assert!(send(&mut fabric, at(2), &tcp(src, dst, ports, FIN | ACK)).is_ok());
    }
    assert_eq!(send(&mut fabric, at(3), &tcp(laptop(), files(), PORTS, SYN)), Ok(NAT64));
    assert_eq!(send(&mut fabric, at(3), &tcp(files(), laptop(), BACK, SYN | ACK)), Ok(LAPTOP));
    assert_eq!(state(&fabric), [FlowState::Established]);
}

#[test]
fn a_flow_that_a_new_policy_does_not_allow_is_refused() {
    let mut fabric = connected();
    assert_eq!(send(&mut fabric, at(1), &tcp(helpdesk(), laptop(), PORTS, SYN)), Ok(LAPTOP));
    let only_helpdesk = rule(Selector::Group(group::SERVED), Selector::Group(group::CLIENTS), &[]);
    fabric.set_snapshot(Arc::new(snapshot(Policy::new(vec![only_helpdesk])).build().unwrap()));
    // The server's segment: its own direction was never judged, the flow's was.
    assert_eq!(
        ask(&mut fabric, at(2), &tcp(files(), laptop(), BACK, ACK)),
        Err((reason::POLICY_DENIED, Some(Refusal::Prohibited)))
    );
    assert_eq!(send(&mut fabric, at(2), &tcp(laptop(), files(), PORTS, ACK)), Err(reason::FLOW_TCP_OUTSIDE));
    assert_eq!(send(&mut fabric, at(2), &tcp(laptop(), helpdesk(), BACK, SYN | ACK)), Ok(ISATAP));
}

#[test]
fn a_flow_is_judged_again_when_its_owner_becomes_somebody_else() {
    let mut fabric = connected();
    fabric.add_host(laptop(), LAPTOP, client());
    assert_eq!(send(&mut fabric, at(2), &tcp(files(), laptop(), BACK, ACK)), Ok(LAPTOP));
    fabric.add_host(laptop(), LAPTOP, crate::Identity::default());
    assert_eq!(send(&mut fabric, at(2), &tcp(files(), laptop(), BACK, ACK)), Err(reason::POLICY_DENIED));
}

#[test]
fn a_flow_is_shown_from_its_opener_with_what_crossed() {
    let mut fabric = fabric();
    assert_eq!(send(&mut fabric, at(1), &udp(helpdesk(), laptop(), (40_000, 161))), Ok(LAPTOP));
    assert_eq!(send(&mut fabric, at(1), &udp(laptop(), helpdesk(), (161, 40_000))), Ok(ISATAP));
    assert_eq!(send(&mut fabric, at(1), &udp(laptop(), helpdesk(), (161, 40_000))), Ok(ISATAP));
    let [flow] = fabric.flows().collect::<Vec<_>>()[..] else { panic!("one flow") };
    assert_eq!((flow.key.src, flow.key.src_port), (helpdesk(), 40_000));
    assert_eq!((flow.key.dst, flow.key.dst_port), (laptop(), 161));
    assert_eq!((flow.state, flow.sent, flow.received, flow.expires), (FlowState::Udp, 52, 104, at(302)));
}

#[test]
fn where_nothing_new_is_opened_what_is_open_goes_on() {
    let mut fabric = fabric();
    let session = |src, dst, ports, flags| tcp(src, dst, ports, flags);
    assert_eq!(send(&mut fabric, at(1), &session(helpdesk(), laptop(), PORTS, SYN)), Ok(LAPTOP));
    assert_eq!(send(&mut fabric, at(1), &session(laptop(), helpdesk(), BACK, SYN | ACK)), Ok(ISATAP));
    let kept = addr("fd00:2::5efe:10.6.8.21");
    let closed = snapshot(Policy::standard())
        .close("fd00:2::/64".parse().unwrap())
        .keep_open("fd00:2::5efe:a06:815/128".parse().unwrap());
    fabric.set_snapshot(Arc::new(closed.build().unwrap()));

    // Both ways, in the epoch after.
    assert_eq!(send(&mut fabric, at(2), &session(helpdesk(), laptop(), PORTS, ACK)), Ok(LAPTOP));
    assert_eq!(send(&mut fabric, at(2), &session(laptop(), helpdesk(), BACK, ACK)), Ok(ISATAP));
    // Nothing new, by whoever opens it, and at once.
    let retired = Err((reason::FLOW_RETIRED, Some(Refusal::Prohibited)));
    assert_eq!(ask(&mut fabric, at(2), &session(helpdesk(), laptop(), (5001, 22), SYN)), retired);
    assert_eq!(ask(&mut fabric, at(2), &udp(laptop(), helpdesk(), (1, 2))), retired);
    assert_eq!(ask(&mut fabric, at(2), &echo(helpdesk(), laptop(), ECHO_REQUEST, 7)), retired);
    // Whoever is kept, and whoever has nothing to do with it, opens as before.
    assert_eq!(send(&mut fabric, at(2), &session(kept, laptop(), PORTS, SYN)), Ok(LAPTOP));
    assert_eq!(send(&mut fabric, at(2), &session(laptop(), files(), PORTS, SYN)), Ok(NAT64));
    // The ports of a connection that has ended are no way in.
    assert_eq!(send(&mut fabric, at(3), &session(helpdesk(), laptop(), PORTS, RST)), Ok(LAPTOP));
    assert_eq!(ask(&mut fabric, at(3), &session(helpdesk(), laptop(), PORTS, SYN)), retired);

    fabric.set_snapshot(Arc::new(snapshot(Policy::standard()).build().unwrap()));
    assert_eq!(send(&mut fabric, at(4), &session(helpdesk(), laptop(), (5001, 22), SYN)), Ok(LAPTOP));
}
