//! `port-block-size` and `port-log`: ports by the block, and the log that says who had them (RFC 7422).

use std::path::{Path, PathBuf};

use super::PoolEntry;
use crate::reader::Table;
use crate::report::{Report, Rule};
use crate::values;

/// With a log and without a size of the file's: a line a client mostly, and 120 clients on an address.
const DEFAULT: u16 = 512;
const SMALLEST: u16 = 64;
const LARGEST: u16 = 8192;

pub(super) fn read(
    table: &mut Table<'_>,
    pool: &[PoolEntry],
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
        if let Some(size) = size.filter(|size| !pool.iter().any(|entry| has_room(entry, *size))) {
            node.at(size).warn(
                Rule::PoolEntry,
                format!("no entry of `pool` has room for a block of {size} ports"),
                "each port will be given, and logged, alone",
                report,
            );
        }
    }
    let log = table.take("port-log").and_then(|n| n.parse(values::path, report)).map(|path| base.join(path));
    (size.or(log.is_some().then_some(DEFAULT)), log)
}

/// True when the entry has a block: a whole one, or half of one at least where the entry begins or ends in it.
fn has_room(entry: &PoolEntry, size: u16) -> bool {
    let (first, last) = (u32::from(*entry.ports.start()), u32::from(*entry.ports.end()));
    let size = u32::from(size);
    (first / size..=last / size).any(|number| {
        let within = (number * size).max(first)..=((number + 1) * size - 1).min(last);
        within.count() as u32 * 2 >= size
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nat64::PoolAddresses;

    #[test]
    fn half_a_block_is_room_enough() {
        let entry =
            |ports| PoolEntry { protocol: None, addresses: PoolAddresses::Inside, ports, ports_named: true };
        assert!(has_room(&entry(1..=65_535), 8192));
        assert!(has_room(&entry(512..=1023), 512) && has_room(&entry(512..=767), 512));
        assert!(!has_room(&entry(512..=766), 512));
        // 255 ports on either side of a boundary.
        assert!(!has_room(&entry(769..=1278), 512));
    }
}
