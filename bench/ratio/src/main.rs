//! TCP throughput through sixgate as a ratio to plain kernel forwarding over the same cables in the same run.
//!
//! ```text
//! client -> IPv4 server    laptop-01 == nat == gateway -- files              (= in TLS over TCP; -- plain IPv4)
//! helpdesk -> client       helpdesk-01 ~~ router ~~ gateway == nat == laptop-01     (~ in protocol 41)
//! ```
//! The kernels' own forwarding takes the same cables with plain IPv4 routes that exist only while it is measured. Every socket
//! that is measured uses cubic, and says so: a namespace may not choose what the machine restricts, a socket of root may. Rounds alternate, and the medians are compared, so that a machine that slows down slows both.
//!
//! Usage: `sixgate-bench-ratio [ROUNDS]`; the binary is `SIXGATE_BIN`. Exit status 1 below a floor.

mod lab;
mod paths;

use std::io::Write;
use std::process::ExitCode;

use paths::{PATHS, Path};

/// Rounds where the caller does not say.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    match run(rounds) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            say(&format!("bench/ratio: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn run(rounds: usize) -> Result<bool, String> {
    let world = lab::World::up()?;
    world.lab.deafen().map_err(|e| e.to_string())?;
    say(&format!(
        "{:<26}{:>16}{:>16}{:>10}{:>10}",
        "path", "sixgate Mbit/s", "kernel Mbit/s", "ratio", "floor"
    ));
    let mut good = true;
    for path in PATHS {
        let (through, plain) = measure(&world.lab, path, rounds)?;
        let ratio = through / plain;
        good &= ratio >= path.floor;
        let mark = if ratio >= path.floor { "" } else { "  BELOW" };
        say(&format!("{:<26}{through:>16.0}{plain:>16.0}{ratio:>10.3}{:>10.2}{mark}", path.name, path.floor));
    }
    Ok(good)
}

/// Medians of both ways, in Mbit/s.
fn measure(lab: &sixgate_lab::Lab, path: &Path, rounds: usize) -> Result<(f64, f64), String> {
    let (mut through, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        through.push(path.through_sixgate(lab)?);
        plain.push(path.through_kernels(lab)?);
    }
    Ok((median(through), median(plain)))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Prints a line; nobody may be reading.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_is_the_middle_one() {
        assert!((super::median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
    }
}
