//! Each function alone, from the short files of the manual, between the kernels' own TCP/IP.

use std::time::Duration;

use sixgate_e2e::plain::{Row, wait};

/// An IPv6 side on the left, an IPv4 side on the right, nothing but routes to the middle.
fn nat64_row(test: &str) -> Row {
    let mut row = Row::new(test);
    row.ip("left", "addr add 2001:db8::8/64 dev l0 nodad");
    row.ip("middle", "addr add 2001:db8::1/64 dev m0 nodad");
    row.ip("left", "-6 route add default via 2001:db8::1");
    row.ip("middle", "addr add 192.0.2.1/24 dev m1");
    row.ip("right", "addr add 192.0.2.80/24 dev r0");
    row.ip("right", "route add default via 192.0.2.1");
    row.start("right", "socat -u SYSTEM:'echo hello' TCP4-LISTEN:8080,reuseaddr,fork");
    row.start("right", "socat UDP4-RECVFROM:9000,fork EXEC:cat");
    row.start("left", "socat -u SYSTEM:'echo inside' TCP6-LISTEN:443,reuseaddr,fork");
    let listens =
        |row: &Row| row.sh("right", "ss -ltun | grep -c -e ':8080 ' -e ':9000 '").text.trim() == "2";
    assert!(wait(Duration::from_secs(5), || listens(&row)), "the servers listen");
    row
}

const SERVER: &str = "2001:db8:64::192.0.2.80";

/// Everything of the middle machine that the translator changes.
fn settings(row: &Row) -> String {
    row.sh(
        "middle",
        "ip link; ip route; ip -6 route; nft list ruleset; sysctl -a 2>/dev/null | grep forwarding",
    )
    .text
}

#[test]
fn nat64_alone_carries_echo_tcp_udp_and_errors() {
    let mut row = nat64_row("n");
    let before = settings(&row);
    let file = row.file(
        "nat64",
        "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"198.51.100.0/28\"]\n\
         static = [\"tcp 198.51.100.2:443 = [2001:db8::8]:443\"]\n",
    );
    let daemon = row.daemon("middle", &["run"], &file);

    let ping = row.sh("left", &format!("ping -n -c 2 -i 0.2 -t 64 {SERVER}"));
    // Kernel, translator, kernel: three hops each way.
    assert!(ping.good && ping.text.contains("ttl=61"), "{}", ping.text);
    let tcp = row.sh("left", &format!("socat -T 3 -u TCP6:[{SERVER}]:8080 STDOUT"));
    assert_eq!(tcp.text.trim(), "hello");
    let udp = row.sh("left", &format!("echo datagram | socat -T 1 - UDP6:[{SERVER}]:9000"));
    assert_eq!(udp.text.trim(), "datagram");
    let unreachable = row.sh("left", &format!("echo x | socat -T 2 - UDP6:[{SERVER}]:9"));
    assert!(unreachable.text.contains("Connection refused"), "{}", unreachable.text);
    let inbound = row.sh("right", "socat -T 3 -u TCP4:198.51.100.2:443 STDOUT");
    assert_eq!(inbound.text.trim(), "inside");

    let bib = daemon.ask(&["nat64", "bib"]);
    let bindings = bib["bib"].as_array().expect("a list");
    assert!(bindings.iter().any(|b| b["static"] == true && b["outside"] == "198.51.100.2:443"), "{bib}");
    assert!(bindings.iter().any(|b| b["proto"] == "tcp" && b["static"] == false), "{bib}");
    assert!(daemon.stop());
    assert_eq!(settings(&row), before);
}

#[test]
fn nat64_alone_shares_the_gateways_own_address() {
    let mut row = nat64_row("o");
    let before = settings(&row);
    let file =
        row.file("nat64", "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"192.0.2.1:10000-29999\"]\n");
    row.start("middle", "socat -u SYSTEM:'echo own' TCP4-LISTEN:8022,reuseaddr,fork");
    let daemon = row.daemon("middle", &["run"], &file);
    let ping = row.sh("left", &format!("ping -n -c 1 {SERVER}"));
    assert!(ping.good, "{}", ping.text);
    let tcp = row.sh("left", &format!("socat -T 3 -u TCP6:[{SERVER}]:8080 STDOUT"));
    assert_eq!(tcp.text.trim(), "hello");
    let unreachable = row.sh("left", &format!("echo x | socat -T 2 - UDP6:[{SERVER}]:9"));
    assert!(unreachable.text.contains("Connection refused"), "{}", unreachable.text);
    // The other ports and identifiers are the kernel's, in both directions.
    let own = row.sh("right", "socat -T 3 -u TCP4:192.0.2.1:8022 STDOUT; ping -n -c 1 192.0.2.1");
    assert!(own.good && own.text.contains("own"), "{}", own.text);
    assert!(row.sh("middle", "ping -e 7 -n -c 1 192.0.2.80").good);
    assert!(daemon.stop());
    assert_eq!(settings(&row), before);
}

