//! The monotonic clock that the cores are given.

use std::sync::OnceLock;
use std::time;

use sixgate_time::{Duration, Instant};

/// Where the clock starts: not at zero, so that what an earlier run saw is a time of this run's clock as well. Four hundred
/// days are longer than anybody keeps such times.
const START: Instant = Instant::from_secs(400 * 86_400);

/// Now, in nanoseconds since four hundred days before this was called first. All threads see the same clock.
#[must_use]
pub fn now() -> Instant {
    START + base().elapsed()
}

/// How long to sleep until `deadline`; `None` when it never comes.
#[must_use]
pub fn until(deadline: Instant) -> Option<Duration> {
    (deadline != Instant::NEVER).then(|| deadline.since(now()))
}

fn base() -> &'static time::Instant {
    static BASE: OnceLock<time::Instant> = OnceLock::new();
    BASE.get_or_init(time::Instant::now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_runs_backwards() {
        let first = now();
        assert!(first >= START);
        assert!(now() >= first);
        assert_eq!(until(Instant::NEVER), None);
        assert_eq!(until(first), Some(Duration::ZERO));
    }
}
