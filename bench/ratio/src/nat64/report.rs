//! The result: a table for people, a document for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::crowd::Demand;
use super::figure::{Figure, Kind};
use super::subject::Subject;
use crate::{Nat64, say};

/// Everything that was measured, and where.
pub(super) struct Report {
    pub(super) figures: Vec<Figure>,
    rounds: usize,
    seconds: f64,
    /// A packet of each row that is measured in the core.
    allocations: Vec<(String, f64)>,
    demands: Vec<Demand>,
    machine: Machine,
}

struct Machine {
    kernel: String,
    processor: String,
    cores: usize,
    load: String,
}

const BAR: usize = 30;

impl Report {
    pub(super) fn of(
        figures: Vec<Figure>,
        options: &Nat64,
        allocations: Vec<(String, f64)>,
        demands: Vec<Demand>,
    ) -> Self {
        Self {
            figures,
            rounds: options.rounds,
            seconds: options.seconds,
            allocations,
            demands,
            machine: Machine::look(),
        }
    }

    /// True when no figure is below its floor and no packet allocates.
    pub(super) fn good(&self) -> bool {
        self.figures.iter().all(Figure::good) && self.demands.iter().all(Demand::good) && !self.allocates()
    }

    fn allocates(&self) -> bool {
        self.allocations.is_empty() || self.allocations.iter().any(|(_, each)| *each != 0.0)
    }

    pub(super) fn print(&self, as_json: bool) {
        if as_json {
            say(&format!("{:#}", self.document()));
            return;
        }
        say(&self.machine.line(self.rounds, self.seconds));
        if self.figures.is_empty() {
            self.print_rest();
            return;
        }
        say(&format!(
            "{:<24}{:<14}{:>10}{:>10}{:>10}{:>9}{:>7}{:>9}{:>7}",
            "figure", "unit", "forward", "sixgate", "tayga+nft", "ratio", "least", "x tayga", "least"
        ));
        for figure in &self.figures {
            say(&line(figure));
        }
        for figure in self.figures.iter().filter(|f| matches!(f.kind, Kind::Bulk(_) | Kind::Datagrams)) {
            say(&bars(figure));
        }
        say(
            "A ratio is to forwarding; of a round trip it is what is added, and beside it the part of what tayga adds.",
        );
        self.print_rest();
    }

    /// What is beside the table.
    fn print_rest(&self) {
        for (row, each) in &self.allocations {
            say(&format!("{row}: {each} allocations a packet"));
        }
        for demand in &self.demands {
            let Demand { name, value, unit, most } = demand;
            let mark = if demand.good() { "" } else { "  TOO MUCH" };
            say(&format!("{name}: {value:.2} {unit}, at most {most}{mark}"));
        }
        if self.allocates() {
            say("A packet allocates; none may.");
        }
    }

    fn document(&self) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(document).collect();
        let allocations: serde_json::Map<String, Value> =
            self.allocations.iter().map(|(row, each)| (row.clone(), json!(each))).collect();
        let demands: Vec<Value> = self
            .demands
            .iter()
            .map(|d| json!({"name": d.name, "value": d.value, "unit": d.unit, "most": d.most, "good": d.good()}))
            .collect();
        json!({
            "schema": 1,
            "good": self.good(),
            "machine": {
                "kernel": self.machine.kernel,
                "processor": self.machine.processor,
                "cores": self.machine.cores,
                "load": self.machine.load,
            },
            "rounds": self.rounds,
            "seconds": self.seconds,
            "figures": figures,
            "allocations_per_packet": allocations,
            "demands": demands,
        })
    }
}

fn line(figure: &Figure) -> String {
    let value = |subject| figure.kind.say(figure.median(subject));
    let least = |floor: Option<f64>| floor.map_or(String::new(), |f| format!("{f:.2}"));
    format!(
        "{:<24}{:<14}{:>10}{:>10}{:>10}{:>9.2}{:>7}{:>9.2}{:>7}{}",
        figure.name,
        figure.kind.unit(),
        value(Subject::Forward),
        value(Subject::Sixgate),
        value(Subject::Tayga),
        figure.ratio(),
        least(figure.floor),
        figure.peer_ratio(),
        least(figure.peer_floor),
        if figure.good() { "" } else { "  BELOW" }
    )
}

fn bars(figure: &Figure) -> String {
    let mut text = String::new();
    let limit = figure.median(Subject::Forward);
    for (n, subject) in Subject::ALL.into_iter().enumerate() {
        let part = figure.median(subject) / limit;
        let filled = ((part * BAR as f64).round() as usize).min(BAR);
        let name = if n == 0 { figure.name } else { "" };
        let end = if n + 1 == Subject::ALL.len() { "" } else { "\n" };
        // Writing to a string does not fail.
        let _ = write!(text, "{name:<18}{:<10}{:<BAR$} {part:.2}{end}", subject.name(), "█".repeat(filled));
    }
    text
}

fn document(figure: &Figure) -> Value {
    let of = |subject| json!({"median": figure.median(subject), "rounds": figure.values[subject as usize]});
    json!({
        "name": figure.name,
        "unit": figure.kind.unit(),
        "mode": figure.mode.name(),
        "forward": of(Subject::Forward),
        "sixgate": of(Subject::Sixgate),
        "tayga": of(Subject::Tayga),
        "ratio": figure.ratio(),
        "least_ratio": figure.floor,
        "ratio_to_tayga": figure.peer_ratio(),
        "least_ratio_to_tayga": figure.peer_floor,
        "good": figure.good(),
    })
}

impl Machine {
    fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo");
        let processor = processor.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or("?");
        Self {
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            processor: processor.trim_start_matches(['\t', ' ', ':']).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }

    fn line(&self, rounds: usize, seconds: f64) -> String {
        let Self { kernel, processor, cores, load } = self;
        format!(
            "{processor}, {cores} cores, Linux {kernel}, load {load}; medians of {rounds} rounds of {seconds} s"
        )
    }
}
