//! From a packet's ends to its session, made where RFC 6146 says so.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use sixgate_reason::{
    NAT64_ECHO_UNSOLICITED, NAT64_FILTERED, NAT64_NO_BINDING, NAT64_POOL_EXHAUSTED, NAT64_SYN_HELD,
    NAT64_TCP_NO_SESSION,
};
use sixgate_time::Instant;
use sixgate_wire::refusal::Refusal;
use sixgate_wire::tcp::{ACK, RST, SYN};

use super::Nat64;
use super::own::{Refusal4, Refused4, Refused6};
use crate::bib::Binding;
use crate::config::Filtering;
use crate::endpoint::{Inside, Outside, Peer, Proto};
use crate::scope;
use crate::session::{Session, State, Timer};
use crate::tcp::{Lifetime, Says, Side, TcpState, step};

/// What the transport header says beyond its ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Message {
    Datagram,
    Segment { flags: u8 },
    EchoRequest,
    EchoReply,
}

impl Message {
    /// True for a segment that opens a connection: a SYN that answers nothing.
    const fn opens(self) -> bool {
        match self {
            Self::Segment { flags } => flags & (SYN | ACK | RST) == SYN,
            Self::Datagram | Self::EchoRequest | Self::EchoReply => false,
        }
    }
}

/// A destination in one of the prefixes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Target {
    pub(super) prefix: u8,
    pub(super) address: Ipv4Addr,
}

impl Nat64 {
    /// The outside transport address of a packet from `inside` to `peer` (RFC 6146, sections 3.5.1.1, 3.5.2.2, 3.5.3).
    pub(super) fn resolve6(
        &mut self,
        now: Instant,
        proto: Proto,
        inside: Inside,
        peer: Peer,
        prefix: u8,
        message: Message,
    ) -> Result<Outside, Refused6> {
        if let Some(id) = self.sessions.by_inside(proto, inside, peer)
            && let Some(id) = self.live(now, id)
        {
            self.note(now, id, Side::V6, message);
            if let Some(session) = self.sessions.get_mut(id) {
                session.prefix = prefix;
                return Ok(session.outside);
            }
        }
        if let Some(id) = self.bib.by_inside(proto, inside)
            && let Some(binding) = self.bib.get(id).copied()
        {
            return self.resolve6_new(now, Some(id), binding, peer, prefix, message);
        }
        // Only what opens may make a binding.
        let unbound = Binding {
            proto,
            inside,
            outside: Outside { address: Ipv4Addr::UNSPECIFIED, port: 0 },
            sessions: 0,
            fixed: false,
            prefix,
            links: [0; 2],
        };
        self.resolve6_new(now, None, unbound, peer, prefix, message)
    }

    fn resolve6_new(
        &mut self,
        now: Instant,
        id: Option<u32>,
        binding: Binding,
        peer: Peer,
        prefix: u8,
        message: Message,
    ) -> Result<Outside, Refused6> {
        let (state, timer) = match message {
            Message::Datagram => (State::Udp, Timer::Udp),
            Message::EchoRequest => (State::Icmp, Timer::Icmp),
            Message::EchoReply => return Err(Refused6::silent(NAT64_ECHO_UNSOLICITED)),
            Message::Segment { .. } if message.opens() => {
                (State::Tcp(TcpState::V6Init), Timer::TcpTransitory)
            }
            // RFC 6146, section 3.5.2.2, CLOSED: anything else passes by a binding, without a session.
            Message::Segment { .. } if id.is_some() => return Ok(binding.outside),
            Message::Segment { .. } => {
                return Err(Refused6::with(NAT64_TCP_NO_SESSION, Refusal::AddressUnreachable));
            }
        };
        let inside = binding.inside;
        self.admit(now, Side::V6, inside, id).map_err(|reason| self.no_room(now, inside, reason))?;
        let Some(id) = id.or_else(|| self.bind(binding, peer)) else {
            return Err(self.no_room(now, inside, NAT64_POOL_EXHAUSTED));
        };
        let Some(outside) = self.bib.get(id).map(|b| b.outside) else {
            return Err(self.no_room(now, inside, NAT64_POOL_EXHAUSTED));
        };
        // Simultaneous open: the SYN that waits is V4 INIT, this one makes it ESTABLISHED.
        let (state, timer) = if binding.proto == Proto::Tcp && self.held.answer(outside, peer) {
            (State::Tcp(TcpState::Established), Timer::TcpEstablished)
        } else {
            (state, timer)
        };
        self.open(now, id, peer, prefix, (state, timer));
        Ok(outside)
    }

