//! Blocks of ports, each of one client for as long as it has a port in it (RFC 7422, section 2; RFC 8158).
//!
//! A block is for all protocols of its entry at once: one line of the log says all that there is to say of a client that
//! speaks TCP, UDP and ICMP, and the first packet of each finds room in the block of the others. It begins at a multiple
//! of its size, so it is in one share. What is left of an entry beside its blocks, and what others have not used of
//! theirs, is given port by port when no block is free: better a longer log than a refusal.

use core::net::Ipv6Addr;
use core::ops;

use alloc::vec::Vec;
use hashbrown::HashMap;

use super::bits::Bits;
use super::log::{Log, PortEvent};
use super::range::Gauge;
use super::space::{Space, Spot};
use super::{Pool, ports};
use crate::endpoint::{Outside, Proto};
use crate::keyed::Key;
use crate::slab::{Queue, Slab};

/// Blocks of a client that are looked at for a free port, the last ones that had one first: bounds the work.
const LOOKED_AT: usize = 8;

/// A block by its place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Place {
    spot: Spot,
    /// The first port, divided by the size.
    number: u16,
}

/// A block of which some port is in use.
#[derive(Clone)]
struct Grant {
    place: Place,
    /// `None` where there are single ports only.
    owner: Option<Ipv6Addr>,
    /// Ports of the owner that are in use, of all protocols.
    own: u32,
    /// Single ports of others.
    singles: u32,
}

/// A block that a client had before the settings changed.
pub(super) struct Held {
    protocol: Option<Proto>,
    outside: Outside,
    last: u16,
    owner: Ipv6Addr,
}

/// What was given back.
pub(super) enum Released {
    /// A port that was given alone.
    Single,
    /// A port of a block in which others are in use.
    OfBlock,
    /// The last port of a block, and the block with it.
    Block(PortEvent),
}

#[derive(Clone)]
pub(super) struct Blocks {
    size: u32,
    /// Bits of a client's name.
    client_length: u8,
    grants: Slab<Grant>,
    by_place: HashMap<Place, u32, Key>,
    /// The blocks of each client, the last one that had room first.
    by_owner: HashMap<Ipv6Addr, Queue, Key>,
    /// Of each address that has been used: which blocks are in use or are none.
    taken: HashMap<Spot, Bits, Key>,
    /// Addresses without a free block, by entry.
    full: Vec<Bits>,
}

impl Blocks {
    pub(super) fn new(size: u16, client_length: u8, space: &mut Space, seed: &[u8; 32]) -> Self {
        let mut blocks = Self {
            size: u32::from(size),
            client_length,
            grants: Slab::with_capacity(0),
            by_place: HashMap::with_hasher(Key::derive(seed, 14)),
            by_owner: HashMap::with_hasher(Key::derive(seed, 15)),
            taken: HashMap::with_hasher(Key::derive(seed, 16)),
            full: Vec::new(),
        };
        for number in 0..space.ranges.len() {
            let of_address = blocks.fresh(space, number as u32).clear();
            let Some(range) = space.ranges.get_mut(number) else { break };
            let addresses = range.count();
            blocks.full.push(Bits::new(if of_address == 0 { 0 } else { addresses }));
            range.blocks = Gauge::new(u64::from(of_address) * u64::from(addresses));
        }
        blocks
    }

    /// A free port in one of the client's blocks, or else in a new one.
    pub(super) fn allocate(
        &mut self,
        space: &mut Space,
        log: &mut Log,
        proto: Proto,
        client: Ipv6Addr,
        inside: u16,
    ) -> Option<Outside> {
        let queue = self.by_owner.get(&client).copied().unwrap_or_else(Queue::new);
        let mut next = queue.first();
        for _ in 0..LOOKED_AT {
            let Some(id) = next else { break };
            let place = self.grants.get(id)?.place;
            if let Some(outside) = space.give(proto, place.spot, Some(self.within(place.number)), inside) {
                self.count(id, true);
                self.put_first(client, id);
                return Some(outside);
            }
            next = self.grants.after(id);
        }
        let near = queue.first().and_then(|id| Some(self.grants.get(id)?.place.spot));
        let place = self.free_place(space, proto, client, near, inside)?;
        let outside = space.give(proto, place.spot, Some(self.within(place.number)), inside)?;
        let id = self.grant(space, place, Some(client));
        self.count(id, true);
        log.push(self.event(space, place, client, true)?);
        Some(outside)
    }

    /// Where a client's ports are already.
    pub(super) fn near(&self, client: Ipv6Addr) -> Option<Spot> {
        Some(self.grants.get(self.by_owner.get(&client)?.first()?)?.place.spot)
    }

    /// A port beside the blocks is given, or a known one is taken; true when it is in a block of the client.
    pub(super) fn take(
        &mut self,
        space: &mut Space,
        spot: Spot,
        port: u16,
        client: Option<Ipv6Addr>,
    ) -> bool {
        let place = self.place(spot, port);
        let id = match self.by_place.get(&place) {
            Some(id) => *id,
            None => self.grant(space, place, None),
        };
        let own = client.is_some() && self.grants.get(id).is_some_and(|grant| grant.owner == client);
        self.count(id, own);
        own
    }

