//! How many sessions each inside address has, so that none takes the share of the others (RFC 6888, section 3, REQ-4).

use core::net::Ipv6Addr;

use hashbrown::HashMap;

use crate::keyed::Key;

pub(crate) struct Clients {
    sessions: HashMap<Ipv6Addr, u32, Key>,
}

impl Clients {
    pub(crate) fn new(capacity: usize, key: Key) -> Self {
        Self { sessions: HashMap::with_capacity_and_hasher(capacity, key) }
    }

    /// True when `client` may have one more; `most` zero means any number.
    pub(crate) fn may_open(&self, client: Ipv6Addr, most: u32) -> bool {
        most == 0 || self.sessions.get(&client).is_none_or(|n| *n < most)
    }

    pub(crate) fn opened(&mut self, client: Ipv6Addr) {
        *self.sessions.entry(client).or_insert(0) += 1;
    }

    pub(crate) fn closed(&mut self, client: Ipv6Addr) {
        if let Some(n) = self.sessions.get_mut(&client) {
            *n -= 1;
            if *n == 0 {
                self.sessions.remove(&client);
            }
        }
    }
}
