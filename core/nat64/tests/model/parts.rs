//! Datagrams of which parts have come: RFC 6146, section 3.4; RFC 5722.

use std::collections::BTreeMap;

use sixgate_reason::{self as reason, Reason};

use crate::read::Part;

struct Entry<M> {
    since: u64,
    /// Which octets have come.
    seen: Vec<bool>,
    total: Option<usize>,
    mapping: Option<M>,
    first: Option<Vec<u8>>,
    others: Vec<Vec<u8>>,
    refused: Option<Reason>,
}

pub(crate) struct Parts<K, M> {
    entries: BTreeMap<K, Entry<M>>,
}

impl<K: Ord + Copy, M: Copy> Parts<K, M> {
    pub(crate) fn new() -> Self {
        Self { entries: BTreeMap::new() }
    }

    pub(crate) fn expire(&mut self, now: u64) {
        self.entries.retain(|_, e| e.since + 2 > now);
    }

    pub(crate) fn arrive(&mut self, now: u64, key: K, part: Part, length: usize) -> Result<(), Reason> {
        let end = part.offset + length;
        if length == 0 || end > 65_535 || part.more && !length.is_multiple_of(8) {
            return Err(reason::MALFORMED_TRANSPORT);
        }
        let entry = self.entries.entry(key).or_insert_with(|| Entry {
            since: now,
            seen: Vec::new(),
            total: None,
            mapping: None,
            first: None,
            others: Vec::new(),
            refused: None,
        });
        if let Some(reason) = entry.refused {
            return Err(reason);
        }
        if entry.seen.len() < end {
            entry.seen.resize(end, false);
        }
        let known = entry.seen[part.offset..end].iter().filter(|o| **o).count();
        let last = entry.seen.iter().rposition(|o| *o).map_or(0, |at| at + 1);
        let contradicts = entry.total.is_some_and(|total| end > total || !part.more && end != total);
        if contradicts || !part.more && last > end || known > 0 && known < length {
            entry.refused = Some(reason::NAT64_FRAGMENT_OVERLAP);
            entry.first = None;
            entry.others.clear();
            return Err(reason::NAT64_FRAGMENT_OVERLAP);
        }
        if known == length {
            return Err(reason::NAT64_FRAGMENT_OVERLAP);
        }
        entry.seen[part.offset..end].fill(true);
        if !part.more {
            entry.total = Some(end);
        }
        Ok(())
    }

    pub(crate) fn mapping(&self, key: K) -> Option<M> {
        self.entries.get(&key)?.mapping
    }

    pub(crate) fn learn(&mut self, key: K, mapping: M) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.mapping = Some(mapping);
        }
    }

    pub(crate) fn refuse(&mut self, key: K, reason: Reason) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.refused = Some(reason);
            entry.first = None;
            entry.others.clear();
        }
    }

    pub(crate) fn hold(&mut self, key: K, bytes: &[u8], first: bool) {
        let entry = self.entries.get_mut(&key).unwrap();
        if first {
            entry.first = Some(bytes.to_vec());
        } else {
            entry.others.push(bytes.to_vec());
        }
    }

    /// The first fragment and the length of all, when both are known.
    pub(crate) fn ready(&self, key: K) -> Option<(Vec<u8>, usize)> {
        let entry = self.entries.get(&key)?;
        Some((entry.first.clone()?, entry.total?))
    }

    /// Those that wait, the first before the others.
    pub(crate) fn release(&mut self, key: K) -> Vec<Vec<u8>> {
        let Some(entry) = self.entries.get_mut(&key) else { return Vec::new() };
        entry.first.take().into_iter().chain(entry.others.drain(..)).collect()
    }

    /// Forgets a datagram of which all has passed.
    pub(crate) fn finish(&mut self, key: K) {
        let whole = |e: &Entry<M>| {
            e.total.is_some_and(|total| e.seen.iter().take(total).filter(|o| **o).count() == total)
        };
        if self.entries.get(&key).is_some_and(whole) {
            self.entries.remove(&key);
        }
    }
}
