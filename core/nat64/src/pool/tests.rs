//! The pool from outside: what it gives, to whom, and that it gives nothing twice.

extern crate std;
use std::collections::{BTreeMap, BTreeSet};
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::config::PoolEntry;
use crate::share::Share;

fn entry(protocol: Option<Proto>, text: &str, ports: RangeInclusive<u16>) -> PoolEntry {
    PoolEntry { protocol, addresses: text.parse().unwrap(), ports }
}

fn with(config: Config) -> Pool {
    Pool::new(&config, &[3; 32])
}

fn pool(text: &str, ports: RangeInclusive<u16>) -> Pool {
    with(Config { pool: vec![entry(None, text, ports)], ..Config::default() })
}

fn blocks(text: &str, ports: RangeInclusive<u16>, size: u16) -> Pool {
    let share = Share { unit: size, ..Share::default() };
    let pool = vec![entry(None, text, ports)];
    with(Config { pool, share, port_block_size: size, log_ports: true, ..Config::default() })
}

fn client(host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host)
}

fn inside(host: u16, port: u16) -> Inside {
    Inside { address: client(host), port }
}

impl Pool {
    fn open(&mut self, proto: Proto, host: u16, port: u16) -> Option<Outside> {
        self.allocate(proto, client(host), inside(host, port))
    }

    fn close(&mut self, proto: Proto, host: u16, port: u16, outside: Outside) {
        self.release(proto, Some(client(host)), inside(host, port), outside);
    }

    fn events(&mut self) -> Vec<PortEvent> {
        core::iter::from_fn(|| self.poll_event()).collect()
    }
}

#[test]
fn every_port_is_given_once_and_then_no_more() {
    let mut pool = pool("192.0.2.0/31", 1000..=1099);
    let mut seen = BTreeSet::new();
    for n in 0..200 {
        assert!(seen.insert(pool.open(Proto::Tcp, n, n).unwrap()));
    }
    assert_eq!(pool.open(Proto::Tcp, 1, 1), None);
    assert_eq!(pool.views().next().map(|v| (v.used, v.total)), Some((200, 200)));
    let one = *seen.iter().nth(77).unwrap();
    pool.close(Proto::Tcp, 1, 1, one);
    assert_eq!(pool.open(Proto::Tcp, 1, 1), Some(one));
    assert!(pool.open(Proto::Udp, 1, 1).is_some());
}

#[test]
fn the_last_port_of_a_large_pool_is_found() {
    let mut pool = pool("10.0.0.0/18", 7..=7);
    let all: BTreeSet<Outside> = (0..16_384).map(|n| pool.open(Proto::Udp, n, 1).unwrap()).collect();
    assert_eq!(all.len(), 16_384);
    assert_eq!(pool.open(Proto::Udp, 1, 1), None);
}

#[test]
fn memory_follows_what_is_in_use_and_not_what_the_pool_has() {
    let mut pool = pool("10.0.0.0/16", 1..=65_535);
    for round in 0..20 {
        let given: Vec<Outside> =
            (0..500).map(|n| pool.open(Proto::Udp, round * 500 + n, n).unwrap()).collect();
        let (groups, addresses) = pool.space.memory();
        assert!(groups <= 500 && addresses <= 500, "{groups} {addresses}");
        for (n, outside) in (0..).zip(given) {
            pool.close(Proto::Udp, round * 500 + n, n, outside);
        }
        assert_eq!(pool.space.memory().1, 0);
    }
}

