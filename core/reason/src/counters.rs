//! One counter for each reason, in a plain array: no lock, no hash, no allocation.

use core::fmt;

use crate::{Entry, Reason};

/// Counts by reason. One per worker; sums are made where they are read.
#[derive(Clone)]
pub struct Counters([u64; Reason::LIMIT as usize]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; Reason::LIMIT as usize])
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.nonzero().map(|(entry, n)| (entry.code, n))).finish()
    }
}

impl Counters {
    /// Adds one.
    pub fn count(&mut self, reason: Reason) {
        self.add(reason, 1);
    }

    /// Adds `n`.
    pub fn add(&mut self, reason: Reason, n: u64) {
        let slot = &mut self.0[usize::from(reason.number())];
        *slot = slot.wrapping_add(n);
    }

    /// How often `reason` was counted.
    #[must_use]
    pub fn of(&self, reason: Reason) -> u64 {
        self.0[usize::from(reason.number())]
    }

    /// Adds all counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0.iter()) {
            *mine = mine.wrapping_add(*theirs);
        }
    }

    /// The reasons that were counted at least once.
    pub fn nonzero(&self) -> impl Iterator<Item = (&'static Entry, u64)> + '_ {
        Reason::all().map(|e| (e, self.of(e.reason))).filter(|(_, n)| *n != 0)
    }
}
