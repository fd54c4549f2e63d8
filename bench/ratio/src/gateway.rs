//! TCP through the whole gateway as a ratio to plain kernel forwarding over the same cables in the same run.
//!
//! ```text
//! client -> IPv4 server    laptop-01 == nat == gateway -- files              (= in TLS over TCP; -- plain IPv4)
//! helpdesk -> client       helpdesk-01 ~~ router ~~ gateway == nat == laptop-01     (~ in protocol 41)
//! ```
//! The kernels' own forwarding takes the same cables with plain IPv4 routes that exist only while it is measured. Every socket
//! that is measured uses cubic, and says so: a namespace may not choose what the machine restricts, a socket of root may. Rounds
//! alternate, and the medians are compared, so that a machine that slows down slows both.

mod lab;
mod paths;

use crate::say;
use crate::statistics::median;
use paths::{PATHS, Path};

/// Measures every path; false when one is below its floor.
pub(crate) fn run(rounds: usize) -> Result<bool, String> {
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
        crate::stop::check()?;
        through.push(path.through_sixgate(lab)?);
        plain.push(path.through_kernels(lab)?);
    }
    Ok((median(&through), median(&plain)))
}
