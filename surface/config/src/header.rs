//! What every file may say: `schema`, `control`, `state`.

use std::path::{Path, PathBuf};

use crate::reader::Table;
use crate::report::{Report, Rule};
use crate::values;

/// Where the control socket is when the file does not say.
pub const DEFAULT_CONTROL: &str = "/run/sixgate/control.sock";
/// Where the state is when the file does not say.
pub const DEFAULT_STATE: &str = "/var/lib/sixgate";

pub(crate) struct Header {
    pub(crate) control: PathBuf,
    pub(crate) state: PathBuf,
}

pub(crate) fn read(root: &mut Table<'_>, base: &Path, report: &mut Report) -> Header {
    if let Some(schema) = root.need("schema", "1", report) {
        let version = schema.number(0, u64::from(u32::MAX), report);
        if version.is_some_and(|v| v != 1) {
            schema.fault(Rule::Schema, "this version of sixgate reads schema 1", "allowed: 1", report);
        }
    }
    let mut path = |key, default: &str, report: &mut Report| {
        let given = root.take(key).and_then(|n| n.parse(values::path, report));
        given.map_or_else(|| PathBuf::from(default), |p| base.join(p))
    };
    Header { control: path("control", DEFAULT_CONTROL, report), state: path("state", DEFAULT_STATE, report) }
}
