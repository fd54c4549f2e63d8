//! The pool of NAT64 through the kernel: it changes while connections live, clients have limits, and the log answers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sixgate_e2e::plain::{Daemon, Row, wait};
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
    change_the_pool("p", 1);
}

#[test]
fn the_pool_of_several_workers_changes_while_a_connection_lives() {
    change_the_pool("q", 3);
}

fn change_the_pool(test: &str, workers: u16) {
    let mut row = row(test);
    let before = settings(&row);
    let nat64 = |pool: &str, more: &str| {
        format!("[nat64]\nworkers = {workers}\nprefixes = [\"2001:db8:64::/96\"{more}]\npool = [{pool}]\n")
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
    let _ = row.file(
        "nat64",
        "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"203.0.113.0/28\"]\nport-log = \"/nowhere/log\"\n",
    );
    let log = daemon.log();
    daemon.hang_up();
    assert!(wait(Duration::from_secs(5), || daemon.log().len() > log.len()));
    let said = daemon.log()[log.len()..].to_owned();
    assert!(said.contains("/nowhere/log: No such file") && said.contains("nothing changed"), "{said}");
    assert_eq!(datagram(&row, "2001:db8::8").trim(), "datagram");
    assert!(daemon.stop());
    assert_eq!(settings(&row), before);
}

/// What is said of a file at SIGHUP that changes nothing.
fn refused(daemon: &Daemon) -> String {
    let log = daemon.log();
    daemon.hang_up();
    let said = || daemon.log()[log.len()..].to_owned();
    assert!(wait(Duration::from_secs(5), || said().contains("nothing changed")), "{}", said());
    said()
}

#[test]
fn a_reload_that_fails_half_way_is_taken_back_whole() {
    let mut row = row("tb");
    let nat64 = |pool: &str| format!("[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [{pool}]\n");
    let file = row.file("nat64", &nat64("\"198.51.100.0/30\", \"192.0.2.1:20000-20999\""));
    let daemon = row.daemon("middle", &["run"], &file);
    let there = settings(&row);
    assert!(there.contains("20000-20999"), "{there}");

    // Found only when routes and rules of the new pool are there: more names than policy can tell apart.
    let names: String =
        (0..62).map(|n| format!("[[policy]]\nfrom = \"group-{n}\"\nto = \"any\"\n")).collect();
    // A network goes and two come.
    let other = nat64("\"203.0.113.0/28\", \"203.0.113.32/28\", \"192.0.2.1:20000-21999\"");
    let _ = row.file("nat64", &format!("{other}{names}"));
    for _ in 0..2 {
        let said = refused(&daemon);
        assert!(said.contains("more than 61 groups") && !said.contains("not what it was"), "{said}");
        assert_eq!(settings(&row), there);
    }
    let _ = row.file("nat64", &other);
    daemon.reload();
    let there = settings(&row);
    for part in ["203.0.113.0/28", "203.0.113.32/28", "20000-21999"] {
        assert!(there.contains(part), "{part}: {there}");
    }
    assert!(!there.contains("198.51.100.0/30"), "{there}");
    assert_eq!(datagram(&row, "2001:db8::8").trim(), "datagram");
    assert!(daemon.stop());
}

#[test]
fn sessions_of_several_workers_live_on_when_ports_are_to_be_logged() {
    let mut row = row("ms");
    let nat64 = |pool: &str, more: &str| {
        format!("[nat64]\nworkers = 3\nprefix = \"2001:db8:64::/96\"\npool = [{pool}]\n{more}")
    };
    let pool = "\"198.51.100.0/30\"";
    let file = row.file("nat64", &nat64(pool, ""));
    let daemon = row.daemon("middle", &["run"], &file);
    let heard = chatter(&mut row, "heard");
    assert_eq!(open(&row, "2001:db8::8", 5000..5030) + &open(&row, "2001:db8::9", 5000..5030), "");
    let bound = || {
        let bib = daemon.ask(&["nat64", "bib"]);
        let all = bib["bib"].as_array().expect("a list").iter();
        let mut all: Vec<_> = all.map(|b| (b["inside"].to_string(), b["outside"].to_string())).collect();
        all.sort();
        all
    };
    let before = bound();
    assert_eq!(before.len(), 61);
    let log = row.folder().join("ports.log");
    let logged = format!("port-log = \"{}\"\n", log.display());
    for more in
        [logged.clone(), format!("{logged}port-block-size = 4096\n"), "port-block-size = 128\n".into()]
    {
        let _ = row.file("nat64", &nat64(pool, &more));
        daemon.reload();
        assert_eq!(bound(), before, "{more}");
        assert!(goes_on(&heard), "{more}");
        // Each still hears what comes back.
        assert_eq!(open(&row, "2001:db8::9", 5000..5030), "", "{more}");
    }
    for size in [512, 4096] {
        let waits = format!("blocks of {size} ports wait for a restart; until then they have 256");
        assert_eq!(daemon.log().matches(&waits).count(), 1, "{}", daemon.log());
    }

    let _ = row.file("nat64", &nat64("\"198.51.100.0:1024-1535\"", ""));
    let said = refused(&daemon);
    assert!(said.contains("too small for 3 workers"), "{said}");
    assert!(goes_on(&heard) && bound() == before);
    assert!(daemon.stop());
}

/// Opens UDP sessions from an address, one after the other, each from a port of its own; gives the errors that came back.
fn open(row: &Row, from: &str, ports: std::ops::Range<u16>) -> String {
    let script = format!(
        "import socket, time\n\
        refused = 0\n\
        for port in range({}, {}):\n\
        \x20   s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n\
        \x20   s.setsockopt(41, 25, 1)\n\
        \x20   s.bind((\"{from}\", port)); s.connect((\"{SERVER}\", 9000))\n\
        \x20   s.settimeout(3)\n\
        \x20   try:\n\
        \x20       s.send(b\"x\"); s.recv(9)\n\
        \x20   except OSError as e:\n\
        \x20       print(port, e)\n",
        ports.start, ports.end
    );
    row.sh_within("left", 30, &format!("python3 -c '{script}'")).text
}

/// Opens UDP sessions as fast as it goes, whatever comes back.
fn send(row: &Row, from: &str, ports: std::ops::Range<u16>) {
    let script = format!(
        "import socket\nfor port in range({}, {}):\n    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n    \
         s.bind((\"{from}\", port)); s.sendto(b\"x\", (\"{SERVER}\", 9001))\n",
        ports.start, ports.end
    );
    let said = row.sh("left", &format!("python3 -c '{script}'"));
    assert!(said.good, "{}", said.text);
}

#[test]
fn a_client_at_its_limit_is_told_and_others_are_served() {
    let mut row = row("l");
    let file = row.file(
        "nat64",
        "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"198.51.100.0/30\"]\nmax-sessions-per-client = 5\n\
         max-ports-per-client = 4\n",
    );
    let daemon = row.daemon("middle", &["run"], &file);
    let seen = row.folder().join("errors");
    row.start("left", &format!("tcpdump -n -l -i l0 'icmp6 and ip6[40] == 1' >{} 2>&1", seen.display()));
    let seen = || std::fs::read_to_string(&seen).unwrap_or_default();
    assert!(wait(Duration::from_secs(5), || seen().contains("listening on")), "{}", seen());
    let refused = open(&row, "2001:db8::8", 7000..7007);
    let ports: Vec<&str> = refused.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(ports, ["7004", "7005", "7006"], "{refused}");
    // The kernel makes "no route to host" of code 3.
    assert_eq!(refused.matches("No route to host").count(), 3, "{refused}");
    assert_eq!(open(&row, "2001:db8::9", 7000..7004), "", "another client is not touched");
    assert!(
        wait(Duration::from_secs(2), || seen().matches("unreachable address").count() == 3),
        "{}",
        seen()
    );
    assert!(seen().contains("2001:db8::1 > 2001:db8::8"), "from our own address: {}", seen());
    assert_eq!(daemon.counters().get("nat64-client-ports"), Some(&3));

    // The limit goes away while it runs, and another takes its place.
    let _ = row.file(
        "nat64",
        "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"198.51.100.0/30\"]\n\
         new-sessions-per-second-per-client = 4\n",
    );
    daemon.reload();
    let many = row.sh(
        "left",
        &format!(
            "for p in 1 2 3 4 5 6 7 8 9; do echo x | socat -u - UDP6-SENDTO:[{SERVER}]:9000 & done; wait"
        ),
    );
    assert!(many.good, "{}", many.text);
    let counted = daemon.counters();
    assert!(counted.get("nat64-client-rate").is_some_and(|n| *n >= 1), "{counted:?}");
    assert!(daemon.stop());
}

#[test]
fn the_log_says_who_had_a_port_and_the_pool_says_when_it_is_full() {
    let mut row = row("w");
    let log = row.folder().join("ports.log");
    let settings = |more: &str| {
        format!(
            "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"198.51.100.1:1024-1279\"]\nport-log = \"{}\"\n\
             port-block-size = 64\nstatic = [\"tcp 198.51.100.1:443 = [2001:db8::9]:443\"]\n{more}\
             [nat64.timeouts]\nudp = 5\ndanger-allow-short = true\n",
            log.display()
        )
    };
    let file = row.file("nat64", &settings(""));
    let mut daemon = row.daemon("middle", &["run"], &file);
    let lines = |log: &Path| -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line is one object")).collect()
    };
    // Before any packet: the static binding.
    assert!(wait(Duration::from_secs(1), || lines(&log).len() == 1), "{:?}", lines(&log));
    let first = &lines(&log)[0];
    assert_eq!((&first["client"], &first["ports"]), (&"2001:db8::9".into(), &"443-443".into()), "{first}");

    let heard = chatter(&mut row, "heard");
    assert_eq!(open(&row, "2001:db8::8", 7000..7010), "");
    assert_eq!(open(&row, "2001:db8::9", 7000..7003), "");
    // Who had the port that the server sees? What stands in the log says it.
    let bib = daemon.ask(&["nat64", "bib"]);
    let bindings = bib["bib"].as_array().expect("a list").clone();
    assert!(bindings.len() >= 3, "{bib}");
    let who = |outside: &str| {
        let (address, port) = outside.split_once(':').expect("an endpoint");
        let port: u16 = port.parse().expect("a port");
        let has = |line: &&serde_json::Value| {
            let (low, high) = line["ports"].as_str().and_then(|p| p.split_once('-')).expect("a range");
            let (low, high): (u16, u16) = (low.parse().expect("a port"), high.parse().expect("a port"));
            line["address"] == address && (low..=high).contains(&port)
        };
        let all = lines(&log);
        let last = all.iter().rev().find(has).expect("some line has it");
        (last["event"].clone(), last["client"].clone())
    };
    assert!(wait(Duration::from_secs(1), || lines(&log).len() >= 3), "{:?}", lines(&log));
    for binding in &bindings {
        let client =
            binding["inside"].as_str().and_then(|i| i.strip_prefix('[')?.split_once(']')).expect("an end").0;
        assert_eq!(
            who(binding["outside"].as_str().expect("an end")),
            ("allocated".into(), client.into()),
            "{binding}"
        );
    }
    assert_eq!(lines(&log).len(), 3, "a line a client: {:?}", lines(&log));

    // One client needs nearly all of it: three lines more, and a warning, once.
    send(&row, "2001:db8::8", 8000..8200);
    assert!(daemon.log().contains("port blocks of 198.51.100.1/32:1024-1279 are in use"), "{}", daemon.log());
    assert_eq!(daemon.log().matches("100% of the port blocks").count(), 1, "{}", daemon.log());
    let gone = || lines(&log).iter().filter(|l| l["event"] == "released").count();
    assert!(wait(Duration::from_secs(15), || gone() >= 3), "time gives blocks back: {:?}", lines(&log));
    assert!(goes_on(&heard), "and the connection keeps its own");

    // The file is moved away: the next one says all that holds, and the connection does not notice.
    let old = row.folder().join("ports.log.1");
    std::fs::rename(&log, &old).expect("it can be moved");
    daemon.reload();
    assert!(wait(Duration::from_secs(2), || lines(&log).len() >= 2), "{:?}", lines(&log));
    assert!(lines(&log).iter().any(|l| l["client"] == "2001:db8::8" && l["event"] == "allocated"));
    assert!(goes_on(&heard));
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&log).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // What a killed run leaves is released by the next, and an orderly end releases everything.
    daemon.kill();
    let before = lines(&log).len();
    let daemon = row.daemon("middle", &["run"], &file);
    assert!(wait(Duration::from_secs(2), || lines(&log).len() >= before + 3), "{:?}", lines(&log));
    assert_eq!(lines(&log)[before]["event"], "released");
    assert!(daemon.stop());
    let mut open: std::collections::BTreeMap<String, i32> = std::collections::BTreeMap::new();
    for line in lines(&log) {
        let change = if line["event"] == "allocated" { 1 } else { -1 };
        *open.entry(format!("{} {} {}", line["address"], line["ports"], line["protocol"])).or_default() +=
            change;
    }
    assert!(open.values().all(|n| *n == 0), "{open:?}");
}

