//! The binding information base (RFC 6146, section 3.1): which inside transport address is which outside one.

use core::net::Ipv6Addr;

use hashbrown::HashTable;

use crate::endpoint::{Inside, Outside, Proto};
use crate::keyed::Key;
use crate::slab::Slab;

/// One binding. It lives as long as a session uses it, or for ever if it is static.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub(crate) proto: Proto,
    pub(crate) inside: Inside,
    pub(crate) outside: Outside,
    /// Sessions that use it.
    pub(crate) sessions: u32,
    /// Made by configuration.
    pub(crate) fixed: bool,
    /// The prefix that the inside used last: where a new peer is put.
    pub(crate) prefix: u8,
}

/// Bindings, found from either side.
pub(crate) struct Bib {
    slots: Slab<Binding>,
    by_inside: HashTable<u32>,
    by_outside: HashTable<u32>,
    key: Key,
}

impl Bib {
    /// A base that does not allocate below `capacity` bindings.
    pub(crate) fn new(capacity: usize, key: Key) -> Self {
        Self {
            slots: Slab::with_capacity(capacity),
            by_inside: HashTable::with_capacity(capacity),
            by_outside: HashTable::with_capacity(capacity),
            key,
        }
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Binding> {
        self.slots.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Binding> {
        self.slots.get_mut(id)
    }

    pub(crate) fn by_inside(&self, proto: Proto, inside: Inside) -> Option<u32> {
        let same = |id: &u32| self.slots.get(*id).is_some_and(|b| b.proto == proto && b.inside == inside);
        self.by_inside.find(hash_inside(self.key, proto, inside), same).copied()
    }

    pub(crate) fn by_outside(&self, proto: Proto, outside: Outside) -> Option<u32> {
        let same = |id: &u32| self.slots.get(*id).is_some_and(|b| b.proto == proto && b.outside == outside);
        self.by_outside.find(hash_outside(self.key, proto, outside), same).copied()
    }

    /// Adds a binding; `None` when either end is bound already.
    pub(crate) fn insert(&mut self, binding: Binding) -> Option<u32> {
        if self.by_inside(binding.proto, binding.inside).is_some()
            || self.by_outside(binding.proto, binding.outside).is_some()
        {
            return None;
        }
        let key = self.key;
        let inside = hash_inside(key, binding.proto, binding.inside);
        let outside = hash_outside(key, binding.proto, binding.outside);
        let id = self.slots.insert(binding);
        let slots = &self.slots;
        // Numbers in the tables always name a slot; zero only spreads badly.
        self.by_inside.insert_unique(inside, id, |id| {
            slots.get(*id).map_or(0, |b| hash_inside(key, b.proto, b.inside))
        });
        self.by_outside.insert_unique(outside, id, |id| {
            slots.get(*id).map_or(0, |b| hash_outside(key, b.proto, b.outside))
        });
        Some(id)
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<Binding> {
        let binding = self.slots.remove(id)?;
        let inside = hash_inside(self.key, binding.proto, binding.inside);
        let outside = hash_outside(self.key, binding.proto, binding.outside);
        for (table, hash) in [(&mut self.by_inside, inside), (&mut self.by_outside, outside)] {
            if let Ok(entry) = table.find_entry(hash, |other| *other == id) {
                entry.remove();
            }
        }
        Some(binding)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Binding)> {
        self.slots.iter()
    }
}

fn hash_inside(key: Key, proto: Proto, inside: Inside) -> u64 {
    let mut octets = [0; 19];
    octets[0] = proto as u8;
    octets[1..17].copy_from_slice(&Ipv6Addr::octets(&inside.address));
    octets[17..].copy_from_slice(&inside.port.to_be_bytes());
    key.hash(&octets)
}

fn hash_outside(key: Key, proto: Proto, outside: Outside) -> u64 {
    let [a, b, c, d] = outside.address.octets();
    let [e, f] = outside.port.to_be_bytes();
    key.hash(&[proto as u8, a, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(port: u16) -> Binding {
        Binding {
            proto: Proto::Udp,
            inside: Inside { address: Ipv6Addr::LOCALHOST, port },
            outside: Outside { address: [192, 0, 2, 2].into(), port: port + 1 },
            sessions: 0,
            fixed: false,
            prefix: 0,
        }
    }

    #[test]
    fn a_binding_is_found_from_both_sides_until_it_is_gone() {
        let mut bib = Bib::new(2, Key::derive(&[1; 32], 0));
        let ids: [u32; 50] = core::array::from_fn(|i| bib.insert(binding(i as u16 * 2)).unwrap());
        for (i, id) in ids.into_iter().enumerate() {
            let b = binding(i as u16 * 2);
            assert_eq!(bib.by_inside(Proto::Udp, b.inside), Some(id));
            assert_eq!(bib.by_outside(Proto::Udp, b.outside), Some(id));
            assert_eq!(bib.by_inside(Proto::Tcp, b.inside), None);
            assert!(bib.insert(b).is_none());
        }
        assert!(bib.remove(ids[7]).is_some());
        assert_eq!(bib.by_inside(Proto::Udp, binding(14).inside), None);
        assert_eq!(bib.by_outside(Proto::Udp, binding(14).outside), None);
        assert!(bib.insert(binding(14)).is_some());
    }
}
