//! The resolver over real wires, with bind9 and unbound behind it: outages, dead servers, floods.
//!
//! ```text
//!  left (clients 10.9.0.2, .3) ===== middle (sixgate, 10.9.0.1) ===== right (bind9 192.0.2.80, unbound .81, silence .82)
//! ```

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sixgate_e2e::flood::inside;
use sixgate_e2e::plain::{Daemon, Row, wait};

const ZONE: &str = "$TTL 2\n@ SOA ns root 1 3600 600 86400 2\n@ NS ns\nns A 192.0.2.80\nfiles A 10.6.0.80\n\
                    slow 600 A 10.6.0.81\nnews A 10.6.0.82\nlater A 10.6.0.83\n";
const RULE: &str = "[dns64]\n[[dns64.rule]]\nprefix = \"2001:db8:64::/96\"\n";
const MADE: &str = "2001:db8:64::a06:50";

struct World {
    row: Row,
    daemon: Daemon,
}

impl World {
    fn new(test: &str, dns: &str) -> Self {
        let mut row = Row::new(test);
        for (machine, device, addresses) in [
            ("left", "l0", &["10.9.0.2/24", "10.9.0.3/24"][..]),
            ("middle", "m0", &["10.9.0.1/24"]),
            ("middle", "m1", &["192.0.2.1/24"]),
            ("right", "r0", &["192.0.2.80/24", "192.0.2.81/24", "192.0.2.82/24"]),
        ] {
            for address in addresses {
                row.ip(machine, &format!("addr add {address} dev {device}"));
            }
        }
        let folder = row.folder().display().to_string();
        let write =
            |name: &str, text: &str| std::fs::write(format!("{folder}/{name}"), text).expect("a file");
        write("zone", ZONE);
        write(
            "named.conf",
            &format!(
                "options {{ directory \"{folder}\"; pid-file none; session-keyfile none; recursion no; \
                 listen-on {{ 192.0.2.80; }}; listen-on-v6 {{ none; }}; }};\ncontrols {{ }};\n\
                 zone \"corp.example\" {{ type primary; file \"{folder}/zone\"; }};\n"
            ),
        );
        write(
            "unbound.conf",
            &format!(
                "server:\n  interface: 192.0.2.81\n  access-control: 192.0.2.0/24 allow\n  do-daemonize: no\n  \
                 use-syslog: no\n  chroot: \"\"\n  username: \"\"\n  directory: \"{folder}\"\n  pidfile: \"\"\n  \
                 local-zone: \"corp.example.\" static\n  local-data: \"files.corp.example. 2 A 10.6.0.80\"\n  \
                 local-data: \"corp.example. 2 SOA ns.corp.example. root.corp.example. 1 3600 600 86400 2\"\n"
            ),
        );
        row.start("right", &format!("named -g -c {folder}/named.conf"));
        row.start("right", &format!("unbound -d -c {folder}/unbound.conf"));
        // Takes every question and says nothing.
        row.start("right", "socat -u UDP4-RECV:53,bind=192.0.2.82 OPEN:/dev/null");
        let up = |server: &str| {
            row.sh("right", &format!("dig +short +tries=1 +time=1 @{server} files.corp.example A")).text
        };
        for server in ["192.0.2.80", "192.0.2.81"] {
            let good = wait(Duration::from_secs(10), || up(server).trim() == "10.6.0.80");
            assert!(good, "{server}: {}", up(server));
        }
        let text = format!("[dns]\nlisten = [\"10.9.0.1:53\"]\nallow = [\"10.9.0.0/24\"]\n{dns}\n{RULE}");
        let file = row.file("gateway", &text);
        let daemon = row.daemon("middle", &["run"], &file);
        Self { row, daemon }
    }

    /// What dig says, and how long it took.
    fn dig(&self, name: &str, kind: &str) -> (String, Duration) {
        let begin = Instant::now();
        let command = format!("dig +ednsopt=15 +tries=1 +time=6 @10.9.0.1 {name} {kind}");
        (self.row.sh("left", &command).text, begin.elapsed())
    }
}

#[test]
fn an_outage_of_the_upstream_is_bridged_by_what_was_known() {
    let world = World::new("o", "upstream = [\"192.0.2.80\"]\n");
    let (fresh, _) = world.dig("files.corp.example", "AAAA");
    assert!(fresh.contains(MADE) && !fresh.contains("EDE"), "{fresh}");
    let (none, _) = world.dig("none.corp.example", "AAAA");
    assert!(none.contains("NXDOMAIN"), "{none}");
    world.row.ip("right", "link set r0 down");
    thread::sleep(Duration::from_millis(2_500));
    let (stale, took) = world.dig("files.corp.example", "AAAA");
    assert!(stale.contains(MADE) && stale.contains("EDE: 3 ") && stale.contains("\t30\t"), "{stale}");
    // Three tries would take longer, and the asker's patience ends at 5 s.
    assert!(took < Duration::from_millis(3_500), "{took:?}");
    let (gone, _) = world.dig("none.corp.example", "AAAA");
    assert!(gone.contains("NXDOMAIN") && gone.contains("EDE: 19 "), "{gone}");
    let (unknown, _) = world.dig("news.corp.example", "A");
    assert!(unknown.contains("SERVFAIL") && unknown.contains("EDE: 22 "), "{unknown}");
    let (held, took) = world.dig("news.corp.example", "A");
    assert!(held.contains("SERVFAIL") && held.contains("EDE: 13 "), "{held}");
    assert!(took < Duration::from_millis(1_200), "{took:?}");
    // What is asked for the first time is answered as soon as the upstream is back.
    world.row.ip("right", "link set r0 up");
    let back = wait(Duration::from_secs(10), || world.dig("later.corp.example", "A").0.contains("10.6.0.83"));
    assert!(back, "{}", world.dig("later.corp.example", "A").0);
    let status = world.daemon.ask(&["dns64", "status"]);
    assert!(status["questions"]["stale"].as_u64() >= Some(2), "{status}");
    assert!(world.daemon.stop());
}

