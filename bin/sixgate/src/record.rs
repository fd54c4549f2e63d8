//! What a daemon leaves beside its control socket while it runs, and when it ends with an error: when it started, what it
//! was allowed to, and its last words. `doctor` reads it, also where no daemon is left to be asked.

use std::fs;
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
    /// The clock at the start.
    pub(crate) at: Timestamp,
    /// Seconds since the machine started, at the same moment.
    pub(crate) uptime: f64,
    /// `CapEff` of /proc/self/status.
    pub(crate) capabilities: Option<String>,
    /// Why it ended.
    pub(crate) failure: Option<String>,
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
        if read(socket)
            .is_some_and(|s| s.failure.is_none() && Path::new("/proc").join(s.pid.to_string()).exists())
        {
            return None;
        }
        let start = Start {
            role: role.to_owned(),
            config: std::path::absolute(config).unwrap_or_else(|_| config.to_path_buf()),
            state: state.to_path_buf(),
            pid: std::process::id(),
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
        let fresh = self.path.with_extension("new");
        if fs::write(&fresh, text).is_ok() {
            let _ = fs::rename(&fresh, &self.path);
        }
    }
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

/// Effective capabilities of a process, as the kernel writes them.
pub(crate) fn capabilities(pid: u32) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix("CapEff:"))?.trim().to_owned())
}

fn place(socket: &Path) -> PathBuf {
    socket.with_extension("start.json")
}
