//! SYNs from the IPv4 side that nobody inside has asked for (RFC 6146, section 3.5.2.2): held a moment, because the
//! inside may open the same connection at the same time, then answered with an ICMP error.

use core::time::Duration;

use hashbrown::HashMap;
use sixgate_time::Instant;

use crate::endpoint::{Outside, Peer};
use crate::keyed::Key;
use crate::slab::{Queue, Slab};

const MOST: usize = 1024;
/// Of one outside transport address, hence of one client.
const MOST_OF_OUTSIDE: u32 = 16;
/// Octets of a SYN that are kept for the error's quote: both headers with all their options.
const QUOTE: usize = 120;

/// A SYN that waits.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    outside: Outside,
    peer: Peer,
    since: Instant,
    quote: [u8; QUOTE],
    length: usize,
}

impl Held {
    /// The packet, as far as an error quotes it.
    pub(crate) fn quote(&self) -> &[u8] {
        &self.quote[..self.length]
    }
}

#[derive(Clone)]
pub(crate) struct HeldSyns {
    slots: Slab<Held>,
    by_age: Queue,
    index: HashMap<(Outside, Peer), u32, Key>,
    by_peer: HashMap<Peer, u32, Key>,
    of_outside: HashMap<Outside, u32, Key>,
}

impl HeldSyns {
    pub(crate) fn new(key: Key) -> Self {
        Self {
            slots: Slab::with_capacity(MOST),
            by_age: Queue::new(),
            index: HashMap::with_capacity_and_hasher(MOST, key),
            by_peer: HashMap::with_capacity_and_hasher(MOST, key),
            of_outside: HashMap::with_capacity_and_hasher(MOST, key),
        }
    }

    /// Holds a SYN; false when there is no room. One that is held already stays as it is, and so does its time.
    pub(crate) fn hold(&mut self, now: Instant, outside: Outside, peer: Peer, packet: &[u8]) -> bool {
        if self.index.contains_key(&(outside, peer)) {
            return true;
        }
        let count = self.of_outside.get(&outside).copied().unwrap_or(0);
        if self.slots.len() >= MOST || count >= MOST_OF_OUTSIDE {
            return false;
        }
        let mut held = Held { outside, peer, since: now, quote: [0; QUOTE], length: packet.len().min(QUOTE) };
        held.quote[..held.length].copy_from_slice(&packet[..held.length]);
        let id = self.slots.insert(held);
        self.slots.push_back(&mut self.by_age, id);
        self.index.insert((outside, peer), id);
        self.by_peer.insert(peer, id);
        self.of_outside.insert(outside, count + 1);
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Drops the SYN from `peer` to `outside` because the inside has opened; false when there is none.
    pub(crate) fn answer(&mut self, outside: Outside, peer: Peer) -> bool {
        let found = self.index.get(&(outside, peer)).copied();
        found.is_some_and(|id| self.remove(id).is_some())
    }

    /// Which outside transport address `peer` waits for: the inside that opens to it should get just that one.
    pub(crate) fn wanted_by(&self, peer: Peer) -> Option<Outside> {
        Some(self.slots.get(*self.by_peer.get(&peer)?)?.outside)
    }

    /// When the oldest has waited for `timeout`.
    pub(crate) fn first_expires(&self, timeout: Duration) -> Option<Instant> {
        Some(self.slots.get(self.by_age.first()?)?.since + timeout)
    }

    /// Takes out the oldest, if it has waited for `timeout`.
    pub(crate) fn expire_one(&mut self, now: Instant, timeout: Duration) -> Option<Held> {
        let due = self.first_expires(timeout)? <= now;
        if due { self.remove(self.by_age.first()?) } else { None }
    }

    fn remove(&mut self, id: u32) -> Option<Held> {
        self.slots.unlink(&mut self.by_age, id);
        let held = self.slots.remove(id)?;
        self.index.remove(&(held.outside, held.peer));
        if self.by_peer.get(&held.peer) == Some(&id) {
            self.by_peer.remove(&held.peer);
        }
        if let Some(count) = self.of_outside.get_mut(&held.outside) {
            *count -= 1;
            if *count == 0 {
                self.of_outside.remove(&held.outside);
            }
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIX: Duration = Duration::from_secs(6);

    fn outside(port: u16) -> Outside {
        Outside { address: [192, 0, 2, 2].into(), port }
    }

    fn peer(port: u16) -> Peer {
        Peer { address: [198, 51, 100, 7].into(), port }
    }

    #[test]
    fn a_repeated_syn_does_not_wait_longer() {
        let mut held = HeldSyns::new(Key::derive(&[0; 32], 0));
        assert!(held.hold(Instant::ZERO, outside(1), peer(1), &[9; 500]));
        assert!(held.hold(Instant::from_secs(3), outside(1), peer(1), &[8; 40]));
        assert!(held.expire_one(Instant::from_millis(5999), SIX).is_none());
        assert_eq!(held.expire_one(Instant::from_secs(6), SIX).map(|h| h.quote().len()), Some(QUOTE));
        assert!(held.expire_one(Instant::from_secs(60), SIX).is_none());
        assert!(held.of_outside.is_empty() && held.index.is_empty() && held.by_peer.is_empty());
    }

    #[test]
    fn one_outside_has_only_its_share() {
        let mut held = HeldSyns::new(Key::derive(&[0; 32], 0));
        let taken = (0..100).filter(|p| held.hold(Instant::ZERO, outside(1), peer(*p), &[])).count();
        assert_eq!(taken, MOST_OF_OUTSIDE as usize);
        let all = (0..u16::MAX).filter(|p| held.hold(Instant::ZERO, outside(*p), peer(2000), &[])).count();
        assert_eq!(all + taken, MOST);
    }

    #[test]
    fn an_answer_ends_the_wait() {
        let mut held = HeldSyns::new(Key::derive(&[0; 32], 0));
        assert!(held.hold(Instant::ZERO, outside(1), peer(1), &[]));
        assert_eq!(held.wanted_by(peer(1)), Some(outside(1)));
        assert!(!held.answer(outside(2), peer(1)));
        assert!(held.answer(outside(1), peer(1)));
        assert_eq!(held.wanted_by(peer(1)), None);
        assert_eq!(held.first_expires(SIX), None);
    }
}
