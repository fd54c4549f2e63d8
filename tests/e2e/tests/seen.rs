//! What an administrator sees: hosts by name with their flows, who is connected, and both over a restart.
//!
//! ```text
//! files .30 ─┬─ gateway ▮ ── internet ── nat ── laptop-01
//!            router
//! helpdesk-01 ─┴─ bystander-01
//! ```

#![allow(clippy::unwrap_used, reason = "a test ends where its world does not answer")]

use serde_json::Value;
use sixgate_e2e::World;
use sixgate_e2e::plain::Row;
use sixgate_e2e::world::lab_command;
use sixgate_lab::product::{CLIENT_DEVICE, GATEWAY_CONFIG, GATEWAY_FILE, SERVICE, address, gateway};

fn json(world: &World, node: &str, command: &str) -> Value {
    serde_json::from_str(&world.sh(node, &format!("{command} --json"))).unwrap()
}

fn host(world: &World, ipv4: &str) -> Value {
    let hosts = json(world, "gateway", "sixgate isatap hosts");
    let found = hosts["hosts"].as_array().unwrap().iter().find(|host| host["ipv4"] == ipv4).cloned();
    found.unwrap_or_else(|| panic!("{ipv4} is not listed: {hosts}"))
}

/// helpdesk-01 opens so many flows to laptop-01.
fn opens_flows(world: &World, many: usize) {
    let laptop = address(world, "laptop-01", CLIENT_DEVICE).unwrap();
    for _ in 0..many {
        world.sh("helpdesk-01", &format!("ping -6 -n -c 1 -W 3 {laptop}"));
    }
}

#[test]
fn hosts_are_listed_by_name_with_their_flows_and_the_list_outlives_the_gateway() {
    let world = World::up();
    let before = host(&world, "10.6.8.20")["flows_30d"].as_u64().unwrap();
    opens_flows(&world, 3);
    let seen = host(&world, "10.6.8.20");
    assert_eq!(seen["name"], "helpdesk-01.corp.example", "by PTR: {seen}");
    assert_eq!((&seen["state"], &seen["rule"]), (&"served".into(), &"helpdesk".into()));
    assert_eq!(seen["flows_30d"], before + 3);
    assert!(seen["rx_bytes"].as_u64() > Some(0) && seen["last_flow"].is_string(), "{seen}");
    // In order, and by a kill: what was opened up to then is known afterwards.
    world.restart_gateway();
    let after = host(&world, "10.6.8.20");
    for same in ["flows_30d", "first_rs", "last_flow"] {
        assert_eq!(after[same], seen[same], "{same}");
    }
    assert!(after["rx_bytes"].as_u64() >= seen["rx_bytes"].as_u64(), "{after}");
    opens_flows(&world, 1);
    world.until("the ledger is on disk", 10, || host(&world, "10.6.8.20")["flows_30d"] == before + 4);
    world.signal("gateway", SERVICE, "KILL").unwrap();
    world.until("the gateway is gone", 5, || !world.runs("gateway", SERVICE));
    gateway(&world).unwrap();
    assert_eq!(host(&world, "10.6.8.20")["flows_30d"], before + 4);
}

#[test]
fn a_host_that_is_refused_is_listed_with_the_reason_and_how_often_it_asked() {
    let world = World::up();
    world.write("bystander-01", "/tmp/host.toml", "schema = 1\ncontrol = \"/tmp/host.sock\"\nstate = \"/tmp/host\"\n[host]\ninterface = \"eth0\"\nrouters = [\"10.6.0.1\"]\n", false).unwrap();
    world
        .start("bystander-01", "uninvited", &["sixgate", "host", "run", "--config", "/tmp/host.toml"])
        .unwrap();
    world.until("bystander-01 asks twice", 15, || {
        let hosts = json(&world, "gateway", "sixgate isatap hosts");
        let hosts = hosts["hosts"].as_array().unwrap();
        hosts.iter().any(|h| h["ipv4"] == "10.6.8.30" && h["refusals"].as_u64() >= Some(2))
    });
    let refused = host(&world, "10.6.8.30");
    assert_eq!(
        (&refused["name"], &refused["state"], &refused["reason"]),
        (&"bystander-01.corp.example".into(), &"refused".into(), &"isatap-host-not-allowed".into())
    );
    let text = world.sh("gateway", "sixgate isatap hosts");
    assert!(text.contains("bystander-01.corp.example") && text.contains("times"), "{text}");
}

