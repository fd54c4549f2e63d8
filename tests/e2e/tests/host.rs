//! The ISATAP host between the kernels' own TCP/IP: two sites, three routers, names.
//!
//! ```text
//!  host ─┐        ┌─ ra ─┐  one site: fd00:2::/64, leads to fd00:1::/64
//!  dns  ─┤  lan   ├─ rb ─┤  the same site, the same offer
//!  rogue ┘ IPv4   └─ rc ─┤  another site: fdaa:2::/64, leads to fdaa:1::/64
//!           only         └── far: fd00:1::7 and fdaa:1::7
//! ```

use std::io::Write;
use std::time::{Duration, Instant};

use sixgate_e2e::dump::difference;
use sixgate_e2e::packets::{advertisement, octal};
use sixgate_e2e::plain::{Daemon, Row, wait};
use sixgate_e2e::world::binary;

const ONE: &str = "fd00:1::7";
const TWO: &str = "fdaa:1::7";
/// What the host is called in either site.
const OURS_ONE: &str = "fd00:2::5efe:a06:814";
const OURS_TWO: &str = "fdaa:2::5efe:a06:814";

/// The machines, wired and addressed; far is behind `ra` and `rc`.
fn sites(test: &str) -> Row {
    let row = Row::of(test, &["host", "dns", "rogue", "ra", "rb", "rc", "far", "lan", "back"]);
    for (machine, last) in [("host", 20), ("dns", 53), ("rogue", 66), ("ra", 1), ("rb", 2), ("rc", 3)] {
        row.plug(machine, "l0", "lan");
        row.ip(machine, &format!("address add 10.6.8.{last}/24 dev l0"));
    }
    for (machine, address) in [("ra", "fd00:1::1"), ("rb", "fd00:1::2"), ("rc", "fdaa:1::3"), ("far", ONE)] {
        row.plug(machine, "b0", "back");
        row.ip(machine, &format!("address add {address}/64 dev b0 nodad"));
    }
    row.ip("far", &format!("address add {TWO}/64 dev b0 nodad"));
    row.ip("far", "-6 route add fd00:2::/64 via fd00:1::1");
    row.ip("far", "-6 route add fdaa:2::/64 via fdaa:1::3");
    row
}

fn router(row: &mut Row, machine: &str, site: &str) -> Daemon {
    let file = row.file(
        machine,
        &format!(
            "[isatap]\ninterface = \"l0\"\nprefix = \"{site}:2::/64\"\nroutes = [{{ prefix = \"{site}:1::/64\" }}]\n\
             [[isatap.allow]]\nhosts = [\"10.6.8.0/24\"]\ngroup = \"helpdesk\"\n"
        ),
    );
    row.daemon(machine, &["run"], &file)
}

fn host(row: &mut Row, routers: &str) -> Daemon {
    let file = row.file(
        "host",
        &format!("[host]\ninterface = \"l0\"\nrouters = [{routers}]\nnameserver = [\"10.6.8.53\"]\n"),
    );
    row.daemon("host", &["host", "run"], &file)
}

/// Waits until the host reaches an address; gives how long that took.
fn reaches(row: &Row, address: &str) -> Duration {
    let start = Instant::now();
    let done = || row.sh("host", &format!("ping -n -c 1 -W 1 {address}")).good;
    assert!(wait(Duration::from_secs(10), done), "{address}: {}", row.sh("host", "ip -6 route").text);
    start.elapsed()
}

fn addresses(row: &Row) -> String {
    row.sh("host", "ip -6 address show dev isatap0").text
}

/// Tells a person what a test measured.
fn measured(what: &str, seconds: f64) {
    let _ = writeln!(std::io::stderr(), "{what}: {seconds:.2}");
}

/// What far answers to a TCP connection: who it says that we are.
fn seen(row: &Row, target: &str) -> String {
    row.sh("host", &format!("socat -T 3 -u TCP6:[{target}]:8080 STDOUT")).text
}

