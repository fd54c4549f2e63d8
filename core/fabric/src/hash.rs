//! The keyed hash: peers choose what is hashed, so the key is ours and secret.

use core::hash::BuildHasher;

use siphasher::sip::SipHasher13;

/// Makes SipHash-1-3 hashers with one key.
#[derive(Clone, Copy)]
pub(crate) struct Keyed(u64, u64);

impl Keyed {
    /// From 16 octets of the seed.
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        let key = u128::from_le_bytes(seed);
        // The two halves of the key.
        Self(key as u64, (key >> 64) as u64)
    }

    /// Both keys that a seed holds, one for each half.
    pub(crate) fn pair(seed: [u8; 32]) -> (Self, Self) {
        let (mut a, mut b) = ([0; 16], [0; 16]);
        a.copy_from_slice(&seed[..16]);
        b.copy_from_slice(&seed[16..]);
        (Self::new(a), Self::new(b))
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_of_the_seed_changes_its_hash() {
        let hashes = |seed| {
            let (a, b) = Keyed::pair(seed);
            (a.hash_one(1_u32), b.hash_one(1_u32))
        };
        let plain = hashes([0; 32]);
        for octet in 0..32 {
            let mut seed = [0; 32];
            seed[octet] = 1;
            let changed = hashes(seed);
            assert_eq!((changed.0 != plain.0, changed.1 != plain.1), (octet < 16, octet >= 16), "{octet}");
        }
    }
}
