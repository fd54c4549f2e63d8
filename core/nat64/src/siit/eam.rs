//! Explicit address mappings (RFC 7757, section 3): a table that is searched from both sides.
//!
//! Addresses of both families are held as 128 bits with the first bit first, so that prefixes of both are compared and
//! suffixes of both moved in one way.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix};

/// One mapping: the addresses of one prefix stand for those of the other, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Eam {
    /// The IPv6 side. Its suffix is at least as long as that of the IPv4 side; what is longer is zero, and not looked at.
    pub v6: Ipv6Prefix,
    /// The IPv4 side.
    pub v4: Ipv4Prefix,
}

impl Eam {
    /// `None` when the IPv4 suffix has more bits than the IPv6 suffix (RFC 7757, section 3.2).
    #[must_use]
    pub const fn new(v6: Ipv6Prefix, v4: Ipv4Prefix) -> Option<Self> {
        if 32 - v4.length() > 128 - v6.length() { None } else { Some(Self { v6, v4 }) }
    }

    /// The IPv6 address that stands for `v4`, which is in [`Eam::v4`] (RFC 7757, section 3.3.1).
    #[must_use]
    pub fn to_v6(&self, v4: Ipv4Addr) -> Ipv6Addr {
        let suffix = shl(high(v4), self.v4.length());
        Ipv6Addr::from_bits(self.v6.address().to_bits() | shr(suffix, self.v6.length()))
    }

    /// The IPv4 address that stands for `v6`, which is in [`Eam::v6`] (RFC 7757, section 3.3.2).
    #[must_use]
    pub fn to_v4(&self, v6: Ipv6Addr) -> Ipv4Addr {
        let suffix = shl(v6.to_bits(), self.v6.length());
        let bits = high(self.v4.address()) | shr(suffix, self.v4.length());
        // Bits that the IPv4 address has no room for are discarded.
        Ipv4Addr::from_bits((bits >> 96) as u32)
    }
}

/// All mappings. At most 2^32 - 1; of two with the same prefix on a side the first is found there.
#[derive(Clone, Default, Debug)]
pub struct EamTable {
    entries: Vec<Eam>,
    by_v4: Index,
    by_v6: Index,
}

impl EamTable {
    /// The table of these mappings. What [`Eam::new`] would refuse must not be among them.
    #[must_use]
    pub fn new(entries: Vec<Eam>) -> Self {
        let by_v4 = Index::of(entries.iter().map(|e| (high(e.v4.address()), e.v4.length())));
        let by_v6 = Index::of(entries.iter().map(|e| (e.v6.address().to_bits(), e.v6.length())));
        Self { entries, by_v4, by_v6 }
    }

    /// The mapping whose IPv4 prefix is the longest with this address in it.
    #[must_use]
    pub fn of_v4(&self, address: Ipv4Addr) -> Option<&Eam> {
        self.entries.get(self.by_v4.longest(high(address))?)
    }

    /// The mapping whose IPv6 prefix is the longest with this address in it.
    #[must_use]
    pub fn of_v6(&self, address: Ipv6Addr) -> Option<&Eam> {
        self.entries.get(self.by_v6.longest(address.to_bits())?)
    }

    /// The mappings in the order in which they were given.
    #[must_use]
    pub fn entries(&self) -> &[Eam] {
        &self.entries
    }
}

/// Prefixes of one side in the order of their addresses. Two prefixes are apart or one lies in the other: so the last one
/// that begins at or before an address has it in it, or one of those around it has.
#[derive(Clone, Default, Debug)]
struct Index(Vec<Place>);

#[derive(Clone, Copy, Debug)]
struct Place {
    begin: u128,
    length: u8,
    /// Number of the mapping.
    entry: u32,
    /// Place in the index of the longest prefix around this one; its own where there is none.
    around: u32,
}

impl Place {
    fn contains(&self, address: u128) -> bool {
        shr(address ^ self.begin, 128 - self.length) == 0
    }
}

impl Index {
    fn of(prefixes: impl Iterator<Item = (u128, u8)>) -> Self {
        let place = |(entry, (begin, length))| Place { begin, length, entry, around: 0 };
        let mut places: Vec<Place> = (0..u32::MAX).zip(prefixes).map(place).collect();
        places.sort_by_key(|p| (p.begin, p.length));
        places.dedup_by_key(|p| (p.begin, p.length));
        // The prefixes that are open at this place, from the widest to the narrowest; never more than 129.
        let mut open: Vec<u32> = Vec::new();
        for n in 0..places.len() {
            let begin = places[n].begin;
            while open.last().is_some_and(|last| !places[*last as usize].contains(begin)) {
                open.pop();
            }
            // At most 2^32 - 1 places.
            let here = n as u32;
            places[n].around = open.last().copied().unwrap_or(here);
            open.push(here);
        }
        Self(places)
    }

