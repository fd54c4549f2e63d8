//! The demo's steps fail when they should, for the right reason, and pass again when the cause is gone.

#![allow(clippy::unwrap_used, reason = "a test ends where its world does not answer")]

use sixgate_e2e::{Counters, World};
use sixgate_lab::product;
use sixgate_lab::product::{KEY_FILE, SERVICE};

/// The gateway's file without the rule that lets `from` in.
fn without_rule(config: &str, from: &str) -> String {
    let rules: Vec<&str> = config.split("[[policy]]").collect();
    let kept = rules
        .into_iter()
        .filter(|rule| !rule.lines().any(|line| line.starts_with("from") && line.contains(from)));
    kept.collect::<Vec<_>>().join("[[policy]]")
}

#[test]
fn without_a_gateway_nothing_goes_in_or_out() {
    let world = World::up();
    world.stop("gateway", SERVICE).unwrap();
    let inbound = world.fails('a');
    assert!(inbound.contains("files.corp.example"), "{inbound}");
    let outbound = world.fails('b');
    assert!(outbound.contains("laptop-01"), "{outbound}");
    let back = world.fails('c');
    assert!(back.contains("helpdesk-01") || back.contains("5efe"), "{back}");
    let seen = world.fails('e');
    assert!(seen.contains("ended with 3"), "not reachable is exit status 3: {seen}");
}

#[test]
fn without_a_rule_for_clients_the_server_is_refused_and_manage_out_goes_on() {
    let world = World::up();
    world.gateway_with(|config| without_rule(config, "clients"));
    let counters = Counters::of(&world, "gateway");
    let why = world.fails('a');
    assert!(why.contains("ended with 7"), "refused at once, not timed out: {why}");
    counters.rose("policy-denied");
    world.passes('b');
}

#[test]
fn without_a_rule_for_the_helpdesk_manage_out_is_refused_and_inbound_goes_on() {
    let world = World::up();
    world.gateway_with(|config| without_rule(config, "helpdesk"));
    let counters = Counters::of(&world, "gateway");
    let why = world.fails('b');
    assert!(why.contains("ended with 7"), "refused at once, not timed out: {why}");
    counters.rose("policy-denied");
    world.passes('a');
}

#[test]
fn a_host_that_is_not_allowed_gets_no_address_and_the_gateway_says_so() {
    let world = World::up();
    world.stop("helpdesk-01", SERVICE).unwrap();
    world.gateway_with(|config| config.replace("10.6.8.20", "10.6.8.99"));
    let counters = Counters::of(&world, "gateway");
    let why = product::host(&world).unwrap_err().to_string();
    assert!(why.contains("no address"), "{why}");
    counters.rose("isatap-host-not-allowed");
    let outbound = world.fails('b');
    let back = world.fails('c');
    assert!(outbound.contains("ended with 7"), "there is no way, which is known at once: {outbound}");
    assert!(back.contains("helpdesk-01 has no address"), "{back}");
    let hosts = world.sh("gateway", "sixgate isatap hosts --json");
    let document: serde_json::Value = serde_json::from_str(&hosts).unwrap();
    let host = document["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|host| host["ipv4"] == "10.6.8.20")
        .expect("it is listed");
    assert_eq!(host["state"], "refused");
    assert_eq!(host["reason"], "isatap-host-not-allowed");
    world.passes('a');
}

#[test]
fn with_a_wrong_dns_key_the_client_has_no_name_and_the_gateway_says_why() {
    let world = World::up();
    let wrong = world.sh("dns", "tsig-keygen -a hmac-sha256 sixgate-update");
    world.write("gateway", KEY_FILE, &wrong, true).unwrap();
    // The record of before must go, or the step would still find it.
    world.sh(
        "dns",
        "{ sed -n '/^key/,/};/p' /etc/bind/named.conf >/tmp/key\n\
           printf 'server 127.0.0.1\\nzone clients.corp.example\\nupdate delete laptop-01.clients.corp.example\\nsend\\n' \
         | nsupdate -k /tmp/key; }",
    );
    world.restart_gateway();
    let why = world.fails('b');
    assert!(why.contains("in DNS"), "{why}");
    let total: serde_json::Value =
        serde_json::from_str(&world.sh("gateway", "sixgate counters --json")).unwrap();
    assert!(total["counters"]["dns-update-key"].as_u64() > Some(0), "{total}");
    assert!(world.logged("dns-update-key") > 0, "the log has the reason");
    world.passes('a');
}

#[test]
fn without_our_icmpv6_errors_the_web_is_slow() {
    let world = World::up();
    world.sh(
        "helpdesk-01",
        "nft add table ip6 deaf\n\
         nft 'add chain ip6 deaf in { type filter hook input priority 0; }'\n\
         nft add rule ip6 deaf in icmpv6 type destination-unreachable drop",
    );
    let why = world.fails('d');
    assert!(why.contains("longer with ISATAP"), "{why}");
}

#[test]
fn a_step_fails_when_a_wire_carries_what_it_must_not() {
    let world = World::up();
    // A kernel that speaks IPv6 on the intranet while the step runs.
    world.sh("router", "sysctl -qw net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.eth0.disable_ipv6=0");
    world.start("router", "noise", &["ping", "-6", "-q", "-i", "0.002", "-I", "eth0", "ff02::1"]).unwrap();
    world.until("frames of ethertype 0x86dd", 5, || {
        world.taps().is_ok_and(|reading| reading.of(sixgate_lab::topology::Segment::Corp).ethertype_ipv6 > 0)
    });
    let why = world.fails('a');
    assert!(why.contains("0x86dd"), "{why}");
}

#[test]
fn after_a_restart_of_the_gateway_everything_comes_back_by_itself() {
    let world = World::up();
    world.restart_gateway();
    for letter in ['a', 'b', 'c', 'e'] {
        world.passes(letter);
    }
}
