//! Readiness: epoll for a worker's file descriptors, eventfd to wake it from another thread.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

/// What a file descriptor is watched for. Level-triggered: an event comes again until its cause is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interest {
    read: bool,
    write: bool,
}

impl Interest {
    /// Data to read, or the other end closed.
    pub const READ: Self = Self { read: true, write: false };
    /// Room to write.
    pub const WRITE: Self = Self { read: false, write: true };
    /// Either.
    pub const BOTH: Self = Self { read: true, write: true };
    /// Errors only, which are always told.
    pub const NONE: Self = Self { read: false, write: false };

    fn flags(self) -> epoll::EventFlags {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN | epoll::EventFlags::RDHUP, self.read);
        flags.set(epoll::EventFlags::OUT, self.write);
        flags
    }
}

/// A file descriptor is ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// The number it was added under.
    pub token: u64,
    /// A read gives data, an end or an error.
    pub readable: bool,
    /// A write takes data or gives an error.
    pub writable: bool,
}

/// An epoll set.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Poller {
    /// An empty set that gives at most `most` events at a time.
    ///
    /// # Errors
    /// What the system says, for example that too many files are open.
    pub fn new(most: usize) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(most.max(1)) })
    }

    /// Watches `source`, whose events then carry `token`.
    ///
    /// # Errors
    /// What the system says, for example that it is watched already.
    pub fn add(&self, source: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, source, epoll::EventData::new_u64(token), interest.flags())?)
    }

    /// Changes what `source` is watched for.
    ///
    /// # Errors
    /// What the system says, for example that it is not watched.
    pub fn modify(&self, source: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, source, epoll::EventData::new_u64(token), interest.flags())?)
    }

    /// Watches `source` no longer. Closing the last descriptor of a file does this by itself.
    ///
    /// # Errors
    /// What the system says, for example that it is not watched.
    pub fn remove(&self, source: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, source)?)
    }

    /// Waits until something is ready, or for `timeout`; without one, for as long as it takes.
    ///
    /// A signal ends the wait without an event. A timeout is never cut short: it is rounded up to what the system counts.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<impl Iterator<Item = Event> + use<'_>> {
        let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
        self.events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.events.iter().map(|e| {
            // The structure is packed, so its fields are copied out.
            let (flags, data) = (e.flags, e.data);
            let failed = epoll::EventFlags::ERR | epoll::EventFlags::HUP;
            Event {
                token: data.u64(),
                readable: flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::RDHUP | failed),
                writable: flags.intersects(epoll::EventFlags::OUT | failed),
            }
        }))
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").field("epoll", &self.epoll).finish_non_exhaustive()
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// Wakes a [`Poller`] from any thread; clones wake the same one.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// A waker that nobody watches yet.
    ///
    /// # Errors
    /// What the system says, for example that too many files are open.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Makes the waker readable.
    pub fn wake(&self) {
        // The only failure is a full counter, and then it is readable already.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    /// Makes it unreadable again. Call this before looking at what the wake-up was for.
    pub fn drain(&self) {
        // The only failure is that there was nothing to drain.
        let _ = rustix::io::read(&*self.0, &mut [0_u8; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_from_another_thread_ends_the_wait_once() {
        let mut poller = Poller::new(4).unwrap();
        let waker = Waker::new().unwrap();
        poller.add(&waker, 7, Interest::READ).unwrap();
        let other = waker.clone();
        let thread = std::thread::spawn(move || {
            other.wake();
            other.wake();
        });
        let events: Vec<_> = poller.wait(None).unwrap().collect();
        assert_eq!(events, [Event { token: 7, readable: true, writable: false }]);
        thread.join().unwrap();
        waker.drain();
        assert_eq!(poller.wait(Some(Duration::ZERO)).unwrap().count(), 0);
    }

    #[test]
    fn interest_can_change_and_end() {
        let mut poller = Poller::new(4).unwrap();
        let (a, _b) = std::os::unix::net::UnixStream::pair().unwrap();
        poller.add(&a, 1, Interest::BOTH).unwrap();
        let events: Vec<_> = poller.wait(None).unwrap().collect();
        assert_eq!(events, [Event { token: 1, readable: false, writable: true }]);
        poller.modify(&a, 1, Interest::READ).unwrap();
        assert_eq!(poller.wait(Some(Duration::from_millis(1))).unwrap().count(), 0);
        poller.remove(&a).unwrap();
        assert!(poller.modify(&a, 1, Interest::READ).is_err());
    }
}