#[test]
fn shares_give_ports_of_their_own_and_know_all_of_them() {
    let mut seen = BTreeSet::new();
    for index in 0..3 {
        let share = Share::new(index, 3);
        let entries = vec![entry(None, "192.0.2.2/32", 100..=999)];
        let mut pool = with(Config { pool: entries, share, ..Config::default() });
        let total = pool.views().next().unwrap().total;
        let before = seen.len();
        while let Some(outside) = pool.open(Proto::Tcp, 1, 2000) {
            assert_eq!(share.owner_of_port(outside.port), index);
            assert!(seen.insert(outside.port));
        }
        assert_eq!((seen.len() - before) as u64, total);
        let foreign = Outside { address: [192, 0, 2, 2].into(), port: 128 + 64 * (index + 2) };
        assert!(!share.has(foreign.port) && pool.contains(Proto::Tcp, foreign));
        assert!(pool.take(Proto::Tcp, None, inside(1, 1), foreign));
        assert!(!pool.take(Proto::Tcp, None, inside(1, 1), foreign));
        pool.release(Proto::Tcp, None, inside(1, 1), foreign);
        assert_eq!(pool.open(Proto::Tcp, 1, 2000), None);
    }
    assert!(seen.into_iter().eq(100..=999));
}

#[test]
fn ports_of_a_share_are_as_unpredictable_as_the_others() {
    let entries = vec![entry(None, "192.0.2.2/32", 1024..=65_535)];
    let mut pool = with(Config { pool: entries, share: Share::new(1, 4), ..Config::default() });
    let places: BTreeSet<u16> = (0..200).map(|n| pool.open(Proto::Icmp, 1, n).unwrap().port % 64).collect();
    assert!(places.len() > 50, "{}", places.len());
}

#[test]
fn one_client_leaves_from_one_address_and_clients_are_spread() {
    for mut pool in [pool("192.0.2.0/28", 1..=65_535), blocks("192.0.2.0/28", 1..=65_535, 256)] {
        let mut of = |host, port, proto| pool.open(proto, host, port).unwrap().address;
        for host in 0..20 {
            let home = of(host, 5000, Proto::Tcp);
            assert!((1..300).all(|port| of(host, port, Proto::Udp) == home));
        }
        let homes: BTreeSet<Ipv4Addr> = (0..200).map(|host| of(host, 1, Proto::Tcp)).collect();
        assert!(homes.len() > 12, "{}", homes.len());
    }
}

#[test]
fn one_client_leaves_from_one_address_also_where_entries_are_of_one_protocol() {
    let entries = vec![
        entry(Some(Proto::Tcp), "192.0.2.0/28", 1024..=9999),
        entry(Some(Proto::Udp), "192.0.2.0/28", 20_000..=29_999),
        entry(Some(Proto::Tcp), "192.0.2.0/28", 30_000..=39_999),
    ];
    let mut pool = with(Config { pool: entries, ..Config::default() });
    for host in 0..100 {
        let tcp = pool.open(Proto::Tcp, host, 5000).unwrap();
        let udp = pool.open(Proto::Udp, host, 5000).unwrap();
        assert_eq!(tcp.address, udp.address);
        assert_eq!(pool.open(Proto::Icmp, host, 1), None);
    }
}

#[test]
fn parity_and_half_are_kept_where_there_is_room() {
    let mut pool = pool("192.0.2.2/32", 1..=65_535);
    for port in [53, 68, 1023, 1024, 40_000, 40_001] {
        let outside = pool.open(Proto::Udp, 1, port).unwrap();
        assert_eq!(outside.port % 2, port % 2);
        assert_eq!(outside.port < 1024, port < 1024);
    }
}

#[test]
fn parity_is_kept_in_a_block_and_the_first_port_chooses_its_half() {
    let mut pool = blocks("192.0.2.2/32", 1..=65_535, 64);
    for host in 0..10 {
        let low = host % 2 == 0;
        for port in 0..20 {
            let port = if low { 500 + port } else { 40_000 + port };
            let outside = pool.open(Proto::Udp, host, port).unwrap();
            assert_eq!((outside.port % 2, outside.port < 1024), (port % 2, low), "{outside}");
        }
    }
}

#[test]
fn ports_in_turn_are_not_neighbours() {
    for (mut pool, enough) in
        [(pool("192.0.2.2/32", 1024..=65_535), 480), (blocks("192.0.2.2/32", 1024..=65_535, 1024), 350)]
    {
        let ports: Vec<i32> =
            (0..500).map(|n| i32::from(pool.open(Proto::Tcp, 1, 30_000 + n).unwrap().port)).collect();
        let steps: BTreeSet<i32> = ports.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(steps.len() > enough, "{}", steps.len());
    }
}

