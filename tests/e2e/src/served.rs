//! An ISATAP host beside its router: what both have, and a name server for them.
//!
//! ```text
//!  left: host 10.6.8.20  l0 ===== m0  middle: router 10.6.8.1, servers  m1 ===== r0  right: fd00:1::7, fd00:11::7
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::plain::{Daemon, Row, wait};

/// What takes a moment is done by then.
pub const SOON: Duration = Duration::from_secs(5);

/// Addresses and routes; no daemon.
#[must_use]
pub fn row(test: &str) -> Row {
    let row = Row::new(test);
    row.ip("left", "addr add 10.6.8.20/24 dev l0");
    row.ip("middle", "addr add 10.6.8.1/24 dev m0");
    row.ip("middle", "addr add fd00:1::1/64 dev m1 nodad");
    row.ip("middle", "addr add fd00:11::1/64 dev m1 nodad");
    row.ip("right", "addr add fd00:1::7/64 dev r0 nodad");
    row.ip("right", "addr add fd00:11::7/64 dev r0 nodad");
    row.ip("right", "-6 route add default via fd00:1::1");
    row
}

/// A router's file with these rules; `[[isatap.allow]]` in front of them is line 8.
pub fn router(row: &Row, name: &str, rules: &str) -> PathBuf {
    let link =
        "[isatap]\ninterface = \"m0\"\nprefix = \"fd00:2::/64\"\nroutes = [{ prefix = \"fd00:1::/64\" }]\n";
    row.file(name, &format!("{link}{rules}"))
}

/// The host's daemon.
#[must_use]
pub fn host(row: &mut Row) -> Daemon {
    let file = row.file("host", "[host]\ninterface = \"l0\"\nrouters = [\"10.6.8.1\"]\n");
    row.daemon("left", &["host", "run"], &file)
}

/// The text of a file; empty where there is none.
#[must_use]
pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The row of `isatap hosts` that is about the host.
#[must_use]
pub fn listed(daemon: &Daemon) -> Value {
    let document = daemon.ask(&["isatap", "hosts"]);
    let hosts = document["hosts"].as_array().expect("a list");
    hosts.iter().find(|host| host["ipv4"] == "10.6.8.20").cloned().unwrap_or_default()
}

/// The host has an address in `prefix` that new connections may use.
#[must_use]
pub fn has(row: &Row, prefix: &str) -> bool {
    let shown = row.sh("left", "ip -6 addr show dev isatap0").text;
    let own = format!("{prefix}5efe:a06:814");
    shown.lines().any(|line| line.contains(&own) && !line.contains("deprecated"))
}

/// The host gets an answer from there.
#[must_use]
pub fn reaches(row: &Row, address: &str) -> bool {
    row.sh("left", &format!("ping -n -c 1 -W 2 {address}")).good
}

/// Starts a server for corp.example on the middle machine, 127.0.0.1 port 5301, which says that ws-1 is at `address`.
pub fn name_server(row: &mut Row, address: &str) {
    let folder = row.folder().display().to_string();
    let zone =
        format!("$TTL 30\n@ SOA ns root 1 3600 600 86400 1\n@ NS ns\nns A 10.6.8.1\nws-1 A {address}\n");
    std::fs::write(format!("{folder}/zone"), zone).expect("a zone can be written");
    let options = format!(
        "options {{ directory \"{folder}\"; pid-file \"{folder}/named.pid\"; session-keyfile none; \
         listen-on port 5301 {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; }};\ncontrols {{ }};\n\
         zone \"corp.example\" {{ type primary; file \"{folder}/zone\"; }};\n"
    );
    std::fs::write(format!("{folder}/named.conf"), options).expect("a file can be written");
    row.start("middle", &format!("named -g -c {folder}/named.conf"));
    let answers = || row.sh("middle", "dig +time=1 +tries=1 -p 5301 @127.0.0.1 ws-1.corp.example");
    assert!(wait(SOON, || answers().good), "named does not answer: {}", answers().text);
}

/// Ends that server.
pub fn stop_name_server(row: &Row) {
    let said = row.sh("middle", &format!("kill $(cat {}/named.pid)", row.folder().display()));
    assert!(said.good, "{}", said.text);
}
