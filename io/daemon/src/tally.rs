//! What was refused: a counter for each reason, and one line in the log when a reason first strikes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sixgate_reason::{Counters, Reason};
use sixgate_time::{Duration, Instant};

/// A reason that goes on striking is logged again after this long, so that a log shows whether a fault is still there.
const AGAIN: Duration = Duration::from_secs(600);
/// In place of nanoseconds.
const NEVER: u64 = u64::MAX;

/// Counters of one worker and when each reason was last logged.
#[derive(Debug)]
pub struct Tally {
    counters: Counters,
    said: Said,
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl Tally {
    /// Nothing counted, nothing said.
    #[must_use]
    pub fn new() -> Self {
        Self { counters: Counters::default(), said: Said::new() }
    }

    /// Nothing counted; what others that have `said` wrote to the log is not written again soon.
    #[must_use]
    pub fn beside(said: Said) -> Self {
        Self { counters: Counters::default(), said }
    }

    /// Counts `reason`; `what` is written to the log when the reason strikes for the first time, and then rarely.
    pub fn count(&mut self, now: Instant, reason: Reason, what: impl fmt::Display) {
        self.counters.count(reason);
        self.said.say(now, reason, what);
    }

    /// The counts so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// When each reason was last logged, by all who have a copy of this.
#[derive(Clone, Debug)]
pub struct Said(Arc<[AtomicU64]>);

impl Default for Said {
    fn default() -> Self {
        Self::new()
    }
}

impl Said {
    /// Nothing said.
    #[must_use]
    pub fn new() -> Self {
        Self((0..Reason::LIMIT).map(|_| AtomicU64::new(NEVER)).collect())
    }

    /// Writes `reason` and `what` to the log when the reason strikes for the first time, and then rarely.
    pub fn say(&self, now: Instant, reason: Reason, what: impl fmt::Display) {
        let last = &self.0[usize::from(reason.number())];
        let before = last.load(Ordering::Relaxed);
        if before != NEVER && now.since(Instant::from_nanos(before)) < AGAIN {
            return;
        }
        // Who comes first says it.
        if last.compare_exchange(before, now.as_nanos(), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            tracing::info!(code = reason.code(), "refused: {}: {what}", reason.text());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sixgate_reason::{ISATAP_LOOP, QUEUE_FULL};

    #[test]
    fn a_reason_is_counted_every_time_and_said_once_in_ten_minutes() {
        let said_of_all = Said::new();
        let [mut tally, mut other] = [Tally::beside(said_of_all.clone()), Tally::beside(said_of_all)];
        let start = Instant::from_secs(100);
        let said = std::cell::Cell::new(0);
        // Somebody listens, or nothing is written at all.
        let listener = tracing::subscriber::set_default(Listener);
        for second in 0..700 {
            tally.count(start + Duration::from_secs(second), ISATAP_LOOP, Written(&said));
            other.count(start + Duration::from_secs(second), ISATAP_LOOP, Written(&said));
        }
        drop(listener);
        assert_eq!((tally.counters().of(ISATAP_LOOP), tally.counters().of(QUEUE_FULL)), (700, 0));
        assert_eq!(said.get(), 2);
    }

    /// Counts how often it is written.
    struct Written<'a>(&'a std::cell::Cell<u32>);

    impl fmt::Display for Written<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set(self.0.get() + 1);
            f.write_str("a packet")
        }
    }

    /// Reads every line and keeps none.
    struct Listener;

    impl tracing::Subscriber for Listener {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            struct Read;
            impl tracing::field::Visit for Read {
                fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn fmt::Debug) {
                    let _ = format!("{value:?}");
                }
            }
            event.record(&mut Read);
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }
}
