//! What is measured is really the translator: without it there is no figure. Needs root.

use std::process::Command;

#[test]
fn a_run_without_the_translator_fails() {
    let done = Command::new(env!("CARGO_BIN_EXE_sixgate-bench-ratio"))
        .args(["nat64", "--without-translator", "--rounds", "1", "--seconds", "0.2", "--only", "TCP up, gso"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    // The packets did arrive, and as fast as the kernel forwards: that they were not translated is what fails.
    assert!(said.contains("have not come through what is measured"), "{said}");
}
