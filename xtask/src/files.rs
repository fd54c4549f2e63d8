//! No source file is longer than a reader can hold in mind.

use std::fs;
use std::io;
use std::path::Path;

use crate::Report;

/// A file beyond this has a second idea in it.
const MOST_LINES: usize = 800;
/// Endings of what people write and read; scripts without an ending count too.
const ENDINGS: [&str; 9] = ["rs", "c", "h", "sh", "py", "js", "css", "html", "toml"];
/// Folders that nobody writes.
const SKIPPED: [&str; 3] = ["target", "artifacts", "node_modules"];

/// Looks at every source file below `root`.
///
/// # Errors
/// When a folder or a file cannot be read.
pub(crate) fn check(root: &Path) -> io::Result<Report> {
    let mut lengths = Vec::new();
    collect(root, &mut lengths)?;
    let checked = format!("{} files", lengths.len());
    lengths.retain(|(_, lines)| *lines > MOST_LINES);
    lengths.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let faults = lengths.into_iter().map(|(path, lines)| {
        format!("{path}: {lines} lines; look for the second idea in it, {MOST_LINES} are the most")
    });
    Ok(Report { faults: faults.collect(), checked })
}

fn collect(root: &Path, lengths: &mut Vec<(String, usize)>) -> io::Result<()> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.contains(&&*name) && name != ".git" {
                folders.push(path);
            } else if kind.is_file() && is_source(&name) {
                let relative = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                lengths.push((relative, fs::read(&path)?.split(|b| *b == b'\n').count() - 1));
            }
        }
    }
    Ok(())
}

fn is_source(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((stem, ending)) => !stem.is_empty() && ENDINGS.contains(&ending),
        None => name == "run" || name == "Makefile",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_are_listed_longest_first_and_foreign_ones_are_not_seen() {
        let root = std::env::temp_dir().join(format!("xtask-files-{}", std::process::id()));
        fs::create_dir_all(root.join("target")).unwrap();
        fs::create_dir_all(root.join("core")).unwrap();
        for (name, lines) in
            [("core/a.rs", 801), ("b.rs", 900), ("core/c.rs", 800), ("target/d.rs", 999), ("e.lock", 999)]
        {
            fs::write(root.join(name), "x\n".repeat(lines)).unwrap();
        }
        let report = check(&root);
        fs::remove_dir_all(&root).unwrap();
        let report = report.unwrap();
        assert_eq!(report.checked, "3 files");
        assert_eq!(report.faults.len(), 2);
        assert!(report.faults[0].starts_with("b.rs: 900 lines"), "{:?}", report.faults);
        assert!(report.faults[1].starts_with("core/a.rs: 801 lines"), "{:?}", report.faults);
    }
}
