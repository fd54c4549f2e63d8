//! The first process of a node: it prepares the node's files, reaps orphans, and ends with its supervisor.
//!
//! Its standard input is a pipe that only the supervisor holds. However the supervisor ends, the pipe closes, this process
//! exits, and the kernel ends every process of the namespace with it.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{WaitOptions, wait};

/// What a node does to its files before anything else.
const SETUP: &str = include_str!("setup.sh");

/// Runs as process 1 of node `name`; answers an exit status only when the preparation failed.
pub(crate) fn init(lab: &str, name: &str, exe: &str, resolver: &str) -> i32 {
    // /proc is still the machine's: the link tells the process number by which others can enter this node.
    let Ok(outside) = std::fs::read_link("/proc/self") else { return 1 };
    thread::spawn(|| {
        let mut end = [0_u8; 1];
        while matches!(std::io::stdin().read(&mut end), Ok(1)) {}
        std::process::exit(0);
    });
    let setup = Command::new("sh")
        .args(["-c", SETUP, "setup", name, exe, resolver, lab])
        .stdin(Stdio::null())
        .output();
    let failure = match setup {
        Ok(done) if done.status.success() => None,
        Ok(done) => Some(String::from_utf8_lossy(&done.stderr).replace('\n', " ")),
        Err(error) => Some(error.to_string()),
    };
    let line = match &failure {
        None => format!("ready {}\n", outside.display()),
        Some(why) => format!("failed {why}\n"),
    };
    if std::io::stdout().write_all(line.as_bytes()).is_err() || failure.is_some() {
        return 1;
    }
    loop {
        // Orphans of commands come to process 1; without any child there is nothing to wait for but the next one.
        if wait(WaitOptions::empty()).is_err() {
            thread::sleep(Duration::from_millis(200));
        }
    }
}
