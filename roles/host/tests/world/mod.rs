//! Two namespaces and a wire, and the programs in them.

mod parts;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

pub(crate) use parts::play;

/// Which namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Host,
    Router,
}

/// Goes, with everything in it, when dropped.
pub(crate) struct World {
    host: String,
    router: String,
    directory: PathBuf,
}

impl World {
    pub(crate) fn new(name: &str) -> Self {
        let id = std::process::id();
        let directory = env::temp_dir().join(format!("sixgate-host-{id}-{name}"));
        fs::create_dir_all(&directory).unwrap();
        let world = Self { host: format!("sgh-{id}-{name}"), router: format!("sgr-{id}-{name}"), directory };
        for ns in [&world.host, &world.router] {
            must(&format!("ip netns add {ns}"));
            must(&format!("ip -n {ns} link set lo up"));
        }
        must(&format!("ip netns exec {} sysctl -qw net.ipv6.conf.all.disable_ipv6=1", world.host));
        must(&format!("ip netns exec {} sysctl -qw net.ipv6.conf.default.disable_ipv6=1", world.host));
        must(&format!("ip -n {} link add eth0 type veth peer name eth0 netns {}", world.host, world.router));
        for (ns, address) in [(&world.host, "10.6.8.20/24"), (&world.router, "10.6.8.1/24")] {
            must(&format!("ip -n {ns} address add {address} dev eth0"));
            must(&format!("ip -n {ns} link set eth0 up"));
        }
        must(&format!("ip -n {} address add fd00:1::7/128 dev lo", world.router));
        world
    }

    /// A router that serves 10.6.8.0/24. It stops answering when dropped, without a word.
    pub(crate) fn router(&self) -> Part {
        self.router_at("10.6.8.1")
    }

    /// Another router of the same offer. Its address must be on the wire.
    pub(crate) fn router_at(&self, address: &str) -> Part {
        let mut part = self.part(Side::Router, &[("SIXGATE_PART", "router"), ("SIXGATE_ROUTER", address)]);
        part.wait_for("router ready");
        part
    }

    /// A name server in the router's namespace that knows one name, the router's.
    pub(crate) fn name_server(&self) -> Part {
        let mut part = self.part(Side::Router, &[("SIXGATE_PART", "names")]);
        part.wait_for("names ready");
        part
    }

    /// The daemon, with the router's address in its file.
    pub(crate) fn host(&self) -> Part {
        self.host_with("interface = \"eth0\"\nrouters = [\"10.6.8.1\"]\n")
    }

    /// The daemon, with these lines in its section.
    pub(crate) fn host_with(&self, lines: &str) -> Part {
        let file = self.write_file(lines).display().to_string();
        self.part(Side::Host, &[("SIXGATE_PART", "host"), ("SIXGATE_FILE", &file)])
    }

    /// Writes the daemon's file.
    pub(crate) fn write_file(&self, lines: &str) -> PathBuf {
        let file = self.directory.join("host.toml");
        let text = format!(
            "schema = 1\ncontrol = \"{0}/control.sock\"\nstate = \"{0}/state\"\n[host]\n{lines}",
            self.directory.display()
        );
        fs::write(&file, text).unwrap();
        file
    }

    /// Sends so many megabytes from one side to a listener on the other, and compares what arrived.
    pub(crate) fn transfer(&self, from: Side, to: Side, address: &str, megabytes: u64) {
        let mut sink = self.part(to, &[("SIXGATE_PART", "sink"), ("SIXGATE_ADDRESS", address)]);
        sink.wait_for("listening");
        let count = megabytes.to_string();
        let mut source = self.part(
            from,
            &[("SIXGATE_PART", "source"), ("SIXGATE_ADDRESS", address), ("SIXGATE_MEGABYTES", &count)],
        );
        assert!(source.ended_well(), "{}", source.log());
        assert!(sink.ended_well(), "{}", sink.log());
        let sum = |log: String| log.lines().find_map(|l| l.strip_prefix("sum ").map(str::to_owned)).unwrap();
        assert_eq!(sum(source.log()), sum(sink.log()));
    }

    /// Runs `ip ARGUMENTS` in the router's namespace.
    pub(crate) fn router_ip(&self, arguments: &str) {
        must(&format!("ip -n {} {arguments}", self.router));
    }

    /// A TCP connection from the host that is used all the time while `meanwhile` happens a second after it began; gives
    /// the longest time that an octet took there and back.
    pub(crate) fn longest_wait(&self, address: &str, meanwhile: impl FnOnce()) -> Duration {
        let mut server = self.part(Side::Router, &[("SIXGATE_PART", "echo"), ("SIXGATE_ADDRESS", address)]);
        server.wait_for("listening");
        let mut client = self.part(Side::Host, &[("SIXGATE_PART", "talk"), ("SIXGATE_ADDRESS", address)]);
        client.wait_for("talking");
        thread::sleep(Duration::from_secs(1));
        meanwhile();
        assert!(client.ended_well(), "{}", client.log());
        let log = client.log();
        let wait = log.lines().find_map(|l| l.strip_prefix("longest wait ")).unwrap();
        Duration::from_millis(wait.parse().unwrap())
    }

