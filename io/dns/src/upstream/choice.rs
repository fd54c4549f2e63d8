//! Which server is asked first, and how long it is waited for.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(2);
/// Before anything was measured.
const UNKNOWN: Duration = Duration::from_millis(500);
/// Differences of the round trip below this are none.
const EQUAL: Duration = Duration::from_millis(4);
/// Silent so often in a row, a server counts as dead and is left alone, but for one probe in this time.
const DEAD_AFTER: u32 = 3;
const PROBE_EVERY: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Choice {
    servers: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    address: SocketAddr,
    record: Mutex<Record>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Record {
    smoothed: Option<Duration>,
    silences: u32,
    probed: Option<Instant>,
    answers: u64,
    all_silences: u64,
    failures: u64,
    /// Asked in the caller's case: it answered in another than it was asked in, or nobody can forge its answers.
    plain: bool,
}

/// How a server stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The server.
    pub address: SocketAddr,
    /// False after three questions in a row that it did not answer.
    pub alive: bool,
    /// Smoothed; `None` before its first answer.
    pub round_trip: Option<Duration>,
    /// Usable answers since the start.
    pub answers: u64,
    /// Questions that it did not answer in time.
    pub silences: u64,
    /// Answers that were errors or did not belong.
    pub failures: u64,
}

impl Record {
    const fn is_dead(&self) -> bool {
        self.silences >= DEAD_AFTER
    }

    fn fade(&mut self) {
        self.smoothed = self.smoothed.map(|smoothed| smoothed * 63 / 64);
    }
}

impl Choice {
    pub(super) fn new(servers: &[SocketAddr]) -> Self {
        let server = |address: &SocketAddr| {
            let record = Record { plain: address.ip().is_loopback(), ..Record::default() };
            Server { address: *address, record: Mutex::new(record) }
        };
        Self { servers: servers.iter().map(server).collect() }
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.servers.iter().map(|server| server.address)
    }

    pub(super) fn address(&self, server: usize) -> SocketAddr {
        self.servers[server].address
    }

    /// Living servers, those that answer fastest first and about equal ones in the order of the file; a server that was not
    /// measured yet counts as fast. A dead one is asked only when its probe is due, or when none lives.
    pub(super) fn order(&self) -> Vec<usize> {
        let now = Instant::now();
        let mut order = Vec::with_capacity(self.servers.len());
        for server in 0..self.servers.len() {
            if let Some(rank) = self.rank(server, now) {
                order.push((rank, server));
            }
        }
        order.sort_unstable();
        if order.is_empty() {
            return (0..self.servers.len()).collect();
        }
        // Who is not asked is forgotten slowly, so that a server that was slow once gets another chance.
        for (_, server) in order.iter().skip(1) {
            self.record(*server).fade();
        }
        order.into_iter().map(|(_, server)| server).collect()
    }

    /// Doublings of the round trip above the least that makes a difference; `None` for the dead.
    fn rank(&self, server: usize, now: Instant) -> Option<u32> {
        let mut record = self.record(server);
        if record.is_dead() {
            let due = record.probed.is_none_or(|at| now.duration_since(at) >= PROBE_EVERY);
            if !due {
                return None;
            }
            // One question's loss: the others go on as if it were dead.
            record.probed = Some(now);
            return Some(0);
        }
        let smoothed = record.smoothed.unwrap_or_default();
        let units = u64::try_from(smoothed.as_millis() / EQUAL.as_millis()).unwrap_or(u64::MAX);
        Some(u64::BITS - units.leading_zeros())
    }

    /// Twice the smoothed round trip, doubled with each round; the last is given all the time there is, for names that a
    /// server has to look for itself.
    pub(super) fn patience(&self, server: usize, round: u32, last: bool) -> Duration {
        if last {
            return LONGEST;
        }
        let usual = self.record(server).smoothed.map_or(UNKNOWN, |smoothed| smoothed * 2);
        (usual.max(SHORTEST) * 2_u32.saturating_pow(round)).min(LONGEST)
    }

