//! Slots with numbers that stay, threaded on queues in order of last use.
//!
//! Every timer of the NAT64 is "so long after the last packet", and the length depends only on the kind. So each kind
//! has a queue in which the entry that expires first stands at the head: refreshing is a move to the tail, O(1).

use alloc::vec::Vec;

const NONE: u32 = u32::MAX;

#[derive(Clone)]
struct Slot<T> {
    value: Option<T>,
    before: u32,
    after: u32,
}

/// Values by number. Freed numbers are used again, last freed first.
#[derive(Clone)]
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

/// Both ends of a queue through a slab. A slot may be on one queue at a time.
#[derive(Clone, Copy)]
pub(crate) struct Queue {
    head: u32,
    tail: u32,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self { head: NONE, tail: NONE }
    }

    /// The number at the head: least recently used.
    pub(crate) fn first(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }
}

impl<T> Slab<T> {
    /// A slab whose first `capacity` insertions do not allocate.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { slots: Vec::with_capacity(capacity), free: Vec::with_capacity(capacity) }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        self.slots.get(id as usize)?.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.slots.get_mut(id as usize)?.value.as_mut()
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let slot = Slot { value: Some(value), before: NONE, after: NONE };
        if let Some(id) = self.free.pop() {
            self.slots[id as usize] = slot;
            return id;
        }
        self.slots.push(slot);
        // Tables are bounded far below 2^32.
        (self.slots.len() - 1) as u32
    }

    /// Takes the value out. It must not be on a queue any more.
    pub(crate) fn remove(&mut self, id: u32) -> Option<T> {
        let value = self.slots.get_mut(id as usize)?.value.take()?;
        self.free.push(id);
        Some(value)
    }

    /// Values in order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.slots.iter().enumerate().filter_map(|(id, slot)| Some((id as u32, slot.value.as_ref()?)))
    }

    /// The number behind this one on its queue.
    pub(crate) fn after(&self, id: u32) -> Option<u32> {
        self.slots.get(id as usize).map(|slot| slot.after).filter(|after| *after != NONE)
    }

    pub(crate) fn push_back(&mut self, queue: &mut Queue, id: u32) {
        let last = queue.tail;
        let Some(slot) = self.slots.get_mut(id as usize) else { return };
        slot.before = last;
        slot.after = NONE;
        queue.tail = id;
        match self.slots.get_mut(last as usize) {
            Some(before) => before.after = id,
            None => queue.head = id,
        }
    }

    pub(crate) fn push_front(&mut self, queue: &mut Queue, id: u32) {
        let first = queue.head;
        let Some(slot) = self.slots.get_mut(id as usize) else { return };
        slot.before = NONE;
        slot.after = first;
        queue.head = id;
        match self.slots.get_mut(first as usize) {
            Some(after) => after.before = id,
            None => queue.tail = id,
        }
    }

    /// Takes a slot off the queue that it is on.
    pub(crate) fn unlink(&mut self, queue: &mut Queue, id: u32) {
        let Some(slot) = self.slots.get_mut(id as usize) else { return };
        let (before, after) = (slot.before, slot.after);
        slot.before = NONE;
        slot.after = NONE;
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.after = after,
            None => queue.head = after,
        }
        match self.slots.get_mut(after as usize) {
            Some(slot) => slot.before = before,
            None => queue.tail = before,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_queue_is_a_list_with_removal(steps: Vec<(u8, bool)>) {
            let mut slab = Slab::with_capacity(4);
            let mut queue = Queue::new();
            let mut model: Vec<u32> = Vec::new();
            for (pick, add) in steps {
                if add || model.is_empty() {
                    let id = slab.insert(pick);
                    slab.push_back(&mut queue, id);
                    model.push(id);
                } else {
                    let id = model.remove(usize::from(pick) % model.len());
                    slab.unlink(&mut queue, id);
                    if pick % 2 == 0 {
                        slab.push_back(&mut queue, id);
                        model.push(id);
                    } else {
                        prop_assert!(slab.remove(id).is_some());
                    }
                }
                prop_assert_eq!(queue.first(), model.first().copied());
                prop_assert_eq!(slab.len(), model.len());
            }
            if let Some(id) = model.pop() {
                slab.unlink(&mut queue, id);
                slab.push_front(&mut queue, id);
                model.insert(0, id);
            }
            let mut left = Vec::new();
            while let Some(id) = queue.first() {
                slab.unlink(&mut queue, id);
                left.push(id);
            }
            prop_assert_eq!(left, model);
        }
    }
}
