//! The process that holds a lab: it builds everything, keeps the pipes that keep the nodes, reads the taps, and answers.
//!
//! It may end in any way at any moment; what it made is removed by the reaper. So there is one way out, and no second clean-up.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::control::{self, Request};
use crate::error::LabError;
use crate::handle::Lab;
use crate::node::Node;
use crate::registry::{self, State};
use crate::taps::Taps;
use crate::topology::{MACHINES, SWITCH, machine};
use crate::{product, reaper, servers, wiring};

/// What the supervisor tells `up` while it builds, one JSON line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Progress {
    /// A part is there; how long it took.
    Done { what: String, seconds: f64 },
    /// Everything is there.
    Up,
    /// Nothing is there: why.
    Failed { why: String },
    /// Another supervisor holds a lab of this name, or its reaper still works.
    Taken,
}

/// The line with which `up` says that the lab stays when it ends.
pub(crate) const KEEP: &str = "keep";

/// Runs as the supervisor of `lab` until it is told to end.
pub(crate) fn supervisor(lab: &str, exe: &str, bare: bool) -> i32 {
    // It outlives the terminal and is not reached by its Ctrl-C. It fails only where it already leads a session.
    let _ = rustix::process::setsid();
    let lock = match registry::try_lock(lab) {
        Ok(Some(lock)) => lock,
        Ok(None) => {
            tell(&Progress::Taken);
            return 1;
        }
        Err(error) => {
            tell(&Progress::Failed { why: error.to_string() });
            return 1;
        }
    };
    match build(lab, lock, Path::new(exe), bare) {
        Ok(held) => {
            tell(&Progress::Up);
            held.serve()
        }
        Err(error) => {
            tell(&Progress::Failed { why: error.to_string() });
            1
        }
    }
}

/// Ends with `up`, as long as that has not said that the lab stays.
fn watch_parent() {
    thread::spawn(|| {
        let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
        let kept = lines.any(|line| line == KEEP);
        if !kept {
            std::process::exit(1);
        }
    });
}

fn tell(progress: &Progress) {
    if let Ok(mut line) = serde_json::to_vec(progress) {
        line.push(b'\n');
        // Nobody listens any more once `up` has ended.
        let _ = std::io::stdout().write_all(&line);
    }
}

/// Runs one part of the work and tells how long it took.
fn part<T>(what: &str, work: impl FnOnce() -> Result<T, LabError>) -> Result<T, LabError> {
    let start = Instant::now();
    let made = work()?;
    tell(&Progress::Done { what: what.to_owned(), seconds: start.elapsed().as_secs_f64() });
    Ok(made)
}

/// Everything that must live as long as the lab.
struct Held {
    listener: UnixListener,
    taps: Arc<Taps>,
    _nodes: Vec<Node>,
}

fn build(name: &str, lock: File, exe: &Path, bare: bool) -> Result<Held, LabError> {
    // What a lab that was killed together with its reaper has left.
    registry::clean(name)?;
    registry::create(name)?;
    keep_reaper(name, lock)?;
    // From here on somebody removes what is left. A pipe that was closed before is found closed.
    watch_parent();
    let mut state = State {
        supervisor: rustix::process::getpid().as_raw_nonzero().get(),
        exe: exe.to_owned(),
        ..State::default()
    };

    let nodes =
        part(&format!("{} nodes: namespaces, private files", MACHINES.len() + 1), || nodes(name, exe))?;
    state.nodes = nodes.iter().map(|(node, held)| ((*node).to_owned(), held.pid)).collect();
    registry::save(name, &state)?;
    let lab = Lab::of(name, state.nodes.clone());

    part("cables, addresses, the two NATs", || wiring::wire(&lab))?;
    let listener =
        UnixListener::bind(registry::socket(name)).map_err(|e| LabError::io("open the lab's socket", &e))?;
    let taps = Arc::new(Taps::open(&registry::netns(name, SWITCH), ports(&lab)?)?);
    let pump = Arc::clone(&taps);
    thread::spawn(move || pump.pump());

    let key = servers::update_key(&lab)?;
    part("servers: bind9 on dns, web and nat; nginx; dropbear", || servers::start(&lab, &key))?;
    if !bare {
        product::start(&lab, &key, &|what, seconds| {
            tell(&Progress::Done { what: what.to_owned(), seconds })
        })?;
    }
    state.up = true;
    registry::save(name, &state)?;
    Ok(Held { listener, taps, _nodes: nodes.into_iter().map(|(_, node)| node).collect() })
}

