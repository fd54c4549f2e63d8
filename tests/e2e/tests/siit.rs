//! The stateless translator alone, between the kernels' own TCP/IP.
//!
//! With `SIXGATE_SIIT_SUBJECT=tayga` the same is asked of tayga; what it cannot do is skipped, with a reason ([`beyond_tayga`]).
//!
//! ```text
//!  node  ─┐ 2001:db8:1::/64     2001:db8:f::/64         192.0.2.0/24        203.0.113.0/24
//!  other ─┴───────────── inner ──────────────── middle ───────────── outer ─────────────── server
//!                        i0 i1                  m0  m1               u0 u1
//! ```

use std::io::Write;
use std::time::Duration;

use sixgate_e2e::plain::{Daemon, Row, wait};
use sixgate_e2e::watched::Watched;

/// What the server is called in IPv6.
const SERVER: &str = "2001:db8:64::203.0.113.80";
/// What the nodes are called in IPv4.
const NODE: &str = "198.51.100.8";
const OTHER: &str = "2001:db8:64::198.51.100.9";

const FILE: &str = "[siit]\nprefix = \"2001:db8:64::/96\"\neam = [\"2001:db8:1::/120 = 198.51.100.0/24\"]\n\
                    source4 = \"192.0.2.64/26\"\n";

/// IPv6 with two nodes and a router that has no IPv4 address, IPv4 with a router and a server.
fn world(test: &str) -> Row {
    let row = Row::of(test, &["node", "other", "switch", "inner", "middle", "outer", "server"]);
    for (machine, device) in [("node", "n0"), ("other", "o0"), ("inner", "i0")] {
        row.plug(machine, device, "switch");
    }
    row.cable("inner", "i1", "middle", "m0");
    row.cable("middle", "m1", "outer", "u0");
    row.cable("outer", "u1", "server", "s0");
    for (machine, device, address) in [
        ("node", "n0", "2001:db8:1::8/64"),
        ("other", "o0", "2001:db8:1::9/64"),
        ("inner", "i0", "2001:db8:1::ffff:1/64"),
        ("inner", "i1", "2001:db8:f::2/64"),
        ("middle", "m0", "2001:db8:f::1/64"),
    ] {
        row.ip(machine, &format!("addr add {address} dev {device} nodad"));
    }
    for (machine, device, address) in [
        ("middle", "m1", "192.0.2.1/24"),
        ("outer", "u0", "192.0.2.2/24"),
        ("outer", "u1", "203.0.113.1/24"),
        ("server", "s0", "203.0.113.80/24"),
    ] {
        row.ip(machine, &format!("addr add {address} dev {device}"));
    }
    for (machine, route) in [
        ("node", "-6 route add default via 2001:db8:1::ffff:1"),
        ("other", "-6 route add default via 2001:db8:1::ffff:1"),
        ("inner", "-6 route add default via 2001:db8:f::1"),
        ("middle", "-6 route add 2001:db8:1::/64 via 2001:db8:f::2"),
        ("middle", "route add default via 192.0.2.2"),
        ("outer", "route add 198.51.100.0/24 via 192.0.2.1"),
        ("server", "route add default via 203.0.113.1"),
    ] {
        row.ip(machine, route);
    }
    for machine in ["inner", "outer"] {
        let forwards = row.sh(
            machine,
            "sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1 \
                             net.ipv6.icmp.ratelimit=0 net.ipv4.icmp_ratelimit=0",
        );
        assert!(forwards.good, "{}", forwards.text);
    }
    // Links and neighbours take their time, and no test is about that.
    for (machine, to) in [("node", "2001:db8:f::1"), ("other", "2001:db8:f::1"), ("server", "192.0.2.1")] {
        let there = || row.sh(machine, &format!("ping -n -c 1 -W 1 {to}")).good;
        assert!(wait(Duration::from_secs(10), there), "{machine} reaches {to}");
    }
    row
}