#[test]
fn a_port_of_a_static_binding_is_never_given() {
    for mut pool in [pool("192.0.2.2/32", 10..=12), blocks("192.0.2.2/32", 10..=12, 64)] {
        let fixed = Outside { address: [192, 0, 2, 2].into(), port: 11 };
        assert!(pool.take(Proto::Tcp, None, inside(7, 7), fixed));
        let mut given: Vec<u16> = Vec::new();
        while let Some(outside) = pool.open(Proto::Tcp, 1, 9) {
            given.push(outside.port);
        }
        given.sort_unstable();
        assert_eq!(given, [10, 12]);
    }
}

#[test]
fn ranges_and_protocols_are_told_apart() {
    let entries =
        vec![entry(Some(Proto::Tcp), "192.0.2.9/32", 100..=200), entry(None, "192.0.2.8/32", 5..=5)];
    let mut pool = with(Config { pool: entries, ..Config::default() });
    let at = |last: u8, port| Outside { address: [192, 0, 2, last].into(), port };
    assert!(pool.contains(Proto::Tcp, at(9, 200)) && !pool.contains(Proto::Udp, at(9, 200)));
    assert!(!pool.contains(Proto::Tcp, at(9, 201)) && pool.contains_address(at(9, 0).address));
    let one = Some(client(1));
    assert!(pool.take(Proto::Icmp, one, inside(1, 1), at(8, 5)));
    assert!(!pool.take(Proto::Icmp, one, inside(1, 1), at(8, 5)));
    assert!(!pool.take(Proto::Icmp, one, inside(1, 1), at(8, 6)));
    assert_eq!(pool.open(Proto::Icmp, 1, 1), None);
    assert_eq!(pool.open(Proto::Udp, 1, 1), Some(at(8, 5)));
}

#[test]
fn a_block_is_for_all_protocols_and_comes_back_with_its_last_port() {
    let mut pool = blocks("192.0.2.2/32", 1..=65_535, 512);
    let tcp = pool.open(Proto::Tcp, 1, 4000).unwrap();
    let udp = pool.open(Proto::Udp, 1, 4001).unwrap();
    let icmp = pool.open(Proto::Icmp, 1, 7).unwrap();
    let given = pool.events();
    assert_eq!(given.len(), 1, "{given:?}");
    let block = given[0];
    assert_eq!((block.protocol, block.last - block.first, block.allocated), (None, 511, true));
    assert_eq!((block.address, block.client), (tcp.address, "2001:db8::1/128".parse().unwrap()));
    for outside in [tcp, udp, icmp] {
        assert!((block.first..=block.last).contains(&outside.port), "{outside}");
    }
    assert_eq!(pool.views().next().map(|v| (v.blocks_used, v.blocks)), Some((1, 128)));
    pool.close(Proto::Tcp, 1, 4000, tcp);
    pool.close(Proto::Icmp, 1, 7, icmp);
    assert_eq!(pool.events(), []);
    pool.close(Proto::Udp, 1, 4001, udp);
    assert_eq!(pool.events(), [PortEvent { allocated: false, ..block }]);
    assert_eq!(pool.views().next().map(|v| v.blocks_used), Some(0));
}

#[test]
fn a_full_block_is_followed_by_another_and_a_freed_port_is_used_before_a_third() {
    let mut pool = blocks("192.0.2.2/32", 1024..=65_535, 64);
    let ports: Vec<Outside> = (0..128).map(|n| pool.open(Proto::Tcp, 1, 2000 + n).unwrap()).collect();
    assert_eq!(pool.events().len(), 2);
    pool.close(Proto::Tcp, 1, 2000, ports[0]);
    assert_eq!(pool.open(Proto::Tcp, 1, 9000), Some(ports[0]));
    assert_eq!(pool.events().len(), 0);
    assert!(pool.open(Proto::Tcp, 1, 9001).is_some());
    assert_eq!(pool.events().len(), 1);
}

