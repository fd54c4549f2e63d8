//! The ports of one outside address, a bit each.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Range, RangeInclusive};

use crate::endpoint::Proto;
use crate::keyed::Numbers;

/// Ports below this are "well-known" (RFC 4787, section 4.2.2).
const REGISTERED: u16 = 1024;
const ALL: u64 = u64::MAX;
const EVEN: u64 = 0x5555_5555_5555_5555;

pub(super) struct Block {
    first: u16,
    /// Set bits are in use; bit 0 is `first`.
    bits: Vec<u64>,
    ports: u32,
    used: u32,
}

impl Block {
    /// All ports free. The range is not empty.
    pub(super) fn new(ports: RangeInclusive<u16>) -> Self {
        let count = u32::from(*ports.end() - *ports.start()) + 1;
        Self { first: *ports.start(), bits: vec![0; count.div_ceil(64) as usize], ports: count, used: 0 }
    }

    /// Marks a port of the range; false when it was marked.
    pub(super) fn set(&mut self, port: u16) -> bool {
        self.change(port, true)
    }

    /// Frees a port of the range; false when it was free.
    pub(super) fn clear(&mut self, port: u16) -> bool {
        self.change(port, false)
    }

    fn change(&mut self, port: u16, mark: bool) -> bool {
        let n = u32::from(port.wrapping_sub(self.first));
        let Some(word) = self.bits.get_mut((n / 64) as usize).filter(|_| n < self.ports) else {
            return false;
        };
        let bit = 1 << (n % 64);
        if (*word & bit != 0) == mark {
            return false;
        }
        *word ^= bit;
        self.used = if mark { self.used + 1 } else { self.used - 1 };
        true
    }

    /// A free port for an inside port, or `None` when all are in use.
    pub(super) fn find(&self, proto: Proto, inside: u16, numbers: &mut Numbers) -> Option<u16> {
        if self.used == self.ports {
            return None;
        }
        let whole = 0..self.ports;
        let edge = u32::from(REGISTERED.saturating_sub(self.first)).min(self.ports);
        let half = if inside < REGISTERED { 0..edge } else { edge..self.ports };
        let parity = if (inside ^ self.first) & 1 == 0 { EVEN } else { !EVEN };
        let choices = match proto {
            // An identifier has neither half nor parity.
            Proto::Icmp => [Some((whole, ALL)), None, None],
            Proto::Tcp | Proto::Udp => [Some((half.clone(), parity)), Some((half, ALL)), Some((whole, ALL))],
        };
        choices.into_iter().flatten().find_map(|(among, mask)| self.search(among, mask, numbers))
    }

    /// A free port among these, searched upwards from a random one and around.
    fn search(&self, among: Range<u32>, mask: u64, numbers: &mut Numbers) -> Option<u16> {
        if among.is_empty() {
            return None;
        }
        let start = among.start + numbers.below(among.end - among.start);
        let n = self.free(start..among.end, mask).or_else(|| self.free(among.start..start, mask))?;
        // Below `ports`, hence within the range of 16 bits.
        Some(self.first + n as u16)
    }

    /// The first free one of these that `mask` has.
    fn free(&self, among: Range<u32>, mask: u64) -> Option<u32> {
        let mut at = among.start;
        while at < among.end {
            let word = self.bits.get((at / 64) as usize)?;
            let free = !word & mask & (ALL << (at % 64));
            if free != 0 {
                let n = at / 64 * 64 + free.trailing_zeros();
                return (n < among.end).then_some(n);
            }
            at = (at / 64 + 1) * 64;
        }
        None
    }
}
