//! A table of fixed size whose entries expire: preallocated slots, a keyed hash over them, and for each class of
//! timeout a list in the order of last use, so that the entry that expires next is always at its front. Entries are
//! counted by their owner, so that no owner has more than its share.

use alloc::vec;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use sixgate_time::{Duration, Instant};

use crate::hash::Keyed;

/// An entry that is used more often than this is not moved in its list again; it lives that much longer instead.
const GRANULARITY: Duration = Duration::from_secs(1);
/// How many expired entries one insertion clears away, so that no single packet pays for all of them.
const SWEEP: usize = 32;
/// Owners are counted by a hash of at most this many values: two that share one have one share together, which is rare
/// and harmless.
const MOST_COUNTERS: usize = 1 << 14;
const NONE: u32 = u32::MAX;

/// Why an entry was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Full {
    /// The owner has its share.
    Share,
    /// The table is full of entries that have not expired.
    Table,
}

/// The place of an entry; valid until it is removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Id(u32);

pub(crate) struct Bounded<K, V> {
    hasher: Keyed,
    index: HashTable<u32>,
    slots: Vec<Slot<K, V>>,
    most: usize,
    share: u32,
    owned: Vec<u32>,
    free: u32,
    classes: Vec<Class>,
}

struct Slot<K, V> {
    key: K,
    value: V,
    seen: Instant,
    class: u8,
    used: bool,
    owner: u32,
    previous: u32,
    next: u32,
}

struct Class {
    timeout: Duration,
    oldest: u32,
    newest: u32,
}

impl<K: Hash + Eq + Copy, V> Bounded<K, V> {
    /// A table for `most` entries, at most `share` for each owner; class `n` expires after `timeouts[n]` without use.
    pub(crate) fn new(most: usize, share: usize, timeouts: &[Duration], hasher: Keyed) -> Self {
        let most = most.min(NONE as usize - 1);
        Self {
            hasher,
            // Twice the entries: below half of its capacity the hash clears deleted entries in place and never grows.
            index: HashTable::with_capacity(most * 2),
            slots: Vec::with_capacity(most),
            most,
            share: u32::try_from(share).unwrap_or(u32::MAX),
            owned: vec![0; (most * 8).next_power_of_two().min(MOST_COUNTERS)],
            free: NONE,
            classes: timeouts.iter().map(|t| Class { timeout: *t, oldest: NONE, newest: NONE }).collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The entry with this key, if it has not expired.
    pub(crate) fn find(&mut self, now: Instant, key: &K) -> Option<Id> {
        let slots = &self.slots;
        let id = *self.index.find(self.hasher.hash_one(key), |&id| slots[id as usize].key == *key)?;
        if self.deadline(id) <= now {
            self.remove(Id(id));
            return None;
        }
        Some(Id(id))
    }

    pub(crate) fn get(&self, id: Id) -> &V {
        &self.slots[id.0 as usize].value
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> &mut V {
        &mut self.slots[id.0 as usize].value
    }

    /// Adds an entry whose key is not there.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        class: u8,
        owner: impl Hash,
        key: K,
        value: V,
    ) -> Result<Id, Full> {
        self.expire(now, SWEEP);
        // Below MOST_COUNTERS, whatever the hash is.
        let owner = (self.hasher.hash_one(owner) % self.owned.len() as u64) as u32;
        if self.owned[owner as usize] >= self.share {
            return Err(Full::Share);
        }
        let slot = Slot { key, value, seen: now, class, used: true, owner, previous: NONE, next: NONE };
        let id = if self.free != NONE {
            let id = self.free;
            self.free = self.slots[id as usize].next;
            self.slots[id as usize] = slot;
            id
        } else if self.slots.len() < self.most {
            self.slots.push(slot);
            // `most` is below u32::MAX.
            self.slots.len() as u32 - 1
        } else {
            return Err(Full::Table);
        };
        self.owned[owner as usize] += 1;
        let (slots, hasher) = (&self.slots, self.hasher);
        self.index.insert_unique(hasher.hash_one(key), id, |&id| hasher.hash_one(slots[id as usize].key));
        self.append(id);
        Ok(Id(id))
    }

    /// Notes that the entry was used, and in which class it is now.
    pub(crate) fn touch(&mut self, now: Instant, id: Id, class: u8) {
        let slot = &self.slots[id.0 as usize];
        if slot.class == class && now.since(slot.seen) < GRANULARITY {
            return;
        }
        self.unlink(id.0);
        let slot = &mut self.slots[id.0 as usize];
        slot.class = class;
        // A list stays in order even when a caller's clock steps back.
        slot.seen = slot.seen.max(now);
        self.append(id.0);
    }

    pub(crate) fn remove(&mut self, id: Id) {
        let slots = &self.slots;
        let hash = self.hasher.hash_one(slots[id.0 as usize].key);
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == id.0) {
            entry.remove();
            self.unlink(id.0);
            let slot = &mut self.slots[id.0 as usize];
            slot.used = false;
            self.owned[slot.owner as usize] -= 1;
            slot.next = self.free;
            self.free = id.0;
        }
    }

    /// Removes at most `most` entries that have expired.
    pub(crate) fn expire(&mut self, now: Instant, most: usize) {
        let mut left = most;
        for class in 0..self.classes.len() {
            while left > 0 {
                let oldest = self.classes[class].oldest;
                if oldest == NONE || self.deadline(oldest) > now {
                    break;
                }
                self.remove(Id(oldest));
                left -= 1;
            }
        }
    }

    /// When the next entry expires.
    pub(crate) fn next_timeout(&self) -> Instant {
        let oldest = self.classes.iter().map(|c| c.oldest).filter(|id| *id != NONE);
        oldest.map(|id| self.deadline(id)).min().unwrap_or(Instant::NEVER)
    }

    /// Entries with their deadlines, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V, Instant)> {
        self.slots.iter().filter(|s| s.used).map(|s| (&s.key, &s.value, self.deadline_of(s)))
    }

