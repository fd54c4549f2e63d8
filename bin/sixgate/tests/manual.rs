//! The manual cannot rot: its files are valid, its lists are whole.

#![allow(clippy::unwrap_used)]

mod run;

use std::path::Path;

use run::{Folder, sixgate};
use sixgate_config::Rule;

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)).unwrap()
}

/// The blocks of this language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn every_file_of_the_configuration_page_is_valid() {
    let folder = Folder::new("manual");
    let files = blocks(&page("configuration.md"), "toml");
    assert!(files.len() >= 6, "{}", files.len());
    for text in files {
        let file = folder.path().join("sixgate.toml");
        std::fs::write(&file, &text).unwrap();
        let run = sixgate(&["check", file.to_str().unwrap()]).run();
        assert_eq!(run.code, 0, "{}\n{text}", run.output);
        assert!(!run.output.contains("warning"), "{}\n{text}", run.output);
    }
}

#[test]
fn the_samples_of_check_are_what_check_says() {
    let folder = Folder::new("manual-check");
    let sample = blocks(&page("configuration.md"), "console").pop().unwrap();
    let (command, expected) = sample.split_once('\n').unwrap();
    assert_eq!(command, "$ sixgate check bad.toml");
    let text = "schema = 1\n[nat64]\nprefix = \"fd53:6::/95\"\npool = [\"192.0.2.2:1-3000\"]\n";
    std::fs::write(folder.path().join("bad.toml"), text).unwrap();
    let run = sixgate(&["check", "bad.toml"]).folder(folder.path()).run();
    assert_eq!(run.output, format!("{expected}bad.toml: 1 finding\n"));
}

/// Every section with an unknown key in it, so that `check` lists those that are allowed.
const SECTIONS: [&str; 18] = [
    "zzz = 1",
    "[gateway]\nzzz = 1",
    "[transports]\nzzz = 1",
    "[transports.ip-https]\nzzz = 1",
    "[pki]\nzzz = 1",
    "[names]\nupdate = { zzz = 1 }\nzzz = 1",
    "[[policy]]\nzzz = 1",
    "[nat64]\nzzz = 1\n[nat64.timeouts]\nzzz = 1",
    "[dns]\nblock = { zzz = 1 }\nzzz = 1",
    "[dns64]\nzzz = 1\n[[dns64.rule]]\nzzz = 1",
    "[isatap]\nzzz = 1",
    "[isatap]\nroutes = [{ zzz = 1 }]",
    "[[isatap.allow]]\nzzz = 1",
    "[ldap]\nzzz = 1",
    "[native]\nzzz = 1",
    "[metrics]\nzzz = 1",
    "[client]\nzzz = 1",
    "[host]\nzzz = 1",
];

#[test]
fn every_key_and_every_code_is_in_the_configuration_page() {
    let folder = Folder::new("manual-keys");
    let page = page("configuration.md");
    let mut keys = 0;
    for section in SECTIONS {
        let file = folder.path().join("keys.toml");
        std::fs::write(&file, format!("{section}\n")).unwrap();
        let json = sixgate(&["check", file.to_str().unwrap(), "--json"]).run().json();
        let findings = json["findings"].as_array().unwrap();
        let allowed = findings.iter().filter_map(|f| f["help"].as_str()?.strip_prefix("allowed here: "));
        let before = keys;
        for key in allowed.flat_map(|keys| keys.split(", ")) {
            let named =
                ["`KEY`", "[KEY]", "KEY = "].iter().any(|form| page.contains(&form.replace("KEY", key)));
            assert!(named, "the page does not name `{key}` of {section}");
            keys += 1;
        }
        assert!(keys > before, "no allowed keys for {section}: {json}");
    }
    for rule in Rule::ALL {
        assert!(page.contains(&format!("| `{}` | {} |", rule.code(), rule.text())), "{}", rule.code());
    }
}

#[test]
fn every_command_is_in_the_commands_page() {
    let page = page("commands.md");
    for line in sixgate(&["--help"]).run().output.lines().filter_map(|l| l.strip_prefix("  ")) {
        let command = line.split_whitespace().next().unwrap();
        assert!(page.contains(&format!("`sixgate {command}")), "{command}");
        let help = sixgate(&[command, "--help"]).run().output;
        let listed = help.split("Commands:\n").nth(1).unwrap_or_default();
        for sub in listed.lines().take_while(|l| !l.is_empty()).filter_map(|l| l.split_whitespace().next()) {
            assert!(page.contains(sub), "sixgate {command} {sub}");
        }
    }
}
