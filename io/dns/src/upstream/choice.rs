//! Which server is asked first, and how long it is waited for.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(2);
/// Before anything was measured.
const UNKNOWN: Duration = Duration::from_millis(500);
/// Silent so often in a row, a server counts as dead and is asked last, but for one probe in this time.
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
    /// Asked in the caller's case: it answered in another than it was asked in, or nobody can forge its answers.
    plain: bool,
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

    /// Living servers in the order of the file, then dead ones. A dead one whose probe is due stands where it belongs.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order = (0..self.servers.len()).collect::<Vec<_>>();
        order.sort_by_cached_key(|server| self.passed_over(*server));
        order
    }

    fn passed_over(&self, server: usize) -> bool {
        let mut record = self.record(server);
        if record.silences < DEAD_AFTER {
            return false;
        }
        if record.probed.is_none_or(|at| at.elapsed() >= PROBE_EVERY) {
            record.probed = Some(Instant::now());
            return false;
        }
        true
    }

    /// Twice the smoothed round trip, doubled with each round.
    pub(super) fn patience(&self, server: usize, round: u32) -> Duration {
        let usual = self.record(server).smoothed.map_or(UNKNOWN, |smoothed| smoothed * 2);
        (usual.max(SHORTEST) * 2_u32.saturating_pow(round)).min(LONGEST)
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
    }

    pub(super) fn silent(&self, server: usize) {
        let mut record = self.record(server);
        record.silences = record.silences.saturating_add(1);
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

    #[test]
    fn a_dead_server_is_asked_last_until_it_answers() {
        let choice = Choice::new(&["192.0.2.1:53".parse().unwrap(), "192.0.2.2:53".parse().unwrap()]);
        assert_eq!(choice.order(), [0, 1]);
        for _ in 0..3 {
            choice.silent(0);
        }
        assert_eq!(choice.order(), [1, 0]);
        choice.answered(0, Duration::from_millis(10));
        assert_eq!(choice.order(), [0, 1]);
    }

    #[test]
    fn patience_follows_the_round_trip_within_bounds() {
        let choice = Choice::new(&["192.0.2.1:53".parse().unwrap()]);
        assert_eq!(choice.patience(0, 0), Duration::from_millis(500));
        choice.answered(0, Duration::from_millis(1));
        assert_eq!(choice.patience(0, 0), Duration::from_millis(200));
        assert_eq!(choice.patience(0, 2), Duration::from_millis(800));
        for _ in 0..50 {
            choice.answered(0, Duration::from_secs(3));
        }
        assert_eq!(choice.patience(0, 0), Duration::from_secs(2));
    }
}
