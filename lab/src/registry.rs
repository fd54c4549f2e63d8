//! What a lab leaves on the machine while it lives, where it is, and how it is removed.
//!
//! `/run/sixgate-lab/NAME/` (state, control socket, log), `/run/sixgate-lab/NAME.lock` (held by supervisor and reaper as long
//! as either lives) and `/run/netns/sg-NAME-NODE`. Nothing else outlives a process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::mount::{UnmountFlags, mount_bind, unmount};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::topology;

const BASE: &str = "/run/sixgate-lab";
const NETNS: &str = "/run/netns";

/// What other commands must know of a lab.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// The supervisor.
    pub(crate) supervisor: i32,
    /// First process of each node.
    pub(crate) nodes: BTreeMap<String, i32>,
    /// The binary that the nodes run.
    pub(crate) exe: PathBuf,
    /// Everything that `up` promises is there.
    pub(crate) up: bool,
}

/// Is `name` good for namespaces, files and host names?
pub(crate) fn check_name(name: &str) -> Result<(), LabError> {
    let good = (1..=20).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-');
    if good {
        Ok(())
    } else {
        Err(LabError::usage(format!("a lab's name is 1 to 20 of a-z, 0-9 and -: not '{name}'")))
    }
}

/// The program that is running, also after its file was replaced by a new build.
pub(crate) fn own_exe() -> PathBuf {
    // By number, not `self`: another program may stand in between and execute it.
    PathBuf::from(format!("/proc/{}/exe", std::process::id()))
}

pub(crate) fn directory(lab: &str) -> PathBuf {
    Path::new(BASE).join(lab)
}

pub(crate) fn socket(lab: &str) -> PathBuf {
    directory(lab).join("control.sock")
}

pub(crate) fn netns(lab: &str, node: &str) -> PathBuf {
    Path::new(NETNS).join(format!("sg-{lab}-{node}"))
}

fn lock_path(lab: &str) -> PathBuf {
    Path::new(BASE).join(format!("{lab}.lock"))
}

/// Makes the lab's directory.
pub(crate) fn create(lab: &str) -> Result<(), LabError> {
    make(&directory(lab))
}

/// Makes a directory and what is above it, also while another lab that ends takes away what is above.
fn make(directory: &Path) -> Result<(), LabError> {
    let mut tries = 0..10;
    loop {
        match fs::DirBuilder::new().recursive(true).mode(0o700).create(directory) {
            Ok(()) => return Ok(()),
            Err(_) if tries.next().is_some() => {}
            Err(error) => return Err(LabError::io("make /run/sixgate-lab", &error)),
        }
    }
}

/// Writes the state by rename, so that a reader sees one version whole.
pub(crate) fn save(lab: &str, state: &State) -> Result<(), LabError> {
    let path = directory(lab).join("state.json");
    let new = directory(lab).join("state.json.new");
    let text = serde_json::to_vec(state).map_err(|e| LabError::failed(e.to_string()))?;
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, &path))
        .map_err(|e| LabError::io("write the lab's state", &e))
}

/// The state of a lab that is there.
pub(crate) fn load(lab: &str) -> Result<State, LabError> {
    let text = fs::read(directory(lab).join("state.json")).map_err(|_| LabError::not_up(lab))?;
    let state: State = serde_json::from_slice(&text).map_err(|_| LabError::not_up(lab))?;
    if !Path::new("/proc").join(state.supervisor.to_string()).exists() || try_lock(lab)?.is_some() {
        return Err(LabError::not_up(lab));
    }
    Ok(state)
}