/// Pings until `seconds` are over, five times a second, while `meanwhile` happens a second after the start; gives the longest
/// time between two answers.
fn longest_silence(row: &mut Row, address: &str, seconds: u32, meanwhile: impl FnOnce(&mut Row)) -> f64 {
    let log = row.folder().join("ping");
    row.start("host", &format!("ping -n -D -i 0.2 -w {seconds} {address} >{}", log.display()));
    std::thread::sleep(Duration::from_secs(1));
    meanwhile(row);
    std::thread::sleep(Duration::from_secs(u64::from(seconds)));
    let text = std::fs::read_to_string(&log).expect("ping has written");
    let times: Vec<f64> = text
        .lines()
        .filter(|line| line.contains("bytes from"))
        .filter_map(|line| line.strip_prefix('[')?.split(']').next()?.parse().ok())
        .collect();
    let after = text.lines().rev().find(|line| line.contains("bytes from"));
    assert!(times.len() > 10, "too few answers: {text}");
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    // It goes on to the end, not only across a gap that the end cut short.
    let sent = seconds * 5 - 3;
    let last: u32 = after
        .and_then(|line| line.split("icmp_seq=").nth(1)?.split(' ').next()?.parse().ok())
        .expect("a sequence number");
    assert!(last >= sent - 5, "no answer after {last} of {sent}: {text}");
    longest
}

/// A machine that loses its power: both cables at once, and nothing is said.
fn powerless(row: &Row, machine: &str) {
    row.ip(machine, "link set l0 down");
    row.ip(machine, "link set b0 down");
    // What far's own routing protocol would do.
    row.ip("far", "-6 route replace fd00:2::/64 via fd00:1::2");
}

#[test]
fn a_router_that_dies_is_left_for_the_next_within_three_seconds() {
    let mut row = sites("f");
    let _ra = router(&mut row, "ra", "fd00");
    let rb = router(&mut row, "rb", "fd00");
    let host = host(&mut row, "\"10.6.8.1\", \"10.6.8.2\"");
    reaches(&row, ONE);
    let by = |router: &str| row.sh("host", &format!("ip -6 route get {ONE}")).text.contains(router);
    assert!(by("via fe80::5efe:a06:801"), "by the first of the list");
    let silence = longest_silence(&mut row, ONE, 8, |row| powerless(row, "ra"));
    measured("router without power, seconds without an answer", silence);
    assert!((0.4..3.0).contains(&silence), "{silence} s");
    let status = host.ask(&["status"]);
    assert_eq!(
        (&status["isatap"][0]["state"], &status["isatap"][1]["state"]),
        (&"unreachable".into(), &"up".into())
    );
    assert_eq!(status["isatap"][0]["reason"], "isatap-router-unreachable");
    // New connections go by the other too, from the same address.
    row.start("far", "socat TCP6-LISTEN:8080,reuseaddr,fork SYSTEM:'echo $SOCAT_PEERADDR'");
    let said = || row.sh("host", &format!("socat -T 3 -u TCP6:[{ONE}]:8080 STDOUT")).text;
    assert!(wait(Duration::from_secs(5), || said().contains("5efe:0a06:0814")), "{}", said());
    assert!(rb.ask(&["isatap", "hosts"])["hosts"][0]["rx_bytes"].as_u64() > Some(0));
    // And the first is taken back when it is there again.
    row.ip("ra", "link set l0 up");
    row.ip("ra", "link set b0 up");
    row.ip("ra", "address replace fd00:1::1/64 dev b0 nodad");
    let back = wait(Duration::from_secs(40), || {
        row.sh("host", &format!("ip -6 route get {ONE}")).text.contains("via fe80::5efe:a06:801")
    });
    assert!(back, "{}", host.ask(&["status"]));
}