    /// A port is free again.
    pub(super) fn release(
        &mut self,
        space: &mut Space,
        spot: Spot,
        port: u16,
        client: Option<Ipv6Addr>,
    ) -> Released {
        let place = self.place(spot, port);
        let Some(id) = self.by_place.get(&place).copied() else { return Released::Single };
        let Some(grant) = self.grants.get_mut(id) else { return Released::Single };
        let Some(owner) = grant.owner.filter(|owner| client == Some(*owner)) else {
            grant.singles = grant.singles.saturating_sub(1);
            self.drop_unused(space, id);
            return Released::Single;
        };
        grant.own = grant.own.saturating_sub(1);
        if grant.own > 0 {
            self.put_first(owner, id);
            return Released::OfBlock;
        }
        self.disown(id);
        self.drop_unused(space, id);
        self.event(space, place, owner, false).map_or(Released::OfBlock, Released::Block)
    }

    /// True when a port is in a block of the client.
    pub(super) fn is_own(&self, spot: Spot, port: u16, client: Ipv6Addr) -> bool {
        let id = self.by_place.get(&self.place(spot, port));
        id.and_then(|id| self.grants.get(*id)).is_some_and(|grant| grant.owner == Some(client))
    }

    /// The blocks that clients have, as events.
    pub(super) fn owned<'a>(&'a self, space: &'a Space) -> impl Iterator<Item = PortEvent> + 'a {
        let owned = self.grants.iter().filter_map(|(_, grant)| Some((grant.place, grant.owner?)));
        owned.filter_map(|(place, owner)| self.event(space, place, owner, true))
    }

    /// The blocks that clients have, to be given to them again by [`Blocks::restore`].
    pub(super) fn held(&self, space: &Space) -> Vec<Held> {
        let held = |event: PortEvent| Held {
            protocol: event.protocol,
            outside: Outside { address: event.address, port: event.first },
            last: event.last,
            owner: event.client.address(),
        };
        self.owned(space).map(held).collect()
    }

    /// Gives blocks that are as they were to those who had them.
    pub(super) fn restore(&mut self, space: &mut Space, held: &[Held], of: impl Fn(Ipv6Addr) -> Ipv6Addr) {
        for block in held {
            let proto = block.protocol.unwrap_or(Proto::Tcp);
            let Some(spot) = space.find(proto, block.outside) else { continue };
            let place = self.place(spot, block.outside.port);
            let same = space.range(spot.range).is_some_and(|range| range.protocol == block.protocol)
                && self.ports(space, place) == Some((block.outside.port, block.last));
            let free = self.is_block(space, place) && !self.by_place.contains_key(&place);
            if same && free {
                self.grant(space, place, Some(of(block.owner)));
            }
        }
    }

    /// Ends [`Blocks::restore`]: a block in which nothing is in use is free again.
    pub(super) fn settle(&mut self, space: &mut Space) {
        let idle = |grant: &Grant| grant.owner.is_some() && grant.own == 0;
        let idle: Vec<u32> = self.grants.iter().filter(|(_, g)| idle(g)).map(|(id, _)| id).collect();
        for id in idle {
            self.disown(id);
            self.drop_unused(space, id);
        }
    }

    /// A block that nobody has a port in: near where the client is, or else anywhere.
    fn free_place(
        &mut self,
        space: &mut Space,
        proto: Proto,
        client: Ipv6Addr,
        near: Option<Spot>,
        inside: u16,
    ) -> Option<Place> {
        let (home, start) = space.home(client)?;
        let near = near.unwrap_or(home);
        let address = space.range(near.range)?.address(near.address);
        for range in space.from(near.range) {
            if let Some(spot) = space.spot(proto, range, address)
                && let Some(place) = self.free_at(space, spot, proto, inside)
            {
                return Some(place);
            }
        }
        for range in space.from(near.range) {
            let Some(entry) = space.range(range).filter(|entry| entry.carries(proto)) else { continue };
            let count = entry.count();
            let full = self.full.get(range as usize)?;
            if let Some(address) = full.find(&(0..count), start % count.max(1))
                && let Some(place) = self.free_at(space, Spot { range, address }, proto, inside)
            {
                return Some(place);
            }
        }
        None
    }

