//! A translator of four workers between the kernels' own TCP/IP: who owns what is nobody's business outside.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use sixgate_e2e::packets;
use sixgate_e2e::plain::{Daemon, Row, wait};
use sixgate_e2e::raw::Wire;
use sixgate_e2e::watched::Watched;

const SERVER: &str = "2001:db8:64::192.0.2.80";
const CLIENTS: u16 = 12;

fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers").join(name).display().to_string()
}

fn clients() -> Vec<String> {
    (0x10..0x10 + CLIENTS).map(|n| format!("2001:db8::{n:x}")).collect()
}

/// Many clients on the left, a server on the right.
fn row(test: &str) -> Row {
    let mut row = Row::new(test);
    for client in clients() {
        row.ip("left", &format!("addr add {client}/64 dev l0 nodad"));
    }
    row.ip("middle", "addr add 2001:db8::1/64 dev m0 nodad");
    row.ip("left", "-6 route add default via 2001:db8::1");
    row.ip("middle", "addr add 192.0.2.1/24 dev m1");
    row.ip("right", "addr add 192.0.2.80/24 dev r0");
    row.ip("right", "route add default via 192.0.2.1");
    assert!(row.sh("left", "sysctl -qw net.ipv4.ping_group_range='0 2147483647'").good);
    // All clients come from two addresses there, which the kernel would have wait for its errors.
    assert!(row.sh("right", "sysctl -qw net.ipv4.icmp_ratelimit=0").good);
    row.start("right", &format!("python3 {}", script("server.py")));
    row.start("right", "socat -u TCP4-LISTEN:7004,reuseaddr,fork OPEN:/dev/null");
    let listens = |row: &Row| {
        row.sh("right", "ss -ltun | grep -c -e ':7001 ' -e ':7002 ' -e ':7003 ' -e ':7004 '").text.trim()
            == "4"
    };
    assert!(wait(Duration::from_secs(5), || listens(&row)), "the server listens");
    row
}

fn sections(more: &str) -> String {
    format!(
        "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"198.51.100.2\", \"198.51.100.3\"]\nworkers = 4\n{more}"
    )
}

/// Packets that came to each worker, and those that changed workers.
fn traffic(row: &Row, file: &Path) -> (Vec<u64>, u64) {
    let socket = file.with_extension("sock");
    let page =
        row.sh("middle", &format!("curl -s --unix-socket {} http://sixgate/metrics", socket.display())).text;
    let of = |name: &str| {
        let lines = page.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect::<Vec<u64>>()
    };
    (of("sixgate_nat64_worker_packets_total{"), of("sixgate_nat64_worker_crossed_total{").iter().sum())
}

fn count(daemon: &Daemon, what: &str) -> usize {
    daemon.ask(&["nat64", what])[what].as_array().expect("a list").len()
}

#[test]
fn many_clients_are_served_by_four_workers_as_by_one() {
    let mut row = row("wk");
    let statics = "static = [\"tcp 198.51.100.2:443 = [2001:db8::10]:443\", \"udp 198.51.100.3:700 = [2001:db8::11]:700\"]\n";
    let file = row.file("nat64", &sections(statics));
    let mut daemon = row.daemon("middle", &["run"], &file);
    let run = format!("python3 {} {SERVER} 2001:db8:64:: {}", script("clients.py"), clients().join(" "));
    let said = row.sh_within("left", 60, &run);
    assert_eq!(said.text.trim(), "good", "{}", daemon.ask(&["counters"]));

    // Each client: TCP, two UDP sockets to the echo, an error, a ping; and in two pairs, each with a socket that the
    // server and the neighbour know.
    let many = usize::from(CLIENTS);
    assert_eq!(count(&daemon, "bib"), many * (1 + 2 + 1 + 1 + 2) + 2);
    // The server and the neighbour for each of the two, as that neighbour is seen from the other end.
    assert_eq!(count(&daemon, "sessions"), many * (1 + 2 + 1 + 1 + 4));
    let pools = daemon.ask(&["nat64", "pools"]);
    let used: u64 =
        pools["pools"].as_array().expect("a list").iter().filter_map(|p| p["used"].as_u64()).sum();
    assert_eq!(used as usize, count(&daemon, "bib"));
    let (came, crossed) = traffic(&row, &file);
    assert!(came.len() == 4 && came.iter().all(|n| *n > 0), "{came:?}");
    // Errors and the ends of fragmented datagrams, of which the kernel does not know whose they are.
    let all: u64 = came.iter().sum();
    assert!(crossed > 0 && crossed < all / 3, "{crossed} of {all} packets changed workers");

    // Whoever owns one end and whoever owns the other: a packet between two clients is explained to its end.
    for client in &clients()[1..] {
        let packet = format!("tcp [{client}]:5000 > [2001:db8:64::198.51.100.2]:443 syn");
        let said = daemon.ask(&["nat64", "explain", &packet]);
        assert_eq!(
            (&said["verdict"], &said["result"][0]["dst"]),
            (&"translated".into(), &"2001:db8::10".into()),
            "{said}"
        );
    }

    // Static bindings let the outside in, on whichever worker they are, and a reload keeps what is open.
    row.start("left", "socat TCP6-LISTEN:443,reuseaddr,fork SYSTEM:'echo inside'");
    let inbound = |row: &Row| row.sh("right", "socat -T 3 -u TCP4:198.51.100.2:443 STDOUT").text;
    assert!(wait(Duration::from_secs(5), || inbound(&row).trim() == "inside"), "{}", inbound(&row));
    let before = count(&daemon, "sessions");
    let _ = row.file("nat64", &sections("static = [\"tcp 198.51.100.3:8443 = [2001:db8::12]:443\"]\n"));
    daemon.reload();
    let moved = row.sh("right", "socat -T 3 -u TCP4:198.51.100.3:8443 STDOUT").text;
    assert_eq!(moved.trim(), "inside");
    let statics = daemon.ask(&["nat64", "bib"]);
    let statics: Vec<_> =
        statics["bib"].as_array().expect("a list").iter().filter(|b| b["static"] == true).collect();
    assert_eq!((statics.len(), &statics[0]["outside"]), (1, &"198.51.100.3:8443".into()));
    assert!(count(&daemon, "sessions") + 4 > before, "what is open stays open");

    // What two clients say to one another never comes from the network, on whatever queue.
    let (pool, station) = (Ipv4Addr::new(198, 51, 100, 2), row.station("middle", "m1"));
    let wire = Wire::open(&row.namespace("right"), "r0");
    for port in 0..8_u16 {
        let ports =
            [(2000 + 64 * port).to_be_bytes(), (3000 + 64 * port).to_be_bytes(), [0, 9], [0, 0]].concat();
        wire.send(Some(station), &packets::ipv4(pool, pool, 17, &[&ports[..], b"x"].concat()));
    }
    let forged = || daemon.counters().get("nat64-source-martian").copied();
    assert!(wait(Duration::from_secs(5), || forged() == Some(8)), "{:?}", daemon.counters());
    assert!(daemon.lives() && !daemon.log().contains("WARN"), "{}", daemon.log());
    assert!(daemon.stop());
}

