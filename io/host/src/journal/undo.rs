//! Undoing one change: only where our value still stands, and to no effect where it was undone before.

use std::fs::File;
use std::path::Path;

use super::record::{Along, Change, Record};
use crate::netlink::Netlink;
use crate::resolver::{self, State};
use crate::{HostError, nft, sysctl};

/// Undoes the change at `position` of `all`. A remark is for a person to read; an error is one too, of a change that is to
/// be tried again. `lock` is the journal, locked.
pub(super) fn one(
    position: usize,
    all: &[Record],
    namespace: Option<&str>,
    lock: &File,
) -> Result<Option<String>, String> {
    let record = &all[position];
    // The resolver file belongs to the file system, everything else to the network namespace, which may be gone by now.
    let elsewhere = record.namespace.as_deref() != namespace;
    match &record.change {
        Change::Resolver { path, before, set } => return undo_resolver(path, before, set.as_bytes(), all),
        Change::Sysctl { .. }
        | Change::Nft { .. }
        | Change::Route(_)
        | Change::Address(_)
        | Change::Rule(_)
            if elsewhere =>
        {
            return Ok(None);
        }
        Change::Sysctl { name, before, set, along } => undo_sysctl(name, before, set, along, all),
        Change::Nft { family, name } => nft::delete_table(family, name, lock).map(|()| None),
        Change::Route(route) => with_netlink(|netlink| match route.route(netlink) {
            Some(route) => netlink.remove_route(&route).map(drop),
            None => Ok(()),
        }),
        Change::Address(address) => with_netlink(|netlink| match address.address(netlink) {
            Some(address) => netlink.remove_address(&address).map(drop),
            None => Ok(()),
        }),
        Change::Rule(rule) => with_netlink(|netlink| match rule.rule() {
            Some(rule) => netlink.remove_rule(&rule).map(drop),
            None => Ok(()),
        }),
    }
    .map_err(|error| format!("could not undo: {error}"))
}

fn with_netlink(f: impl FnOnce(&mut Netlink) -> Result<(), HostError>) -> Result<Option<String>, HostError> {
    f(&mut Netlink::new()?).map(|()| None)
}

fn undo_sysctl(
    name: &str,
    before: &str,
    set: &str,
    along: &[Along],
    all: &[Record],
) -> Result<Option<String>, HostError> {
    let now = match sysctl::get(name) {
        Ok(now) => now,
        // Its device is gone.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if sysctl::same(&now, set) {
        // Putting this one back changes the others once more, so what they are to be is noted first: what they
        // were where our value still stands, else what others made of them.
        let wanted: Vec<_> = along
            .iter()
            .filter_map(|other| {
                let now = sysctl::get(&other.name).ok()?;
                let value = if sysctl::same(&now, &other.set) { other.before.clone() } else { now };
                Some((other.name.as_str(), value))
            })
            .collect();
        sysctl::set(name, before)?;
        for (name, value) in wanted {
            restore(name, &value)?;
        }
        return Ok(None);
    }
    if !sysctl::same(&now, before) {
        // An undoing that was killed may have come further than this change.
        let ours = |r: &Record| {
            matches!(&r.change, Change::Sysctl { name: n, before, set, .. }
                if n == name && (sysctl::same(&now, before) || sysctl::same(&now, set)))
        };
        if all.iter().any(ours) {
            return Ok(None);
        }
        return Ok(Some(format!(
            "{name} is left at {now}: others have changed it from {set}, which we had set"
        )));
    }
    // Undone already, perhaps by a run that was killed before it came to the others.
    for other in along.iter().filter(|other| !sysctl::same(&other.back, &other.before)) {
        if sysctl::get(&other.name).is_ok_and(|now| sysctl::same(&now, &other.back)) {
            restore(&other.name, &other.before)?;
        }
    }
    Ok(None)
}

/// Sets a sysctl if it differs; one that is gone is no error.
fn restore(name: &str, value: &str) -> Result<(), HostError> {
    match sysctl::get(name) {
        Ok(now) if !sysctl::same(&now, value) => sysctl::set(name, value),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn undo_resolver(path: &Path, before: &State, set: &[u8], all: &[Record]) -> Result<Option<String>, String> {
    let fail = |e: std::io::Error| format!("could not undo: the resolver file {}: {e}", path.display());
    let now = resolver::read(path).map_err(fail)?;
    if now == *before {
        return Ok(None);
    }
    if resolver::is_ours(&now, set, before) {
        return resolver::put(path, before).map(|()| None).map_err(fail);
    }
    // An undoing that was killed may have come further than this change.
    let ours = |r: &Record| {
        matches!(&r.change, Change::Resolver { path: p, before, set }
            if p == path && (now == *before || resolver::is_ours(&now, set.as_bytes(), before)))
    };
    if all.iter().any(ours) {
        return Ok(None);
    }
    Ok(Some(format!("{} is left as it is: others have changed it", path.display())))
}