/// Everything of the middle machine that the translator changes.
fn settings(row: &Row) -> String {
    let all = "ip link; ip route; ip -6 route; nft list ruleset; sysctl -a 2>/dev/null | grep forwarding";
    row.sh("middle", all).text
}

/// A server of each kind on a machine: 8080 says hello, 9000 gives back a datagram.
fn serve(row: &mut Row, machine: &str, version: u8) {
    let family = if version == 4 { "AF_INET" } else { "AF_INET6" };
    row.start(machine, &format!("socat -u SYSTEM:'echo hello' TCP{version}-LISTEN:8080,reuseaddr,fork"));
    let echo = format!(
        "import socket; s = socket.socket(socket.{family}, socket.SOCK_DGRAM); s.bind((\"\", 9000))\n\
         while True: d, a = s.recvfrom(65535); s.sendto(d, a)"
    );
    row.start(machine, &format!("python3 -c '{echo}'"));
    let listens = || row.sh(machine, "ss -ltun | grep -c -e ':8080 ' -e ':9000 '").text.trim() == "2";
    assert!(wait(Duration::from_secs(5), listens), "the servers listen");
}

/// Sends a datagram of so many octets and gives how many came back unharmed.
fn echo(row: &Row, machine: &str, version: u8, to: &str, octets: usize) -> String {
    let family = if version == 4 { "AF_INET" } else { "AF_INET6" };
    let script = format!(
        "import socket; s = socket.socket(socket.{family}, socket.SOCK_DGRAM); s.settimeout(3)\n\
         d = bytes(i * 7 & 255 for i in range({octets})); s.connect((\"{to}\", 9000)); s.send(d)\n\
         r = s.recv(65535); print(len(r) if r == d else \"harmed\")"
    );
    row.sh(machine, &format!("python3 -c '{script}'")).text.trim().to_owned()
}

fn hello(row: &Row, machine: &str, version: u8, to: &str) -> String {
    let to = if version == 6 { format!("[{to}]") } else { to.to_owned() };
    row.sh(machine, &format!("socat -T 3 -u TCP{version}:{to}:8080 STDOUT")).text.trim().to_owned()
}

/// True for the peer.
fn is_tayga() -> bool {
    std::env::var("SIXGATE_SIIT_SUBJECT").is_ok_and(|subject| subject == "tayga")
}

/// True where the subject is tayga and the test is about what it does not do, which is said.
fn beyond_tayga(why: &str) -> bool {
    if is_tayga() {
        // Nobody reads it: nothing is lost.
        let _ = writeln!(std::io::stderr(), "skipped for tayga: {why}");
    }
    is_tayga()
}

/// Who translates.
enum Subject {
    Sixgate(Daemon),
    /// It ends with the row.
    Tayga,
}

impl Subject {
    fn daemon(&self) -> &Daemon {
        match self {
            Self::Sixgate(daemon) => daemon,
            Self::Tayga => panic!("a test of what only sixgate has"),
        }
    }

    /// Nothing in the log that a person would have to look at.
    fn quiet(&self) {
        if let Self::Sixgate(daemon) = self {
            let log = daemon.log();
            assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
        }
    }

    /// Counted at least so often, where there is a count.
    fn counted(&self, reason: &str, least: u64) {
        if let Self::Sixgate(daemon) = self {
            let counters = daemon.counters();
            assert!(counters.get(reason).is_some_and(|n| *n >= least), "{reason}: {counters:?}");
        }
    }

    fn stop(self) -> bool {
        match self {
            Self::Sixgate(daemon) => daemon.stop(),
            Self::Tayga => true,
        }
    }
}

fn start(row: &mut Row) -> Subject {
    if is_tayga() {
        return tayga(row);
    }
    let file = row.file("siit", FILE);
    Subject::Sixgate(row.daemon("middle", &["run"], &file))
}

