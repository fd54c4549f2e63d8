//! `port-block-size` and `port-log`: ports by the block, and the log that says who had them (RFC 7422).

use std::path::{Path, PathBuf};

use crate::reader::Table;
use crate::report::{Report, Rule};
use crate::values;

/// With a log and without a size of the file's: a line a client mostly, and 120 clients on an address.
const DEFAULT: u16 = 512;
const SMALLEST: u16 = 64;
const LARGEST: u16 = 8192;

pub(super) fn read(
    table: &mut Table<'_>,
    base: &Path,
    report: &mut Report,
) -> (Option<u16>, Option<PathBuf>) {
    let mut size = None;
    if let Some(node) = table.take("port-block-size")
        && let Some(number) = node.number(SMALLEST.into(), LARGEST.into(), report)
    {
        size = u16::try_from(number).ok().filter(|size| size.is_power_of_two());
        if size.is_none() {
            node.fault(
                Rule::Range,
                format!("{number} ports are no block"),
                "allowed: 64, 128, 256, 512, 1024, 2048, 4096, 8192",
                report,
            );
        }
    }
    let log = table.take("port-log").and_then(|n| n.parse(values::path, report)).map(|path| base.join(path));
    (size.or(log.is_some().then_some(DEFAULT)), log)
}
