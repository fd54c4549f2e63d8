//! The file with the password: nobody but its owner may read it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::Error;

/// A longer file is not a password.
const LONGEST: u64 = 4096;

/// Says what is wrong with the file; the password itself is not kept.
///
/// # Errors
/// It cannot be read, is empty, or others may read it.
pub fn check(path: &Path) -> Result<(), Error> {
    read(path).map(drop)
}

/// The first line of the file.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    let at = |what: &str| Error::File(format!("{}: {what}", path.display()));
    let about = fs::metadata(path).map_err(|e| at(&e.to_string()))?;
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(at(&format!("others may read this password (mode {mode:o}): chmod 600 it")));
    }
    if about.len() > LONGEST {
        return Err(at("this is no file with a password"));
    }
    let text = fs::read_to_string(path).map_err(|e| at(&e.to_string()))?;
    let line = text.lines().next().unwrap_or_default();
    // RFC 4513, section 5.1.2: a bind with a name and without a password is an anonymous one, and succeeds.
    if line.is_empty() {
        return Err(at("the password is empty"));
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str, mode: u32) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("sixgate-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn the_first_line_is_the_password_and_only_its_owner_reads_it() {
        let good = file("good", "s3cret words\nmore\n", 0o600);
        assert_eq!(read(&good).unwrap(), "s3cret words");
        for (name, text, mode) in [("open", "s3cret\n", 0o640), ("empty", "\n", 0o600)] {
            let path = file(name, text, mode);
            let said = read(&path).unwrap_err().to_string();
            assert!(said.contains(name) && !said.contains("s3cret"), "{said}");
            fs::remove_file(path).unwrap();
        }
        fs::remove_file(good).unwrap();
        assert!(read(Path::new("/nowhere/at/all")).is_err());
    }
}
