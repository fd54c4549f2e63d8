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

impl Key {
    /// The keyed hash of `words` and the `length` low octets of `tail`, at most seven, in the order of their value: what
    /// [`Key::hash`] gives for the same octets, without a buffer to put them in. For what every packet needs.
    #[inline]
    pub(crate) fn words<const N: usize>(self, words: [u64; N], tail: u64, length: u64) -> u64 {
        let mut v = [
            self.0 ^ 0x736f_6d65_7073_6575,
            self.1 ^ 0x646f_7261_6e64_6f6d,
            self.0 ^ 0x6c79_6765_6e65_7261,
            self.1 ^ 0x7465_6462_7974_6573,
        ];
        let last = (N as u64 * 8 + length) << 56 | tail;
        for word in words.into_iter().chain([last]) {
            v[3] ^= word;
            round(&mut v);
            v[0] ^= word;
        }
        v[2] ^= 0xff;
        for _ in 0..3 {
            round(&mut v);
        }
        v[0] ^ v[1] ^ v[2] ^ v[3]
    }
}

#[inline]
const fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[1]);
    v[0] = v[0].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
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
    fn words_hash_as_the_octets_that_they_are() {
        let key = Key::derive(&[9; 32], 4);
        let octets: [u8; 31] = core::array::from_fn(|n| (n as u8).wrapping_mul(37));
        let word = |n: usize| u64::from_le_bytes(octets[n * 8..n * 8 + 8].try_into().unwrap());
        let tail = |from: usize, to: usize| {
            let mut tail = [0; 8];
            tail[..to - from].copy_from_slice(&octets[from..to]);
            u64::from_le_bytes(tail)
        };
        assert_eq!(key.words([word(0), word(1), word(2)], tail(24, 31), 7), key.hash(&octets));
        assert_eq!(key.words([word(0), word(1), word(2)], tail(24, 25), 1), key.hash(&octets[..25]));
        assert_eq!(key.words([word(0)], tail(8, 13), 5), key.hash(&octets[..13]));
        assert_eq!(key.words([], tail(0, 7), 7), key.hash(&octets[..7]));
    }

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
