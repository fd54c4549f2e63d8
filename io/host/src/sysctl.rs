//! Reading and writing below `/proc/sys`, of the network namespace of the calling thread.
//!
//! Names are paths with slashes, as `net/ipv4/conf/eth0.100/forwarding`: a device's name may hold a dot.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::HostError;

/// The value of a sysctl, without the newline.
///
/// # Errors
/// What the system says, in one line: `NotFound` when there is none of this name.
pub fn get(name: &str) -> Result<String, HostError> {
    let value =
        path(name).and_then(fs::read_to_string).map_err(|e| HostError::new(format!("reading {name}"), e))?;
    Ok(value.trim_end().to_owned())
}

/// Sets a sysctl, for as long as the system runs. See [`crate::Journal::sysctl`] for one that is to be undone.
///
/// # Errors
/// What the system says, in one line.
pub fn set(name: &str, value: &str) -> Result<(), HostError> {
    path(name)
        .and_then(|path| fs::write(path, value))
        .map_err(|e| HostError::new(format!("setting {name} to {value}"), e))
}

/// The names `before/*/after` that exist, in alphabetical order.
pub(crate) fn family(before: &str, after: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(Path::new(ROOT).join(before)) else { return Vec::new() };
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .map(|device| format!("{before}/{device}/{after}"))
        .filter(|name| Path::new(ROOT).join(name).exists())
        .collect();
    names.sort();
    names
}

/// Values are lists of numbers in most cases, and the kernel chooses what stands between them.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.split_whitespace().eq(b.split_whitespace())
}

fn path(name: &str) -> io::Result<PathBuf> {
    let relative = Path::new(name);
    // A name from a file must not lead out of the tree.
    if name.is_empty() || !relative.components().all(|c| matches!(c, Component::Normal(_))) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(Path::new(ROOT).join(relative))
}

const ROOT: &str = "/proc/sys";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::in_namespace;

    #[test]
    fn a_value_is_set_and_read_in_this_namespace_alone() {
        let name = "net/ipv4/ip_forward";
        let outside = get(name).unwrap();
        let inside = in_namespace(move || {
            let value = if get(name).unwrap() == "0" { "1" } else { "0" };
            set(name, value).unwrap();
            assert_eq!(get(name).unwrap(), value);
        });
        inside.join().unwrap();
        assert_eq!(get(name).unwrap(), outside);
    }

    #[test]
    fn names_cannot_lead_out_of_the_tree() {
        for name in ["", "/etc/passwd", "net/../../etc/passwd", ".."] {
            assert_eq!(get(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        }
        let error = get("net/ipv4/no_such").unwrap_err();
        assert!(error.to_string().contains("net/ipv4/no_such"), "{error}");
    }
}
