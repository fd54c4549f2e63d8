//! How many sessions each binding has with an address, whatever the port: what address-dependent filtering asks.

use super::Session;
use crate::endpoint::Peer;
use crate::keyed::Key;
use crate::table::{Linked, Links, Table};

#[derive(Clone, Copy)]
struct WithAddress {
    binding: u32,
    address: u32,
    sessions: u32,
    links: Links<1>,
}

impl Linked<1> for WithAddress {
    fn links(&self) -> &Links<1> {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links<1> {
        &mut self.links
    }
}

pub(super) struct Addresses {
    table: Table<WithAddress, 1>,
    key: Key,
}

impl Addresses {
    pub(super) fn new(capacity: usize, key: Key) -> Self {
        Self { table: Table::with_capacity(capacity), key }
    }

    pub(super) fn find(&self, binding: u32, peer: Peer) -> Option<u32> {
        let address = peer.address.to_bits();
        let same = |with: &WithAddress| with.binding == binding && with.address == address;
        self.table.find(0, hash(self.key, binding, address), same)
    }

    pub(super) fn sessions(&self, binding: u32, peer: Peer) -> u32 {
        self.find(binding, peer).and_then(|id| self.table.get(id)).map_or(0, |with| with.sessions)
    }

    pub(super) fn set(&mut self, binding: u32, peer: Peer, sessions: u32) {
        let found = self.find(binding, peer);
        if let Some(with) = found.and_then(|id| self.table.get_mut(id)) {
            with.sessions = sessions;
            return;
        }
        let address = peer.address.to_bits();
        let with = WithAddress { binding, address, sessions, links: [0] };
        self.table.insert(with, [hash(self.key, binding, address)]);
    }

    pub(super) fn add(&mut self, session: &Session) {
        let sessions = self.sessions(session.binding, session.peer);
        self.set(session.binding, session.peer, sessions + 1);
    }

    pub(super) fn remove(&mut self, session: &Session) {
        let Some(id) = self.find(session.binding, session.peer) else { return };
        let Some(with) = self.table.get_mut(id) else { return };
        with.sessions -= 1;
        if with.sessions == 0 {
            self.table.remove(id, [hash(self.key, session.binding, session.peer.address.to_bits())]);
        }
    }
}

fn hash(key: Key, binding: u32, address: u32) -> u64 {
    key.words([u64::from(binding) << 32 | u64::from(address)], 0, 0)
}
