//! Every change that would outlive the daemon, on disk before it is made, and its undoing.
//!
//! The file holds one JSON document a line. A change is written and synced, then made; so after a kill at any moment the
//! file names everything that may have been changed, and undoing what was not made does nothing. A last line that is cut
//! short belongs to a change that was never begun.
//!
//! Undoing puts back what was there before, latest change first, but only where our value still stands: what others have
//! changed meanwhile stays theirs, and a remark says so.

mod record;
mod undo;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::netlink::{Address, Netlink, Route, Rule};
use crate::{HostError, nft, resolver, sysctl};
use record::{AddressRecord, Change, Line, Record, RouteRecord, RuleRecord};

/// Names one change, to undo it before the others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChangeId(u64);

/// What undoing came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Undone {
    /// How many changes there were to undo.
    pub changes: usize,
    /// What a person should know: settings that others have changed meanwhile, undoing that failed. One line each.
    pub remarks: Vec<String>,
}

/// The changes of this daemon to its host.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Locked for as long as it is open.
    file: File,
    records: Vec<Record>,
    next: u64,
    /// Where the changes are made, so that they are undone nowhere else.
    namespace: Option<String>,
}

impl Journal {
    /// Opens the journal at `path`, makes it if there is none, and undoes what an earlier run left.
    ///
    /// # Errors
    /// One line: the file cannot be read or written, or a running daemon has it.
    pub fn open(path: &Path) -> Result<(Self, Undone), HostError> {
        let fail = |e: io::Error| HostError::new(format!("the journal {}", path.display()), e);
        let file = open_locked(path).map_err(|e| {
            let busy = e.kind() == io::ErrorKind::WouldBlock;
            let error = fail(e);
            if busy { error.advise("another sixgate that runs uses this state directory") } else { error }
        })?;
        let namespace = record::namespace();
        let mut journal = Self { path: path.to_owned(), file, records: Vec::new(), next: 0, namespace };
        journal.load().map_err(fail)?;
        let undone = journal.undo();
        Ok((journal, undone))
    }

