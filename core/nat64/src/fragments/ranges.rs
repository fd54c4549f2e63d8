//! Which octets of a datagram have been seen.

/// More gaps than this in one datagram are nobody's honest reordering.
const MOST: usize = 16;

/// What adding a range did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Added {
    /// No octet had been seen.
    New,
    /// Every octet had been seen.
    Known,
    /// Some had been seen.
    Overlap,
    /// There is no place for another gap.
    TooMany,
}

/// Ranges in order, none touching the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranges {
    ranges: [(u32, u32); MOST],
    count: usize,
}

impl Ranges {
    pub(super) const fn new() -> Self {
        Self { ranges: [(0, 0); MOST], count: 0 }
    }

    /// The end of the last range.
    pub(super) fn end(&self) -> u32 {
        self.ranges[..self.count].last().map_or(0, |r| r.1)
    }

    /// True when everything up to `total` has been seen.
    pub(super) fn is_whole(&self, total: u32) -> bool {
        self.ranges[..self.count] == [(0, total)]
    }

    /// Adds `start..end`, which is not empty.
    pub(super) fn add(&mut self, start: u32, end: u32) -> Added {
        let seen = &self.ranges[..self.count];
        // The first range that ends behind the start: the only one that may contain it.
        let at = seen.partition_point(|r| r.1 <= start);
        if let Some((from, to)) = seen.get(at).copied()
            && from < end
        {
            return if from <= start && end <= to { Added::Known } else { Added::Overlap };
        }
        let joins_before = at > 0 && seen[at - 1].1 == start;
        let joins_after = seen.get(at).is_some_and(|r| r.0 == end);
        match (joins_before, joins_after) {
            (true, true) => {
                self.ranges[at - 1].1 = self.ranges[at].1;
                self.ranges.copy_within(at + 1..self.count, at);
                self.count -= 1;
            }
            (true, false) => self.ranges[at - 1].1 = end,
            (false, true) => self.ranges[at].0 = start,
            (false, false) => {
                if self.count == MOST {
                    return Added::TooMany;
                }
                self.ranges.copy_within(at..self.count, at + 1);
                self.ranges[at] = (start, end);
                self.count += 1;
            }
        }
        Added::New
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_agree_with_a_map_of_octets(steps: Vec<(u8, u8)>) {
            let mut ranges = Ranges::new();
            let mut map = [false; 512];
            for (start, length) in steps {
                let (start, end) = (u32::from(start), u32::from(start) + u32::from(length % 16) + 1);
                let octets = &mut map[start as usize..end as usize];
                let seen = octets.iter().filter(|o| **o).count();
                let expected = match seen {
                    0 => Added::New,
                    n if n == octets.len() => Added::Known,
                    _ => Added::Overlap,
                };
                let added = ranges.add(start, end);
                if added == Added::TooMany {
                    prop_assert_eq!(expected, Added::New);
                    continue;
                }
                prop_assert_eq!(added, expected);
                if added == Added::New {
                    octets.fill(true);
                }
                let last = map.iter().rposition(|o| *o).map_or(0, |i| i as u32 + 1);
                prop_assert_eq!(ranges.end(), last);
                prop_assert_eq!(ranges.is_whole(last), last > 0 && map[..last as usize].iter().all(|o| *o));
            }
        }
    }
}
