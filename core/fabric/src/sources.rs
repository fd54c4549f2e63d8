//! ICMPv6 errors by who they are sent to: one sender that asks for many does not use up what the others of its port need.
//!
//! Many hosts share a port, and each of them must hear at once that something leads nowhere, or its programs wait for a timeout.

use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::net::Ipv6Addr;

use sixgate_time::{Instant, TokenBucket};

use crate::hash::Keyed;

/// Senders share this many buckets by a hash that they cannot predict; two that share one have half of it each, at worst.
const BUCKETS: usize = 4096;

pub(crate) struct Sources {
    buckets: Vec<TokenBucket>,
    hasher: Keyed,
}

impl Sources {
    pub(crate) fn new(rate: u32, hasher: Keyed) -> Self {
        Self { buckets: alloc::vec![TokenBucket::new(rate, rate); BUCKETS], hasher }
    }

    /// Takes one error to this sender; false when it has had enough.
    pub(crate) fn take(&mut self, now: Instant, source: Ipv6Addr) -> bool {
        let bucket = self.hasher.hash_one(source) % BUCKETS as u64;
        // Below the number of buckets.
        self.buckets[bucket as usize].take(now)
    }
}
