//! Replacing a resolver file, whatever it is: a file, a symbolic link, nothing, or a mount point of its own.
//!
//! Readers see the old content or the new one, never half of it, wherever the system allows a rename. A file that something
//! is mounted on (containers, `ip netns exec`) cannot be renamed over and is written in place.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What a path held.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing.
    Absent,
    /// A symbolic link, and where it leads, as it is written in the link.
    Link(PathBuf),
    /// A file.
    File {
        /// All of it.
        content: Content,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// Octets of a file: text where they are text, so that a person can read the journal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Octets(Vec<u8>),
}

impl Content {
    /// The octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Octets(octets) => octets,
        }
    }
}

impl From<Vec<u8>> for Content {
    fn from(octets: Vec<u8>) -> Self {
        String::from_utf8(octets).map_or_else(|e| Self::Octets(e.into_bytes()), Self::Text)
    }
}

/// What `path` holds now. Links are not followed.
///
/// # Errors
/// What the system says; `InvalidInput` for a directory or a device.
pub fn read(path: &Path) -> io::Result<State> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Absent),
        found => found?,
    };
    if metadata.is_symlink() {
        return Ok(State::Link(fs::read_link(path)?));
    }
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(State::File {
        content: fs::read(path)?.into(),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
    })
}

/// Makes `path` a file with `content`, which everybody may read.
///
/// # Errors
/// What the system says.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    put(path, &State::File { content: content.to_vec().into(), mode: 0o644, uid: 0, gid: 0 })
}

/// Makes `path` hold `state`.
///
/// # Errors
/// What the system says.
pub fn put(path: &Path, state: &State) -> io::Result<()> {
    let beside = beside(path)?;
    // Left over from a run that was killed between making and renaming it.
    remove(&beside)?;
    let made = match state {
        State::Absent => remove(path),
        State::Link(target) => symlink(target, &beside).and_then(|()| fs::rename(&beside, path)),
        State::File { content, mode, uid, gid } => {
            make(&beside, content.octets(), *mode, *uid, *gid).and_then(|()| fs::rename(&beside, path))
        }
    };
    let made = match (made, state) {
        (Err(error), State::File { content, .. }) if cannot_rename(&error) && path.is_file() => {
            in_place(path, content.octets())
        }
        (made, _) => made,
    };
    // Nothing of ours stays where the rename failed.
    let cleaned = remove(&beside);
    made.and(cleaned)?;
    sync_directory(path)
}

/// True when `path` holds `set`, also when it was being written in place over `before`, or back, and the run was killed.
#[must_use]
pub fn is_ours(now: &State, set: &[u8], before: &State) -> bool {
    let State::File { content, .. } = now else { return false };
    let now = content.octets();
    let half = |new: &[u8], old: &[u8]| {
        now.len() == old.len().max(new.len())
            && now.starts_with(new)
            && old.get(new.len()..) == now.get(new.len()..)
    };
    if now == set {
        return true;
    }
    match before {
        State::File { content, .. } => half(set, content.octets()) || half(content.octets(), set),
        State::Absent | State::Link(_) => false,
    }
}

/// The name beside `path` under which its next content is made.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut name = std::ffi::OsString::from_vec(b".".to_vec());
    name.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    name.push(".sixgate");
    Ok(path.with_file_name(name))
}

fn make(path: &Path, content: &[u8], mode: u32, uid: u32, gid: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    // Only root can give files away, and everybody else makes their own.
    if let Err(error) = chown(path, Some(uid), Some(gid))
        && error.kind() != io::ErrorKind::PermissionDenied
    {
        return Err(error);
    }
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Writes first and cuts afterwards: a run that is killed between the two leaves what [`is_ours`] knows.
fn in_place(path: &Path, content: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.write_all_at(content, 0)?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}

/// A mount point says "busy"; around one the directory is often read-only, or on another device.
fn cannot_rename(error: &io::Error) -> bool {
    let codes = [libc::EBUSY, libc::EROFS, libc::EACCES, libc::EPERM, libc::EXDEV];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // There cannot be a file of ours where none can be made.
        Err(error) if error.raw_os_error() == Some(libc::EROFS) => Ok(()),
        removed => removed,
    }
}

