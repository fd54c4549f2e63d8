//! NAT64 beside its limit and beside a peer: plain IPv6 forwarding, sixgate, and tayga with nftables' masquerade.
//!
//! Rounds alternate: in each, every row has its turn at every figure, so that a machine that slows down slows all. Medians are
//! compared. What reaches the server is looked at: a figure whose packets did not come out of the pool fails the measurement.

mod bulk;
mod connections;
mod crowd;
mod datagrams;
mod figure;
mod frames;
mod plot;
mod report;
mod round_trip;
mod space;
mod subject;
mod world;

use std::time::Duration;

use figure::Kind;
use subject::Subject;
use world::{Mode, World};

use crate::statistics::quantile;
use crate::{Nat64, progress, stop};

/// Measures; false when a figure is below its floor or a packet allocates.
pub(crate) fn run(options: &Nat64) -> Result<bool, String> {
    let allocations = sixgate_bench_micro::nat64_allocations();
    // Nobody needs a peer beside a run that must fail.
    let subjects: &[Subject] =
        if options.without_translator { &[Subject::Forward, Subject::Sixgate] } else { &Subject::ALL };
    let world = World::up(subjects, !options.without_translator)?;
    let mut figures = figure::all();
    figures.retain(|f| options.only.as_ref().is_none_or(|part| f.name.contains(part.as_str())));
    let crowd = options.only.as_ref().is_none_or(|part| "sessions".contains(part.as_str()));
    if figures.is_empty() && !crowd {
        return Err("no figure has such a name".to_owned());
    }
    for subject in subjects {
        wake(&world, *subject)?;
    }
    let length = Duration::try_from_secs_f64(options.seconds).map_err(|e| e.to_string())?;
    for round in 1..=options.rounds.max(1) {
        let mut mode = None;
        for figure in &mut figures {
            if mode.replace(figure.mode) != Some(figure.mode) {
                world.set(figure.mode)?;
            }
            stop::check()?;
            let values = measure(&world, figure.kind, subjects, length)
                .map_err(|why| format!("{}: {why}", figure.name))?;
            for (subject, value) in values {
                progress(&format!(
                    "round {round}/{} {:<26} {:<10} {:>10}",
                    options.rounds,
                    figure.name,
                    subject.name(),
                    figure.kind.say(value)
                ));
                figure.values[subject as usize].push(value);
            }
        }
    }
    // Last, because a million sessions stay.
    let demands = if crowd {
        world.set(Mode::Gso)?;
        crowd::measure(&world, options.rounds, length)?
    } else {
        Vec::new()
    };
    let report = report::Report::of(figures, options, allocations, demands);
    report.print(options.json);
    if let Some(file) = &options.svg {
        std::fs::write(file, plot::svg(&report)).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(report.good())
}

/// Lets neighbours be found: what the first packet waits for is no part of a figure.
fn wake(world: &World, subject: Subject) -> Result<(), String> {
    let mut outcome = Ok(());
    for _ in 0..20 {
        stop::check()?;
        outcome = round_trip::measure(world, &[subject], Duration::from_millis(100)).map(drop);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// A value of each subject.
fn measure(
    world: &World,
    kind: Kind,
    subjects: &[Subject],
    length: Duration,
) -> Result<Vec<(Subject, f64)>, String> {
    let each = |one: &dyn Fn(Subject) -> Result<f64, String>| {
        Subject::ALL
            .into_iter()
            .map(|s| stop::check().and_then(|()| one(s)).map(|value| (s, value)))
            .collect()
    };
    match kind {
        Kind::Bulk(direction) => each(&|s| bulk::measure(world, s, direction, length)),
        Kind::Datagrams => each(&|s| datagrams::measure(world, s, length).map(|(arrived, _)| arrived)),
        Kind::Connections => each(&|s| connections::measure(world, s, length)),
        Kind::RoundTrip { part } => {
            let times = round_trip::measure(world, subjects, length)?;
            Ok(times.into_iter().map(|(s, times)| (s, quantile(&times, part))).collect())
        }
    }
}
