//! The session tables (RFC 6146, section 3.2): who talks to whom through which binding, and until when.

mod addresses;

use alloc::vec::Vec;
use core::time::Duration;

use sixgate_time::Instant;

use crate::bib::Binding;
use crate::config::Timeouts;
use crate::endpoint::{Inside, Outside, Peer, Proto};
use crate::keyed::Key;
use crate::table::{Linked, Links, Table};
use crate::tcp::TcpState;
use crate::wheel::{Place, Places, Wheel};
use addresses::Addresses;

/// What a session is, beside its ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Udp,
    Icmp,
    Tcp(TcpState),
}

impl State {
    pub(crate) const fn proto(self) -> Proto {
        match self {
            Self::Udp => Proto::Udp,
            Self::Icmp => Proto::Icmp,
            Self::Tcp(_) => Proto::Tcp,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Udp | Self::Icmp => "open",
            Self::Tcp(state) => state.name(),
        }
    }
}

/// Which lifetime a session has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    Udp,
    Icmp,
    TcpEstablished,
    TcpTransitory,
}

impl Timer {
    pub(crate) const fn duration(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::Udp => timeouts.udp,
            Self::Icmp => timeouts.icmp,
            Self::TcpEstablished => timeouts.tcp_established,
            Self::TcpTransitory => timeouts.tcp_transitory,
        }
    }
}

/// One session, all that a packet of it needs in one line of the cache: neither direction looks at its binding.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Session {
    pub(crate) inside: Inside,
    pub(crate) outside: Outside,
    pub(crate) peer: Peer,
    pub(crate) binding: u32,
    /// Which prefix the inside sees the peer in.
    pub(crate) prefix: u8,
    pub(crate) state: State,
    pub(crate) timer: Timer,
    /// When a packet last started the timer.
    pub(crate) touched: Instant,
    place: Place,
    links: Links<2>,
}

// Another line would be another wait for memory with every packet.
const _: () = assert!(size_of::<Option<Session>>() == 64);

impl Session {
    /// A session that begins now, of the binding with this number.
    pub(crate) fn new(
        now: Instant,
        (id, binding): (u32, &Binding),
        peer: Peer,
        prefix: u8,
        state: State,
        timer: Timer,
    ) -> Self {
        Self {
            inside: binding.inside,
            outside: binding.outside,
            peer,
            binding: id,
            prefix,
            state,
            timer,
            touched: now,
            place: Place::NOWHERE,
            links: [0; 2],
        }
    }

    pub(crate) fn expires(&self, timeouts: &Timeouts) -> Instant {
        self.touched + self.timer.duration(timeouts)
    }

    fn hashes(&self, key: Key) -> [u64; 2] {
        let proto = self.state.proto();
        [hash_inside(key, proto, self.inside, self.peer), hash_outside(key, proto, self.outside, self.peer)]
    }
}

impl Linked<2> for Session {
    fn links(&self) -> &Links<2> {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links<2> {
        &mut self.links
    }
}

impl Places for Table<Session, 2> {
    fn place(&mut self, id: u32) -> Option<&mut Place> {
        self.get_mut(id).map(|session| &mut session.place)
    }
}

/// What is to be done with a session whose time may be over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// Its time is over.
    Over(u32),
    /// It is not: a packet came meanwhile. Nothing more is to be done.
    Later,
}

/// Sessions by their ends, and how many each binding has with a peer's address where somebody asks.
pub(crate) struct Sessions {
    table: Table<Session, 2>,
    wheel: Wheel,
    addresses: Option<Addresses>,
    key: Key,
}

const INSIDE: usize = 0;
const OUTSIDE: usize = 1;

impl Sessions {
    /// Tables that do not allocate below `capacity` sessions.
    pub(crate) fn new(capacity: usize, key: Key) -> Self {
        Self { table: Table::with_capacity(capacity), wheel: Wheel::new(), addresses: None, key }
    }

