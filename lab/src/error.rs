//! What can go wrong, one line each.

use std::fmt;

/// One line for a person: what failed and, where there is one, what to do.
#[derive(Debug, Clone)]
pub struct LabError {
    line: String,
    exit: i32,
}

impl LabError {
    /// Something failed (exit status 1).
    #[must_use]
    pub fn failed(line: impl Into<String>) -> Self {
        Self { line: line.into(), exit: 1 }
    }

    /// The command line asks for something that does not exist (exit status 2).
    #[must_use]
    pub fn usage(line: impl Into<String>) -> Self {
        Self { line: line.into(), exit: 2 }
    }

    /// The lab is not up (exit status 3, as for a daemon that is not reachable).
    #[must_use]
    pub fn not_up(name: &str) -> Self {
        let hint = if name == "lab" { String::new() } else { format!(" --name {name}") };
        Self { line: format!("lab '{name}' is not up: `sixgate lab up{hint}` builds it"), exit: 3 }
    }

    /// Ended by Ctrl-C or SIGTERM (exit status 128 + signal).
    #[must_use]
    pub fn interrupted(signal: i32) -> Self {
        Self { line: "interrupted: the lab is gone, nothing is left".to_owned(), exit: 128 + signal }
    }

    pub(crate) fn io(what: &str, error: &std::io::Error) -> Self {
        Self::failed(format!("cannot {what}: {error}"))
    }

    /// The exit status that says this.
    #[must_use]
    pub fn exit(&self) -> i32 {
        self.exit
    }
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl std::error::Error for LabError {}
