//! The process that outlives the supervisor by the time it takes to remove everything.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};

use crate::error::LabError;
use crate::registry;

/// Starts a reaper: its standard input closes with the supervisor, its standard output is the lab's lock, which so stays taken
/// until the last thing is removed.
pub(crate) fn start(lab: &str, lock: &File) -> Result<Child, LabError> {
    let lock = lock.try_clone().map_err(|e| LabError::io("share the lab's lock", &e))?;
    Command::new(registry::own_exe())
        .args(["lab", "internal", "reaper", lab])
        .stdin(Stdio::piped())
        .stdout(Stdio::from(lock))
        .spawn()
        .map_err(|e| LabError::io("start the reaper", &e))
}

/// The reaper itself.
pub(crate) fn reaper(lab: &str) -> i32 {
    // A session of its own: no Ctrl-C and no closing terminal ends it. It fails only where it already leads one.
    let _ = rustix::process::setsid();
    let mut end = [0_u8; 1];
    while matches!(std::io::stdin().read(&mut end), Ok(1)) {}
    let cleaned = registry::clean(lab);
    registry::forget_lock(lab);
    i32::from(cleaned.is_err())
}
