//! A table bounded in octets, the least used leaves first, and nobody takes the room of others.
//!
//! Each entry belongs to the share of the client that brought it. When there is no room left, a client above its part of the
//! room loses its own least used entry, and otherwise the client with the most does.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::HashTable;

use crate::keyed::Keyed;

/// Clients are counted in so many groups, so that their number does not matter.
const SHARES: usize = 256;
/// Octets of an entry beside its key and its body: slot, index and allocation.
const OVERHEAD: usize = 72;
const NONE: u32 = u32::MAX;

/// How full a table is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Entries
    pub entries: usize,
    /// Octets, as the bound counts them.
    pub octets: usize,
    /// Entries that had to leave for others since the start.
    pub evicted: u64,
}

pub(crate) struct Shares<M> {
    slots: Vec<Slot<M>>,
    free: u32,
    index: HashTable<u32>,
    shares: Box<[Share; SHARES]>,
    /// Shares that hold anything.
    active: usize,
    usage: Usage,
    most: usize,
    hash: Keyed,
}

struct Slot<M> {
    /// Key, then body.
    octets: Box<[u8]>,
    key_length: u16,
    share: u8,
    /// Towards the most used.
    newer: u32,
    /// Towards the least used; in a free slot the next free one.
    older: u32,
    meta: M,
}

#[derive(Clone, Copy)]
struct Share {
    newest: u32,
    oldest: u32,
    octets: usize,
}

impl<M> Shares<M> {
    pub(crate) fn new(most: usize, seed: [u8; 16]) -> Self {
        let empty = Share { newest: NONE, oldest: NONE, octets: 0 };
        Self {
            slots: Vec::new(),
            free: NONE,
            index: HashTable::new(),
            shares: Box::new([empty; SHARES]),
            active: 0,
            usage: Usage::default(),
            most,
            hash: Keyed::new(seed),
        }
    }

    pub(crate) const fn usage(&self) -> Usage {
        self.usage
    }

    /// The share that a client's address counts for.
    pub(crate) fn share_of(&self, client: &[u8]) -> u8 {
        self.hash.hash(client).to_be_bytes()[0]
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = self.hash.hash(key);
        self.index
            .find(hash, |at| self.slots.get(*at as usize).is_some_and(|slot| slot.key() == key))
            .copied()
    }

    pub(crate) fn body(&self, at: u32) -> &[u8] {
        self.slots.get(at as usize).map_or(&[], Slot::body)
    }

    pub(crate) fn meta(&self, at: u32) -> Option<&M> {
        self.slots.get(at as usize).map(|slot| &slot.meta)
    }

    pub(crate) fn meta_mut(&mut self, at: u32) -> Option<&mut M> {
        self.slots.get_mut(at as usize).map(|slot| &mut slot.meta)
    }

    /// Marks an entry as used.
    pub(crate) fn touch(&mut self, at: u32) {
        let Some(slot) = self.slots.get(at as usize) else { return };
        if slot.newer != NONE {
            self.unlink(at);
            self.link(at);
        }
    }

    /// Puts an entry in place of any other with this key. What does not fit even alone is left out.
    pub(crate) fn insert(&mut self, key: &[u8], body: &[u8], share: u8, meta: M) {
        if let Some(at) = self.find(key) {
            self.remove(at);
        }
        let Ok(key_length) = u16::try_from(key.len()) else { return };
        let size = key.len() + body.len() + OVERHEAD;
        if size > self.most {
            return;
        }
        self.make_room(size, share);
        let mut octets = Vec::with_capacity(key.len() + body.len());
        octets.extend_from_slice(key);
        octets.extend_from_slice(body);
        let slot =
            Slot { octets: octets.into_boxed_slice(), key_length, share, newer: NONE, older: NONE, meta };
        let Some(at) = self.place(slot) else { return };
        self.usage.entries += 1;
        self.usage.octets += size;
        self.link(at);
        let (slots, hash) = (&self.slots, self.hash);
        self.index.insert_unique(hash.hash(key), at, |at| {
            slots.get(*at as usize).map_or(0, |slot| hash.hash(slot.key()))
        });
    }

