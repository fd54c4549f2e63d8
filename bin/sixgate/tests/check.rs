//! `sixgate check`: the exact text for every kind of fault, the exit codes, the JSON form.
//!
//! Each `check/NAME.toml` has its text in `check/NAME.txt`. After a change of wording `SIXGATE_RECORD=1 cargo test -p
//! sixgate --test check` writes the texts anew; the difference is for a person to read.

#![allow(clippy::unwrap_used)]

mod run;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use run::sixgate;
use sixgate_config::Rule;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check")
}

fn cases() -> Vec<String> {
    let names = std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut cases: Vec<String> = names.filter_map(|n| n.strip_suffix(".toml").map(str::to_owned)).collect();
    cases.sort();
    cases
}

#[test]
fn every_fault_is_told_in_exactly_these_words() {
    let record = std::env::var_os("SIXGATE_RECORD").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let run = sixgate(&["check", &format!("{case}.toml")]).folder(&folder()).run();
        assert_eq!(run.error, "", "{case}");
        let expected = folder().join(format!("{case}.txt"));
        if record {
            std::fs::write(&expected, &run.output).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != run.output {
            wrong.push(format!("{case}:\n{}", run.output));
        }
        // Faults exit 1, warnings alone 0.
        let code = i32::from(case != "warnings");
        assert_eq!(run.code, code, "{case}: {}", run.output);
    }
    assert!(wrong.is_empty(), "other words than recorded:\n{}", wrong.join("\n"));
}

#[test]
fn every_rule_is_shown_by_some_file_with_its_place() {
    let mut seen = BTreeSet::new();
    for case in cases() {
        let name = format!("{case}.toml");
        let document = sixgate(&["check", &name, "--json"]).folder(&folder()).run().json();
        assert_eq!(document["schema"], 1);
        assert_eq!(document["valid"], case == "warnings", "{case}");
        let lines = std::fs::read_to_string(folder().join(&name)).unwrap().lines().count();
        for finding in document["findings"].as_array().unwrap() {
            assert_eq!(finding["file"], name.as_str());
            let line = usize::try_from(finding["line"].as_u64().unwrap()).unwrap();
            assert!((1..=lines + 1).contains(&line), "{finding}");
            assert!(finding["column"].as_u64().unwrap() >= 1, "{finding}");
            assert_ne!(finding["message"], "", "{finding}");
            assert_ne!(finding["detail"], "", "what is allowed is always said: {finding}");
            seen.insert(finding["code"].as_str().unwrap().to_owned());
        }
    }
    let all: BTreeSet<String> = Rule::ALL.iter().map(|r| r.code().to_owned()).collect();
    let missing: Vec<&String> = all.difference(&seen).collect();
    assert!(missing.is_empty(), "no file shows {missing:?}");
    assert!(all.len() >= 30, "only {} rules", all.len());
}

#[test]
fn every_example_is_valid() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for entry in std::fs::read_dir(&examples).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let run = sixgate(&["check", &name]).folder(&examples).run();
        assert_eq!(run.code, 0, "{}", run.output);
        assert!(run.output.starts_with(&format!("{name}: valid, ")), "{}", run.output);
    }
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_one_line() {
    let missing = sixgate(&["check", "/nonexistent/sixgate.toml"]).run();
    assert_eq!(missing.code, 1);
    assert_eq!(
        missing.error,
        "sixgate: /nonexistent/sixgate.toml cannot be read: No such file or directory (os error 2)\n"
    );
    let folder = run::Folder::new("not-text");
    let file = folder.path().join("a.toml");
    std::fs::write(&file, b"schema = 1\n\xff\xfe").unwrap();
    let binary = sixgate(&["check", file.to_str().unwrap()]).run();
    assert_eq!(binary.code, 1);
    assert_eq!(binary.error, format!("sixgate: {}:2: the file is not UTF-8\n", file.display()));
    let json = sixgate(&["check", file.to_str().unwrap(), "--json"]).run();
    assert_eq!((json.code, json.json()["error"]["code"].clone()), (1, "file-not-utf8".into()));
}
