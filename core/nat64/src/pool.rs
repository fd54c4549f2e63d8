//! Outside transport addresses and who gets which.
//!
//! A client's address comes from a keyed hash of its own, so all that it opens leaves from one address (RFC 4787, REQ-2,
//! "paired") without anything to remember. Within the address the search for a free port starts at a random one, so
//! that ports cannot be foretold (RFC 6056), in the inside port's half (below 1024 or not) and parity first (RFC 4787,
//! REQ-3 and REQ-4), and ends at any free one.

mod block;

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;

use hashbrown::HashMap;
use sixgate_wire::addr::Ipv4Prefix;

use crate::config::PoolEntry;
use crate::endpoint::{Inside, Outside, Proto};
use crate::keyed::{Key, Numbers};
use crate::share::Share;
use block::Block;

/// Addresses that one allocation looks at before it gives up: bounds the work when the pool is full.
const MOST_ADDRESSES: u64 = 4096;

#[derive(Clone)]
struct Range {
    addresses: Ipv4Prefix,
    ports: RangeInclusive<u16>,
    /// Ports in use, of all addresses.
    used: u64,
}

impl Range {
    fn addresses(&self) -> u64 {
        1 << (32 - u32::from(self.addresses.length()))
    }

    fn contains(&self, outside: Outside) -> bool {
        self.addresses.contains(outside.address) && self.ports.contains(&outside.port)
    }

    fn view(&self, protocol: Proto) -> PoolView {
        PoolView {
            protocol,
            addresses: self.addresses,
            ports: self.ports.clone(),
            used: self.used,
            total: self.addresses() * self.ports.len() as u64,
        }
    }
}

/// Part of the pool, and how much of it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// Protocol: each has ports of its own.
    pub protocol: Proto,
    /// Addresses.
    pub addresses: Ipv4Prefix,
    /// Ports.
    pub ports: RangeInclusive<u16>,
    /// Ports in use on all addresses.
    pub used: u64,
    /// Ports on all addresses.
    pub total: u64,
}

#[derive(Clone)]
pub(crate) struct Pool {
    /// By protocol.
    ranges: [Vec<Range>; 3],
    /// Which ports are given away.
    share: Share,
    /// Bitmaps of the addresses that have been used: by protocol, range and address.
    blocks: HashMap<(Proto, u32, u32), Block, Key>,
    numbers: Numbers,
    key: Key,
}

impl Pool {
    pub(crate) fn new(entries: &[PoolEntry], share: Share, seed: &[u8; 32]) -> Self {
        let ranges = Proto::ALL.map(|proto| {
            let of_proto = entries.iter().filter(|e| e.protocol.is_none_or(|p| p == proto));
            of_proto
                .map(|e| Range { addresses: e.addresses, ports: e.ports.clone(), used: 0 })
                .filter(|r| !r.ports.is_empty())
                .collect()
        });
        Self {
            ranges,
            share,
            blocks: HashMap::with_hasher(Key::derive(seed, 10)),
            numbers: Numbers::new(Key::derive(seed, 11)),
            key: Key::derive(seed, 12),
        }
    }

    /// Takes over the ranges of `entries` and forgets what is in use; [`Pool::take`] tells it again.
    pub(crate) fn replace(&mut self, entries: &[PoolEntry], share: Share, seed: &[u8; 32]) {
        let numbers = core::mem::replace(&mut self.numbers, Numbers::new(self.key));
        *self = Self::new(entries, share, seed);
        self.numbers = numbers;
    }

    /// True when the transport address is ours.
    pub(crate) fn contains(&self, proto: Proto, outside: Outside) -> bool {
        self.ranges[proto as usize].iter().any(|r| r.contains(outside))
    }

    /// True when some port of the address is ours.
    pub(crate) fn contains_address(&self, address: Ipv4Addr) -> bool {
        self.ranges.iter().flatten().any(|r| r.addresses.contains(address))
    }

