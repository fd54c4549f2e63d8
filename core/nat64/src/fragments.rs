//! Fragments of datagrams (RFC 6146, section 3.4): what the first one learned serves the others, and those that come
//! before it wait. Nothing is put together here; each fragment is translated on its own.
//!
//! Bounded by datagrams and octets, altogether and for each source; overlap ends a datagram (RFC 5722). The oldest
//! datagram makes room, of the source that has its share, and of all when all is full: what was lost on the way, or was
//! sent to fill the table, must not keep out the honest, whose fragments come close after each other.

mod ranges;

use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::time::Duration;

use hashbrown::HashMap;
use sixgate_reason::{MALFORMED_TRANSPORT, NAT64_FRAGMENT_LIMIT, NAT64_FRAGMENT_OVERLAP, Reason};
use sixgate_time::Instant;
use sixgate_wire::Packet;

use crate::keyed::Key;
use crate::slab::{Queue, Slab};
use ranges::{Added, Ranges};

const MOST_DATAGRAMS: usize = 2048;
const MOST_DATAGRAMS_OF_SOURCE: u32 = 128;
const MOST_OCTETS: u32 = 2 << 20;
const MOST_OCTETS_OF_SOURCE: u32 = 192 << 10;
/// Buffers that are kept for the next fragments, and the largest of them: more would be memory that one bad hour took.
const MOST_SPARE: usize = 1024;
const LARGEST_SPARE: usize = 2048;

/// Which datagram a fragment belongs to (RFC 8200, section 4.5; RFC 791). IPv4 addresses as IPv4-mapped ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Datagram {
    pub(crate) src: Ipv6Addr,
    pub(crate) dst: Ipv6Addr,
    pub(crate) identification: u32,
    pub(crate) protocol: u8,
}

/// Which octets of it a fragment has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    pub(crate) offset: u16,
    pub(crate) length: usize,
    pub(crate) more: bool,
}

#[derive(Clone)]
struct Entry<M> {
    datagram: Datagram,
    since: Instant,
    seen: Ranges,
    total: Option<u32>,
    /// What the first fragment learned.
    mapping: Option<M>,
    /// The first fragment, while it waits.
    first: Option<u32>,
    waiting: Queue,
    /// Octets that wait.
    octets: u32,
    /// Why nothing more of it passes: overlapped, or its first fragment was refused.
    refused: Option<Reason>,
    /// Neighbours among those of its source, in the order of their age.
    older: Option<u32>,
    newer: Option<u32>,
}

#[derive(Clone, Copy, Default)]
struct Share {
    datagrams: u32,
    octets: u32,
    oldest: Option<u32>,
    newest: Option<u32>,
}

/// Datagrams of which not all fragments have come. `M` is what a datagram's addresses become.
#[derive(Clone)]
pub(crate) struct Fragments<M> {
    entries: Slab<Entry<M>>,
    index: HashMap<Datagram, u32, Key>,
    by_age: Queue,
    waiting: Slab<Vec<u8>>,
    /// Buffers that have been used and will be again.
    spare: Vec<Vec<u8>>,
    shares: HashMap<Ipv6Addr, Share, Key>,
    octets: u32,
    /// Fragments that waited in vain and were not taken notice of yet.
    given_up: usize,
}

impl<M: Copy> Fragments<M> {
    pub(crate) fn new(key: Key) -> Self {
        Self {
            entries: Slab::with_capacity(64),
            index: HashMap::with_capacity_and_hasher(MOST_DATAGRAMS, key),
            by_age: Queue::new(),
            waiting: Slab::with_capacity(64),
            spare: Vec::new(),
            shares: HashMap::with_capacity_and_hasher(64, key),
            octets: 0,
            given_up: 0,
        }
    }

