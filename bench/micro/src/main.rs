//! Time and allocations for each packet on its way through the cores: `cargo run --release -p sixgate-bench-micro`.
//!
//! Wall time depends on the machine and is only printed. Allocations do not: one on the path of a packet ends
//! with status 1, as does a table that takes too much memory.
//! An argument is a part of the names to be measured.

use std::io::{self, Write};
use std::process::ExitCode;

use sixgate_bench_micro::Bench;

fn main() -> ExitCode {
    let bench = sixgate_bench_micro::measure(std::env::args().nth(1));
    match report(&bench) {
        Ok(()) if bench.allocates() || bench.misses() => ExitCode::FAILURE,
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