    /// The binding that admits a packet from `peer` to `outside`, and the prefix that `peer` is seen in.
    /// `packet` is the IPv4 packet, for a SYN that is to wait.
    pub(super) fn resolve4(
        &mut self,
        now: Instant,
        proto: Proto,
        outside: Outside,
        peer: Peer,
        message: Message,
        packet: &[u8],
    ) -> Result<(Inside, u8), Refused4> {
        if let Some(id) = self.sessions.by_outside(proto, outside, peer)
            && let Some(id) = self.live(now, id)
        {
            self.note(now, id, Side::V4, message);
            if let Some(session) = self.sessions.get(id) {
                return Ok((session.inside, session.prefix));
            }
        }
        let bound = self.bib.by_outside(proto, outside);
        let Some((id, binding)) = bound.and_then(|id| Some((id, *self.bib.get(id)?))) else {
            return Err(self.unbound(now, proto, outside, peer, message, packet));
        };
        // RFC 6052, section 3.1: nothing but a session that the inside opened brings such a source in.
        if !self.may_stand_in(binding.prefix, peer.address) {
            return Err(Refused4::silent(NAT64_FILTERED));
        }
        if !self.admits(id, &binding, peer) {
            if message.opens() {
                return Err(self.hold(now, outside, peer, packet));
            }
            return Err(Refused4::with(NAT64_FILTERED, Refusal4::Prohibited));
        }
        let (state, timer) = match message {
            Message::Datagram => (State::Udp, Timer::Udp),
            Message::EchoRequest | Message::EchoReply => (State::Icmp, Timer::Icmp),
            Message::Segment { .. } if message.opens() => {
                (State::Tcp(TcpState::V4Init), Timer::TcpTransitory)
            }
            Message::Segment { .. } => return Ok((binding.inside, binding.prefix)),
        };
        self.admit(now, Side::V4, binding.inside, Some(id)).map_err(Refused4::silent)?;
        let prefix = binding.prefix;
        self.open(now, id, peer, prefix, (state, timer));
        Ok((binding.inside, prefix))
    }

    /// Nothing is bound to `outside`.
    fn unbound(
        &mut self,
        now: Instant,
        proto: Proto,
        outside: Outside,
        peer: Peer,
        message: Message,
        packet: &[u8],
    ) -> Refused4 {
        // A port that is not ours belongs to whoever else has the address: nothing is said about it.
        if !self.pool.contains(proto, outside) {
            return Refused4::silent(NAT64_NO_BINDING);
        }
        if message.opens() {
            return self.hold(now, outside, peer, packet);
        }
        match proto {
            Proto::Tcp => Refused4::silent(NAT64_NO_BINDING),
            // RFC 6146, sections 3.5.1.2 and 3.5.3.2.
            Proto::Udp | Proto::Icmp => Refused4::with(NAT64_NO_BINDING, Refusal4::HostUnreachable),
        }
    }

    fn hold(&mut self, now: Instant, outside: Outside, peer: Peer, packet: &[u8]) -> Refused4 {
        if self.held.hold(now, outside, peer, packet) {
            Refused4::silent(NAT64_SYN_HELD)
        } else {
            Refused4::with(NAT64_SYN_HELD, Refusal4::PortUnreachable)
        }
    }

    fn admits(&self, id: u32, binding: &Binding, peer: Peer) -> bool {
        match self.config.filtering {
            Filtering::EndpointIndependent => true,
            Filtering::AddressDependent => binding.fixed || self.sessions.knows_address(id, peer),
        }
    }

