//! The main job, step by step: what was done, what came back, and what the wires say about it.
//!
//! The programs at both ends are stock ones; their exit status and output decide. A step also fails when a wire carried what it
//! must not, or did not carry what it must.

mod apart;
mod broken;
mod cable;
mod inbound;
mod manage_out;
mod report;
mod retired;
mod seen;
mod session;
mod targeted;
mod traffic;

use std::io::Write;

use serde_json::json;

use crate::error::LabError;
use crate::handle::Lab;
use report::Report;
pub use report::Step;
pub use traffic::{Fetched, Traffic, fetch, marker};

/// One step: its letter, what it shows, and the work.
pub struct Shown {
    /// `0` for the taps' own proof, then `a` to `i`.
    pub letter: char,
    /// What is shown when it passes.
    pub title: &'static str,
    /// Does it and checks it.
    pub work: fn(&Lab, &mut Step) -> Result<(), LabError>,
}

/// All steps, in the order in which they run.
pub const STEPS: &[Shown] = &[
    Shown { letter: '0', title: "the taps on the wires see what is there", work: traffic::proof },
    Shown {
        letter: 'a',
        title: "laptop-01 reaches the IPv4-only file server by its name",
        work: inbound::files,
    },
    Shown {
        letter: 'b',
        title: "helpdesk-01 reaches laptop-01 by its name (manage-out)",
        work: manage_out::to_laptop,
    },
    Shown {
        letter: 'c',
        title: "laptop-01 reaches helpdesk-01 at its ISATAP address",
        work: manage_out::to_helpdesk,
    },
    Shown {
        letter: 'd',
        title: "nobody else changes, and the web is as fast as before",
        work: apart::unchanged,
    },
    Shown { letter: 'e', title: "the gateway shows who is there", work: seen::listed },
    Shown {
        letter: 'f',
        title: "laptop-01's cable is pulled for 10 s, and everything comes back",
        work: cable::pulled,
    },
    Shown {
        letter: 'g',
        title: "ISATAP is taken from one workstation and given back",
        work: targeted::named_hosts_only,
    },
    Shown { letter: 'h', title: "something is broken, and the doctor says what", work: broken::diagnosed },
    Shown {
        letter: 'i',
        title: "ISATAP is taken away under an open ssh, and given back",
        work: retired::taken_away,
    },
];

/// Runs every step; did all of them pass?
pub(crate) fn run(lab: &Lab, json: bool, out: &mut dyn Write) -> bool {
    let mut report = Report::new(out, json);
    for shown in STEPS {
        report.step(shown.letter, shown.title, |step| (shown.work)(lab, step));
    }
    report.step('*', "the wires, all steps together", |step| traffic::whole(lab, step));
    let good = report.good();
    report.finish(json!({"schema": 1, "lab": lab.name()}));
    good
}

/// Runs one step by its letter, without printing: what was done, and why it failed if it did.
///
/// # Errors
/// What the step found wrong.
pub fn step(lab: &Lab, letter: char) -> Result<Vec<String>, LabError> {
    let Some(shown) = STEPS.iter().find(|shown| shown.letter == letter) else {
        return Err(LabError::usage(format!("the demo has no step ({letter})")));
    };
    let mut step = Step::default();
    (shown.work)(lab, &mut step)?;
    Ok(step.into_lines())
}