#[test]
fn blocks_of_others_are_not_touched_while_there_are_free_ones_and_then_port_by_port() {
    let mut pool = blocks("192.0.2.2/32", 1024..=2047, 256);
    let first: Vec<Outside> = (0..4).map(|host| pool.open(Proto::Tcp, host, 5000).unwrap()).collect();
    let of: BTreeSet<u16> = first.iter().map(|outside| outside.port / 256).collect();
    assert_eq!((of.len(), pool.events().len()), (4, 4));
    // Nothing is left but what the four do not use.
    let single = pool.open(Proto::Tcp, 9, 5000).unwrap();
    let told = pool.events();
    assert_eq!(told, [PortEvent::single(Proto::Tcp, inside(9, 5000), single, true)]);
    // The owner goes first: the block is not free while the guest is there.
    let owner = (0..4).find(|host| first[usize::from(*host)].port / 256 == single.port / 256).unwrap();
    pool.close(Proto::Tcp, owner, 5000, first[usize::from(owner)]);
    assert_eq!(pool.events().len(), 1);
    assert!(pool.open(Proto::Tcp, 8, 5000).is_some());
    assert_eq!(pool.events().iter().filter(|e| e.first == e.last).count(), 1);
    pool.close(Proto::Tcp, 9, 5000, single);
    assert_eq!(pool.events(), [PortEvent::single(Proto::Tcp, inside(9, 5000), single, false)]);
}

#[test]
fn levels_are_told_once_and_end_with_room() {
    let mut pool = pool("192.0.2.2/32", 1000..=1099);
    let mut given: Vec<Outside> = Vec::new();
    let mut told = Vec::new();
    for n in 0..100 {
        given.push(pool.open(Proto::Tcp, 1, n).unwrap());
        told.extend(pool.poll_alarm().map(|alarm| (alarm.protocol, alarm.level, alarm.used)));
    }
    assert_eq!(told, [(Some(Proto::Tcp), Level::High, 81), (Some(Proto::Tcp), Level::Full, 96)]);
    told.clear();
    for (n, outside) in (0..).zip(given) {
        pool.close(Proto::Tcp, 1, n, outside);
        told.extend(pool.poll_alarm().map(|alarm| (alarm.protocol, alarm.level, alarm.used)));
    }
    assert_eq!(told, [(Some(Proto::Tcp), Level::High, 89), (Some(Proto::Tcp), Level::Normal, 74)]);
}

#[test]
fn blocks_have_an_alarm_of_their_own() {
    let mut pool = blocks("192.0.2.2/32", 1024..=2303, 64);
    for host in 0..17 {
        assert!(pool.open(Proto::Udp, host, 5000).is_some());
    }
    let alarm = pool.poll_alarm().unwrap();
    assert_eq!((alarm.protocol, alarm.level, alarm.used, alarm.total), (None, Level::High, 17, 20));
    assert_eq!(pool.poll_alarm(), None);
}

/// Who has what, as somebody knows who reads the events alone.
#[derive(Default)]
struct Reader {
    /// By address, first and last port, and protocol.
    records: BTreeMap<(Ipv4Addr, u16, u16, Option<Proto>), sixgate_wire::addr::Ipv6Prefix>,
}

impl Reader {
    fn read(&mut self, events: Vec<PortEvent>) {
        for event in events {
            let key = (event.address, event.first, event.last, event.protocol);
            if event.allocated {
                assert!(self.records.insert(key, event.client).is_none(), "{event:?} twice");
            } else {
                assert_eq!(self.records.remove(&key), Some(event.client), "{event:?} was not there");
            }
        }
    }

