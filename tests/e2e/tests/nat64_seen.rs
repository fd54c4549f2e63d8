//! What a person sees of the translator, held against what it does with real packets.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use sixgate_e2e::plain::{Daemon, Row, wait};
use sixgate_e2e::raw::Wire;

/// An IPv6 side on the left, an IPv4 side on the right whose links carry 1,400 octets, the translator between. Nobody has an
/// address on the sides, so that no kernel answers.
fn row(test: &str) -> Row {
    let row = Row::new(test);
    row.ip("middle", "addr add 2001:db8::1/64 dev m0 nodad");
    row.ip("middle", "addr add 192.0.2.1/24 dev m1");
    for (node, link) in [("middle", "m1"), ("right", "r0")] {
        row.ip(node, &format!("link set {link} mtu 1400"));
    }
    let (left, right) = (row.station("left", "l0"), row.station("right", "r0"));
    let text = |s: [u8; 6]| s.map(|octet| format!("{octet:02x}")).join(":");
    row.ip("middle", &format!("neigh replace 2001:db8::8 lladdr {} dev m0", text(left)));
    row.ip("middle", &format!("neigh replace 192.0.2.80 lladdr {} dev m1", text(right)));
    row
}

const FILE: &str = "[nat64]\nprefix = \"2001:db8:64::/96\"\nfiltering = \"address-dependent\"\n\
     pool = [\"198.51.100.0/30:1000-1999\", \"tcp/198.51.100.9:5000-5009\"]\n\
     static = [\"tcp 198.51.100.2:443 = [2001:db8::8]:443\"]\n";

fn octets(hex: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// A packet without what the kernel's forwarding changes: hop limit, and the checksum of an IPv4 header.
fn settled(mut packet: Vec<u8>) -> Vec<u8> {
    if packet[0] >> 4 == 4 {
        packet[8] = 0;
        packet[10..12].fill(0);
    } else {
        packet[7] = 0;
    }
    packet
}

/// A packet one hop earlier: as it must be on the wire to be `packet` behind the kernel's forwarding.
fn a_hop_before(mut packet: Vec<u8>) -> Vec<u8> {
    if packet[0] >> 4 == 6 {
        packet[7] += 1;
        return packet;
    }
    packet[8] += 1;
    packet[10..12].fill(0);
    let words = packet[..20].chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
    let sum: u32 = words.sum();
    let folded = ((sum & 0xffff) + (sum >> 16)) as u16;
    packet[10..12].copy_from_slice(&(!folded).to_be_bytes());
    packet
}

fn list<'a>(said: &'a Value, key: &str) -> &'a [Value] {
    said[key].as_array().unwrap_or_else(|| panic!("{key} of {said}"))
}

/// Everything that packets change. Times are told to the second: two clocks are read to tell one.
fn tables(daemon: &Daemon) -> String {
    let mut sessions = daemon.ask(&["nat64", "sessions"]);
    for session in sessions["sessions"].as_array_mut().into_iter().flatten() {
        session["expires"] = session["expires"].as_str().expect("a time")[..19].into();
    }
    let rest = [&["nat64", "bib"][..], &["nat64", "pools"], &["counters"]].map(|command| daemon.ask(command));
    format!("{sessions}{rest:?}")
}