/// Starts all nodes at once.
fn nodes(lab: &str, exe: &Path) -> Result<Vec<(&'static str, Node)>, LabError> {
    thread::scope(|scope| {
        let starting: Vec<_> = crate::topology::nodes()
            .map(|name| {
                let resolver = machine(name).map_or("", |machine| machine.resolver);
                (name, scope.spawn(move || Node::start(lab, name, exe, resolver)))
            })
            .collect();
        let ended = |_| Err(LabError::failed("a node's thread ended"));
        starting.into_iter().map(|(name, node)| Ok((name, node.join().unwrap_or_else(ended)?))).collect()
    })
}

/// Starts the reaper, and another one whenever it ends: as long as the supervisor lives, there is one.
fn keep_reaper(lab: &str, lock: File) -> Result<(), LabError> {
    let mut reaper = reaper::start(lab, &lock)?;
    let lab = lab.to_owned();
    thread::spawn(move || {
        loop {
            // Waiting closes a pipe that the child still owns, and this pipe is what the reaper lives by.
            let _pipe = reaper.stdin.take();
            let _ = reaper.wait();
            match reaper::start(&lab, &lock) {
                Ok(next) => reaper = next,
                Err(_) => return,
            }
        }
    });
    Ok(())
}

/// Which device of the switch is on which segment.
fn ports(lab: &Lab) -> Result<BTreeMap<u32, &'static str>, LabError> {
    let listed =
        lab.sh(SWITCH, "cd /sys/class/net; for d in */ifindex; do echo \"${d%/*} $(cat $d)\"; done")?;
    let index: BTreeMap<&str, u32> = listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(d, n)| Some((d, n.parse().ok()?)))
        .collect();
    let mut ports = BTreeMap::new();
    for machine in MACHINES {
        for (leg, at) in machine.legs.iter().enumerate() {
            let port = machine.port(leg);
            let found = index
                .get(port.as_str())
                .ok_or_else(|| LabError::failed(format!("the switch has no port {port}")))?;
            ports.insert(*found, at.segment.name());
        }
    }
    Ok(ports)
}

impl Held {
    /// Answers until `down`.
    fn serve(&self) -> i32 {
        for stream in self.listener.incoming().flatten() {
            let mut end = false;
            // Who asks nonsense gets no answer; the next one is served all the same.
            let _ = control::serve(stream, |request| match request {
                Request::Watch { markers } => {
                    self.taps.watch(markers);
                    json!({})
                }
                Request::Begin => {
                    self.taps.begin();
                    json!({})
                }
                Request::Taps => serde_json::to_value(self.taps.read()).unwrap_or(Value::Null),
                Request::Whole => serde_json::to_value(self.taps.whole()).unwrap_or(Value::Null),
                Request::Deafen => json!({"deaf": self.taps.deafen().is_ok()}),
                Request::Down => {
                    end = true;
                    json!({})
                }
            });
            if end {
                return 0;
            }
        }
        1
    }
}

/// Starts a supervisor as a child of this process, with pipes to its standard input and output.
pub(crate) fn spawn(options: &crate::Options) -> Result<std::process::Child, LabError> {
    let exe: PathBuf = options
        .exe
        .canonicalize()
        .map_err(|e| LabError::io(&format!("find {}", options.exe.display()), &e))?;
    std::process::Command::new(registry::own_exe())
        .args(["lab", "internal", "supervisor", &options.name])
        .arg(exe)
        .arg(if options.bare { "bare" } else { "whole" })
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .map_err(|e| LabError::io("start the lab's supervisor", &e))
}
