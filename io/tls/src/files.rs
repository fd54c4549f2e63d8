//! Secret files: readable by their owner only, replaced in one step.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Replaces the content of `path` by `content`, mode 0600, so that a reader or a crash sees the old or the new file whole.
///
/// # Errors
/// Of the file system, with the path in the text.
pub fn write_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    write(path, content, 0o600).map_err(|e| named(path, &e))
}

/// Like [`write_secret`], for what everybody may read: mode 0644.
///
/// # Errors
/// Of the file system, with the path in the text.
pub fn write_public(path: &Path, content: &[u8]) -> io::Result<()> {
    write(path, content, 0o644).map_err(|e| named(path, &e))
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let fresh = path.with_file_name(name);
    // One left by a process that died here and had our number must not be opened with its own mode.
    let _ = fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
    let written =
        file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written?;
    match path.parent().filter(|p| !p.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// The error with the path in front.
pub(crate) fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secret_is_replaced_and_stays_secret() {
        let dir = std::env::temp_dir().join(format!("sixgate-files-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("key");
        fs::write(&path, "old, and open to all").unwrap();
        write_secret(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn error_names_the_file() {
        let error = write_secret(Path::new("/nowhere/at/all"), b"").unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/at/all: "), "{error}");
    }
}
