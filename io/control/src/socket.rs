//! The socket as a file: made in one step with its mode, a stale one replaced, ours removed at the end.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// `sun_path` has 108 octets with the final zero.
const LONGEST: usize = 107;

/// The file of a listening socket; removed when dropped, unless another daemon has put its own there.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|m| m.ino() == self.inode) {
            // Nobody is left to tell; the next start replaces what stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`. The parent folder is made where it is missing.
pub(crate) fn listen(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    let fail = |what: &str, e: io::Error| {
        io::Error::new(e.kind(), format!("control socket {}: {what}: {e}", path.display()))
    };
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|e| fail("cannot make its folder", e))?;
    }
    refuse_second_daemon(path).map_err(|e| fail("not free", e))?;
    // Bound under another name, given its mode, then moved: at no moment is it there with a wider mode.
    let fresh = fresh_name(path);
    if fresh.as_os_str().len() > LONGEST {
        let e =
            io::Error::new(io::ErrorKind::InvalidInput, format!("the path is longer than {LONGEST} octets"));
        return Err(fail("cannot be used", e));
    }
    let _ = fs::remove_file(&fresh);
    let listener = UnixListener::bind(&fresh).map_err(|e| fail("cannot be made", e))?;
    let placed = fs::set_permissions(&fresh, fs::Permissions::from_mode(mode))
        .and_then(|()| fs::symlink_metadata(&fresh))
        .and_then(|m| fs::rename(&fresh, path).map(|()| m.ino()));
    match placed {
        Ok(inode) => Ok((listener, SocketFile { path: path.to_path_buf(), inode })),
        Err(e) => {
            let _ = fs::remove_file(&fresh);
            Err(fail("cannot be put in its place", e))
        }
    }
}

/// A socket that answers belongs to a daemon that lives; a file that is no socket is not ours to remove.
fn refuse_second_daemon(path: &Path) -> io::Result<()> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    if !meta.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is there"));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another daemon answers there")),
        Err(_) => Ok(()),
    }
}

fn fresh_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}", std::process::id()));
    path.with_file_name(name)
}
