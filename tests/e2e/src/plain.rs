//! Plain namespaces, for functions that run alone: no lab, some machines and cables.
//!
//! ```text
//!  left ===== middle ===== right        [`Row::new`]; for other shapes [`Row::of`], with [`Row::plug`] into switches
//!   l0       m0    m1       r0
//! ```

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::watched::{Counts, Watched};
use crate::world::binary;

/// Namespaces, until this is dropped.
pub struct Row {
    name: String,
    machines: Vec<String>,
    folder: PathBuf,
    children: Vec<Child>,
}

/// What a command said.
pub struct Said {
    /// It ended with 0.
    pub good: bool,
    /// Standard output and error.
    pub text: String,
}

impl Row {
    /// Namespaces and cables, loopback up. Needs root.
    #[must_use]
    pub fn new(test: &str) -> Self {
        let row = Self::of(test, &["left", "middle", "right"]);
        for (a, a_machine, b, b_machine) in [("l0", "left", "m0", "middle"), ("m1", "middle", "r0", "right")]
        {
            row.cable(a_machine, a, b_machine, b);
        }
        row
    }

    /// These machines, loopback up, without a cable. Needs root.
    #[must_use]
    pub fn of(test: &str, machines: &[&str]) -> Self {
        let name = format!("sga{}{test}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let machines = machines.iter().map(|m| (*m).to_owned()).collect();
        let row = Self { name, machines, folder, children: Vec::new() };
        for machine in &row.machines {
            outside(&["ip", "netns", "add", &row.namespace(machine)]);
            row.ip(machine, "link set lo up");
        }
        row
    }

    /// Plugs a device of a machine into another machine, which is a switch.
    pub fn plug(&self, machine: &str, device: &str, switch: &str) {
        let port = format!("{machine}-{device}");
        self.cable(machine, device, switch, &port);
        if !self.sh(switch, "ip link show sw").good {
            self.ip(switch, "link add sw type bridge");
            self.ip(switch, "link set sw up");
        }
        self.ip(switch, &format!("link set {port} master sw"));
    }

    /// A cable between two machines, with a device at each end.
    pub fn cable(&self, a_machine: &str, a: &str, b_machine: &str, b: &str) {
        let (from, to) = (self.namespace(a_machine), self.namespace(b_machine));
        outside(&["ip", "link", "add", a, "netns", &from, "type", "veth", "peer", "name", b, "netns", &to]);
        self.ip(a_machine, &format!("link set {a} up"));
        self.ip(b_machine, &format!("link set {b} up"));
    }

    /// Name of a machine's network namespace.
    #[must_use]
    pub fn namespace(&self, machine: &str) -> String {
        format!("{}-{machine}", self.name)
    }

    /// Where files of this test go.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The station address of a machine's device.
    #[must_use]
    pub fn station(&self, machine: &str, device: &str) -> [u8; 6] {
        let text = self.sh(machine, &format!("cat /sys/class/net/{device}/address")).text;
        let octets = text.trim().split(':').map(|octet| u8::from_str_radix(octet, 16));
        let octets: Result<Vec<u8>, _> = octets.collect();
        octets.ok().and_then(|octets| octets.try_into().ok()).expect("six octets")
    }

    /// Runs `ip` on a machine; it must succeed.
    pub fn ip(&self, machine: &str, arguments: &str) {
        let said = self.sh(machine, &format!("ip {arguments}"));
        assert!(said.good, "{machine}: ip {arguments}: {}", said.text);
    }

    /// Runs a shell command on a machine, at most 20 s.
    #[must_use]
    pub fn sh(&self, machine: &str, command: &str) -> Said {
        self.sh_within(machine, 20, command)
    }

    /// Runs a shell command on a machine, at most so many seconds.
    #[must_use]
    pub fn sh_within(&self, machine: &str, seconds: u32, command: &str) -> Said {
        let seconds = seconds.to_string();
        let done = Command::new("timeout")
            .args([seconds.as_str(), "ip", "netns", "exec", &self.namespace(machine), "sh", "-c", command])
            .output()
            .expect("ip and timeout are there");
        said(&done)
    }

    /// Starts a program on a machine; it ends with the row.
    pub fn start(&mut self, machine: &str, command: &str) {
        let child = Command::new("ip")
            .args(["netns", "exec", &self.namespace(machine), "sh", "-c", &format!("exec {command}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ip is there");
        self.children.push(child);
    }

    /// Writes a configuration file, with control socket and state in this test's folder.
    #[must_use]
    pub fn file(&self, name: &str, sections: &str) -> PathBuf {
        let path = self.folder.join(format!("{name}.toml"));
        let folder = self.folder.display();
        let text = format!(
            "schema = 1\ncontrol = \"{folder}/{name}.sock\"\nstate = \"{folder}/{name}\"\n{sections}"
        );
        std::fs::File::create(&path)
            .and_then(|mut f| f.write_all(text.as_bytes()))
            .expect("a file can be written");
        path
    }

    /// Starts a daemon of ours and waits until it says `ready`.
    pub fn daemon(&mut self, machine: &str, command: &[&str], file: &Path) -> Daemon {
        let log = file.with_extension("log");
        let out = std::fs::File::create(&log).expect("a log can be made");
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.namespace(machine)])
            .arg(binary())
            .args(command)
            .arg("--config")
            .arg(file)
            .stdin(Stdio::null())
            .stderr(out)
            .spawn()
            .expect("ip is there");
        let ready = wait(Duration::from_secs(10), || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            text.contains(" ready") || child.try_wait().is_ok_and(|ended| ended.is_some())
        });
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        assert!(ready && text.contains(" ready"), "{command:?} is not ready: {text}");
        Daemon { child, log, socket: file.with_extension("sock") }
    }
}