    /// Notes a fragment and gives the number of its datagram. Datagrams whose time is over, `timeout` after their
    /// beginning, are given up first.
    ///
    /// # Errors
    /// Why the fragment must not pass.
    pub(crate) fn arrive(
        &mut self,
        now: Instant,
        timeout: Duration,
        datagram: Datagram,
        part: Part,
    ) -> Result<u32, Reason> {
        // RFC 8200, section 4.5: fragments but the last are multiples of eight, and the whole fits 65,535.
        let start = u32::from(part.offset);
        let end = u32::try_from(part.length).unwrap_or(u32::MAX).saturating_add(start);
        if part.length == 0 || end > 65_535 || part.more && !part.length.is_multiple_of(8) {
            return Err(MALFORMED_TRANSPORT);
        }
        // Each entry is given up once, so that this costs no more than what has come before.
        while self.expire_one(now, timeout) {}
        let id = match self.index.get(&datagram) {
            Some(id) => *id,
            None => self.begin(now, datagram),
        };
        let Some(entry) = self.entries.get_mut(id) else { return Err(NAT64_FRAGMENT_LIMIT) };
        if let Some(reason) = entry.refused {
            return Err(reason);
        }
        let beyond = entry.total.is_some_and(|total| end > total || !part.more && end != total);
        let short = !part.more && entry.seen.end() > end;
        let added = if beyond || short { Added::Overlap } else { entry.seen.add(start, end) };
        match added {
            Added::New => {}
            // The same octets again: one copy has been dealt with, the network made another.
            Added::Known => return Err(NAT64_FRAGMENT_OVERLAP),
            Added::Overlap => {
                self.refuse(id, NAT64_FRAGMENT_OVERLAP);
                return Err(NAT64_FRAGMENT_OVERLAP);
            }
            Added::TooMany => {
                self.forget(id);
                return Err(NAT64_FRAGMENT_LIMIT);
            }
        }
        if !part.more {
            entry.total = Some(end);
        }
        Ok(id)
    }

    fn begin(&mut self, now: Instant, datagram: Datagram) -> u32 {
        let share = self.shares.get(&datagram.src).copied().unwrap_or_default();
        let oldest = match share.oldest {
            own if share.datagrams >= MOST_DATAGRAMS_OF_SOURCE => own,
            _ if self.entries.len() >= MOST_DATAGRAMS => self.by_age.first(),
            _ => None,
        };
        if let Some(oldest) = oldest {
            self.forget(oldest);
        }
        let share = self.shares.entry(datagram.src).or_default();
        let older = share.newest;
        let id = self.entries.insert(Entry {
            datagram,
            since: now,
            seen: Ranges::new(),
            total: None,
            mapping: None,
            first: None,
            waiting: Queue::new(),
            octets: 0,
            refused: None,
            older,
            newer: None,
        });
        share.datagrams += 1;
        share.newest = Some(id);
        share.oldest = share.oldest.or(Some(id));
        if let Some(older) = older.and_then(|older| self.entries.get_mut(older)) {
            older.newer = Some(id);
        }
        self.entries.push_back(&mut self.by_age, id);
        self.index.insert(datagram, id);
        id
    }

    /// What the first fragment learned.
    pub(crate) fn mapping(&self, id: u32) -> Option<M> {
        self.entries.get(id)?.mapping
    }

    /// Octets of the whole datagram, once its last fragment has come.
    pub(crate) fn total(&self, id: u32) -> Option<u32> {
        self.entries.get(id)?.total
    }

    /// True when the first fragment waits.
    pub(crate) fn first_waits(&self, id: u32) -> bool {
        self.entries.get(id).is_some_and(|e| e.first.is_some())
    }

    /// The first fragment of a datagram, if it waits.
    pub(crate) fn waiting_first(&self, datagram: &Datagram) -> Option<&[u8]> {
        let held = self.entries.get(*self.index.get(datagram)?)?.first?;
        self.waiting.get(held).map(Vec::as_slice)
    }

    /// Fragments that wait, and their octets.
    pub(crate) fn waiting(&self) -> (usize, u32) {
        (self.waiting.len(), self.octets)
    }

