//! `sixgate lab break` makes each fault where it would happen, `sixgate doctor` calls it by its name, `sixgate lab fix` puts
//! back what was there, and a healthy lab has no finding.
//!
//! `SIXGATE_DOCTOR_RUNS` says how often the healthy lab is looked at, `SIXGATE_DOCTOR_PAIRS=all` breaks it by every two faults.

#![allow(clippy::unwrap_used, reason = "a test ends where its world does not answer")]
#![allow(clippy::print_stdout, reason = "the seconds are a figure that people want")]

use std::thread;
use std::time::Duration;

use serde_json::Value;
use sixgate_e2e::World;
use sixgate_e2e::world::lab_command;
use sixgate_lab::faults::{self, Fault};
use sixgate_lab::{Lab, wait_for};

/// Promised: a healthy pair, and a broken one, and what a machine that builds and tests at once may take beside.
const HEALTHY_SECONDS: f64 = 3.0;
const BROKEN_SECONDS: f64 = 5.0;

/// Two faults that change one and the same thing cannot both be there.
const SAME_THING: &[&[&str]] = &[
    &["router-name-gone", "router-name-vip"],
    &["forwarding-off", "ip-forward-written"],
    // A router that is not there has no rules, offers nothing, and hears nobody.
    &["advertising-off", "host-not-allowed"],
    &["advertising-off", "no-route-offered"],
    // Of what a silent server would say nothing is known.
    &["resolver-down", "router-name-gone"],
    &["resolver-down", "router-name-vip"],
    &["resolver-down", "isatap-name-exists"],
    &["resolver-down", "client-record-gone"],
    &["resolver-down", "wpad-name-exists"],
];

/// Faults that somebody remembers: the doctor looks again at once.
const REMEMBERED: &[&str] = &[
    "nat-between",
    "stranger-advertises",
    "host-not-allowed",
    "address-changed",
    "clock-jumped",
    "advertising-off",
];

/// Pairs that are tried each time: different machines, one hiding the other, one in the way of the other's evidence.
const SAMPLE: &[(&str, &str)] = &[
    ("proto41-dropped", "nat-between"),
    ("router-name-vip", "proto41-dropped"),
    ("host-not-allowed", "address-changed"),
    ("no-tun", "stranger-advertises"),
    ("few-files", "disk-full"),
    ("router-name-unknown", "resolver-down"),
];

fn doctor(world: &World) -> Value {
    let done = lab_command(world.name(), &["doctor", "--json"]);
    let text = String::from_utf8(done.stdout).unwrap();
    serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text}{}", String::from_utf8_lossy(&done.stderr)))
}

fn codes(document: &Value) -> Vec<String> {
    let findings = document["findings"].as_array().unwrap();
    findings.iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect()
}

fn broken_by(world: &World, fault: &str) {
    let done = lab_command(world.name(), &["break", fault, "--json"]);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "break {fault}: {text}{}", String::from_utf8_lossy(&done.stderr));
}

/// Mends everything, and waits until clients that lost their gateway are back.
fn mended(world: &World, what: &str) {
    let done = lab_command(world.name(), &["fix"]);
    assert!(done.status.success(), "fix {what}: {}", String::from_utf8_lossy(&done.stderr));
    let back = wait_for(Duration::from_secs(20), || world.who().len() == 2);
    assert!(back.is_some(), "{what}: the laptops did not come back");
}