    fn deadline(&self, id: u32) -> Instant {
        self.deadline_of(&self.slots[id as usize])
    }

    fn deadline_of(&self, slot: &Slot<K, V>) -> Instant {
        slot.seen + self.classes[usize::from(slot.class)].timeout + GRANULARITY
    }

    fn append(&mut self, id: u32) {
        let class = &mut self.classes[usize::from(self.slots[id as usize].class)];
        let newest = core::mem::replace(&mut class.newest, id);
        if newest == NONE {
            class.oldest = id;
        } else {
            self.slots[newest as usize].next = id;
            // See `touch`: never older than the one before it.
            let before = self.slots[newest as usize].seen;
            let slot = &mut self.slots[id as usize];
            slot.seen = slot.seen.max(before);
        }
        let slot = &mut self.slots[id as usize];
        (slot.previous, slot.next) = (newest, NONE);
    }

    fn unlink(&mut self, id: u32) {
        let slot = &self.slots[id as usize];
        let (class, previous, next) = (usize::from(slot.class), slot.previous, slot.next);
        if previous == NONE {
            self.classes[class].oldest = next;
        } else {
            self.slots[previous as usize].next = next;
        }
        if next == NONE {
            self.classes[class].newest = previous;
        } else {
            self.slots[next as usize].previous = previous;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn table(most: usize) -> Bounded<u16, u32> {
        Bounded::new(most, 6, &[Duration::from_secs(10), Duration::from_secs(100)], Keyed::new([1; 16]))
    }

    #[test]
    fn a_full_table_takes_nothing_until_something_expires() {
        let mut t = table(2);
        assert!(t.insert(at(0), 0, 0, 1, 0).is_ok() && t.insert(at(1), 1, 0, 2, 0).is_ok());
        assert_eq!(t.insert(at(10_999), 0, 0, 3, 0), Err(Full::Table));
        assert!(t.insert(at(11_000), 0, 0, 3, 0).is_ok());
        assert!(t.find(at(11_000), &1).is_none() && t.find(at(11_000), &2).is_some());
        assert_eq!(t.len(), 2);
    }

    #[test]
    fn no_owner_has_more_than_its_share() {
        let mut t = table(20);
        for key in 0..6 {
            assert!(t.insert(at(0), 0, "one", key, 0).is_ok());
        }
        assert_eq!(t.insert(at(0), 0, "one", 6, 0), Err(Full::Share));
        assert!(t.insert(at(0), 0, "another", 6, 0).is_ok());
        let id = t.find(at(0), &3).unwrap();
        t.remove(id);
        assert!(t.insert(at(0), 0, "one", 7, 0).is_ok());
        assert_eq!(t.insert(at(0), 0, "one", 8, 0), Err(Full::Share));
        assert!(t.insert(at(11_000), 0, "one", 8, 0).is_ok());
    }

    #[test]
    fn use_prolongs_and_a_class_decides_for_how_long() {
        let mut t = table(4);
        let id = t.insert(at(0), 0, 0, 1, 0).unwrap();
        t.touch(at(9_000), id, 0);
        assert!(t.find(at(19_999), &1).is_some());
        t.touch(at(19_999), id, 1);
        assert_eq!(t.next_timeout(), at(19_999 + 101_000));
        assert!(t.find(at(120_998), &1).is_some());
        assert!(t.find(at(120_999), &1).is_none());
        assert_eq!((t.len(), t.next_timeout()), (0, Instant::NEVER));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u16, u8),
        Touch(u16, u8),
        Remove(u16),
        Wait(u64),
        Expire,
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = 0_u16..12;
        prop_oneof![
            (key.clone(), 0_u8..2).prop_map(|(k, c)| Step::Insert(k, c)),
            (key.clone(), 0_u8..2).prop_map(|(k, c)| Step::Touch(k, c)),
            key.prop_map(Step::Remove),
            (0_u64..20_000).prop_map(Step::Wait),
            Just(Step::Expire),
        ]
    }

    proptest! {
        /// The model: keys with the time and class of their last use, exact to the granularity.
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec(step(), 1..200)) {
            const MOST: usize = 8;
            let mut t = table(MOST);
            let mut model: BTreeMap<u16, (u64, u8)> = BTreeMap::new();
            let mut now = 0;
            let lifetime = |class: u8| if class == 0 { 11_000 } else { 101_000 };
            for step in steps {
                match step {
                    Step::Insert(key, class) => {
                        if t.find(at(now), &key).is_none() {
                            model.retain(|_, (seen, class)| *seen + lifetime(*class) > now);
                            let owned = model.keys().filter(|other| **other % 2 == key % 2).count();
                            let expected = match () {
                                () if owned >= 6 => Err(Full::Share),
                                () if model.len() >= MOST => Err(Full::Table),
                                () => Ok(()),
                            };
                            prop_assert_eq!(t.insert(at(now), class, key % 2, key, 0).map(|_| ()), expected);
                            if expected.is_ok() {
                                model.insert(key, (now, class));
                            }
                        }
                    }
                    Step::Touch(key, class) => {
                        if let Some(id) = t.find(at(now), &key) {
                            t.touch(at(now), id, class);
                            let entry = model.get_mut(&key).unwrap();
                            if entry.1 != class || now - entry.0 >= 1_000 {
                                *entry = (now, class);
                            }
                        }
                    }
                    Step::Remove(key) => {
                        if let Some(id) = t.find(at(now), &key) {
                            t.remove(id);
                            model.remove(&key);
                        }
                    }
                    Step::Wait(millis) => now += millis,
                    Step::Expire => {
                        t.expire(at(now), usize::MAX);
                        model.retain(|_, (seen, class)| *seen + lifetime(*class) > now);
                        prop_assert_eq!(t.len(), model.len());
                        let next = model.values().map(|(seen, class)| at(*seen + lifetime(*class))).min();
                        prop_assert_eq!(t.next_timeout(), next.unwrap_or(Instant::NEVER));
                    }
                }
                for key in 0..12 {
                    let expected = model.get(&key).is_some_and(|(seen, class)| *seen + lifetime(*class) > now);
                    prop_assert_eq!(t.find(at(now), &key).is_some(), expected, "{}", key);
                }
            }
        }
    }
}