#[test]
fn a_connection_finds_its_worker_where_no_program_may_be_loaded() {
    let mut row = row("wf");
    let file = row.file("nat64", &sections(""));
    let socket = file.with_extension("sock");
    let binary = sixgate_e2e::world::binary();
    let run = format!("{} run --config {}", binary.display(), file.display());
    row.start(
        "middle",
        &format!("setpriv --bounding-set=-bpf,-sys_admin,-perfmon {run} 2>{}.log", file.display()),
    );
    assert!(wait(Duration::from_secs(10), || socket.exists()), "the daemon is there");
    let ping = |client: &str| row.sh("left", &format!("ping -n -c 1 -W 1 -I {client} {SERVER}")).good;
    assert!(wait(Duration::from_secs(5), || clients().iter().all(|client| ping(client))));
    let (before, crossed_before) = traffic(&row, &file);
    assert!(crossed_before > 0, "all came to the right worker at once");
    // What is written there teaches the kernel where the flow belongs.
    let bulk = row.sh("left", &format!("head -c 20M /dev/zero | socat -u - TCP6:[{SERVER}]:7004"));
    assert!(bulk.good, "{}", bulk.text);
    let (after, crossed_after) = traffic(&row, &file);
    let came = after.iter().sum::<u64>() - before.iter().sum::<u64>();
    let crossed = crossed_after - crossed_before;
    assert!(
        came > 300 && crossed < came / 20,
        "{crossed} of {came} packets of one connection changed workers"
    );

    // All at once, where most packets cross: nothing is lost between workers, changed, or put in another order.
    let script = script("clients.py");
    let all: Vec<String> = clients()
        .chunks(3)
        .map(|few| format!("python3 {script} {SERVER} 2001:db8:64:: {} &", few.join(" ")))
        .collect();
    let said = row.sh_within("left", 60, &format!("{} wait", all.join(" ")));
    assert_eq!(said.text.split_whitespace().collect::<Vec<_>>(), ["good"; 4], "{}", said.text);
    let log = std::fs::read_to_string(format!("{}.log", file.display())).expect("it has a log");
    assert!(log.contains("by the kernel's own table of flows"), "{log}");
}

#[test]
fn a_stateless_translator_has_workers_that_know_nothing_of_each_other() {
    let mut row = row("ws");
    let sections =
        "[siit]\nprefix = \"2001:db8:64::/96\"\neam = [\"2001:db8::/120 = 198.51.100.0/24\"]\nworkers = 3\n";
    let file = row.file("siit", sections);
    let mut daemon = row.daemon("middle", &["run"], &file);
    let run = format!("python3 {} {SERVER} 2001:db8:64:: {}", script("clients.py"), clients().join(" "));
    let said = row.sh_within("left", 60, &run);
    assert_eq!(said.text.trim(), "good", "{}", daemon.ask(&["counters"]));
    assert_eq!(row.sh("middle", "ls /sys/class/net/nat64/queues | grep -c tx").text.trim(), "3");
    daemon.reload();
    let again = row.sh_within("left", 60, &run);
    assert_eq!(again.text.trim(), "good", "{}", daemon.ask(&["counters"]));
    assert!(daemon.lives() && !daemon.log().contains("WARN"), "{}", daemon.log());
    assert!(daemon.stop());
}