#[test]
fn who_knows_the_round_trip_the_last_packet_and_the_open_flows() {
    let world = World::up();
    world.passes('a');
    opens_flows(&world, 1);
    let who = json(&world, "gateway", "sixgate who laptop-01 --flows");
    let client = &who["clients"][0];
    assert!(client["rtt_us"].as_u64() > Some(0) && client["last"].is_string(), "{client}");
    let flows = who["flows"].as_array().unwrap();
    let own = client["address"].as_str().unwrap();
    let from_client = |flow: &Value| flow["source"].as_str().unwrap().starts_with(&format!("[{own}]"));
    assert!(flows.iter().any(from_client), "inbound: {who}");
    assert!(flows.iter().any(|flow| !from_client(flow) && flow["proto"] == "icmp"), "manage-out: {who}");
    let text = world.sh("gateway", "sixgate who laptop-01 --flows");
    assert!(text.contains("10.6.0.30") && text.contains("5efe:10.6.8.20"), "{text}");
    world.is_quiet();
}

/// `sixgate trace` on the gateway, its exit status and its document.
fn trace(world: &World, from: &str, to: &str, what: &str) -> (i32, Value) {
    let done = world.run("gateway", &["sixgate", "trace", from, to, what, "--json"]).unwrap();
    (done.code, serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}", done.said())))
}

fn says(traced: &Value, words: &str) -> bool {
    traced["steps"].as_array().unwrap().iter().any(|step| step["text"].as_str().unwrap().contains(words))
}

#[test]
fn trace_says_where_a_connection_goes_and_which_line_decides() {
    let world = World::up();
    let (code, works) = trace(&world, "helpdesk-01", "laptop-01", "tcp/22");
    assert_eq!((code, &works["verdict"]), (0, &"passes".into()), "{works}");
    assert!(says(&works, "embedded 10.6.8.20 = outer 10.6.8.20"), "{works}");
    assert!(says(&works, "client laptop-01 is here"), "{works}");
    let rule = works["steps"].as_array().unwrap().iter().find(|step| step["step"] == "policy").unwrap();
    let rules = (1..).zip(GATEWAY_CONFIG.lines()).filter(|(_, line)| *line == "[[policy]]");
    let line: usize = rules.map(|(n, _)| n).last().unwrap();
    assert_eq!(rule["rule"], format!("gateway.toml:{line}"), "{rule}");

    // The rule names other ports: what happens, and the line that would have to change.
    let (code, denied) = trace(&world, "helpdesk-01", "laptop-01", "tcp/3389");
    assert_eq!(
        (code, &denied["verdict"], &denied["reason"]),
        (1, &"refused".into(), &"policy-denied".into())
    );
    assert!(says(&denied, &format!("line {line} of gateway.toml")), "{denied}");
    let laptop = address(&world, "laptop-01", CLIENT_DEVICE).unwrap();
    let tried =
        world.run("helpdesk-01", &["curl", "-sg", "-m", "5", &format!("http://[{laptop}]:3389/")]).unwrap();
    assert_eq!(tried.code, 7, "refused, as it was said");

    let (code, inbound) = trace(&world, "laptop-01", "files.corp.example", "tcp/80");
    assert_eq!((code, &inbound["to"]["ipv4"]), (0, &"10.6.0.30".into()), "{inbound}");
    assert!(says(&inbound, "NAT64 to 10.6.0.30"), "{inbound}");
    assert_eq!(trace(&world, "laptop-01", "laptop-02", "tcp/22").1["reason"], "policy-denied");
    let (code, stranger) = trace(&world, "bystander-01", "laptop-01", "tcp/22");
    assert_eq!((code, &stranger["reason"]), (1, &"isatap-host-not-allowed".into()), "{stranger}");
    let text = world.sh("gateway", "sixgate trace helpdesk-01 laptop-01 tcp/22");
    assert!(text.starts_with(" 1 helpdesk-01") && text.contains(" verdict: passes"), "{text}");
    world.stop("laptop-02", SERVICE).unwrap();
    world.until("laptop-02 is gone", 10, || !world.who().contains(&"laptop-02".to_owned()));
    let (code, gone) = trace(&world, "helpdesk-01", "laptop-02", "tcp/22");
    assert_eq!((code, &gone["reason"]), (1, &"fabric-no-route".into()), "{gone}");
    // Nothing of this was a flow.
    let flows = host(&world, "10.6.8.20");
    assert_eq!(flows["flows_30d"].as_u64(), Some(0), "{flows}");
}

