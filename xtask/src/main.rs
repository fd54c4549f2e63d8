//! Checks that no compiler makes: `cargo run -p xtask -- layers`, `cargo run -p xtask -- files`, `cargo run -p xtask -- tables`.
//!
//! | command | fails when |
//! | --- | --- |
//! | `layers` | a crate depends on one that its layer may not use, a core crate may use `std` or `unsafe`, or ARCHITECTURE.md and the workspace name different folders |
//! | `files` | a source file is longer than anybody can hold in mind |
//! | `tables` | a requirement table names a test that does not exist |

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod architecture;
mod attributes;
mod files;
mod layers;
mod metadata;
mod tables;

fn main() -> ExitCode {
    let Some(command) = std::env::args().nth(1) else { return usage() };
    let root = root();
    let outcome = match command.as_str() {
        "layers" => layers(&root),
        "files" => files::check(&root),
        "tables" => tables::check(&root),
        _ => return usage(),
    };
    match outcome {
        Ok(Report { faults, checked }) if faults.is_empty() => {
            say(&format!("xtask {command}: {checked}, no fault"));
            ExitCode::SUCCESS
        }
        Ok(Report { faults, .. }) => {
            for fault in &faults {
                say(fault);
            }
            say(&format!("xtask {command}: {} fault(s)", faults.len()));
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&format!("xtask {command}: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// What a check found.
struct Report {
    /// One line each, for a person.
    faults: Vec<String>,
    /// What was looked at.
    checked: String,
}

fn layers(root: &Path) -> io::Result<Report> {
    let workspace = metadata::read(root)?;
    let mut faults = layers::forbidden_edges(&workspace);
    faults.extend(layers::forbidden_packages(&workspace));
    faults.extend(attributes::missing(root, &workspace));
    faults.extend(architecture::differences(root, &workspace)?);
    Ok(Report { faults, checked: format!("{} crates", workspace.members.len()) })
}

/// The folder of the workspace: the one above this crate's.
fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

fn usage() -> ExitCode {
    say("usage: xtask layers | files | tables");
    ExitCode::from(2)
}

/// A closed pipe is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