#[test]
fn a_router_whose_daemon_is_killed_is_left_with_the_first_lost_packet() {
    let mut row = sites("k");
    let mut ra = router(&mut row, "ra", "fd00");
    let _rb = router(&mut row, "rb", "fd00");
    let host = host(&mut row, "\"10.6.8.1\", \"10.6.8.2\"");
    reaches(&row, ONE);
    // What the machine's kernel says of protocol 41 is believed, and the other router asked.
    let silence = longest_silence(&mut row, ONE, 5, |row| {
        row.ip("far", "-6 route replace fd00:2::/64 via fd00:1::2");
        ra.kill();
    });
    measured("killed router, seconds without an answer", silence);
    assert!(silence < 1.0, "{silence} s");
    let status = host.ask(&["status"]);
    let said = (&status["isatap"][0]["state"], &status["isatap"][0]["reason"]);
    assert_eq!(said, (&"unreachable".into(), &"isatap-path-unreachable".into()), "{status}");
    assert!(host.ask(&["counters"])["counters"]["isatap-path-unreachable"].as_u64() > Some(0));
}

#[test]
fn each_site_is_reached_from_its_own_address() {
    let mut row = sites("s");
    let _ra = router(&mut row, "ra", "fd00");
    let mut rc = router(&mut row, "rc", "fdaa");
    let host = host(&mut row, "\"10.6.8.1\", \"10.6.8.3\"");
    reaches(&row, ONE);
    reaches(&row, TWO);
    row.start("far", "socat TCP6-LISTEN:8080,reuseaddr,fork SYSTEM:'echo from $SOCAT_PEERADDR'");
    assert!(wait(Duration::from_secs(5), || seen(&row, ONE).contains("from")), "far listens");
    assert_eq!(seen(&row, ONE).trim(), "from [fd00:0002:0000:0000:0000:5efe:0a06:0814]");
    assert_eq!(seen(&row, TWO).trim(), "from [fdaa:0002:0000:0000:0000:5efe:0a06:0814]");
    let routes = row.sh("host", "ip -6 route show dev isatap0 proto 64").text;
    assert!(
        routes.contains(&format!("fd00:1::/64 via fe80::5efe:a06:801 src {OURS_ONE} metric 3328")),
        "{routes}"
    );
    assert!(
        routes.contains(&format!("fdaa:1::/64 via fe80::5efe:a06:803 src {OURS_TWO} metric 3328")),
        "{routes}"
    );
    assert!(addresses(&row).contains("preferred_lft 14"), "{}", addresses(&row));
    // A program that insists on the other address is told at once; the router would have said nothing.
    let start = Instant::now();
    let wrong = row.sh("host", &format!("ping -n -c 1 -W 5 -I {OURS_TWO} {ONE}"));
    assert!(!wrong.good && start.elapsed() < Duration::from_secs(1), "{}", wrong.text);
    assert_eq!(host.ask(&["counters"])["counters"]["isatap-source-of-another"], 1);
    let status = host.ask(&["status"]);
    let link = |i: usize| (status["isatap"][i]["router"].clone(), status["isatap"][i]["address"].clone());
    assert_eq!(link(0), ("10.6.8.1".into(), OURS_ONE.into()));
    assert_eq!(link(1), ("10.6.8.3".into(), OURS_TWO.into()));
    assert!(status["isatap"][1]["since"].is_string());

    // The second site dies: its destinations fail at once, and the first does not notice.
    rc.kill();
    row.ip("rc", "link set l0 down");
    row.start("host", &format!("ping -n -i 0.2 -w 5 {TWO} >/dev/null"));
    let gone = || !row.sh("host", "ip -6 route show dev isatap0").text.contains("fdaa:1::/64");
    assert!(wait(Duration::from_secs(6), gone), "{}", host.ask(&["status"]));
    let start = Instant::now();
    assert!(!row.sh("host", &format!("socat -T 5 -u TCP6:[{TWO}]:8080 STDOUT")).good);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(seen(&row, ONE).contains("from"));
}