#[test]
fn an_explained_packet_becomes_what_was_said_and_asking_changes_nothing() {
    let mut row = row("x");
    let daemon = row.daemon("middle", &["run"], &row.file("nat64", FILE));
    let (left, right) = (Wire::open(&row.namespace("left"), "l0"), Wire::open(&row.namespace("right"), "r0"));
    let (to_left, to_right) = (row.station("middle", "m0"), row.station("middle", "m1"));
    let _ = (left.seen(), right.seen());
    // What is written, how it ends, how many packets leave, how many errors come back.
    let cases = [
        ("tcp [2001:db8::8]:40000 > [2001:db8:64::192.0.2.80]:443 syn tos 0xb9", "translated", "", 1, 0),
        ("tcp [2001:db8::8]:40000 > [2001:db8:64::192.0.2.80]:443 syn", "translated", "", 1, 0),
        ("udp [2001:db8::8]:53 > [2001:db8:64::192.0.2.80]:53 size 1420", "translated", "", 1, 0),
        ("udp [2001:db8::8]:53 > [2001:db8:64::192.0.2.80]:53 size 1500", "dropped", "nat64-too-big", 0, 1),
        ("icmp 2001:db8::8 > 2001:db8:64::192.0.2.80 echo id 7", "translated", "", 1, 0),
        ("proto 132 2001:db8::8 > 2001:db8:64::192.0.2.80", "dropped", "nat64-protocol", 0, 1),
        ("udp [2001:db8::8]:9 > [2001:db8:64::192.0.2.80]:9 frag 7:0+", "translated", "", 1, 0),
        ("tcp [2001:db8::8]:7 > [2001:db8:64::198.51.100.2]:443 syn", "translated", "", 1, 0),
        ("tcp 192.0.2.80:9 > 198.51.100.2:443 syn df", "translated", "", 1, 0),
        ("tcp 192.0.2.80:9 > 198.51.100.2:443 ack size 1400", "translated", "", 2, 0),
        ("udp 192.0.2.80:9 > 198.51.100.1:1500", "dropped", "nat64-no-binding", 0, 1),
        ("tcp 192.0.2.80:9 > 198.51.100.1:1500 syn", "dropped", "nat64-syn-held", 0, 0),
    ];
    for (written, verdict, reason, leave, back) in cases {
        let before = tables(&daemon);
        let said = daemon.ask(&["nat64", "explain", written]);
        assert_eq!(tables(&daemon), before, "{written}");
        assert_eq!(
            (said["verdict"].as_str(), said["reason"].as_str().unwrap_or_default()),
            (Some(verdict), reason)
        );
        assert_eq!((list(&said, "result").len(), list(&said, "errors").len()), (leave, back), "{said}");

        let packet = a_hop_before(octets(said["packet"]["hex"].as_str().expect("octets")));
        let four = packet[0] >> 4 == 4;
        let hairpin = said["hairpin"] == true;
        if four {
            right.send(Some(to_right), &packet)
        } else {
            left.send(Some(to_left), &packet)
        }
        let (there, here) = if four { (&left, &right) } else { (&right, &left) };
        let there = if hairpin { here } else { there };
        let hex = |key: &str| -> Vec<Vec<u8>> {
            list(&said, key).iter().map(|p| settled(octets(p["hex"].as_str().expect("octets")))).collect()
        };
        let came: Vec<_> = there.expect(leave).into_iter().map(settled).collect();
        assert_eq!(came, hex("result"), "{written}: {said}");
        if !hairpin {
            let errors: Vec<_> = here.expect(back).into_iter().map(settled).collect();
            assert_eq!(errors, hex("errors"), "{written}: {said}");
        }
    }
    // A binding and its session were made by the first and used by the second.
    let said = daemon.ask(&["nat64", "explain", cases[1].0]);
    let used = &said["bindings"][0];
    assert_eq!((used["binding"].as_str(), used["session"].as_str()), (Some("used"), Some("used")), "{said}");
    // Who has not been talked to is kept out, and it is said why.
    let outside = used["outside"].as_str().expect("an end").to_owned();
    let stranger = format!("tcp 192.0.2.81:9 > {outside} ack");
    let said = daemon.ask(&["nat64", "explain", &stranger]);
    assert_eq!(said["reason"], "nat64-filtered", "{said}");
    assert!(said["steps"].to_string().contains("the inside has not talked to 192.0.2.81"), "{said}");
    assert!(daemon.stop());
}

