//! What each client has, so that none takes the share of the others (RFC 6888, section 3, REQ-4).
//!
//! A client is an IPv6 address, or a prefix where the configuration says so. It is known for as long as it has a session.

use core::net::Ipv6Addr;
use core::time::Duration;

use hashbrown::HashMap;
use sixgate_time::Instant;

use crate::config::Config;
use crate::keyed::Key;
use crate::slab::{Queue, Slab};
use crate::tcp::Side;

/// Sessions of one client that are looked at when it needs the room of one that is over.
const CANDIDATES: usize = 8;
/// Sessions that are over and remembered as such, of all clients.
const MOST_OVER: usize = 65_536;
const SECOND: u64 = 1_000_000_000;

/// How much one client may have; zero means any number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Limits {
    sessions: u32,
    ports: u32,
    /// New sessions a second, and at once.
    rate: u32,
}

/// How many of so many sessions only clients open: an eighth. Whoever fills the rest from outside through a binding that
/// is open to all keeps no client from opening its own.
pub(crate) const fn kept_for_insides(sessions: u32) -> u32 {
    sessions / 8
}

/// What a client that is at a limit would have to give up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lack {
    Session,
    Port,
}

/// One client.
#[derive(Clone, Copy)]
struct Client {
    sessions: u32,
    /// Outside ports of its dynamic bindings.
    ports: u32,
    /// When its next session would be due if they came at the allowed rate: the generic cell rate algorithm.
    due: Instant,
    /// Its sessions that are over, the longest first; numbers of [`Clients::over`].
    over: Queue,
}

impl Client {
    const NEW: Self = Self { sessions: 0, ports: 0, due: Instant::ZERO, over: Queue::new() };
}

pub(crate) struct Clients {
    limits: Limits,
    prefix_length: u8,
    clients: HashMap<Ipv6Addr, Client, Key>,
    /// Numbers of sessions that are over.
    over: Slab<u32>,
    over_by_session: HashMap<u32, u32, Key>,
}

impl Clients {
    pub(crate) fn new(config: &Config, key: Key) -> Self {
        Self {
            limits: Limits {
                sessions: config.max_sessions_per_client,
                ports: config.max_ports_per_client,
                rate: config.new_sessions_per_second_per_client,
            },
            prefix_length: config.client_prefix_length,
            // As many as sessions at worst. Address space is taken at once and memory as the table fills: a table that grows
            // makes one packet wait until all its entries have moved.
            clients: HashMap::with_capacity_and_hasher(config.max_sessions, key),
            over: Slab::with_capacity(0),
            over_by_session: HashMap::with_hasher(key),
        }
    }

