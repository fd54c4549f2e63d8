//! A bounded table by IPv4 address that knows who was heard longest ago, for each of two ranks.
//!
//! Every operation takes constant time: a slab, a doubly linked list a rank through it, and a keyed hash table of positions.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use hashbrown::HashMap;

use crate::keyed::Keyed;

const NONE: u32 = u32::MAX;

/// How much an entry is worth when the table is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Rank {
    /// Makes room for others.
    #[default]
    Light,
    /// Stays.
    Firm,
}

struct Slot<T> {
    v4: Ipv4Addr,
    value: Option<T>,
    rank: Rank,
    older: u32,
    newer: u32,
}

/// Both ends of the list of one rank.
#[derive(Clone, Copy)]
struct Ends {
    oldest: u32,
    newest: u32,
}

/// The table. Positions are stable until an entry is removed, so that a walk by position can be interrupted.
pub(crate) struct Recent<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    by_address: HashMap<Ipv4Addr, u32, Keyed>,
    light: Ends,
    firm: Ends,
    most: usize,
}

impl<T> Recent<T> {
    /// An empty table for `most` entries, at least one.
    pub(crate) fn new(most: usize, keyed: Keyed) -> Self {
        let empty = Ends { oldest: NONE, newest: NONE };
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_address: HashMap::with_hasher(keyed),
            light: empty,
            firm: empty,
            // Below `NONE`, so that every position fits.
            most: most.clamp(1, NONE as usize - 1),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_address.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.most
    }

    pub(crate) fn set_most(&mut self, most: usize) {
        self.most = most.clamp(1, NONE as usize - 1);
    }

    pub(crate) fn get(&self, v4: Ipv4Addr) -> Option<&T> {
        let at = *self.by_address.get(&v4)?;
        self.slots[at as usize].value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, v4: Ipv4Addr) -> Option<&mut T> {
        let at = *self.by_address.get(&v4)?;
        self.slots[at as usize].value.as_mut()
    }

    /// Makes this entry the newest of its rank.
    pub(crate) fn touch(&mut self, v4: Ipv4Addr) {
        if let Some(at) = self.by_address.get(&v4).copied() {
            self.unlink(at);
            self.link_newest(at);
        }
    }

    /// Gives this entry a rank, as the newest of it.
    pub(crate) fn set_rank(&mut self, v4: Ipv4Addr, rank: Rank) {
        if let Some(at) = self.by_address.get(&v4).copied() {
            self.unlink(at);
            self.slots[at as usize].rank = rank;
            self.link_newest(at);
        }
    }

