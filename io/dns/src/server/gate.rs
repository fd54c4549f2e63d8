//! Who may ask, and how much at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sixgate_reason::{DNS_NOT_ALLOWED, DNS_OVERLOAD, DNS_TOO_FAST, Reason};
use sixgate_wire::addr::IpPrefix;

use super::Options;

/// Clients whose rate is remembered; beyond that all are forgotten, which costs each a new burst.
const MOST_RATES: usize = 65_536;
/// So often a second what is at hand is looked for on behalf of a client that has too much under work: enough for a page, too
/// little for a flood.
const LOOKS: u32 = 500;

#[derive(Debug)]
pub(super) struct Gate {
    options: Options,
    state: Mutex<State>,
    start: Instant,
}

#[derive(Debug, Default)]
struct State {
    questions: Load,
    connections: Load,
    rates: Rates,
    looks: Rates,
}

/// Token buckets by client.
type Rates = HashMap<IpAddr, sixgate_time::TokenBucket>;

/// How much is under way, in all and by client.
#[derive(Debug, Default)]
struct Load {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A place that is given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    gate: Arc<Gate>,
    client: IpAddr,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Question,
    Connection,
}

impl Gate {
    pub(super) fn new(options: Options) -> Self {
        Self { options, state: Mutex::default(), start: Instant::now() }
    }

    pub(super) fn allows(&self, client: IpAddr) -> bool {
        let listed = |allow: &Vec<IpPrefix>| allow.iter().any(|range| range.contains(client));
        self.options.allow.as_ref().is_none_or(listed)
    }

    /// A place for a question, or why there is none.
    pub(super) fn question(self: &Arc<Self>, client: IpAddr) -> Result<Place, Reason> {
        if !self.allows(client) {
            return Err(DNS_NOT_ALLOWED);
        }
        self.rate(client)?;
        self.place(client)
    }

    /// Whether the client asks no faster than it may. Only where there is a rate are clients looked up: it is one for all
    /// workers, or it would be several.
    pub(super) fn rate(&self, client: IpAddr) -> Result<(), Reason> {
        if self.options.rate == 0 || self.within_rate(&mut self.state(), client) {
            return Ok(());
        }
        Err(DNS_TOO_FAST)
    }

    /// A place for a question of a client that may ask.
    pub(super) fn place(self: &Arc<Self>, client: IpAddr) -> Result<Place, Reason> {
        let mut state = self.state();
        let most = (self.options.most_questions, self.options.most_questions_per_client);
        state.questions.take(client, most)?;
        drop(state);
        Ok(Place { gate: Arc::clone(self), client, kind: Kind::Question })
    }

    /// A place for a connection, or why there is none.
    pub(super) fn connection(self: &Arc<Self>, client: IpAddr) -> Result<Place, Reason> {
        let most = (self.options.most_connections, self.options.most_connections_per_client);
        self.state().connections.take(client, most)?;
        Ok(Place { gate: Arc::clone(self), client, kind: Kind::Connection })
    }

    /// Whether it is looked what is at hand for a client that has as many questions under work as it may.
    pub(super) fn looks(&self, client: IpAddr) -> bool {
        take(&mut self.state().looks, client, (LOOKS, LOOKS), self.now())
    }

    /// Bursts of a second's worth, at least ten: a page asks for many names at once.
    fn within_rate(&self, state: &mut State, client: IpAddr) -> bool {
        let rate = self.options.rate;
        take(&mut state.rates, client, (rate, rate.max(10)), self.now())
    }

    fn now(&self) -> sixgate_time::Instant {
        let nanos = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        sixgate_time::Instant::from_nanos(nanos)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters only: a panic elsewhere cannot leave them half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(rates: &mut Rates, client: IpAddr, (rate, burst): (u32, u32), now: sixgate_time::Instant) -> bool {
    if rates.len() >= MOST_RATES && !rates.contains_key(&client) {
        rates.clear();
    }
    rates.entry(client).or_insert_with(|| sixgate_time::TokenBucket::new(rate, burst)).take(now)
}

impl Load {
    fn take(&mut self, client: IpAddr, (most, most_per_client): (usize, usize)) -> Result<(), Reason> {
        let own = self.by_client.get(&client).copied().unwrap_or(0);
        if self.all >= most || own >= most_per_client {
            return Err(DNS_OVERLOAD);
        }
        self.all += 1;
        self.by_client.insert(client, own + 1);
        Ok(())
    }

    fn give_back(&mut self, client: IpAddr) {
        self.all = self.all.saturating_sub(1);
        if let Some(own) = self.by_client.get_mut(&client) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.by_client.remove(&client);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        match self.kind {
            Kind::Question => state.questions.give_back(self.client),
            Kind::Connection => state.connections.give_back(self.client),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(options: Options) -> Arc<Gate> {
        Arc::new(Gate::new(options))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_who_is_listed_may_ask() {
        let gate = gate(Options { allow: Some(vec!["10.0.0.0/8".parse().unwrap()]), ..Options::default() });
        assert!(gate.question(ip("10.1.1.1")).is_ok());
        assert_eq!(gate.question(ip("192.0.2.1")).unwrap_err(), DNS_NOT_ALLOWED);
        assert_eq!(gate.question(ip("::1")).unwrap_err(), DNS_NOT_ALLOWED);
    }

    #[test]
    fn one_client_cannot_take_the_places_of_others_and_gives_its_own_back() {
        let gate = gate(Options { most_questions: 3, most_questions_per_client: 2, ..Options::default() });
        let one = gate.question(ip("10.0.0.1")).unwrap();
        let _two = gate.question(ip("10.0.0.1")).unwrap();
        assert_eq!(gate.question(ip("10.0.0.1")).unwrap_err(), DNS_OVERLOAD);
        let _other = gate.question(ip("10.0.0.2")).unwrap();
        assert_eq!(gate.question(ip("10.0.0.3")).unwrap_err(), DNS_OVERLOAD);
        drop(one);
        assert!(gate.question(ip("10.0.0.1")).is_ok());
    }

    #[test]
    fn a_rate_lets_a_burst_through_and_no_more() {
        let gate = gate(Options { rate: 1, ..Options::default() });
        let passed = (0..50).filter(|_| gate.question(ip("10.0.0.1")).is_ok()).count();
        assert!((10..=11).contains(&passed), "{passed}");
        assert!(gate.question(ip("10.0.0.2")).is_ok());
    }
}
