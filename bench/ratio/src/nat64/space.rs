//! Network namespaces: made, entered by a thread, removed.

use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Before the number of the process that made it.
const MARK: &str = "sgbench";
const FOLDER: &str = "/run/netns";

/// One machine of the measurement, until this is dropped.
pub(super) struct Space {
    name: String,
}

impl Space {
    pub(super) fn new(machine: &str) -> Result<Self, String> {
        let name = format!("{MARK}{}-{machine}", std::process::id());
        run(&["ip", "netns", "add", &name])?;
        let space = Self { name };
        space.ip("link set lo up")?;
        Ok(space)
    }

    /// Runs `ip` here.
    pub(super) fn ip(&self, arguments: &str) -> Result<(), String> {
        let words = ["ip", "-netns", &self.name].into_iter().chain(arguments.split_whitespace());
        run(&words.collect::<Vec<_>>())
    }

    /// Runs a shell command here.
    pub(super) fn sh(&self, command: &str) -> Result<(), String> {
        run(&["ip", "netns", "exec", &self.name, "sh", "-c", command])
    }

    /// What a command says here.
    pub(super) fn output(&self, words: &[&str]) -> Result<String, String> {
        let done = Command::new("ip").args(["netns", "exec", &self.name]).args(words).output();
        let done = done.map_err(|e| format!("ip: {e}"))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&done.stderr).trim()))
    }

    /// A command that is to run here, and ends with us however we end.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "setpriv", "--pdeathsig", "KILL", program]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs `what` in a thread of this namespace.
    pub(super) fn thread<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> JoinHandle<Result<T, String>> {
        let path = format!("{FOLDER}/{}", self.name);
        thread::spawn(move || {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let space = rustix::fs::open(&path, flags, Mode::empty()).map_err(|e| format!("{path}: {e}"))?;
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&space), Some(LinkNameSpaceType::Network))
                .map_err(|e| format!("{path}: {e}"))?;
            what()
        })
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // What is left of a machine, the next measurement removes.
        let _ = run(&["ip", "netns", "del", &self.name]);
    }
}

/// What a thread of a namespace found.
pub(super) fn joined<T>(thread: JoinHandle<Result<T, String>>) -> Result<T, String> {
    thread.join().map_err(|_| "a thread of the measurement panicked".to_owned())?
}

/// Connects two machines by a cable.
pub(super) fn cable(from: (&Space, &str), to: (&Space, &str)) -> Result<(), String> {
    let ((a, a_device), (b, b_device)) = (from, to);
    run(&[
        "ip", "link", "add", a_device, "netns", &a.name, "type", "veth", "peer", "name", b_device, "netns",
        &b.name,
    ])?;
    a.ip(&format!("link set {a_device} up"))?;
    b.ip(&format!("link set {b_device} up"))
}

/// Removes the namespaces of measurements that were killed.
pub(super) fn sweep() {
    let Ok(entries) = std::fs::read_dir(FOLDER) else { return };
    for name in entries.flatten().filter_map(|e| e.file_name().into_string().ok()) {
        let process = name.strip_prefix(MARK).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = run(&["ip", "netns", "del", &name]);
        }
    }
}

/// Runs a program that must succeed.
pub(super) fn run(words: &[&str]) -> Result<(), String> {
    let (program, arguments) = words.split_first().ok_or("an empty command")?;
    let done = Command::new(program).args(arguments).output().map_err(|e| format!("{program}: {e}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&done.stderr).trim()))
}