/// Its device has the name of ours, and the routes that ours would have.
fn tayga(row: &mut Row) -> Subject {
    let file = row.folder().join("tayga.conf");
    // An address of its own in both families is a must; equal suffixes are all that it maps.
    let text = "tun-device nat64\nipv4-addr 192.0.2.65\nipv6-addr 2001:db8:f::65\nprefix 2001:db8:64::/96\n\
                map 198.51.100.0/24 2001:db8:1::/120\n";
    std::fs::write(&file, text).expect("a file can be written");
    row.start("middle", &format!("tayga -n -c {}", file.display()));
    let there = || row.sh("middle", "ip link set nat64 up").good;
    assert!(wait(Duration::from_secs(5), there), "tayga makes its device");
    for route in ["route add 198.51.100.0/24 dev nat64", "route add 192.0.2.65/32 dev nat64"] {
        row.ip("middle", route);
    }
    for route in ["2001:db8:64::/96", "2001:db8:f::65/128"] {
        row.ip("middle", &format!("-6 route add {route} dev nat64"));
    }
    let forwards = "sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1";
    assert!(row.sh("middle", forwards).good);
    Subject::Tayga
}

#[test]
fn both_sides_open_whatever_they_like() {
    let mut row = world("a");
    let before = settings(&row);
    serve(&mut row, "server", 4);
    serve(&mut row, "node", 6);
    let daemon = start(&mut row);
    let routes = row.sh("middle", "ip route show dev nat64; ip -6 route show dev nat64").text;
    assert!(routes.contains("198.51.100.0/24") && routes.contains("2001:db8:64::/96"), "{routes}");
    assert!(!routes.contains("2001:db8:1::/120"), "the nodes are behind a route of the kernel's: {routes}");

    let out = row.sh("node", &format!("ping -n -c 2 -i 0.2 -t 64 {SERVER}"));
    // Router, kernel, translator, kernel, router: five hops each way.
    assert!(out.good && out.text.contains("ttl=59"), "{}", out.text);
    let back = row.sh("server", &format!("ping -n -c 2 -i 0.2 -t 64 {NODE}"));
    assert!(back.good && back.text.contains("ttl=59"), "{}", back.text);
    assert_eq!(hello(&row, "node", 6, SERVER), "hello");
    assert_eq!(hello(&row, "server", 4, NODE), "hello");
    assert_eq!(echo(&row, "node", 6, SERVER, 100), "100");
    assert_eq!(echo(&row, "server", 4, NODE, 100), "100");
    let refused = row.sh("node", &format!("echo x | socat -T 2 - UDP6:[{SERVER}]:9"));
    assert!(refused.text.contains("Connection refused"), "{}", refused.text);
    let refused = row.sh("server", &format!("echo x | socat -T 2 - UDP4:{NODE}:9"));
    assert!(refused.text.contains("Connection refused"), "{}", refused.text);

    if is_tayga() {
        return;
    }
    let status = row.sh(
        "middle",
        &format!(
            "{} status --socket {}",
            sixgate_e2e::world::binary().display(),
            row.folder().join("siit.sock").display()
        ),
    );
    assert!(status.text.contains("siit") && status.text.contains("1 mapping"), "{}", status.text);
    daemon.quiet();
    assert!(daemon.stop());
    assert_eq!(settings(&row), before);
}

#[test]
fn a_protocol_that_nobody_knows_crosses_both_ways() {
    let mut row = world("p");
    let daemon = start(&mut row);
    // 253 is for experiments (RFC 3692), 132 is SCTP.
    for number in [132, 253] {
        for (from, from_family, to, to_family, address, sender) in [
            ("node", "AF_INET6", "server", "AF_INET", SERVER, "198.51.100.8"),
            ("server", "AF_INET", "node", "AF_INET6", NODE, "2001:db8:64::cb00:7150"),
        ] {
            let got = row.folder().join(format!("got-{number}-{from}"));
            // A raw socket of IPv4 gives the header too.
            let skip = if to_family == "AF_INET" { 20 } else { 0 };
            let hear = format!(
                "import socket; s = socket.socket(socket.{to_family}, socket.SOCK_RAW, {number})\n\
                 print(\"open\", flush=True); d, a = s.recvfrom(9000); print(a[0], d[{skip}:].decode(), flush=True)"
            );
            row.start(to, &format!("python3 -c '{hear}' >{}", got.display()));
            let heard = || std::fs::read_to_string(&got).unwrap_or_default();
            assert!(wait(Duration::from_secs(10), || heard().contains("open")), "{}", heard());
            let say = format!(
                "import socket; s = socket.socket(socket.{from_family}, socket.SOCK_RAW, {number})\n\
                 s.sendto(b\"whatever it is\", (\"{address}\", 0))"
            );
            let expected = format!("{sender} whatever it is");
            let comes = || {
                assert!(row.sh(from, &format!("python3 -c '{say}'")).good);
                wait(Duration::from_secs(1), || heard().contains(&expected))
            };
            assert!(wait(Duration::from_secs(10), comes), "{number}: {}", heard());
        }
    }
    daemon.quiet();
    assert!(daemon.stop());
}

