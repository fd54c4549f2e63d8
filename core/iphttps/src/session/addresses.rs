//! The addresses of one session: those of its lease, which stay, and those that the client formed by itself.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use sixgate_time::{Duration, Instant};
use sixgate_wire::lease::Lease;

/// An address that the client formed and has not used for so long may make room for a new one: hosts with temporary
/// addresses (RFC 8981) form one a day and forget the old ones without a word.
const IDLE: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug)]
struct Held {
    address: Ipv6Addr,
    last_used: Instant,
    leased: bool,
}

/// A small set: a session has one or two addresses, seldom more, so that a walk is the fastest look-up.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    held: Vec<Held>,
}

impl Addresses {
    /// True when the session has `address`; notes that it is in use.
    pub(super) fn touch(&mut self, now: Instant, address: Ipv6Addr) -> bool {
        let Some(held) = self.held.iter_mut().find(|h| h.address == address) else { return false };
        held.last_used = now;
        true
    }

    pub(super) fn contains(&self, address: Ipv6Addr) -> bool {
        self.held.iter().any(|h| h.address == address)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.held.iter().map(|h| h.address)
    }

    /// True when there is room for one more, after the longest idle one has been given up if need be.
    pub(super) fn make_room(&mut self, now: Instant, most: usize) -> (bool, Option<Ipv6Addr>) {
        if self.held.len() < most {
            return (true, None);
        }
        let idle = |h: &&Held| !h.leased && now.since(h.last_used) >= IDLE;
        let Some(oldest) = self.held.iter().filter(idle).min_by_key(|h| h.last_used).map(|h| h.address)
        else {
            return (false, None);
        };
        self.remove(oldest);
        (true, Some(oldest))
    }

    /// Keeps what `lease` allows, adds what it assigns, and gives what is gone.
    pub(super) fn relabel(&mut self, now: Instant, lease: &Lease) -> Vec<Ipv6Addr> {
        let mut gone = Vec::new();
        self.held.retain_mut(|held| {
            held.leased = lease.addresses.contains(&held.address);
            let keep = held.leased || lease.prefixes.iter().any(|p| p.prefix.contains(held.address));
            if !keep {
                gone.push(held.address);
            }
            keep
        });
        for address in &lease.addresses {
            self.insert(now, *address, true);
        }
        gone
    }

    pub(super) fn insert(&mut self, now: Instant, address: Ipv6Addr, leased: bool) {
        match self.held.iter_mut().find(|h| h.address == address) {
            Some(held) => held.leased |= leased,
            None => self.held.push(Held { address, last_used: now, leased }),
        }
    }

    pub(super) fn remove(&mut self, address: Ipv6Addr) {
        self.held.retain(|h| h.address != address);
    }
}
