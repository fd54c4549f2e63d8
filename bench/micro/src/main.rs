//! Time and allocations for each packet on its way through the cores: `cargo run --release -p sixgate-bench-micro`.
//!
//! Wall time depends on the machine and is only printed. Allocations do not: one on the path of a packet ends with status 1.
//! An argument is a part of the names to be measured.

use std::io::{self, Write};
use std::process::ExitCode;

mod counting;
mod cutter;
mod fabric;
mod measure;
mod nat64;
mod offload;
mod packets;

use measure::Bench;

fn main() -> ExitCode {
    let mut bench = Bench::new(std::env::args().nth(1));
    fabric::run(&mut bench);
    nat64::run(&mut bench);
    cutter::run(&mut bench);
    offload::run(&mut bench);
    match report(&bench) {
        Ok(()) if bench.allocates() => ExitCode::FAILURE,
        // A closed pipe is the reader's business.
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}

fn report(bench: &Bench) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{:<44} {:>10} {:>10} {:>12}", "path", "octets", "ns/packet", "allocations")?;
    for row in bench.rows() {
        writeln!(out, "{row}")?;
    }
    for note in bench.notes() {
        writeln!(out, "{note}")?;
    }
    if bench.allocates() {
        writeln!(out, "a packet allocates; none may")?;
    }
    Ok(())
}