/// Everything that a fault may have touched and that is to be as it was.
fn fingerprint(lab: &Lab) -> String {
    let looks: &[(&str, &str)] = &[
        (
            "router",
            "nft list ruleset | sed 's/counter packets .* bytes [0-9]*//'; ip -4 route; ip -4 address | grep inet",
        ),
        (
            "gateway",
            "cat /etc/sixgate/gateway.toml; sysctl net.ipv4.ip_forward net.ipv4.conf | grep -E 'forwarding|rp_filter'",
        ),
        (
            "gateway",
            "df -k --output=size /var/lib/sixgate; prlimit --pid $(cat /run/lab/sixgate.pid) --nofile",
        ),
        ("helpdesk-01", "cat /etc/resolv.conf; ip -4 address | grep inet; ip -4 route; ls /dev/net"),
        ("helpdesk-01", "grep CapEff /proc/$(cat /run/lab/sixgate.pid)/status"),
        ("files", "ip -4 address | grep inet"),
        ("dns", "sort /var/lib/bind/corp.zone; dig +short @127.0.0.1 laptop-01.clients.corp.example AAAA"),
        (
            "bystander-01",
            "ls /run/lab/*.pid | while read p; do if kill -0 $(cat $p) 2>/dev/null; then echo $p; fi; done",
        ),
    ];
    thread::scope(|scope| {
        let look = |(node, script): &(&str, &str)| format!("{node}: {}", lab.sh(node, script).unwrap());
        let jobs: Vec<_> = looks.iter().map(|one| scope.spawn(move || look(one))).collect();
        jobs.into_iter().map(|job| job.join().unwrap()).collect()
    })
}

#[test]
fn a_healthy_lab_has_no_finding_and_each_end_alone_says_what_it_can() {
    let world = World::up();
    let runs = std::env::var("SIXGATE_DOCTOR_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    for run in 0..runs {
        let document = doctor(&world);
        assert_eq!(codes(&document), [""; 0], "run {run}: {document:#}");
        let seconds = document["seconds"].as_f64().unwrap();
        assert!(seconds <= HEALTHY_SECONDS, "{seconds}");
        println!("run {run}: {seconds:.2} s, {} checks", document["passed"].as_array().unwrap().len());
    }
    // Each machine for itself, with what it can see alone.
    for node in ["gateway", "helpdesk-01", "laptop-01"] {
        let done = world.run(node, &["sixgate", "doctor"]).unwrap();
        assert_eq!(done.code, 0, "{node}: {}", done.said());
    }
    alone_and_with_evidence(&world);
    without_a_daemon(&world);
}

#[test]
fn each_fault_alone_gives_its_code_first_and_is_gone_when_it_is_mended() {
    let world = World::up();
    let every = every();
    let before = fingerprint(&world);
    for fault in faults::all() {
        broken_by(&world, fault.name);
        let document = doctor(&world);
        let found = codes(&document);
        assert_eq!(found, [fault.code], "{}: {document:#}", fault.name);
        let seconds = document["seconds"].as_f64().unwrap();
        assert!(seconds <= BROKEN_SECONDS, "{}: {seconds}", fault.name);
        let done = lab_command(world.name(), &["status", "--json"]);
        let status: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(status["broken"], serde_json::json!([fault.name]));
        mended(&world, fault.name);
        // What machines remember of a fault must not be taken for the fault.
        if every || REMEMBERED.contains(&fault.name) {
            let left = doctor(&world);
            assert_eq!(codes(&left), [""; 0], "{} is mended: {left:#}", fault.name);
        }
        assert_eq!(fingerprint(&world), before, "{}", fault.name);
        println!("{}: {seconds:.2} s", fault.name);
    }
    let left = doctor(&world);
    assert_eq!(codes(&left), [""; 0], "{left:#}");
}

#[test]
fn two_faults_give_both_codes() {
    let world = World::up();
    let all: Vec<&Fault> = faults::all().collect();
    let pairs: Vec<(&str, &str)> = if every() {
        let one = |n: usize| all[n + 1..].iter().map(move |b| (n, b.name));
        let names: Vec<&str> = all.iter().map(|f| f.name).collect();
        (0..all.len()).flat_map(one).map(|(n, b)| (names[n], b)).filter(|(a, b)| can_both(a, b)).collect()
    } else {
        SAMPLE.to_vec()
    };
    // First: what a pair broke is remembered for a while.
    zone_of_a_stopped_server(&world);
    without_faketime(&world);
    let mut missed = Vec::new();
    for (a, b) in &pairs {
        // A gateway that is started anew sets its sysctls and records right: what starts it goes first.
        let (first, second) = if *b == "clock-jumped" { (b, a) } else { (a, b) };
        broken_by(&world, first);
        broken_by(&world, second);
        let found = codes(&doctor(&world));
        let wanted = |name: &str| all.iter().find(|f| f.name == name).unwrap().code;
        if ![a, b].iter().all(|name| found.iter().any(|code| code == wanted(name))) {
            missed.push(format!("{a} and {b}: {found:?}"));
        }
        mended(&world, &format!("{a} and {b}"));
    }
    println!("{} pairs", pairs.len());
    assert_eq!(missed, [""; 0], "of {} pairs", pairs.len());
}

