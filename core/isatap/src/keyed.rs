//! A hash that peers cannot predict: they choose the addresses that we hash.

use core::hash::BuildHasher;

use siphasher::sip::SipHasher13;

/// Builds hashers from a seed.
#[derive(Clone, Copy)]
pub(crate) struct Keyed(u64, u64);

impl Keyed {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        let half = |at: usize| {
            let mut octets = [0; 8];
            octets.copy_from_slice(&seed[at..at + 8]);
            u64::from_le_bytes(octets)
        };
        Self(half(0), half(8))
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}