/// Every packet of a pcapng file: its octets behind the word of the address family, and its comment.
fn packets(file: &[u8]) -> Vec<(Vec<u8>, String)> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let half = |at: usize| usize::from(u16::from_le_bytes(file[at..at + 2].try_into().unwrap()));
    let (mut at, mut all) = (0, Vec::new());
    while at < file.len() {
        if word(at) == 6 {
            let (data, length) = (at + 28, word(at + 20));
            let comment = data + length.next_multiple_of(4);
            assert_eq!(half(comment), 1, "a comment comes first");
            let text = &file[comment + 4..comment + 4 + half(comment + 2)];
            all.push((file[data + 4..data + length].to_vec(), String::from_utf8_lossy(text).into_owned()));
        }
        at += word(at + 4);
    }
    all
}

#[test]
fn a_capture_holds_inner_and_outer_packets_each_with_its_verdict() {
    let world = World::up();
    let file = "/tmp/out.pcapng";
    world
        .start(
            "gateway",
            "capture",
            &["sixgate", "capture", "--seconds", "20", "--packets", "6", "--host", "helpdesk-01", "-o", file],
        )
        .unwrap();
    world.until("the file is there", 5, || world.run("gateway", &["test", "-s", file]).unwrap().ok());
    opens_flows(&world, 1);
    let laptop = address(&world, "laptop-01", CLIENT_DEVICE).unwrap();
    // Neither is its own a packet of helpdesk-01, nor is this allowed.
    world.passes('a');
    let denied =
        world.run("helpdesk-01", &["curl", "-sg", "-m", "5", &format!("http://[{laptop}]:3389/")]).unwrap();
    assert_eq!(denied.code, 7);
    world.until("six packets are captured", 10, || !world.runs("gateway", "capture"));
    let said = world.log("gateway", "capture").unwrap();
    assert!(said.contains("6 packets") && !said.contains("too fast"), "{said}");
    assert_eq!(world.sh("gateway", &format!("stat -c %a {file}")).trim(), "600");
    let octets = world.sh("gateway", &format!("od -An -v -tu1 {file}"));
    let octets: Vec<u8> = octets.split_whitespace().map(|n| n.parse().unwrap()).collect();
    let seen = packets(&octets);
    assert_eq!(seen.len(), 6, "{seen:?}");
    let with = |comment: &str| {
        seen.iter().find(|(_, c)| c.contains(comment)).unwrap_or_else(|| panic!("{comment}: {seen:?}"))
    };
    // In from the host: outer IPv4 with protocol 41, in it the inner packet, and the rule that let it through.
    let (request, comment) = with("to client laptop-01");
    assert_eq!((request[0], request[9], &request[12..20]), (0x45, 41, &[10, 6, 8, 20, 10, 6, 0, 1][..]));
    assert_eq!((request[20] >> 4, request[27], request[60]), (6, 64, 128), "as it came, an echo request");
    let rule = GATEWAY_CONFIG.lines().count() - 3;
    assert!(comment.contains(&format!("allowed by rule gateway.toml:{rule}")), "{comment}");
    let (inner, _) = with("sent to client laptop-01");
    assert_eq!((&inner[8..], inner[7]), (&request[28..], 63), "the same, one hop on");
    let (refused, comment) = with("dropped");
    assert!(comment.contains("policy-denied (110)"), "{comment}");
    assert_eq!((refused[9], refused[20 + 6]), (41, 6), "a TCP segment in protocol 41");
    let read = world.sh("gateway", &format!("tcpdump -n -r {file} 2>/dev/null | grep -c 'IP6'"));
    assert_eq!(read.trim(), "6", "tcpdump reads it");
    world.is_quiet();
}

