//! Rounds of calls; the best round's time, all rounds' allocations.

use std::fmt;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::counting::allocations;

const ROUNDS: u32 = 5;
/// How long a round should take; long enough for the clock, short enough for a person.
const ROUND: Duration = Duration::from_millis(60);

/// What was measured so far.
pub struct Bench {
    filter: Option<String>,
    rows: Vec<Row>,
    notes: Vec<String>,
    missed: bool,
}

/// One line of the report.
pub struct Row {
    name: &'static str,
    octets: usize,
    nanos: f64,
    allocations: u64,
    packets: u64,
}

impl Bench {
    pub(crate) fn new(filter: Option<String>) -> Self {
        Self { filter, rows: Vec::new(), notes: Vec::new(), missed: false }
    }

    /// Measures `call`, which handles `packets` packets of `octets` octets each time.
    pub(crate) fn measure(
        &mut self,
        name: &'static str,
        octets: usize,
        packets: u64,
        mut call: impl FnMut(),
    ) {
        if self.filter.as_ref().is_some_and(|part| !name.contains(part.as_str())) {
            return;
        }
        let calls = warm_up(&mut call);
        let mut best = Duration::MAX;
        let before = allocations();
        for _ in 0..ROUNDS {
            let start = busy();
            for _ in 0..calls {
                call();
            }
            best = best.min(busy() - start);
        }
        let allocations = allocations() - before;
        let nanos = best.as_nanos() as f64 / (calls * packets) as f64;
        let packets = calls * packets * u64::from(ROUNDS);
        self.rows.push(Row { name, octets, nanos, allocations, packets });
    }

    /// True when somebody asks for rows with this in their name; `unasked` where nobody asks for any.
    pub(crate) fn wants(&self, name: &str, unasked: bool) -> bool {
        self.filter.as_ref().map_or(unasked, |part| part.contains(name))
    }

    /// Adds a sentence below the table on something that has a limit.
    pub(crate) fn demand(&mut self, text: String, limit: &str, good: bool) {
        self.missed |= !good;
        self.notes.push(format!("{text}, at most {limit}: {}", if good { "good" } else { "TOO MUCH" }));
    }

    /// Adds a sentence below the table.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// What was measured, in order.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Sentences below the table.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// True when something is over its limit.
    #[must_use]
    pub fn misses(&self) -> bool {
        self.missed
    }

    /// True when a packet allocated, in any row.
    #[must_use]
    pub fn allocates(&self) -> bool {
        self.rows.iter().any(|row| row.allocations != 0)
    }
}

/// Time that this thread has had a processor: what others do on the machine takes none of it.
fn busy() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    // Neither is negative.
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Fills caches and tables; how many calls a round is.
fn warm_up(call: &mut impl FnMut()) -> u64 {
    let (start, mut calls) = (Instant::now(), 0);
    while start.elapsed() < ROUND {
        for _ in 0..16 {
            call();
        }
        calls += 16;
    }
    calls
}

impl Row {
    /// What was measured.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Allocations a packet.
    #[must_use]
    pub fn allocations_each(&self) -> f64 {
        self.allocations as f64 / self.packets as f64
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self.allocations_each();
        write!(f, "{:<44} {:>10} {:>10.1} {:>12}", self.name, self.octets, self.nanos, each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_allocates_is_found_and_a_filtered_one_is_not_made() {
        let mut bench = Bench::new(Some("kept".to_owned()));
        bench.measure("left out", 1, 1, || unreachable!("the filter does not name it"));
        assert!(bench.rows().is_empty() && !bench.allocates());
        bench.measure("kept", 100, 2, || drop(std::hint::black_box(vec![0_u8; 100])));
        assert!(bench.allocates());
        // Half an allocation a packet, and what other threads of the test do.
        let row = &bench.rows()[0];
        assert!(row.allocations >= row.packets / 2, "{row}");
    }
}
