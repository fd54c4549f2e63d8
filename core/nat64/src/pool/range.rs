//! One entry of the pool, and how full it is.

use core::net::Ipv4Addr;
use core::ops::RangeInclusive;

use sixgate_wire::addr::Ipv4Prefix;

use super::bits::Bits;
use crate::config::PoolEntry;
use crate::endpoint::{Outside, Proto};
use crate::share::Share;

/// How full a part of the pool is. An alarm that is raised ends only when a good part is free again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// There is room.
    Normal,
    /// More than 80 % are taken; ends below 75 %.
    High,
    /// More than 95 % are taken; ends below 90 %.
    Full,
}

impl Level {
    /// The level after a change, with `used` of `total` taken.
    fn next(self, used: u64, total: u64) -> Self {
        let over = |percent: u64| used * 100 > total * percent;
        let below = |percent: u64| used * 100 < total * percent;
        match self {
            _ if over(95) => Self::Full,
            Self::Full if !below(90) => Self::Full,
            Self::Full | Self::High if !below(75) => Self::High,
            _ if over(80) => Self::High,
            Self::Normal | Self::High | Self::Full => Self::Normal,
        }
    }
}

/// How much of something is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gauge {
    pub(super) used: u64,
    pub(super) total: u64,
    pub(super) level: Level,
    /// The level that has been told.
    pub(super) told: Level,
}

impl Gauge {
    pub(super) const fn new(total: u64) -> Self {
        Self { used: 0, total, level: Level::Normal, told: Level::Normal }
    }

    /// One more is taken, or one less; true when the level is not the one that has been told.
    pub(super) fn count(&mut self, more: bool) -> bool {
        self.used = if more { self.used + 1 } else { self.used.saturating_sub(1) };
        self.level = self.level.next(self.used, self.total);
        self.level != self.told
    }

    /// The level, if it has not been told yet; then it has.
    pub(super) fn tell(&mut self) -> Option<Level> {
        let news = (self.level != self.told).then_some(self.level);
        self.told = self.level;
        news
    }
}

#[derive(Clone)]
pub(super) struct Range {
    /// `None` means all.
    pub(super) protocol: Option<Proto>,
    pub(super) addresses: Ipv4Prefix,
    pub(super) ports: RangeInclusive<u16>,
    /// Ports of the share, of all addresses, by protocol.
    pub(super) gauges: [Gauge; 3],
    /// Blocks of the share, of all addresses.
    pub(super) blocks: Gauge,
    /// Addresses on which the share has no free port, by protocol.
    pub(super) full: [Bits; 3],
}

impl Range {
    pub(super) fn new(entry: &PoolEntry, share: Share) -> Self {
        let addresses = 1_u64 << (32 - u32::from(entry.addresses.length()));
        let total = addresses * u64::from(share.ports_of(&entry.ports));
        Self {
            protocol: entry.protocol,
            addresses: entry.addresses,
            ports: entry.ports.clone(),
            gauges: [Gauge::new(total); 3],
            blocks: Gauge::new(0),
            // A pool is never so large; whatever is beyond is not given away.
            full: core::array::from_fn(|_| Bits::new(u32::try_from(addresses).unwrap_or(u32::MAX))),
        }
    }

    /// A port of the share on an address was taken or given back, and so many are free there now; true when that is worth an
    /// alarm.
    pub(super) fn note(&mut self, proto: Proto, address: u32, free: u32, more: bool) -> bool {
        self.full[proto as usize].mark(address, free == 0);
        self.gauges[proto as usize].count(more)
    }

    pub(super) fn carries(&self, proto: Proto) -> bool {
        self.protocol.is_none_or(|only| only == proto)
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(1_u64 << (32 - u32::from(self.addresses.length()))).unwrap_or(u32::MAX)
    }

    pub(super) fn address(&self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.addresses.address().to_bits().wrapping_add(index))
    }

    pub(super) fn index(&self, address: Ipv4Addr) -> Option<u32> {
        let index = address.to_bits().wrapping_sub(self.addresses.address().to_bits());
        self.addresses.contains(address).then_some(index)
    }

    pub(super) fn contains(&self, proto: Proto, outside: Outside) -> bool {
        self.carries(proto) && self.addresses.contains(outside.address) && self.ports.contains(&outside.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_does_not_flap() {
        let mut level = Level::Normal;
        let mut at = |used| {
            level = level.next(used, 100);
            level
        };
        assert_eq!([80, 81, 80, 75].map(&mut at), [Level::Normal, Level::High, Level::High, Level::High]);
        assert_eq!([74, 80, 96, 95].map(&mut at), [Level::Normal, Level::Normal, Level::Full, Level::Full]);
        assert_eq!([90, 89, 96, 10].map(&mut at), [Level::Full, Level::High, Level::Full, Level::Normal]);
    }
}
