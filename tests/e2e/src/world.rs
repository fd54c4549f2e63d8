//! A lab for one test.

use std::io::Write;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sixgate_lab::product::{GATEWAY_CONFIG, GATEWAY_FILE, SERVICE};
use sixgate_lab::{Lab, demo, product, wait_for};

use crate::watched::{Counts, Watched};

/// One lab at a time: each is eleven machines.
static TURN: Mutex<()> = Mutex::new(());

/// A lab that is up, until it is dropped.
pub struct World {
    lab: Lab,
    _turn: MutexGuard<'static, ()>,
}

/// The binary under test.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("SIXGATE_BIN") {
        return PathBuf::from(named);
    }
    let test = std::env::current_exe().expect("a running program has a path");
    test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps").join("sixgate")
}

/// Runs `sixgate lab --name NAME ARGS...`.
#[must_use]
pub fn lab_command(name: &str, args: &[&str]) -> Output {
    let binary = binary();
    Command::new(&binary)
        .args(["lab", "--name", name])
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("cannot run {} (cargo build -p sixgate): {error}", binary.display()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl World {
    /// Builds the lab; every daemon is ready.
    #[must_use]
    pub fn up() -> Self {
        let turn = Self::turn();
        let name = format!("e2e-{}", std::process::id());
        let done = lab_command(&name, &["up"]);
        assert!(done.status.success(), "lab up: {}{}", text(&done.stdout), text(&done.stderr));
        let lab = Lab::open(&name).expect("the lab is up");
        Self { lab, _turn: turn }
    }

    /// The machine is ours until this is dropped: for tests that build their labs themselves.
    pub fn turn() -> MutexGuard<'static, ()> {
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a step of the demo that must pass.
    pub fn passes(&self, letter: char) {
        if let Err(why) = demo::step(&self.lab, letter) {
            panic!("step ({letter}): {why}");
        }
    }

    /// Runs a step of the demo that must fail; why it did.
    #[must_use]
    pub fn fails(&self, letter: char) -> String {
        match demo::step(&self.lab, letter) {
            Ok(did) => panic!("step ({letter}) passed: {did:#?}"),
            Err(why) => why.to_string(),
        }
    }

    /// Gives the gateway another file and has it read again, as an administrator does; answers when it is in force.
    pub fn gateway_with(&self, change: impl FnOnce(&str) -> String) {
        let config = change(GATEWAY_CONFIG);
        assert_ne!(config, GATEWAY_CONFIG, "the test changes nothing");
        self.lab.write("gateway", GATEWAY_FILE, &config, false).expect("the gateway takes a file");
        let before = self.logged(" reloaded");
        self.lab.signal("gateway", SERVICE, "HUP").unwrap_or_else(|error| panic!("{error}"));
        self.until("the gateway has read its file", 5, || self.logged(" reloaded") > before);
    }

    /// Starts the gateway again and waits for the laptops, and for helpdesk-01 where its daemon runs and is served.
    pub fn restart_gateway(&self) {
        self.lab.stop("gateway", SERVICE).unwrap_or_else(|error| panic!("{error}"));
        product::gateway(&self.lab).unwrap_or_else(|error| panic!("{error}"));
        for laptop in ["laptop-01", "laptop-02"] {
            let back = wait_for(Duration::from_secs(20), || self.who().iter().any(|name| name == laptop));
            assert!(back.is_some(), "{laptop} did not come back: {}", self.last_words(laptop));
        }
        if self.lab.runs("helpdesk-01", SERVICE) {
            let route = ["ip", "-6", "route", "show", "dev", "isatap0", "proto", "64"];
            let back = wait_for(Duration::from_secs(5), || {
                self.lab.run("helpdesk-01", &route).is_ok_and(|done| done.stdout.contains("via"))
            });
            assert!(back.is_some(), "helpdesk-01 has no route any more: {}", self.last_words("helpdesk-01"));
        }
    }

    /// Names of the clients that are connected.
    #[must_use]
    pub fn who(&self) -> Vec<String> {
        let Ok(done) = self.lab.run("gateway", &["sixgate", "who", "--json"]) else { return Vec::new() };
        let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap_or_default();
        let clients = document["clients"].as_array().cloned().unwrap_or_default();
        clients.iter().filter_map(|client| client["name"].as_str().map(str::to_owned)).collect()
    }

    /// Name of a node's network namespace.
    #[must_use]
    pub fn namespace(&self, node: &str) -> String {
        format!("sg-{}-{node}", self.lab.name())
    }

    /// Runs a script in a node that must end with 0.
    pub fn sh(&self, node: &str, script: &str) -> String {
        self.lab.sh(node, script).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The end of a daemon's log.
    #[must_use]
    pub fn last_words(&self, node: &str) -> String {
        let log = self.lab.log(node, SERVICE).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// No daemon had anything to warn of.
    pub fn is_quiet(&self) {
        for node in ["gateway", "laptop-01", "laptop-02", "helpdesk-01"] {
            let log = self.lab.log(node, SERVICE).expect("the node is there");
            assert!(log.contains(" ready"), "{node} has logged nothing: {log}");
            let loud: Vec<&str> =
                log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
            assert!(loud.is_empty(), "{node} warned in a healthy lab: {loud:#?}");
        }
    }

    /// How often a line with `word` is in the gateway's log.
    #[must_use]
    pub fn logged(&self, word: &str) -> usize {
        let log = self.lab.log("gateway", SERVICE).unwrap_or_default();
        log.lines().filter(|line| line.contains(word)).count()
    }

    /// Waits until `done`.
    pub fn until(&self, what: &str, seconds: u64, done: impl FnMut() -> bool) {
        assert!(wait_for(Duration::from_secs(seconds), done).is_some(), "not within {seconds} s: {what}");
    }
}

/// The gateway.
impl Watched for World {
    fn counters(&self) -> Counts {
        crate::counters::read(&self.lab, "gateway")
    }

    fn log(&self) -> String {
        self.lab.log("gateway", SERVICE).expect("the gateway is there")
    }

    fn lives(&mut self) -> bool {
        self.lab.runs("gateway", SERVICE)
    }
}

impl Deref for World {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut words = String::new();
            for node in ["gateway", "laptop-01", "helpdesk-01"] {
                words.push_str(&format!("---- {node}\n{}\n", self.last_words(node)));
            }
            let _ = std::io::stderr().write_all(words.as_bytes());
        }
        let done = lab_command(self.lab.name(), &["down"]);
        if !std::thread::panicking() {
            assert!(done.status.success(), "lab down: {}", text(&done.stderr));
        }
    }
}
