//! An explanation is what then happens, and asking for it changes nothing.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use sixgate_nat64::{
    Config, Filtering, Inside, Nat64, Outside, PoolEntry, Proto, ShardMap, Share, StaticBinding, Verdict,
};
use sixgate_reason::{NAT64_CLIENT_LIMIT, NAT64_POOL_EXHAUSTED, NAT64_SOURCE_MARTIAN, NAT64_TOO_BIG};
use sixgate_time::{Duration, Instant};
use sixgate_wire::{Packet, protocol};

use crate::support::*;

/// What an engine shows of itself.
fn state(nat: &Nat64) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        nat.bib().collect::<Vec<_>>(),
        nat.sessions().collect::<Vec<_>>(),
        nat.pools().collect::<Vec<_>>(),
        nat.next_timeout(),
        nat.output_lost(),
    )
}

fn drained(nat: &mut Nat64) -> (Vec<Vec<u8>>, usize) {
    let (mut all, mut out, mut late) = (Vec::new(), Packet::new(), 0);
    while nat.poll_output(&mut out) {
        all.push(out.bytes().to_vec());
    }
    while nat.poll_late_drop().is_some() {
        late += 1;
    }
    (all, late)
}

fn pass(nat: &mut Nat64, now: Instant, packet: &[u8], mtu: u16) -> (Verdict, Vec<u8>) {
    let mut packet = Packet::from_slice(packet);
    let verdict = if packet.bytes().first().is_some_and(|b| b >> 4 == 4) {
        nat.inbound(now, &mut packet, mtu)
    } else {
        nat.outbound(now, &mut packet, mtu)
    };
    let left = if verdict == Verdict::Translated { packet.bytes().to_vec() } else { Vec::new() };
    (verdict, left)
}

#[test]
fn a_connection_that_nobody_opens_yet_is_explained_with_its_port() {
    let mut lab = Lab::new(config());
    let syn = tcp6(client(), 40_000, embed(SERVER), 443, 2);
    let before = state(&lab.nat);
    let said = lab.nat.explain(lab.now, syn.bytes(), 1500);
    assert_eq!(state(&lab.nat), before);
    assert_eq!(said.verdict, Verdict::Translated);
    assert_eq!(said.target, Some((prefix(), SERVER)));
    let [usage] = &said.uses[..] else { panic!("{said:?}") };
    assert_eq!((usage.binding_before, usage.session_before), (None, None));
    let (binding, session) = (usage.binding.unwrap(), usage.session.unwrap());
    assert_eq!(usage.pool.as_ref().map(|p| p.ports.clone()), Some(1..=65_535));
    assert_eq!((session.state, session.peer.port), ("v6-init", 443));
    let out = lab.out(syn);
    assert_eq!(out.bytes(), said.packet);
    assert_eq!(ports(transport4(&out)).0, binding.outside.port);
}

#[test]
fn a_refusal_is_explained_with_its_error_and_what_the_ways_said() {
    let mut lab = Lab::new(config());
    let big = tcp6_data(client(), 40_000, embed(SERVER), 443, 2, &[0; 1440]);
    let said = lab.nat.explain(lab.now, big.bytes(), 1400);
    assert_eq!(said.verdict, Verdict::Drop(NAT64_TOO_BIG));
    assert_eq!(said.way4, Some((SERVER, 1400)));
    assert_eq!(said.silenced, [false; 2]);
    assert_eq!(icmp(&Packet::from_slice(&said.output[0])), (2, 0, 1420));
    assert_eq!(pass(&mut lab.nat, lab.now, big.bytes(), 1400).0, said.verdict);
    assert_eq!(drained(&mut lab.nat).0, said.output);
}

#[test]
fn the_rate_of_errors_is_said_and_not_used() {
    let mut lab = Lab::new(Config { errors_per_second: 1, ..config() });
    let big = tcp6_data(client(), 40_000, embed(SERVER), 443, 2, &[0; 1440]);
    for _ in 0..3 {
        let said = lab.nat.explain(lab.now, big.bytes(), 1400);
        assert_eq!((said.output.len(), said.silenced[0]), (1, false));
    }
    assert!(matches!(pass(&mut lab.nat, lab.now, big.bytes(), 1400).0, Verdict::Drop(_)));
    lab.drain_one();
    let said = lab.nat.explain(lab.now, big.bytes(), 1400);
    assert_eq!((said.output.len(), said.silenced), (0, [true, false]));
}

