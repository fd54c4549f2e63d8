//! Points of time in four octets: tenths of a second, for 13 years.

use core::time::Duration;

use sixgate_time::Instant;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Ticks(u32);

const NANOS: u64 = 100_000_000;
const IN_A_SECOND: u32 = 10;

impl Ticks {
    pub(crate) fn of(now: Instant) -> Self {
        Self(u32::try_from(now.as_nanos() / NANOS).unwrap_or(u32::MAX))
    }

    /// Whole seconds since `earlier`; zero when it lies ahead.
    pub(crate) fn seconds_since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0) / IN_A_SECOND
    }

    pub(crate) fn after(self, time: Duration) -> Self {
        let tenths = u32::try_from(time.as_millis() / 100).unwrap_or(u32::MAX);
        Self(self.0.saturating_add(tenths))
    }
}
