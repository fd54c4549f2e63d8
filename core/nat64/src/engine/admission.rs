//! Who may open one more session (RFC 6888, section 3, REQ-4), and what a client at its limit gives up for it.

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::time::Duration;

use sixgate_reason::{
    NAT64_CLIENT_LIMIT, NAT64_CLIENT_PORTS, NAT64_CLIENT_RATE, NAT64_SESSION_LIMIT, Reason,
};
use sixgate_time::{Instant, TokenBucket};
use sixgate_wire::refusal::Refusal;

use super::Nat64;
use super::own::Refused6;
use crate::clients::{Lack, kept_for_insides};
use crate::config::Config;
use crate::endpoint::Inside;
use crate::keyed::Key;
use crate::session::{Session, State};
use crate::tcp::{Side, TcpState};

/// How long a connection that was reset must have been silent before it makes room for another, and how long ago both
/// ends must have closed one. Whoever sends a forged reset must not end a connection by it (RFC 6146, section 5.3): one
/// that lives says so by its next segment. One that closes has its last segments to send, some of them again.
const SILENCE: Duration = Duration::from_secs(4);

impl Nat64 {
    /// Whether the client of `inside` may open a session, through the binding `bound` or else a new one. At its limit,
    /// it may if one of its own sessions is over and makes room; a session that lives never ends for another, and no
    /// other client's ever does.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        from: Side,
        inside: Inside,
        bound: Option<u32>,
    ) -> Result<(), Reason> {
        let kept = match from {
            Side::V6 => 0,
            Side::V4 => self.kept_for_insides,
        };
        if self.sessions.len().saturating_add(kept) >= self.config.max_sessions {
            return Err(NAT64_SESSION_LIMIT);
        }
        let client = self.clients.of(inside.address);
        if !self.clients.may_hurry(now, client, from) {
            return Err(NAT64_CLIENT_RATE);
        }
        let Some(lack) = self.clients.lacks(client, from, bound.is_none()) else { return Ok(()) };
        let (port, reason) = match lack {
            Lack::Session => (false, NAT64_CLIENT_LIMIT),
            Lack::Port => (true, NAT64_CLIENT_PORTS),
        };
        let victim = self.over_session(now, client, port).ok_or(reason)?;
        // The binding and the client stay although this may be their last session: the new one follows at once.
        self.hold_binding(bound, 1);
        self.clients.hold(client);
        self.close(victim);
        self.clients.let_go(client);
        self.hold_binding(bound, -1);
        Ok(())
    }

    fn hold_binding(&mut self, binding: Option<u32>, by: i32) {
        if let Some(binding) = binding.and_then(|id| self.bib.get_mut(id)) {
            binding.sessions = binding.sessions.saturating_add_signed(by);
        }
    }

    /// The refusal of an IPv6 packet for which there is no room: an error, as often as its sender's client may have one.
    pub(super) fn no_room(&mut self, now: Instant, inside: Inside, reason: Reason) -> Refused6 {
        let client = self.clients.of(inside.address);
        // Nothing follows.
        self.clients.forget_idle(client);
        // RFC 6146, section 3.5.1.1, and RFC 6888, section 3, REQ-11: address unreachable, 1/3.
        if self.complaints.may_send(now, client) {
            Refused6::with(reason, Refusal::AddressUnreachable)
        } else {
            Refused6::silent(reason)
        }
    }

    /// Remembers that a session is over, or that it lives on after all.
    pub(super) fn note_over(&mut self, id: u32) {
        let Some(session) = self.sessions.get(id) else { return };
        let is_over = matches!(session.state, State::Tcp(TcpState::V4V6FinRcv | TcpState::Trans));
        if let Some(binding) = self.bib.get(session.binding) {
            self.clients.set_over(self.clients.of(binding.inside.address), id, is_over);
        }
    }

    /// How many of the sessions of all only insides open.
    pub(super) fn keep_for_insides(config: &Config) -> usize {
        kept_for_insides(u32::try_from(config.max_sessions).unwrap_or(u32::MAX)) as usize
    }

    /// Counts anew what each client has, with the limits that are in force.
    pub(super) fn count_clients(&mut self) {
        self.clients.reset(&self.config, Key::derive(&self.seed, 3));
        for (_, binding) in self.bib.iter().filter(|(_, b)| !b.fixed) {
            self.clients.bound(self.clients.of(binding.inside.address));
        }
        let sessions: Vec<(u32, u32)> = self.sessions.iter().map(|(id, s)| (id, s.binding)).collect();
        for (id, binding) in sessions {
            let Some(binding) = self.bib.get(binding) else { continue };
            self.clients.count(self.clients.of(binding.inside.address));
            self.note_over(id);
        }
        self.clients.counted();
    }

    /// A session of the client that is evidently over; with `port` one whose port would be free without it.
    fn over_session(&self, now: Instant, client: Ipv6Addr, port: bool) -> Option<u32> {
        self.clients.over(client).find(|id| {
            let Some(session) = self.sessions.get(*id) else { return false };
            let frees = |session: &Session| {
                self.bib.get(session.binding).is_some_and(|b| b.sessions == 1 && !b.fixed)
            };
            let over = match session.state {
                State::Tcp(TcpState::V4V6FinRcv | TcpState::Trans) => now.since(session.touched) >= SILENCE,
                State::Tcp(
                    TcpState::V4Init
                    | TcpState::V6Init
                    | TcpState::Established
                    | TcpState::V4FinRcv
                    | TcpState::V6FinRcv,
                )
                | State::Udp
                | State::Icmp => false,
            };
            over && (!port || frees(session))
        })
    }
}

/// How many clients' errors are counted apart. Two that meet in one slot share its rate.
const SLOTS: usize = 1024;
/// Errors that one client gets a second, and at once, about what it cannot have.
const A_SECOND: u32 = 10;

/// Errors about what a client cannot have. One that asks in vain a thousand times a second does not use up the errors
/// that the others wait for, a packet that is too big being one.
#[derive(Clone)]
pub(super) struct Complaints {
    slots: Vec<TokenBucket>,
    key: Key,
}

impl Complaints {
    pub(super) fn new(key: Key) -> Self {
        Self { slots: vec![TokenBucket::new(A_SECOND, A_SECOND); SLOTS], key }
    }

    fn may_send(&mut self, now: Instant, client: Ipv6Addr) -> bool {
        let slot = self.key.hash(&client.octets()) as usize % SLOTS;
        self.slots.get_mut(slot).is_some_and(|slot| slot.take(now))
    }
}