    /// The session with this number, if its time is not over.
    pub(super) fn live(&mut self, now: Instant, id: u32) -> Option<u32> {
        if self.sessions.get(id)?.expires(&self.config.timeouts) <= now {
            self.session_over(now, id);
            // An established connection goes on in another state.
            self.sessions.get(id)?;
        }
        Some(id)
    }

    /// A packet of the session passes.
    fn note(&mut self, now: Instant, id: u32, side: Side, message: Message) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let timer = match (session.state, message) {
            (State::Tcp(state), Message::Segment { flags }) => {
                let (next, lifetime) = step(state, side, Says::of(flags));
                session.state = State::Tcp(next);
                if next != state {
                    self.note_over(id);
                }
                match lifetime {
                    Lifetime::Keep => return,
                    Lifetime::Established => Timer::TcpEstablished,
                    Lifetime::Transitory => Timer::TcpTransitory,
                }
            }
            (State::Tcp(_) | State::Udp | State::Icmp, _) => session.timer,
        };
        self.sessions.touch(id, timer, now, &self.config.timeouts);
    }

    /// Gives `binding`'s inside an outside transport address. One that `peer` has sent a SYN to goes first.
    fn bind(&mut self, mut binding: Binding, peer: Peer) -> Option<u32> {
        let proto = binding.proto;
        let client = self.clients.of(binding.inside.address);
        let wanted = if proto == Proto::Tcp { self.held.wanted_by(peer) } else { None };
        let wanted = wanted.filter(|wanted| {
            self.bib.by_outside(proto, *wanted).is_none()
                && self.pool.take(proto, Some(client), binding.inside, *wanted)
        });
        binding.outside = match wanted {
            Some(outside) => outside,
            None => self.pool.allocate(proto, client, binding.inside)?,
        };
        let id = self.bib.insert(binding)?;
        self.clients.bound(client);
        Some(id)
    }

    /// Opens a session of a binding.
    fn open(&mut self, now: Instant, binding: u32, peer: Peer, prefix: u8, (state, timer): (State, Timer)) {
        let id = binding;
        let Some(binding) = self.bib.get_mut(id) else { return };
        binding.sessions += 1;
        binding.prefix = prefix;
        let session = Session::new(now, (id, binding), peer, prefix, state, timer);
        self.clients.opened(now, self.clients.of(session.inside.address));
        self.sessions.insert(session, &self.config.timeouts);
    }

    /// Ends a session, and its binding with the last.
    pub(super) fn close(&mut self, id: u32) {
        let Some(session) = self.sessions.remove(id) else { return };
        let Some(binding) = self.bib.get_mut(session.binding) else { return };
        binding.sessions = binding.sessions.saturating_sub(1);
        let client = self.clients.of(binding.inside.address);
        self.clients.set_over(client, id, false);
        self.clients.closed(client);
        if binding.sessions == 0
            && !binding.fixed
            && let Some(binding) = self.bib.remove(session.binding)
        {
            self.release_port(&binding);
            self.clients.unbound(client);
        }
    }

    /// Ends bindings, whose numbers are in order, with all their sessions.
    pub(super) fn unbind(&mut self, bindings: &[u32]) {
        let ends = |binding: &u32| bindings.binary_search(binding).is_ok();
        let sessions: Vec<u32> =
            self.sessions.iter().filter(|(_, s)| ends(&s.binding)).map(|(session, _)| session).collect();
        for session in sessions {
            self.close(session);
        }
        for id in bindings {
            // A static one, or one without sessions, is still there.
            if let Some(binding) = self.bib.remove(*id) {
                self.release_port(&binding);
            }
        }
    }

    /// RFC 6052, section 3.1: the well-known prefix stands for global addresses only, unless that is lifted.
    pub(super) fn may_stand_in(&self, prefix: u8, address: Ipv4Addr) -> bool {
        self.config.well_known_non_global
            || !scope::non_global_v4(address)
            || self.config.prefixes.get(usize::from(prefix)).is_none_or(|p| !p.is_well_known())
    }
}