#[test]
fn explain_is_read_from_words_hexadecimal_and_standard_input_and_ends_as_commands_do() {
    let mut row = row("y");
    let file = row.file("nat64", FILE);
    let daemon = row.daemon("middle", &["run"], &file);
    let socket = file.with_extension("sock");
    let run = |words: &[&str], input: &str| {
        let mut child = Command::new(sixgate_e2e::world::binary())
            .args(["nat64", "explain"])
            .args(words)
            .arg("--socket")
            .arg(&socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), input.as_bytes())
            .expect("it reads");
        let done = child.wait_with_output().expect("it ends");
        let text = [done.stdout, done.stderr].concat();
        (done.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    let written = "tcp [2001:db8::8]:40000 > [2001:db8:64::192.0.2.80]:443 size 1500";
    let (code, text) = run(&[written], "");
    assert_eq!(code, Some(1), "{text}");
    for line in [
        "  way        IPv6 to IPv4\n",
        "  prefix     2001:db8:64::/96 embeds 192.0.2.80",
        "the way to 192.0.2.80 carries 1400",
        "icmpv6 2001:db8::1 > 2001:db8::8 packet too big mtu 1420",
        "  reason     nat64-too-big   (sixgate explain nat64-too-big)\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let hex =
        daemon.ask(&["nat64", "explain", written])["packet"]["hex"].as_str().expect("octets").to_owned();
    assert_eq!(run(&[&hex], ""), (code, text.clone()));
    assert_eq!(run(&["-"], &hex), (code, text.clone()));
    assert_eq!(run(&["-"], written), (code, text));
    let (code, text) = run(&["udp [2001:db8::8]:1 > [2001:db8:64::192.0.2.80]:53"], "");
    assert!(
        code == Some(0) && text.contains("would be made, a port of the pool (udp 198.51.100.0/30:1000-1999"),
        "{text}"
    );
    let (code, text) = run(&["tcp 1 > 2"], "");
    assert!(code == Some(2) && text.contains("`1` is no address with a port"), "{text}");
    assert!(daemon.stop());
    let (code, _) = run(&[written], "");
    assert_eq!(code, Some(3));
    assert!(wait(Duration::from_secs(1), || !socket.exists()));
}

#[test]
fn tables_are_in_order_filtered_and_a_page_at_a_time() {
    let mut row = row("z");
    let daemon = row.daemon("middle", &["run"], &row.file("nat64", FILE));
    let left = Wire::open(&row.namespace("left"), "l0");
    let station = row.station("middle", "m0");
    let send = |written: &str| {
        let said = daemon.ask(&["nat64", "explain", written]);
        left.send(Some(station), &a_hop_before(octets(said["packet"]["hex"].as_str().expect("octets"))));
    };
    for client in ["8", "9"] {
        for port in [7, 5, 6] {
            send(&format!("udp [2001:db8::{client}]:{port} > [2001:db8:64::192.0.2.80]:53"));
        }
    }
    send("tcp [2001:db8::9]:9 > [2001:db8:64::192.0.2.80]:80");
    let sessions = |words: &[&str]| daemon.ask(&[&["nat64", "sessions"], words].concat());
    assert!(wait(Duration::from_secs(5), || sessions(&[])["total"] == 7), "{}", sessions(&[]));
    let insides = |said: &Value, key: &str| -> Vec<String> {
        list(said, key).iter().map(|s| s["inside"].as_str().expect("an end").to_owned()).collect()
    };
    let udp = ["[2001:db8::8]:5", "[2001:db8::8]:6", "[2001:db8::8]:7", "[2001:db8::9]:5"];
    assert_eq!(insides(&sessions(&["--protocol", "udp", "--limit", "4"]), "sessions"), udp);
    let page = sessions(&["--limit", "2", "--skip", "4"]);
    assert_eq!(
        (insides(&page, "sessions").len(), &page["total"], &page["skipped"]),
        (2, &7.into(), &4.into())
    );
    assert_eq!(insides(&sessions(&["--client", "2001:db8::9"]), "sessions").len(), 4);
    assert_eq!(insides(&sessions(&["--client", "2001:db8::/64"]), "sessions").len(), 7);
    let outside = page["sessions"][0]["outside"].as_str().expect("an end");
    assert_eq!(insides(&sessions(&["--outside", outside, "--protocol", "udp"]), "sessions").len(), 1);
    let bib = daemon.ask(&["nat64", "bib", "--protocol", "tcp"]);
    assert_eq!(insides(&bib, "bib"), ["[2001:db8::8]:443", "[2001:db8::9]:9"]);
    assert_eq!((&bib["bib"][0]["static"], &bib["bib"][1]["sessions"]), (&true.into(), &1.into()));
    let pools = daemon.ask(&["nat64", "pools", "--protocol", "tcp", "--outside", "198.51.100.9:5001"]);
    assert_eq!(list(&pools, "pools").len(), 1, "{pools}");
    assert_eq!((&pools["pools"][0]["total"], &pools["pools"][0]["level"]), (&10.into(), &"normal".into()));
    let address = daemon.ask(&["nat64", "address", "192.0.2.80"]);
    assert_eq!(
        (&address["ipv6"], &address["prefix"]),
        (&"2001:db8:64::c000:250".into(), &"2001:db8:64::/96".into())
    );
    for wrong in [["--client", "nobody"], ["--outside", "1.2.3"]] {
        assert!(sessions(&wrong)["error"].is_object(), "{wrong:?}");
    }
    assert!(daemon.stop());
}

#[test]
fn an_address_and_its_ipv4_address_are_told_from_each_other() {
    let run = |words: &[&str]| {
        let done = Command::new(sixgate_e2e::world::binary()).args(["nat64", "address"]).args(words).output();
        let done = done.expect("the binary runs");
        (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).trim().to_owned())
    };
    for (prefix, v4, v6) in [
        ("64:ff9b::/96", "172.16.1.225", "64:ff9b::ac10:1e1"),
        ("2001:db8::/32", "192.0.2.33", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "192.0.2.33", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "192.0.2.33", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "192.0.2.33", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "192.0.2.33", "2001:db8:122:344:c0:2:2100:0"),
        ("2001:db8:122:344::/96", "192.0.2.33", "2001:db8:122:344::c000:221"),
    ] {
        assert_eq!(run(&[v4, "--prefix", prefix]), (Some(0), v6.to_owned()));
        assert_eq!(run(&[v6, "--prefix", prefix]), (Some(0), v4.to_owned()));
        let (_, json) = run(&[v6, "--prefix", prefix, "--json"]);
        let said: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&said["ipv4"], &said["ipv6"], &said["prefix"]), (&v4.into(), &v6.into(), &prefix.into()));
    }
    let (code, text) = run(&["172.16.1.225"]);
    assert!(code == Some(0) && text.contains("64:ff9b::ac10:1e1"), "{text}");
    assert!(text.contains("no daemon answers: by 64:ff9b::/96"), "{text}");
    let (code, text) = run(&["2001:db8::1"]);
    assert!(code == Some(1) && text.contains("is not in 64:ff9b::/96"), "{text}");
    for wrong in [&["files"][..], &["172.16.1"], &["10.0.0.1", "--prefix", "2001:db8::/33"], &[]] {
        assert_eq!(run(wrong).0, Some(2), "{wrong:?}");
    }
}

