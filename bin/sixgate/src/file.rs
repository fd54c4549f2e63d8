//! Reads files; every command that takes a configuration reports its faults in the same way.

use std::path::Path;

use serde_json::json;
use sixgate_config::{Checked, Report};

use crate::exit::{Exit, Trouble};
use crate::print::{Out, complain};

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String, Trouble> {
    let bytes = std::fs::read(path).map_err(|e| {
        Trouble::failed("file-not-readable", format!("{} cannot be read: {e}", path.display()))
    })?;
    String::from_utf8(bytes).map_err(|e| {
        let valid = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|b| **b == b'\n').count() + 1;
        Trouble::failed("file-not-utf8", format!("{}:{line}: the file is not UTF-8", path.display()))
    })
}

/// Reads and checks a file. Warnings go to the log; errors are told here, and `Err` is how the command ends then.
pub(crate) fn checked<T>(
    path: &Path,
    out: &Out,
    read: impl FnOnce(&Path, &str) -> Result<Checked<T>, Report>,
) -> Result<Result<T, Exit>, Trouble> {
    let text = text(path)?;
    let checked = match read(path, &text) {
        Ok(checked) => checked,
        Err(report) => return Ok(Err(refuse(&report, out))),
    };
    for warning in checked.report.findings() {
        tracing::warn!(
            file = warning.file,
            line = warning.line,
            code = warning.code,
            "{}: {}",
            warning.message,
            warning.detail
        );
    }
    Ok(Ok(checked.value))
}

fn refuse(report: &Report, out: &Out) -> Exit {
    if out.json {
        out.document(&json!({
            "schema": 1,
            "error": {"code": "configuration", "message": "the configuration is wrong, and nothing was started"},
            "findings": report.findings(),
        }));
    } else {
        complain(report.render().trim_end());
    }
    Exit::Failed
}