    fn longest(&self, address: u128) -> Option<usize> {
        let mut n = self.0.partition_point(|p| p.begin <= address).checked_sub(1)?;
        loop {
            let place = self.0.get(n)?;
            if place.contains(address) {
                return Some(place.entry as usize);
            }
            let around = place.around as usize;
            if around == n {
                return None;
            }
            n = around;
        }
    }
}

/// An IPv4 address in the first 32 bits.
const fn high(address: Ipv4Addr) -> u128 {
    (address.to_bits() as u128) << 96
}

fn shl(bits: u128, by: u8) -> u128 {
    bits.checked_shl(u32::from(by)).unwrap_or(0)
}

fn shr(bits: u128, by: u8) -> u128 {
    bits.checked_shr(u32::from(by)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;

    fn eam(v6: &str, v4: &str) -> Eam {
        Eam::new(v6.parse().unwrap(), v4.parse().unwrap()).unwrap()
    }

    /// RFC 7757, figure 1.
    fn figure_1() -> EamTable {
        EamTable::new(std::vec![
            eam("2001:db8:aaaa::/128", "192.0.2.1/32"),
            eam("2001:db8:bbbb::b/128", "192.0.2.2/32"),
            eam("2001:db8:cccc::/124", "192.0.2.16/28"),
            eam("2001:db8:dddd::/64", "192.0.2.128/26"),
            eam("2001:db8:eeee:8::/62", "192.0.2.192/29"),
            eam("64:ff9b::/127", "192.0.2.224/31"),
        ])
    }

    #[test]
    fn rfc_7757_section_3_2_figure_1() {
        let table = figure_1();
        for (v4, v6) in [
            ("192.0.2.1", "2001:db8:aaaa::"),
            ("192.0.2.2", "2001:db8:bbbb::b"),
            ("192.0.2.16", "2001:db8:cccc::"),
            ("192.0.2.24", "2001:db8:cccc::8"),
            ("192.0.2.31", "2001:db8:cccc::f"),
            ("192.0.2.128", "2001:db8:dddd::"),
            ("192.0.2.129", "2001:db8:dddd:0:400::"),
            ("192.0.2.152", "2001:db8:dddd:0:6000::"),
            ("192.0.2.183", "2001:db8:dddd:0:dc00::"),
            ("192.0.2.191", "2001:db8:dddd:0:fc00::"),
            ("192.0.2.192", "2001:db8:eeee:8::"),
            ("192.0.2.195", "2001:db8:eeee:9:8000::"),
            ("192.0.2.199", "2001:db8:eeee:b:8000::"),
            ("192.0.2.224", "64:ff9b::"),
            ("192.0.2.225", "64:ff9b::1"),
        ] {
            let (v4, v6): (Ipv4Addr, Ipv6Addr) = (v4.parse().unwrap(), v6.parse().unwrap());
            assert_eq!(table.of_v4(v4).unwrap().to_v6(v4), v6, "{v4}");
            assert_eq!(table.of_v6(v6).unwrap().to_v4(v6), v4, "{v6}");
        }
        for none in ["192.0.2.0", "192.0.2.3", "192.0.2.32", "192.0.2.127", "192.0.2.200", "192.0.2.226"] {
            assert_eq!(table.of_v4(none.parse().unwrap()), None, "{none}");
        }
        for none in ["2001:db8:aaaa::1", "2001:db8:cccc::10", "2001:db8:eeee:c::", "64:ff9b::2"] {
            assert_eq!(table.of_v6(none.parse().unwrap()), None, "{none}");
        }
    }

    #[test]
    fn rfc_7757_section_3_3_2_bits_beyond_the_ipv4_suffix_are_discarded() {
        let table = figure_1();
        let v6: Ipv6Addr = "2001:db8:dddd:0:67ff:ffff:ffff:ffff".parse().unwrap();
        assert_eq!(table.of_v6(v6).unwrap().to_v4(v6), Ipv4Addr::new(192, 0, 2, 153));
        let v6: Ipv6Addr = "2001:db8:eeee:b:ffff::1".parse().unwrap();
        assert_eq!(table.of_v6(v6).unwrap().to_v4(v6), Ipv4Addr::new(192, 0, 2, 199));
    }

    #[test]
    fn rfc_7757_section_3_2_an_ipv4_suffix_is_never_longer() {
        let new = |v6: &str, v4: &str| Eam::new(v6.parse().unwrap(), v4.parse().unwrap());
        assert_eq!(new("2001:db8::/121", "192.0.2.0/24"), None);
        assert_eq!(new("2001:db8::/128", "0.0.0.0/0"), None);
        assert!(new("2001:db8::/120", "192.0.2.0/24").is_some());
        assert!(new("::/0", "0.0.0.0/0").is_some());
        let all = new("2001:db8::/96", "0.0.0.0/0").unwrap();
        assert_eq!(all.to_v6(Ipv4Addr::new(192, 0, 2, 1)), "2001:db8::c000:201".parse::<Ipv6Addr>().unwrap());
    }

    #[test]
    fn the_longest_prefix_counts_on_each_side() {
        let table = EamTable::new(std::vec![
            eam("2001:db8:2::/120", "10.0.0.0/24"),
            eam("2001:db8:1::/104", "10.0.0.0/8"),
            eam("2001:db8:3::7/128", "10.0.0.7/32"),
            eam("2001:db8:1::/112", "172.16.0.0/16"),
        ]);
        let to_v6 = |text: &str| {
            let v4: Ipv4Addr = text.parse().unwrap();
            table.of_v4(v4).map(|e| e.to_v6(v4))
        };
        let v6 = |text: &str| Some(text.parse::<Ipv6Addr>().unwrap());
        assert_eq!(to_v6("10.0.0.6"), v6("2001:db8:2::6"));
        assert_eq!(to_v6("10.0.0.7"), v6("2001:db8:3::7"));
        assert_eq!(to_v6("10.0.0.8"), v6("2001:db8:2::8"));
        assert_eq!(to_v6("10.0.1.7"), v6("2001:db8:1::107"));
        assert_eq!(to_v6("10.255.0.1"), v6("2001:db8:1::ff:1"));
        assert_eq!(to_v6("11.0.0.0"), None);
        assert_eq!(to_v6("9.255.255.255"), None);
        let of_v6 = |text: &str| {
            let v6: Ipv6Addr = text.parse().unwrap();
            table.of_v6(v6).map(|e| e.to_v4(v6))
        };
        assert_eq!(of_v6("2001:db8:1::1"), Some(Ipv4Addr::new(172, 16, 0, 1)));
        assert_eq!(of_v6("2001:db8:1::1:1"), Some(Ipv4Addr::new(10, 1, 0, 1)));
    }

    fn entry() -> impl Strategy<Value = Eam> {
        // Few bits, so that prefixes lie in each other.
        (0_u8..=32, any::<u32>(), 0_u8..=128, any::<u128>()).prop_filter_map("suffix", |(l4, a4, l6, a6)| {
            let v4 = Ipv4Prefix::containing(Ipv4Addr::from_bits(a4 & 0xc000_0003), l4);
            let v6 = Ipv6Prefix::containing(Ipv6Addr::from_bits(a6 & (3 << 126 | 0x0f << 32)), l6);
            Eam::new(v6, v4)
        })
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_look_at_all_finds(entries in proptest::collection::vec(entry(), 0..40), a4: u32, a6: u128) {
            let table = EamTable::new(entries.clone());
            for a4 in [a4, a4 & 0xc000_0003] {
                let a4 = Ipv4Addr::from_bits(a4);
                let best = entries.iter().filter(|e| e.v4.contains(a4)).map(|e| e.v4.length()).max();
                prop_assert_eq!(table.of_v4(a4).map(|e| e.v4.length()), best);
                prop_assert!(table.of_v4(a4).is_none_or(|e| e.v4.contains(a4)));
            }
            for a6 in [a6, a6 & (3 << 126 | 0x0f << 32)] {
                let a6 = Ipv6Addr::from_bits(a6);
                let best = entries.iter().filter(|e| e.v6.contains(a6)).map(|e| e.v6.length()).max();
                prop_assert_eq!(table.of_v6(a6).map(|e| e.v6.length()), best);
                prop_assert!(table.of_v6(a6).is_none_or(|e| e.v6.contains(a6)));
            }
        }

        #[test]
        fn there_and_back_is_the_same_address(entry in entry(), bits: u32) {
            let hosts = u32::MAX.checked_shr(u32::from(entry.v4.length())).unwrap_or(0);
            let v4 = Ipv4Addr::from_bits(entry.v4.address().to_bits() | bits & hosts);
            let v6 = entry.to_v6(v4);
            prop_assert!(entry.v6.contains(v6));
            prop_assert_eq!(entry.to_v4(v6), v4);
        }
    }
}