    /// Adds an entry that was not there, as the newest of the light ones; `None` when the table is full or has it already.
    pub(crate) fn insert(&mut self, v4: Ipv4Addr, value: T) -> Option<&mut T> {
        if self.is_full() || self.by_address.contains_key(&v4) {
            return None;
        }
        let slot = Slot { v4, value: Some(value), rank: Rank::Light, older: NONE, newer: NONE };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                // `most` keeps positions below `NONE`.
                (self.slots.len() - 1) as u32
            }
        };
        self.by_address.insert(v4, at);
        self.link_newest(at);
        self.slots[at as usize].value.as_mut()
    }

    pub(crate) fn remove(&mut self, v4: Ipv4Addr) -> Option<T> {
        let at = self.by_address.remove(&v4)?;
        self.unlink(at);
        self.free.push(at);
        self.slots[at as usize].value.take()
    }

    /// Who of this rank was touched longest ago.
    pub(crate) fn oldest(&self, rank: Rank) -> Option<(Ipv4Addr, &T)> {
        let slot = self.slots.get(self.ends(rank).oldest as usize)?;
        slot.value.as_ref().map(|value| (slot.v4, value))
    }

    /// Positions that [`Recent::at`] may be asked for.
    pub(crate) fn positions(&self) -> usize {
        self.slots.len()
    }

    /// The entry at a position, if there is one.
    pub(crate) fn at(&self, position: usize) -> Option<(Ipv4Addr, &T)> {
        let slot = self.slots.get(position)?;
        slot.value.as_ref().map(|value| (slot.v4, value))
    }

    /// Every entry, writable, by position.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Ipv4Addr, &mut T)> {
        self.slots.iter_mut().filter_map(|slot| slot.value.as_mut().map(|value| (slot.v4, value)))
    }

    /// Every entry, by position.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Ipv4Addr, &T)> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref().map(|value| (slot.v4, value)))
    }

    fn unlink(&mut self, at: u32) {
        let Slot { rank, older, newer, .. } = self.slots[at as usize];
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.ends_mut(rank).oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.ends_mut(rank).newest = older,
        }
    }

    fn link_newest(&mut self, at: u32) {
        let rank = self.slots[at as usize].rank;
        let before = self.ends(rank).newest;
        self.slots[at as usize].older = before;
        self.slots[at as usize].newer = NONE;
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.newer = at,
            None => self.ends_mut(rank).oldest = at,
        }
        self.ends_mut(rank).newest = at;
    }

    fn ends(&self, rank: Rank) -> Ends {
        match rank {
            Rank::Light => self.light,
            Rank::Firm => self.firm,
        }
    }

    fn ends_mut(&mut self, rank: Rank) -> &mut Ends {
        match rank {
            Rank::Light => &mut self.light,
            Rank::Firm => &mut self.firm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec as List;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u8),
        Touch(u8),
        Remove(u8),
        Rank(u8, Rank),
    }

    fn step() -> impl Strategy<Value = Step> {
        (0..12_u8, 0..5).prop_map(|(n, what)| match what {
            0 => Step::Insert(n),
            1 => Step::Touch(n),
            2 => Step::Remove(n),
            3 => Step::Rank(n, Rank::Light),
            _ => Step::Rank(n, Rank::Firm),
        })
    }

    proptest! {
        #[test]
        fn behaves_like_a_list_in_order_of_touch(steps in proptest::collection::vec(step(), 0..200)) {
            let mut table = Recent::new(6, Keyed::new(&[7; 32]));
            let mut model: List<(u8, Rank)> = List::new();
            let v4 = |n: u8| Ipv4Addr::new(10, 0, 0, n);
            for step in steps {
                let place = |model: &List<(u8, Rank)>, n: u8| model.iter().position(|(m, _)| *m == n);
                match step {
                    Step::Insert(n) => {
                        let fits = model.len() < 6 && place(&model, n).is_none();
                        prop_assert_eq!(table.insert(v4(n), n).is_some(), fits);
                        if fits {
                            model.push((n, Rank::Light));
                        }
                    }
                    Step::Touch(n) => {
                        table.touch(v4(n));
                        if let Some(at) = place(&model, n) {
                            let entry = model.remove(at);
                            model.push(entry);
                        }
                    }
                    Step::Rank(n, rank) => {
                        table.set_rank(v4(n), rank);
                        if let Some(at) = place(&model, n) {
                            model.remove(at);
                            model.push((n, rank));
                        }
                    }
                    Step::Remove(n) => {
                        let at = place(&model, n);
                        prop_assert_eq!(table.remove(v4(n)), at.map(|at| model.remove(at).0));
                    }
                }
                prop_assert_eq!(table.len(), model.len());
                for rank in [Rank::Light, Rank::Firm] {
                    let first = model.iter().find(|(_, r)| *r == rank).map(|(n, _)| *n);
                    prop_assert_eq!(table.oldest(rank).map(|(_, n)| *n), first);
                }
            }
            // The whole order, taken from the old end.
            for (n, rank) in model {
                prop_assert_eq!(table.oldest(rank).map(|(v4, n)| (v4, *n)), Some((v4(n), n)));
                table.remove(v4(n));
            }
        }
    }
}