#[test]
fn datagrams_larger_than_every_link_cross_in_fragments() {
    let mut row = world("f");
    serve(&mut row, "server", 4);
    serve(&mut row, "node", 6);
    let daemon = start(&mut row);
    for octets in [1500, 4000, 20_000, 60_000] {
        assert_eq!(echo(&row, "node", 6, SERVER, octets), octets.to_string());
        assert_eq!(echo(&row, "server", 4, NODE, octets), octets.to_string());
    }
    // Fragments of ICMP messages do not cross (RFC 7915, section 1.2), and that is counted.
    assert!(!row.sh("node", &format!("ping -n -c 1 -W 1 -s 3000 {SERVER}")).good);
    daemon.counted("siit-icmp-fragment", 2);
    daemon.quiet();
    assert!(daemon.stop());
}

/// Two megabytes over one connection; true when they arrive as they were sent.
fn bulk(row: &mut Row, from: &str, to: &str, version: u8, address: &str) -> bool {
    let folder = row.folder().to_owned();
    let sent = folder.join("sent");
    let got = folder.join(format!("got-{to}"));
    let data: Vec<u8> = (0..2_000_000_u32).map(|n| ((n * 31) >> 5) as u8).collect();
    std::fs::write(&sent, &data).expect("a file can be written");
    let _ = std::fs::remove_file(&got);
    let listen = if version == 6 { 4 } else { 6 };
    row.start(to, &format!("socat -u TCP{listen}-LISTEN:8443,reuseaddr CREATE:{}", got.display()));
    assert!(wait(Duration::from_secs(5), || row.sh(to, "ss -ltn | grep ':8443 '").good));
    let address = if version == 6 { format!("[{address}]") } else { address.to_owned() };
    let done = row.sh(from, &format!("socat -u OPEN:{} TCP{version}:{address}:8443", sent.display()));
    done.good && wait(Duration::from_secs(10), || std::fs::read(&got).is_ok_and(|g| g == data))
}

#[test]
fn path_mtu_discovery_works_both_ways_whoever_tells() {
    let mut row = world("m");
    let daemon = start(&mut row);
    // Beyond a router of each family.
    row.ip("outer", "route add 203.0.113.80/32 dev u1 mtu lock 1400");
    row.ip("inner", "-6 route add 2001:db8:1::8/128 dev i0 mtu lock 1400");
    assert!(bulk(&mut row, "node", "server", 6, SERVER));
    let learnt = row.sh("node", &format!("ip -6 route get {SERVER}")).text;
    assert!(learnt.contains("mtu 1420"), "{learnt}");
    assert!(bulk(&mut row, "server", "node", 4, NODE));
    let learnt = row.sh("server", &format!("ip route get {NODE}")).text;
    assert!(learnt.contains("mtu 1380"), "{learnt}");

    // At the translator itself, which tells from its own addresses.
    row.ip("outer", "route del 203.0.113.80/32");
    row.ip("inner", "-6 route del 2001:db8:1::8/128");
    for (machine, device) in [("middle", "m1"), ("outer", "u0")] {
        row.ip(machine, &format!("link set {device} mtu 1380"));
    }
    for (machine, device) in [("middle", "m0"), ("inner", "i1")] {
        row.ip(machine, &format!("link set {device} mtu 1360"));
    }
    let forget = "ip route flush cache; ip -6 route flush cache";
    assert!(row.sh("node", forget).good && row.sh("server", forget).good);
    std::thread::sleep(Duration::from_millis(500));
    // The server hears of both; then what the node has learnt is in what it offers.
    assert!(bulk(&mut row, "server", "node", 4, NODE));
    let learnt = row.sh("server", &format!("ip route get {NODE}")).text;
    assert!(learnt.contains("mtu 1340"), "{learnt}");
    assert!(bulk(&mut row, "node", "server", 6, SERVER));
    daemon.quiet();
    assert!(daemon.stop());
}

