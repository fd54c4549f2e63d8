//! Who is in a group of a directory has ISATAP, and who is no longer has not: slapd, and Samba as Active Directory.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use sixgate_e2e::directory::{Directory, PASSWORD};
use sixgate_e2e::plain::{Row, wait};
use sixgate_e2e::served::{SOON, has, host, listed, name_server, reaches, router, row, text};
use sixgate_e2e::world::binary;

/// The directory is asked every ten seconds; this is one pause, and time to tell the host.
const REFRESH: Duration = Duration::from_secs(14);

/// A rule for a group, and its directory behind a server that nobody is.
fn rules(row: &Row, group: &str, bind: &str) -> String {
    let password = row.folder().join("password");
    std::fs::write(&password, format!("{PASSWORD}\n")).expect("a file can be written");
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    format!(
        "[[isatap.allow]]\nldap-group = \"{group}\"\n[ldap]\nurl = [\"ldaps://127.0.0.1:6360\", \"ldap://127.0.0.1\"]\n\
         ca = \"ca.pem\"\nbind-dn = \"{bind}\"\npassword-file = \"password\"\nbase = \"dc=corp,dc=example\"\nrefresh = 10\n"
    )
}

#[test]
fn slapd_says_who_has_isatap_and_its_last_word_holds_while_it_is_down() {
    let mut row = row("l");
    let directory = Directory::slapd(&mut row);
    let top = "cn=top,dc=corp,dc=example";
    let file = router(&row, "router", &rules(&row, top, "cn=admin,dc=corp,dc=example"));
    let _host = host(&mut row);
    let daemon = row.daemon("middle", &["run"], &file);
    assert!(wait(SOON, || has(&row, "fd00:2::")), "{}", daemon.ask(&["isatap", "allow", "--list"]));
    assert!(wait(SOON, || reaches(&row, "fd00:1::7")));
    let shown = listed(&daemon);
    assert_eq!(
        (&shown["rule"], &shown["origin"]),
        (&"top".into(), &format!("line 8: {top}").into()),
        "{shown}"
    );
    let list = daemon.ask(&["isatap", "allow", "--list"]);
    let rule = &list["rules"][0];
    // A person, and a member that slapd says another directory has.
    assert_eq!(
        (&rule["host"], &rule["kind"], &rule["others"]),
        (&top.into(), &"ldap-group".into(), &2.into())
    );
    assert!(rule["trouble"].is_null() && rule["as_of"].is_string(), "{list}");

    // Out of a group three levels down: the end comes with the next answer, and says so.
    directory.member(&row, "delete", "cn=inner,dc=corp,dc=example", "cn=ws-1,dc=corp,dc=example");
    assert!(wait(REFRESH, || !has(&row, "fd00:2::")), "{}", daemon.ask(&["isatap", "allow", "--list"]));
    assert_eq!(listed(&daemon)["reason"], "isatap-host-not-allowed");
    directory.member(&row, "add", "cn=inner,dc=corp,dc=example", "cn=ws-1,dc=corp,dc=example");
    assert!(wait(REFRESH, || has(&row, "fd00:2::")), "{}", daemon.ask(&["isatap", "allow", "--list"]));

    // Nobody answers: over a restart, the last answer holds.
    directory.stop(&row);
    assert!(daemon.stop());
    let daemon = row.daemon("middle", &["run"], &file);
    let troubled = || daemon.ask(&["isatap", "allow", "--list"])["rules"][0]["trouble"].is_string();
    assert!(wait(SOON, troubled), "{}", daemon.ask(&["isatap", "allow", "--list"]));
    let list = daemon.ask(&["isatap", "allow", "--list"]);
    let trouble = list["rules"][0]["trouble"].as_str().unwrap_or_default();
    assert!(
        trouble.contains("ldaps://127.0.0.1:6360") && trouble.contains("ldap://127.0.0.1:389"),
        "{trouble}"
    );
    assert_eq!(list["rules"][0]["addresses"][0], "10.6.8.20", "{list}");
    let status = daemon.ask(&["status"]);
    let components = status["components"].as_array().expect("a list");
    let ldap = components.iter().find(|c| c["component"] == "ldap").expect("there is a directory");
    assert!(ldap["state"] == "degraded" && ldap["detail"].to_string().contains("last answer"), "{ldap}");
    assert!(has(&row, "fd00:2::") && wait(SOON, || reaches(&row, "fd00:1::7")));
    assert!(text(&file.with_extension("log")).contains("no server answers, its last answer holds"));

    // Back, and trouble is over.
    directory.start(&mut row);
    assert!(wait(Duration::from_secs(18), || !troubled()), "{}", daemon.ask(&["isatap", "allow", "--list"]));
    assert!(!text(&file.with_extension("log")).contains(PASSWORD));
    assert!(daemon.stop());
}

