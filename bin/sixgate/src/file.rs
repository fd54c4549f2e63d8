//! Reads files.

use std::path::Path;

use crate::exit::Trouble;

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String, Trouble> {
    let bytes = std::fs::read(path).map_err(|e| {
        Trouble::failed("file-not-readable", format!("{} cannot be read: {e}", path.display()))
    })?;
    String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        Trouble::failed("file-not-utf8", format!("{}:{line}: the file is not UTF-8", path.display()))
    })
}
