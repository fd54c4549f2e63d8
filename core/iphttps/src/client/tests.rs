use alloc::vec;
use alloc::vec::Vec;

use sixgate_wire::ipv6::Header;
use sixgate_wire::protocol;

use super::*;
use crate::session::{Session, SessionConfig};

const T0: Instant = Instant::from_secs(10_000);

fn ip(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn lease() -> Lease {
    Lease { addresses: vec![ip("fd00:1::a")], mtu: 1400, lifetime: 3600, ..Lease::default() }
}

fn packet(src: &str, dst: &str) -> Packet {
    let header = Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: 0,
        next_header: protocol::NONE,
        hop_limit: 64,
        src: ip(src),
        dst: ip(dst),
    };
    Packet::from_slice(&header.octets())
}

fn outputs(client: &mut Client) -> Vec<Packet> {
    let mut out = Packet::new();
    let mut all = Vec::new();
    while client.poll_output(&mut out) {
        all.push(out.clone());
    }
    all
}

/// Carries everything between the two ends until neither has anything to say.
fn settle(now: Instant, client: &mut Client, session: &mut Session) {
    let mut packet = Packet::new();
    loop {
        let mut quiet = true;
        while client.poll_output(&mut packet) {
            assert_eq!(session.inbound(now, &packet), Inbound::Consumed, "{packet:?}");
            quiet = false;
        }
        while session.poll_output(&mut packet) {
            assert_eq!(client.inbound(now, &packet), Inbound::Consumed, "{packet:?}");
            quiet = false;
        }
        if quiet {
            return;
        }
    }
}

fn connected() -> (Client, Session) {
    let mut client = Client::new(T0, 7);
    let mut session = Session::new(SessionConfig { lease: lease(), ..SessionConfig::default() });
    settle(T0, &mut client, &mut session);
    assert_eq!(client.poll_event(), Some(Event::Leased(lease())));
    (client, session)
}

#[test]
fn the_two_ends_agree_on_a_lease() {
    let (client, _) = connected();
    assert_eq!(client.lease(), Some(&lease()));
    assert!(client.next_timeout() > T0);
}

#[test]
fn gateway_without_an_answer_is_asked_three_times_then_given_up() {
    let mut client = Client::new(T0, 7);
    let mut asked = outputs(&mut client).len();
    let mut now = T0;
    while !client.dead {
        now = client.next_timeout();
        client.handle_timeout(now);
        asked += outputs(&mut client).len();
    }
    assert_eq!(client.poll_event(), Some(Event::Dead(reason::IPHTTPS_NO_ADVERTISEMENT)));
    assert_eq!((asked, now.since(T0)), (3, Duration::from_secs(7)));
    assert_eq!(client.next_timeout(), Instant::NEVER);
}

#[test]
fn advertisement_without_an_address_ends_the_attempt_with_its_reason() {
    let mut client = Client::new(T0, 7);
    let mut session = Session::new(SessionConfig::default());
    settle(T0, &mut client, &mut session);
    assert_eq!(client.poll_event(), Some(Event::Dead(reason::IPHTTPS_NO_ADDRESS)));
}

#[test]
fn idle_link_is_probed_and_lives_on_when_the_gateway_answers() {
    let (mut client, mut session) = connected();
    let mut now = T0;
    for _ in 0..20 {
        now = client.next_timeout();
        client.handle_timeout(now);
        settle(now, &mut client, &mut session);
        assert_eq!(client.poll_event(), None);
    }
    assert_eq!(now.since(T0), IDLE * 20);
}

#[test]
fn silent_gateway_is_dead_a_probe_after_the_link_became_idle() {
    let (mut client, _) = connected();
    client.handle_timeout(T0 + IDLE);
    let probe = outputs(&mut client);
    let probe = Ipv6::parse(probe[0].bytes()).unwrap();
    assert_eq!((probe.dst(), probe.hop_limit()), (ip("fe80::1"), 255));
    assert_eq!(client.next_timeout(), T0 + IDLE + PROBE_WAIT);
    client.handle_timeout(T0 + IDLE + PROBE_WAIT);
    assert_eq!(client.poll_event(), Some(Event::Dead(reason::IPHTTPS_GATEWAY_SILENT)));
}