    /// Sets a sysctl, named as in [`sysctl`]. `None` when it had the value already: then there is nothing to undo.
    ///
    /// Settings that the kernel changes along with this one (`all/forwarding` changes that of every device) are put back too.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn sysctl(&mut self, name: &str, value: &str) -> Result<Option<ChangeId>, HostError> {
        let before = sysctl::get(name)?;
        if sysctl::same(&before, value) {
            return Ok(None);
        }
        let along = record::changed_along(name, &before, value);
        let change = Change::Sysctl { name: name.to_owned(), before, set: value.to_owned(), along };
        self.make(change, || sysctl::set(name, value)).map(Some)
    }

    /// Runs `nft` with `script`, all of which is in the table `name` of `family`. Undoing deletes that table.
    ///
    /// # Errors
    /// As [`nft::apply`].
    pub fn nft(&mut self, family: &str, name: &str, script: &str) -> Result<ChangeId, HostError> {
        let change = Change::Nft { family: family.to_owned(), name: name.to_owned() };
        let lock = self.file.try_clone().map_err(|e| HostError::new("the lock of the journal", e))?;
        self.make(change, || nft::apply(script, &lock))
    }

    /// Makes `path` a resolver file with `content`. May be called again with other content.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn resolver(&mut self, path: &Path, content: &str) -> Result<ChangeId, HostError> {
        let fail = |e| HostError::new(format!("the resolver file {}", path.display()), e);
        let before = resolver::read(path).map_err(fail)?;
        let change = Change::Resolver { path: path.to_owned(), before, set: content.to_owned() };
        self.make(change, || resolver::write(path, content.as_bytes()).map_err(fail))
    }

    /// Adds a route on a device that is not ours. `None` when there is such a route already: it is left as it is.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn route(&mut self, netlink: &mut Netlink, route: &Route) -> Result<Option<ChangeId>, HostError> {
        let record = RouteRecord::new(netlink, route)?;
        // Looked for first: after a kill, a route of others that had stopped ours from being made would be taken for ours.
        if netlink.routes()?.iter().any(|r| record::same_route(r, route)) {
            return Ok(None);
        }
        self.make(Change::Route(record), || netlink.add_route(route)).map(Some)
    }

    /// Adds an address on a device that is not ours. `None` when it is there already.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn address(
        &mut self,
        netlink: &mut Netlink,
        address: &Address,
    ) -> Result<Option<ChangeId>, HostError> {
        let record = AddressRecord::new(netlink, address)?;
        let there = netlink.addresses(Some(address.link))?;
        if there.iter().any(|a| (a.address, a.length) == (address.address, address.length)) {
            return Ok(None);
        }
        self.make(Change::Address(record), || netlink.add_address(address)).map(Some)
    }

    /// Adds a routing rule. `None` when it is there already.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn rule(&mut self, netlink: &mut Netlink, rule: &Rule) -> Result<Option<ChangeId>, HostError> {
        if netlink.rules()?.contains(rule) {
            return Ok(None);
        }
        self.make(Change::Rule(RuleRecord::new(rule)), || netlink.add_rule(rule)).map(Some)
    }

    /// Undoes one change now. No remark when there is nothing to say, or the change is unknown.
    pub fn revert(&mut self, id: ChangeId) -> Option<String> {
        let position = self.records.iter().position(|r| r.id == id.0)?;
        let remark = undo::one(position, &self.records, self.namespace.as_deref(), &self.file);
        if remark.is_ok() {
            // Should this not reach the disk, the change is undone again later, which does nothing.
            let _ = self.append(&Line::Gone(id.0));
            self.records.remove(position);
        }
        remark.unwrap_or_else(Some)
    }

    /// Undoes every change, the latest first, and empties the journal. What could not be undone stays in it for the next start.
    pub fn undo(&mut self) -> Undone {
        let mut undone = Undone { changes: self.records.len(), remarks: Vec::new() };
        let (mut left, mut undone_ids) = (Vec::new(), Vec::new());
        let records = std::mem::take(&mut self.records);
        for position in (0..records.len()).rev() {
            match undo::one(position, &records, self.namespace.as_deref(), &self.file) {
                Ok(remark) => {
                    undone.remarks.extend(remark);
                    undone_ids.push(records[position].id);
                }
                Err(remark) => {
                    undone.remarks.push(remark);
                    left.push(records[position].clone());
                }
            }
        }
        left.reverse();
        self.records = left;
        if let Err(error) = self.forget_undone(&undone_ids) {
            undone.remarks.push(format!("the journal {}: {error}", self.path.display()));
        }
        undone
    }

    /// Writes a change down, makes it, and strikes it out if it could not be made.
    fn make(
        &mut self,
        change: Change,
        apply: impl FnOnce() -> Result<(), HostError>,
    ) -> Result<ChangeId, HostError> {
        let record = Record { id: self.next, namespace: self.namespace.clone(), change };
        let id = ChangeId(record.id);
        self.next += 1;
        let line = Line::Made(record);
        self.append(&line).map_err(|e| HostError::new(format!("the journal {}", self.path.display()), e))?;
        if let Err(error) = apply() {
            // Undoing what was not made does nothing, so a failure here does no harm.
            let _ = self.append(&Line::Gone(id.0));
            return Err(error);
        }
        if let Line::Made(record) = line {
            self.records.push(record);
        }
        Ok(id)
    }

    fn append(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        let length = self.file.metadata()?.len();
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if written.is_err() {
            // A full disk takes half a line; the next one must not be glued to it.
            let _ = self.file.set_len(length);
        }
        written
    }

    fn load(&mut self) -> io::Result<()> {
        let mut text = Vec::new();
        self.file.read_to_end(&mut text)?;
        if text.last().is_some_and(|b| *b != b'\n') {
            self.file.write_all(b"\n")?;
        }
        for line in text.split_inclusive(|b| *b == b'\n') {
            // Cut short, or of a version that knows more: nothing that we could undo.
            match serde_json::from_slice(line) {
                Ok(Line::Made(record)) => {
                    self.next = self.next.max(record.id + 1);
                    self.records.push(record);
                }
                Ok(Line::Gone(id)) => self.records.retain(|r| r.id != id),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Empties the file, or strikes out what is undone where something is left. Safe to be killed in: what is undone
    /// once more stays as it is.
    fn forget_undone(&mut self, undone: &[u64]) -> io::Result<()> {
        if self.records.is_empty() {
            self.file.set_len(0)?;
            return self.file.sync_all();
        }
        undone.iter().try_for_each(|id| self.append(&Line::Gone(*id)))
    }
}

/// How long another's lock is waited for: longer than `nft` takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often the lock is tried meanwhile.
const PAUSE: Duration = Duration::from_millis(20);

fn open_locked(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    lock(&file)?;
    resolver::sync_directory(path)?;
    Ok(file)
}

/// An `nft` that outlives a killed parent holds its lock until it has made the change (see [`nft::apply`]), and any process
/// that was just forked until it becomes the program it is to be: a lock is worth a moment's patience.
fn lock(file: &File) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(error) if error == Errno::WOULDBLOCK && Instant::now() < end => thread::sleep(PAUSE),
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