    /// The client that an address belongs to.
    pub(crate) fn of(&self, address: Ipv6Addr) -> Ipv6Addr {
        let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix_length.min(128))).unwrap_or(0);
        Ipv6Addr::from_bits(address.to_bits() & mask)
    }

    /// Sessions and outside ports of `client`.
    pub(crate) fn counts_of(&self, client: Ipv6Addr) -> (u32, u32) {
        self.clients.get(&client).map_or((0, 0), |client| (client.sessions, client.ports))
    }

    /// A copy of what is known of a few clients, but for their sessions that are over, which have other numbers there.
    pub(crate) fn excerpt(&self, among: &[Ipv6Addr]) -> Self {
        let mut clients = HashMap::with_hasher(*self.clients.hasher());
        for client in among {
            if let Some(known) = self.clients.get(client) {
                clients.insert(*client, Client { over: Queue::new(), ..*known });
            }
        }
        Self {
            limits: self.limits,
            prefix_length: self.prefix_length,
            clients,
            over: Slab::with_capacity(0),
            over_by_session: HashMap::with_hasher(*self.clients.hasher()),
        }
    }

    /// True when the client may open one more session at this moment, as far as the rate goes.
    ///
    /// What comes from outside uses half of what may come at once: nobody out there keeps a client from opening its own.
    pub(crate) fn may_hurry(&self, now: Instant, client: Ipv6Addr, from: Side) -> bool {
        let Limits { rate, .. } = self.limits;
        let Some(client) = self.clients.get(&client).filter(|_| rate != 0) else { return true };
        let at_once = match from {
            Side::V6 => rate,
            Side::V4 => (rate / 2).max(1),
        };
        let ahead = u64::from(at_once - 1) * (SECOND / u64::from(rate));
        client.due <= now + Duration::from_nanos(ahead)
    }

    /// What the client has too much of for one more session, and one more port if `port`.
    pub(crate) fn lacks(&self, client: Ipv6Addr, from: Side, port: bool) -> Option<Lack> {
        let Limits { sessions, ports, .. } = self.limits;
        let client = self.clients.get(&client)?;
        let kept = match from {
            Side::V6 => 0,
            Side::V4 => kept_for_insides(sessions),
        };
        if port && ports != 0 && client.ports >= ports {
            Some(Lack::Port)
        } else if sessions != 0 && client.sessions >= sessions - kept {
            Some(Lack::Session)
        } else {
            None
        }
    }

    /// The client opens a session.
    pub(crate) fn opened(&mut self, now: Instant, client: Ipv6Addr) {
        let pause = SECOND.checked_div(u64::from(self.limits.rate));
        let client = self.clients.entry(client).or_insert(Client::NEW);
        client.sessions += 1;
        if let Some(pause) = pause {
            client.due = client.due.max(now) + Duration::from_nanos(pause);
        }
    }

    /// The client has a session that it opened long ago.
    pub(crate) fn count(&mut self, client: Ipv6Addr) {
        self.clients.entry(client).or_insert(Client::NEW).sessions += 1;
    }

    /// A session of the client ends.
    pub(crate) fn closed(&mut self, client: Ipv6Addr) {
        self.change(client, |client| client.sessions = client.sessions.saturating_sub(1));
    }

    /// The client is kept in mind although its last session ends, until [`Clients::let_go`].
    pub(crate) fn hold(&mut self, client: Ipv6Addr) {
        self.count(client);
    }

    /// Ends [`Clients::hold`]. A client that has nothing is still there: a session follows, or [`Clients::forget_idle`].
    pub(crate) fn let_go(&mut self, client: Ipv6Addr) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.sessions = client.sessions.saturating_sub(1);
        }
    }

    /// A client that has nothing is forgotten.
    pub(crate) fn forget_idle(&mut self, client: Ipv6Addr) {
        self.change(client, |_| {});
    }

    /// The client gets a port.
    pub(crate) fn bound(&mut self, client: Ipv6Addr) {
        self.clients.entry(client).or_insert(Client::NEW).ports += 1;
    }

    /// A port of the client is free again.
    pub(crate) fn unbound(&mut self, client: Ipv6Addr) {
        self.change(client, |client| client.ports = client.ports.saturating_sub(1));
    }

    fn change(&mut self, client: Ipv6Addr, change: impl FnOnce(&mut Client)) {
        if let Some(entry) = self.clients.get_mut(&client) {
            change(entry);
            if entry.sessions == 0 && entry.ports == 0 {
                self.clients.remove(&client);
            }
        }
    }

    /// A session is over in all but name, or goes on again. Remembered only where somebody may need its room.
    pub(crate) fn set_over(&mut self, client: Ipv6Addr, session: u32, is_over: bool) {
        if self.limits.sessions == 0 && self.limits.ports == 0 {
            return;
        }
        let known = self.over_by_session.contains_key(&session);
        if known == is_over || (is_over && self.over.len() >= MOST_OVER) {
            return;
        }
        let Some(client) = self.clients.get_mut(&client) else { return };
        if is_over {
            let number = self.over.insert(session);
            self.over.push_back(&mut client.over, number);
            self.over_by_session.insert(session, number);
        } else if let Some(number) = self.over_by_session.remove(&session) {
            self.over.unlink(&mut client.over, number);
            self.over.remove(number);
        }
    }

    /// Sessions of the client that are over, the longest first; only some.
    pub(crate) fn over(&self, client: Ipv6Addr) -> impl Iterator<Item = u32> {
        self.over_first(client, CANDIDATES)
    }

    /// All that [`Clients::over`] can come to look at when so many sessions end before.
    pub(crate) fn over_after(&self, client: Ipv6Addr, ended: usize) -> impl Iterator<Item = u32> {
        self.over_first(client, CANDIDATES + ended)
    }

    fn over_first(&self, client: Ipv6Addr, most: usize) -> impl Iterator<Item = u32> {
        let first = self.clients.get(&client).and_then(|client| client.over.first());
        core::iter::successors(first, |number| self.over.after(*number))
            .take(most)
            .filter_map(|number| self.over.get(number).copied())
    }

    /// Forgets everything but how fast each client was, for other settings and another count.
    pub(crate) fn reset(&mut self, config: &Config, key: Key) {
        let before = core::mem::replace(self, Self::new(config, key));
        if before.prefix_length == self.prefix_length && before.limits.rate == self.limits.rate {
            let idle = |client: &Client| Client { due: client.due, ..Client::NEW };
            self.clients = before.clients;
            self.clients.values_mut().for_each(|client| *client = idle(client));
        }
    }

    /// Ends [`Clients::reset`]: who has nothing is forgotten.
    pub(crate) fn counted(&mut self) {
        self.clients.retain(|_, client| client.sessions != 0 || client.ports != 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6);

    fn clients(config: &Config) -> Clients {
        Clients::new(config, Key::derive(&[1; 32], 3))
    }

    #[test]
    fn a_client_is_an_address_or_a_prefix() {
        let of =
            |client_prefix_length| clients(&Config { client_prefix_length, ..Config::default() }).of(CLIENT);
        assert_eq!(of(128), CLIENT);
        assert_eq!(of(56), Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0));
        assert_eq!(of(0), Ipv6Addr::UNSPECIFIED);
    }

    #[test]
    fn so_many_at_once_and_then_at_the_rate() {
        let mut all = clients(&Config { new_sessions_per_second_per_client: 10, ..Config::default() });
        let mut open = |millis: u64, from: Side| {
            let now = Instant::from_millis(50_000 + millis);
            let may = all.may_hurry(now, CLIENT, from);
            if may {
                all.opened(now, CLIENT);
            }
            may
        };
        assert_eq!((0..50).filter(|_| open(0, Side::V6)).count(), 10);
        assert!(!open(99, Side::V6) && open(100, Side::V6) && !open(100, Side::V6));
        assert!(!open(500, Side::V4), "what comes from outside leaves half of it to the client");
        assert!(open(700, Side::V4) && open(700, Side::V6));
        assert_eq!((0..50).filter(|_| open(60_000, Side::V4)).count(), 5);
        assert_eq!((0..50).filter(|_| open(60_000, Side::V6)).count(), 5);
    }

    #[test]
    fn a_client_without_anything_is_forgotten() {
        let mut all =
            clients(&Config { max_sessions_per_client: 2, max_ports_per_client: 1, ..Config::default() });
        assert_eq!(all.lacks(CLIENT, Side::V6, true), None);
        all.opened(Instant::ZERO, CLIENT);
        all.bound(CLIENT);
        assert_eq!(
            (all.lacks(CLIENT, Side::V6, true), all.lacks(CLIENT, Side::V6, false)),
            (Some(Lack::Port), None)
        );
        all.opened(Instant::ZERO, CLIENT);
        assert_eq!(all.lacks(CLIENT, Side::V6, false), Some(Lack::Session));
        all.set_over(CLIENT, 7, true);
        all.set_over(CLIENT, 5, true);
        all.set_over(CLIENT, 7, true);
        assert!(all.over(CLIENT).eq([7, 5]));
        all.set_over(CLIENT, 7, false);
        assert!(all.over(CLIENT).eq([5]));
        all.set_over(CLIENT, 5, false);
        all.closed(CLIENT);
        all.closed(CLIENT);
        assert!(!all.clients.is_empty());
        all.unbound(CLIENT);
        assert!(all.clients.is_empty() && all.over_by_session.is_empty() && all.over.len() == 0);
    }
}
