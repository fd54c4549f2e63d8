//! When to try again: half a second, doubling, spread over the whole interval, at most a minute; at once when the network
//! changed.

use sixgate_time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(60);

/// Attempts at one thing.
#[derive(Clone, Debug)]
pub struct Backoff {
    failures: u32,
    next: Instant,
    state: u64,
}

impl Backoff {
    /// Due at once. The seed spreads many clients that lost the same gateway.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { failures: 0, next: Instant::ZERO, state: seed }
    }

    /// When the next attempt is due.
    #[must_use]
    pub const fn next_attempt(&self) -> Instant {
        self.next
    }

    /// Attempts that failed since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// The attempt failed. Gives when the next is due: full jitter, so that it is anywhere between now and the bound.
    pub fn failed(&mut self, now: Instant) -> Instant {
        let bound = FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(CAP);
        self.failures = self.failures.saturating_add(1);
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        // The bound is below 2^36 ns, so the product's high half is below the bound and even enough.
        let share = (u128::from(self.random()) * u128::from(nanos)) >> 64;
        self.next = now + Duration::from_nanos(u64::try_from(share).unwrap_or(nanos));
        self.next
    }

    /// The attempt succeeded: the next failure starts from the beginning.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Another network, another chance: due at once.
    pub fn network_changed(&mut self, now: Instant) {
        self.failures = 0;
        self.next = now;
    }

    /// SplitMix64: chance for spreading, not for secrets.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_attempt_is_due_at_once_and_a_new_network_is_too() {
        let mut backoff = Backoff::new(7);
        assert_eq!(backoff.next_attempt(), Instant::ZERO);
        let now = Instant::from_secs(100);
        for _ in 0..20 {
            backoff.failed(now);
        }
        backoff.network_changed(now);
        assert_eq!((backoff.next_attempt(), backoff.failures()), (now, 0));
    }

    proptest! {
        #[test]
        fn delays_stay_below_their_bound_and_reach_its_upper_half(seed: u64) {
            let mut backoff = Backoff::new(seed);
            let now = Instant::from_secs(100);
            let mut highest = Duration::ZERO;
            for n in 0..70_u32 {
                let bound = Duration::from_millis(500).saturating_mul(2_u32.saturating_pow(n)).min(CAP);
                let delay = backoff.failed(now).since(now);
                prop_assert!(delay <= bound);
                if n >= 7 {
                    highest = highest.max(delay);
                }
            }
            prop_assert!(highest > CAP / 2);
        }
    }
}
