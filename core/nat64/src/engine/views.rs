//! The tables as an administrator sees them. Not for the packet path: they walk all there is.

use alloc::vec::Vec;

use sixgate_time::Instant;
use sixgate_wire::addr::Prefix64;

use super::Nat64;
use crate::bib::Binding;
use crate::endpoint::{Inside, Outside, Peer, Proto};
use crate::pool::PoolView;
use crate::session::Session;

/// One line of `nat64 bib`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BibView {
    /// Protocol.
    pub protocol: Proto,
    /// The client's end.
    pub inside: Inside,
    /// What the IPv4 side sees.
    pub outside: Outside,
    /// Made by configuration.
    pub is_static: bool,
    /// Sessions that use it.
    pub sessions: u32,
}

/// One line of `nat64 sessions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Protocol.
    pub protocol: Proto,
    /// The client's end.
    pub inside: Inside,
    /// What the IPv4 side sees.
    pub outside: Outside,
    /// The far end.
    pub peer: Peer,
    /// `open`, or the state of a TCP session.
    pub state: &'static str,
    /// When it ends if nothing comes.
    pub expires: Instant,
}

/// How many of everything there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Sessions.
    pub sessions: usize,
    /// Bindings.
    pub bindings: usize,
    /// SYNs from the IPv4 side that wait for one from the inside.
    pub held_syns: usize,
    /// Fragments that wait for others.
    pub fragments: usize,
    /// Octets of those.
    pub fragment_octets: u64,
}

impl Nat64 {
    /// Bindings, in no particular order that means anything but always the same one.
    pub fn bib(&self) -> impl Iterator<Item = BibView> {
        self.bib.iter().filter(|(_, b)| self.is_mine(b)).map(|(_, b)| Self::view_binding(b))
    }

    /// A static binding is in the tables of all who share a pool, so that nobody gives its port away.
    pub(super) fn is_mine(&self, b: &Binding) -> bool {
        let owner = self.shards.as_ref().map(|shards| shards.of_outside(b.proto, b.outside));
        !b.fixed || owner.is_none_or(|owner| owner == self.config.share.index)
    }

    pub(super) const fn view_binding(b: &Binding) -> BibView {
        BibView {
            protocol: b.proto,
            inside: b.inside,
            outside: b.outside,
            is_static: b.fixed,
            sessions: b.sessions,
        }
    }

    /// Sessions, in the same kind of order.
    pub fn sessions(&self) -> impl Iterator<Item = SessionView> {
        self.sessions.iter().filter_map(|(_, s)| self.view_session(s))
    }

    pub(super) fn view_session(&self, s: &Session) -> Option<SessionView> {
        let binding = self.bib.get(s.binding)?;
        Some(SessionView {
            protocol: binding.proto,
            inside: binding.inside,
            outside: binding.outside,
            peer: s.peer,
            state: s.state.name(),
            expires: s.expires(&self.config.timeouts),
        })
    }

    /// Parts of the pool, by protocol and in the order of the configuration.
    pub fn pools(&self) -> impl Iterator<Item = PoolView> {
        self.pool.views()
    }

    /// How many of everything there are, without a walk.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let others = if self.config.share.index == 0 { 0 } else { self.config.statics.len() };
        let (waiting6, octets6) = self.fragments6.waiting();
        let (waiting4, octets4) = self.fragments4.waiting();
        Gauges {
            sessions: self.sessions.len(),
            // Static bindings are in the tables of all who share a pool.
            bindings: self.bib.len().saturating_sub(others),
            held_syns: self.held.len(),
            fragments: waiting6 + waiting4,
            fragment_octets: u64::from(octets6) + u64::from(octets4),
        }
    }

    /// Sessions in the table.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Settings.
    #[must_use]
    pub const fn config(&self) -> &crate::config::Config {
        &self.config
    }

    /// Sessions point at prefixes by number: gives them the numbers of the new list, and ends those whose prefix is gone.
    pub(super) fn renumber_prefixes(&mut self, old: &[Prefix64]) {
        let numbers: Vec<(u32, Option<usize>)> = self
            .sessions
            .iter()
            .map(|(id, s)| {
                let prefix = old.get(usize::from(s.prefix));
                (id, self.config.prefixes.iter().position(|p| Some(p) == prefix))
            })
            .collect();
        for (id, number) in numbers {
            match number {
                // At most 255 prefixes.
                Some(number) => {
                    if let Some(session) = self.sessions.get_mut(id) {
                        session.prefix = number as u8;
                    }
                }
                None => self.close(id),
            }
        }
    }
}