    /// A free block of one address, at random; for a well-known port one of those below 1024 first, for others one above.
    fn free_at(&mut self, space: &mut Space, spot: Spot, proto: Proto, inside: u16) -> Option<Place> {
        if !self.taken.contains_key(&spot) {
            let fresh = self.fresh(space, spot.range);
            self.taken.insert(spot, fresh);
        }
        let bits = self.taken.get(&spot)?;
        let all = 0..(u32::from(u16::MAX) + 1) / self.size;
        let edge = ports::REGISTERED.div_ceil(self.size);
        let half = match proto {
            Proto::Icmp => all.clone(),
            Proto::Tcp | Proto::Udp if u32::from(inside) < ports::REGISTERED => 0..edge,
            Proto::Tcp | Proto::Udp => edge..all.end,
        };
        [half, all].into_iter().find_map(|among| {
            let start = among.start + space.numbers.below(among.len() as u32);
            // At most 1,024 blocks.
            bits.find(&among, start).map(|number| Place { spot, number: number as u16 })
        })
    }

    /// The blocks of an address of an entry that are none: parts of blocks, and what is in other shares.
    fn fresh(&self, space: &Space, range: u32) -> Bits {
        let many = (u32::from(u16::MAX) + 1) / self.size;
        let mut bits = Bits::new(many);
        for number in 0..many as u16 {
            if !self.is_block(space, Place { spot: Spot { range, address: 0 }, number }) {
                bits.mark(u32::from(number), true);
            }
        }
        bits
    }

    /// True for a block that is whole, or half at least where the entry begins or ends in it, and in our share.
    fn is_block(&self, space: &Space, place: Place) -> bool {
        let Some((first, last)) = self.ports(space, place) else { return false };
        let count = u32::from(last - first) + 1;
        count * 2 >= self.size && space.share.ports_of(&(first..=last)) == count
    }

    fn ports(&self, space: &Space, place: Place) -> Option<(u16, u16)> {
        let ports = &space.range(place.spot.range)?.ports;
        let within = self.within(place.number);
        let first = (within.start).max(u32::from(*ports.start()));
        let last = (within.end - 1).min(u32::from(*ports.end()));
        // Both are ports.
        (first <= last).then_some((first as u16, last as u16))
    }

    fn within(&self, number: u16) -> ops::Range<u32> {
        let first = u32::from(number) * self.size;
        first..first + self.size
    }

    fn place(&self, spot: Spot, port: u16) -> Place {
        Place { spot, number: (u32::from(port) / self.size) as u16 }
    }

    fn event(&self, space: &Space, place: Place, client: Ipv6Addr, allocated: bool) -> Option<PortEvent> {
        let (first, last) = self.ports(space, place)?;
        let range = space.range(place.spot.range)?;
        Some(PortEvent {
            address: range.address(place.spot.address),
            first,
            last,
            protocol: range.protocol,
            client: Pool::whole(client, self.client_length),
            allocated,
        })
    }

    /// Makes the entry of a block that has none.
    fn grant(&mut self, space: &mut Space, place: Place, owner: Option<Ipv6Addr>) -> u32 {
        let id = self.grants.insert(Grant { place, owner, own: 0, singles: 0 });
        self.by_place.insert(place, id);
        self.set_taken(space, place, true);
        if let Some(owner) = owner {
            let queue = self.by_owner.entry(owner).or_insert_with(Queue::new);
            self.grants.push_front(queue, id);
        }
        id
    }

    fn count(&mut self, id: u32, own: bool) {
        let Some(grant) = self.grants.get_mut(id) else { return };
        if own {
            grant.own += 1;
        } else {
            grant.singles += 1;
        }
    }

    fn put_first(&mut self, owner: Ipv6Addr, id: u32) {
        if let Some(queue) = self.by_owner.get_mut(&owner)
            && queue.first() != Some(id)
        {
            self.grants.unlink(queue, id);
            self.grants.push_front(queue, id);
        }
    }

    fn disown(&mut self, id: u32) {
        let Some(owner) = self.grants.get_mut(id).and_then(|grant| grant.owner.take()) else { return };
        let Some(queue) = self.by_owner.get_mut(&owner) else { return };
        self.grants.unlink(queue, id);
        if queue.first().is_none() {
            self.by_owner.remove(&owner);
        }
    }

    fn drop_unused(&mut self, space: &mut Space, id: u32) {
        let unused = |grant: &Grant| grant.owner.is_none() && grant.singles == 0;
        if self.grants.get(id).is_some_and(unused)
            && let Some(grant) = self.grants.remove(id)
        {
            self.by_place.remove(&grant.place);
            self.set_taken(space, grant.place, false);
        }
    }

    fn set_taken(&mut self, space: &mut Space, place: Place, taken: bool) {
        if !self.is_block(space, place) {
            return;
        }
        if !self.taken.contains_key(&place.spot) {
            let fresh = self.fresh(space, place.spot.range);
            self.taken.insert(place.spot, fresh);
        }
        let range = place.spot.range as usize;
        if let Some(bits) = self.taken.get_mut(&place.spot)
            && bits.mark(u32::from(place.number), taken)
            && let Some(entry) = space.ranges.get_mut(range)
        {
            space.alarmed |= entry.blocks.count(taken);
            if let Some(full) = self.full.get_mut(range) {
                full.mark(place.spot.address, bits.clear() == 0);
            }
        }
    }
}