#[test]
fn nobody_is_believed_without_the_right_certificate_and_a_closed_password() {
    let mut row = row("x");
    let directory = Directory::slapd(&mut row);
    let good = rules(&row, "cn=top,dc=corp,dc=example", "cn=admin,dc=corp,dc=example");
    // Another authority: the server is not who it should be.
    let other = "cd FOLDER && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                 -keyout other.key -out other.pem -subj /CN=other";
    let said = row.sh("middle", &other.replace("FOLDER", &row.folder().display().to_string()));
    assert!(said.good, "{}", said.text);
    let file = router(&row, "other", &good.replace("ca.pem", "other.pem"));
    let daemon = row.daemon("middle", &["run"], &file);
    let trouble = || daemon.ask(&["isatap", "allow", "--list"])["rules"][0]["trouble"].clone();
    assert!(wait(SOON, || trouble().is_string()));
    assert!(
        trouble().as_str().is_some_and(|text| text.to_lowercase().contains("certificate")),
        "{}",
        trouble()
    );
    assert!(daemon.stop());

    // A password that others may read starts nothing, and is not shown.
    let password = row.folder().join("password");
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    let file = router(&row, "open", &good);
    let ran = row.sh("middle", &format!("{} run --config {}", binary().display(), file.display()));
    assert!(!ran.good && ran.text.contains("others may read this password"), "{}", ran.text);
    assert!(!ran.text.contains(PASSWORD));
    directory.stop(&row);
}

#[test]
fn samba_unfolds_nested_groups_and_leaves_out_who_is_switched_off() {
    let mut row = row("s");
    let directory = Directory::samba(&mut row);
    name_server(&mut row, "10.6.8.20");
    let top = "CN=top,CN=Users,DC=corp,DC=example";
    let dns = "[dns]\nlisten = [\"127.0.0.1:5353\"]\nupstream = [\"127.0.0.1:5301\"]\n";
    let written = format!("{}{dns}", rules(&row, top, "CN=Administrator,CN=Users,DC=corp,DC=example"));
    let file = router(&row, "router", &written);
    let _host = host(&mut row);
    let daemon = row.daemon("middle", &["run"], &file);
    // dNSHostName, then DNS.
    assert!(wait(SOON, || has(&row, "fd00:2::")), "{}", daemon.ask(&["isatap", "allow", "--list"]));
    let shown = listed(&daemon);
    assert_eq!((&shown["name"], &shown["rule"]), (&"ws-1.corp.example".into(), &"top".into()), "{shown}");
    // The administrator, and the computer whose account is switched off.
    let list = daemon.ask(&["isatap", "allow", "--list"]);
    assert_eq!(
        (&list["rules"][0]["others"], &list["rules"][0]["trouble"]),
        (&2.into(), &serde_json::Value::Null)
    );

    directory.member(
        &row,
        "delete",
        "CN=middle,CN=Users,DC=corp,DC=example",
        "CN=inner,CN=Users,DC=corp,DC=example",
    );
    assert!(wait(REFRESH, || !has(&row, "fd00:2::")), "{}", daemon.ask(&["isatap", "allow", "--list"]));

    // The primary group is in no `member`: every computer is in Domain Computers.
    let computers = "CN=Domain Computers,CN=Users,DC=corp,DC=example";
    router(&row, "router", &written.replace(top, computers));
    daemon.reload();
    assert!(wait(SOON, || has(&row, "fd00:2::")), "{}", daemon.ask(&["isatap", "allow", "--list"]));
    directory.stop(&row);
    assert!(daemon.stop());
}
