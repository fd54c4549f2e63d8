//! The requirement tables name tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Report;

const TABLES: &str = "docs/rfc";
/// A word in backticks with at least so many underscores is the name of a test; shorter ones are fields and files.
const FEWEST_UNDERSCORES: usize = 3;
const SKIPPED: [&str; 3] = ["target", ".git", "node_modules"];

/// Looks up every test that a table in `docs/rfc` names.
///
/// # Errors
/// When a folder or a file cannot be read.
pub(crate) fn check(root: &Path) -> io::Result<Report> {
    let mut known = BTreeSet::new();
    for path in files(root, "rs")? {
        let text = fs::read_to_string(&path)?;
        known.extend(functions(&text).map(str::to_owned));
        known.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    let (mut faults, mut named) = (Vec::new(), 0);
    let mut tables = files(&root.join(TABLES), "md")?;
    tables.sort();
    for path in tables {
        let page = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        for (line, text) in (1..).zip(fs::read_to_string(&path)?.lines()) {
            for test in tests(text) {
                named += 1;
                if !known.contains(test) {
                    faults.push(format!("{page}:{line}: no test is called {test}"));
                }
            }
        }
    }
    Ok(Report { faults, checked: format!("{named} tests named") })
}

/// Every word in backticks that can be a test; an underscore splits no word.
fn tests(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|word| {
        word.matches('_').count() >= FEWEST_UNDERSCORES
            && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
    })
}

fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let (_, rest) = line.split_once("fn ")?;
        rest.split(['(', '<']).next()
    })
}

fn files(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() && !SKIPPED.contains(&&*entry.file_name().to_string_lossy()) {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|e| e == ending) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_gone_is_named_with_its_line() {
        let root = std::env::temp_dir().join(format!("xtask-tables-{}", std::process::id()));
        fs::create_dir_all(root.join(TABLES)).unwrap();
        fs::create_dir_all(root.join("core")).unwrap();
        fs::write(root.join("core/a_file_of_tests.rs"), "#[test]\n    fn this_one_is_there() {\n").unwrap();
        let page = "| 1 | met | `this_one_is_there`, `rx_bytes`, `a_file_of_tests` |\n| 2 | met | wire `this_one_is_gone` |\n";
        fs::write(root.join(TABLES).join("rfc1.md"), page).unwrap();
        let report = check(&root);
        fs::remove_dir_all(&root).unwrap();
        let report = report.unwrap();
        assert_eq!(report.faults, ["docs/rfc/rfc1.md:2: no test is called this_one_is_gone"]);
        assert_eq!(report.checked, "3 tests named");
    }
}