    /// The smoothed round trip of the server that is asked first.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        let living =
            (0..self.servers.len()).map(|server| *self.record(server)).filter(|record| !record.is_dead());
        living.filter_map(|record| record.smoothed).min()
    }

    /// What is known of each server.
    pub(super) fn standings(&self) -> impl Iterator<Item = Standing> + '_ {
        self.servers.iter().map(|server| {
            let record = *server.record.lock().unwrap_or_else(PoisonError::into_inner);
            Standing {
                address: server.address,
                alive: !record.is_dead(),
                round_trip: record.smoothed,
                answers: record.answers,
                silences: record.all_silences,
                failures: record.failures,
            }
        })
    }

    /// True unless the server is known to answer in a case of its own, or is asked over loopback, where nobody forges.
    pub(super) fn keeps_case(&self, server: usize) -> bool {
        !self.record(server).plain
    }

    /// Also over loopback.
    pub(super) fn mix_everywhere(&self) {
        for server in 0..self.servers.len() {
            self.record(server).plain = false;
        }
    }

    pub(super) fn loses_case(&self, server: usize) {
        self.record(server).plain = true;
    }

    pub(super) fn answered(&self, server: usize, took: Duration) {
        let mut record = self.record(server);
        // RFC 6298, section 2: one eighth of the new measurement.
        record.smoothed = Some(record.smoothed.map_or(took, |smoothed| (smoothed * 7 + took) / 8));
        record.silences = 0;
        record.probed = None;
        record.answers += 1;
    }

    /// It answered, with an error or with what does not belong.
    pub(super) fn failed(&self, server: usize) {
        self.record(server).failures += 1;
    }

    pub(super) fn silent(&self, server: usize) {
        let mut record = self.record(server);
        record.silences = record.silences.saturating_add(1);
        record.all_silences += 1;
        if record.silences == DEAD_AFTER {
            record.probed = Some(Instant::now());
        }
    }

    fn record(&self, server: usize) -> MutexGuard<'_, Record> {
        // Plain numbers: a panic elsewhere cannot leave them half written.
        self.servers[server].record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice() -> Choice {
        Choice::new(&["192.0.2.1:53".parse().unwrap(), "192.0.2.2:53".parse().unwrap()])
    }

    #[test]
    fn a_dead_server_is_left_alone_until_it_answers_a_probe() {
        let choice = choice();
        assert_eq!(choice.order(), [0, 1]);
        for _ in 0..3 {
            choice.silent(0);
        }
        assert_eq!(choice.order(), [1]);
        choice.record(0).probed = Instant::now().checked_sub(PROBE_EVERY);
        assert_eq!(choice.order(), [0, 1], "one probe");
        assert_eq!(choice.order(), [1]);
        choice.answered(0, Duration::from_millis(2));
        assert_eq!(choice.order(), [0, 1]);
        for _ in 0..3 {
            choice.silent(0);
            choice.silent(1);
        }
        assert_eq!(choice.order(), [0, 1], "nobody lives, so all are tried");
    }

    #[test]
    fn the_fastest_is_asked_first_and_a_slow_one_gets_another_chance() {
        let choice = choice();
        choice.answered(0, Duration::from_millis(60));
        choice.answered(1, Duration::from_millis(20));
        assert_eq!(choice.order(), [1, 0]);
        let again = (0..500).find(|_| choice.order() == [0, 1]);
        assert!(again.is_some_and(|n| n > 20), "{again:?}");
    }

    #[test]
    fn about_equal_ones_keep_the_order_of_the_file() {
        let choice = choice();
        choice.answered(0, Duration::from_millis(3));
        choice.answered(1, Duration::from_millis(1));
        assert_eq!(choice.round_trip(), Some(Duration::from_millis(1)));
        assert_eq!(choice.order(), [0, 1]);
    }

    #[test]
    fn patience_follows_the_round_trip_within_bounds() {
        let choice = choice();
        assert_eq!(choice.patience(0, 0, false), Duration::from_millis(500));
        choice.answered(0, Duration::from_millis(1));
        assert_eq!(choice.patience(0, 0, false), Duration::from_millis(200));
        assert_eq!(choice.patience(0, 1, false), Duration::from_millis(400));
        assert_eq!(choice.patience(0, 2, true), Duration::from_secs(2));
        for _ in 0..50 {
            choice.answered(0, Duration::from_secs(3));
        }
        assert_eq!(choice.patience(0, 0, false), Duration::from_secs(2));
    }
}