    pub(crate) fn remove(&mut self, at: u32) {
        let Some(slot) = self.slots.get(at as usize) else { return };
        let hash = self.hash.hash(slot.key());
        let size = slot.size();
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == at) {
            entry.remove();
        } else {
            return;
        }
        self.unlink(at);
        self.usage.entries -= 1;
        self.usage.octets -= size;
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.octets = Box::default();
            slot.older = self.free;
            self.free = at;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.free = NONE;
        self.index.clear();
        *self.shares = [Share { newest: NONE, oldest: NONE, octets: 0 }; SHARES];
        self.active = 0;
        self.usage = Usage { evicted: self.usage.evicted, ..Usage::default() };
    }

    /// Changes the bound; what is above it leaves.
    pub(crate) fn resize(&mut self, most: usize) {
        self.most = most;
        self.make_room(0, 0);
    }

    fn make_room(&mut self, size: usize, share: u8) {
        while self.usage.octets + size > self.most && self.usage.entries > 0 {
            let own = &self.shares[usize::from(share)];
            // The newcomer counts as active although it may hold nothing yet.
            let active = self.active + usize::from(own.octets == 0);
            let above = own.octets > 0 && own.octets + size > self.most / active.max(1);
            let victim = if above {
                own.oldest
            } else {
                let fullest = self.shares.iter().max_by_key(|share| share.octets);
                fullest.map_or(NONE, |share| share.oldest)
            };
            self.remove(victim);
            self.usage.evicted += 1;
        }
    }

    fn place(&mut self, slot: Slot<M>) -> Option<u32> {
        if let Some(free) = self.slots.get_mut(self.free as usize) {
            let at = core::mem::replace(&mut self.free, free.older);
            *free = slot;
            return Some(at);
        }
        let at = u32::try_from(self.slots.len()).ok().filter(|at| *at != NONE)?;
        self.slots.push(slot);
        Some(at)
    }

    /// Hangs an entry in at the newest end of its share.
    fn link(&mut self, at: u32) {
        let Some(slot) = self.slots.get_mut(at as usize) else { return };
        let size = slot.size();
        let share = &mut self.shares[usize::from(slot.share)];
        slot.newer = NONE;
        slot.older = share.newest;
        self.active += usize::from(share.octets == 0);
        share.octets += size;
        let before = core::mem::replace(&mut share.newest, at);
        if share.oldest == NONE {
            share.oldest = at;
        }
        if let Some(before) = self.slots.get_mut(before as usize) {
            before.newer = at;
        }
    }

    fn unlink(&mut self, at: u32) {
        let Some(slot) = self.slots.get(at as usize) else { return };
        let (newer, older, size) = (slot.newer, slot.older, slot.size());
        let share = &mut self.shares[usize::from(slot.share)];
        share.octets -= size;
        self.active -= usize::from(share.octets == 0);
        if newer == NONE {
            share.newest = older;
        }
        if older == NONE {
            share.oldest = newer;
        }
        if let Some(newer) = self.slots.get_mut(newer as usize) {
            newer.older = older;
        }
        if let Some(older) = self.slots.get_mut(older as usize) {
            older.newer = newer;
        }
    }
}

impl<M> Slot<M> {
    fn key(&self) -> &[u8] {
        self.octets.get(..usize::from(self.key_length)).unwrap_or_default()
    }

    fn body(&self) -> &[u8] {
        self.octets.get(usize::from(self.key_length)..).unwrap_or_default()
    }

    const fn size(&self) -> usize {
        self.octets.len() + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(most: usize) -> Shares<u32> {
        Shares::new(most, [7; 16])
    }

    fn key(n: u32) -> [u8; 4] {
        n.to_be_bytes()
    }

    /// Both lists of every share lead to the same entries, and the sums are right.
    fn check(table: &Shares<u32>) {
        let (mut entries, mut octets, mut active) = (0, 0, 0);
        for share in table.shares.iter() {
            let (mut at, mut own, mut last) = (share.newest, 0, NONE);
            while let Some(slot) = table.slots.get(at as usize) {
                assert_eq!(slot.newer, last);
                own += slot.size();
                entries += 1;
                last = core::mem::replace(&mut at, slot.older);
            }
            assert_eq!((share.oldest, share.octets), (last, own));
            octets += own;
            active += usize::from(own > 0);
        }
        assert_eq!((entries, octets, active), (table.usage.entries, table.usage.octets, table.active));
        assert_eq!(table.index.len(), entries);
        assert!(octets <= table.most);
    }

    #[test]
    fn the_least_used_leaves_first_and_the_bound_holds() {
        let mut table = table(100 * (OVERHEAD + 4));
        for n in 0..100 {
            table.insert(&key(n), &[], 1, n);
        }
        table.touch(table.find(&key(0)).unwrap());
        table.insert(&key(100), &[], 1, 100);
        check(&table);
        assert!(table.find(&key(0)).is_some() && table.find(&key(1)).is_none());
        assert_eq!(table.usage().evicted, 1);
        table.insert(&key(0), &[1; 40], 1, 7);
        assert_eq!(table.meta(table.find(&key(0)).unwrap()), Some(&7));
        check(&table);
        table.resize(OVERHEAD + 50);
        check(&table);
        assert_eq!(table.usage().entries, 1);
    }

    #[test]
    fn who_fills_the_table_pushes_out_its_own_and_not_others() {
        let mut table = table(100 * (OVERHEAD + 4));
        for n in 0..20 {
            table.insert(&key(n), &[], 1, n);
        }
        for n in 1_000..9_000 {
            table.insert(&key(n), &[], 2, n);
        }
        check(&table);
        assert!((0..20).all(|n| table.find(&key(n)).is_some()));
        // A third gets its part of what the second has too much.
        for n in 20_000..20_200 {
            table.insert(&key(n), &[], 3, n);
        }
        check(&table);
        assert!((0..20).all(|n| table.find(&key(n)).is_some()));
        let held = |from: u32, to: u32| (from..to).filter(|n| table.find(&key(*n)).is_some()).count();
        assert!(held(20_000, 20_200) >= 33 && held(1_000, 9_000) >= 33);
    }

    #[test]
    fn what_is_larger_than_the_table_is_left_out() {
        let mut table = table(200);
        table.insert(&key(1), &[], 1, 1);
        table.insert(&key(2), &[0; 200], 1, 2);
        check(&table);
        assert!(table.find(&key(1)).is_some() && table.find(&key(2)).is_none());
        table.clear();
        check(&table);
    }

    proptest::proptest! {
        #[test]
        fn lists_and_sums_stay_true(steps in proptest::collection::vec((0_u8..4, 0_u32..40, 0_u8..5, 0_usize..60), 1..200)) {
            let mut table = table(1_500);
            for (what, n, share, size) in steps {
                let found = table.find(&key(n));
                match (what, found) {
                    (0, Some(at)) => table.remove(at),
                    (1, Some(at)) => table.touch(at),
                    _ => table.insert(&key(n), &[1; 60][..size], share, n),
                }
                check(&table);
            }
        }
    }
}