    pub(crate) fn learn(&mut self, id: u32, mapping: M) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.mapping = Some(mapping);
        }
    }

    /// Keeps a copy of a fragment until its time comes.
    ///
    /// # Errors
    /// [`NAT64_FRAGMENT_LIMIT`]; the datagram is forgotten then, since it can never be whole.
    pub(crate) fn hold(&mut self, id: u32, packet: &[u8], first: bool) -> Result<(), Reason> {
        // A packet is shorter than 2^17.
        let length = packet.len() as u32;
        let Some(src) = self.entries.get(id).map(|e| e.datagram.src) else {
            return Err(NAT64_FRAGMENT_LIMIT);
        };
        while let Some(share) = self.shares.get(&src) {
            let oldest = match share.oldest {
                own if share.octets + length > MOST_OCTETS_OF_SOURCE => own,
                _ if self.octets + length > MOST_OCTETS => self.by_age.first(),
                _ => None,
            };
            let Some(oldest) = oldest else { break };
            self.forget(oldest);
        }
        // It may have been the oldest itself.
        let Some(entry) = self.entries.get_mut(id) else { return Err(NAT64_FRAGMENT_LIMIT) };
        self.shares.entry(entry.datagram.src).or_default().octets += length;
        self.octets += length;
        entry.octets += length;
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(packet);
        let held = self.waiting.insert(buffer);
        if first {
            entry.first = Some(held);
        } else {
            self.waiting.push_back(&mut entry.waiting, held);
        }
        Ok(())
    }

    /// Moves one that waits into `out`, the first fragment before the others; false when none is left.
    pub(crate) fn release(&mut self, id: u32, out: &mut Packet) -> bool {
        let Some(entry) = self.entries.get_mut(id) else { return false };
        let held = match entry.first.take() {
            Some(held) => held,
            None => {
                let Some(held) = entry.waiting.first() else { return false };
                self.waiting.unlink(&mut entry.waiting, held);
                held
            }
        };
        let Some(buffer) = self.waiting.remove(held) else { return false };
        let length = buffer.len() as u32;
        entry.octets = entry.octets.saturating_sub(length);
        self.octets = self.octets.saturating_sub(length);
        if let Some(share) = self.shares.get_mut(&entry.datagram.src) {
            share.octets = share.octets.saturating_sub(length);
        }
        out.reset();
        let fits = out.extend(&buffer);
        keep(&mut self.spare, buffer);
        fits
    }

    /// Forgets a datagram that has passed whole. One that was refused is remembered: a copy of it would wait in vain.
    pub(crate) fn finish(&mut self, id: u32) {
        let passed =
            |e: &Entry<M>| e.refused.is_none() && e.total.is_some_and(|total| e.seen.is_whole(total));
        if self.entries.get(id).is_some_and(passed) {
            self.forget(id);
        }
    }

    /// Gives up what waits of a datagram and refuses what comes of it later.
    pub(crate) fn refuse(&mut self, id: u32, reason: Reason) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.refused = Some(reason);
        }
        self.drop_waiting(id);
    }

    pub(crate) fn forget(&mut self, id: u32) {
        self.drop_waiting(id);
        self.entries.unlink(&mut self.by_age, id);
        let Some(entry) = self.entries.remove(id) else { return };
        self.index.remove(&entry.datagram);
        if let Some(older) = entry.older.and_then(|older| self.entries.get_mut(older)) {
            older.newer = entry.newer;
        }
        if let Some(newer) = entry.newer.and_then(|newer| self.entries.get_mut(newer)) {
            newer.older = entry.older;
        }
        if let Some(share) = self.shares.get_mut(&entry.datagram.src) {
            share.datagrams -= 1;
            if share.oldest == Some(id) {
                share.oldest = entry.newer;
            }
            if share.newest == Some(id) {
                share.newest = entry.older;
            }
            if share.datagrams == 0 {
                self.shares.remove(&entry.datagram.src);
            }
        }
    }

    fn drop_waiting(&mut self, id: u32) {
        let mut octets = 0;
        let Some(entry) = self.entries.get_mut(id) else { return };
        while let Some(held) = entry.first.take().or_else(|| {
            let held = entry.waiting.first()?;
            self.waiting.unlink(&mut entry.waiting, held);
            Some(held)
        }) {
            if let Some(buffer) = self.waiting.remove(held) {
                octets += buffer.len() as u32;
                keep(&mut self.spare, buffer);
                self.given_up += 1;
            }
        }
        entry.octets = 0;
        self.octets = self.octets.saturating_sub(octets);
        if let Some(share) = self.shares.get_mut(&entry.datagram.src) {
            share.octets = share.octets.saturating_sub(octets);
        }
    }

    /// When the oldest datagram is to be given up.
    pub(crate) fn first_expires(&self, timeout: Duration) -> Option<Instant> {
        Some(self.entries.get(self.by_age.first()?)?.since + timeout)
    }

    /// Gives up the oldest datagram if its time has come; false when it is too early.
    pub(crate) fn expire_one(&mut self, now: Instant, timeout: Duration) -> bool {
        let due = self.first_expires(timeout).is_some_and(|at| at <= now);
        let Some(id) = self.by_age.first().filter(|_| due) else { return false };
        self.forget(id);
        true
    }

    /// Takes one from the fragments that waited in vain; false when there is none.
    pub(crate) fn take_given_up(&mut self) -> bool {
        let some = self.given_up > 0;
        self.given_up -= usize::from(some);
        some
    }
}

