//! Marks on numbers from zero, and the search for one that has none.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

const WORD: u32 = 64;

#[derive(Clone)]
pub(super) struct Bits {
    words: Vec<u64>,
    len: u32,
    clear: u32,
}

impl Bits {
    /// No marks on the numbers below `len`.
    pub(super) fn new(len: u32) -> Self {
        Self { words: vec![0; len.div_ceil(WORD) as usize], len, clear: len }
    }

    /// Numbers without a mark.
    pub(super) const fn clear(&self) -> u32 {
        self.clear
    }

    /// Sets or takes away a mark; false when there is nothing to change.
    pub(super) fn mark(&mut self, n: u32, mark: bool) -> bool {
        let Some(word) = self.words.get_mut((n / WORD) as usize).filter(|_| n < self.len) else {
            return false;
        };
        let bit = 1 << (n % WORD);
        if (*word & bit != 0) == mark {
            return false;
        }
        *word ^= bit;
        self.clear = if mark { self.clear - 1 } else { self.clear + 1 };
        true
    }

    /// A number among these without a mark, searched upwards from `start` and around.
    pub(super) fn find(&self, among: &Range<u32>, start: u32) -> Option<u32> {
        if self.clear == 0 {
            return None;
        }
        self.first(start.max(among.start)..among.end)
            .or_else(|| self.first(among.start..start.min(among.end)))
    }

    fn first(&self, among: Range<u32>) -> Option<u32> {
        let mut at = among.start;
        while at < among.end.min(self.len) {
            let clear = !self.words.get((at / WORD) as usize)? & (u64::MAX << (at % WORD));
            if clear != 0 {
                let n = at / WORD * WORD + clear.trailing_zeros();
                return (n < among.end.min(self.len)).then_some(n);
            }
            at = (at / WORD + 1) * WORD;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_goes_around_and_ends_at_the_last_one() {
        let mut bits = Bits::new(130);
        assert_eq!(bits.find(&(0..130), 129), Some(129));
        assert!(bits.mark(129, true) && !bits.mark(129, true) && !bits.mark(130, true));
        assert_eq!(bits.find(&(0..130), 129), Some(0));
        assert_eq!(bits.find(&(129..130), 129), None);
        for n in 0..130 {
            bits.mark(n, true);
        }
        assert_eq!((bits.clear(), bits.find(&(0..130), 5)), (0, None));
        assert!(bits.mark(64, false));
        assert_eq!((bits.clear(), bits.find(&(0..130), 100)), (1, Some(64)));
        assert_eq!(bits.find(&(65..130), 100), None);
    }
}
