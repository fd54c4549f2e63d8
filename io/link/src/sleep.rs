//! Notices that the machine slept.
//!
//! The monotonic clock of the cores stands still while a machine is suspended, and the network that it wakes in may be
//! another one. The kernel tells of the wake by a timer on the wall clock, which it cancels when that clock jumps.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

/// Becomes readable when the wall clock jumps: after a sleep, and when somebody sets it.
#[derive(Debug)]
pub struct SleepWatch {
    timer: OwnedFd,
    asleep: Asleep,
}

impl SleepWatch {
    /// Watches from now on.
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let mut watch = Self { timer, asleep: Asleep::default() };
        watch.arm()?;
        watch.slept();
        Ok(watch)
    }

    /// How long the machine slept since the last call; `None` when it did not, whatever the wall clock did.
    pub fn slept(&mut self) -> Option<Duration> {
        self.asleep.grown_to(clock(ClockId::Boottime).saturating_sub(clock(ClockId::Monotonic)))
    }

    /// Takes the news off the timer, and gives [`SleepWatch::slept`].
    ///
    /// # Errors
    /// What the system says; the watch is blind then.
    pub fn drain(&mut self) -> io::Result<Option<Duration>> {
        // The timer that was cancelled says so once; its count means nothing.
        let mut count = [0; 8];
        while rustix::io::read(&self.timer, &mut count).is_ok() {}
        self.arm()?;
        Ok(self.slept())
    }

    /// Sets the timer to a time that never comes.
    fn arm(&mut self) -> io::Result<()> {
        let never = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: i64::MAX, tv_nsec: 0 },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &never)?;
        Ok(())
    }
}

impl AsFd for SleepWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

/// How long the machine slept since it started: what the clock that counts sleep is ahead of the one that does not.
#[derive(Default, Debug)]
struct Asleep(Duration);

/// Less than this is the moment between two readings.
const NOTICED: Duration = Duration::from_millis(500);

impl Asleep {
    fn grown_to(&mut self, asleep: Duration) -> Option<Duration> {
        let grown = asleep.saturating_sub(self.0);
        if grown < NOTICED {
            return None;
        }
        self.0 = asleep;
        Some(grown)
    }
}

fn clock(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_told_once_and_for_as_long_as_it_was() {
        let second = Duration::from_secs(1);
        let mut asleep = Asleep::default();
        assert_eq!(asleep.grown_to(Duration::from_millis(3)), None);
        assert_eq!(asleep.grown_to(second * 3600), Some(second * 3600));
        assert_eq!(asleep.grown_to(second * 3600 + Duration::from_micros(7)), None);
        // Short sleeps add up to one that is told.
        assert_eq!(asleep.grown_to(second * 3600 + Duration::from_millis(400)), None);
        assert_eq!(
            asleep.grown_to(second * 3600 + Duration::from_millis(800)),
            Some(Duration::from_millis(800))
        );
    }

    #[test]
    fn a_machine_that_is_awake_has_not_slept() {
        let mut watch = SleepWatch::new().unwrap();
        assert_eq!(watch.slept(), None);
        assert_eq!(watch.drain().unwrap(), None);
    }
}
