//! The daemons as a user starts them: what a wrong file gets, what is said when they are ready, how they end.
//!
//! A name server on loopback is the one function that needs no device and no privilege.

#![allow(clippy::unwrap_used)]

mod run;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use run::{Folder, sixgate};
use serde_json::json;

/// A name server that runs, with its files.
struct Resolver {
    folder: Folder,
    child: Child,
    log: BufReader<std::process::ChildStderr>,
}

impl Resolver {
    fn file(folder: &Folder, port: u16) -> PathBuf {
        let path = folder.path().join("sixgate.toml");
        let text = format!(
            "schema = 1\ncontrol = \"control.sock\"\nstate = \"state\"\n[dns]\nlisten = [\"127.0.0.1:{port}\"]\nupstream = [\"127.0.0.1:9\"]\n"
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    fn start(name: &str, port: u16) -> Self {
        let folder = Folder::new(name);
        let file = Self::file(&folder, port);
        let mut child = sixgate(&["run", "--config", file.to_str().unwrap()])
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut resolver = Self { folder, child, log };
        resolver.read_until("ready");
        resolver
    }

    /// Reads the log up to the line that ends in `word`, and gives that line.
    fn read_until(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            let octets = self.log.read_line(&mut line).unwrap();
            assert_ne!(octets, 0, "the daemon ended before it said `{word}`");
            if line.trim_end().ends_with(word) {
                return line;
            }
        }
    }

    fn socket(&self) -> String {
        self.folder.path().join("control.sock").to_str().unwrap().to_owned()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_daemon_says_ready_answers_and_ends_in_order() {
    let mut resolver = Resolver::start("resolver", 20_531);
    let socket = resolver.socket();
    let status = sixgate(&["status", "--socket", &socket, "--json"]).run();
    assert_eq!((status.code, &status.json()["role"]), (0, &json!("gateway")));
    let counters = sixgate(&["counters", "--socket", &socket, "--json"]).run().json();
    assert!(counters["counters"].is_object(), "{counters}");

    // Another daemon at the same socket is told so, and the first one goes on.
    let file = resolver.folder.path().join("sixgate.toml");
    let second = sixgate(&["run", "--config", file.to_str().unwrap()]).run();
    assert_eq!(second.code, 1);
    let last = second.error.lines().last().unwrap_or_default();
    assert!(last.starts_with("sixgate: "), "{}", second.error);
    assert_eq!(sixgate(&["status", "--socket", &socket]).run().code, 0);

    // A file that is wrong changes nothing.
    std::fs::write(&file, "schema = 1\n[dns]\nlisten = 7\n").unwrap();
    resolver.signal(rustix::process::Signal::HUP);
    let deadline = Instant::now() + Duration::from_secs(5);
    while !resolver.read_until("").contains("nothing changed") {
        assert!(Instant::now() < deadline);
    }
    assert_eq!(sixgate(&["status", "--socket", &socket]).run().code, 0);

    resolver.signal(rustix::process::Signal::TERM);
    assert_eq!(resolver.child.wait().unwrap().code(), Some(0));
    let mut output = String::new();
    resolver.child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert_eq!(output, "", "logs go to standard error");
    assert!(!std::path::Path::new(&socket).exists(), "the socket goes with the daemon");
    assert_eq!(sixgate(&["status", "--socket", &socket]).run().code, 3);
}

#[test]
fn the_socket_of_the_command_line_wins_over_the_files() {
    let folder = Folder::new("socket");
    let file = Resolver::file(&folder, 20_532);
    let socket = folder.path().join("other.sock");
    let mut child =
        sixgate(&["run", "--config", file.to_str().unwrap(), "--socket", socket.to_str().unwrap()])
            .command()
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    let ready = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .any(|l| l.ends_with("ready"));
    let answered = sixgate(&["status", "--socket", socket.to_str().unwrap()]).run();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(ready);
    assert_eq!(answered.code, 0, "{answered:?}");
}

#[test]
fn a_wrong_file_is_refused_with_its_places_and_nothing_starts() {
    let folder = Folder::new("wrong");
    let file = folder.path().join("a.toml");
    let path = file.to_str().unwrap();
    std::fs::write(
        &file,
        "schema = 1\ncontrol = \"c.sock\"\nstate = \"state\"\n[nat64]\nprefix = \"fd53:6::/95\"\n",
    )
    .unwrap();
    let run = sixgate(&["run", "--config", path]).run();
    assert_eq!((run.code, run.output.as_str()), (1, ""));
    assert_eq!(
        run.error,
        format!(
            "error: [nat64] needs the key `pool`\n --> {path}:4:1\n  |\n4 | [nat64]\n  | ^^^^^^^ add for example `pool = [\"192.0.2.2:1-3000\"]`\n\
             error: NAT64 prefix length must be 32, 40, 48, 56, 64 or 96\n --> {path}:5:10\n  |\n5 | prefix = \"fd53:6::/95\"\n  |          ^^^^^^^^^^^^^ RFC 6052 does not allow this length\n"
        )
    );
    assert!(!folder.path().join("state").exists() && !folder.path().join("c.sock").exists());
    let json = sixgate(&["run", "--config", path, "--json"]).run();
    assert_eq!((json.code, json.error.as_str()), (1, ""));
    assert_eq!(json.json()["error"]["code"], "configuration");
    assert_eq!(json.json()["findings"][1]["column"], 10);
}

#[test]
fn a_file_of_another_role_is_refused_by_name() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for (command, file, says) in [
        (&["run"][..], "client.toml", "this is a file for `sixgate client run`"),
        (&["run"], "host.toml", "this is a file for `sixgate host run`"),
        (&["client", "run"], "host.toml", "this is a file for `sixgate host run`"),
        (&["host", "run"], "client.toml", "this is a file for `sixgate client run`"),
        (&["client", "run"], "gateway.toml", "this file needs the key `client`"),
        (&["host", "run"], "nat64.toml", "this file needs the key `host`"),
    ] {
        let mut all = command.to_vec();
        all.extend(["--config", file]);
        let run = sixgate(&all).folder(&examples).run();
        assert_eq!(run.code, 1, "{all:?}");
        assert!(run.error.contains(says), "{all:?}: {}", run.error);
    }
}

#[test]
fn joining_fails_in_one_line_and_writes_nothing() {
    let folder = Folder::new("join");
    let file = folder.path().join("client.toml");
    let join = |token: &str, input: &str, more: &[&str]| {
        let mut all =
            vec!["join", "https://127.0.0.1:9", token, "--config", file.to_str().unwrap(), "--no-start"];
        all.extend(more);
        sixgate(&all).fed(input).run()
    };
    let wrong = join("sgt-7K3M-9QX2", "", &[]);
    assert_eq!(wrong.code, 1);
    assert_eq!(wrong.error.lines().count(), 1, "{}", wrong.error);
    assert!(!wrong.error.contains("7K3M"), "a token is never repeated: {}", wrong.error);
    // Well formed, but nobody is there.
    let token = format!("sgt-{}", "a".repeat(52));
    let nobody = join("-", &format!("{token}\n"), &[]);
    assert_eq!(nobody.code, 1);
    assert!(
        nobody.error.starts_with("sixgate: ") && nobody.error.contains("127.0.0.1:9"),
        "{}",
        nobody.error
    );
    let json = join("-", &token, &["--json"]);
    assert_eq!(json.code, 1);
    assert_eq!(json.json()["error"]["code"], "iphttps-unreachable");
    assert!(!file.exists());
    assert_eq!(sixgate(&["join", "https://127.0.0.1:9"]).run().code, 2);
    assert_eq!(sixgate(&["join", "http://127.0.0.1", &token]).run().code, 2);
}
