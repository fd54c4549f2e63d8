//! What the compiler is to prove of every core crate: neither `std` nor `unsafe`.

use std::path::Path;

use crate::metadata::Workspace;

const ATTRIBUTES: [(&str, &str); 2] = [
    ("#![no_std]", "so that the compiler proves that it has no socket and no clock"),
    ("#![forbid(unsafe_code)]", "so that unsafe code stays where the system is touched, in io"),
];

/// One line for each attribute that a core crate's `lib.rs` lacks.
pub(crate) fn missing(root: &Path, workspace: &Workspace) -> Vec<String> {
    let mut faults = Vec::new();
    for folder in workspace.members.keys().filter(|folder| folder.starts_with("core/")) {
        match std::fs::read_to_string(root.join(folder).join("src/lib.rs")) {
            Ok(text) => faults.extend(lacks(&text).map(|(attribute, why)| {
                format!("{folder}/src/lib.rs lacks {attribute}: it must be there {why}")
            })),
            Err(error) => faults.push(format!("{folder}/src/lib.rs: {error}")),
        }
    }
    faults
}

fn lacks(text: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    ATTRIBUTES
        .into_iter()
        .filter(move |(attribute, _)| !text.lines().any(|line| line.trim_end() == *attribute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_in_a_comment_or_under_a_condition_does_not_count() {
        assert_eq!(lacks("//! x\n#![no_std]\n#![forbid(unsafe_code)]\n").count(), 0);
        assert_eq!(lacks("//! x\n#![no_std]\n").count(), 1);
        let text = "// #![no_std]\n#![cfg_attr(not(test), no_std)]\n#![deny(unsafe_code)]\n";
        assert_eq!(lacks(text).count(), 2);
    }
}
