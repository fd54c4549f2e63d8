//! A lab that is there, seen by those who use it: commands, the demo, the tests.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::control::{self, Request};
use crate::error::LabError;
use crate::node;
use crate::registry;
use crate::taps::Reading;

/// What a program said and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit status; 124 when it took too long, 128 + signal when it was ended by one.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Ended with 0?
    #[must_use]
    pub fn ok(&self) -> bool {
        self.code == 0
    }

    /// Both outputs in one line, for a message.
    #[must_use]
    pub fn said(&self) -> String {
        let both = format!("{} {}", self.stdout.trim(), self.stderr.trim());
        both.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A lab that is there.
#[derive(Debug, Clone)]
pub struct Lab {
    name: String,
    nodes: BTreeMap<String, i32>,
}

/// How long a program in a node may take where the caller does not say: longer than any step is allowed to.
const PATIENCE: u32 = 20;

impl Lab {
    /// The lab `name`.
    ///
    /// # Errors
    /// It is not up.
    pub fn open(name: &str) -> Result<Self, LabError> {
        let state = registry::load(name)?;
        if !state.up {
            return Err(LabError::not_up(name));
        }
        Ok(Self { name: name.to_owned(), nodes: state.nodes })
    }

    pub(crate) fn of(name: &str, nodes: BTreeMap<String, i32>) -> Self {
        Self { name: name.to_owned(), nodes }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its nodes, each with the process number of its first process.
    #[must_use]
    pub fn nodes(&self) -> &BTreeMap<String, i32> {
        &self.nodes
    }

    /// A command that will run `program` inside `node`, for callers who want its pipes.
    ///
    /// # Errors
    /// No such node.
    pub fn command(&self, node: &str, program: impl AsRef<OsStr>) -> Result<Command, LabError> {
        let Some(pid) = self.nodes.get(node) else {
            let names: Vec<&str> = self.nodes.keys().map(String::as_str).collect();
            return Err(LabError::usage(format!(
                "no node '{node}' in this lab; there are {}",
                names.join(", ")
            )));
        };
        Ok(node::enter(*pid, program))
    }

    /// Runs a program inside `node`, at most 20 seconds.
    ///
    /// # Errors
    /// No such node, or the program could not be started at all.
    pub fn run(&self, node: &str, command: &[&str]) -> Result<Output, LabError> {
        self.run_fed(node, command, "")
    }

    /// As [`Lab::run`], with `input` on its standard input.
    ///
    /// # Errors
    /// As [`Lab::run`].
    pub fn run_fed(&self, node: &str, command: &[&str], input: &str) -> Result<Output, LabError> {
        self.run_bounded(node, command, input, PATIENCE)
    }

    /// As [`Lab::run_fed`], ended after `seconds`.
    ///
    /// # Errors
    /// As [`Lab::run`].
    pub fn run_bounded(
        &self,
        node: &str,
        command: &[&str],
        input: &str,
        seconds: u32,
    ) -> Result<Output, LabError> {
        use std::os::unix::process::ExitStatusExt;
        let failed = |e: &std::io::Error| LabError::io(&format!("run {} in {node}", command.join(" ")), e);
        let mut child = self
            .command(node, "timeout")?
            .args(["-k", "1", &seconds.to_string()])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| failed(&e))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input is no fault of ours.
            let _ = stdin.write_all(input.as_bytes());
        }
        let done = child.wait_with_output().map_err(|e| failed(&e))?;
        Ok(Output {
            code: done.status.code().unwrap_or_else(|| 128 + done.status.signal().unwrap_or(0)),
            stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
        })
    }

    /// Runs a shell script inside `node`; answers its standard output.
    ///
    /// # Errors
    /// It ended with another status than 0: what it said.
    pub fn sh(&self, node: &str, script: &str) -> Result<String, LabError> {
        let done = self.run(node, &["sh", "-euc", script])?;
        if done.ok() {
            return Ok(done.stdout);
        }
        let first = script.lines().next().unwrap_or_default();
        Err(LabError::failed(format!("{node}: `{first}` ended with {}: {}", done.code, done.said())))
    }

    /// Writes a file inside `node`, with its folders; mode 0600 for what is secret.
    ///
    /// # Errors
    /// As [`Lab::sh`].
    pub fn write(&self, node: &str, path: &str, content: &str, secret: bool) -> Result<(), LabError> {
        let mask = if secret { "077" } else { "022" };
        let script = "umask \"$2\"; mkdir -p \"${1%/*}\"; cat > \"$1\"";
        let done = self.run_fed(node, &["sh", "-euc", script, "write", path, mask], content)?;
        if done.ok() {
            Ok(())
        } else {
            Err(LabError::failed(format!("{node}: cannot write {path}: {}", done.said())))
        }
    }

    /// Starts a program that stays; its output goes to `/var/log/lab/SERVICE.log`, its process number (inside the node) to
    /// `/run/lab/SERVICE.pid`.
    ///
    /// # Errors
    /// As [`Lab::sh`].
    pub fn start(&self, node: &str, service: &str, command: &[&str]) -> Result<(), LabError> {
        let script = "mkdir -p /run/lab /var/log/lab; s=$1; shift\n\
                      setsid \"$@\" >>/var/log/lab/$s.log 2>&1 </dev/null &\n\
                      echo $! >/run/lab/$s.pid";
        let mut whole = vec!["sh", "-euc", script, "start", service];
        whole.extend_from_slice(command);
        let done = self.run(node, &whole)?;
        if done.ok() {
            Ok(())
        } else {
            Err(LabError::failed(format!("{node}: cannot start {service}: {}", done.said())))
        }
    }

    /// Sends a signal (`TERM`, `KILL`, `HUP`, ...) to a service.
    ///
    /// # Errors
    /// As [`Lab::sh`]: also when it does not run.
    pub fn signal(&self, node: &str, service: &str, signal: &str) -> Result<(), LabError> {
        self.sh(node, &format!("kill -{signal} \"$(cat /run/lab/{service}.pid)\"")).map(drop)
    }

    /// Does the service run?
    #[must_use]
    pub fn runs(&self, node: &str, service: &str) -> bool {
        let script = format!("kill -0 \"$(cat /run/lab/{service}.pid)\"");
        self.run(node, &["sh", "-c", &script]).is_ok_and(|done| done.ok())
    }

    /// Ends a service in order and waits until it has ended.
    ///
    /// # Errors
    /// It does not end within ten seconds.
    pub fn stop(&self, node: &str, service: &str) -> Result<(), LabError> {
        if !self.runs(node, service) {
            return Ok(());
        }
        self.signal(node, service, "TERM")?;
        wait_for(Duration::from_secs(10), || !self.runs(node, service))
            .ok_or_else(|| LabError::failed(format!("{node}: {service} does not end on SIGTERM")))
            .map(drop)
    }

    /// The log of a service.
    ///
    /// # Errors
    /// No such node.
    pub fn log(&self, node: &str, service: &str) -> Result<String, LabError> {
        Ok(self.run(node, &["cat", &format!("/var/log/lab/{service}.log")])?.stdout)
    }

    /// Starts a new stretch of the taps, which looks for these strings; the one before is added to the whole.
    ///
    /// # Errors
    /// The supervisor does not answer.
    pub fn watch(&self, markers: &[&str]) -> Result<(), LabError> {
        let markers = markers.iter().map(|marker| (*marker).to_owned()).collect();
        control::call(&self.name, &Request::Watch { markers }).map(drop)
    }

    /// Forgets all stretches: the whole begins here.
    ///
    /// # Errors
    /// The supervisor does not answer.
    pub fn begin(&self) -> Result<(), LabError> {
        control::call(&self.name, &Request::Begin).map(drop)
    }

    /// What the wires carried since [`Lab::begin`], all stretches together.
    ///
    /// # Errors
    /// The supervisor does not answer.
    pub fn whole(&self) -> Result<Reading, LabError> {
        let answer = control::call(&self.name, &Request::Whole)?;
        serde_json::from_value(answer)
            .map_err(|e| LabError::failed(format!("the taps' answer is not theirs: {e}")))
    }

    /// What the wires carried since [`Lab::watch`].
    ///
    /// # Errors
    /// The supervisor does not answer.
    pub fn taps(&self) -> Result<Reading, LabError> {
        let answer = control::call(&self.name, &Request::Taps)?;
        serde_json::from_value(answer)
            .map_err(|e| LabError::failed(format!("the taps' answer is not theirs: {e}")))
    }

    /// Lets the taps see nothing any more, for measurements: they copy every frame.
    ///
    /// # Errors
    /// The supervisor does not answer, or could not.
    pub fn deafen(&self) -> Result<(), LabError> {
        let answer = control::call(&self.name, &Request::Deafen)?;
        if answer["deaf"] == true {
            Ok(())
        } else {
            Err(LabError::failed("the taps could not be taken off the wires"))
        }
    }

    /// Pulls (`false`) or plugs (`true`) the cable of a node's first interface, at the switch.
    ///
    /// # Errors
    /// No such node.
    pub fn cable(&self, node: &str, plugged: bool) -> Result<(), LabError> {
        let state = if plugged { "up" } else { "down" };
        self.sh(crate::topology::SWITCH, &format!("ip link set {node}-0 {state}")).map(drop)
    }
}

/// Asks `done` every few milliseconds; how long it took until the first yes, `None` if it took longer than `longest`.
pub fn wait_for(longest: Duration, mut done: impl FnMut() -> bool) -> Option<Duration> {
    let start = Instant::now();
    loop {
        if done() {
            return Some(start.elapsed());
        }
        if start.elapsed() > longest {
            return None;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