#[test]
fn unanswered_traffic_shortens_the_wait() {
    let (mut client, _) = connected();
    client.outbound(T0, &packet("fd00:1::a", "fd00:2::1")).unwrap();
    client.outbound(T0 + Duration::from_secs(4), &packet("fd00:1::a", "fd00:2::1")).unwrap();
    assert_eq!(client.next_timeout(), T0 + UNANSWERED);
    // An answer in between starts the count anew.
    assert_eq!(
        client.inbound(T0 + Duration::from_secs(4), &packet("fd00:2::1", "fd00:1::a")),
        Inbound::Forward
    );
    assert_eq!(client.next_timeout(), T0 + Duration::from_secs(4) + IDLE);
}

#[test]
fn change_of_network_probes_at_once_and_waits_two_seconds() {
    let (mut client, mut session) = connected();
    client.network_changed(T0);
    assert_eq!(client.next_timeout(), T0 + CHANGED_WAIT);
    settle(T0, &mut client, &mut session);
    assert_eq!(client.next_timeout(), T0 + IDLE);

    client.network_changed(T0);
    assert_eq!(outputs(&mut client).len(), 1);
    // A second change does not put the end off.
    client.network_changed(T0 + Duration::from_secs(1));
    client.handle_timeout(T0 + CHANGED_WAIT);
    assert_eq!(client.poll_event(), Some(Event::Dead(reason::IPHTTPS_GATEWAY_SILENT)));
}

#[test]
fn only_own_addresses_go_in_either_direction() {
    let (mut client, _) = connected();
    assert_eq!(client.outbound(T0, &packet("fd00:1::a", "fd00:2::1")), Ok(()));
    for (src, dst, why) in [
        ("fd00:1::b", "fd00:2::1", reason::IPHTTPS_SOURCE_FOREIGN),
        ("fe80::5", "ff02::16", reason::IPHTTPS_SOURCE_FOREIGN),
        ("fd00:1::a", "ff02::1", reason::IPHTTPS_MULTICAST),
        ("fd00:1::a", "fe80::1", reason::IPHTTPS_MULTICAST),
    ] {
        assert_eq!(client.outbound(T0, &packet(src, dst)), Err(why), "{src} > {dst}");
    }
    assert_eq!(client.inbound(T0, &packet("fd00:2::1", "fd00:1::a")), Inbound::Forward);
    let foreign = client.inbound(T0, &packet("fd00:2::1", "fd00:1::b"));
    assert_eq!(foreign, Inbound::Drop(reason::IPHTTPS_DESTINATION_FOREIGN));
}

#[test]
fn nothing_goes_before_there_is_a_lease() {
    let mut client = Client::new(T0, 7);
    let refused = client.outbound(T0, &packet("fd00:1::a", "fd00:2::1"));
    assert_eq!(refused, Err(reason::IPHTTPS_SOURCE_FOREIGN));
    let foreign = client.inbound(T0, &packet("fd00:2::1", "fd00:1::a"));
    assert_eq!(foreign, Inbound::Drop(reason::IPHTTPS_DESTINATION_FOREIGN));
}

#[test]
fn lease_is_renewed_at_half_of_its_life_and_told_when_it_differs() {
    let (mut client, mut session) = connected();
    let half = T0 + Duration::from_secs(1800);
    client.heard(half - Duration::from_secs(1));
    client.handle_timeout(half);
    settle(half, &mut client, &mut session);
    assert_eq!(client.poll_event(), None, "the same lease is no news");

    let other = Lease { mtu: 1280, ..lease() };
    session.set_lease(half, other.clone());
    settle(half, &mut client, &mut session);
    assert_eq!(client.poll_event(), Some(Event::Leased(other)));
}

#[test]
fn gateway_may_ask_whether_we_are_there() {
    let (mut client, _) = connected();
    let mut asks = Packet::new();
    let ours = client.link_local;
    assert!(nd::write_neighbour_solicitation(ip("fe80::1"), ours, ours, &mut asks));
    assert_eq!(client.inbound(T0, &asks), Inbound::Consumed);
    let answer = outputs(&mut client);
    let said = nd::parse_neighbour_advertisement(&Ipv6::parse(answer[0].bytes()).unwrap()).unwrap();
    assert_eq!((said.target, said.solicited), (ours, true));
}