/// Sends a packet that is written down, as it is on the wire before the kernel's forwarding.
fn send(row: &Row, wire: &Wire, daemon: &Daemon, written: &str) {
    let said = daemon.ask(&["nat64", "explain", written]);
    let packet = a_hop_before(octets(said["packet"]["hex"].as_str().expect("octets")));
    wire.send(Some(row.station("middle", "m0")), &packet);
}

/// The codes of what `doctor` finds on the machine itself, with all that it says.
fn doctor(row: &Row, file: &std::path::Path) -> (Vec<String>, String) {
    let (binary, socket) = (sixgate_e2e::world::binary(), file.with_extension("sock"));
    let command = format!("{} doctor --json --socket {}", binary.display(), socket.display());
    let text = row.sh("middle", &command).text;
    let said: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let code = |f: &Value| f["code"].as_str().expect("a code").to_owned();
    (list(&said, "findings").iter().map(code).collect(), text)
}

#[test]
fn doctor_names_what_is_wrong_with_the_translator_and_nothing_in_health() {
    let mut row = row("d");
    let file = row.file("nat64", FILE);
    let daemon = row.daemon("middle", &["run"], &file);
    let found = |row: &Row| doctor(row, &file);
    let none = Vec::<String>::new();
    assert_eq!(found(&row).0, none, "{}", found(&row).1);

    row.ip("middle", "-6 route del 2001:db8:64::/96 dev nat64");
    let (codes, text) = found(&row);
    assert_eq!(codes, ["SG-NAT64-003"], "{text}");
    assert!(text.contains("has no route, and must go to nat64"), "{text}");
    row.ip("middle", "-6 route add 2001:db8:64::/96 dev nat64");
    assert_eq!(found(&row).0, none);

    row.ip("middle", "addr add 198.51.100.1/32 dev lo");
    let (codes, text) = found(&row);
    assert_eq!(codes, ["SG-NAT64-004"], "{text}");
    row.ip("middle", "addr del 198.51.100.1/32 dev lo");
    assert_eq!(found(&row).0, none);

    row.ip("middle", "link set nat64 down");
    let (codes, text) = found(&row);
    assert!(
        codes.contains(&"SG-NAT64-003".to_owned()) && text.contains("its device nat64 is down"),
        "{text}"
    );
    assert!(daemon.stop());
}

