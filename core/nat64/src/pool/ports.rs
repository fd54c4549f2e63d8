//! The ports of one outside address, a bit each.

use alloc::vec::Vec;
use core::ops::{Range, RangeInclusive};

use crate::endpoint::Proto;
use crate::keyed::Numbers;
use crate::share::{self, Share};

/// Ports below this are "well-known" (RFC 4787, section 4.2.2).
pub(super) const REGISTERED: u32 = 1024;
const WORD: u32 = share::WORD as u32;
const ALL: u64 = u64::MAX;
const EVEN: u64 = 0x5555_5555_5555_5555;

/// Ports that have memory as soon as one of them is in use.
const GROUP: u32 = 4096;
const WORDS: usize = (GROUP / WORD) as usize;
const GROUPS: usize = 16;
/// No port of the group is in use.
const NONE: u32 = u32::MAX;

/// A bit for each of 4,096 ports.
#[derive(Clone)]
struct Group {
    bits: [u64; WORDS],
    used: u32,
}

/// Groups that get their memory at once: growth copies none of those that are there.
const CHUNK: usize = 64;

/// The groups of all addresses. A pool may have far more ports than there are sessions: only what is in use has memory, and
/// what was in use lends it to the next.
#[derive(Clone, Default)]
pub(super) struct Groups {
    chunks: Vec<Vec<Group>>,
    free: Vec<u32>,
}

impl Groups {
    fn take(&mut self) -> u32 {
        if let Some(number) = self.free.pop() {
            return number;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let Some(chunk) = self.chunks.last_mut() else { return NONE };
        chunk.push(Group { bits: [0; WORDS], used: 0 });
        // Far below 2^32: there are no more than ports in use.
        (before + chunk.len() - 1) as u32
    }

    fn get(&self, number: u32) -> Option<&Group> {
        self.chunks.get(number as usize / CHUNK)?.get(number as usize % CHUNK)
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut Group> {
        self.chunks.get_mut(number as usize / CHUNK)?.get_mut(number as usize % CHUNK)
    }

    /// Groups in memory.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
    }
}

#[derive(Clone)]
pub(super) struct Ports {
    /// The ports, the end not included.
    ports: Range<u32>,
    /// Set bits are in use.
    groups: [u32; GROUPS],
    share: Share,
    /// Ports of the share that are free.
    free: u32,
    /// Ports in use.
    used: u32,
}

impl Ports {
    /// All ports free.
    pub(super) fn new(ports: &RangeInclusive<u16>, share: Share) -> Self {
        let free = share.ports_of(ports);
        let ports = u32::from(*ports.start())..u32::from(*ports.end()) + 1;
        Self { ports, groups: [NONE; GROUPS], share, free, used: 0 }
    }

    /// Ports of the share that are free.
    pub(super) const fn free(&self) -> u32 {
        self.free
    }

    /// True when no port is in use.
    pub(super) const fn is_idle(&self) -> bool {
        self.used == 0
    }

    /// Takes a port of the range or gives it back; false when there is nothing to change.
    pub(super) fn mark(&mut self, groups: &mut Groups, port: u16, mark: bool) -> bool {
        let n = u32::from(port);
        if !self.ports.contains(&n) {
            return false;
        }
        // Sixteen bits: one of sixteen groups.
        let slot = &mut self.groups[(n / GROUP) as usize];
        if *slot == NONE {
            if !mark {
                return false;
            }
            *slot = groups.take();
        }
        let Some(group) = groups.get_mut(*slot) else { return false };
        let word = &mut group.bits[(n % GROUP / WORD) as usize];
        let bit = 1 << (n % WORD);
        if (*word & bit != 0) == mark {
            return false;
        }
        *word ^= bit;
        let by = if mark { 1 } else { -1 };
        group.used = group.used.saturating_add_signed(by);
        self.used = self.used.saturating_add_signed(by);
        if group.used == 0 {
            groups.free.push(*slot);
            *slot = NONE;
        }
        if self.share.has(port) {
            self.free = self.free.saturating_add_signed(-by);
        }
        true
    }

    /// A free port of the share for an inside port, of all or of those `among`; `None` when they are all in use.
    pub(super) fn find(
        &self,
        groups: &Groups,
        proto: Proto,
        inside: u16,
        among: Option<Range<u32>>,
        numbers: &mut Numbers,
    ) -> Option<u16> {
        if self.free == 0 {
            return None;
        }
        let whole = among.map_or(self.ports.clone(), |among| {
            among.start.max(self.ports.start)..among.end.min(self.ports.end)
        });
        if whole.is_empty() {
            return None;
        }
        let edge = REGISTERED.clamp(whole.start, whole.end);
        let half = if u32::from(inside) < REGISTERED { whole.start..edge } else { edge..whole.end };
        let parity = if inside & 1 == 0 { EVEN } else { !EVEN };
        let choices = match proto {
            // An identifier has neither half nor parity.
            Proto::Icmp => [Some((whole, ALL)), None, None],
            Proto::Tcp | Proto::Udp => [Some((half.clone(), parity)), Some((half, ALL)), Some((whole, ALL))],
        };
        choices.into_iter().flatten().find_map(|(among, mask)| self.search(groups, &among, mask, numbers))
    }

    /// A free port of the share among these, searched upwards from a random one and around.
    fn search(&self, groups: &Groups, among: &Range<u32>, mask: u64, numbers: &mut Numbers) -> Option<u16> {
        let units = self.share.units_of(among);
        // At most 1,024 units, and at most 65,536 ports in one.
        let nth = numbers.below(units.clone().len() as u32);
        let chosen = units.clone().nth(nth as usize)?;
        let start = self.share.unit_within(chosen, among);
        let middle = start.start + numbers.below(start.len() as u32);
        let upwards = core::iter::once(middle..start.end)
            .chain(units.clone().skip(nth as usize + 1).map(|unit| self.share.unit_within(unit, among)));
        let around = units
            .take(nth as usize)
            .map(|unit| self.share.unit_within(unit, among))
            .chain(core::iter::once(start.start..middle));
        // Ports have 16 bits.
        upwards.chain(around).find_map(|ports| self.first_free(groups, ports, mask)).map(|port| port as u16)
    }

    /// The first free one of these that `mask` has.
    fn first_free(&self, groups: &Groups, among: Range<u32>, mask: u64) -> Option<u32> {
        let mut at = among.start;
        while at < among.end {
            let group = groups.get(*self.groups.get((at / GROUP) as usize)?);
            let used = group.map_or(0, |group| group.bits[(at % GROUP / WORD) as usize]);
            let free = !used & mask & (ALL << (at % WORD));
            if free != 0 {
                let n = at / WORD * WORD + free.trailing_zeros();
                return (n < among.end).then_some(n);
            }
            at = (at / WORD + 1) * WORD;
        }
        None
    }
}