/// What is changed in the zone of a server that is stopped is there when it runs again.
fn zone_of_a_stopped_server(world: &World) {
    broken_by(world, "resolver-down");
    broken_by(world, "isatap-name-exists");
    let fixed = lab_command(world.name(), &["fix", "resolver-down"]);
    assert!(fixed.status.success(), "{}", String::from_utf8_lossy(&fixed.stderr));
    let document = doctor(world);
    assert_eq!(codes(&document), ["SG-ISATAP-007"], "{document:#}");
    mended(world, "isatap-name-exists");
    // One that needs the server fails, and leaves nothing to be mended.
    broken_by(world, "resolver-down");
    let refused = lab_command(world.name(), &["break", "client-record-gone"]);
    assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stderr));
    mended(world, "resolver-down");
}

/// A fault that lacks a program says which package has it, and nothing is stopped.
fn without_faketime(world: &World) {
    let pid = || world.sh("gateway", "cat /run/lab/sixgate.pid");
    let before = pid();
    world.sh("gateway", "for d in /usr/lib/*/faketime; do mount -t tmpfs none \"$d\"; done");
    let refused = lab_command(world.name(), &["break", "clock-jumped"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    world.sh("gateway", "umount /usr/lib/*/faketime");
    assert!(refused.status.code() == Some(1) && said.contains("Debian package libfaketime"), "{said}");
    assert_eq!(pid(), before);
    assert_eq!(faults::broken(world.name()).len(), 0);
}

fn every() -> bool {
    std::env::var("SIXGATE_DOCTOR_PAIRS").is_ok_and(|v| v == "all")
}

fn can_both(a: &str, b: &str) -> bool {
    !SAME_THING.iter().any(|same| same.contains(&a) && same.contains(&b))
}

/// A host alone says what is likely; the gateway with the host's evidence is sure.
fn alone_and_with_evidence(world: &World) {
    broken_by(world, "proto41-dropped");
    let alone = world.run("helpdesk-01", &["sixgate", "doctor", "--json"]).unwrap();
    let document: Value = serde_json::from_str(&alone.stdout).unwrap();
    assert_eq!((alone.code, codes(&document)), (1, vec!["SG-ISATAP-003".to_owned()]), "{document:#}");
    assert_eq!(document["findings"][0]["certain"], false);
    let evidence = world.run("helpdesk-01", &["sixgate", "doctor", "--evidence"]).unwrap().stdout;
    let both = world.run_fed("gateway", &["sixgate", "doctor", "--with", "-", "--json"], &evidence).unwrap();
    let document: Value = serde_json::from_str(&both.stdout).unwrap();
    assert_eq!(codes(&document), ["SG-ISATAP-003"], "{document:#}");
    assert_eq!(document["findings"][0]["certain"], true);
    let text = world.run_fed("gateway", &["sixgate", "doctor", "--with", "-"], &evidence).unwrap().stdout;
    assert!(text.contains("gateway received 0 of them") && text.contains("1 finding, "), "{text}");
    for key in ["code", "severity", "cause", "fix"] {
        assert!(document["findings"][0][key].is_string(), "{key}: {document:#}");
    }
    mended(world, "proto41-dropped");
}

/// Without a daemon the doctor says so, with status 3.
fn without_a_daemon(world: &World) {
    let nowhere = world.run("bystander-01", &["sixgate", "doctor"]).unwrap();
    assert_eq!(nowhere.code, 3, "{}", nowhere.said());
    world.stop("helpdesk-01", sixgate_lab::product::SERVICE).unwrap();
    let ended = world.run("helpdesk-01", &["sixgate", "doctor", "--json"]).unwrap();
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, codes(&document)), (3, vec!["SG-SYS-007".to_owned()]), "{document:#}");
    let unknown = lab_command(world.name(), &["break", "no-such-fault"]);
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(unknown.status.code() == Some(2) && said.contains("proto41-dropped"), "{said}");
}
