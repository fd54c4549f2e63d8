//! The longest-prefix-match table.
//!
//! Prefixes are few (hosts have a hash of their own), and of few lengths: one sorted list for each length in use,
//! longest first, and a binary search in each.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use sixgate_wire::addr::Ipv6Prefix;

/// Values by prefix; the longest prefix that contains an address answers for it.
#[derive(Clone, Debug)]
pub struct PrefixTable<T> {
    /// Longest first.
    levels: Vec<Level<T>>,
}

impl<T> Default for PrefixTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Debug)]
struct Level<T> {
    length: u8,
    mask: u128,
    /// Sorted by address.
    entries: Vec<(u128, T)>,
}

impl<T> PrefixTable<T> {
    /// An empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// Sets the value of `prefix`; the value it had before, if any, is given back.
    pub fn insert(&mut self, prefix: Ipv6Prefix, value: T) -> Option<T> {
        let length = prefix.length();
        let position = self.levels.partition_point(|level| level.length > length);
        if self.levels.get(position).is_none_or(|level| level.length != length) {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            self.levels.insert(position, Level { length, mask, entries: Vec::new() });
        }
        let entries = &mut self.levels[position].entries;
        let key = prefix.address().to_bits();
        match entries.binary_search_by_key(&key, |(bits, _)| *bits) {
            Ok(at) => Some(core::mem::replace(&mut entries[at].1, value)),
            Err(at) => {
                entries.insert(at, (key, value));
                None
            }
        }
    }

    /// The value of the longest prefix that contains `address`.
    #[must_use]
    pub fn longest(&self, address: Ipv6Addr) -> Option<&T> {
        let bits = address.to_bits();
        self.levels.iter().find_map(|level| {
            let key = bits & level.mask;
            let at = level.entries.binary_search_by_key(&key, |(bits, _)| *bits).ok()?;
            Some(&level.entries[at].1)
        })
    }

    /// How many prefixes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.levels.iter().map(|level| level.entries.len()).sum()
    }

    /// True when there is no prefix.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Prefixes and values, longest prefix first, then by address.
    pub fn iter(&self) -> impl Iterator<Item = (Ipv6Prefix, &T)> {
        self.levels.iter().flat_map(|level| {
            level.entries.iter().map(|(bits, value)| {
                (Ipv6Prefix::containing(Ipv6Addr::from_bits(*bits), level.length), value)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_prefix_wins_whatever_the_order_of_insertion() {
        let mut table = PrefixTable::new();
        for (text, value) in
            [("fd00::/8", 1), ("::/0", 0), ("fd00:1::/64", 3), ("fd00:1::/32", 2), ("fd00:1::9/128", 4)]
        {
            assert_eq!(table.insert(text.parse().unwrap(), value), None);
        }
        let of = |text: &str| *table.longest(text.parse().unwrap()).unwrap();
        assert_eq!(
            (of("fd00:1::9"), of("fd00:1::8"), of("fd00:1:0:1::"), of("fdff::"), of("2001:db8::1")),
            (4, 3, 2, 1, 0)
        );
        assert_eq!(table.insert("fd00::/8".parse().unwrap(), 7), Some(1));
        assert_eq!((table.len(), table.iter().next().unwrap().0.length()), (5, 128));
    }

    /// Addresses that share many leading bits, so that prefixes overlap.
    fn address() -> impl Strategy<Value = u128> {
        (any::<u128>(), 0_u32..=128).prop_map(|(noise, keep)| {
            let base = 0xfd6a_7e00_cafe_0001_0000_0000_0000_0000_u128;
            let mask = u128::MAX.checked_shl(128 - keep).unwrap_or(0);
            base & mask | noise & !mask
        })
    }

    proptest! {
        #[test]
        fn agrees_with_a_naive_search(
            prefixes in prop::collection::vec((address(), 0_u8..=128), 0..40),
            questions in prop::collection::vec(address(), 1..40),
        ) {
            let mut table = PrefixTable::new();
            let mut naive: Vec<(Ipv6Prefix, usize)> = Vec::new();
            for (value, (bits, length)) in prefixes.iter().enumerate() {
                let prefix = Ipv6Prefix::containing(Ipv6Addr::from_bits(*bits), *length);
                naive.retain(|(other, _)| *other != prefix);
                naive.push((prefix, value));
                table.insert(prefix, value);
            }
            prop_assert_eq!(table.len(), naive.len());
            for bits in questions.iter().chain(prefixes.iter().map(|(bits, _)| bits)) {
                let address = Ipv6Addr::from_bits(*bits);
                let expected =
                    naive.iter().filter(|(p, _)| p.contains(address)).max_by_key(|(p, _)| p.length()).map(|(_, v)| v);
                prop_assert_eq!(table.longest(address), expected);
            }
        }
    }
}
