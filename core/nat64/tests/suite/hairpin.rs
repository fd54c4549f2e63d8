//! Two clients that meet through the pool (RFC 6146, section 3.8).

use sixgate_nat64::Verdict;
use sixgate_reason as reason;
use sixgate_wire::tcp::{ACK, SYN};

use crate::support::*;

#[test]
fn a_client_reaches_another_by_its_outside_address_and_both_see_only_that() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let mut packet = udp6(neighbour(), 6000, embed(POOL), outside, b"hello");
    assert_eq!(lab.nat.outbound(lab.now, &mut packet, 1500), Verdict::Consumed);
    let arrived = lab.drain_one();
    let ip = view6(&arrived);
    assert_eq!((ip.src(), ip.dst(), ip.hop_limit()), (embed(POOL), client(), 62));
    let (from, to) = ports(transport6(&arrived));
    assert_eq!(to, 5000);
    let mut answer = udp6(client(), 5000, embed(POOL), from, b"hello yourself");
    assert_eq!(lab.nat.outbound(lab.now, &mut answer, 1500), Verdict::Consumed);
    let arrived = lab.drain_one();
    assert_eq!(view6(&arrived).dst(), neighbour());
    assert_eq!(ports(transport6(&arrived)), (outside, 6000));
}

#[test]
fn a_connection_is_established_on_both_sides() {
    let mut lab = Lab::new(config());
    let outside = ports(transport4(&lab.out(tcp6(client(), 80, embed(SERVER), 9, SYN)))).0;
    let mut syn = tcp6(neighbour(), 6000, embed(POOL), outside, SYN);
    assert_eq!(lab.nat.outbound(lab.now, &mut syn, 1500), Verdict::Consumed);
    let from = ports(transport6(&lab.drain_one())).0;
    let mut answer = tcp6(client(), 80, embed(POOL), from, SYN | ACK);
    assert_eq!(lab.nat.outbound(lab.now, &mut answer, 1500), Verdict::Consumed);
    assert_eq!(lab.states(), ["v6-init", "established", "established"]);
}

#[test]
fn filters_hold_for_neighbours_too() {
    let mut lab = Lab::new(filtering());
    let outside = lab.open_udp(5000, SERVER);
    let packet = udp6(neighbour(), 6000, embed(POOL), outside, b"hello");
    assert_eq!(lab.out_dropped(packet), reason::NAT64_FILTERED);
}

#[test]
fn errors_are_hairpinned_as_well() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let sent = udp6(neighbour(), 6000, embed(POOL), outside, b"hello");
    let mut packet = sent.clone();
    assert_eq!(lab.nat.outbound(lab.now, &mut packet, 1500), Verdict::Consumed);
    let arrived = lab.drain_one();
    let mut error = error6(client(), 1, 4, 0, arrived.bytes());
    assert_eq!(lab.nat.outbound(lab.now, &mut error, 1500), Verdict::Consumed);
    let error = lab.drain_one();
    assert_eq!(icmp(&error), (1, 4, 0));
    assert_eq!((view6(&error).src(), view6(&error).dst()), (embed(POOL), neighbour()));
    assert_eq!(quoted(&error)[8..40], sent.bytes()[8..40]);
    assert_eq!(quoted(&error)[40..], sent.bytes()[40..]);
}

#[test]
fn a_pool_address_without_binding_ends_with_one_error_at_most() {
    let mut lab = Lab::new(config());
    let packet = udp6(neighbour(), 6000, embed(POOL), 1234, b"hello");
    assert_eq!(lab.out_dropped(packet), reason::NAT64_NO_BINDING);
    let error = lab.drain_one();
    assert_eq!(icmp(&error), (3, 1, 0));
    // The error is for the neighbour's outside address, and finds its way back in.
    let back = lab.back(error);
    assert_eq!(icmp(&back), (1, 0, 0));
    assert_eq!(view6(&back).dst(), neighbour());
    assert!(lab.drain().is_empty());
}

#[test]
fn what_does_not_fit_the_way_to_the_neighbour_is_answered() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let sent = udp6(neighbour(), 6000, embed(POOL), outside, &[1; 1400]);
    assert_eq!(lab.nat.outbound(lab.now, &mut sent.clone(), 1500), Verdict::Consumed);
    assert_eq!(lab.drain_one().len(), sent.len());
    assert_eq!(lab.nat.outbound(lab.now, &mut sent.clone(), 1400), Verdict::Drop(reason::NAT64_TOO_BIG));
    // Told to the neighbour's outside address, and from there to the neighbour.
    let error = lab.drain_one();
    assert_eq!(icmp(&error), (3, 4, 1380));
    let back = lab.back(error);
    assert_eq!((icmp(&back), view6(&back).dst()), ((2, 0, 1400), neighbour()));
}

#[test]
fn a_source_of_our_own_pool_does_not_come_in_from_outside() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let forged = udp4(POOL, 6000, POOL, outside, b"hello");
    assert_eq!(lab.back_dropped(forged), reason::NAT64_SOURCE_MARTIAN);
    assert!(lab.drain().is_empty());
    assert_eq!(lab.nat.session_count(), 1);
}
