//! How a command ends.

use std::process::ExitCode;

use serde_json::json;
use sixgate_io_control::CallError;

use crate::print::Out;

/// The exit codes that scripts lean on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// 0
    Good,
    /// 1: it failed, or there is a finding.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 3: no daemon answers.
    Unreachable,
    /// What a program in the lab ended with.
    Of(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::Of(code) => code,
        })
    }
}

impl Exit {
    /// The status of a program.
    pub(crate) fn of(status: i32) -> Self {
        u8::try_from(status).map_or(Self::Failed, Self::Of)
    }
}

/// Why a command has nothing to print: a stable code, and one line that says what, where and what to do.
#[derive(Debug)]
pub(crate) struct Trouble {
    exit: Exit,
    code: String,
    line: String,
}

impl Trouble {
    pub(crate) fn failed(code: &str, line: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, code: code.to_owned(), line: line.into() }
    }

    pub(crate) fn usage(line: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, code: "usage".to_owned(), line: line.into() }
    }

    pub(crate) fn unreachable(line: impl Into<String>) -> Self {
        Self { exit: Exit::Unreachable, code: "daemon-not-reachable".to_owned(), line: line.into() }
    }

    /// With an exit status of its own.
    pub(crate) fn ended(code: &str, line: impl Into<String>, status: i32) -> Self {
        Self { exit: Exit::of(status), code: code.to_owned(), line: line.into() }
    }

    /// Whether it is that no daemon answers.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.exit == Exit::Unreachable
    }

    /// Says it, as text to standard error or as the one document to standard output.
    pub(crate) fn report(&self, out: &Out) -> Exit {
        if out.json {
            out.document(&json!({"schema": 1, "error": {"code": self.code, "message": self.line}}));
        } else {
            crate::print::complain(&format!("sixgate: {}", self.line));
        }
        self.exit
    }
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        let line = error.to_string();
        match error {
            CallError::Unreachable { .. } => {
                Self { exit: Exit::Unreachable, code: "daemon-not-reachable".to_owned(), line }
            }
            CallError::Refused { code, .. } => Self { exit: Exit::Failed, code, line },
        }
    }
}