#[test]
fn too_big_for_the_ipv4_link_comes_from_our_own_address() {
    if beyond_tayga("the kernel tells, from an address that is translated") {
        return;
    }
    let mut row = world("o");
    for (machine, device) in [("middle", "m1"), ("outer", "u0")] {
        row.ip(machine, &format!("link set {device} mtu 1380"));
    }
    let daemon = start(&mut row);
    let mut said = String::new();
    let learnt = wait(Duration::from_secs(5), || {
        said.push_str(&row.sh("node", &format!("ping -n -c 1 -W 1 -M do -s 1452 {SERVER}")).text);
        row.sh("node", &format!("ip -6 route get {SERVER}")).text.contains("mtu 1400")
    });
    assert!(learnt && said.contains("From 2001:db8:f::1"), "{said}");
    daemon.counted("nat64-too-big", 1);
    assert!(daemon.stop());
}

#[test]
fn a_trace_shows_routers_by_addresses_of_the_other_family() {
    if beyond_tayga("one address of its own stands for every router") {
        return;
    }
    let mut row = world("t");
    let daemon = start(&mut row);
    let hop =
        |machine: &str, to: &str, n: u8| row.sh(machine, &format!("ping -n -c 1 -W 2 -t {n} {to}")).text;
    // From IPv6: router, kernel, translator, kernel, router.
    assert!(hop("node", SERVER, 3).contains("From 2001:db8:f::1"), "{}", hop("node", SERVER, 3));
    assert!(hop("node", SERVER, 5).contains("From 2001:db8:64::c000:202"), "{}", hop("node", SERVER, 5));
    assert!(hop("server", NODE, 3).contains("From 192.0.2.1 "), "{}", hop("server", NODE, 3));
    // The IPv6 router has no IPv4 address: one of `source4` stands for it, always the same (RFC 6791).
    let from = |text: &str| {
        let rest = text.split("From ").nth(1)?;
        rest.split_whitespace().next().map(str::to_owned)
    };
    let first = from(&hop("server", NODE, 5)).expect("somebody tells");
    let last: u8 = first.rsplit('.').next().and_then(|n| n.parse().ok()).expect("an IPv4 address");
    assert!(first.starts_with("192.0.2.") && (64..128).contains(&last), "{first}");
    assert_eq!(from(&hop("server", NODE, 5)).as_ref(), Some(&first));
    daemon.quiet();
    assert!(daemon.stop());
}

#[test]
fn two_mapped_nodes_meet_by_their_ipv4_addresses() {
    if beyond_tayga("it has no hairpinning (RFC 7757, section 4)") {
        return;
    }
    let mut row = world("h");
    serve(&mut row, "other", 6);
    let daemon = start(&mut row);
    let ping = row.sh("node", &format!("ping -n -c 2 -i 0.2 -t 64 {OTHER}"));
    // Router, kernel, translator twice, kernel, router.
    assert!(ping.good && ping.text.contains("ttl=58"), "{}", ping.text);
    assert_eq!(hello(&row, "node", 6, OTHER), "hello");
    for octets in [100, 4000] {
        assert_eq!(echo(&row, "node", 6, OTHER, octets), octets.to_string());
    }
    let refused = row.sh("node", &format!("echo x | socat -T 2 - UDP6:[{OTHER}]:9"));
    assert!(refused.text.contains("Connection refused"), "{}", refused.text);
    daemon.quiet();
    assert!(daemon.stop());
}

