//! Identifications of IPv4 packets that we make, fresh for each (RFC 7915, section 5.1; RFC 6864).

use core::net::Ipv4Addr;

use crate::keyed::Key;
use crate::share::Share;

/// As many as the upper octet of a product has values.
const COUNTERS: usize = 256;

/// Counters shared by few destinations each, so that no receiver can count what goes to the others.
#[derive(Clone)]
pub(crate) struct Identifications {
    /// Below `span`.
    counters: [u32; COUNTERS],
    /// Spreads destinations; odd.
    mix: u32,
    /// Translators with one pool have stretches of their own, or two of them would send the same one from one address.
    first: u32,
    span: u32,
}

impl Identifications {
    pub(crate) fn new(key: Key, share: Share) -> Self {
        let of = u32::from(share.of.max(1));
        let span = 0x1_0000 / of;
        let counters = core::array::from_fn(|n| key.hash(&n.to_le_bytes()) as u32 % span);
        Self { counters, mix: key.hash(&[]) as u32 | 1, first: u32::from(share.index) % of * span, span }
    }

    /// The identification of the first of `packets` packets to `dst`.
    pub(crate) fn take(&mut self, dst: Ipv4Addr, packets: u16) -> u16 {
        let counter = &mut self.counters[dst.to_bits().wrapping_mul(self.mix) as usize >> 24];
        // Below 65,536, as a stretch and what is in it are.
        let identification = (self.first + *counter) as u16;
        let next = *counter + u32::from(packets);
        *counter = if next < self.span { next } else { next % self.span };
        identification
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::collections::BTreeSet;

    use super::*;

    const DST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

    #[test]
    fn none_comes_twice_before_all_have_come() {
        let mut one = Identifications::new(Key::derive(&[1; 32], 7), Share::default());
        let seen: BTreeSet<u16> = (0..0x1_0000).map(|_| one.take(DST, 1)).collect();
        assert_eq!(seen.len(), 0x1_0000);
    }

    #[test]
    fn translators_with_one_pool_never_send_the_same_one() {
        let mut seen = BTreeSet::new();
        for index in 0..3 {
            let mut one = Identifications::new(Key::derive(&[1; 32], 7), Share::new(index, 3));
            for _ in 0..0x1_0000 / 3 {
                assert!(seen.insert(one.take(DST, 1)), "{index}");
            }
        }
    }
}
