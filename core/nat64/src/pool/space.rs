//! All ports of the pool, those that are in use, and where a client's are.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops;

use hashbrown::HashMap;

use super::ports::{Groups, Ports};
use super::range::Range;
use crate::config::PoolEntry;
use crate::endpoint::{Outside, Proto};
use crate::keyed::{Key, Numbers};
use crate::share::Share;

/// An address of an entry, both by number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Spot {
    pub(super) range: u32,
    pub(super) address: u32,
}

#[derive(Clone)]
pub(super) struct Space {
    pub(super) ranges: Vec<Range>,
    pub(super) share: Share,
    /// Of the addresses that are in use.
    ports: HashMap<(Proto, Spot), Ports, Key>,
    groups: Groups,
    pub(super) numbers: Numbers,
    key: Key,
    /// Some level may not be what has been told.
    pub(super) alarmed: bool,
}

impl Space {
    pub(super) fn new(entries: &[PoolEntry], share: Share, seed: &[u8; 32]) -> Self {
        let usable = entries.iter().filter(|entry| !entry.ports.is_empty());
        Self {
            ranges: usable.map(|entry| Range::new(entry, share)).collect(),
            share,
            ports: HashMap::with_hasher(Key::derive(seed, 10)),
            groups: Groups::default(),
            numbers: Numbers::new(Key::derive(seed, 11)),
            key: Key::derive(seed, 12),
            alarmed: false,
        }
    }

    /// Where a client's ports are while there is room, whatever the protocol, and a number to go on searching from.
    pub(super) fn home(&self, client: Ipv6Addr) -> Option<(Spot, u32)> {
        let total: u64 = self.ranges.iter().map(|range| u64::from(range.count())).sum();
        let hash = self.key.hash(&client.octets());
        let mut n = hash.checked_rem(total)?;
        for (number, range) in (0..).zip(&self.ranges) {
            let count = u64::from(range.count());
            if n < count {
                // Below the count, which has 32 bits.
                return Some((Spot { range: number, address: n as u32 }, (hash >> 32) as u32));
            }
            n -= count;
        }
        None
    }

    pub(super) fn range(&self, number: u32) -> Option<&Range> {
        self.ranges.get(number as usize)
    }

    pub(super) fn outside(&self, spot: Spot, port: u16) -> Option<Outside> {
        Some(Outside { address: self.range(spot.range)?.address(spot.address), port })
    }

    /// Entries, the one with this number first.
    pub(super) fn from(&self, first: u32) -> impl Iterator<Item = u32> + use<> {
        // As many as the file has.
        let many = self.ranges.len() as u32;
        (first..many).chain(0..first.min(many))
    }

    /// Where an address is in an entry, if that is for the protocol.
    pub(super) fn spot(&self, proto: Proto, range: u32, address: Ipv4Addr) -> Option<Spot> {
        let address = self.range(range).filter(|r| r.carries(proto))?.index(address)?;
        Some(Spot { range, address })
    }

    /// Where a transport address of the pool is.
    pub(super) fn find(&self, proto: Proto, outside: Outside) -> Option<Spot> {
        let range = self.ranges.iter().position(|range| range.contains(proto, outside))?;
        self.spot(proto, range as u32, outside.address)
    }

    /// An address of the entry that has a free port; the search begins at the number `start`.
    pub(super) fn with_room(&self, proto: Proto, range: u32, start: u32) -> Option<Spot> {
        let found = self.range(range)?;
        let full = &found.full[proto as usize];
        if !found.carries(proto) {
            return None;
        }
        let address = full.find(&(0..found.count()), start % found.count().max(1))?;
        Some(Spot { range, address })
    }

    /// Takes a free port for an inside port, of all that the address has or of those `among`.
    pub(super) fn give(
        &mut self,
        proto: Proto,
        spot: Spot,
        among: Option<ops::Range<u32>>,
        inside: u16,
    ) -> Option<Outside> {
        let range = self.ranges.get_mut(spot.range as usize).filter(|range| range.carries(proto))?;
        let ports = self.ports.entry((proto, spot)).or_insert_with(|| Ports::new(&range.ports, self.share));
        let port = ports.find(&self.groups, proto, inside, among, &mut self.numbers)?;
        if ports.mark(&mut self.groups, port, true) {
            self.alarmed |= range.note(proto, spot.address, ports.free(), true);
        }
        self.outside(spot, port)
    }

    /// Takes a port or gives it back; false when there is nothing to change.
    pub(super) fn mark(&mut self, proto: Proto, spot: Spot, port: u16, mark: bool) -> bool {
        let Some(range) = self.ranges.get_mut(spot.range as usize) else { return false };
        if !mark && !self.ports.contains_key(&(proto, spot)) {
            return false;
        }
        let ports = self.ports.entry((proto, spot)).or_insert_with(|| Ports::new(&range.ports, self.share));
        if !ports.mark(&mut self.groups, port, mark) {
            return false;
        }
        if self.share.has(port) {
            self.alarmed |= range.note(proto, spot.address, ports.free(), mark);
        }
        if ports.is_idle() {
            self.ports.remove(&(proto, spot));
        }
        true
    }

    /// Groups of ports and addresses in memory.
    #[cfg(test)]
    pub(super) fn memory(&self) -> (usize, usize) {
        (self.groups.len(), self.ports.len())
    }
}
