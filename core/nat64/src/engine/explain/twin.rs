//! An engine that has a copy of just those entries that one packet can touch.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use super::ends::{End, Ends};
use crate::bib::Bib;
use crate::engine::{EXPIRIES_A_PACKET, Nat64};
use crate::fragments::Fragments;
use crate::keyed::Key;
use crate::output::Output;

impl Nat64 {
    /// The twin that `packet` goes through, which has the entries of `ends`.
    pub(super) fn twin(&self, packet: &[u8], ends: &[Ends]) -> Self {
        let statics = self.config.statics.len();
        let mut twin = Self {
            bib: Bib::new(statics, Key::derive(&self.seed, 1)),
            sessions: self.sessions.twin(Key::derive(&self.seed, 2)),
            clients: self.clients.excerpt(&[]),
            complaints: self.complaints.clone(),
            kept_for_insides: self.kept_for_insides,
            pool: self.pool.clone(),
            fragments6: Fragments::new(Key::derive(&self.seed, 4)),
            fragments4: Fragments::new(Key::derive(&self.seed, 5)),
            held: self.held.clone(),
            identifications: self.identifications.clone(),
            errors6: self.errors6,
            errors4: self.errors4,
            output: Output::default(),
            shards: self.shards.clone(),
            hairpin: Output::default(),
            late_drops: Vec::new(),
            scratch: Vec::new(),
            config: self.config.clone(),
            seed: self.seed,
        };
        if is_fragment(packet) {
            twin.fragments6 = self.fragments6.clone();
            twin.fragments4 = self.fragments4.clone();
        }
        let mut copy = Copy { from: self, into: &mut twin, bindings: Vec::new(), sessions: Vec::new() };
        // Every packet first ends what is due.
        for id in self.sessions.soonest(EXPIRIES_A_PACKET) {
            copy.session(id);
        }
        for ends in ends {
            copy.ends(ends);
        }
        // A port of a static binding is passed over when one is sought.
        for wanted in &self.config.statics {
            if let Some(id) = self.bib.by_outside(wanted.protocol, wanted.outside) {
                copy.binding(id);
            }
        }
        let clients = copy.clients(ends);
        for client in &clients {
            for session in self.clients.over_after(*client, EXPIRIES_A_PACKET) {
                copy.session(session);
            }
        }
        let here = core::mem::take(&mut copy.sessions);
        twin.clients = self.clients.excerpt(&clients);
        for client in clients {
            for session in self.clients.over_after(client, EXPIRIES_A_PACKET) {
                if let Some((_, here)) = here.iter().find(|(there, _)| *there == session) {
                    twin.clients.set_over(client, *here, true);
                }
            }
        }
        // As much room as the whole table has.
        let room = self.config.max_sessions.saturating_add(twin.sessions.len());
        twin.config.max_sessions = room.saturating_sub(self.sessions.len());
        twin
    }
}

/// Copies entries, which have other numbers in the twin.
struct Copy<'a> {
    from: &'a Nat64,
    into: &'a mut Nat64,
    /// Numbers there and here.
    bindings: Vec<(u32, u32)>,
    sessions: Vec<(u32, u32)>,
}

impl Copy<'_> {
    fn ends(&mut self, ends: &Ends) {
        if let Some(wanted) = self.from.held.wanted_by(ends.peer)
            && let Some(id) = self.from.bib.by_outside(ends.proto, wanted)
        {
            self.binding(id);
        }
        let Some(id) = ends.binding(self.from) else { return };
        let Some(here) = self.binding(id) else { return };
        if let Some(session) = ends.session(self.from) {
            self.session(session);
        }
        // Sessions with other ports of the peer may admit it, and are not here.
        let known = self.from.sessions.known(id, ends.peer);
        self.into.sessions.set_known(here, ends.peer, known);
    }

    fn binding(&mut self, id: u32) -> Option<u32> {
        if let Some((_, here)) = self.bindings.iter().find(|(there, _)| *there == id) {
            return Some(*here);
        }
        let here = self.into.bib.insert(*self.from.bib.get(id)?)?;
        self.bindings.push((id, here));
        Some(here)
    }

    fn session(&mut self, id: u32) {
        if self.sessions.iter().any(|(there, _)| *there == id) {
            return;
        }
        let Some(mut session) = self.from.sessions.get(id).copied() else { return };
        let Some(binding) = self.binding(session.binding) else { return };
        session.binding = binding;
        let here = self.into.sessions.insert(session, &self.from.config.timeouts);
        self.sessions.push((id, here));
    }

    /// Whose entries these are, each once.
    fn clients(&self, ends: &[Ends]) -> Vec<Ipv6Addr> {
        let bound =
            self.bindings.iter().filter_map(|(_, here)| Some(self.into.bib.get(*here)?.inside.address));
        let mut clients: Vec<Ipv6Addr> = bound
            .chain(ends.iter().filter_map(inside_of))
            .map(|address| self.from.clients.of(address))
            .collect();
        clients.sort_unstable();
        clients.dedup();
        clients
    }
}

fn inside_of(ends: &Ends) -> Option<Ipv6Addr> {
    match ends.end {
        End::Inside(inside) => Some(inside.address),
        End::Outside(_) => None,
    }
}

/// True unless it is certain that the packet is whole.
fn is_fragment(packet: &[u8]) -> bool {
    use crate::translate::{Layout4, Layout6};
    match packet.first().map(|octet| octet >> 4) {
        Some(4) => Layout4::of(packet).is_ok_and(|at| at.fragment.is_some()),
        Some(_) | None => Layout6::of(packet).is_ok_and(|at| at.part().is_some()),
    }
}
