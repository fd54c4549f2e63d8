//! Outside transport addresses and who gets which.
//!
//! A client's address comes from a keyed hash of its own, so all that it opens leaves from one address (RFC 4787, REQ-2,
//! "paired") without anything to remember. Within the address the search for a free port starts at a random one, so
//! that ports cannot be foretold (RFC 6056), in the inside port's half (below 1024 or not) and parity first (RFC 4787,
//! REQ-3 and REQ-4), and ends at any free one. With blocks, the search is in the blocks that the client has.
//!
//! | module | holds |
//! | --- | --- |
//! | `space` | every port of every entry, and a client's place among them |
//! | `range` | one entry, how full it is, and when that is worth an alarm |
//! | `ports` | the ports of one address |
//! | `blocks` | blocks of ports that belong to a client |
//! | `log` | who got which ports |

mod bits;
mod blocks;
mod log;
mod ports;
mod range;
mod space;

use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;

use sixgate_wire::addr::Ipv4Prefix;

use crate::config::Config;
use crate::endpoint::{Inside, Outside, Proto};
use crate::keyed::{Key, Numbers};
use blocks::{Blocks, Released};
use log::Log;
use space::{Space, Spot};

pub use log::PortEvent;
pub use range::Level;

/// Part of the pool, and how much of it is taken. Only what is in the [`crate::Share`] counts, so that the parts of
/// several translators add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// Protocol: each has ports of its own.
    pub protocol: Proto,
    /// Addresses.
    pub addresses: Ipv4Prefix,
    /// Ports.
    pub ports: RangeInclusive<u16>,
    /// Ports in use on all addresses.
    pub used: u64,
    /// Ports on all addresses.
    pub total: u64,
    /// Blocks in use, for any protocol of the entry; zero without blocks.
    pub blocks_used: u64,
    /// All blocks; zero without.
    pub blocks: u64,
    /// Whether that is worth an alarm.
    pub level: Level,
}

/// Part of the pool whose ports, or blocks, are nearly all taken, or no longer so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolAlarm {
    /// Whose ports; `None` where it is about blocks.
    pub protocol: Option<Proto>,
    /// Addresses.
    pub addresses: Ipv4Prefix,
    /// Ports.
    pub ports: RangeInclusive<u16>,
    /// What it is now.
    pub level: Level,
    /// Ports or blocks in use.
    pub used: u64,
    /// All of them, in this share.
    pub total: u64,
}

#[derive(Clone)]
pub(crate) struct Pool {
    space: Space,
    blocks: Option<Blocks>,
    log: Log,
}

impl Pool {
    pub(crate) fn new(config: &Config, seed: &[u8; 32]) -> Self {
        let mut space = Space::new(&config.pool, config.share, seed);
        let blocks = match config.port_block_size {
            0 => None,
            size => Some(Blocks::new(size, config.client_prefix_length, &mut space, seed)),
        };
        Self { space, blocks, log: Log::new(config.log_ports) }
    }

    /// Takes over other entries and forgets what is in use; [`Pool::take`] tells it again, then [`Pool::settle`]. Clients
    /// keep the blocks that are still there; `of` tells what a client is called from now on.
    pub(crate) fn replace(&mut self, config: &Config, seed: &[u8; 32], of: impl Fn(Ipv6Addr) -> Ipv6Addr) {
        let held = self.blocks.as_ref().map(|blocks| blocks.held(&self.space)).unwrap_or_default();
        let fresh = Numbers::new(Key::derive(seed, 12));
        let numbers = core::mem::replace(&mut self.space.numbers, fresh);
        let before = core::mem::replace(self, Self::new(config, seed));
        self.space.numbers = numbers;
        self.log.inherit(before.log);
        if let Some(blocks) = &mut self.blocks {
            blocks.restore(&mut self.space, &held, of);
        }
    }

    /// Ends [`Pool::replace`].
    pub(crate) fn settle(&mut self) {
        if let Some(blocks) = &mut self.blocks {
            blocks.settle(&mut self.space);
        }
    }

    /// True when the transport address is ours.
    pub(crate) fn contains(&self, proto: Proto, outside: Outside) -> bool {
        self.space.find(proto, outside).is_some()
    }

    /// True when some port of the address is ours.
    pub(crate) fn contains_address(&self, address: Ipv4Addr) -> bool {
        self.space.ranges.iter().any(|range| range.addresses.contains(address))
    }

    /// Finds a free outside transport address for `inside`, which is the client's, and takes it.
    pub(crate) fn allocate(&mut self, proto: Proto, client: Ipv6Addr, inside: Inside) -> Option<Outside> {
        if let Some(blocks) = &mut self.blocks
            && let Some(outside) = blocks.allocate(&mut self.space, &mut self.log, proto, client, inside.port)
        {
            return Some(outside);
        }
        let (spot, outside) = self.single(proto, client, inside.port)?;
        self.note_taken(proto, spot, Some(client), inside, outside);
        Some(outside)
    }

