//! Rule sets of nftables, through the `nft` program: its language is stable, its netlink messages are not for everybody.

use std::fs::File;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use crate::HostError;

/// Runs `nft -f -` with `script`: all of it takes effect, or nothing.
///
/// `lock` is a file on which the caller holds a `flock`: the program holds it too for as long as it runs. When the caller
/// is killed meanwhile, whoever takes the lock next finds that all of the script has taken effect, or nothing ever will.
///
/// # Errors
/// The first line that `nft` said, or that the program is not there.
pub fn apply(script: &str, lock: &File) -> Result<(), HostError> {
    run(script, lock).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let error = HostError::new("nft", error);
        if missing { error.advise("install the package nftables") } else { error }
    })
}

/// Deletes a table, for example of the family `inet`. No error when there is none.
///
/// # Errors
/// As [`apply`].
pub fn delete_table(family: &str, name: &str, lock: &File) -> Result<(), HostError> {
    // Made first, so that deleting cannot fail: versions of nft that know `destroy` are not everywhere.
    apply(&format!("table {family} {name}\ndelete table {family} {name}\n"), lock)
}

fn run(script: &str, lock: &File) -> io::Result<()> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        // Nothing is written there: a script that lists nothing has no output. It is the descriptor that counts, since a
        // `flock` belongs to the open file and lasts until its last descriptor is closed.
        .stdout(lock.try_clone()?)
        .stderr(Stdio::piped())
        .spawn()?;
    // The pipe is closed at the end of the statement. A program that stops reading says why below.
    let written = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(script.as_bytes()));
    let output = child.wait_with_output()?;
    if output.status.success() {
        return written;
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|l| !l.trim().is_empty()).unwrap_or("it failed without a word");
    Err(io::Error::other(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{in_namespace, run as command};

    use crate::testing::Directory;
    use rustix::fs::{FlockOperation, flock};

    fn locked(directory: &Directory) -> File {
        let file = File::create(directory.path("lock")).unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        file
    }

    #[test]
    fn a_table_is_made_and_deleted_and_deleting_twice_is_no_error() {
        let inside = in_namespace(|| {
            let directory = Directory::new();
            let lock = locked(&directory);
            apply("table inet sgtest {\n chain c { type filter hook input priority 0; }\n}\n", &lock)
                .unwrap();
            assert!(command("nft", "list tables").contains("inet sgtest"));
            delete_table("inet", "sgtest", &lock).unwrap();
            delete_table("inet", "sgtest", &lock).unwrap();
            assert_eq!(command("nft", "list tables"), "");
        });
        inside.join().unwrap();
    }

    #[test]
    fn a_wrong_rule_is_told_in_one_line() {
        let inside = in_namespace(|| {
            let directory = Directory::new();
            let script = "table inet sgtest { chain c { nonsense } }\n";
            let error = apply(script, &locked(&directory)).unwrap_err().to_string();
            assert!(error.contains("syntax error") && !error.contains('\n'), "{error}");
        });
        inside.join().unwrap();
    }
}
