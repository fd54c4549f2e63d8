//! ISATAP is taken away under an ssh that stays open, and given back.
//!
//! ```text
//!   helpdesk-01 -- ssh, open all the time --> gateway --> laptop-01
//!   bystander-01   served, never opens anything
//!   dns            has AAAA records that point into the ISATAP prefix, and takes signed updates
//! ```

#![allow(clippy::unwrap_used, reason = "a test ends where its world does not answer")]

use std::time::{Duration, Instant};

use serde_json::Value;
use sixgate_e2e::{Counters, World};
use sixgate_lab::product::{HOST_DEVICE, HOST_FILE, SERVICE};
use sixgate_lab::wait_for;

const SESSION: &str = "session";
const LAPTOP: &str = "laptop-01.clients.corp.example";
const PREFIX: &str = "fd6a:7e00:cafe:2:";

struct Office {
    world: World,
}

impl Office {
    /// A lab where bystander-01 is served too, and DNS takes signed updates of the organisation's own zone.
    fn open() -> Self {
        let world = World::up();
        world.gateway_with(|config| config.replace(r#"["10.6.8.20"]"#, r#"["10.6.8.20", "10.6.8.30"]"#));
        world.stop("dns", "named").unwrap();
        world.sh(
            "dns",
            "sed -i '/^zone \"corp.example\"/s/ };$/ allow-update { key sixgate-update; }; };/' /etc/bind/named.conf; \
             grep -q 'zone \"corp.example\".*allow-update' /etc/bind/named.conf",
        );
        let office = Self { world };
        office.start_named();
        let join = ["sixgate", "isatap", "join", "10.6.0.1", "--config", HOST_FILE, "--no-start"];
        office.world.run("bystander-01", &join).unwrap();
        office.start_bystander();
        office.until("bystander-01 is served", 10, || office.addresses("bystander-01").contains(PREFIX));
        office
    }

    fn start_named(&self) {
        let run = ["named", "-g", "-n", "1", "-c", "/etc/bind/named.conf"];
        self.world.start("dns", "named", &run).unwrap();
        self.until("dns answers", 10, || self.aaaa("nobody.corp.example").is_some());
    }

    fn start_bystander(&self) {
        let run = ["sixgate", "host", "run", "--config", HOST_FILE];
        self.world.start("bystander-01", SERVICE, &run).unwrap();
    }

    /// `sixgate isatap retire ARGS --json` on the gateway; it must succeed.
    fn retire(&self, args: &[&str]) -> Value {
        let command = [&["sixgate", "isatap", "retire", "--json"], args].concat();
        let done = self.world.run("gateway", &command).unwrap();
        assert!(done.ok(), "{args:?}: {}", done.said());
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// The same for a person.
    fn said(&self, args: &[&str]) -> String {
        let command = [&["sixgate", "isatap", "retire"], args].concat();
        let done = self.world.run("gateway", &command).unwrap();
        assert!(done.ok(), "{args:?}: {}", done.said());
        done.stdout
    }

    /// Begins a phase; nothing may be cut by it, as the gateway counts and as the session shows.
    fn begin(&self, phase: &str, more: &[&str]) -> Value {
        let done = self.retire(&[&["--phase", phase, "--yes"], more].concat());
        assert_eq!(done["cut"], 0, "{done}");
        self.session_goes_on();
        done
    }

    /// The AAAA records of a name; `None` when the server does not answer.
    fn aaaa(&self, name: &str) -> Option<Vec<String>> {
        let dig = format!("dig +short +time=1 +tries=1 @10.6.0.53 {name} AAAA");
        let done = self.world.run("gateway", &["sh", "-c", &dig]).unwrap();
        done.ok().then(|| done.stdout.lines().map(str::to_owned).collect())
    }

    /// What the kernel of a host says of its ISATAP addresses that are not link-local.
    fn addresses(&self, node: &str) -> String {
        let show = ["ip", "-6", "addr", "show", "dev", HOST_DEVICE, "scope", "global"];
        self.world.run(node, &show).map(|done| done.stdout).unwrap_or_default()
    }

    fn routes(&self, node: &str) -> String {
        let show = ["ip", "-6", "route", "show", "dev", HOST_DEVICE, "proto", "64"];
        self.world.run(node, &show).map(|done| done.stdout).unwrap_or_default()
    }

    /// An ssh to laptop-01 that says something five times a second and never ends by itself.
    fn open_session(&self) {
        let talk = "i=0; while :; do i=$((i+1)); echo said $i; sleep 0.2; done";
        let ssh = ["ssh", "-o", "BatchMode=yes", LAPTOP, talk];
        self.world.start("helpdesk-01", SESSION, &ssh).unwrap();
        self.until("the session talks", 10, || self.heard() > 2);
    }

    /// How far the session has come.
    fn heard(&self) -> u64 {
        let log = self.world.log("helpdesk-01", SESSION).unwrap_or_default();
        let said = log.lines().rev().find_map(|line| line.split("said ").nth(1)?.trim().parse().ok());
        said.unwrap_or(0)
    }

    fn session_goes_on(&self) {
        let before = self.heard();
        self.until("the session goes on", 5, || self.heard() > before + 2);
        assert!(self.world.runs("helpdesk-01", SESSION));
    }

    /// Whether a new ssh gets through, what it says, and after how long.
    fn new_session(&self) -> (bool, String, Duration) {
        let ssh = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=8", LAPTOP, "echo here"];
        let start = Instant::now();
        let done = self.world.run("helpdesk-01", &ssh).unwrap();
        (done.ok(), done.said(), start.elapsed())
    }

    fn until(&self, what: &str, seconds: u64, done: impl FnMut() -> bool) {
        assert!(wait_for(Duration::from_secs(seconds), done).is_some(), "not within {seconds} s: {what}");
    }
}

#[test]
fn a_session_lives_through_every_phase_and_undo_gives_everything_back() {
    let office = Office::open();
    let update = "server 10.6.0.53\nzone corp.example\n\
        update add helpdesk-01.corp.example 60 AAAA fd6a:7e00:cafe:2:0:5efe:a06:814\n\
        update add old-pc.corp.example 300 AAAA fd6a:7e00:cafe:2:0:5efe:a06:863\n\
        update add other.corp.example 60 AAAA fd6a:7e00:cafe:9::1\nsend\n";
    let done =
        office.world.run_fed("gateway", &["nsupdate", "-k", "/etc/sixgate/update.key"], update).unwrap();
    assert!(done.ok(), "{}", done.said());
    office.open_session();

    // The plan names who would lose what, and finds both records: one by a name, one by the zone alone.
    let plan = office.retire(&["--plan"]);
    let host = |name: &str| {
        let hosts = plan["hosts"].as_array().unwrap();
        hosts.iter().find(|h| h["name"].as_str().is_some_and(|n| n.starts_with(name))).cloned()
    };
    assert_eq!(host("helpdesk-01").unwrap()["use"], "open", "{plan}");
    let idle = plan["hosts"].as_array().unwrap().iter().find(|h| h["ipv4"] == "10.6.8.30").cloned();
    assert_eq!(idle.unwrap()["use"], "idle", "{plan}");
    let found: Vec<_> =
        plan["records"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(found, ["helpdesk-01.corp.example", "old-pc.corp.example"], "{plan}");
    assert!(plan["phase"].is_null(), "a plan changes nothing");

    let too_far =
        office.world.run("gateway", &["sixgate", "isatap", "retire", "--phase", "3", "--yes"]).unwrap();
    assert_eq!(too_far.code, 1, "{}", too_far.said());
    assert!(!office.addresses("helpdesk-01").contains("deprecated"));

    // Quiet. Without a terminal nobody is asked, here as with `--undo` below.
    let said = office.said(&["--phase", "2"]);
    assert!(said.contains("0 connections cut") && said.contains("sixgate isatap retire --undo"), "{said}");
    office.session_goes_on();
    office.until("helpdesk-01 is deprecated", 5, || office.addresses("helpdesk-01").contains("deprecated"));
    office.until("bystander-01 has no route", 5, || office.routes("bystander-01").is_empty());
    assert!(office.routes("helpdesk-01").contains("via"), "a host with an open flow keeps its route");
    let counters = Counters::of(&office.world, "gateway");
    office.world.stop("bystander-01", SERVICE).unwrap();
    office.start_bystander();
    counters.rose("isatap-retired");
    assert!(!office.addresses("bystander-01").contains(PREFIX), "a quiet host gets no answer");

    // Withdraw: what is open goes on, what is new is refused at once.
    office.begin("3", &[]);
    office.until("two hours are left", 5, || {
        let text = office.addresses("helpdesk-01");
        let left =
            text.split("valid_lft ").nth(1).and_then(|rest| rest.split("sec").next()?.parse::<u32>().ok());
        left.is_some_and(|seconds| (7000..=7200).contains(&seconds))
    });
    let counters = Counters::of(&office.world, "gateway");
    let (through, why, took) = office.new_session();
    assert!(!through && took < Duration::from_secs(2), "{took:?}: {why}");
    counters.rose("flow-retired");
    office.session_goes_on();
    let status = office.retire(&["--status"]);
    let stragglers = status["stragglers"].as_array().unwrap();
    let helpdesk = stragglers.iter().find(|s| s["ipv4"] == "10.6.8.20").unwrap();
    assert!(helpdesk["open"].as_u64().unwrap() >= 1, "{status}");
    assert!(office.said(&["--status"]).contains("straggler helpdesk-01"));

    // Clean: the records of this prefix, and no other.
    let cleaned = office.begin("4", &["--dns-update"]);
    let records = cleaned["retirement"]["records"].as_array().unwrap();
    assert!(records.len() == 2 && records.iter().all(|r| r["deleted"] == true), "{cleaned}");
    for (name, left) in [("helpdesk-01", 0), ("old-pc", 0), ("other", 1)] {
        assert_eq!(office.aaaa(&format!("{name}.corp.example")).unwrap().len(), left, "{name}");
    }

    // Verify: not over, and it says so.
    let verified = office.begin("5", &[]);
    assert_eq!(verified["retirement"]["over"], false, "{verified}");

    // Undone: as before, for both hosts, and in the DNS.
    // A DNS that is down meanwhile has its records from the second try.
    office.world.stop("dns", "named").unwrap();
    let undo = ["sixgate", "isatap", "retire", "--undo"];
    let undone = office.world.run("gateway", &undo).unwrap();
    assert!(!undone.ok() && undone.said().contains("was not put back"), "{}", undone.said());
    office.start_named();
    let undone = office.retire(&["--undo"]);
    assert_eq!((&undone["restored"], &undone["cut"]), (&Value::from(2), &Value::from(0)), "{undone}");
    office.session_goes_on();
    office.until("helpdesk-01 is preferred again", 5, || {
        let text = office.addresses("helpdesk-01");
        text.contains(PREFIX) && !text.contains("deprecated")
    });
    office.until("bystander-01 is served again", 40, || {
        office.addresses("bystander-01").contains(PREFIX) && office.routes("bystander-01").contains("via")
    });
    let (through, why, _) = office.new_session();
    assert!(through, "{why}");
    assert_eq!(office.aaaa("old-pc.corp.example").unwrap(), ["fd6a:7e00:cafe:2:0:5efe:a06:863"]);
    assert!(office.retire(&["--status"])["phase"].is_null());
    office.session_goes_on();
}

#[test]
fn a_retirement_outlives_a_restart_and_what_is_over_stays_over() {
    let office = Office::open();
    assert!(office.new_session().0);
    office.retire(&["--phase", "2"]);
    office.until("bystander-01 has no route", 5, || office.routes("bystander-01").is_empty());
    office.world.restart_gateway();
    let status = office.retire(&["--status"]);
    assert_eq!(status["phase"], 2, "{status}");
    // helpdesk-01 opened something, so it is served as one in use; bystander-01 stays withdrawn.
    office.until("helpdesk-01 is deprecated", 10, || office.addresses("helpdesk-01").contains("deprecated"));
    let standing = |ipv4: &str| {
        let status = office.retire(&["--status"]);
        let host = status["hosts"].as_array().unwrap().iter().find(|h| h["ipv4"] == ipv4).cloned();
        host.unwrap()["standing"].clone()
    };
    assert_eq!(standing("10.6.8.20"), "deprecated");
    assert_eq!(standing("10.6.8.30"), "withdrawn");
    assert!(office.routes("bystander-01").is_empty());
}

#[test]
fn listening_shows_who_asks_a_router_that_is_not_ours() {
    let office = Office::open();
    let update = "server 10.6.0.53\nzone corp.example\nupdate add isatap.corp.example 60 A 10.6.0.30\nsend\n";
    let done =
        office.world.run_fed("gateway", &["nsupdate", "-k", "/etc/sixgate/update.key"], update).unwrap();
    assert!(done.ok(), "{}", done.said());
    // bystander-01 asks `files`, which never answers: somebody's old router that was switched off too early.
    office.world.stop("bystander-01", SERVICE).unwrap();
    let file = "schema = 1\n[host]\ninterface = \"eth0\"\nrouters = [\"10.6.0.30\"]\n";
    office.world.write("bystander-01", HOST_FILE, file, false).unwrap();
    let listen = ["sixgate", "isatap", "listen", "--interface", "eth1", "--seconds", "6", "--json"];
    let command = listen.join(" ");
    let script = format!("{command} >/root/heard.json");
    office.world.start("router", "listen", &["sh", "-c", &script]).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    office.start_bystander();
    office.until("the listening ends", 15, || !office.world.runs("router", "listen"));
    let heard: Value = serde_json::from_str(&office.world.sh("router", "cat /root/heard.json")).unwrap();
    let pairs = heard["pairs"].as_array().unwrap();
    let asked = pairs.iter().find(|pair| pair["host"] == "10.6.8.30" && pair["router"] == "10.6.0.30");
    let asked = asked.unwrap_or_else(|| panic!("{heard}"));
    // At once and after four seconds; nobody answers.
    assert!((1..=3).contains(&asked["solicitations"].as_u64().unwrap()), "{heard}");
    assert_eq!(asked["advertisements"], 0, "{heard}");
    let names = heard["names"].as_array().unwrap();
    let bare = names.iter().find(|name| name["name"] == "isatap.corp.example").unwrap();
    assert_eq!(bare["addresses"][0], "10.6.0.30", "{heard}");
}
