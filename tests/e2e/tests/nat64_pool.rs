//! The pool of NAT64 through the kernel: it changes while connections live, clients have limits, and the log answers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sixgate_e2e::plain::{Row, wait};
use sixgate_e2e::watched::Watched;

const SERVER: &str = "2001:db8:64::192.0.2.80";

/// Two clients on the left, servers on the right, nothing but routes to the middle.
fn row(test: &str) -> Row {
    let mut row = Row::new(test);
    row.ip("left", "addr add 2001:db8::8/64 dev l0 nodad");
    row.ip("left", "addr add 2001:db8::9/64 dev l0 nodad");
    row.ip("middle", "addr add 2001:db8::1/64 dev m0 nodad");
    row.ip("left", "-6 route add default via 2001:db8::1 src 2001:db8::8");
    row.ip("middle", "addr add 192.0.2.1/24 dev m1");
    row.ip("right", "addr add 192.0.2.80/24 dev r0");
    row.ip("right", "route add default via 192.0.2.1");
    row.start("right", "socat TCP4-LISTEN:8081,reuseaddr,fork EXEC:cat");
    row.start("right", "socat UDP4-RECVFROM:9000,fork EXEC:cat");
    let listens =
        |row: &Row| row.sh("right", "ss -ltun | grep -c -e ':8081 ' -e ':9000 '").text.trim() == "2";
    assert!(wait(Duration::from_secs(5), || listens(&row)), "the servers listen");
    row
}

/// Everything of the middle machine that leads to the translator.
fn settings(row: &Row) -> String {
    row.sh("middle", "ip route; ip -6 route; nft list ruleset").text
}

/// Starts a connection that says something ten times a second; what comes back is in the file.
fn chatter(row: &mut Row, name: &str) -> PathBuf {
    let script = row.folder().join("chatter.py");
    let text = "import socket, sys, time\n\
        s = socket.create_connection((sys.argv[1], 8081), 5)\n\
        s.settimeout(5)\n\
        heard = open(sys.argv[2], 'wb', 0)\n\
        while True:\n    s.send(b'x')\n    heard.write(s.recv(100))\n    time.sleep(0.1)\n";
    std::fs::write(&script, text).expect("a script can be written");
    let heard = row.folder().join(name);
    row.start("left", &format!("python3 {} {SERVER} {}", script.display(), heard.display()));
    assert!(wait(Duration::from_secs(5), || size(&heard) > 0), "the connection is up");
    heard
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |m| m.len())
}

/// The connection is still there: more comes back.
fn goes_on(heard: &Path) -> bool {
    let before = size(heard);
    wait(Duration::from_secs(3), || size(heard) > before + 2)
}

fn datagram(row: &Row, from: &str) -> String {
    row.sh("left", &format!("echo datagram | socat -T 1 - UDP6:[{SERVER}]:9000,bind=[{from}]")).text
}

#[test]
fn the_pool_changes_while_a_connection_lives() {
    let mut row = row("p");
    let before = settings(&row);
    let nat64 = |pool: &str, more: &str| {
        format!("[nat64]\nprefixes = [\"2001:db8:64::/96\"{more}]\npool = [{pool}]\n")
    };
    let file = row.file("nat64", &nat64("\"198.51.100.0/30\"", ""));
    let daemon = row.daemon("middle", &["run"], &file);
    let heard = chatter(&mut row, "heard");

    // More of everything: another prefix, another network, ports of our own address.
    let _ = row.file(
        "nat64",
        &nat64(
            "\"198.51.100.0/30\", \"203.0.113.0/28\", \"192.0.2.1:20000-20999\"",
            ", \"2001:db8:65::/96\"",
        ),
    );
    daemon.reload();
    let there = settings(&row);
    for part in ["198.51.100.0/30", "203.0.113.0/28", "192.0.0.8", "2001:db8:65::/96", "20000-20999"] {
        assert!(there.contains(part), "{part}: {there}");
    }
    assert!(goes_on(&heard), "a larger pool ends nothing");
    let by_other = row.sh("left", "echo datagram | socat -T 1 - UDP6:[2001:db8:65::192.0.2.80]:9000");
    assert_eq!(by_other.text.trim(), "datagram");

    // The network of the connection stays, everything else goes; then it is the other way round.
    let _ = row.file("nat64", &nat64("\"198.51.100.0/30\"", ""));
    daemon.reload();
    let there = settings(&row);
    for part in ["203.0.113.0/28", "192.0.0.8", "2001:db8:65::/96", "20000-20999"] {
        assert!(!there.contains(part), "{part}: {there}");
    }
    assert!(goes_on(&heard), "what fits stays");
    let _ = row.file("nat64", &nat64("\"192.0.2.1:20000-20999\"", ""));
    daemon.reload();
    assert!(!settings(&row).contains("198.51.100.0/30"));
    assert!(!goes_on(&heard), "a connection whose address is gone ends");
    let sessions = daemon.ask(&["nat64", "sessions"]);
    let of_old = |s: &serde_json::Value| s["outside"].as_str().is_some_and(|o| o.starts_with("198.51.100."));
    assert!(!sessions["sessions"].as_array().expect("a list").iter().any(of_old), "{sessions}");
    assert_eq!(datagram(&row, "2001:db8::8").trim(), "datagram", "by our own address");

    // What cannot be is told in a line, and nothing changes.
    let _ = row.file("nat64", &nat64("\"192.0.2.0/24\"", ""));
    let log = daemon.log();
    daemon.hang_up();
    assert!(wait(Duration::from_secs(5), || daemon.log().len() > log.len()));
    let said = daemon.log()[log.len()..].to_owned();
    assert!(said.contains("own address 192.0.2.1") && said.contains("nothing changed"), "{said}");
    assert_eq!(datagram(&row, "2001:db8::8").trim(), "datagram");
    assert!(daemon.stop());
    assert_eq!(settings(&row), before);
}