#[test]
fn an_address_that_runs_out_is_not_for_new_connections_and_open_ones_go_on() {
    let mut row = sites("r");
    let _ra = router(&mut row, "ra", "fd00");
    let _host = host(&mut row, "\"10.6.8.1\"");
    reaches(&row, ONE);
    let hosts = row.folder().join("hosts");
    std::fs::write(&hosts, format!("{ONE} client\n10.6.8.53 client\n")).expect("a file can be written");
    let first = || {
        let script = format!("mount --bind {} /etc/hosts; getent ahosts client", hosts.display());
        row.sh("host", &script).text.split_whitespace().next().map(str::to_owned)
    };
    assert_eq!(first().as_deref(), Some(ONE));
    let echo = "socat TCP6-LISTEN:7000,reuseaddr,fork EXEC:cat";
    row.sh("far", &format!("{echo} >/dev/null 2>&1 &")).good.then_some(()).expect("far listens");
    let log = row.folder().join("session").display().to_string();
    let talk =
        format!("(for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.5; done) | socat -t 2 - TCP6:[{ONE}]:7000");
    row.sh("host", &format!("({talk} >{log}) >/dev/null 2>&1 &")).good.then_some(()).expect("a session");
    // The router says that its prefix is running out; routes stay for what is open.
    speak(&row, "ra", &from("fe80::5efe:a06:801", "fd00:2::", 0));
    let deprecated = || addresses(&row).contains("deprecated");
    assert!(wait(Duration::from_secs(5), deprecated), "{}", addresses(&row));
    assert_eq!(first().as_deref(), Some("10.6.8.53"), "a name with both leads to IPv4");
    let whole = || std::fs::read_to_string(&log).is_ok_and(|said| said == "1\n2\n3\n4\n5\n6\n7\n8\n");
    assert!(wait(Duration::from_secs(8), whole), "{:?}", std::fs::read_to_string(&log));
}

/// The zone, with these addresses for the routers' name.
fn zone(row: &Row, records: &str) {
    let folder = row.folder().display().to_string();
    let text = format!("$TTL 60\n@ SOA ns root 1 3600 600 86400 60\n@ NS ns\nns A 10.6.8.53\n{records}");
    std::fs::write(row.folder().join("zone"), text).expect("a zone can be written");
    let config = format!(
        "options {{ directory \"{folder}\"; pid-file \"{folder}/named.pid\"; session-keyfile none; listen-on {{ 10.6.8.53; }}; \
         listen-on-v6 {{ none; }}; recursion no; }};\ncontrols {{ }};\n\
         zone \"corp.example\" {{ type primary; file \"{folder}/zone\"; }};\n"
    );
    std::fs::write(row.folder().join("named.conf"), config).expect("a file can be written");
}

fn name_server(row: &mut Row, records: &str) {
    zone(row, records);
    let config = row.folder().join("named.conf").display().to_string();
    row.start("dns", &format!("named -g -c {config}"));
    let answers =
        || row.sh("dns", "dig +short +time=1 +tries=1 @10.6.8.53 ns.corp.example A").text.contains("10.6");
    assert!(wait(Duration::from_secs(10), answers), "named answers");
}

fn no_name_server(row: &Row) {
    let pid = row.folder().join("named.pid").display().to_string();
    let _ = row.sh("dns", &format!("kill -KILL $(cat {pid})"));
}

const NAMED: &str = "\"da-isatap.corp.example\", \"10.6.8.3\"";