/// Takes the lab's lock; `None` while a supervisor or reaper holds it.
pub(crate) fn try_lock(lab: &str) -> Result<Option<File>, LabError> {
    make(Path::new(BASE))?;
    let path = lock_path(lab);
    for _ in 0..100 {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| LabError::io("open the lab's lock", &e))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        // The one before us may have removed the file between our open and our lock: then it is not *the* lock.
        let ours = file.metadata().map(|m| m.ino()).ok();
        if ours == fs::metadata(&path).map(|m| m.ino()).ok() {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Waits until nobody holds the lab's lock, and takes it.
pub(crate) fn wait_lock(lab: &str, longest: Duration) -> Result<File, LabError> {
    let end = Instant::now() + longest;
    loop {
        if let Some(lock) = try_lock(lab)? {
            return Ok(lock);
        }
        if Instant::now() > end {
            return Err(LabError::failed(format!("lab '{lab}' does not end: its reaper still works")));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Is there anything of lab `lab` on this machine?
pub(crate) fn anything_left(lab: &str) -> bool {
    directory(lab).exists() || topology::nodes().any(|node| netns(lab, node).exists())
}

/// Names the network namespace of process `pid` so that `ip netns` sees it.
pub(crate) fn name_namespace(lab: &str, node: &str, pid: i32) -> Result<(), LabError> {
    let path = netns(lab, node);
    let made = !Path::new(NETNS).exists();
    fs::create_dir_all(NETNS).map_err(|e| LabError::io("make /run/netns", &e))?;
    if made {
        // Whoever made the folder removes it: the mark says that it was us.
        fs::write(directory(lab).join("made-netns"), b"")
            .map_err(|e| LabError::io("write the lab's state", &e))?;
    }
    File::create(&path)
        .and_then(|_| mount_bind(format!("/proc/{pid}/ns/net"), &path).map_err(io::Error::from))
        .map_err(|e| LabError::io(&format!("name the network namespace of {node}"), &e))
}

/// Removes everything of `lab`. The caller holds the lock, and drops it after [`forget_lock`].
pub(crate) fn clean(lab: &str) -> Result<(), LabError> {
    kill_inside(lab)?;
    for node in topology::nodes() {
        let path = netns(lab, node);
        while unmount(&path, UnmountFlags::DETACH).is_ok() {}
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(LabError::io(&format!("remove {}", path.display()), &error)),
        }
    }
    let made = directory(lab).join("made-netns").exists();
    match fs::remove_dir_all(directory(lab)) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(LabError::io(&format!("remove {}", directory(lab).display()), &error)),
    }
    if made {
        // Fails while somebody else's namespaces are there: then it is not ours to remove.
        let _ = fs::remove_dir(NETNS);
    }
    Ok(())
}

/// Removes the lock's file, as the last thing.
pub(crate) fn forget_lock(lab: &str) {
    let _ = fs::remove_file(lock_path(lab));
    // Stays as long as another lab lives.
    let _ = fs::remove_dir(BASE);
}

/// Ends every process whose network namespace is one of the lab's, also one that somebody started by `ip netns exec`, and
/// every node that is not so far yet that its namespace has a name.
fn kill_inside(lab: &str) -> Result<(), LabError> {
    let Ok(own) = fs::metadata("/proc/self/ns/net") else { return Ok(()) };
    let inodes: Vec<u64> = topology::nodes()
        .filter_map(|node| fs::metadata(netns(lab, node)).ok())
        // A name without its mount is a plain file, and our own namespace is never theirs.
        .filter(|found| found.dev() == own.dev() && found.ino() != own.ino())
        .map(|found| found.ino())
        .collect();
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let inside: Vec<i32> =
            processes().filter(|pid| inodes.contains(&namespace_of(*pid)) || is_node_of(*pid, lab)).collect();
        if inside.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(LabError::failed(format!("processes of lab '{lab}' do not end: {inside:?}")));
        }
        for pid in inside.into_iter().filter_map(Pid::from_raw) {
            // It may have ended by itself in between.
            let _ = kill_process(pid, Signal::KILL);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Is it the first process of a node of `lab`, or the one that makes it?
fn is_node_of(pid: i32, lab: &str) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
    words.windows(4).any(|four| four == [b"lab".as_slice(), b"internal", b"init", lab.as_bytes()])
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
}

/// Inode of the network namespace of a process, 0 when it is gone (a zombie has none).
fn namespace_of(pid: i32) -> u64 {
    fs::metadata(format!("/proc/{pid}/ns/net")).map_or(0, |found| found.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_the_folder_are_refused() {
        for bad in ["", "..", "a/b", "A", "-x", "abcdefghijklmnopqrstu", "a b"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        check_name("lab").unwrap();
        check_name("e2e-7").unwrap();
    }
}
