//! Whether a worker looks again before it goes to sleep.
//!
//! Going to sleep and being woken takes longer than all else that a packet needs. Where the next packet comes sooner than that, as
//! the answer to a request does, a worker that stays awake for it has it translated at once; where it does not, staying awake is
//! processor time for nothing. So the last sleep decides about the next one.

use sixgate_time::{Duration, Instant};

/// How long a worker stays awake at most, and how short a sleep is that was not worth it.
const LONGEST: Duration = Duration::from_micros(30);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Linger {
    pays: bool,
}

impl Linger {
    /// Until when to look again, from `now` on; `None` when it is not worth while.
    pub(super) fn until(self, now: Instant, next_timeout: Instant) -> Option<Instant> {
        self.pays.then(|| (now + LONGEST).min(next_timeout))
    }

    /// It was in vain.
    pub(super) fn in_vain(&mut self) {
        self.pays = false;
    }

    /// A sleep ended after that time.
    pub(super) fn slept(&mut self, time: Duration) {
        self.pays = time < LONGEST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sleep_decides_about_the_next_one() {
        let mut linger = Linger::default();
        let now = Instant::from_secs(1);
        assert_eq!(linger.until(now, Instant::NEVER), None);
        linger.slept(Duration::from_micros(12));
        assert_eq!(linger.until(now, Instant::NEVER), Some(now + LONGEST));
        assert_eq!(linger.until(now, now), Some(now), "a timer is not late for it");
        linger.in_vain();
        assert_eq!(linger.until(now, Instant::NEVER), None);
        linger.slept(Duration::from_micros(100));
        assert_eq!(linger.until(now, Instant::NEVER), None);
    }
}
