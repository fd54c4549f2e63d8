//! Which outside ports belong to which of several translators that have one pool.

use core::iter::StepBy;
use core::ops::{Range, RangeInclusive};

/// Ports that the bitmaps of the pool hold together, and the smallest [`Share::unit`].
pub(crate) const WORD: u16 = 64;

/// The part of the pool that one translator of several gives away: ports are dealt in units, one after the other.
///
/// Whoever receives a packet for an outside port finds the translator that knows it with [`Share::owner_of_port`]. A
/// share is empty where the pool has fewer units than there are translators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which one, from zero.
    pub index: u16,
    /// Of how many; at least one.
    pub of: u16,
    /// Ports that stay together: 64, or the block size where that is larger. A power of two.
    pub unit: u16,
}

impl Default for Share {
    fn default() -> Self {
        Self::new(0, 1)
    }
}

impl Share {
    /// Share `index` of `of`, dealt in units of 64 ports.
    #[must_use]
    pub const fn new(index: u16, of: u16) -> Self {
        Self { index, of, unit: WORD }
    }

    /// The index of the share that a port is in, on every address and for every protocol.
    #[must_use]
    pub const fn owner_of_port(&self, port: u16) -> u16 {
        (port / self.unit()) % self.shares()
    }

    /// True when the port is in this share.
    #[must_use]
    pub const fn has(&self, port: u16) -> bool {
        self.owner_of_port(port) == self.index
    }

    /// How many ports of the range are in this share.
    #[must_use]
    pub fn ports_of(&self, range: &RangeInclusive<u16>) -> u32 {
        if range.is_empty() {
            return 0;
        }
        let among = u32::from(*range.start())..u32::from(*range.end()) + 1;
        self.units_of(&among).map(|unit| self.unit_within(unit, &among).len() as u32).sum()
    }

    /// The numbers of the units of this share that the ports reach into.
    pub(crate) fn units_of(&self, among: &Range<u32>) -> StepBy<Range<u32>> {
        let (unit, of) = (u32::from(self.unit()), u32::from(self.shares()));
        let first = among.start / unit;
        let own = first + (u32::from(self.index) + of - first % of) % of;
        // One after the last; nothing where there are no ports.
        let end = if among.is_empty() { own } else { among.end.div_ceil(unit) };
        (own..end).step_by(of as usize)
    }

    /// The ports of a unit that are among these.
    pub(crate) fn unit_within(&self, number: u32, among: &Range<u32>) -> Range<u32> {
        let unit = u32::from(self.unit());
        (number * unit).max(among.start)..((number + 1) * unit).min(among.end)
    }

    pub(crate) const fn unit(self) -> u16 {
        if self.unit < WORD { WORD } else { self.unit }
    }

    const fn shares(self) -> u16 {
        if self.of == 0 { 1 } else { self.of }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_dealt_by_the_word() {
        let share = Share::new(1, 3);
        assert_eq!(
            [0, 63, 64, 127, 128, 191, 192, 65_535].map(|p| share.owner_of_port(p)),
            [0, 0, 1, 1, 2, 2, 0, 0]
        );
        assert!(share.has(64) && !share.has(63));
        assert!((0..=u16::MAX).all(|port| Share::default().has(port)));
        let large = Share { unit: 512, ..Share::new(0, 2) };
        assert_eq!([0, 511, 512, 1023, 1024].map(|p| large.owner_of_port(p)), [0, 0, 1, 1, 0]);
    }

    #[test]
    fn shares_make_up_the_whole_and_meet_nowhere() {
        for (first, last) in
            [(1, 65_535), (1000, 1000), (60, 70), (10_000, 29_999), (65_535, 65_535), (0, 65_535)]
        {
            for of in [1, 2, 3, 7, 64] {
                let shares = (0..of).map(|index| Share::new(index, of));
                let counts: u32 = shares.clone().map(|s| s.ports_of(&(first..=last))).sum();
                assert_eq!(counts, u32::from(last - first) + 1);
                for share in shares {
                    let counted = (first..=last).filter(|port| share.has(*port)).count();
                    assert_eq!(share.ports_of(&(first..=last)) as usize, counted);
                }
            }
        }
        let nothing = RangeInclusive::new(5, 4);
        assert_eq!(Share::default().ports_of(&nothing), 0);
    }

    #[test]
    fn a_share_written_with_nothing_in_it_is_the_whole() {
        let share = Share { index: 0, of: 0, unit: 0 };
        assert!(share.has(77));
        assert_eq!(share.ports_of(&(1..=100)), 100);
    }
}