#[test]
fn the_router_answers_a_ping_to_its_link_local_address_while_a_capture_runs() {
    let world = World::up();
    let file = "/tmp/ping.pcapng";
    let laptop = address(&world, "laptop-01", CLIENT_DEVICE).unwrap();
    let device =
        world.sh("helpdesk-01", &format!("ip -6 route get {laptop} | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p'"));
    let ping = ["ping", "-6", "-n", "-c", "1", "-W", "3", &format!("fe80::5efe:a06:1%{}", device.trim())];
    assert!(world.run("helpdesk-01", &ping).unwrap().ok(), "without a capture");
    world.start("gateway", "capture", &["sixgate", "capture", "--seconds", "6", "-o", file]).unwrap();
    world.until("the file is there", 5, || world.run("gateway", &["test", "-s", file]).unwrap().ok());
    let done = world.run("helpdesk-01", &ping).unwrap();
    assert!(world.runs("gateway", "capture"));
    assert!(done.ok(), "with one");
    world.until("the capture is over", 10, || !world.runs("gateway", "capture"));
    let octets = world.sh("gateway", &format!("od -An -v -tu1 {file}"));
    let octets: Vec<u8> = octets.split_whitespace().map(|n| n.parse().unwrap()).collect();
    let seen = packets(&octets);
    // Echo request and reply in protocol 41, each once.
    for kind in [128, 129] {
        let echo =
            |(octets, _): &&(Vec<u8>, String)| octets[9] == 41 && octets[26] == 58 && octets[60] == kind;
        assert_eq!(seen.iter().filter(echo).count(), 1, "{kind}: {seen:?}");
    }
}

#[test]
fn the_lab_sees_with_the_commands_of_its_gateway_and_writes_on_the_machine() {
    let world = World::up();
    let lab = |args: &[&str]| {
        let done = lab_command(world.name(), args);
        (done.status.code(), String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    let (code, said, _) = lab(&["trace", "helpdesk-01", "laptop-01", "tcp/22"]);
    assert!(code == Some(0) && said.contains("verdict: passes"), "{said}");
    let (code, said, _) = lab(&["trace", "helpdesk-01", "laptop-01", "tcp/23", "--json"]);
    let traced: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &traced["reason"]), (Some(1), &Value::from("policy-denied")), "{said}");
    let who: Value = serde_json::from_str(&lab(&["who", "laptop-01", "--json"]).1).unwrap();
    assert_eq!(who["clients"][0]["name"], "laptop-01", "{who}");

    let file = std::env::temp_dir().join(format!("sixgate-seen-{}.pcapng", std::process::id()));
    let path = file.to_str().unwrap();
    world
        .start("helpdesk-01", "ping", &["ping", "-n", "-i", "0.2", "laptop-01.clients.corp.example"])
        .unwrap();
    let capture = ["capture", "--on", "gateway", "--seconds", "10", "--packets", "4", "-o", path, "--json"];
    let (code, said, complaint) = lab(&capture);
    let end: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}{complaint}"));
    assert_eq!((code, &end["packets"], &end["file"]), (Some(0), &Value::from(4), &Value::from(path)));
    assert_eq!(packets(&std::fs::read(&file).unwrap()).len(), 4);
    std::fs::remove_file(&file).unwrap();

    // A host's daemon has no packets to show: no file is left.
    let (code, _, complaint) = lab(&["capture", "--on", "helpdesk-01", "-o", path]);
    assert!(code == Some(1) && complaint.contains("helpdesk-01: "), "{complaint}");
    assert!(!file.exists());
}

