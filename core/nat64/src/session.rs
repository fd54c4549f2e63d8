//! The session tables (RFC 6146, section 3.2): who talks to whom through which binding, and until when.

use core::time::Duration;

use hashbrown::{HashMap, HashTable};
use sixgate_time::Instant;

use crate::config::Timeouts;
use crate::endpoint::Peer;
use crate::keyed::Key;
use crate::slab::{Queue, Slab};
use crate::tcp::TcpState;

/// What a session is, beside its ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Udp,
    Icmp,
    Tcp(TcpState),
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Udp | Self::Icmp => "open",
            Self::Tcp(state) => state.name(),
        }
    }
}

/// Which lifetime a session has: each is a queue of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    Udp,
    Icmp,
    TcpEstablished,
    TcpTransitory,
}

impl Timer {
    pub(crate) const ALL: [Self; 4] = [Self::Udp, Self::Icmp, Self::TcpEstablished, Self::TcpTransitory];

    pub(crate) const fn duration(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::Udp => timeouts.udp,
            Self::Icmp => timeouts.icmp,
            Self::TcpEstablished => timeouts.tcp_established,
            Self::TcpTransitory => timeouts.tcp_transitory,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) binding: u32,
    pub(crate) peer: Peer,
    /// Which prefix the inside sees the peer in.
    pub(crate) prefix: u8,
    pub(crate) state: State,
    pub(crate) timer: Timer,
    /// When a packet last started the timer.
    pub(crate) touched: Instant,
    /// When the session last moved to the tail of its queue; at most [`SLACK`] before `touched`.
    pub(crate) queued: Instant,
}

/// Packets this close to each other do not move their session in its queue: at speed, the neighbours in the queue would
/// cost more than all the rest. A session may stay in the table so much longer than it lives; whoever looks it up sees
/// the exact time.
const SLACK: Duration = Duration::from_secs(1);

impl Session {
    pub(crate) fn expires(&self, timeouts: &Timeouts) -> Instant {
        self.touched + self.timer.duration(timeouts)
    }
}

/// Sessions by binding and peer, and how many each binding has with a peer's address.
pub(crate) struct Sessions {
    slots: Slab<Session>,
    index: HashTable<u32>,
    with_address: HashMap<(u32, u32), u32, Key>,
    queues: [Queue; 4],
    key: Key,
}

