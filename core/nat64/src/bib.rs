//! The binding information base (RFC 6146, section 3.1): which inside transport address is which outside one.

use crate::endpoint::{Inside, Outside, Proto};
use crate::keyed::Key;
use crate::table::{Linked, Links, Table};

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
    pub(crate) links: Links<2>,
}

impl Binding {
    fn hashes(&self, key: Key) -> [u64; 2] {
        [hash_inside(key, self.proto, self.inside), hash_outside(key, self.proto, self.outside)]
    }
}

impl Linked<2> for Binding {
    fn links(&self) -> &Links<2> {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links<2> {
        &mut self.links
    }
}

/// Bindings, found from either side.
pub(crate) struct Bib {
    table: Table<Binding, 2>,
    key: Key,
}

const INSIDE: usize = 0;
const OUTSIDE: usize = 1;

impl Bib {
    /// A base that does not allocate below `capacity` bindings.
    pub(crate) fn new(capacity: usize, key: Key) -> Self {
        Self { table: Table::with_capacity(capacity), key }
    }

    /// Makes room for so many.
    pub(crate) fn reserve(&mut self, capacity: usize) {
        let key = self.key;
        self.table.reserve(capacity, |binding| binding.hashes(key));
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Binding> {
        self.table.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Binding> {
        self.table.get_mut(id)
    }

    pub(crate) fn by_inside(&self, proto: Proto, inside: Inside) -> Option<u32> {
        let same = |b: &Binding| b.proto == proto && b.inside == inside;
        self.table.find(INSIDE, hash_inside(self.key, proto, inside), same)
    }

    pub(crate) fn by_outside(&self, proto: Proto, outside: Outside) -> Option<u32> {
        let same = |b: &Binding| b.proto == proto && b.outside == outside;
        self.table.find(OUTSIDE, hash_outside(self.key, proto, outside), same)
    }

    /// Adds a binding; `None` when either end is bound already.
    pub(crate) fn insert(&mut self, binding: Binding) -> Option<u32> {
        if self.by_inside(binding.proto, binding.inside).is_some()
            || self.by_outside(binding.proto, binding.outside).is_some()
        {
            return None;
        }
        Some(self.table.insert(binding, binding.hashes(self.key)))
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<Binding> {
        let hashes = self.get(id)?.hashes(self.key);
        self.table.remove(id, hashes)
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// See [`Table::slice`].
    pub(crate) fn slice(
        &self,
        start: usize,
        most: usize,
    ) -> (impl Iterator<Item = (u32, &Binding)>, Option<usize>) {
        self.table.slice(start, most)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Binding)> {
        self.table.iter()
    }
}

fn hash_inside(key: Key, proto: Proto, inside: Inside) -> u64 {
    let address = inside.address.to_bits();
    let tail = u64::from(inside.port) << 8 | proto as u64;
    key.words([address as u64, (address >> 64) as u64], tail, 3)
}

fn hash_outside(key: Key, proto: Proto, outside: Outside) -> u64 {
    let tail = u64::from(outside.address.to_bits()) << 24 | u64::from(outside.port) << 8 | proto as u64;
    key.words([], tail, 7)
}

#[cfg(test)]
mod tests {
    use core::net::Ipv6Addr;

    use super::*;

    fn binding(port: u16) -> Binding {
        Binding {
            proto: Proto::Udp,
            inside: Inside { address: Ipv6Addr::LOCALHOST, port },
            outside: Outside { address: [192, 0, 2, 2].into(), port: port + 1 },
            sessions: 0,
            fixed: false,
            prefix: 0,
            links: [0; 2],
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
