//! ARCHITECTURE.md names the folders of the workspace, all of them and no other.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::metadata::Workspace;

const FILE: &str = "ARCHITECTURE.md";
/// Folders whose crates the file names as `core/wire`; other paths in it are not looked at.
const TOPS: [&str; 6] = ["core/", "io/", "surface/", "roles/", "bin/", "bench/"];

/// One line for each folder that only one side names. A file that is not there says nothing wrong.
pub(crate) fn differences(root: &Path, workspace: &Workspace) -> io::Result<Vec<String>> {
    let text = match std::fs::read_to_string(root.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let members: BTreeSet<&str> = workspace.members.keys().map(String::as_str).collect();
    Ok(compare(&text, &members, |folder| root.join(folder).exists()))
}

fn compare(text: &str, members: &BTreeSet<&str>, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let named: BTreeSet<&str> =
        text.split(|c: char| !is_of_path(c)).map(|w| w.trim_matches(['/', '.'])).collect();
    let unnamed = members.iter().filter(|folder| !named.contains(**folder));
    let mut faults: Vec<String> = unnamed.map(|folder| format!("{FILE} does not name {folder}")).collect();
    for word in named {
        // `core/wire/src/nd.rs` speaks of `core/wire` and must exist as it stands.
        if TOPS.iter().any(|top| word.starts_with(top)) && !exists(word) {
            faults.push(format!("{FILE} names {word}, which is not there"));
        }
    }
    faults
}

fn is_of_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_and_what_is_gone_are_both_found() {
        let members = BTreeSet::from(["core/wire", "core/time", "lab"]);
        let exists = |folder: &str| members.contains(folder) || folder == "core/wire/src/nd.rs";
        let text = "- `core/wire/`: packets, see core/wire/src/nd.rs.\n- `core/gone`, tests/x; lab.";
        assert_eq!(
            compare(text, &members, exists),
            [
                "ARCHITECTURE.md does not name core/time",
                "ARCHITECTURE.md names core/gone, which is not there"
            ]
        );
        assert_eq!(compare("core/wire core/time lab", &members, exists), Vec::<String>::new());
    }
}