impl Sessions {
    /// Tables that do not allocate below `capacity` sessions.
    pub(crate) fn new(capacity: usize, key: Key) -> Self {
        Self {
            slots: Slab::with_capacity(capacity),
            index: HashTable::with_capacity(capacity),
            with_address: HashMap::with_capacity_and_hasher(capacity, key),
            queues: [Queue::new(); 4],
            key,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Session> {
        self.slots.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Session> {
        self.slots.get_mut(id)
    }

    pub(crate) fn find(&self, binding: u32, peer: Peer) -> Option<u32> {
        let same = |id: &u32| self.slots.get(*id).is_some_and(|s| s.binding == binding && s.peer == peer);
        self.index.find(hash(self.key, binding, peer), same).copied()
    }

    /// True when the binding has a session with this address, whatever the port.
    pub(crate) fn knows_address(&self, binding: u32, peer: Peer) -> bool {
        self.with_address.contains_key(&(binding, peer.address.to_bits()))
    }

    /// How many sessions the binding has with this address.
    pub(crate) fn known(&self, binding: u32, peer: Peer) -> u32 {
        self.with_address.get(&(binding, peer.address.to_bits())).copied().unwrap_or(0)
    }

    /// Says that the binding has so many sessions with this address, though not all of them are here.
    pub(crate) fn set_known(&mut self, binding: u32, peer: Peer, sessions: u32) {
        if sessions > 0 {
            self.with_address.insert((binding, peer.address.to_bits()), sessions);
        }
    }

    /// Adds a session. The caller has seen that there is none with this binding and peer.
    pub(crate) fn insert(&mut self, session: Session) -> u32 {
        let key = self.key;
        let id = self.slots.insert(session);
        self.slots.push_back(&mut self.queues[session.timer as usize], id);
        let slots = &self.slots;
        // Numbers in the table always name a slot; zero only spreads badly.
        self.index.insert_unique(hash(key, session.binding, session.peer), id, |id| {
            slots.get(*id).map_or(0, |s| hash(key, s.binding, s.peer))
        });
        *self.with_address.entry((session.binding, session.peer.address.to_bits())).or_insert(0) += 1;
        id
    }

    /// Starts the timer of a session again, perhaps another one.
    pub(crate) fn touch(&mut self, id: u32, timer: Timer, now: Instant) {
        let Some(session) = self.slots.get_mut(id) else { return };
        let old = session.timer;
        session.timer = timer;
        // A caller whose clock stands still or jumps back must not disturb the order of the queue.
        session.touched = session.touched.max(now);
        if old == timer && session.touched.since(session.queued) < SLACK {
            return;
        }
        session.queued = session.touched;
        self.slots.unlink(&mut self.queues[old as usize], id);
        self.slots.push_back(&mut self.queues[timer as usize], id);
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<Session> {
        let timer = self.slots.get(id)?.timer;
        self.slots.unlink(&mut self.queues[timer as usize], id);
        let session = self.slots.remove(id)?;
        if let Ok(entry) =
            self.index.find_entry(hash(self.key, session.binding, session.peer), |other| *other == id)
        {
            entry.remove();
        }
        let with = (session.binding, session.peer.address.to_bits());
        if let Some(count) = self.with_address.get_mut(&with) {
            *count -= 1;
            if *count == 0 {
                self.with_address.remove(&with);
            }
        }
        Some(session)
    }

    /// The session that expires first of all.
    pub(crate) fn first(&self, timeouts: &Timeouts) -> Option<(u32, Instant)> {
        let heads = Timer::ALL.into_iter().filter_map(|timer| {
            let id = self.queues[timer as usize].first()?;
            Some((id, self.slots.get(id)?.expires(timeouts)))
        });
        heads.min_by_key(|(_, expires)| *expires)
    }

    /// The `most` sessions at the head of each queue, in their order there.
    pub(crate) fn oldest(&self, most: usize) -> impl Iterator<Item = u32> {
        self.queues
            .iter()
            .flat_map(move |q| core::iter::successors(q.first(), |id| self.slots.after(*id)).take(most))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Session)> {
        self.slots.iter()
    }
}

fn hash(key: Key, binding: u32, peer: Peer) -> u64 {
    let mut octets = [0; 10];
    octets[..4].copy_from_slice(&binding.to_be_bytes());
    octets[4..8].copy_from_slice(&peer.address.octets());
    octets[8..].copy_from_slice(&peer.port.to_be_bytes());
    key.hash(&octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(port: u16, timer: Timer, at: u64) -> Session {
        Session {
            binding: 3,
            peer: Peer { address: [198, 51, 100, 7].into(), port },
            prefix: 0,
            state: State::Udp,
            timer,
            touched: Instant::from_secs(at),
            queued: Instant::from_secs(at),
        }
    }

    #[test]
    fn the_first_to_expire_is_first_across_queues() {
        let timeouts = Timeouts::default();
        let mut sessions = Sessions::new(4, Key::derive(&[1; 32], 0));
        let udp = sessions.insert(session(1, Timer::Udp, 0));
        let icmp = sessions.insert(session(2, Timer::Icmp, 100));
        assert_eq!(sessions.first(&timeouts), Some((icmp, Instant::from_secs(160))));
        sessions.touch(icmp, Timer::TcpEstablished, Instant::from_secs(110));
        assert_eq!(sessions.first(&timeouts), Some((udp, Instant::from_secs(300))));
        sessions.touch(udp, Timer::Udp, Instant::from_secs(5));
        assert_eq!(sessions.first(&timeouts), Some((udp, Instant::from_secs(305))));
    }

    #[test]
    fn a_session_that_is_touched_often_does_not_end_early() {
        let timeouts = Timeouts::default();
        let mut sessions = Sessions::new(4, Key::derive(&[1; 32], 0));
        let busy = sessions.insert(session(1, Timer::Udp, 0));
        let idle = sessions.insert(session(2, Timer::Udp, 0));
        sessions.touch(busy, Timer::Udp, Instant::from_millis(900));
        // It stands where it stood, but its time is the exact one.
        assert_eq!(sessions.first(&timeouts), Some((busy, Instant::from_millis(300_900))));
        sessions.touch(busy, Timer::Udp, Instant::from_millis(1100));
        assert_eq!(sessions.first(&timeouts), Some((idle, Instant::from_secs(300))));
    }

    #[test]
    fn an_address_is_known_until_its_last_session_goes() {
        let mut sessions = Sessions::new(1, Key::derive(&[1; 32], 0));
        let a = sessions.insert(session(1, Timer::Udp, 0));
        let b = sessions.insert(session(2, Timer::Udp, 0));
        let other_port = session(9, Timer::Udp, 0).peer;
        assert!(sessions.knows_address(3, other_port) && !sessions.knows_address(4, other_port));
        assert!(sessions.find(3, other_port).is_none());
        assert!(sessions.remove(a).is_some());
        assert!(sessions.knows_address(3, other_port));
        assert!(sessions.remove(b).is_some());
        assert!(!sessions.knows_address(3, other_port));
        assert_eq!(sessions.len(), 0);
    }
}
