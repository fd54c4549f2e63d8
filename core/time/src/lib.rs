//! Time as a value: protocol cores are told what time it is and answer when they want to be called again.
//!
//! [`Instant`] counts nanoseconds of a monotonic clock from an arbitrary start. Nothing here reads a clock.
//! Wall-clock time (certificates, logs) is a different thing and is passed separately where it is needed.
#![no_std]
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::{Add, Sub};
pub use core::time::Duration;

/// A point of a monotonic clock, in nanoseconds since an arbitrary start. Wraps after 584 years, so never.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);
    /// Later than every other instant: a deadline that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the start of the clock.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant `millis` milliseconds after the start of the clock.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The instant `secs` seconds after the start of the clock.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the start of the clock.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    /// Saturates at [`Instant::NEVER`].
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    /// Saturates at the start of the clock.
    fn sub(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return f.write_str("never");
        }
        write!(f, "{}.{:03}s", self.0 / 1_000_000_000, self.0 / 1_000_000 % 1_000)
    }
}

/// Tokens that refill with time: `rate` a second up to `burst`. For rate limits of errors, solicitations and log lines.
///
/// Counts in units of 1/1,000,000,000 token, so that any rate up to a million a second is exact.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    rate: u32,
    burst: u32,
    level: u64,
    last: Instant,
}

impl TokenBucket {
    const ONE: u64 = 1_000_000_000;

    /// A full bucket that refills `rate` tokens a second and holds `burst`.
    #[must_use]
    pub const fn new(rate: u32, burst: u32) -> Self {
        Self { rate, burst, level: burst as u64 * Self::ONE, last: Instant::ZERO }
    }

    /// Takes one token; false when there is none left.
    pub fn take(&mut self, now: Instant) -> bool {
        let elapsed = u64::try_from(now.since(self.last).as_nanos()).unwrap_or(u64::MAX);
        self.last = self.last.max(now);
        let refill = elapsed.saturating_mul(u64::from(self.rate));
        self.level = self.level.saturating_add(refill).min(u64::from(self.burst) * Self::ONE);
        if self.level < Self::ONE {
            return false;
        }
        self.level -= Self::ONE;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_gives_its_burst_then_its_rate() {
        let mut bucket = TokenBucket::new(10, 3);
        let t0 = Instant::from_secs(5);
        assert_eq!((0..5).filter(|_| bucket.take(t0)).count(), 3);
        assert!(!bucket.take(t0 + Duration::from_millis(99)));
        assert!(bucket.take(t0 + Duration::from_millis(100)));
        assert!(!bucket.take(t0 + Duration::from_millis(100)));
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Instant::NEVER + Duration::from_secs(1), Instant::NEVER);
        assert_eq!(Instant::ZERO - Duration::from_secs(1), Instant::ZERO);
        assert_eq!(Instant::ZERO.since(Instant::from_secs(1)), Duration::ZERO);
    }
}