    /// Any free port, on the client's address if there is one.
    fn single(&mut self, proto: Proto, client: Ipv6Addr, inside: u16) -> Option<(Spot, Outside)> {
        let (home, start) = self.space.home(client)?;
        let near = self.blocks.as_ref().and_then(|blocks| blocks.near(client)).unwrap_or(home);
        let address = self.space.range(near.range)?.address(near.address);
        for range in self.space.from(near.range) {
            if let Some(spot) = self.space.spot(proto, range, address)
                && let Some(outside) = self.space.give(proto, spot, None, inside)
            {
                return Some((spot, outside));
            }
        }
        for range in self.space.from(near.range) {
            if let Some(spot) = self.space.with_room(proto, range, start)
                && let Some(outside) = self.space.give(proto, spot, None, inside)
            {
                return Some((spot, outside));
            }
        }
        None
    }

    /// Takes one that is known; false when it is not ours or taken already. `client` is `None` for a static binding, which
    /// is nobody's share.
    pub(crate) fn take(
        &mut self,
        proto: Proto,
        client: Option<Ipv6Addr>,
        inside: Inside,
        outside: Outside,
    ) -> bool {
        let Some(spot) = self.space.find(proto, outside) else { return false };
        if !self.space.mark(proto, spot, outside.port, true) {
            return false;
        }
        self.note_taken(proto, spot, client, inside, outside);
        true
    }

    fn note_taken(
        &mut self,
        proto: Proto,
        spot: Spot,
        client: Option<Ipv6Addr>,
        inside: Inside,
        outside: Outside,
    ) {
        let blocks = self.blocks.as_mut();
        if !blocks.is_some_and(|blocks| blocks.take(&mut self.space, spot, outside.port, client)) {
            self.log.push(PortEvent::single(proto, inside, outside, true));
        }
    }

    /// Gives back what [`Pool::allocate`] gave, or [`Pool::take`] took for the same.
    pub(crate) fn release(
        &mut self,
        proto: Proto,
        client: Option<Ipv6Addr>,
        inside: Inside,
        outside: Outside,
    ) {
        let Some(spot) = self.space.find(proto, outside) else { return };
        if !self.space.mark(proto, spot, outside.port, false) {
            return;
        }
        let released = match &mut self.blocks {
            Some(blocks) => blocks.release(&mut self.space, spot, outside.port, client),
            None => Released::Single,
        };
        match released {
            Released::Single => self.log.push(PortEvent::single(proto, inside, outside, false)),
            Released::OfBlock => {}
            Released::Block(event) => self.log.push(event),
        }
    }

    /// True when the transport address is in a block of the client.
    pub(crate) fn is_in_own_block(&self, proto: Proto, client: Ipv6Addr, outside: Outside) -> bool {
        let (Some(blocks), Some(spot)) = (&self.blocks, self.space.find(proto, outside)) else {
            return false;
        };
        blocks.is_own(spot, outside.port, client)
    }

    /// The blocks that clients have.
    pub(crate) fn owned_blocks(&self) -> impl Iterator<Item = PortEvent> {
        self.blocks.iter().flat_map(|blocks| blocks.owned(&self.space))
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = PoolView> {
        Proto::ALL.into_iter().flat_map(move |protocol| {
            let carry = move |n: &usize| self.space.ranges.get(*n).is_some_and(|r| r.carries(protocol));
            (0..self.space.ranges.len()).filter(carry).filter_map(move |n| self.view(protocol, n))
        })
    }

    /// The part that a transport address is of.
    pub(crate) fn view_of(&self, protocol: Proto, outside: Outside) -> Option<PoolView> {
        let spot = self.space.find(protocol, outside)?;
        self.view(protocol, spot.range as usize)
    }

    /// A part of the pool whose level is not the one that was told last; then it is.
    pub(crate) fn poll_alarm(&mut self) -> Option<PoolAlarm> {
        if !self.space.alarmed {
            return None;
        }
        for range in &mut self.space.ranges {
            let of_protocols = Proto::ALL.into_iter().zip(&mut range.gauges);
            let ports = of_protocols.map(|(protocol, gauge)| (Some(protocol), gauge));
            for (protocol, gauge) in ports.chain([(None, &mut range.blocks)]) {
                if let Some(level) = gauge.tell() {
                    let (addresses, ports) = (range.addresses, range.ports.clone());
                    return Some(PoolAlarm {
                        protocol,
                        addresses,
                        ports,
                        level,
                        used: gauge.used,
                        total: gauge.total,
                    });
                }
            }
        }
        self.space.alarmed = false;
        None
    }

    fn view(&self, protocol: Proto, n: usize) -> Option<PoolView> {
        let range = self.space.ranges.get(n)?;
        let gauge = range.gauges[protocol as usize];
        Some(PoolView {
            protocol,
            addresses: range.addresses,
            ports: range.ports.clone(),
            used: gauge.used,
            total: gauge.total,
            blocks_used: range.blocks.used,
            blocks: range.blocks.total,
            level: gauge.level.max(range.blocks.level),
        })
    }
}

#[cfg(test)]
mod tests;