    /// How long a connection from the host takes to fail.
    pub(crate) fn time_to_fail(&self, address: &str) -> Duration {
        let address = format!("[{address}]:9");
        let mut part = self.part(Side::Host, &[("SIXGATE_PART", "connect"), ("SIXGATE_ADDRESS", &address)]);
        assert!(part.ended_well(), "{}", part.log());
        let log = part.log();
        let micros = log.lines().find_map(|l| l.strip_prefix("failed after ")).unwrap().parse().unwrap();
        Duration::from_micros(micros)
    }

    pub(crate) fn status(&self) -> serde_json::Value {
        self.call(sixgate_api::path::STATUS)
    }

    pub(crate) fn counters(&self) -> serde_json::Value {
        self.call(sixgate_api::path::COUNTERS)["counters"].take()
    }

    fn call(&self, path: &str) -> serde_json::Value {
        let socket = self.directory.join("control.sock");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let nothing = serde_json::Value::Null;
        runtime
            .block_on(sixgate_io_control::call(&socket, sixgate_io_control::Method::Get, path, &nothing))
            .unwrap()
    }

    /// What `ip ARGUMENTS` says in the host's namespace.
    pub(crate) fn host_ip(&self, arguments: &str) -> String {
        run(&format!("ip -n {} {arguments}", self.host)).1
    }

    /// Whether a command in the host's namespace ends well, and what it says.
    pub(crate) fn host_run(&self, command: &str) -> (bool, String) {
        run(&format!("ip netns exec {} {command}", self.host))
    }

    pub(crate) fn host_sysctl(&self, name: &str) -> String {
        self.host_run(&format!("sysctl -n {name}")).1.trim().to_owned()
    }

    /// Packets that crossed the device, both ways.
    pub(crate) fn device_packets(&self) -> u64 {
        let (_, text) = self.host_run("cat /proc/net/dev");
        let line = text.lines().find(|l| l.trim_start().starts_with("isatap0:")).unwrap();
        let fields: Vec<u64> = line.split_whitespace().skip(1).map(|f| f.parse().unwrap()).collect();
        fields[1] + fields[9]
    }

    /// Everything of the host's network that a daemon could leave behind.
    pub(crate) fn dump(&self) -> String {
        let parts = [
            self.host_run("sysctl -a --pattern ^net\\.ipv[46]\\.(conf|ip_forward)").1,
            self.host_ip("-o address show"),
            self.host_ip("-4 route show table all"),
            self.host_ip("-6 route show table all"),
            self.host_ip("rule show"),
            self.host_ip("-6 rule show"),
        ];
        parts.join("\n")
    }

    fn part(&self, side: Side, environment: &[(&str, &str)]) -> Part {
        let ns = match side {
            Side::Host => &self.host,
            Side::Router => &self.router,
        };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", ns]).arg(env::current_exe().unwrap());
        command.args(["part", "--exact", "--nocapture", "--test-threads=1"]);
        command.envs(environment.iter().copied()).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let readers = [
            follow(child.stdout.take().unwrap(), Arc::clone(&log)),
            follow(child.stderr.take().unwrap(), Arc::clone(&log)),
        ];
        Part { child, log, readers: readers.into() }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for ns in [&self.host, &self.router] {
            run(&format!("ip netns del {ns}"));
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A program of the world; killed when dropped.
pub(crate) struct Part {
    child: Child,
    log: Arc<Mutex<String>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Part {
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log has this text.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        while !self.log().contains(text) {
            assert!(start.elapsed() < Duration::from_secs(10), "no `{text}` in:\n{}", self.log());
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(self.log().contains(text), "ended with {status} before `{text}`:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops it where it is, with everything that it holds.
    pub(crate) fn freeze(&self) {
        run(&format!("kill -STOP {}", self.child.id()));
    }

    /// Asks for an orderly end.
    pub(crate) fn terminate(&self) {
        run(&format!("kill -TERM {}", self.child.id()));
    }

    /// Asks it to read its file again.
    pub(crate) fn hang_up(&self) {
        run(&format!("kill -HUP {}", self.child.id()));
    }

    /// Ends it without asking.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end; true when its status is zero.
    pub(crate) fn ended_well(&mut self) -> bool {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                for reader in self.readers.drain(..) {
                    reader.join().unwrap();
                }
                return status.success();
            }
            assert!(start.elapsed() < Duration::from_secs(60), "it does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells a person what a test measured.
pub(crate) fn measured(what: &str, time: Duration) {
    let _ = writeln!(std::io::stderr(), "{what}: {time:?}");
}

/// Waits until `what` is so.
pub(crate) fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(20), "still not: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn follow(stream: impl std::io::Read + Send + 'static, log: Arc<Mutex<String>>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    })
}

fn must(command: &str) {
    let (good, said) = run(command);
    assert!(good, "{command}: {said}\n(this test needs root)");
}

fn run(command: &str) -> (bool, String) {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}
