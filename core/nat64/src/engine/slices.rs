//! The tables as an administrator sees them, a slice at a time: between two of them packets pass.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use sixgate_wire::addr::Ipv6Prefix;

use super::{BibView, Nat64, SessionView};
use crate::endpoint::{Inside, Outside, Proto};

/// Places of a table that one slice looks at: bounds how long packets wait for it.
const SLICE: usize = 2048;

/// Which bindings and sessions somebody wants to see; all of them by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of this protocol.
    pub protocol: Option<Proto>,
    /// Whose inside is in this prefix.
    pub client: Option<Ipv6Prefix>,
    /// Whose outside has this address, and this port if there is one.
    pub outside: Option<(Ipv4Addr, Option<u16>)>,
}

impl Wanted {
    fn has(&self, protocol: Proto, inside: Inside, outside: Outside) -> bool {
        self.protocol.is_none_or(|wanted| wanted == protocol)
            && self.client.is_none_or(|client| client.contains(inside.address))
            && self.outside.is_none_or(|(address, port)| {
                address == outside.address && port.is_none_or(|port| port == outside.port)
            })
    }
}

/// Part of a table. What opens or ends between two slices may be in none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<T> {
    /// What is wanted of it.
    pub items: Vec<T>,
    /// Where the next one starts; `None` behind the last.
    pub next: Option<usize>,
}

impl Nat64 {
    /// The bindings from a place of the table on; the first slice starts at zero.
    #[must_use]
    pub fn bib_slice(&self, start: usize, wanted: &Wanted) -> Slice<BibView> {
        let (slice, next) = self.bib.slice(start, SLICE);
        let items = slice
            .filter(|(_, b)| wanted.has(b.proto, b.inside, b.outside) && self.is_mine(b))
            .map(|(_, b)| Self::view_binding(b))
            .collect();
        Slice { items, next }
    }

    /// The sessions from a place of the table on; the first slice starts at zero.
    #[must_use]
    pub fn session_slice(&self, start: usize, wanted: &Wanted) -> Slice<SessionView> {
        let (slice, next) = self.sessions.slice(start, SLICE);
        let items = slice
            .filter_map(|(_, s)| self.view_session(s))
            .filter(|s| wanted.has(s.protocol, s.inside, s.outside))
            .collect();
        Slice { items, next }
    }
}