#[test]
fn a_full_pool_and_a_full_client_are_said() {
    let one = |ports| vec![PoolEntry { protocol: None, addresses: "192.0.2.2/32".parse().unwrap(), ports }];
    let mut lab = Lab::new(Config { pool: one(5..=5), ..config() });
    lab.open_udp(7, SERVER);
    let more = udp6(client(), 8, embed(SERVER), 53, b"");
    let said = lab.nat.explain(lab.now, more.bytes(), 1500);
    assert_eq!(said.verdict, Verdict::Drop(NAT64_POOL_EXHAUSTED));
    assert_eq!(said.uses[0].binding, None);
    assert_eq!(icmp(&Packet::from_slice(&said.output[0])).0, 1);

    let mut lab = Lab::new(Config { max_sessions_per_client: 1, ..config() });
    lab.open_udp(7, SERVER);
    let said = lab.nat.explain(lab.now, more.bytes(), 1500);
    assert_eq!(said.verdict, Verdict::Drop(NAT64_CLIENT_LIMIT));
    assert_eq!(said.client, Some((1, 1)));
}

#[test]
fn a_packet_that_comes_in_again_at_another_translator_is_explained_by_both() {
    let seed = [42; 32];
    let of_client = |config: &Config, host: u16| {
        let client = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, host);
        (client, ShardMap::new(config, 128, &seed).of_client(client))
    };
    let two = Config { share: Share::new(0, 2), ..config() };
    let with_owner = |owner| (1..).map(|host| of_client(&two, host)).find(|(_, o)| *o == owner).unwrap().0;
    let (caller, called) = (with_owner(0), with_owner(1));
    let outside = Outside { address: POOL, port: 443 };
    let inside = Inside { address: called, port: 443 };
    let two = Config { statics: vec![StaticBinding { protocol: Proto::Tcp, outside, inside }], ..two };
    let map = std::sync::Arc::new(ShardMap::new(&two, 128, &seed));
    let part = |index| {
        let mut nat = Nat64::new(Config { share: Share::new(index, 2), ..two.clone() }, seed);
        nat.set_shards(std::sync::Arc::clone(&map));
        nat
    };
    let (mut first, mut second) = (part(0), part(1));
    let now = Instant::from_secs(1000);
    let syn = tcp6(caller, 7, embed(POOL), 443, 2);
    let said = first.explain(now, syn.bytes(), 1500);
    assert_eq!((said.verdict, said.hairpin, said.uses.len()), (Verdict::Consumed, true, 1));
    let turned = said.crosses.unwrap();
    let back = second.explain_crossed(now, &turned, 1500);
    assert_eq!((back.verdict, back.uses[0].binding.unwrap().inside), (Verdict::Translated, inside));

    assert_eq!(pass(&mut first, now, syn.bytes(), 1500).0, Verdict::Consumed);
    let mut out = Packet::new();
    assert!(first.poll_hairpin(&mut out) && out.bytes() == turned);
    assert_eq!(pass(&mut second, now, &turned, 1500), (Verdict::Translated, back.packet));
    // From the network the same packet is a forgery.
    assert_eq!(second.explain(now, &turned, 1500).verdict, Verdict::Drop(NAT64_SOURCE_MARTIAN));
}

const PORTS: [u16; 3] = [7, 8, 1100];
const MORE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 3);

