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
use sixgate_lab::product::{CLIENT_DEVICE, GATEWAY_CONFIG, SERVICE, address, gateway};

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
