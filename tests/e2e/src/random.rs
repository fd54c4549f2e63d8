//! Chance that can be repeated: every test prints its seed, and `SIXGATE_SEED` gives it again.

use std::io::{Read, Write};

/// A row of numbers (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From `SIXGATE_SEED`, else from the system; what it was is written to standard error.
    ///
    /// # Panics
    /// `SIXGATE_SEED` is no number.
    #[must_use]
    pub fn begin() -> Self {
        let seed = match std::env::var("SIXGATE_SEED") {
            Ok(given) => given.parse().expect("SIXGATE_SEED is a number"),
            Err(_) => {
                let mut bytes = [0; 8];
                let urandom = std::fs::File::open("/dev/urandom");
                urandom.and_then(|mut file| file.read_exact(&mut bytes)).expect("the system has chance");
                u64::from_le_bytes(bytes)
            }
        };
        let _ = std::io::stderr().write_all(format!("SIXGATE_SEED={seed}\n").as_bytes());
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).expect("below a usize")
    }

    /// So many bytes.
    pub fn bytes(&mut self, many: usize) -> Vec<u8> {
        (0..many).map(|_| self.number().to_le_bytes()[0]).collect()
    }

    /// Bytes, at least `least` and less than `end` of them.
    pub fn some(&mut self, least: usize, end: usize) -> Vec<u8> {
        let many = least + self.below(end - least);
        self.bytes(many)
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}