/// A rename is on disk when the directory is.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Directory;
    use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount};
    use rustix::thread::{UnshareFlags, unshare_unsafe};

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    fn names(directory: &Directory) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&directory.0)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_put_back_with_its_mode() {
        let directory = Directory::new();
        let path = directory.path("resolv.conf");
        fs::write(&path, "nameserver 192.0.2.1\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        chown(&path, Some(1234), Some(2345)).unwrap();
        let before = read(&path).unwrap();
        write(&path, b"nameserver ::1\n").unwrap();
        assert_eq!(text(&path), "nameserver ::1\n");
        assert!(is_ours(&read(&path).unwrap(), b"nameserver ::1\n", &before));
        put(&path, &before).unwrap();
        assert_eq!(read(&path).unwrap(), before);
        assert_eq!(names(&directory), ["resolv.conf"]);
    }

    #[test]
    fn a_link_is_replaced_without_touching_its_target_and_put_back() {
        let directory = Directory::new();
        let (path, target) = (directory.path("resolv.conf"), directory.path("stub"));
        fs::write(&target, "stub\n").unwrap();
        symlink("stub", &path).unwrap();
        let before = read(&path).unwrap();
        assert_eq!(before, State::Link("stub".into()));
        write(&path, b"ours\n").unwrap();
        assert_eq!((text(&path), text(&target)), ("ours\n".to_owned(), "stub\n".to_owned()));
        put(&path, &before).unwrap();
        assert_eq!(text(&path), "stub\n");
        assert_eq!(names(&directory), ["resolv.conf", "stub"]);
    }

    #[test]
    fn nothing_is_put_back_as_nothing() {
        let directory = Directory::new();
        let path = directory.path("resolv.conf");
        assert_eq!(read(&path).unwrap(), State::Absent);
        write(&path, b"ours\n").unwrap();
        put(&path, &State::Absent).unwrap();
        put(&path, &State::Absent).unwrap();
        assert!(names(&directory).is_empty());
    }

    #[test]
    fn a_mount_point_is_written_in_place() {
        let directory = Directory::new();
        let (path, other) = (directory.path("resolv.conf"), directory.path("mounted"));
        fs::write(&path, "below\n").unwrap();
        fs::write(&other, "nameserver 192.0.2.1\nsearch example\n").unwrap();
        let (p, o) = (path.clone(), other.clone());
        let inside = std::thread::spawn(move || {
            // SAFETY: unsharing the mount namespace also unshares this thread's working directory and nothing else.
            unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::FS) }
                .expect("this test mounts: run it as root");
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
            mount_bind(&o, &p).unwrap();
            let before = read(&p).unwrap();
            write(&p, b"ours\n").unwrap();
            assert_eq!((text(&p), text(&o)), ("ours\n".to_owned(), "ours\n".to_owned()));
            put(&p, &before).unwrap();
            assert_eq!(text(&o), "nameserver 192.0.2.1\nsearch example\n");
            unmount(&p, UnmountFlags::empty()).unwrap();
            assert_eq!(text(&p), "below\n");
        });
        inside.join().unwrap();
        assert_eq!(names(&directory), ["mounted", "resolv.conf"]);
    }

    #[test]
    fn a_file_that_was_half_written_in_place_is_known_as_ours() {
        let file = |text: &str| State::File {
            content: text.as_bytes().to_vec().into(),
            mode: 0o644,
            uid: 0,
            gid: 0,
        };
        let before = file("a long old content\n");
        assert!(is_ours(&file("ours\ng old content\n"), b"ours\n", &before));
        // On the way back, what is put back is shorter.
        assert!(is_ours(&file("old\n is longer\n"), b"ours is longer\n", &file("old\n")));
        assert!(!is_ours(&file("theirs\n"), b"ours\n", &before));
        assert!(!is_ours(&State::Absent, b"ours\n", &before));
    }
}
