//! The file: lines are added at its end, whole, and none is lost to a disk that is full for a while.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use sixgate_api::{PortRecord, PortRecordEvent};

/// Octets that wait for a disk that takes nothing; what comes then is lost.
const MOST_PENDING: usize = 8 * 1024 * 1024;
/// Octets that are written before more is added.
const MANY_PENDING: usize = 1024 * 1024;
/// Octets at the end of a file that are read for what is allocated in it: some months of a large network.
const LOOKED_AT: u64 = 256 * 1024 * 1024;

pub(super) struct LogFile {
    file: File,
    /// Lines that are to be written, the first perhaps in part.
    pending: Vec<u8>,
    lost: u64,
    /// The last attempt failed.
    failing: bool,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        // Whoever made it beforehand may have let others read it.
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        Ok(Self { file, pending: Vec::new(), lost: 0, failing: false })
    }

    /// True when both are one file on the disk.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let id = |file: &File| file.metadata().ok().map(|m| (m.dev(), m.ino()));
        id(&self.file).is_some() && id(&self.file) == id(&other.file)
    }

    /// Takes over the lines that an older file did not take.
    pub(super) fn inherit(&mut self, older: &mut Self) {
        // The part of a line that the older file has is no line here.
        let whole = older.pending.iter().position(|octet| *octet == b'\n').map_or(0, |end| end + 1);
        let from = if older.failing { whole } else { 0 };
        self.pending.extend(older.pending.drain(..).skip(from));
        self.lost = older.lost;
    }

    /// True while something is not written.
    pub(super) fn is_behind(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Adds a line; writes what waits when that is much and the disk takes it.
    pub(super) fn push(&mut self, record: &PortRecord, path: &Path) {
        if self.pending.len() > MANY_PENDING && !self.failing {
            self.flush(path);
        }
        if self.pending.len() > MOST_PENDING {
            self.lost += 1;
            return;
        }
        let before = self.pending.len();
        if serde_json::to_writer(&mut self.pending, record).is_err() {
            self.pending.truncate(before);
            self.lost += 1;
            return;
        }
        self.pending.push(b'\n');
    }

    /// Writes what waits, as far as the disk takes it.
    pub(super) fn flush(&mut self, path: &Path) {
        let mut written = 0;
        let outcome = loop {
            match self.file.write(&self.pending[written..]) {
                Ok(0) if written < self.pending.len() => break Err(io::ErrorKind::WriteZero.into()),
                Ok(0) => break Ok(()),
                Ok(octets) => written += octets,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        self.pending.drain(..written);
        let lost = self.lost;
        match outcome {
            Err(e) if !self.failing => {
                self.failing = true;
                tracing::warn!("nat64.port-log {}: {e}: tried again every second", path.display());
            }
            Ok(()) if self.failing => {
                (self.failing, self.lost) = (false, 0);
                tracing::warn!("nat64.port-log {}: written again; {lost} records are lost", path.display());
            }
            Ok(()) if lost > 0 => {
                self.lost = 0;
                tracing::warn!("nat64.port-log {}: {lost} records are lost", path.display());
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// The end of a run: what is written is on the disk.
    pub(super) fn sync(&self) {
        // Nobody is left to be told.
        let _ = self.file.sync_data();
    }

    /// Ends a line that was cut short, and gives what is allocated by the records of the file.
    pub(super) fn leftovers(&mut self) -> io::Result<Vec<PortRecord>> {
        let length = self.file.metadata()?.len();
        if length == 0 {
            return Ok(Vec::new());
        }
        let mut last = [0];
        self.file.seek(SeekFrom::Start(length - 1))?;
        self.file.read_exact(&mut last)?;
        if last != [b'\n'] {
            self.pending.insert(0, b'\n');
        }
        self.file.seek(SeekFrom::Start(length.saturating_sub(LOOKED_AT)))?;
        let mut allocated = BTreeMap::new();
        let mut reader = BufReader::with_capacity(1 << 16, &self.file);
        let mut line = Vec::new();
        let mut number = 0_u64;
        loop {
            line.clear();
            // No line of ours is longer.
            if (&mut reader).take(1 << 16).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            number += 1;
            // What is no record is not ours, or was cut short.
            let Ok(record) = serde_json::from_slice::<PortRecord>(&line) else { continue };
            let key = (record.address, record.ports.clone(), record.protocol.clone());
            match record.event {
                PortRecordEvent::Allocated => drop(allocated.insert(key, (number, record))),
                PortRecordEvent::Released => drop(allocated.remove(&key)),
            }
        }
        let mut left: Vec<(u64, PortRecord)> = allocated.into_values().collect();
        left.sort_by_key(|(number, _)| *number);
        Ok(left.into_iter().map(|(_, record)| record).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_file_lost_is_told_with_the_first_line_that_is_written() {
        let path = std::env::temp_dir().join(format!("sixgate-port-log-{}-lost", std::process::id()));
        let mut older = LogFile::open(&path).unwrap();
        (older.lost, older.failing) = (3, true);
        let mut file = LogFile::open(&path).unwrap();
        file.inherit(&mut older);
        assert_eq!(file.lost, 3);
        file.flush(&path);
        assert_eq!(file.lost, 0, "told once");
        std::fs::remove_file(&path).unwrap();
    }
}