#[test]
fn names_are_kept_through_an_outage_a_restart_and_their_own_end() {
    let mut row = sites("n");
    let _ra = router(&mut row, "ra", "fd00");
    let _rb = router(&mut row, "rb", "fd00");
    let _rc = router(&mut row, "rc", "fdaa");
    name_server(&mut row, "da-isatap A 10.6.8.1\nda-isatap A 10.6.8.2\n");
    let first = host(&mut row, NAMED);
    reaches(&row, ONE);
    reaches(&row, TWO);
    let routers = |daemon: &Daemon| {
        let status = daemon.ask(&["status"]);
        let links = status["isatap"].as_array().cloned().unwrap_or_default();
        links.iter().map(|l| format!("{} {}", l["router"], l["state"]).replace('"', "")).collect::<Vec<_>>()
    };
    let name = |daemon: &Daemon, key: &str| daemon.ask(&["status"])["names"][0][key].clone();
    let all = ["10.6.8.1 up", "10.6.8.2 up", "10.6.8.3 up"];
    assert!(wait(Duration::from_secs(5), || routers(&first) == all), "{:?}", routers(&first));
    assert_eq!((name(&first, "state"), name(&first, "reason")), ("answered".into(), serde_json::Value::Null));
    assert!(first.stop());

    // Nobody answers for names at the start: it begins from what it knew, at once.
    no_name_server(&row);
    let start = Instant::now();
    let second = host(&mut row, NAMED);
    reaches(&row, ONE);
    let took = start.elapsed();
    measured("with DNS down, seconds from the start to the first answer", took.as_secs_f64());
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(wait(Duration::from_secs(5), || routers(&second) == all), "{:?}", routers(&second));
    let unanswered = || name(&second, "state") == "unanswered";
    assert!(wait(Duration::from_secs(15), unanswered), "{}", second.ask(&["status"]));
    assert_eq!(name(&second, "reason"), "isatap-name-unanswered");
    assert_eq!(name(&second, "addresses"), serde_json::json!(["10.6.8.1", "10.6.8.2"]));

    // DNS is back and says that the name is gone: that is another thing, and costs nothing either.
    name_server(&mut row, "");
    second.reload();
    assert!(wait(Duration::from_secs(5), || name(&second, "state") == "gone"), "{}", second.ask(&["status"]));
    assert_eq!(name(&second, "reason"), "isatap-name-gone");
    assert_eq!(routers(&second), all);
    reaches(&row, ONE);

    // Another list is believed.
    no_name_server(&row);
    name_server(&mut row, "da-isatap A 10.6.8.2\n");
    second.reload();
    let two = ["10.6.8.2 up", "10.6.8.3 up"];
    assert!(wait(Duration::from_secs(5), || routers(&second) == two), "{:?}", routers(&second));
    row.ip("far", "-6 route replace fd00:2::/64 via fd00:1::2");
    reaches(&row, ONE);
}

#[test]
fn another_ipv4_address_is_another_identifier_at_once() {
    let mut row = sites("m");
    let _ra = router(&mut row, "ra", "fd00");
    let host = host(&mut row, "\"10.6.8.1\"");
    reaches(&row, ONE);
    // What another interface gets is none of its business: nothing is interrupted.
    let silence = longest_silence(&mut row, ONE, 3, |row| row.ip("host", "address add 10.99.0.1/24 dev lo"));
    assert!(silence < 0.4, "{silence} s");
    row.ip("host", "address add 10.6.8.33/24 dev l0");
    let start = Instant::now();
    row.ip("host", "address del 10.6.8.20/24 dev l0");
    // Deleting the first of a network takes the second along where the kernel does not promote it.
    let _ = row.sh("host", "ip address add 10.6.8.33/24 dev l0");
    let reached = || row.sh("host", &format!("ping -n -c 1 -W 1 {ONE}")).good;
    assert!(wait(Duration::from_secs(5), reached), "{}", host.ask(&["status"]));
    measured("another IPv4 address, seconds to the first answer", start.elapsed().as_secs_f64());
    let now = addresses(&row);
    assert!(now.contains("fd00:2::5efe:a06:821/64") && now.contains("fe80::5efe:a06:821/64"), "{now}");
    assert!(!now.contains("a06:814"), "{now}");
    assert_eq!(host.ask(&["status"])["ipv4"], "10.6.8.33");
    // Down and up: solicited at once, not at the next minute.
    row.ip("host", "link set l0 down");
    std::thread::sleep(Duration::from_secs(1));
    row.ip("host", "link set l0 up");
    reaches(&row, ONE);
}

/// An advertisement to the host.
fn from(source: &str, prefix: &str, preferred: u16) -> Vec<u8> {
    let address = |text: &str| text.parse().expect("an address");
    advertisement(address(source), address("fe80::5efe:a06:814"), address(prefix), preferred)
}

/// Sends an IPv6 packet to the host in protocol 41, past every daemon.
fn speak(row: &Row, machine: &str, packet: &[u8]) {
    let script = format!("printf '{}' | socat -u - IP4-SENDTO:10.6.8.20:41", octal(packet));
    let sent = row.sh(machine, &script);
    assert!(sent.good, "{}", sent.text);
}