#[test]
fn nat64_alone_tells_how_large_packets_may_be_from_the_route_s_mtu() {
    let mut row = nat64_row("m");
    for (node, link) in [("middle", "m1"), ("right", "r0")] {
        row.ip(node, &format!("link set {link} mtu 1400"));
    }
    let file = row.file(
        "nat64",
        "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"198.51.100.0/28\"]\n\
         static = [\"udp 198.51.100.2:443 = [2001:db8::8]:443\"]\n",
    );
    let daemon = row.daemon("middle", &["run"], &file);
    let seen = row.folder().join("too-big");
    row.start("left", &format!("tcpdump -n -l -i l0 'icmp6 and ip6[40] == 2' >{} 2>&1", seen.display()));
    let seen = || std::fs::read_to_string(&seen).unwrap_or_default();
    assert!(wait(Duration::from_secs(5), || seen().contains("listening on")), "{}", seen());
    // A packet of 1,500 octets: 40 and 8 are headers.
    let too_big = |row: &Row| row.sh("left", &format!("ping -n -c 1 -W 2 -M do -s 1452 {SERVER}")).text;
    let said = too_big(&row);
    assert!(said.contains("mtu=1420") || said.contains("mtu = 1420"), "{said}");
    let fits = row.sh("left", &format!("ping -n -c 1 -M do -s 1372 {SERVER}"));
    assert!(fits.good, "{}", fits.text);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(seen().matches("packet too big, mtu 1420").count(), 1, "{}", seen());
    assert!(seen().contains("2001:db8::1 > 2001:db8::8"), "from our own address: {}", seen());

    // The other way: what says "don't fragment" is told that the IPv6 header is 20 octets longer.
    row.ip("middle", "link set m0 mtu 1380");
    row.ip("middle", "link set m1 mtu 1500");
    row.ip("right", "link set r0 mtu 1500");
    let needed = |row: &Row| {
        let script = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(0, 10, 2)\n\
                      s.connect((\"198.51.100.2\", 443)); s.send(bytes(1400))";
        row.sh("right", &format!("python3 -c '{script}'; sleep 0.3; ip route get 198.51.100.2")).text
    };
    assert!(wait(Duration::from_secs(3), || needed(&row).contains("mtu 1360")), "{}", needed(&row));
    assert!(daemon.stop());
}

#[test]
fn an_own_address_without_ports_starts_nothing() {
    let row = nat64_row("w");
    let before = settings(&row);
    let file = row.file("nat64", "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"192.0.2.1\"]\n");
    let binary = sixgate_e2e::world::binary();
    let ran = row.sh("middle", &format!("{} run --config {}", binary.display(), file.display()));
    assert!(!ran.good && ran.text.contains("say which ports"), "{}", ran.text);
    assert_eq!(settings(&row), before);
}

#[test]
fn dns64_alone_answers_who_may_ask() {
    let mut row = Row::new("d");
    row.ip("middle", "addr add 2001:db8::53/64 dev m0 nodad");
    row.ip("left", "addr add 2001:db8::8/64 dev l0 nodad");
    row.ip("left", "addr add 2001:db8::9/64 dev l0 nodad");
    let zone = "$TTL 300\n@ SOA ns root 1 3600 600 86400 60\n@ NS ns\nns A 10.6.0.53\nfiles A 10.6.0.30\n\
                both A 10.6.0.31\nboth AAAA 2001:db8:5::31\nnever A 10.6.0.32\nisatap A 10.6.0.1\n";
    let folder = row.folder().to_owned();
    std::fs::write(folder.join("zone"), zone).expect("a zone can be written");
    std::fs::write(
        folder.join("named.conf"),
        format!(
            "options {{ directory \"{0}\"; pid-file none; session-keyfile none; listen-on port 5301 {{ 127.0.0.1; }}; \
             listen-on-v6 {{ none; }}; recursion no; }};\ncontrols {{ }};\n\
             zone \"corp.example\" {{ type primary; file \"{0}/zone\"; }};\n",
            folder.display()
        ),
    )
    .expect("a file can be written");
    row.start("middle", &format!("named -g -c {}/named.conf", folder.display()));
    let file = row.file(
        "dns64",
        "[dns]\nlisten = [\"[2001:db8::53]:53\"]\nupstream = [\"127.0.0.1:5301\"]\nallow = [\"2001:db8::8/128\"]\n\
         block = { zones = [\"corp.example\"], labels = [\"isatap\", \"wpad\"] }\n\
         [dns64]\nexclude-names = [\"never.corp.example\"]\n[[dns64.rule]]\nprefix = \"2001:db8:64::/96\"\n\
         ipv4 = [\"10.0.0.0/8\"]\n",
    );
    let daemon = row.daemon("middle", &["run"], &file);
    let dig = |name: &str, more: &str| {
        row.sh("left", &format!("dig +noall +comments +answer {more} @2001:db8::53 {name} AAAA")).text
    };
    let up =
        wait(Duration::from_secs(10), || dig("files.corp.example", "-b 2001:db8::8").contains("NOERROR"));
    assert!(up, "{}", dig("files.corp.example", "-b 2001:db8::8"));
    assert!(dig("files.corp.example", "-b 2001:db8::8").contains("2001:db8:64::a06:1e"));
    assert!(dig("files.corp.example", "-b 2001:db8::8 +tcp").contains("2001:db8:64::a06:1e"));
    let both = dig("both.corp.example", "-b 2001:db8::8");
    assert!(both.contains("2001:db8:5::31") && !both.contains("2001:db8:64:"), "{both}");
    let never = dig("never.corp.example", "-b 2001:db8::8");
    assert!(never.contains("NOERROR") && never.contains("ANSWER: 0"), "{never}");
    assert!(dig("isatap.corp.example", "-b 2001:db8::8").contains("NXDOMAIN"));
    assert!(dig("nowhere.corp.example", "-b 2001:db8::8").contains("NXDOMAIN"));
    assert!(dig("files.corp.example", "-b 2001:db8::9").contains("REFUSED"));
    assert!(daemon.ask(&["counters"])["counters"]["dns-not-allowed"].as_u64() >= Some(1));
    assert!(daemon.stop());
}

#[test]
fn an_isatap_router_alone_serves_who_is_named() {
    let mut row = Row::new("i");
    row.ip("left", "addr add 10.6.8.20/24 dev l0");
    row.ip("left", "addr add 10.6.8.66/24 dev l0");
    row.ip("middle", "addr add 10.6.8.1/24 dev m0");
    row.ip("middle", "addr add fd00:1::1/64 dev m1 nodad");
    row.ip("right", "addr add fd00:1::7/64 dev r0 nodad");
    row.ip("right", "-6 route add default via fd00:1::1");
    let router = row.file(
        "router",
        "[isatap]\ninterface = \"m0\"\nname = \"da-isatap.corp.example\"\nprefix = \"fd00:2::/64\"\n\
         routes = [{ prefix = \"fd00:1::/64\" }]\n[[isatap.allow]]\nhosts = [\"10.6.8.20\"]\ngroup = \"helpdesk\"\n",
    );
    let router = row.daemon("middle", &["run"], &router);
    let host = row.file("host", "[host]\ninterface = \"l0\"\nrouters = [\"10.6.8.1\"]\n");
    let _host = row.daemon("left", &["host", "run"], &host);
    let addressed = || row.sh("left", "ip -6 addr show dev isatap0").text.contains("fd00:2::5efe:a06:814");
    assert!(wait(Duration::from_secs(5), addressed), "{}", row.sh("left", "ip -6 addr").text);
    let ping = row.sh("left", "ping -n -c 2 -i 0.2 fd00:1::7");
    assert!(ping.good, "{} {}", ping.text, router.ask(&["counters"]));
    // No default route: elsewhere is refused at once, and nothing waits for a time-out.
    let elsewhere = row.sh("left", "ping -n -c 1 -W 5 2001:db8::1");
    assert!(!elsewhere.good && elsewhere.text.contains("unreachable"), "{}", elsewhere.text);
    let hosts = router.ask(&["isatap", "hosts"]);
    assert_eq!(hosts["hosts"][0]["ipv4"], "10.6.8.20");
    assert_eq!(
        (&hosts["hosts"][0]["state"], &hosts["hosts"][0]["rule"]),
        (&"served".into(), &"helpdesk".into())
    );
    assert!(router.stop());
}

#[test]
fn a_router_alone_that_does_not_forward_towards_its_routes_says_where() {
    let mut row = Row::new("f");
    row.ip("middle", "addr add 10.6.8.1/24 dev m0");
    row.ip("middle", "addr add fd00:1::1/64 dev m1 nodad");
    let file = row.file(
        "router",
        "[isatap]\ninterface = \"m0\"\nprefix = \"fd00:2::/64\"\nroutes = [{ prefix = \"fd00:1::/64\" }]\n\
         [[isatap.allow]]\nhosts = [\"10.6.8.20\"]\ngroup = \"helpdesk\"\n",
    );
    let router = row.daemon("middle", &["run"], &file);
    let findings = |row: &Row| {
        let socket = file.with_extension("sock");
        let binary = sixgate_e2e::world::binary();
        let said =
            row.sh("middle", &format!("{} doctor --json --socket {}", binary.display(), socket.display()));
        let document: serde_json::Value =
            serde_json::from_str(&said.text).unwrap_or_else(|e| panic!("{e}: {}", said.text));
        document["findings"].as_array().expect("a list").clone()
    };
    assert_eq!(findings(&row), Vec::<serde_json::Value>::new());
    assert!(row.sh("middle", "sysctl -qw net.ipv6.conf.m1.forwarding=0").good);
    assert_eq!(row.sh("middle", "sysctl -n net.ipv6.conf.all.forwarding").text.trim(), "1");
    let found = findings(&row);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["code"], "SG-ISATAP-006");
    assert!(found[0].to_string().contains("net.ipv6.conf.m1.forwarding"), "{found:#?}");
    // An interface that no route leads to is nobody's business.
    assert!(row.sh("middle", "sysctl -qw net.ipv6.conf.m1.forwarding=1 net.ipv6.conf.m0.forwarding=0").good);
    assert_eq!(findings(&row), Vec::<serde_json::Value>::new());
    assert!(router.stop());
}

#[test]
fn a_router_alone_knows_an_address_that_its_machine_gets_later_for_its_own() {
    let mut row = Row::new("a");
    row.ip("middle", "addr add 10.6.8.1/24 dev m0");
    row.ip("middle", "addr add fd00:1::1/64 dev m1 nodad");
    row.ip("right", "addr add fd00:1::7/64 dev r0 nodad");
    row.ip("right", "-6 route add default via fd00:1::1");
    let file = row.file(
        "router",
        "[isatap]\ninterface = \"m0\"\nprefix = \"fd00:2::/64\"\nroutes = [{ prefix = \"fd00:1::/64\" }]\n\
         [[isatap.allow]]\nhosts = [\"10.6.0.0/16\"]\ngroup = \"helpdesk\"\n\
         [[policy]]\nfrom = \"any\"\nto = \"any\"\n",
    );
    let router = row.daemon("middle", &["run"], &file);
    // RFC 6324, section 3.3: the router must not encapsulate what leads to itself, by whichever of its interfaces.
    let loops = |row: &Row| {
        let _ = row.sh("right", "ping -n -c 1 -W 1 fd00:2::5efe:10.6.99.1");
        router.ask(&["counters"])["counters"]["isatap-loop"].as_u64().unwrap_or(0)
    };
    assert_eq!(loops(&row), 0);
    row.ip("middle", "addr add 10.6.99.1/24 dev m1");
    assert!(wait(Duration::from_secs(5), || loops(&row) > 0), "{}", router.ask(&["counters"]));
    // A reload does not bring back what was known at the start.
    router.reload();
    let before = loops(&row);
    assert!(loops(&row) > before);
    // And it is somebody else's again when it is gone.
    row.ip("middle", "addr del 10.6.99.1/24 dev m1");
    let stays = || {
        let before = loops(&row);
        loops(&row) == before
    };
    assert!(wait(Duration::from_secs(5), stays), "{}", router.ask(&["counters"]));
    assert!(router.stop());
}