fn keep(spare: &mut Vec<Vec<u8>>, buffer: Vec<u8>) {
    if spare.len() < MOST_SPARE && buffer.capacity() <= LARGEST_SPARE {
        spare.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use proptest::prelude::*;

    const TWO: Duration = Duration::from_secs(2);

    fn datagram(n: u32) -> Datagram {
        Datagram { src: Ipv6Addr::LOCALHOST, dst: Ipv6Addr::UNSPECIFIED, identification: n, protocol: 17 }
    }

    fn part(offset: u16, length: usize, more: bool) -> Part {
        Part { offset, length, more }
    }

    fn table() -> Fragments<u8> {
        Fragments::new(Key::derive(&[5; 32], 0))
    }

    #[test]
    fn those_that_wait_come_out_after_the_first_and_the_entry_ends_when_whole() {
        let mut table = table();
        let mut out = Packet::new();
        let id = table.arrive(Instant::ZERO, TWO, datagram(1), part(16, 5, false)).unwrap();
        table.hold(id, &[3], false).unwrap();
        assert_eq!(table.arrive(Instant::ZERO, TWO, datagram(1), part(8, 8, true)), Ok(id));
        table.hold(id, &[2], false).unwrap();
        assert_eq!(table.total(id), Some(21));
        table.arrive(Instant::ZERO, TWO, datagram(1), part(0, 8, true)).unwrap();
        table.hold(id, &[1], true).unwrap();
        assert!(table.first_waits(id));
        let mut order = [0; 3];
        for slot in &mut order {
            assert!(table.release(id, &mut out));
            *slot = out.bytes()[0];
        }
        assert_eq!(order, [1, 3, 2]);
        assert!(!table.release(id, &mut out));
        table.finish(id);
        assert!(table.entries.len() == 0 && table.shares.is_empty() && table.octets == 0);
    }

    #[test]
    fn overlap_ends_the_datagram_and_repetition_does_not() {
        let mut table = table();
        let id = table.arrive(Instant::ZERO, TWO, datagram(1), part(0, 16, true)).unwrap();
        assert_eq!(
            table.arrive(Instant::ZERO, TWO, datagram(1), part(0, 16, true)),
            Err(NAT64_FRAGMENT_OVERLAP)
        );
        assert_eq!(table.arrive(Instant::ZERO, TWO, datagram(1), part(16, 8, true)), Ok(id));
        table.hold(id, &[0; 9], false).unwrap();
        assert_eq!(
            table.arrive(Instant::ZERO, TWO, datagram(1), part(8, 24, true)),
            Err(NAT64_FRAGMENT_OVERLAP)
        );
        assert_eq!(
            table.arrive(Instant::ZERO, TWO, datagram(1), part(64, 8, false)),
            Err(NAT64_FRAGMENT_OVERLAP)
        );
        assert_eq!(table.octets, 0);
        assert!(table.expire_one(Instant::from_secs(2), TWO));
        assert!(table.take_given_up(), "one of them waited");
        assert!(!table.take_given_up());
        assert!(table.arrive(Instant::ZERO, TWO, datagram(1), part(64, 8, false)).is_ok());
    }

    #[test]
    fn a_second_end_or_octets_behind_the_end_are_overlap() {
        let mut table = table();
        table.arrive(Instant::ZERO, TWO, datagram(1), part(16, 5, false)).unwrap();
        assert!(table.arrive(Instant::ZERO, TWO, datagram(1), part(24, 8, true)).is_err());
        table.arrive(Instant::ZERO, TWO, datagram(2), part(64, 8, true)).unwrap();
        assert!(table.arrive(Instant::ZERO, TWO, datagram(2), part(16, 5, false)).is_err());
    }

    #[test]
    fn impossible_fragments_are_malformed() {
        let mut table = table();
        for bad in [part(0, 0, true), part(0, 9, true), part(65_528, 8, false)] {
            assert_eq!(table.arrive(Instant::ZERO, TWO, datagram(1), bad), Err(MALFORMED_TRANSPORT));
        }
        assert_eq!(table.entries.len(), 0);
    }

    #[test]
    fn what_comes_of_a_refused_datagram_is_refused_for_the_same_reason() {
        let mut table = table();
        let id = table.arrive(Instant::ZERO, TWO, datagram(1), part(8, 8, true)).unwrap();
        table.hold(id, &[0; 9], false).unwrap();
        table.refuse(id, MALFORMED_TRANSPORT);
        assert!(table.take_given_up() && table.octets == 0);
        assert_eq!(
            table.arrive(Instant::ZERO, TWO, datagram(1), part(16, 8, false)),
            Err(MALFORMED_TRANSPORT)
        );
        assert!(table.expire_one(Instant::from_secs(2), TWO));
        assert!(table.arrive(Instant::ZERO, TWO, datagram(1), part(16, 8, false)).is_ok());
    }

    #[test]
    fn a_flood_from_invented_sources_does_not_keep_out_the_next_datagram() {
        let mut table = table();
        let from = |n: u32| Datagram { src: Ipv6Addr::from_bits(u128::from(n)), ..datagram(n) };
        for n in 0..10_000 {
            let id = table.arrive(Instant::ZERO, TWO, from(n), part(1480, 1480, true)).unwrap();
            table.hold(id, &[0; 1500], false).unwrap();
            assert!(table.entries.len() <= MOST_DATAGRAMS && table.octets <= MOST_OCTETS);
        }
        let id = table.arrive(Instant::ZERO, TWO, from(20_000), part(8, 8, false)).unwrap();
        table.hold(id, &[7; 48], false).unwrap();
        assert_eq!(table.total(id), Some(16));
        while table.expire_one(Instant::from_secs(2), TWO) {}
        assert!(table.octets == 0 && table.shares.is_empty() && table.index.is_empty());
        assert!(table.waiting.len() == 0 && table.spare.len() <= MOST_SPARE);
    }

    #[test]
    fn one_source_has_only_its_share_and_its_oldest_makes_room() {
        let mut table = table();
        for n in 0..MOST_DATAGRAMS_OF_SOURCE * 3 {
            let id = table.arrive(Instant::ZERO, TWO, datagram(n), part(8, 8, true)).unwrap();
            table.hold(id, &[0; 56], false).unwrap();
        }
        let most = MOST_DATAGRAMS_OF_SOURCE as usize;
        assert_eq!((table.entries.len(), table.given_up), (most, 2 * most));
        // The newest are there, the oldest are not.
        let last = MOST_DATAGRAMS_OF_SOURCE * 3 - 1;
        assert!(table.index.contains_key(&datagram(last)) && !table.index.contains_key(&datagram(0)));
        let other = Datagram { src: Ipv6Addr::UNSPECIFIED, ..datagram(999) };
        let id = table.arrive(Instant::ZERO, TWO, other, part(8, 8, true)).unwrap();
        for _ in 0..3 {
            table.hold(id, &[0; 60_000], false).unwrap();
        }
        // Alone it has no older one that could make room.
        assert_eq!(table.hold(id, &[0; 60_000], false), Err(NAT64_FRAGMENT_LIMIT));
        let next = Datagram { identification: 1000, ..other };
        for older in [next, Datagram { identification: 1001, ..other }] {
            let id = table.arrive(Instant::ZERO, TWO, older, part(8, 8, true)).unwrap();
            table.hold(id, &[0; 60_000], false).unwrap();
        }
        let id = table.arrive(Instant::ZERO, TWO, other, part(8, 8, true)).unwrap();
        table.hold(id, &[0; 60_000], false).unwrap();
        table.hold(id, &[0; 60_000], false).unwrap();
        assert!(!table.index.contains_key(&next) && table.octets <= MOST_OCTETS_OF_SOURCE + 128 * 56);
    }

    proptest! {
        #[test]
        fn what_is_counted_is_what_is_there(steps: Vec<(u8, u8, u8, bool)>) {
            let mut table = table();
            for (source, n, offset, more) in steps {
                let at = Instant::from_millis(u64::from(n) * 20);
                let src = Ipv6Addr::from_bits(u128::from(source % 3));
                let datagram = Datagram { src, ..datagram(u32::from(n % 16)) };
                if let Ok(id) = table.arrive(at, TWO, datagram, part(u16::from(offset % 8) * 8, 8, more)) {
                    match offset {
                        0..100 => drop(table.hold(id, &[0; 9000], offset % 8 == 0)),
                        100..150 => table.learn(id, 1),
                        150..200 => table.finish(id),
                        _ => table.forget(id),
                    }
                }
                let entries: Vec<&Entry<u8>> = table.index.values().filter_map(|id| table.entries.get(*id)).collect();
                prop_assert_eq!(entries.len(), table.entries.len());
                prop_assert_eq!(entries.iter().map(|e| e.octets).sum::<u32>(), table.octets);
                for (src, share) in &table.shares {
                    let own: Vec<&&Entry<u8>> = entries.iter().filter(|e| e.datagram.src == *src).collect();
                    prop_assert_eq!(own.len(), share.datagrams as usize);
                    prop_assert_eq!(own.iter().map(|e| e.octets).sum::<u32>(), share.octets);
                    // From the oldest to the newest all are met, and back.
                    let forth = core::iter::successors(share.oldest, |id| table.entries.get(*id)?.newer).count();
                    let back = core::iter::successors(share.newest, |id| table.entries.get(*id)?.older).count();
                    prop_assert_eq!((forth, back), (own.len(), own.len()));
                    prop_assert!(share.octets <= MOST_OCTETS_OF_SOURCE);
                }
            }
        }
    }
}
