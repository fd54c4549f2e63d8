//! Identifications of IPv4 packets that we make, fresh for each (RFC 7915, section 5.1; RFC 6864).

use core::net::Ipv4Addr;

use crate::keyed::Key;

/// As many as the upper octet of a product has values.
const COUNTERS: usize = 256;

/// Counters shared by few destinations each, so that no receiver can count what goes to the others.
pub(crate) struct Identifications {
    counters: [u16; COUNTERS],
    /// Spreads destinations; odd.
    mix: u32,
}

impl Identifications {
    pub(crate) fn new(key: Key) -> Self {
        let counters = core::array::from_fn(|n| key.hash(&n.to_le_bytes()) as u16);
        Self { counters, mix: key.hash(&[]) as u32 | 1 }
    }

    /// The identification of the first of `packets` packets to `dst`.
    pub(crate) fn take(&mut self, dst: Ipv4Addr, packets: u16) -> u16 {
        let counter = &mut self.counters[dst.to_bits().wrapping_mul(self.mix) as usize >> 24];
        let first = *counter;
        *counter = counter.wrapping_add(packets);
        first
    }
}
