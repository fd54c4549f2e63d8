//! What the IPv4 network says of routers.

use sixgate_wire::path_error::PathFault;

use super::*;

fn failed(host: &mut Host, now: Instant, to: Ipv4Addr, quoted: &Packet) -> Result<Refused, Reason> {
    host.path_failed(now, to, PathFault::Unreachable, quoted)
}

fn ours() -> Packet {
    data(global(HOST), six(CLIENT))
}

#[test]
fn a_router_that_the_network_does_not_reach_is_left_at_once_and_asked() {
    let mut host = host(T0, &[R1, R2]);
    advertise(&mut host, T0, R1, &usual());
    advertise(&mut host, T0, R2, &usual());
    drain(&mut host);
    let now = T0 + secs(5);
    assert_eq!(send(&mut host, now, CLIENT), Ok(R1));
    // Another one leads there, so nobody is told anything.
    let silent = Refused { reason: ISATAP_PATH_UNREACHABLE, refusal: None };
    assert_eq!(failed(&mut host, now, R1, &ours()), Ok(silent));
    assert_eq!(send(&mut host, now, CLIENT), Ok(R2));
    let asked = kinds(&mut host);
    assert!(asked.contains(&(R1, Kind::NeighbourSolicitation)), "{asked:?}");
    assert!(asked.contains(&(R2, Kind::NeighbourSolicitation)), "{asked:?}");
    // It answers: whoever said so was wrong, or lied.
    confirm(&mut host, now, R1);
    assert_eq!(send(&mut host, now, CLIENT), Ok(R1));
    // And is not believed again within a second.
    failed(&mut host, now, R1, &ours()).unwrap();
    assert_eq!(send(&mut host, now, CLIENT), Ok(R1));
}

#[test]
fn without_another_router_the_sender_is_told_and_the_state_says_why() {
    let mut host = host(T0, &[R1]);
    advertise(&mut host, T0, R1, &usual());
    let mut now = T0 + secs(5);
    let told = Refused { reason: ISATAP_PATH_UNREACHABLE, refusal: Some(Refusal::AddressUnreachable) };
    assert_eq!(failed(&mut host, now, R1, &ours()), Ok(told));
    while host.routers()[0].state == RouterState::Reachable {
        now = host.next_timeout();
        host.handle_timeout(now);
    }
    assert_eq!(host.routers()[0].reason, Some(ISATAP_PATH_UNREACHABLE));
    advertise(&mut host, now, R1, &usual());
    assert_eq!(host.routers()[0].reason, None);
}

#[test]
fn nobody_else_leads_to_the_router_itself() {
    let mut host = host(T0, &[R1, R2]);
    advertise(&mut host, T0, R1, &usual());
    advertise(&mut host, T0, R2, &usual());
    let told = failed(&mut host, T0 + secs(5), R1, &data(global(HOST), global(R1))).unwrap();
    assert_eq!(told.refusal, Some(Refusal::AddressUnreachable));
}

#[test]
fn a_solicitation_that_does_not_arrive_explains_why_there_is_no_address() {
    let mut host = host(T0, &[R1]);
    let (_, solicitation) = drain(&mut host).remove(0);
    assert_eq!(failed(&mut host, T0, R1, &solicitation).unwrap().refusal, None);
    assert_eq!(host.routers()[0].reason, Some(ISATAP_PATH_UNREACHABLE));
}

#[test]
fn an_error_about_nobody_or_about_a_strangers_packet_is_not_believed() {
    let mut host = host(T0, &[R1]);
    advertise(&mut host, T0, R1, &usual());
    let now = T0 + secs(5);
    assert_eq!(failed(&mut host, now, R2, &ours()), Err(ISATAP_PATH_ERROR_FOREIGN));
    let foreign = data(six("fd00::9"), six(CLIENT));
    assert_eq!(failed(&mut host, now, R1, &foreign), Err(ISATAP_PATH_ERROR_FOREIGN));
    // One that quotes too little is a hint, and nobody is told.
    let nothing = failed(&mut host, now, R1, &Packet::new()).unwrap();
    assert_eq!((nothing.reason, nothing.refusal), (ISATAP_PATH_UNREACHABLE, None));
    let big = host.path_failed(now, R1, PathFault::TooBig { mtu: 1000 }, &ours());
    assert_eq!(big, Ok(Refused { reason: ISATAP_PATH_TOO_BIG, refusal: None }));
}