    /// Finds a free outside transport address for `inside` and takes it. `bound` knows those that a static binding has.
    pub(crate) fn allocate(
        &mut self,
        proto: Proto,
        inside: Inside,
        bound: impl Fn(Outside) -> bool,
    ) -> Option<Outside> {
        let total: u64 = self.ranges[proto as usize].iter().map(Range::addresses).sum();
        if total == 0 {
            return None;
        }
        let home = self.key.hash(&Ipv6Addr::octets(&inside.address)) % total;
        for step in 0..total.min(MOST_ADDRESSES) {
            let (index, address) = self.address(proto, (home + step) % total)?;
            let range = &mut self.ranges[proto as usize][index as usize];
            let block = self
                .blocks
                .entry((proto, index, address.to_bits()))
                .or_insert_with(|| Block::new(&range.ports, self.share));
            while let Some(port) = block.find(proto, inside.port, &mut self.numbers) {
                block.set(port);
                range.used += 1;
                let outside = Outside { address, port };
                if !bound(outside) {
                    return Some(outside);
                }
                // It stays taken: a static binding never ends.
            }
        }
        None
    }

    /// Takes one that is known; false when it is not ours or taken already.
    pub(crate) fn take(&mut self, proto: Proto, outside: Outside) -> bool {
        let ranges = &mut self.ranges[proto as usize];
        let Some(index) = ranges.iter().position(|r| r.contains(outside)) else { return false };
        let range = &mut ranges[index];
        let block = self
            .blocks
            .entry((proto, index as u32, outside.address.to_bits()))
            .or_insert_with(|| Block::new(&range.ports, self.share));
        let free = block.set(outside.port);
        range.used += u64::from(free);
        free
    }