    /// The narrowest record says it.
    fn who(&self, proto: Proto, outside: Outside) -> Option<Ipv6Addr> {
        let records = self.records.iter().filter(|((address, first, last, protocol), _)| {
            *address == outside.address
                && (*first..=*last).contains(&outside.port)
                && protocol.is_none_or(|p| p == proto)
        });
        records.min_by_key(|((_, first, last, _), _)| last - first).map(|(_, client)| client.address())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Against a model that remembers who has what: no port twice, none but of the pool and the share, a refusal only when
    /// nothing is left, blocks shared only when none is free, and the log says who has each port.
    #[test]
    fn whatever_is_opened_and_closed_nothing_is_given_twice_and_the_log_answers(
        size in prop::sample::select(vec![0_u16, 64, 128]),
        of in 1_u16..3,
        steps in prop::collection::vec((any::<bool>(), 0_u16..6, 0_usize..3, any::<u16>()), 1..700),
    ) {
        let share = Share { unit: size.max(64), ..Share::new(0, of) };
        let entries = vec![
            entry(None, "192.0.2.0/31", 900..=1300),
            entry(Some(Proto::Udp), "192.0.2.8/32", 5000..=5100),
        ];
        let config = Config { pool: entries.clone(), share, port_block_size: size, log_ports: true, ..Config::default() };
        let mut pool = with(config.clone());
        let mut model: Vec<(Proto, u16, u16, Outside)> = Vec::new();
        let mut reader = Reader::default();
        let room = |proto: Proto| -> u64 {
            let of_proto = entries.iter().filter(|e| e.protocol.is_none_or(|p| p == proto));
            of_proto.map(|e| u64::from(share.ports_of(&e.ports)) << (32 - e.addresses.length())).sum()
        };
        for (n, (close, host, proto, port)) in steps.into_iter().enumerate() {
            if close && !model.is_empty() {
                let (proto, host, port, outside) = model.swap_remove(usize::from(port) % model.len());
                pool.close(proto, host, port, outside);
            } else {
                let proto = Proto::ALL[proto];
                let free_blocks: u64 = pool.views().filter(|v| v.protocol == proto).map(|v| v.blocks - v.blocks_used).sum();
                match pool.open(proto, host, port) {
                    Some(outside) => {
                        prop_assert!(share.has(outside.port) && pool.contains(proto, outside));
                        prop_assert!(model.iter().all(|m| (m.0, m.3) != (proto, outside)));
                        if size != 0 && free_blocks > 0 {
                            let block = |o: &Outside| (o.address, o.port / size);
                            let mut there = model.iter().filter(|m| block(&m.3) == block(&outside));
                            // Guests of a time without free blocks may still be in a block of its own.
                            let own = there.clone().any(|m| m.1 == host);
                            prop_assert!(own || there.next().is_none(), "{outside}");
                        }
                        model.push((proto, host, port, outside));
                    }
                    None => prop_assert_eq!(model.iter().filter(|m| m.0 == proto).count() as u64, room(proto)),
                }
            }
            reader.read(pool.events());
            if n % 16 == 0 {
                for (proto, host, _, outside) in &model {
                    prop_assert_eq!(reader.who(*proto, *outside), Some(client(*host)));
                }
            }
            for proto in Proto::ALL {
                let used: u64 = pool.views().filter(|v| v.protocol == proto).map(|v| v.used).sum();
                prop_assert_eq!(used, model.iter().filter(|m| m.0 == proto).count() as u64);
            }
        }
        for (proto, host, port, outside) in model.drain(..) {
            pool.close(proto, host, port, outside);
        }
        reader.read(pool.events());
        prop_assert!(reader.records.is_empty());
        prop_assert!(pool.views().all(|v| (v.used, v.blocks_used) == (0, 0)));
    }

    #[test]
    fn every_port_of_every_entry_is_given_in_the_end(size in prop::sample::select(vec![0_u16, 64, 128, 512]), of in 1_u16..4) {
        let mut seen = BTreeSet::new();
        let entries = vec![entry(None, "192.0.2.0/31", 900..=1300), entry(Some(Proto::Tcp), "192.0.2.9/32", 1..=70)];
        for index in 0..of {
            let share = Share { unit: size.max(64), ..Share::new(index, of) };
            let mut pool = with(Config { pool: entries.clone(), share, port_block_size: size, ..Config::default() });
            let mut host = 0;
            while let Some(outside) = pool.open(Proto::Tcp, host, host) {
                prop_assert!(seen.insert(outside));
                host = (host + 1) % 50;
            }
        }
        prop_assert_eq!(seen.len(), 401 * 2 + 70);
    }
}
