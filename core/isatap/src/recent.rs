//! A bounded table by IPv4 address that knows who was heard longest ago.
//!
//! Every operation takes constant time: a slab, a doubly linked list through it, and a keyed hash table of positions.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use hashbrown::HashMap;

use crate::keyed::Keyed;

const NONE: u32 = u32::MAX;

struct Slot<T> {
    v4: Ipv4Addr,
    value: Option<T>,
    older: u32,
    newer: u32,
}

/// The table. Positions are stable until an entry is removed, so that a walk by position can be interrupted.
pub(crate) struct Recent<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    by_address: HashMap<Ipv4Addr, u32, Keyed>,
    oldest: u32,
    newest: u32,
    most: usize,
}

impl<T> Recent<T> {
    /// An empty table for `most` entries, at least one.
    pub(crate) fn new(most: usize, keyed: Keyed) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_address: HashMap::with_hasher(keyed),
            oldest: NONE,
            newest: NONE,
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

    /// Makes this entry the newest.
    pub(crate) fn touch(&mut self, v4: Ipv4Addr) {
        if let Some(at) = self.by_address.get(&v4).copied() {
            self.unlink(at);
            self.link_newest(at);
        }
    }

    /// Adds an entry that was not there, as the newest; `None` when the table is full or has it already.
    pub(crate) fn insert(&mut self, v4: Ipv4Addr, value: T) -> Option<&mut T> {
        if self.is_full() || self.by_address.contains_key(&v4) {
            return None;
        }
        let slot = Slot { v4, value: Some(value), older: NONE, newer: NONE };
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

    /// Who was touched longest ago.
    pub(crate) fn oldest(&self) -> Option<(Ipv4Addr, &T)> {
        let slot = self.slots.get(self.oldest as usize)?;
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
        let (older, newer) = (self.slots[at as usize].older, self.slots[at as usize].newer);
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
    }

    fn link_newest(&mut self, at: u32) {
        let before = self.newest;
        self.slots[at as usize].older = before;
        self.slots[at as usize].newer = NONE;
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
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
    }

    fn step() -> impl Strategy<Value = Step> {
        (0..12_u8, 0..3).prop_map(|(n, what)| match what {
            0 => Step::Insert(n),
            1 => Step::Touch(n),
            _ => Step::Remove(n),
        })
    }

    proptest! {
        #[test]
        fn behaves_like_a_list_in_order_of_touch(steps in proptest::collection::vec(step(), 0..200)) {
            let mut table = Recent::new(6, Keyed::new(&[7; 32]));
            let mut model: List<u8> = List::new();
            let v4 = |n: u8| Ipv4Addr::new(10, 0, 0, n);
            for step in steps {
                match step {
                    Step::Insert(n) => {
                        let fits = model.len() < 6 && !model.contains(&n);
                        prop_assert_eq!(table.insert(v4(n), n).is_some(), fits);
                        if fits {
                            model.push(n);
                        }
                    }
                    Step::Touch(n) => {
                        table.touch(v4(n));
                        if let Some(at) = model.iter().position(|m| *m == n) {
                            let n = model.remove(at);
                            model.push(n);
                        }
                    }
                    Step::Remove(n) => {
                        let at = model.iter().position(|m| *m == n);
                        prop_assert_eq!(table.remove(v4(n)), at.map(|at| model.remove(at)));
                    }
                }
                prop_assert_eq!(table.len(), model.len());
                prop_assert_eq!(table.oldest().map(|(_, n)| *n), model.first().copied());
            }
            // The whole order, taken from the old end.
            for n in model {
                prop_assert_eq!(table.oldest().map(|(v4, n)| (v4, *n)), Some((v4(n), n)));
                table.remove(v4(n));
            }
        }
    }
}