#[test]
fn metrics_are_read_over_the_control_socket_and_suggestions_follow_what_hosts_did() {
    let world = World::up();
    opens_flows(&world, 2);
    // Metrics follow the packet plane by seconds; whoever lists the hosts brings them up to date.
    world.until("the ledger has them", 10, || host(&world, "10.6.8.20")["flows_30d"] == 2);
    let metrics =
        || world.sh("gateway", "curl -s --unix-socket /run/sixgate/control.sock http://localhost/metrics");
    let text = metrics();
    let value = |text: &str, series: &str| {
        let line =
            text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{series} is not there: {text}")).parse::<f64>().unwrap()
    };
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, number) = line.rsplit_once(' ').unwrap();
        assert!(series.starts_with("sixgate_") && number.parse::<f64>().is_ok(), "{line}");
    }
    assert_eq!(value(&text, "sixgate_clients_connected"), 2.0);
    assert_eq!(value(&text, "sixgate_isatap_hosts{state=\"served\"}"), 1.0);
    assert_eq!(value(&text, "sixgate_isatap_host_flows_total{host=\"10.6.8.20\"}"), 2.0);
    assert!(!text.contains("laptop"), "no client is named: {text}");
    let laptop = address(&world, "laptop-01", CLIENT_DEVICE).unwrap();
    let denied =
        world.run("helpdesk-01", &["curl", "-sg", "-m", "5", &format!("http://[{laptop}]:3389/")]).unwrap();
    assert_eq!(denied.code, 7);
    assert!(value(&metrics(), "sixgate_drops_total{reason=\"policy-denied\"}") >= 1.0);

    let found = json(&world, "gateway", "sixgate isatap hosts suggest --days 7");
    assert_eq!(
        (&found["need"][0]["ipv4"], &found["need"][0]["flows"]),
        (&"10.6.8.20".into(), &2.into()),
        "{found}"
    );
    assert_eq!(found["need"][0]["name"], "helpdesk-01.corp.example");
    assert_eq!(found["idle"], Value::Array(Vec::new()), "nobody is known for long: {found}");
    assert!(world.sh("gateway", "sixgate isatap suggest").contains("need ISATAP"));
    world.is_quiet();
}

#[test]
fn metrics_are_served_over_tcp_where_the_file_says_so_and_nothing_else_is() {
    let mut row = Row::new("m");
    row.ip("middle", "addr add 192.0.2.1/24 dev m1");
    let file = row.file(
        "nat64",
        "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"192.0.2.2:1-3000\"]\n[metrics]\nlisten = \"127.0.0.1:9464\"\n",
    );
    let daemon = row.daemon("middle", &["run"], &file);
    let page = row.sh("middle", "curl -s -i http://127.0.0.1:9464/metrics");
    assert!(page.good && page.text.contains("text/plain; version=0.0.4"), "{}", page.text);
    assert!(page.text.contains("sixgate_nat64_ports{proto=\"tcp\"} 3000\n"), "{}", page.text);
    for other in ["-s http://127.0.0.1:9464/v1/status", "-s -X POST http://127.0.0.1:9464/metrics"] {
        let said = row.sh("middle", &format!("curl -o /dev/null -w '%{{http_code}}' {other}"));
        assert!(said.text.ends_with("404"), "{other}: {}", said.text);
    }
    assert!(daemon.stop());
}

#[test]
fn a_host_with_ipv6_of_its_own_could_drop_isatap() {
    let world = World::up();
    world.sh(
        "dns",
        "echo 'helpdesk-01 AAAA 2001:db8:6::20' >>/var/lib/bind/corp.zone && sed -i 's/ 1 3600 / 2 3600 /' /var/lib/bind/corp.zone",
    );
    world.signal("dns", "named", "HUP").unwrap();
    world.until("DNS has the address", 5, || {
        world.sh("dns", "dig +short @10.6.0.53 helpdesk-01.corp.example AAAA").contains("2001:db8:6::20")
    });
    let file = format!("{GATEWAY_CONFIG}\n[native]\nprefixes = [\"2001:db8:6::/64\"]\n");
    world.write("gateway", GATEWAY_FILE, &file, false).unwrap();
    world.restart_gateway();
    let found = json(&world, "gateway", "sixgate isatap suggest");
    assert_eq!(
        found["native"],
        serde_json::json!([{"name": "helpdesk-01.corp.example", "ipv4": "10.6.8.20", "address": "2001:db8:6::20", "in_use": false}]),
        "{found}"
    );
}