/// A world so small that everything in it happens.
fn small(filter: bool, limit: u32, first: u16, echo: bool) -> Config {
    let entry = |text: &str, ports| PoolEntry { protocol: None, addresses: text.parse().unwrap(), ports };
    let at = |address, port| Outside { address, port };
    let inside = Inside { address: neighbour(), port: 7 };
    Config {
        pool: vec![entry("192.0.2.2/31", first..=first + 6), entry("192.0.2.3/32", 1100..=1102)],
        statics: vec![StaticBinding { protocol: Proto::Tcp, outside: at(POOL, first + 1), inside }],
        filtering: if filter { Filtering::AddressDependent } else { Filtering::EndpointIndependent },
        max_sessions: 9,
        max_sessions_per_client: limit,
        max_ports_per_client: if limit == 3 { 2 } else { 0 },
        new_sessions_per_second_per_client: if limit == 2 { 1 } else { 0 },
        client_prefix_length: if limit == 1 { 64 } else { 128 },
        inbound_icmp_echo: echo,
        errors_per_second: 3,
        ..config()
    }
}

/// One step: who, from where, to whom, what, and how.
type Step = (u8, u8, u8, u8, u8, u64);

/// Cuts a packet's payload into fragments of `size` octets.
fn fragments6(packet: &Packet, size: usize, identification: u32) -> Vec<Packet> {
    let ip = view6(packet);
    let (kind, payload) = (ip.next_header(), ip.payload());
    let count = payload.len().div_ceil(size);
    let piece = |n: usize| {
        let part = &payload[n * size..payload.len().min((n + 1) * size)];
        let more = u16::from(n + 1 < count);
        let mut bytes = vec![kind, 0];
        bytes.extend_from_slice(&((n * size) as u16 | more).to_be_bytes());
        bytes.extend_from_slice(&identification.to_be_bytes());
        bytes.extend_from_slice(part);
        six(protocol::FRAGMENT, ip.src(), ip.dst(), &bytes)
    };
    (0..count).map(piece).collect()
}

fn fragments4(packet: &Packet, size: usize, identification: u16) -> Vec<Packet> {
    let ip = view4(packet);
    let payload = ip.payload();
    let count = payload.len().div_ceil(size);
    let piece = |n: usize| {
        let part = &payload[n * size..payload.len().min((n + 1) * size)];
        four_with(ip.protocol(), ip.src(), ip.dst(), part, |mut header| {
            header.identification = identification;
            header.dont_fragment = false;
            header.more_fragments = n + 1 < count;
            header.fragment_offset = (n * size) as u16;
            header
        })
    };
    (0..count).map(piece).collect()
}

