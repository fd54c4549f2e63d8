//! docs/doctor.md has a page for each diagnosis of the registry, word for word. `SIXGATE_WRITE=1` writes them.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use sixgate_reason::Diagnosis;

const MARK: &str = "a test holds them against the registry.\n\n";

#[test]
fn the_manual_has_every_finding() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(MARK).unwrap();
    let expected: String = Diagnosis::all().map(section).collect::<Vec<_>>().join("\n");
    if std::env::var_os("SIXGATE_WRITE").is_some() {
        std::fs::write(&path, format!("{head}{MARK}{expected}")).unwrap();
        return;
    }
    assert!(
        rest == expected,
        "docs/doctor.md is not what the registry says: run this test with SIXGATE_WRITE=1"
    );
}

fn section(d: &Diagnosis) -> String {
    let list = |items: &[&str]| items.iter().map(|i| format!("- {i}\n")).collect::<String>();
    let mut out = format!(
        "### {} {}\n{}\n\nCauses, the most frequent first:\n{}",
        d.code,
        d.text,
        d.meaning,
        list(d.causes)
    );
    out.push_str(&format!("\nProof:\n{}\nFix: {}.\n", list(d.proof), d.fix));
    if !d.reasons.is_empty() {
        out.push_str(&format!("\nCounters that rise with it: {}.\n", quoted(d.reasons)));
    }
    if !d.references.is_empty() {
        out.push_str(&format!("\nSee {}.\n", d.references.join("; ")));
    }
    out
}

fn quoted(codes: &[&str]) -> String {
    codes.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ")
}