    pub(crate) fn release(&mut self, proto: Proto, outside: Outside) {
        for (index, range) in self.ranges[proto as usize].iter_mut().enumerate() {
            let key = (proto, index as u32, outside.address.to_bits());
            if range.contains(outside)
                && let Some(block) = self.blocks.get_mut(&key)
                && block.clear(outside.port)
            {
                range.used -= 1;
                return;
            }
        }
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = PoolView> {
        Proto::ALL
            .into_iter()
            .flat_map(|protocol| self.ranges[protocol as usize].iter().map(move |r| r.view(protocol)))
    }

    /// The part that a transport address is of.
    pub(crate) fn view_of(&self, protocol: Proto, outside: Outside) -> Option<PoolView> {
        self.ranges[protocol as usize].iter().find(|r| r.contains(outside)).map(|r| r.view(protocol))
    }

    /// The `n`-th address of a protocol and the range that it is in.
    fn address(&self, proto: Proto, mut n: u64) -> Option<(u32, Ipv4Addr)> {
        for (index, range) in self.ranges[proto as usize].iter().enumerate() {
            if n < range.addresses() {
                let address = range.addresses.address().to_bits() + n as u32;
                return Some((index as u32, Ipv4Addr::from_bits(address)));
            }
            n -= range.addresses();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use super::*;

    fn pool(text: &str, ports: RangeInclusive<u16>) -> Pool {
        let entry = PoolEntry { protocol: None, addresses: text.parse().unwrap(), ports };
        Pool::new(&[entry], Share::default(), &[3; 32])
    }

    fn inside(host: u16, port: u16) -> Inside {
        Inside { address: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host), port }
    }

    #[test]
    fn every_port_is_given_once_and_then_no_more() {
        let mut pool = pool("192.0.2.0/31", 1000..=1099);
        let mut seen = BTreeSet::new();
        for n in 0..200 {
            assert!(seen.insert(pool.allocate(Proto::Tcp, inside(n, n), |_| false).unwrap()));
        }
        assert_eq!(pool.allocate(Proto::Tcp, inside(1, 1), |_| false), None);
        assert_eq!(pool.views().next().map(|v| (v.used, v.total)), Some((200, 200)));
        let one = *seen.iter().nth(77).unwrap();
        pool.release(Proto::Tcp, one);
        assert_eq!(pool.allocate(Proto::Tcp, inside(1, 1), |_| false), Some(one));
        assert!(pool.allocate(Proto::Udp, inside(1, 1), |_| false).is_some());
    }

    #[test]
    fn shares_give_ports_of_their_own_and_know_all_of_them() {
        let entry = |ports| PoolEntry { protocol: None, addresses: "192.0.2.2/32".parse().unwrap(), ports };
        let mut seen = BTreeSet::new();
        for index in 0..3 {
            let share = Share::new(index, 3);
            let mut pool = Pool::new(&[entry(100..=999)], share, &[index as u8; 32]);
            while let Some(outside) = pool.allocate(Proto::Tcp, inside(1, 2000), |_| false) {
                assert_eq!(share.owner_of_port(outside.port), index);
                assert!(seen.insert(outside.port));
            }
            let foreign = Outside { address: [192, 0, 2, 2].into(), port: 128 + 64 * (index + 2) };
            assert!(!share.has(foreign.port) && pool.contains(Proto::Tcp, foreign));
            assert!(pool.take(Proto::Tcp, foreign) && !pool.take(Proto::Tcp, foreign));
            pool.release(Proto::Tcp, foreign);
            assert_eq!(pool.allocate(Proto::Tcp, inside(1, 2000), |_| false), None);
        }
        assert!(seen.into_iter().eq(100..=999));
    }

    #[test]
    fn ports_of_a_share_are_as_unpredictable_as_the_others() {
        let entry =
            PoolEntry { protocol: None, addresses: "192.0.2.2/32".parse().unwrap(), ports: 1024..=65_535 };
        let mut pool = Pool::new(&[entry], Share::new(1, 4), &[5; 32]);
        let places: BTreeSet<u16> = (0..200)
            .map(|n| pool.allocate(Proto::Icmp, inside(1, n), |_| false).unwrap().port % 64)
            .collect();
        assert!(places.len() > 50, "{}", places.len());
    }

    #[test]
    fn one_client_leaves_from_one_address_and_clients_are_spread() {
        let mut pool = pool("192.0.2.0/28", 1..=65_535);
        let mut of = |host, port, proto| pool.allocate(proto, inside(host, port), |_| false).unwrap().address;
        for host in 0..20 {
            let home = of(host, 5000, Proto::Tcp);
            assert!((1..50).all(|port| of(host, port, Proto::Udp) == home));
        }
        let homes: BTreeSet<Ipv4Addr> = (0..200).map(|host| of(host, 1, Proto::Tcp)).collect();
        assert!(homes.len() > 12, "{}", homes.len());
    }

    #[test]
    fn parity_and_half_are_kept_where_there_is_room() {
        let mut pool = pool("192.0.2.2/32", 1..=65_535);
        for port in [53, 68, 1023, 1024, 40_000, 40_001] {
            let outside = pool.allocate(Proto::Udp, inside(1, port), |_| false).unwrap();
            assert_eq!(outside.port % 2, port % 2);
            assert_eq!(outside.port < 1024, port < 1024);
        }
    }

    #[test]
    fn ports_in_turn_are_not_neighbours() {
        let mut pool = pool("192.0.2.2/32", 1024..=65_535);
        let ports: Vec<i32> = (0..500)
            .map(|n| i32::from(pool.allocate(Proto::Tcp, inside(1, 30_000 + n), |_| false).unwrap().port))
            .collect();
        let steps: BTreeSet<i32> = ports.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(steps.len() > 480, "{}", steps.len());
    }

    #[test]
    fn a_port_of_a_static_binding_is_never_given() {
        let mut pool = pool("192.0.2.2/32", 10..=12);
        let mut given: Vec<u16> = Vec::new();
        while let Some(outside) = pool.allocate(Proto::Tcp, inside(1, 9), |o| o.port == 11) {
            given.push(outside.port);
        }
        given.sort_unstable();
        assert_eq!(given, [10, 12]);
    }

    #[test]
    fn ranges_and_protocols_are_told_apart() {
        let entry =
            |protocol, text: &str, ports| PoolEntry { protocol, addresses: text.parse().unwrap(), ports };
        let mut pool = Pool::new(
            &[entry(Some(Proto::Tcp), "192.0.2.9/32", 100..=200), entry(None, "192.0.2.8/32", 5..=5)],
            Share::default(),
            &[0; 32],
        );
        let at = |last: u8, port| Outside { address: [192, 0, 2, last].into(), port };
        assert!(pool.contains(Proto::Tcp, at(9, 200)) && !pool.contains(Proto::Udp, at(9, 200)));
        assert!(!pool.contains(Proto::Tcp, at(9, 201)) && pool.contains_address(at(9, 0).address));
        assert!(pool.take(Proto::Icmp, at(8, 5)) && !pool.take(Proto::Icmp, at(8, 5)));
        assert!(!pool.take(Proto::Icmp, at(8, 6)));
        assert_eq!(pool.allocate(Proto::Icmp, inside(1, 1), |_| false), None);
        assert_eq!(pool.allocate(Proto::Udp, inside(1, 1), |_| false), Some(at(8, 5)));
    }
}
