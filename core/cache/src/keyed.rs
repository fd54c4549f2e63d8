//! The keyed hash: askers choose what is hashed, so the key is ours and secret.

use core::hash::{BuildHasher, Hasher};

use siphasher::sip::SipHasher13;

/// A key of SipHash-1-3.
#[derive(Clone, Copy)]
pub(crate) struct Keyed(u64, u64);

impl Keyed {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        let key = u128::from_le_bytes(seed);
        // The two halves of the key.
        Self(key as u64, (key >> 64) as u64)
    }

    pub(crate) fn hash(self, octets: &[u8]) -> u64 {
        let mut hasher = self.build_hasher();
        hasher.write(octets);
        hasher.finish()
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}