#[test]
fn a_dead_server_costs_its_time_once_and_the_next_one_answers() {
    let world = World::new("d", "upstream = [\"192.0.2.82\", \"192.0.2.81\"]\n");
    let (first, took) = world.dig("files.corp.example", "AAAA");
    assert!(first.contains(MADE) && took < Duration::from_secs(3), "{took:?} {first}");
    // TTL 2: each of these has to ask again.
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(2_100));
        let (again, _) = world.dig("files.corp.example", "AAAA");
        assert!(again.contains(MADE), "{again}");
    }
    let of = |address: &str, what: &str| {
        let status = world.daemon.ask(&["dns64", "status"]);
        let upstreams = status["upstreams"].as_array().expect("a list");
        upstreams
            .iter()
            .find(|one| one["server"] == address)
            .map(|one| one[what].clone())
            .expect("it is listed")
    };
    assert_eq!((of("192.0.2.82:53", "alive"), of("192.0.2.81:53", "alive")), (false.into(), true.into()));
    let silences = of("192.0.2.82:53", "silences");
    thread::sleep(Duration::from_millis(2_100));
    assert!(world.dig("files.corp.example", "AAAA").0.contains(MADE));
    assert_eq!(of("192.0.2.82:53", "silences"), silences, "a dead server is left alone");
    let explained = world.daemon.ask(&["dns64", "explain", "files.corp.example"]);
    assert!(explained.to_string().contains("from the cache"), "{explained}");
}

/// A question for AAAA, without EDNS.
fn question(id: u16, name: &str) -> Vec<u8> {
    let mut message = vec![0; 12];
    message[..2].copy_from_slice(&id.to_be_bytes());
    (message[2], message[5]) = (1, 1);
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).expect("a short label"));
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, 28, 0, 1]);
    message
}

/// Waits of 400 questions for a known name, one after another, sorted.
fn waits() -> Vec<Duration> {
    let socket = UdpSocket::bind("10.9.0.3:0").expect("an address of this machine");
    socket.connect("10.9.0.1:53").expect("a route");
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a time-out");
    let mut waits: Vec<Duration> = (0..400_u16)
        .map(|id| {
            let begin = Instant::now();
            socket.send(&question(id, "slow.corp.example")).expect("sent");
            let mut buffer = [0; 512];
            let length = socket.recv(&mut buffer).expect("an answer");
            assert!(buffer[..length].ends_with(&[10, 6, 0, 81]), "{:?}", &buffer[..length]);
            let took = begin.elapsed();
            thread::sleep(Duration::from_millis(3));
            took
        })
        .collect();
    waits.sort_unstable();
    waits
}

#[test]
fn a_flood_of_dead_names_from_one_client_leaves_the_others_alone() {
    let world =
        World::new("f", "upstream = [\"192.0.2.80\"]\nforward = { \"dead.example\" = [\"192.0.2.82\"] }\n");
    for _ in 0..3 {
        assert!(world.dig("slow.corp.example", "AAAA").0.contains("2001:db8:64::a06:51"));
    }
    let left = world.row.namespace("left");
    let quiet = inside(&left, waits).join().expect("answers");
    let end = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&end);
    let flood = inside(&left, move || {
        let socket = UdpSocket::bind("10.9.0.2:0").expect("an address of this machine");
        socket.connect("10.9.0.1:53").expect("a route");
        let mut sent = 0_u32;
        while !over.load(Ordering::Relaxed) {
            // Some thousand a second: the machine is not what is tested.
            for _ in 0..20 {
                let _full = socket.send(&question(7, &format!("n{sent}.dead.example")));
                sent += 1;
            }
            thread::sleep(Duration::from_millis(5));
        }
        sent
    });
    thread::sleep(Duration::from_millis(300));
    let loud = inside(&left, waits).join().expect("answers");
    end.store(true, Ordering::Relaxed);
    let sent = flood.join().expect("the flood");
    // The flooder itself gets what is known while its dead names are still waited for.
    thread::sleep(Duration::from_millis(500));
    let own =
        world.row.sh("left", "dig -b 10.9.0.2 +short +tries=1 +time=1 @10.9.0.1 slow.corp.example AAAA");
    let p99 = |waits: &[Duration]| waits[waits.len() * 99 / 100];
    let (quiet, loud) = (p99(&quiet), p99(&loud));
    // Below some milliseconds the machine's other work decides.
    assert!(
        loud <= 2 * quiet.max(Duration::from_millis(5)),
        "{quiet:?} quiet, {loud:?} beside {sent} questions"
    );
    assert_eq!(own.text.trim(), "2001:db8:64::a06:51");
    let counters = world.daemon.ask(&["counters"]);
    assert!(counters["counters"]["dns-overload"].as_u64() > Some(1_000), "{sent} sent: {counters}");
}