/// A daemon of ours; killed when dropped, ended in order by [`Daemon::stop`].
pub struct Daemon {
    child: Child,
    log: PathBuf,
    socket: PathBuf,
}

impl Daemon {
    /// Runs `sixgate COMMAND --json` against this daemon and gives the document.
    #[must_use]
    pub fn ask(&self, command: &[&str]) -> serde_json::Value {
        let done =
            Command::new(binary()).args(command).arg("--json").arg("--socket").arg(&self.socket).output();
        let done = done.expect("the binary runs");
        serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|e| panic!("{command:?}: {e}: {}", said(&done).text))
    }

    /// SIGHUP; answers when the file is in force.
    pub fn reload(&self) {
        let reloads = || std::fs::read_to_string(&self.log).unwrap_or_default().matches(" reloaded").count();
        let before = reloads();
        self.hang_up();
        assert!(
            wait(Duration::from_secs(5), || reloads() > before),
            "the daemon has not read its file again"
        );
    }

    /// SIGHUP; whether the file is taken over or not.
    pub fn hang_up(&self) {
        outside(&["kill", "-HUP", &self.child.id().to_string()]);
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: it ends without a word.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM; gives whether it ended with 0.
    #[must_use]
    pub fn stop(mut self) -> bool {
        outside(&["kill", "-TERM", &self.child.id().to_string()]);
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Watched for Daemon {
    fn counters(&self) -> Counts {
        let document = self.ask(&["counters"]);
        let counters = document["counters"].as_object().expect("it has .counters");
        counters.iter().map(|(reason, count)| (reason.clone(), count.as_u64().expect("a number"))).collect()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("it has a log")
    }

    fn lives(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        for machine in &self.machines {
            let _ = Command::new("ip").args(["netns", "del", &self.namespace(machine)]).status();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits until `done` says so; false when the time is over.
pub fn wait(longest: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + longest;
    while Instant::now() < end {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    done()
}

fn outside(command: &[&str]) {
    let done = Command::new(command[0]).args(&command[1..]).output().expect("the program is there");
    assert!(done.status.success(), "{command:?} (needs root): {}", said(&done).text);
}

fn said(done: &Output) -> Said {
    let text = [done.stdout.as_slice(), done.stderr.as_slice()].concat();
    Said { good: done.status.success(), text: String::from_utf8_lossy(&text).into_owned() }
}
