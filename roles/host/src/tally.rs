//! What was dropped and refused: a counter for each reason, and one line in the log when a reason first strikes.

use std::fmt;

use sixgate_reason::{Counters, Reason};
use sixgate_time::{Duration, Instant};

/// A reason that goes on striking is logged again after this long, so that a log shows whether a fault is still there.
const AGAIN: Duration = Duration::from_secs(600);

/// Counters, and when each reason was last logged.
pub(crate) struct Tally {
    counters: Counters,
    logged: Box<[Option<Instant>]>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let logged = vec![None; usize::from(Reason::LIMIT)].into_boxed_slice();
        Self { counters: Counters::default(), logged }
    }

    /// Counts `reason`; `what` is written to the log when the reason strikes for the first time, and then rarely.
    pub(crate) fn count(&mut self, now: Instant, reason: Reason, what: impl fmt::Display) {
        self.counters.count(reason);
        let logged = &mut self.logged[usize::from(reason.number())];
        if logged.is_none_or(|last| now.since(last) >= AGAIN) {
            *logged = Some(now);
            tracing::info!(code = reason.code(), "refused: {}: {what}", reason.text());
        }
    }

    /// The counts so far.
    pub(crate) const fn counters(&self) -> &Counters {
        &self.counters
    }
}
