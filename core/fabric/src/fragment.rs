//! Fragments: a later one carries no ports, so it passes with the flow that its datagram's first fragment belonged to.

use core::net::Ipv6Addr;

use sixgate_time::{Duration, Instant};
use sixgate_wire::extension::Fragment;
use sixgate_wire::ipv6::Ipv6;

use crate::bounded::Bounded;
use crate::flow::{Direction, Ends};
use crate::hash::Keyed;

/// RFC 8200, section 4.5: a receiver gives up 60 seconds after the first fragment.
const LIFETIME: Duration = Duration::from_secs(60);
const ONE_CLASS: u8 = 0;

/// The datagrams whose first fragment was let through.
pub(crate) struct Fragments(Bounded<Datagram, First>);

/// RFC 8200, section 4.5: what fragments of one datagram have in common. Bound to a direction.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Datagram {
    src: Ipv6Addr,
    dst: Ipv6Addr,
    identification: u32,
}

struct First {
    ends: Ends,
    direction: Direction,
    /// Octets of the first fragment's data: the transport header is in there, so nothing may overlap it.
    length: usize,
    /// Octets of data that came so far.
    received: usize,
    /// Octets of the whole datagram, once the last fragment came.
    total: Option<usize>,
}

/// What is known about a later fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Later {
    /// It goes with this flow, in this direction.
    Within(Ends, Direction),
    /// Its datagram's first fragment was not let through, or long ago.
    Unknown,
    /// It would replace what the first fragment said.
    Overlaps,
}

impl Fragments {
    pub(crate) fn new(most: usize, share: usize, hasher: Keyed) -> Self {
        Self(Bounded::new(most, share, &[LIFETIME], hasher))
    }

    /// Remembers a first fragment that was let through; false when the table is full, or the sender has its share of it.
    pub(crate) fn first(
        &mut self,
        now: Instant,
        ip: &Ipv6<'_>,
        fragment: &Fragment,
        ends: Ends,
        direction: Direction,
    ) -> bool {
        let key = datagram(ip, fragment);
        let length = data_len(ip, fragment);
        if let Some(id) = self.0.find(now, &key) {
            let first = self.0.get_mut(id);
            if first.ends == ends {
                // A second first fragment, or the same once more: the longer one says what must not be overlapped.
                first.length = first.length.max(length);
                return true;
            }
            self.0.remove(id);
        }
        let first = First { ends, direction, length, received: length, total: None };
        self.0.insert(now, ONE_CLASS, key.src, key, first).is_ok()
    }

    /// What is known about the later fragment `ip`; forgets the datagram when it is complete.
    pub(crate) fn later(&mut self, now: Instant, ip: &Ipv6<'_>, fragment: &Fragment) -> Later {
        let Some(id) = self.0.find(now, &datagram(ip, fragment)) else { return Later::Unknown };
        let first = self.0.get_mut(id);
        let (offset, length) = (usize::from(fragment.offset), data_len(ip, fragment));
        if offset < first.length {
            return Later::Overlaps;
        }
        let answer = Later::Within(first.ends, first.direction);
        first.received = first.received.saturating_add(length);
        if !fragment.more {
            first.total = Some(offset + length);
        }
        // A fragment that came twice ends this early; what then is missing is sent again with a new identification.
        if first.total.is_some_and(|total| first.received >= total) {
            self.0.remove(id);
        }
        answer
    }

    /// The flow of the datagram that a later fragment, quoted in an error, belongs to.
    pub(crate) fn quoted(
        &mut self,
        now: Instant,
        ip: &Ipv6<'_>,
        fragment: &Fragment,
    ) -> Option<(Ends, Direction)> {
        let id = self.0.find(now, &datagram(ip, fragment))?;
        let first = self.0.get(id);
        Some((first.ends, first.direction))
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        self.0.expire(now, usize::MAX);
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        self.0.next_timeout()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

fn datagram(ip: &Ipv6<'_>, fragment: &Fragment) -> Datagram {
    Datagram { src: ip.src(), dst: ip.dst(), identification: fragment.identification }
}

/// Octets behind the fragment header.
fn data_len(ip: &Ipv6<'_>, fragment: &Fragment) -> usize {
    ip.bytes().len().saturating_sub(fragment.at + 8)
}
