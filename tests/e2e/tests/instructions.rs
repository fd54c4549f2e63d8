//! `sixgate isatap instructions`: what it says comes from the running gateway, and what it writes is what Samba's parser and a
//! Samba domain controller take.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sixgate_e2e::plain::Row;
use sixgate_e2e::world::binary;

const ROUTER: &str = "[isatap]\ninterface = \"m0\"\nname = \"da-isatap.corp.example\"\nprefix = \"fd00:2::/64\"\n\
                      peers = [\"10.6.8.2\"]\nroutes = [{ prefix = \"fd00:1::/64\" }]\n[[isatap.allow]]\n\
                      hosts = [\"10.6.8.20\", \"10.6.9.0/24\"]\ngroup = \"helpdesk\"\n";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instructions").join(name)
}

fn text(done: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}

/// The files of the Group Policy way, as a person makes them without a gateway at hand.
fn policy(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    let done = Command::new(binary())
        .args([
            "isatap",
            "instructions",
            "--for",
            "gpo",
            "--router",
            "da-isatap.corp.example",
            "--group",
            "helpdesk",
        ])
        .arg("--output")
        .arg(folder)
        .output()
        .expect("the binary runs");
    assert!(done.status.success(), "{}", text(&done));
}

#[test]
fn what_is_said_comes_from_the_running_gateway() {
    let mut row = Row::new("k");
    row.ip("middle", "addr add 10.6.8.1/24 dev m0");
    let config = row.file("router", ROUTER);
    let router = row.daemon("middle", &["run"], &config);

    let said = router.ask(&["isatap", "instructions", "--for", "windows"]);
    assert_eq!(said["router"], "da-isatap.corp.example");
    let ways: Vec<&str> =
        said["ways"].as_array().expect("a list").iter().filter_map(|w| w["target"].as_str()).collect();
    assert_eq!(ways, ["gpo", "powershell", "netsh", "hosts"]);
    // The address is the interface's, which no file says.
    assert_eq!(
        said["ways"][3]["files"][0]["text"],
        "10.6.8.1 da-isatap.corp.example\r\n10.6.8.2 da-isatap.corp.example\r\n"
    );
    let good = said["ways"][0]["check"]["good"].to_string();
    assert!(good.contains("a route to fd00:1::/64, next hop fe80::5efe:10.6.8.1"), "{good}");
    assert!(said["ways"][0]["steps"].to_string().contains("'helpdesk'"), "{said}");

    let networkd = router.ask(&["isatap", "instructions", "--for", "networkd"]);
    let network = &networkd["ways"][0]["files"][1];
    assert_eq!(network["path"], "10.6.8.20/50-isatap-net.network");
    assert!(network["text"].to_string().contains("Address=fd00:2::5efe:10.6.8.20/64"), "{network}");
    assert!(router.stop());

    let gone = router_file_alone(&config);
    assert!(gone.contains("Left out: hosts"), "{gone}");
    let without_a_word = in_its_place(&config);
    assert!(without_a_word.contains("Left out: hosts"), "{without_a_word}");
    assert!(without_a_word.contains("/etc/sixgate/sixgate.toml"), "{without_a_word}");
}

/// No gateway runs and none is named: the file lies where packages put it, seen by this command alone.
fn in_its_place(config: &Path) -> String {
    let script = "mount -t tmpfs none /etc && mount -t tmpfs none /run && mkdir /etc/sixgate
        \"$2\" isatap instructions --for windows; test $? = 3 || exit 9
        cp \"$1\" /etc/sixgate/sixgate.toml && exec \"$2\" isatap instructions --for windows";
    let done = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .args([config, &binary()])
        .output()
        .expect("unshare runs");
    assert!(done.status.success(), "{}", text(&done));
    text(&done)
}

/// The gateway does not run: its file says all but the interface's address.
fn router_file_alone(config: &Path) -> String {
    let done = Command::new(binary())
        .args(["isatap", "instructions", "--for", "windows", "--config"])
        .arg(config)
        .output()
        .expect("the binary runs");
    assert!(done.status.success(), "{}", text(&done));
    text(&done)
}

#[test]
fn what_linux_is_told_is_a_file_that_the_host_takes() {
    let folder = std::env::temp_dir().join(format!("sgi{}l", std::process::id()));
    let run = |arguments: &[&str]| Command::new(binary()).args(arguments).output().expect("the binary runs");
    let output = folder.to_string_lossy().into_owned();
    let done = run(&[
        "isatap",
        "instructions",
        "--for",
        "ansible",
        "--router",
        "da-isatap.corp.example",
        "--output",
        &output,
    ]);
    assert!(done.status.success(), "{}", text(&done));
    let check = run(&["check", &format!("{output}/host.toml")]);
    assert!(
        check.status.success() && text(&check).contains("ISATAP host of da-isatap.corp.example"),
        "{}",
        text(&check)
    );
    std::fs::remove_dir_all(&folder).expect("the folder was made");
    let refused = run(&["isatap", "instructions", "--for", "gpo", "--router", "isatap.corp.example"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("must not begin with the label `isatap`"), "{}", text(&refused));
}

#[test]
fn sambas_parser_reads_the_registry_file() {
    let folder = std::env::temp_dir().join(format!("sgi{}p", std::process::id()));
    policy(&folder);
    // Debian's own Python has the module, whatever other Python comes first in the path.
    let done =
        Command::new("/usr/bin/python3").arg(file("preg.py")).arg(folder.join("Registry.pol")).output();
    let said = text(&done.expect("python3 is there"));
    let key = r"Software\Policies\Microsoft\Windows\TCPIP\v6Transition";
    let expected =
        format!("{key} ISATAP_RouterName 1 da-isatap.corp.example\n{key} ISATAP_State 1 Enabled\nsame\n");
    std::fs::remove_dir_all(&folder).expect("the folder was made");
    assert_eq!(said, expected);
}

#[test]
fn a_samba_domain_restores_the_object_and_gives_it_back() {
    let folder = std::env::temp_dir().join(format!("sgi{}d", std::process::id()));
    policy(&folder.join("out"));
    let done = Command::new("timeout")
        .args(["90", "unshare", "-m", "-u", "-n", "-p", "-f", "--kill-child", "--mount-proc", "sh"])
        .arg(file("dc.sh"))
        .arg(&folder)
        .arg(folder.join("out"))
        .output()
        .expect("unshare is there");
    let said = text(&done);
    let _ = std::fs::remove_dir_all(&folder);
    assert!(done.status.success(), "{said}");
    for line in [
        "version 1",
        "extensions [{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]",
        "shown ISATAP of a test",
        "linked DC=corp,DC=example",
        "the same Registry.pol",
        "Version=1",
        "backed up again",
    ] {
        let found = said.lines().any(|l| l.replace(" = ", "=").eq_ignore_ascii_case(line));
        assert!(found, "no `{line}` in:\n{said}");
    }
}