#[test]
fn an_advertisement_of_nobody_that_is_listed_changes_nothing() {
    let mut row = sites("a");
    let _ra = router(&mut row, "ra", "fd00");
    let host = host(&mut row, "\"10.6.8.1\"");
    reaches(&row, ONE);
    let count = |code: &str| host.ask(&["counters"])["counters"][code].as_u64().unwrap_or(0);
    let send = |machine: &str, source: &str| {
        speak(&row, machine, &from(source, "fdee::", 3600));
    };
    // Its own name, and that of the router: neither is in the list as 10.6.8.66.
    send("rogue", "fe80::5efe:a06:842");
    send("rogue", "fe80::5efe:a06:801");
    assert!(
        wait(Duration::from_secs(3), || count("isatap-ra-not-from-router") == 2),
        "{}",
        host.ask(&["counters"])
    );
    // The router's host speaks for somebody else.
    send("ra", "fe80::5efe:a06:842");
    assert!(wait(Duration::from_secs(3), || count("isatap-ra-invalid") == 1), "{}", host.ask(&["counters"]));
    assert!(!addresses(&row).contains("fdee"), "{}", addresses(&row));
    // The same from the router is believed, so that it was the sender that counted and not the packet.
    send("ra", "fe80::5efe:a06:801");
    assert!(
        wait(Duration::from_secs(3), || addresses(&row).contains("fdee::5efe:a06:814")),
        "{}",
        addresses(&row)
    );
}

#[test]
fn joining_and_leaving_leaves_nothing() {
    let mut row = sites("j");
    let _ra = router(&mut row, "ra", "fd00");
    let _rc = router(&mut row, "rc", "fdaa");
    let everything = |row: &Row| {
        let what = "ip -o link; ip -o address; ip -4 route show table all; ip -6 route show table all; ip rule; ip -6 rule; \
                    sysctl -a 2>/dev/null | grep -E 'net.ipv[46].(conf|ip_forward)'";
        row.sh("host", what).text
    };
    // As on an intranet without IPv6; the kernel's own search for duplicates would change what is seen.
    let _ = row.sh("host", "sysctl -qw net.ipv6.conf.l0.disable_ipv6=1");
    let before = everything(&row);
    let folder = row.folder().join("etc");
    let file = folder.join("host.toml");
    let state = row.folder().join("host");
    let isatap = |arguments: &str| {
        row.sh("host", &format!("{} isatap {arguments} --config {}", binary().display(), file.display()))
    };
    let joined = isatap(&format!(
        "join 10.6.8.1 10.6.8.3 --state {} --socket {} --no-start",
        state.display(),
        folder.join("host.sock").display()
    ));
    assert!(joined.good && joined.text.contains("sixgate host run"), "{}", joined.text);
    let daemon = row.daemon("host", &["host", "run"], &file);
    reaches(&row, ONE);
    reaches(&row, TWO);
    // One router of two: the rest goes on.
    let isatap = |arguments: &str| {
        row.sh("host", &format!("{} isatap {arguments} --config {}", binary().display(), file.display()))
    };
    assert!(isatap("leave 10.6.8.3").good);
    daemon.reload();
    let gone = || !addresses(&row).contains("fdaa");
    assert!(wait(Duration::from_secs(5), gone), "{}", addresses(&row));
    reaches(&row, ONE);
    // It does not claim what is not so.
    let early = isatap("leave");
    assert!(!early.good && early.text.contains("1 device isatap0, 2 addresses, 1 route"), "{}", early.text);
    assert_eq!(early.text.trim().lines().count(), 1);
    assert!(daemon.stop());
    let left = isatap("leave");
    assert!(left.good && left.text.contains("0 devices isatap0, 0 addresses, 0 routes"), "{}", left.text);
    assert!(!file.exists());
    let differs = difference(&before, &everything(&row));
    assert!(differs.is_empty(), "{differs:#?}");
    let again = isatap("leave");
    assert!(!again.good && again.text.contains("no ISATAP host"), "{}", again.text);
}

