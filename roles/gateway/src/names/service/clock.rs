//! The clock of the service, as the cores count time.

use std::time::Instant as Std;

use sixgate_time::Instant;

/// Counts from the start of the service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Std);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Std::now())
    }

    pub(super) fn now(self) -> Instant {
        Instant::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// For sleeping until then.
    pub(super) fn at(self, then: Instant) -> tokio::time::Instant {
        (self.0 + std::time::Duration::from_nanos(then.as_nanos())).into()
    }
}
