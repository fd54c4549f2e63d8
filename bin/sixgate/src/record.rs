//! What a daemon leaves beside its control socket while it runs, and when it ends with an error: when it started, what it
//! was allowed to, and its last words. `doctor` reads it, also where no daemon is left to be asked.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sixgate_api::Timestamp;

/// The record of one start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    /// `gateway`, `client` or `host`.
    pub(crate) role: String,
    /// Its file.
    pub(crate) config: PathBuf,
    /// Its state directory.
    pub(crate) state: PathBuf,
    pub(crate) pid: u32,
    /// When that process began, in ticks since the machine started: with the number it is one process and no other.
    #[serde(default)]
    pub(crate) began: Option<u64>,
    /// The clock at the start.
    pub(crate) at: Timestamp,
    /// Seconds since the machine started, at the same moment.
    pub(crate) uptime: f64,
    /// `CapEff` of /proc/self/status.
    pub(crate) capabilities: Option<String>,
    /// Why it ended.
    pub(crate) failure: Option<String>,
}

impl Start {
    /// Whether its process lives, and is another than `own`. A number alone says nothing: in a container each start has
    /// the same one, and elsewhere it may be somebody else's meanwhile.
    fn lives_beside(&self, own: u32) -> bool {
        self.failure.is_none() && self.pid != own && self.began.is_some() && self.began == began(self.pid)
    }
}

/// A start that is on record; ended in order, the record goes.
pub(crate) struct Record {
    start: Start,
    path: PathBuf,
}

impl Record {
    /// Writes it down; `None` when another daemon that lives has this socket.
    pub(crate) fn begin(role: &str, config: &Path, state: &Path, socket: &Path) -> Option<Self> {
        let path = place(socket);
        if read(socket).is_some_and(|start| start.lives_beside(std::process::id())) {
            return None;
        }
        let start = Start {
            role: role.to_owned(),
            config: std::path::absolute(config).unwrap_or_else(|_| config.to_path_buf()),
            state: state.to_path_buf(),
            pid: std::process::id(),
            began: began(std::process::id()),
            at: Timestamp::now(),
            uptime: uptime().unwrap_or_default(),
            capabilities: capabilities(std::process::id()),
            failure: None,
        };
        let record = Self { start, path };
        record.write();
        Some(record)
    }

    /// The daemon ended: in order, or with its last words.
    pub(crate) fn end(mut self, failure: Option<&str>) {
        match failure {
            None => drop(fs::remove_file(&self.path)),
            Some(words) => {
                self.start.failure = Some(words.to_owned());
                self.write();
            }
        }
    }

    /// It helps people; no daemon fails for want of it.
    fn write(&self) {
        let Ok(text) = serde_json::to_vec(&self.start) else { return };
        if let Some(folder) = self.path.parent() {
            let _ = fs::create_dir_all(folder);
        }
        let _ = replace(&self.path, &text);
    }
}

/// Puts a file of ours in the place of whatever is there: what lies ready under the new name was left by a killed daemon, or
/// laid there by another, and is never written through.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(text).and_then(|()| fs::rename(&fresh, path)).inspect_err(|_| {
        // Half a file is no record.
        let _ = fs::remove_file(&fresh);
    })
}

/// The record of the daemon that has, or had, this control socket.
pub(crate) fn read(socket: &Path) -> Option<Start> {
    serde_json::from_slice(&fs::read(place(socket)).ok()?).ok()
}

/// Seconds since the machine started, sleep included: the clock that nobody sets.
pub(crate) fn uptime() -> Option<f64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// When a process began: field 22 of its `stat`. The second field is a name of its own choice, in parentheses.
fn began(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Effective capabilities of a process, as the kernel writes them.
pub(crate) fn capabilities(pid: u32) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix("CapEff:"))?.trim().to_owned())
}

fn place(socket: &Path) -> PathBuf {
    socket.with_extension("start.json")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sixgate-record-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn begin(socket: &Path) -> Option<Record> {
        Record::begin("host", Path::new("host.toml"), Path::new("state"), socket)
    }

    #[test]
    fn only_another_process_that_lives_has_the_socket() {
        let folder = folder("lives");
        let socket = folder.join("control.sock");
        // Killed, and started again under the same number, as in a container.
        drop(begin(&socket).unwrap());
        let mut record = begin(&socket).unwrap();
        assert_eq!(read(&socket).unwrap().pid, std::process::id());

        // Whoever started this test lives.
        let parent = std::os::unix::process::parent_id();
        (record.start.pid, record.start.began) = (parent, began(parent));
        assert!(record.start.began.is_some());
        record.write();
        assert!(begin(&socket).is_none());

        // The same number, and another process.
        record.start.began = record.start.began.map(|ticks| ticks + 1);
        record.write();
        assert!(begin(&socket).is_some());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_that_lies_ready_is_replaced_and_not_written_through() {
        let folder = folder("ready");
        let (socket, other) = (folder.join("control.sock"), folder.join("other"));
        fs::write(&other, "of somebody").unwrap();
        symlink(&other, place(&socket).with_extension("new")).unwrap();
        begin(&socket).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "of somebody");
        let found = fs::symlink_metadata(place(&socket)).unwrap();
        assert!(found.is_file() && found.mode() & 0o777 == 0o600);
        fs::remove_dir_all(&folder).unwrap();
    }
}
