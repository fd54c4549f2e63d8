//! `sixgate doctor` and `sixgate explain` without a lab: what they take, what they print, how they end.

#![allow(clippy::unwrap_used)]

mod run;

use run::{Folder, sixgate};

const BROKEN: &str = r#"{"schema": 1, "machine": {"name": "gw", "no_tun": "No such file or directory"},
    "daemon": {"role": "gateway", "answers": false, "socket": "/run/x.sock", "failure": "no TUN"}}"#;
const SOUND: &str = r#"{"schema": 1, "machine": {"name": "gw"}, "daemon": {"role": "gateway", "answers": true, "socket": "/run/x.sock"}}"#;

#[test]
fn evidence_of_a_file_is_judged_and_a_finding_is_status_1() {
    let folder = Folder::new("doctor-from");
    let file = folder.path().join("evidence.json");
    std::fs::write(&file, BROKEN).unwrap();
    let from = ["doctor", "--from", file.to_str().unwrap()];
    let text = sixgate(&from).run();
    assert_eq!(text.code, 1, "{}", text.output);
    assert!(text.output.starts_with("SG-SYS-001  gw has no TUN device"), "{}", text.output);
    assert!(text.output.contains("explains    SG-SYS-007"), "{}", text.output);
    let json = sixgate(&[&from[..], &["--json"]].concat()).run();
    let document = json.json();
    assert_eq!((json.code, document["schema"].as_u64()), (1, Some(1)));
    for key in ["code", "severity", "cause", "fix"] {
        assert!(document["findings"][0][key].is_string(), "{key}: {document}");
    }
    std::fs::write(&file, SOUND).unwrap();
    let sound = sixgate(&[&from[..], &["--all"]].concat()).run();
    assert_eq!(sound.code, 0, "{}", sound.output);
    assert!(sound.output.contains(" ✓ gw: /dev/net/tun is there"), "{}", sound.output);
    assert!(sound.output.contains("0 findings, "), "{}", sound.output);
}

#[test]
fn what_is_no_evidence_is_refused_in_one_line() {
    let folder = Folder::new("doctor-bad");
    let file = folder.path().join("evidence.json");
    for (text, why) in [("{", "is not what"), ("{\"schema\": 9}", "another version"), ("7", "is not what")] {
        std::fs::write(&file, text).unwrap();
        let run = sixgate(&["doctor", "--with", file.to_str().unwrap()]).run();
        assert_eq!(run.code, 1, "{}", run.output);
        assert!(run.error.contains(why) && run.error.lines().count() == 1, "{}", run.error);
    }
    let missing = sixgate(&["doctor", "--from", "/no/such/file"]).run();
    assert!(missing.code == 1 && missing.error.contains("/no/such/file"), "{}", missing.error);
    assert_eq!(sixgate(&["doctor", "--listen", "-1"]).run().code, 2);
}

#[test]
fn nothing_that_runs_and_nothing_that_should_is_status_3() {
    let folder = Folder::new("doctor-nobody");
    let socket = folder.path().join("control.sock");
    let run = sixgate(&["doctor", "--quick", "--socket", socket.to_str().unwrap(), "--json"]).run();
    assert_eq!(run.code, 3, "{}", run.output);
    assert_eq!(run.json()["error"]["code"], "daemon-not-reachable");
}

#[test]
fn every_finding_has_a_page_in_any_case_and_by_number() {
    for code in ["SG-ISATAP-006", "sg-isatap-006", "705"] {
        let run = sixgate(&["explain", code, "--json"]).run();
        let document = run.json();
        assert_eq!((run.code, document["code"].as_str()), (0, Some("SG-ISATAP-006")), "{document}");
        for key in ["causes", "proof", "references"] {
            assert!(document[key].as_array().is_some_and(|list| !list.is_empty()), "{key}: {document}");
        }
    }
    let all = sixgate(&["explain", "--json"]).run().json();
    for finding in all["findings"].as_array().unwrap() {
        let text = sixgate(&["explain", finding["code"].as_str().unwrap()]).run();
        assert_eq!(text.code, 0);
        for part in ["causes, the most frequent first", "how to prove it", "\n  fix\n"] {
            assert!(text.output.contains(part), "{}", text.output);
        }
        assert!(text.output.lines().all(|l| l.chars().count() <= 120), "{}", text.output);
    }
    let near = sixgate(&["explain", "SG-ISATAP"]).run();
    assert!(near.code == 1 && near.error.contains("did you mean SG-ISATAP-001"), "{}", near.error);
}
