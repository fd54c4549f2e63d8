//! When a session is looked at next: a wheel of buckets, one a tick.
//!
//! A packet that passes only writes down when it did; the session stays in its bucket. When the bucket's tick comes the session
//! is looked at, and either its time is over or it moves on to the bucket of its time. So a session that is busy costs two
//! neighbours once in its lifetime and not with every packet. What lies farther away than the wheel goes around waits in the
//! farthest bucket.

use alloc::vec;
use alloc::vec::Vec;

use sixgate_time::Instant;

/// Nanoseconds of a tick: how much longer than it lives a session may stay in the table.
const TICK: u64 = 125_000_000;
const BUCKETS: u64 = 4096;
const NONE: u32 = u32::MAX;

/// Neighbours in a bucket, and which bucket. Packed, so that it fits beside all else of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C, packed(2))]
pub(crate) struct Place {
    before: u32,
    after: u32,
    bucket: u16,
}

impl Place {
    /// In no bucket.
    pub(crate) const NOWHERE: Self = Self { before: NONE, after: NONE, bucket: u16::MAX };
}

/// Where the places are.
pub(crate) trait Places {
    fn place(&mut self, id: u32) -> Option<&mut Place>;
}

pub(crate) struct Wheel {
    heads: Vec<u32>,
    /// A bit for each bucket that is not empty.
    occupied: [u64; (BUCKETS / 64) as usize],
    /// The last tick whose bucket is done with; no bucket is further than one round away from it.
    done: u64,
}

impl Wheel {
    pub(crate) fn new() -> Self {
        Self { heads: vec![NONE; BUCKETS as usize], occupied: [0; (BUCKETS / 64) as usize], done: 0 }
    }

    /// Puts `id`, which is in no bucket, into that of the moment `at`.
    pub(crate) fn schedule(&mut self, places: &mut impl Places, id: u32, at: Instant) {
        let bucket = (self.done + self.distance(at)) % BUCKETS;
        let head = core::mem::replace(&mut self.heads[bucket as usize], id);
        self.occupied[(bucket / 64) as usize] |= 1 << (bucket % 64);
        if let Some(place) = places.place(id) {
            *place = Place { before: NONE, after: head, bucket: bucket as u16 };
        }
        if let Some(after) = places.place(head) {
            after.before = id;
        }
    }

    /// Empties all buckets; whoever was in one is to be put in again.
    pub(crate) fn clear(&mut self) {
        self.heads.fill(NONE);
        self.occupied.fill(0);
    }

    /// Takes `id` out of its bucket.
    pub(crate) fn unlink(&mut self, places: &mut impl Places, id: u32) {
        let Some(place) = places.place(id) else { return };
        let Place { before, after, bucket } = core::mem::replace(place, Place::NOWHERE);
        if let Some(after) = places.place(after) {
            after.before = before;
        }
        if let Some(before) = places.place(before) {
            before.after = after;
            return;
        }
        let Some(head) = self.heads.get_mut(usize::from(bucket)) else { return };
        *head = after;
        if after == NONE {
            self.occupied[usize::from(bucket / 64)] &= !(1 << (bucket % 64));
        }
    }

    /// True when the bucket of `place` comes after the moment `at`: whoever is in it would be looked at too late.
    pub(crate) fn is_after(&self, place: Place, at: Instant) -> bool {
        let there = (u64::from(place.bucket) + BUCKETS - self.done % BUCKETS) % BUCKETS;
        self.distance(at) < there
    }

    /// Somebody whose tick has come by `now`. It stays where it is.
    pub(crate) fn due(&mut self, now: Instant) -> Option<u32> {
        let now = now.as_nanos() / TICK;
        if now <= self.done {
            return None;
        }
        match self.next() {
            Some(tick) if tick <= now => {
                self.done = tick - 1;
                self.heads.get((tick % BUCKETS) as usize).copied()
            }
            Some(_) | None => {
                self.done = now;
                None
            }
        }
    }

    /// When somebody is to be looked at next.
    pub(crate) fn first(&self) -> Option<Instant> {
        Some(Instant::from_nanos(self.next()? * TICK))
    }

