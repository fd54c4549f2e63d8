//! What worker and control say to each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sixgate_io_tls::Stream;
use sixgate_reason::{Counters, Reason};
use sixgate_wire::lease::Lease;

/// Names one connection: what is said of an old one does not touch the new one.
pub(crate) type Generation = u64;

/// To the worker.
#[derive(Debug)]
pub(crate) enum ToWorker {
    /// Packets go over this connection from now on; the one before is closed.
    Attach(Box<Stream>, Generation),
    /// The connection is closed; packets go nowhere.
    Detach,
    /// The network may have changed: see whether the gateway is still there.
    NetworkChanged,
    /// The end.
    Stop,
}

/// From the worker.
#[derive(Debug)]
pub(crate) enum FromWorker {
    /// The gateway gave a lease.
    Leased(Lease, Generation),
    /// The connection is of no use any more.
    Ended {
        /// Why.
        reason: Reason,
        /// One line beside it; may be empty.
        detail: String,
        generation: Generation,
    },
    /// The device is gone: nothing can go on.
    Failed(String),
}

/// What the worker counts and control shows.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    received: AtomicU64,
    sent: AtomicU64,
    drops: Mutex<Drops>,
}

#[derive(Default)]
struct Drops(Counters);

impl std::fmt::Debug for Drops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.0.nonzero().map(|(entry, n)| (entry.code, n))).finish()
    }
}

impl Tally {
    pub(crate) fn received(&self, octets: u64) {
        self.received.fetch_add(octets, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, octets: u64) {
        self.sent.fetch_add(octets, Ordering::Relaxed);
    }

    /// From and to the gateway, in octets.
    pub(crate) fn octets(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    pub(crate) fn count(&self, reason: Reason) {
        // A panic while counting leaves nothing half done.
        self.drops.lock().unwrap_or_else(PoisonError::into_inner).0.count(reason);
    }

    pub(crate) fn counters(&self) -> Counters {
        self.drops.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}