/// What systemd does with the unit, in ten lines: it writes down what it is told, and does it.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$@" >>FOLDER/told
pid=$(cat FOLDER/pid 2>/dev/null)
case "$1 $2" in
"restart sixgate-host.service")
    [ -z "$pid" ] || kill -TERM "$pid"
    setsid BINARY host run --config FOLDER/host.toml >FOLDER/host.log 2>&1 </dev/null &
    echo $! >FOLDER/pid
    until grep -q " ready" FOLDER/host.log; do sleep 0.05; done ;;
"reload-or-restart sixgate-host.service") kill -HUP "$pid" ;;
"disable --now") kill -TERM "$pid" ;;
esac
"#;

/// In a mount namespace of its own, where systemd seems to run.
const SCRIPT: &str = r#"set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
touch /run/systemd/system/sixgate-host.service
PATH=FOLDER:$PATH
isatap() { BINARY isatap "$@" --config FOLDER/host.toml; }
reached() { for try in 1 2 3 4 5 6 7 8 9 10; do ping -n -c 1 -W 1 $1 >/dev/null && echo reached $1 && return; sleep 0.2; done; }
isatap join 10.6.8.1 --state FOLDER/state --socket FOLDER/host.sock
reached fd00:1::7
isatap join --add 10.6.8.3
reached fdaa:1::7
isatap leave 10.6.8.3
isatap leave
"#;

#[test]
fn where_systemd_runs_the_service_follows_the_file() {
    use std::os::unix::fs::PermissionsExt;

    let mut row = sites("y");
    let _ra = router(&mut row, "ra", "fd00");
    let _rc = router(&mut row, "rc", "fdaa");
    let folder = row.folder().display().to_string();
    let filled =
        |text: &str| text.replace("FOLDER", &folder).replace("BINARY", &binary().display().to_string());
    let systemctl = row.folder().join("systemctl");
    std::fs::write(&systemctl, filled(SYSTEMCTL)).expect("a file can be written");
    std::fs::set_permissions(&systemctl, PermissionsExt::from_mode(0o755)).expect("its mode can be set");
    let said = row.sh("host", &filled(SCRIPT));
    // Where the script failed, its daemon is still there.
    let _ = row.sh("host", &format!("kill -KILL $(cat {folder}/pid)"));
    let log = std::fs::read_to_string(row.folder().join("host.log")).unwrap_or_default();
    assert!(said.good, "{}{log}", said.text);
    for line in [
        "✓ sixgate-host.service is running",
        "reached fd00:1::7",
        "routers 10.6.8.1, 10.6.8.3",
        "reached fdaa:1::7",
        "✓ sixgate-host.service has taken it over",
        "✓ sixgate-host.service stopped and disabled",
        "✓ nothing left: 0 devices isatap0, 0 addresses, 0 routes",
    ] {
        assert!(said.text.contains(line), "{line}: {}", said.text);
    }
    // One daemon all the time: routers come and go without a connection ending.
    let told = std::fs::read_to_string(row.folder().join("told")).expect("it was told");
    let unit = "sixgate-host.service";
    let expected = [
        format!("enable {unit}"),
        format!("restart {unit}"),
        format!("enable {unit}"),
        format!("reload-or-restart {unit}"),
        format!("enable {unit}"),
        format!("reload-or-restart {unit}"),
        format!("disable --now {unit}"),
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
    assert_eq!(log.matches(" ready").count(), 1, "{log}");
}

#[test]
fn a_host_without_an_ipv4_address_is_ready_and_says_so() {
    let mut row = sites("n");
    let _ra = router(&mut row, "ra", "fd00");
    row.ip("host", "address flush dev l0");
    let host = host(&mut row, "\"10.6.8.1\"");
    let status = host.ask(&["status"]);
    assert_eq!(status["isatap"][0]["state"], "waiting", "{status}");
    assert_eq!(status["isatap"][0]["reason"], "isatap-no-ipv4", "{status}");
    row.ip("host", "address add 10.6.8.20/24 dev l0");
    reaches(&row, ONE);
    assert_eq!(host.ask(&["status"])["isatap"][0]["state"], "up");
    assert!(host.stop());
}
