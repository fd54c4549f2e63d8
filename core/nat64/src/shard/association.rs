//! What one shard does with what comes to it, parts of IPv4 datagrams included.

use alloc::sync::Arc;
use core::time::Duration;

use sixgate_reason::{NAT64_FRAGMENT_UNKNOWN, Reason};
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::ipv4::Ipv4;

use super::{Owner, ShardMap, Step};
use crate::fragments::Fragments;
use crate::keyed::Key;

/// One of several translators, before its tables. Bounded like [`crate::Nat64`]'s own table of fragments.
pub struct Shard {
    map: Arc<ShardMap>,
    index: u16,
    timeout: Duration,
    /// Owners of the datagrams that are at home here.
    owners: Fragments<u16>,
    /// Its first fragment has come: the others follow.
    releasing: Option<(u32, u16)>,
}

impl Shard {
    /// The shard `index` of `map`. Parts of a datagram wait for its first one for at most `timeout`.
    #[must_use]
    pub fn new(map: Arc<ShardMap>, index: u16, timeout: Duration, seed: &[u8; 32]) -> Self {
        let owners = Fragments::new(Key::derive(seed, 23));
        Self { map, index, timeout, owners, releasing: None }
    }

    /// Takes over another map of as many shards. Parts that wait are sent on as the new one says.
    pub fn set_map(&mut self, map: Arc<ShardMap>) {
        self.map = map;
    }

    /// A packet from the network, or one that comes back to the pool.
    pub fn arrived(&mut self, now: Instant, packet: &Packet) -> Step {
        match self.map.owner(packet.bytes()) {
            Owner::One(owner) => self.step(owner),
            Owner::Part { home } if home != self.index => Step::To(home),
            Owner::Part { .. } => self.part(now, packet),
            Owner::Anybody => Step::Mine,
        }
    }

    /// A packet that another shard handed over.
    pub fn crossed(&mut self, now: Instant, packet: &Packet) -> Step {
        match self.map.owner(packet.bytes()) {
            // From the shard that it came to by chance; what comes from its home is for the tables.
            Owner::Part { home } if home == self.index => self.part(now, packet),
            Owner::Part { .. } | Owner::One(_) | Owner::Anybody => Step::Mine,
        }
    }

    /// True for exactly one of all shards: the owner, which the first part of a datagram names itself, or the home of a later
    /// part, or the first for what is nobody's.
    #[must_use]
    pub fn would_take(&self, packet: &[u8]) -> bool {
        match self.map.owner(packet) {
            Owner::One(owner) => owner == self.index,
            Owner::Part { home } => self.named_by_first(packet).unwrap_or(home) == self.index,
            Owner::Anybody => self.index == 0,
        }
    }

    /// True when [`Shard::poll_released`] is to be asked.
    #[must_use]
    pub const fn has_released(&self) -> bool {
        self.releasing.is_some()
    }

    /// Moves the next part that waits no longer into `out` and says what is to be done with it; `None` when there is none.
    pub fn poll_released(&mut self, out: &mut Packet) -> Option<Step> {
        let (id, owner) = self.releasing?;
        if self.owners.release(id, out) {
            return Some(self.step(owner));
        }
        self.releasing = None;
        self.owners.finish(id);
        None
    }

    /// When [`Shard::handle_timeout`] has something to do; [`Instant::NEVER`] when nothing waits.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        self.owners.first_expires(self.timeout).unwrap_or(Instant::NEVER)
    }

    /// Gives up what has waited for too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        while self.owners.expire_one(now, self.timeout) {}
    }

    /// One part that waited in vain, for the counters.
    pub fn poll_late_drop(&mut self) -> Option<Reason> {
        self.owners.take_given_up().then_some(NAT64_FRAGMENT_UNKNOWN)
    }

    /// The owner of a datagram of which this is the first part.
    fn named_by_first(&self, packet: &[u8]) -> Option<u16> {
        let ip = Ipv4::parse(packet).ok()?;
        if ip.fragment_offset() != 0 {
            return None;
        }
        self.map.owner_by_first(&ip)
    }

    const fn step(&self, owner: u16) -> Step {
        if owner == self.index { Step::Mine } else { Step::To(owner) }
    }

    /// A part of a datagram that is at home here.
    fn part(&mut self, now: Instant, packet: &Packet) -> Step {
        let (Some(part), Ok(ip)) = (self.map.worth_keeping(packet.bytes()), Ipv4::parse(packet.bytes()))
        else {
            return Step::Mine;
        };
        let (datagram, _) = self.map.datagram(&ip);
        let id = match self.owners.arrive(now, self.timeout, datagram, part) {
            Ok(id) => id,
            Err(reason) => return Step::Drop(reason),
        };
        if let Some(owner) = self.owners.mapping(id) {
            self.owners.finish(id);
            return self.step(owner);
        }
        if part.offset == 0 {
            // One that does not say is refused by whoever has it.
            let owner = self.map.owner_by_first(&ip).unwrap_or(self.index);
            self.owners.learn(id, owner);
            self.releasing = Some((id, owner));
            return self.step(owner);
        }
        match self.owners.hold(id, packet.bytes(), false) {
            Ok(()) => Step::Waits,
            Err(reason) => Step::Drop(reason),
        }
    }
}
