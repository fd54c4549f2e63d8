//! Hashes and numbers that nobody outside can predict, all from the one seed.

use core::hash::{BuildHasher, Hasher};

use siphasher::sip::SipHasher13;

/// A key of SipHash-1-3; also the `BuildHasher` of every map whose keys peers choose.
#[derive(Clone, Copy)]
pub(crate) struct Key(u64, u64);

impl Key {
    /// The key for the use `label`: different uses must not share hash values.
    pub(crate) fn derive(seed: &[u8; 32], label: u8) -> Self {
        let half = |from: usize| {
            let mut octets = [0; 8];
            octets.copy_from_slice(&seed[from..from + 8]);
            u64::from_le_bytes(octets)
        };
        let parent = Self(half(0) ^ half(16), half(8) ^ half(24));
        Self(parent.hash(&[label, 0]), parent.hash(&[label, 1]))
    }

    /// The keyed hash of `bytes`.
    pub(crate) fn hash(self, bytes: &[u8]) -> u64 {
        let mut hasher = self.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }
}

impl BuildHasher for Key {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

/// A stream of unpredictable numbers: the keyed hash of a counter.
#[derive(Clone)]
pub(crate) struct Numbers {
    key: Key,
    counter: u64,
}

impl Numbers {
    pub(crate) const fn new(key: Key) -> Self {
        Self { key, counter: 0 }
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        self.key.hash(&self.counter.to_le_bytes())
    }

    /// A number below `limit`; zero when `limit` is zero.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        // The high half of the product: no division, and a bias below 2^-32.
        let high = (u64::from(self.draw() as u32) * u64::from(limit)) >> 32;
        high as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_stream_and_labels_differ() {
        let seed = [7; 32];
        let mut a = Numbers::new(Key::derive(&seed, 1));
        let mut b = Numbers::new(Key::derive(&seed, 1));
        let mut c = Numbers::new(Key::derive(&seed, 2));
        let (x, y, z) = (a.draw(), b.draw(), c.draw());
        assert_eq!(x, y);
        assert_ne!(x, z);
        assert_ne!(x, a.draw());
        assert_eq!(a.below(0), 0);
        assert!((0..100).all(|_| a.below(3) < 3));
    }
}
