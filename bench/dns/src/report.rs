//! The result: a table for people, a document for programs, and whether sixgate is where it should be.

use serde_json::{Value, json};

use crate::load::Speed;
use crate::peers::Peer;
use crate::steady::Waits;
use crate::{Arguments, say};

/// One resolver in one round.
pub(crate) struct Row {
    pub(crate) cached: Speed,
    pub(crate) uncached: Speed,
    pub(crate) waits: Waits,
    /// Octets before the first name, with all names asked once, and asked three times.
    pub(crate) start: u64,
    pub(crate) full: u64,
    pub(crate) again: u64,
}

pub(crate) struct Report {
    rows: Vec<(Peer, Vec<Row>)>,
    rounds: usize,
    seconds: u32,
    names: u32,
    remembered: u32,
    rate: u32,
}

/// One figure of a resolver: its name, and where it is found.
type Column = (&'static str, fn(&Row) -> f64);

const MIB: f64 = 1_048_576.0;

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
const COLUMNS: [Column; 11] = [
    ("cached_per_second", |row| row.cached.per_second),
    ("cached_microseconds", |row| row.cached.nanos / 1e3),
    ("cached_lost_percent", |row| row.cached.lost),
    ("uncached_per_second", |row| row.uncached.per_second),
    ("uncached_microseconds", |row| row.uncached.nanos / 1e3),
    ("wait_p50", |row| row.waits.p50),
    ("wait_p99", |row| row.waits.p99),
    ("wait_p999", |row| row.waits.p999),
    ("wait_lost_percent", |row| row.waits.lost),
    ("mebibytes_asked_once", |row| row.full as f64 / MIB),
    ("mebibytes_asked_again", |row| row.again as f64 / MIB),
];

/// What must not be above, or below, the best of the others, and by which factor.
const TARGETS: [(&str, bool, f64); 5] = [
    // Where the load generator is the limit, so is the figure: processor time says which is ahead.
    ("cached_per_second", true, 0.97),
    ("cached_microseconds", false, 0.85),
    ("wait_p50", false, 1.0),
    ("wait_p99", false, 1.0),
    ("mebibytes_asked_once", false, 1.0),
];

impl Report {
    pub(crate) const fn new(arguments: &Arguments) -> Self {
        Self {
            rows: Vec::new(),
            rounds: arguments.rounds,
            seconds: arguments.seconds,
            names: arguments.names,
            remembered: arguments.remembered,
            rate: arguments.rate,
        }
    }

    pub(crate) fn add(&mut self, peer: Peer, row: Row) {
        match self.rows.iter_mut().find(|(own, _)| *own == peer) {
            Some((_, rows)) => rows.push(row),
            None => self.rows.push((peer, vec![row])),
        }
    }

    /// True when every target is met. Alone there is nothing to be compared with.
    pub(crate) fn good(&self) -> bool {
        TARGETS.iter().all(|target| self.ratio(*target).is_none_or(|(_, good)| good))
    }

    fn median(&self, peer: Peer, column: &str) -> Option<f64> {
        let (_, of) = COLUMNS.iter().find(|(name, _)| *name == column)?;
        let (_, rows) = self.rows.iter().find(|(own, _)| *own == peer)?;
        let mut values: Vec<f64> = rows.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    /// Sixgate's figure to the best of the others', and whether that is good enough.
    fn ratio(&self, (column, more_is_better, factor): (&str, bool, f64)) -> Option<(f64, bool)> {
        let own = self.median(Peer::Sixgate, column)?;
        let others = Peer::ALL.into_iter().filter(|peer| *peer != Peer::Sixgate);
        let others = others.filter_map(|peer| self.median(peer, column));
        let best = others.reduce(if more_is_better { f64::max } else { f64::min })?;
        let ratio = own / best;
        Some((ratio, if more_is_better { ratio >= factor } else { ratio <= factor }))
    }

    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            say(&format!("{:#}", self.document()));
            return;
        }
        let Self { rounds, seconds, names, remembered, rate, .. } = self;
        say(&format!(
            "medians of {rounds} rounds of {seconds} s; {names} names for speed, {remembered} for memory, waits at {rate}/s; one core"
        ));
        say(&format!(
            "{:<15}{:>11}{:>8}{:>11}{:>8}{:>8}{:>8}{:>9}{:>10}{:>10}",
            "",
            "cached/s",
            "us/q",
            "uncached/s",
            "us/q",
            "p50 us",
            "p99 us",
            "p99.9 us",
            "MiB once",
            "MiB again"
        ));
        for (peer, _) in &self.rows {
            let of = |column: &str| self.median(*peer, column).unwrap_or(f64::NAN);
            say(&format!(
                "{:<15}{:>11.0}{:>8.2}{:>11.0}{:>8.1}{:>8.0}{:>8.0}{:>9.0}{:>10.1}{:>10.1}",
                peer.name(),
                of("cached_per_second"),
                of("cached_microseconds"),
                of("uncached_per_second"),
                of("uncached_microseconds"),
                of("wait_p50"),
                of("wait_p99"),
                of("wait_p999"),
                of("mebibytes_asked_once"),
                of("mebibytes_asked_again"),
            ));
        }
        for target in TARGETS {
            if let Some((ratio, good)) = self.ratio(target) {
                let (column, more_is_better, factor) = target;
                let sign = if more_is_better { "at least" } else { "at most" };
                let end = if good { "" } else { "  MISSED" };
                say(&format!("{column}: {ratio:.2} of the best other, {sign} {factor:.2}{end}"));
            }
        }
    }

    fn document(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(|(peer, _)| self.row(*peer)).collect();
        let targets: Vec<Value> = TARGETS
            .iter()
            .filter_map(|target| {
                let (ratio, good) = self.ratio(*target)?;
                let (figure, more_is_better, factor) = target;
                let (least, most) = if *more_is_better { (Some(factor), None) } else { (None, Some(factor)) };
                Some(json!({"figure": figure, "ratio": ratio, "least": least, "most": most, "good": good}))
            })
            .collect();
        json!({
            "schema": 1,
            "good": self.good(),
            "rounds": self.rounds,
            "seconds": self.seconds,
            "names": self.names,
            "remembered": self.remembered,
            "rate": self.rate,
            "resolvers": rows,
            "targets": targets,
        })
    }

    fn row(&self, peer: Peer) -> Value {
        let mut figures = serde_json::Map::new();
        for (column, of) in COLUMNS {
            let rows = self.rows.iter().find(|(own, _)| *own == peer).map(|(_, rows)| rows);
            let rounds: Vec<f64> = rows.into_iter().flatten().map(of).collect();
            figures.insert(column.to_owned(), json!({"median": self.median(peer, column), "rounds": rounds}));
        }
        let start = self.rows.iter().find(|(own, _)| *own == peer).and_then(|(_, rows)| rows.first());
        json!({"name": peer.name(), "start_octets": start.map(|row| row.start), "figures": figures})
    }
}