/// The packets of a step. `left` and `came` are the last ones that went out and came in, for errors and answers.
fn packets(step: Step, nat: &Nat64, left: &Option<Vec<u8>>, came: &Option<Vec<u8>>) -> Vec<Packet> {
    let (who, port, to, what, how, _) = step;
    let src: Ipv6Addr = [client(), neighbour(), embed(SERVER)][usize::from(who % 5 / 2)];
    let port = PORTS[usize::from(port) % 3];
    let server = [SERVER, OTHER, POOL, MORE][usize::from(to % 4)];
    // Inwards: to the outside of a binding that there is, or just anywhere.
    let bound: Vec<_> = nat.bib().collect();
    let outside = match bound.get(usize::from(who) % 4) {
        Some(b) => b.outside,
        None => Outside { address: POOL, port: 1 + u16::from(who % 8) },
    };
    // One in a while says that it comes from the pool.
    let peer = if who == 7 { POOL } else { [SERVER, OTHER][usize::from(to) % 2] };
    let toward = if server == POOL || server == MORE { outside.port } else { 53 };
    let flags = [2_u8, 0x12, 0x10, 0x11, 4, 2][usize::from(how % 6)];
    let data = vec![0x41; if how % 7 == 0 { 1441 } else { usize::from(how) }];
    let ident = u32::from(how % 4);
    match what % 14 {
        0 | 1 => vec![tcp6_data(src, port, embed(server), toward, flags, &data)],
        2 => vec![udp6(src, port, embed(server), toward, &data)],
        3 => vec![echo6(if how % 5 == 0 { 129 } else { 128 }, src, embed(server), port)],
        4 | 5 => vec![tcp4_data(peer, 53, outside.address, outside.port, flags, &data)],
        6 => vec![udp4(peer, if how % 3 == 0 { 9 } else { 53 }, outside.address, outside.port, &data)],
        7 => vec![echo4(if how % 2 == 0 { 8 } else { 0 }, peer, outside.address, outside.port)],
        8 => left.iter().filter(|p| p[0] >> 4 == 4).map(|p| error4(OTHER, 3, 1 + how % 4, 1300, p)).collect(),
        9 => came.iter().filter(|p| p[0] >> 4 == 6).map(|p| error6(src, 1 + how % 3, 0, 1300, p)).collect(),
        10 => {
            let whole = udp6(src, port, embed(server), toward, &[7; 100]);
            let mut all = fragments6(&whole, 48, ident);
            all.rotate_left(usize::from(how % 3));
            all.truncate(1 + usize::from(who % 3));
            all
        }
        11 => {
            let message = echo6_payload(128, src, embed(server), port, &[9; 100]);
            let mut all = fragments6(&six(protocol::ICMPV6, src, embed(server), &message), 48, ident);
            all.rotate_left(usize::from(how % 3));
            all
        }
        12 => {
            let whole = udp4(peer, 53, outside.address, outside.port, &[7; 100]);
            let mut all = fragments4(&whole, 48, ident as u16);
            all.rotate_left(usize::from(how % 3));
            all
        }
        _ => vec![six(132, src, embed(server), &data), four(132, peer, outside.address, &data)],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_explained_is_what_happens_and_an_engine_that_was_asked_goes_on_as_one_that_was_not(
        filter: bool, limit in 0_u32..4, low: bool, echo: bool,
        steps in prop::collection::vec((0_u8..60, 0_u8..3, 0_u8..4, 0_u8..14, 0_u8..90, 0_u64..4), 1..60),
    ) {
        let config = small(filter, limit, if low { 1 } else { 2000 }, echo);
        let (mut asked, mut other) = (Nat64::new(config.clone(), [9; 32]), Nat64::new(config, [9; 32]));
        let mut now = Instant::from_secs(1000);
        let (mut left, mut came) = (None, None);
        for step in steps {
            now = now + Duration::from_millis([0, 900, 65_000, 310_000][step.5 as usize]);
            for packet in packets(step, &asked, &left, &came) {
                let mtu = if step.4 % 2 == 0 { 1500 } else { 1400 };
                let before = state(&asked);
                let said = asked.explain(now, packet.bytes(), mtu);
                prop_assert_eq!(state(&asked), before);

                let (verdict, passed) = pass(&mut asked, now, packet.bytes(), mtu);
                prop_assert_eq!(pass(&mut other, now, packet.bytes(), mtu), (verdict, passed.clone()));
                prop_assert_eq!(said.verdict, verdict, "{:?} {:?}", packet, said);
                prop_assert_eq!(&said.packet, &passed);
                let (output, late) = drained(&mut asked);
                prop_assert_eq!(&drained(&mut other), &(output.clone(), late));
                prop_assert_eq!([said.due.clone(), said.output.clone()].concat(), output);
                for usage in &said.uses {
                    if let Some(binding) = usage.binding.or(usage.binding_before) {
                        let same = |b: &sixgate_nat64::BibView|
                            (b.protocol, b.inside, b.outside) == (usage.protocol, binding.inside, binding.outside);
                        prop_assert_eq!(asked.bib().find(same), usage.binding, "{:?}", said);
                    }
                    let session = usage.session.or(usage.session_before);
                    let same = |s: &sixgate_nat64::SessionView| session.is_some_and(|u|
                        (u.protocol, u.outside, u.peer) == (s.protocol, s.outside, s.peer));
                    if session.is_some() {
                        prop_assert_eq!(asked.sessions().find(same), usage.session, "{:?}", said);
                    }
                }
                match (packet.bytes()[0] >> 4, verdict) {
                    (6, Verdict::Translated) => left = Some(passed),
                    (_, Verdict::Translated) => came = Some(passed),
                    (_, Verdict::Consumed | Verdict::Drop(_)) => {}
                }
            }
        }
        prop_assert_eq!(state(&asked), state(&other));
    }
}
