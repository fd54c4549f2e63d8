//! Values by number, found by `N` keyed hashes each.
//!
//! Chains through the values themselves: a search reads one word and then the value, so a value that nobody has looked at
//! lately costs two waits for memory and not three. Nothing is ever moved, there are no tombstones and hence no clean-up that
//! every packet would wait for; memory is reserved at once and used as the table fills.

use alloc::vec;
use alloc::vec::Vec;

/// The number after a value in each of its chains, plus one; zero ends a chain.
pub(crate) type Links<const N: usize> = [u32; N];

/// A value that has room for its links.
pub(crate) trait Linked<const N: usize>: Copy {
    fn links(&self) -> &Links<N>;
    fn links_mut(&mut self) -> &mut Links<N>;
}

/// Values by number. Freed numbers are used again, last freed first.
pub(crate) struct Table<T, const N: usize> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    /// First of each chain, plus one. All of one length, a power of two.
    heads: [Vec<u32>; N],
}

impl<T: Linked<N>, const N: usize> Table<T, N> {
    /// A table in which the first `capacity` insertions allocate nothing.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            slots: Vec::with_capacity(capacity),
            free: Vec::with_capacity(capacity),
            heads: core::array::from_fn(|_| heads(capacity)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        self.slots.get(id as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.slots.get_mut(id as usize)?.as_mut()
    }

    /// The value that is the `same`, in the chains of this hash.
    pub(crate) fn find(&self, chain: usize, hash: u64, same: impl Fn(&T) -> bool) -> Option<u32> {
        let heads = &self.heads[chain];
        let mut at = *heads.get(slot(heads, hash))?;
        loop {
            let id = at.checked_sub(1)?;
            let value = self.get(id)?;
            if same(value) {
                return Some(id);
            }
            at = value.links()[chain];
        }
    }

    /// Adds a value that no chain has.
    pub(crate) fn insert(&mut self, mut value: T, hashes: [u64; N]) -> u32 {
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.slots.push(None);
                // Tables are bounded far below 2^32.
                (self.slots.len() - 1) as u32
            }
        };
        for (chain, hash) in hashes.into_iter().enumerate() {
            let heads = &mut self.heads[chain];
            let at = slot(heads, hash);
            value.links_mut()[chain] = core::mem::replace(&mut heads[at], id + 1);
        }
        self.slots[id as usize] = Some(value);
        id
    }

    /// Takes a value out. The hashes are those that it was put in with.
    pub(crate) fn remove(&mut self, id: u32, hashes: [u64; N]) -> Option<T> {
        let value = *self.get(id)?;
        for (chain, hash) in hashes.into_iter().enumerate() {
            self.unchain(chain, hash, id, value.links()[chain]);
        }
        self.slots[id as usize] = None;
        self.free.push(id);
        Some(value)
    }

    fn unchain(&mut self, chain: usize, hash: u64, id: u32, after: u32) {
        let heads = &mut self.heads[chain];
        let at = slot(heads, hash);
        if heads[at] == id + 1 {
            heads[at] = after;
            return;
        }
        let mut before = heads[at];
        while let Some(value) = before.checked_sub(1).and_then(|n| self.get_mut(n)) {
            let link = &mut value.links_mut()[chain];
            if *link == id + 1 {
                *link = after;
                return;
            }
            before = *link;
        }
    }

    /// Makes room for so many values. Nothing happens where there is; else the chains are made anew.
    pub(crate) fn reserve(&mut self, capacity: usize, hashes: impl Fn(&T) -> [u64; N]) {
        let more = capacity.saturating_sub(self.slots.len());
        self.slots.reserve_exact(more);
        self.free.reserve(capacity.saturating_sub(self.free.len()));
        if self.heads.iter().all(|heads| chains(capacity) <= heads.len()) {
            return;
        }
        self.heads = core::array::from_fn(|_| heads(capacity));
        for (id, value) in self.slots.iter_mut().enumerate() {
            let Some(value) = value else { continue };
            for (chain, hash) in hashes(value).into_iter().enumerate() {
                let heads = &mut self.heads[chain];
                let at = slot(heads, hash);
                value.links_mut()[chain] = core::mem::replace(&mut heads[at], id as u32 + 1);
            }
        }
    }

    /// Values in so many places from `start` on, and where the next places start; `None` behind the last.
    pub(crate) fn slice(
        &self,
        start: usize,
        most: usize,
    ) -> (impl Iterator<Item = (u32, &T)>, Option<usize>) {
        let end = start.saturating_add(most).min(self.slots.len());
        let slots = self.slots.get(start..end).unwrap_or_default();
        let values =
            slots.iter().enumerate().filter_map(move |(n, slot)| Some(((start + n) as u32, slot.as_ref()?)));
        (values, (end < self.slots.len()).then_some(end))
    }

    /// Values in order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.slots.iter().enumerate().filter_map(|(id, slot)| Some((id as u32, slot.as_ref()?)))
    }
}

/// Zeroed memory is the system's until it is written, so that chains nobody uses cost nothing.
fn heads(capacity: usize) -> Vec<u32> {
    vec![0; chains(capacity)]
}

/// Between one and a half and three chains a value: mostly the first one is the right one.
fn chains(capacity: usize) -> usize {
    (capacity.max(8) + capacity / 2).next_power_of_two()
}

fn slot(heads: &[u32], hash: u64) -> usize {
    hash as usize & (heads.len() - 1)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Value {
        name: u16,
        links: Links<2>,
    }

    impl Linked<2> for Value {
        fn links(&self) -> &Links<2> {
            &self.links
        }
        fn links_mut(&mut self) -> &mut Links<2> {
            &mut self.links
        }
    }

    /// Few of each, so that chains are long.
    fn hashes(name: u16) -> [u64; 2] {
        [u64::from(name % 3), u64::from(name % 7)]
    }

    proptest! {
        #[test]
        fn a_table_is_a_map_by_both_hashes(steps: Vec<(u16, bool)>, grown: u16) {
            let mut table = Table::with_capacity(4);
            let mut model: BTreeMap<u16, u32> = BTreeMap::new();
            for (n, (name, add)) in steps.into_iter().enumerate() {
                let name = name % 64;
                if add && !model.contains_key(&name) {
                    model.insert(name, table.insert(Value { name, links: [0; 2] }, hashes(name)));
                } else if let Some(id) = model.remove(&name) {
                    prop_assert_eq!(table.remove(id, hashes(name)).map(|v| v.name), Some(name));
                }
                if n == 20 {
                    table.reserve(usize::from(grown), |v| hashes(v.name));
                }
                for name in 0..64 {
                    for (chain, hash) in hashes(name).into_iter().enumerate() {
                        let found = table.find(chain, hash, |v| v.name == name);
                        prop_assert_eq!(found, model.get(&name).copied());
                    }
                }
                prop_assert_eq!(table.len(), model.len());
                prop_assert_eq!(table.iter().count(), model.len());
            }
        }
    }
}