#[test]
fn a_reload_changes_mappings_and_the_routes_that_lead_to_them() {
    if beyond_tayga("it reads its file once") {
        return;
    }
    let mut row = world("r");
    let before = settings(&row);
    let daemon = start(&mut row);
    row.ip("outer", "route add 198.18.0.0/24 via 192.0.2.1");
    let reaches = |row: &Row, to: &str| row.sh("server", &format!("ping -n -c 1 -W 1 {to}")).good;
    assert!(reaches(&row, NODE));
    assert!(!reaches(&row, "198.18.0.8"));
    let _ = row.file("siit", &FILE.replace("198.51.100.0/24", "198.18.0.0/24"));
    daemon.daemon().reload();
    assert!(!reaches(&row, NODE) && reaches(&row, "198.18.0.8"));
    let routes = row.sh("middle", "ip route show dev nat64").text;
    assert!(routes.contains("198.18.0.0/24") && !routes.contains("198.51.100.0/24"), "{routes}");
    daemon.quiet();
    // A file that is not valid in full changes nothing.
    let _ = row.file("siit", &FILE.replace("198.51.100.0/24", "198.51.100.1/24"));
    daemon.daemon().hang_up();
    assert!(
        wait(Duration::from_secs(5), || daemon.daemon().log().contains("nothing changed")),
        "{}",
        daemon.daemon().log()
    );
    assert!(reaches(&row, "198.18.0.8"));
    assert!(daemon.stop());
    assert_eq!(settings(&row), before);
}

#[test]
fn after_a_kill_a_start_and_a_stop_nothing_is_left() {
    if beyond_tayga("routes and forwarding are somebody else's work") {
        return;
    }
    let mut row = world("k");
    let before = settings(&row);
    let Subject::Sixgate(mut daemon) = start(&mut row) else { return };
    daemon.kill();
    drop(daemon);
    assert!(!row.sh("middle", "ip link show nat64").good, "the device goes with its process");
    let daemon = start(&mut row);
    assert!(row.sh("server", &format!("ping -n -c 1 {NODE}")).good);
    daemon.quiet();
    assert!(daemon.stop());
    assert_eq!(settings(&row), before);
}

/// The other way round: the nodes that have mappings are IPv4 machines, and IPv6 reaches them.
#[test]
fn mapped_nodes_may_be_on_the_ipv4_side() {
    if beyond_tayga("which half of a mapping leads to it is somebody else's work") {
        return;
    }
    let mut row = world("v");
    serve(&mut row, "server", 4);
    row.ip("middle", "route add 203.0.113.0/24 via 192.0.2.2");
    let sections =
        "[siit]\neam = [\"2001:db8:2::/120 = 203.0.113.0/24\", \"2001:db8:1::/120 = 198.51.100.0/24\"]\n";
    let file = row.file("siit", sections);
    let daemon = Subject::Sixgate(row.daemon("middle", &["run"], &file));
    let routes = row.sh("middle", "ip route show dev nat64; ip -6 route show dev nat64").text;
    assert!(routes.contains("2001:db8:2::/120") && !routes.contains("203.0.113.0/24"), "{routes}");
    assert_eq!(hello(&row, "node", 6, "2001:db8:2::50"), "hello");
    let seen = row.sh("server", "ping -n -c 1 198.51.100.8");
    assert!(seen.good, "{}", seen.text);
    // Nobody else is translated, and is told so.
    row.ip("node", "addr add 2001:db8:1::7777/64 dev n0 nodad");
    let said = row.sh("node", "ping -n -c 1 -W 2 -I 2001:db8:1::7777 2001:db8:2::50").text;
    assert!(said.contains("From 2001:db8:f::1"), "{said}");
    daemon.counted("siit-source-unmapped", 1);
    daemon.quiet();
    assert!(daemon.stop());
}
