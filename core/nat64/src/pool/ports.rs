//! The ports of one outside address, a bit each.

use alloc::vec;
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

#[derive(Clone)]
pub(super) struct Ports {
    /// The ports, the end not included.
    ports: Range<u32>,
    /// Set bits are in use; bit 0 is the first port of the word that the range begins in.
    bits: Vec<u64>,
    share: Share,
    /// Ports of the share that are free.
    free: u32,
}

impl Ports {
    /// All ports free. The range is not empty.
    pub(super) fn new(ports: &RangeInclusive<u16>, share: Share) -> Self {
        let free = share.ports_of(ports);
        let ports = u32::from(*ports.start())..u32::from(*ports.end()) + 1;
        let words = ports.end.div_ceil(WORD) - ports.start / WORD;
        Self { ports, bits: vec![0; words as usize], share, free }
    }

    /// Ports of the share that are free.
    pub(super) const fn free(&self) -> u32 {
        self.free
    }

    /// Takes a port of the range or gives it back; false when there is nothing to change.
    pub(super) fn mark(&mut self, port: u16, mark: bool) -> bool {
        let n = u32::from(port);
        let Some(word) =
            self.word(n).and_then(|at| self.bits.get_mut(at)).filter(|_| self.ports.contains(&n))
        else {
            return false;
        };
        let bit = 1 << (n % WORD);
        if (*word & bit != 0) == mark {
            return false;
        }
        *word ^= bit;
        if self.share.has(port) {
            self.free = if mark { self.free - 1 } else { self.free + 1 };
        }
        true
    }

    /// A free port of the share for an inside port, of all or of those `among`; `None` when they are all in use.
    pub(super) fn find(
        &self,
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
        choices.into_iter().flatten().find_map(|(among, mask)| self.search(&among, mask, numbers))
    }

    /// A free port of the share among these, searched upwards from a random one and around.
    fn search(&self, among: &Range<u32>, mask: u64, numbers: &mut Numbers) -> Option<u16> {
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
        upwards.chain(around).find_map(|ports| self.first_free(ports, mask)).map(|port| port as u16)
    }

    /// The first free one of these that `mask` has.
    fn first_free(&self, among: Range<u32>, mask: u64) -> Option<u32> {
        let mut at = among.start;
        while at < among.end {
            let word = self.bits.get(self.word(at)?)?;
            let free = !word & mask & (ALL << (at % WORD));
            if free != 0 {
                let n = at / WORD * WORD + free.trailing_zeros();
                return (n < among.end).then_some(n);
            }
            at = (at / WORD + 1) * WORD;
        }
        None
    }

    /// Where the word of a port is.
    fn word(&self, port: u32) -> Option<usize> {
        Some((port / WORD).checked_sub(self.ports.start / WORD)? as usize)
    }
}