    /// Everybody, in the order in which they will be due if nothing comes between.
    pub(crate) fn soonest(&self, place: impl Fn(u32) -> Option<Place> + Copy) -> impl Iterator<Item = u32> {
        let buckets = (1..BUCKETS).map(|n| (self.done + n) % BUCKETS);
        let heads = buckets.filter_map(|bucket| self.heads.get(bucket as usize));
        heads.flat_map(move |head| {
            let first = (*head != NONE).then_some(*head);
            core::iter::successors(first, move |id| Some(place(*id)?.after).filter(|id| *id != NONE))
        })
    }

    /// An empty one that stands where this one does.
    pub(crate) fn twin(&self) -> Self {
        Self { done: self.done, ..Self::new() }
    }

    /// The first tick whose bucket is not empty.
    fn next(&self) -> Option<u64> {
        let from = (self.done + 1) % BUCKETS;
        let words = self.occupied.len() as u64;
        // The word that it starts in comes twice: first what lies ahead in it, last what lies behind.
        (0..=words).find_map(|n| {
            let word = (from / 64 + n) % words;
            let ahead = u64::MAX << (from % 64);
            let mask = match n {
                0 => ahead,
                n if n == words => !ahead,
                _ => u64::MAX,
            };
            let bits = self.occupied[word as usize] & mask;
            let bucket = word * 64 + u64::from(bits.trailing_zeros());
            (bits != 0).then(|| self.done + 1 + (bucket + BUCKETS - from) % BUCKETS)
        })
    }

    /// Ticks from the last one that is done with to the moment `at`, within the wheel.
    fn distance(&self, at: Instant) -> u64 {
        at.as_nanos().div_ceil(TICK).saturating_sub(self.done).clamp(1, BUCKETS - 1)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use proptest::prelude::*;
    use sixgate_time::Duration;

    impl Places for Vec<Place> {
        fn place(&mut self, id: u32) -> Option<&mut Place> {
            self.get_mut(id as usize)
        }
    }

    /// Everybody has an end; looks until none is due, as sessions do.
    fn over(wheel: &mut Wheel, places: &mut Vec<Place>, ends: &[Instant], now: Instant) -> Vec<u32> {
        let mut over = Vec::new();
        while let Some(id) = wheel.due(now) {
            wheel.unlink(places, id);
            let end = ends[id as usize];
            if end <= now {
                over.push(id);
            } else {
                wheel.schedule(places, id, end);
            }
        }
        over
    }

    proptest! {
        #[test]
        fn nobody_ends_early_and_nobody_more_than_a_tick_late(
            ends in proptest::collection::vec(0_u64..2_000_000, 1..80),
            steps in proptest::collection::vec(1_u64..400_000, 1..60),
            taken in 0_usize..80,
        ) {
            let ends: Vec<Instant> = ends.into_iter().map(Instant::from_millis).collect();
            let mut places: Vec<Place> = std::vec![Place::NOWHERE; ends.len()];
            let mut wheel = Wheel::new();
            for (id, end) in ends.iter().enumerate() {
                wheel.schedule(&mut places, id as u32, *end);
            }
            let taken = taken % ends.len();
            wheel.unlink(&mut places, taken as u32);
            let mut waiting: Vec<u32> = (0..ends.len() as u32).filter(|id| *id as usize != taken).collect();
            let mut now = Instant::ZERO;
            for step in steps {
                now = now + Duration::from_millis(step);
                prop_assert!(wheel.first().is_some() != waiting.is_empty());
                for id in over(&mut wheel, &mut places, &ends, now) {
                    prop_assert!(ends[id as usize] <= now);
                    waiting.retain(|w| *w != id);
                }
                let late = now.as_nanos().saturating_sub(TICK);
                prop_assert!(waiting.iter().all(|id| ends[*id as usize].as_nanos() > late));
            }
        }
    }

    #[test]
    fn whole_ticks_are_exact() {
        let ends = [Instant::from_secs(300), Instant::from_millis(300_001)];
        let mut places = std::vec![Place::NOWHERE; 2];
        let mut wheel = Wheel::new();
        wheel.schedule(&mut places, 0, ends[0]);
        wheel.schedule(&mut places, 1, ends[1]);
        assert_eq!(wheel.first(), Some(ends[0]));
        assert!(wheel.is_after(places[1], ends[0]) && !wheel.is_after(places[1], ends[1]));
        assert!(over(&mut wheel, &mut places, &ends, Instant::from_millis(299_999)).is_empty());
        assert_eq!(over(&mut wheel, &mut places, &ends, ends[0]), [0]);
        assert_eq!(wheel.first(), Some(Instant::from_millis(300_125)));
    }
}