    /// Makes room for so many, and counts addresses from now on, or no longer; see [`Sessions::knows_address`].
    pub(crate) fn prepare(&mut self, capacity: usize, count_addresses: bool) {
        let key = self.key;
        self.table.reserve(capacity, |session| session.hashes(key));
        if count_addresses == self.addresses.is_some() {
            return;
        }
        self.addresses = count_addresses.then(|| Addresses::new(capacity, key));
        if let Some(addresses) = &mut self.addresses {
            self.table.iter().for_each(|(_, session)| addresses.add(session));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Session> {
        self.table.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Session> {
        self.table.get_mut(id)
    }

    /// The session of a packet from the inside.
    pub(crate) fn by_inside(&self, proto: Proto, inside: Inside, peer: Peer) -> Option<u32> {
        let same = |s: &Session| s.inside == inside && s.peer == peer && s.state.proto() == proto;
        self.table.find(INSIDE, hash_inside(self.key, proto, inside, peer), same)
    }

    /// The session of a packet from the outside.
    pub(crate) fn by_outside(&self, proto: Proto, outside: Outside, peer: Peer) -> Option<u32> {
        let same = |s: &Session| s.outside == outside && s.peer == peer && s.state.proto() == proto;
        self.table.find(OUTSIDE, hash_outside(self.key, proto, outside, peer), same)
    }

    /// True when the binding has a session with this address, whatever the port. Only where addresses are counted.
    pub(crate) fn knows_address(&self, binding: u32, peer: Peer) -> bool {
        self.addresses.as_ref().is_some_and(|addresses| addresses.find(binding, peer).is_some())
    }

    /// How many sessions the binding has with this address, where addresses are counted.
    pub(crate) fn known(&self, binding: u32, peer: Peer) -> u32 {
        self.addresses.as_ref().map_or(0, |addresses| addresses.sessions(binding, peer))
    }

    /// Says that the binding has so many sessions with this address, though not all of them are here.
    pub(crate) fn set_known(&mut self, binding: u32, peer: Peer, sessions: u32) {
        if let Some(addresses) = self.addresses.as_mut().filter(|_| sessions > 0) {
            addresses.set(binding, peer, sessions);
        }
    }

    /// Adds a session. The caller has seen that there is none with this binding and peer.
    pub(crate) fn insert(&mut self, session: Session, timeouts: &Timeouts) -> u32 {
        let id = self.table.insert(session, session.hashes(self.key));
        self.wheel.schedule(&mut self.table, id, session.expires(timeouts));
        if let Some(addresses) = &mut self.addresses {
            addresses.add(&session);
        }
        id
    }

    /// Starts the timer of a session again, perhaps another one.
    pub(crate) fn touch(&mut self, id: u32, timer: Timer, now: Instant, timeouts: &Timeouts) {
        let Some(session) = self.table.get_mut(id) else { return };
        // A caller whose clock stands still or jumps back must not make a session older.
        session.touched = session.touched.max(now);
        // The same timer ends later than before: soon enough when the session is looked at.
        if session.timer == timer {
            return;
        }
        session.timer = timer;
        let (place, expires) = (session.place, session.expires(timeouts));
        if self.wheel.is_after(place, expires) {
            self.wheel.unlink(&mut self.table, id);
            self.wheel.schedule(&mut self.table, id, expires);
        }
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<Session> {
        let session = *self.table.get(id)?;
        self.wheel.unlink(&mut self.table, id);
        self.table.remove(id, session.hashes(self.key));
        if let Some(addresses) = &mut self.addresses {
            addresses.remove(&session);
        }
        Some(session)
    }

    /// Somebody whose time may be over by `now`. Who is over is to be removed or touched.
    pub(crate) fn due(&mut self, now: Instant, timeouts: &Timeouts) -> Option<Due> {
        let id = self.wheel.due(now)?;
        let expires = self.table.get(id)?.expires(timeouts);
        if expires <= now {
            return Some(Due::Over(id));
        }
        self.wheel.unlink(&mut self.table, id);
        self.wheel.schedule(&mut self.table, id, expires);
        Some(Due::Later)
    }

    /// When [`Sessions::due`] has something next: when somebody's time is over, or not later.
    pub(crate) fn first_due(&self) -> Option<Instant> {
        self.wheel.first()
    }

    /// Lifetimes are others: everybody is looked at when it is time by these.
    pub(crate) fn reschedule(&mut self, timeouts: &Timeouts) {
        self.wheel.clear();
        let all: Vec<(u32, Instant)> = self.iter().map(|(id, s)| (id, s.expires(timeouts))).collect();
        for (id, expires) in all {
            self.wheel.schedule(&mut self.table, id, expires);
        }
    }

    /// The first `most` sessions that [`Sessions::due`] will look at, in its order.
    pub(crate) fn soonest(&self, most: usize) -> impl Iterator<Item = u32> {
        self.wheel.soonest(|id| Some(self.table.get(id)?.place)).take(most)
    }

    /// Empty tables that look at everybody when these do, and count what these count.
    pub(crate) fn twin(&self, key: Key) -> Self {
        let addresses = self.addresses.is_some().then(|| Addresses::new(0, key));
        Self { table: Table::with_capacity(0), wheel: self.wheel.twin(), addresses, key }
    }

    /// See [`Table::slice`].
    pub(crate) fn slice(
        &self,
        start: usize,
        most: usize,
    ) -> (impl Iterator<Item = (u32, &Session)>, Option<usize>) {
        self.table.slice(start, most)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Session)> {
        self.table.iter()
    }
}

fn hash_inside(key: Key, proto: Proto, inside: Inside, peer: Peer) -> u64 {
    let address = inside.address.to_bits();
    let ports = u64::from(inside.port) << 48 | u64::from(peer.port) << 32;
    let words = [address as u64, (address >> 64) as u64, ports | u64::from(peer.address.to_bits())];
    key.words(words, proto as u64, 1)
}

fn hash_outside(key: Key, proto: Proto, outside: Outside, peer: Peer) -> u64 {
    let addresses = u64::from(outside.address.to_bits()) << 32 | u64::from(peer.address.to_bits());
    let tail = u64::from(outside.port) << 24 | u64::from(peer.port) << 8 | proto as u64;
    key.words([addresses], tail, 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: Inside = Inside { address: core::net::Ipv6Addr::LOCALHOST, port: 7 };

    fn session(port: u16, timer: Timer, at: u64) -> Session {
        let binding = Binding {
            proto: Proto::Udp,
            inside: INSIDE,
            outside: Outside { address: [192, 0, 2, 2].into(), port: 9 },
            sessions: 0,
            fixed: false,
            prefix: 0,
            links: [0; 2],
        };
        let peer = Peer { address: [198, 51, 100, 7].into(), port };
        Session::new(Instant::from_secs(at), (3, &binding), peer, 0, State::Udp, timer)
    }

    /// Who is over by then; they are removed.
    fn over(sessions: &mut Sessions, now: Instant) -> Vec<u32> {
        let mut over = Vec::new();
        while let Some(due) = sessions.due(now, &Timeouts::default()) {
            if let Due::Over(id) = due {
                assert!(sessions.remove(id).is_some());
                over.push(id);
            }
        }
        over
    }

    #[test]
    fn each_timer_has_its_time_and_another_timer_another_one() {
        let timeouts = Timeouts::default();
        let mut sessions = Sessions::new(4, Key::derive(&[1; 32], 0));
        let udp = sessions.insert(session(1, Timer::Udp, 0), &timeouts);
        let icmp = sessions.insert(session(2, Timer::Icmp, 100), &timeouts);
        assert_eq!(sessions.first_due(), Some(Instant::from_secs(160)));
        sessions.touch(icmp, Timer::TcpEstablished, Instant::from_secs(110), &timeouts);
        assert_eq!(over(&mut sessions, Instant::from_secs(304)), [udp]);
        sessions.touch(icmp, Timer::Icmp, Instant::from_secs(400), &timeouts);
        assert_eq!(sessions.first_due(), Some(Instant::from_secs(460)), "a shorter time counts at once");
        assert_eq!(over(&mut sessions, Instant::from_secs(460)), [icmp]);
        assert_eq!(sessions.first_due(), None);
    }

    #[test]
    fn a_session_that_is_touched_does_not_end_early() {
        let timeouts = Timeouts::default();
        let mut sessions = Sessions::new(4, Key::derive(&[1; 32], 0));
        let busy = sessions.insert(session(1, Timer::Udp, 0), &timeouts);
        let idle = sessions.insert(session(2, Timer::Udp, 0), &timeouts);
        sessions.touch(busy, Timer::Udp, Instant::from_millis(900), &timeouts);
        assert_eq!(over(&mut sessions, Instant::from_millis(300_899)), [idle]);
        assert_eq!(over(&mut sessions, Instant::from_millis(301_000)), [busy]);
    }

    #[test]
    fn other_lifetimes_count_for_those_that_are_there() {
        let mut sessions = Sessions::new(4, Key::derive(&[1; 32], 0));
        sessions.insert(session(1, Timer::Udp, 0), &Timeouts::default());
        let short = Timeouts { udp: Duration::from_secs(5), ..Timeouts::default() };
        sessions.reschedule(&short);
        assert_eq!(sessions.first_due(), Some(Instant::from_secs(5)));
    }

    #[test]
    fn a_session_is_found_from_both_sides() {
        let mut sessions = Sessions::new(4, Key::derive(&[1; 32], 0));
        let one = session(1, Timer::Udp, 0);
        let id = sessions.insert(one, &Timeouts::default());
        assert_eq!(sessions.by_inside(Proto::Udp, one.inside, one.peer), Some(id));
        assert_eq!(sessions.by_outside(Proto::Udp, one.outside, one.peer), Some(id));
        assert_eq!(sessions.by_inside(Proto::Tcp, one.inside, one.peer), None);
        let other = session(2, Timer::Udp, 0);
        assert_eq!(sessions.by_outside(Proto::Udp, one.outside, other.peer), None);
        assert!(sessions.remove(id).is_some());
        assert_eq!(sessions.by_inside(Proto::Udp, one.inside, one.peer), None);
    }

    #[test]
    fn an_address_is_known_until_its_last_session_goes() {
        let timeouts = Timeouts::default();
        let mut sessions = Sessions::new(1, Key::derive(&[1; 32], 0));
        let a = sessions.insert(session(1, Timer::Udp, 0), &timeouts);
        sessions.prepare(1, true);
        let b = sessions.insert(session(2, Timer::Udp, 0), &timeouts);
        let other_port = session(9, Timer::Udp, 0).peer;
        assert!(sessions.knows_address(3, other_port) && !sessions.knows_address(4, other_port));
        assert!(sessions.remove(a).is_some());
        assert!(sessions.knows_address(3, other_port));
        assert!(sessions.remove(b).is_some());
        assert!(!sessions.knows_address(3, other_port));
        assert_eq!(sessions.len(), 0);
    }
}