#[test]
fn doctor_and_metrics_name_a_full_pool_and_a_client_at_its_limit() {
    let mut row = row("f");
    let file = row.file(
        "nat64",
        "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"198.51.100.0:1000-1003\"]\nmax-sessions-per-client = 2\n\
         [metrics]\nlisten = \"127.0.0.1:9464\"\n",
    );
    let daemon = row.daemon("middle", &["run"], &file);
    let left = Wire::open(&row.namespace("left"), "l0");
    let open = |client: u8, port: u16| {
        send(
            &row,
            &left,
            &daemon,
            &format!("udp [2001:db8::{client}]:{port} > [2001:db8:64::192.0.2.80]:53"),
        );
    };
    let total = |n: u64| wait(Duration::from_secs(5), || daemon.ask(&["nat64", "sessions"])["total"] == n);
    open(8, 1);
    assert!(total(1));
    assert_eq!(doctor(&row, &file).0, Vec::<String>::new());
    open(8, 2);
    assert!(total(2));
    let (codes, text) = doctor(&row, &file);
    assert_eq!(codes, ["SG-NAT64-001"], "{text}");
    assert!(text.contains("2001:db8::8 has as many sessions as a client"), "{text}");
    open(9, 1);
    open(9, 2);
    assert!(total(4));
    open(7, 1);
    let metrics = || row.sh("middle", "curl -s --max-time 3 http://127.0.0.1:9464/metrics").text;
    let refused = "sixgate_nat64_refusals_total{reason=\"nat64-pool-exhausted\"} 1\n";
    assert!(wait(Duration::from_secs(5), || metrics().contains(refused)), "{}", metrics());
    let text = metrics();
    for line in [
        "sixgate_nat64_sessions 4\n",
        "sixgate_nat64_bindings 4\n",
        "sixgate_nat64_held_syns 0\n",
        "sixgate_nat64_pool_ports_used{proto=\"udp\",addresses=\"198.51.100.0/32\",ports=\"1000-1003\"} 4\n",
        "sixgate_nat64_pool_alarm{proto=\"udp\",addresses=\"198.51.100.0/32\",ports=\"1000-1003\"} 2\n",
        "sixgate_nat64_pool_alarm{proto=\"tcp\",addresses=\"198.51.100.0/32\",ports=\"1000-1003\"} 0\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let (codes, text) = doctor(&row, &file);
    assert_eq!(codes, ["SG-NAT64-001"], "{text}");
    assert!(text.contains("no ports left") && text.contains("4 of 4 ports in use (full)"), "{text}");
    assert_eq!(daemon.ask(&["nat64", "pools", "--protocol", "udp"])["pools"][0]["level"], "full");
    let said = daemon.ask(&["nat64", "explain", "udp [2001:db8::7]:1 > [2001:db8:64::192.0.2.80]:53"]);
    assert!(
        said["steps"].to_string().contains("no port to make one: udp 198.51.100.0/32:1000-1003 (4 of 4)"),
        "{said}"
    );
    assert!(daemon.stop());
}

#[test]
fn doctor_says_when_the_prefixes_do_not_fit() {
    let mut row = row("p");
    let file = row.file(
        "nat64",
        "[nat64]\nprefix = \"64:ff9b::/96\"\npool = [\"198.51.100.0/30\"]\n\
         [dns]\nlisten = [\"127.0.0.1:5300\"]\nupstream = [\"127.0.0.1:5399\"]\n\
         [dns64]\n[[dns64.rule]]\nprefix = \"2001:db8:64::/96\"\n",
    );
    let daemon = row.daemon("middle", &["run"], &file);
    let left = Wire::open(&row.namespace("left"), "l0");
    let codes = |row: &Row| doctor(row, &file).0;
    let has = |row: &Row, code: &str| codes(row).iter().any(|c| c == code);
    assert!(has(&row, "SG-NAT64-005") && !has(&row, "SG-NAT64-006"), "{:?}", doctor(&row, &file));
    send(&row, &left, &daemon, "tcp [2001:db8::8]:1 > [64:ff9b::10.0.0.1]:80");
    assert!(wait(Duration::from_secs(5), || has(&row, "SG-NAT64-006")), "{:?}", doctor(&row, &file));
    assert!(daemon.stop());
}

#[test]
fn who_had_a_port_is_told_from_the_table_and_from_the_log() {
    let mut row = row("w");
    let log = row.folder().join("ports.log");
    let file = row.file("nat64", &format!("{FILE}port-log = \"{}\"\n", log.display()));
    let daemon = row.daemon("middle", &["run"], &file);
    let left = Wire::open(&row.namespace("left"), "l0");
    send(&row, &left, &daemon, "udp [2001:db8::8]:40000 > [2001:db8:64::192.0.2.80]:53");
    let sessions = || daemon.ask(&["nat64", "sessions"]);
    assert!(wait(Duration::from_secs(5), || sessions()["total"] == 1));
    let outside = sessions()["sessions"][0]["outside"].as_str().expect("an end").to_owned();
    let written = || std::fs::read_to_string(&log).unwrap_or_default();
    assert!(wait(Duration::from_secs(5), || written().contains("2001:db8::8")), "{}", written());

    let now = daemon.ask(&["nat64", "who", &outside]);
    assert_eq!(
        (&now["holders"][0]["by"], &now["holders"][0]["client"]),
        (&"binding".into(), &"2001:db8::8".into())
    );
    let logged = list(&now, "holders").iter().find(|h| h["by"] == "log").expect("the log knows it").clone();
    assert_eq!((&logged["client"], &logged["until"]), (&"2001:db8::8".into(), &Value::Null), "{now}");
    let since = logged["since"].as_str().expect("a time").to_owned();

    let then = daemon.ask(&["nat64", "who", &outside, "--at", &since, "--protocol", "udp"]);
    assert_eq!((list(&then, "holders").len(), &then["holders"][0]["by"]), (1, &"log".into()), "{then}");
    let before = daemon.ask(&["nat64", "who", &outside, "--at", "2020-01-01T00:00:00Z"]);
    assert_eq!(list(&before, "holders").len(), 0);
    assert!(before["remark"].as_str().is_some_and(|r| r.starts_with("the port log begins at")), "{before}");
    let ahead = daemon.ask(&["nat64", "who", &outside, "--at", "2120-01-01T00:00:00Z"]);
    assert!(ahead["error"]["message"].as_str().is_some_and(|m| m.contains("lies ahead")), "{ahead}");
    let fixed = daemon.ask(&["nat64", "who", "198.51.100.2:443", "--protocol", "tcp"]);
    assert_eq!(fixed["holders"][0]["by"], "static", "{fixed}");
    assert!(daemon.stop());

    // Without the daemon the file says the same, and until when.
    let path = log.display().to_string();
    let words = ["nat64", "who", &outside, "--at", &since, "--log", &path, "--json"];
    let done = Command::new(sixgate_e2e::world::binary()).args(words).output().expect("the binary runs");
    let said: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(said["holders"][0]["client"], "2001:db8::8", "{said}");
    assert!(said["holders"][0]["until"].is_string(), "the end released it: {said}");
}
