//! One machine of the lab: a process in its own network, mount, host name, IPC and process namespaces.

pub(crate) mod init;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::LabError;
use crate::registry;

/// What a node's programs find in their environment, whatever the caller's was.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A node that the supervisor started; dropping it closes the pipe and so ends the node.
pub(crate) struct Node {
    /// Process 1 of the node, as numbered outside.
    pub(crate) pid: i32,
    /// Holds the pipe to the node's first process; a thread of the supervisor waits for none of them.
    _process: Child,
}

impl Node {
    /// Starts node `name` of `lab` and gives its network namespace a name for `ip netns`.
    pub(crate) fn start(lab: &str, name: &str, exe: &Path, resolver: &str) -> Result<Self, LabError> {
        let mut process = Command::new("unshare")
            .args(["--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--propagation", "private", "--"])
            .arg(registry::own_exe())
            .args(["lab", "internal", "init", lab, name])
            .arg(exe)
            .arg(resolver)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .env("PATH", PATH)
            .spawn()
            .map_err(|e| LabError::io("run unshare (util-linux)", &e))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|e| LabError::io("hear of the node", &e))?;
        }
        let pid = match line.trim_end().split_once(' ') {
            Some(("ready", pid)) => {
                pid.parse().map_err(|_| LabError::failed(format!("{name}: no process number")))?
            }
            Some((_, why)) => {
                return Err(LabError::failed(format!("node {name} could not be prepared: {why}")));
            }
            None => {
                return Err(LabError::failed(format!(
                    "node {name} could not be made: may this machine make namespaces?"
                )));
            }
        };
        registry::name_namespace(lab, name, pid)?;
        Ok(Self { pid, _process: process })
    }
}

/// A command that runs `program` inside the node whose first process is `pid`.
pub(crate) fn enter(pid: i32, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &pid.to_string(), "--mount", "--uts", "--ipc", "--net", "--pid", "--"]);
    command.arg(program).env("PATH", PATH).env("HOME", "/root").env("USER", "root").env_remove("SIXGATE_BIN");
    command
}