#[test]
fn ports_that_are_given_out_until_the_very_end_are_in_the_log() {
    let mut row = row("e");
    let log = row.folder().join("ports.log");
    let text = format!(
        "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"198.51.100.1\"]\nport-log = \"{}\"\n\
         port-block-size = 64\n",
        log.display()
    );
    let file = row.file("nat64", &text);
    let daemon = row.daemon("middle", &["run"], &file);
    // A server that remembers from where it was spoken to, and a client that speaks from one port after the other.
    let seen = row.folder().join("seen");
    let server = "import socket, sys\n\
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
        s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)\n\
        s.bind(('192.0.2.80', 9002))\n\
        seen = open(sys.argv[1], 'wb', 0)\n\
        seen.write(b'0\\n')\n\
        while True:\n    seen.write(b'%d\\n' % s.recvfrom(9)[1][1])\n";
    let script = row.folder().join("server.py");
    std::fs::write(&script, server).expect("a script can be written");
    row.start("right", &format!("python3 {} {}", script.display(), seen.display()));
    assert!(wait(Duration::from_secs(5), || size(&seen) > 0), "the server listens");
    let client = "import socket, sys\n\
        for port in range(1024, 65536):\n\
        \x20   s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n\
        \x20   s.bind(('2001:db8::8', port)); s.sendto(b'x', (sys.argv[1], 9002)); s.close()\n";
    let script = row.folder().join("client.py");
    std::fs::write(&script, client).expect("a script can be written");
    row.start("left", &format!("python3 {} {SERVER}", script.display()));
    assert!(wait(Duration::from_secs(5), || size(&log) > 4000), "blocks are given out");
    assert!(daemon.stop());

    let mut logged = std::collections::BTreeSet::new();
    for line in std::fs::read_to_string(&log).expect("it is there").lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line is one object");
        let (first, last) = line["ports"].as_str().and_then(|p| p.split_once('-')).expect("a range");
        logged.extend(first.parse::<u16>().expect("a port")..=last.parse().expect("a port"));
    }
    let text = std::fs::read_to_string(&seen).expect("it is there");
    let ports: Vec<u16> = text.lines().skip(1).map(|p| p.parse().expect("a port")).collect();
    assert!(ports.len() > 500, "{}", ports.len());
    let unknown: Vec<&u16> = ports.iter().filter(|port| !logged.contains(port)).collect();
    assert!(unknown.is_empty(), "{} of {} ports, {:?} first", unknown.len(), ports.len(), unknown.first());
}
