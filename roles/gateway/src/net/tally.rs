//! What was refused: a counter for each reason, and one line in the log when a reason first strikes.

use std::fmt;

use sixgate_reason::{Counters, Reason};
use sixgate_time::{Duration, Instant};

/// A reason that goes on striking is logged again after this long, so that a log shows whether a fault is still there.
const AGAIN: Duration = Duration::from_secs(600);

/// Counters of one worker and when each reason was last logged.
pub(crate) struct Tally {
    counters: Counters,
    said: Said,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { counters: Counters::default(), said: Said::new() }
    }

    /// Counts `reason`; `what` is written to the log when the reason strikes for the first time, and then rarely.
    pub(crate) fn count(&mut self, now: Instant, reason: Reason, what: impl fmt::Display) {
        self.counters.count(reason);
        self.said.say(now, reason, what);
    }

    /// The counts so far.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// When each reason was last logged.
pub(crate) struct Said(Box<[Option<Instant>]>);

impl Said {
    pub(crate) fn new() -> Self {
        Self(vec![None; usize::from(Reason::LIMIT)].into_boxed_slice())
    }

    /// Writes `reason` and `what` to the log when the reason strikes for the first time, and then rarely.
    pub(crate) fn say(&mut self, now: Instant, reason: Reason, what: impl fmt::Display) {
        let last = &mut self.0[usize::from(reason.number())];
        if last.is_none_or(|last| now.since(last) >= AGAIN) {
            *last = Some(now);
            tracing::info!(code = reason.code(), "refused: {}: {what}", reason.text());
        }
    }
}
