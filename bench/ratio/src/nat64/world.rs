//! The machines of the measurement.
//!
//! ```text
//!                c1 ==== g0 forward g1 ==== s1
//!  client (IPv6) c2 ==== g0 sixgate g1 ==== s2 server (IPv6 for forward, IPv4 for the others)
//!                c3 ==== g0  tayga  g1 ==== s3
//! ```
//! Every way has a gateway and cables of its own, so that nothing is set up between two figures, and none pays for what another
//! one needs: netfilter's connection tracking is in tayga's gateway alone.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::space::{Space, cable, sweep};
use super::subject::{POOL, Subject, TAYGA_POOL};

/// How long a daemon may take until it is ready.
const READY: Duration = Duration::from_secs(15);

/// How large packets are on the cables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// Ends send super-packets of 64 KB, which cross whole.
    Gso,
    /// Ends send frames of the MTU, the gateway's devices merge them: nearest to a real network card.
    Gro,
    /// Frames of the MTU everywhere.
    Mtu,
}

impl Mode {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gso => "gso",
            Self::Gro => "gro",
            Self::Mtu => "mtu",
        }
    }
}

pub(super) struct World {
    pub(super) client: Space,
    pub(super) server: Space,
    gateways: Vec<(Subject, Space)>,
    daemons: Vec<Child>,
    sixgate: Option<u32>,
    folder: PathBuf,
}

impl World {
    /// Everything up and ready. Without the translator, its gateway forwards IPv6 to a server that has the translated address.
    pub(super) fn up(subjects: &[Subject], with_translator: bool) -> Result<Self, String> {
        sweep();
        let folder = std::env::temp_dir().join(format!("sixgate-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut world = Self {
            client: Space::new("client")?,
            server: Space::new("server")?,
            gateways: Vec::new(),
            daemons: Vec::new(),
            sixgate: None,
            folder,
        };
        for subject in subjects.iter().copied() {
            world.plug(subject)?;
        }
        for subject in subjects.iter().copied() {
            match subject {
                Subject::Forward => world.gateway(subject).sh("sysctl -qw net.ipv6.conf.all.forwarding=1")?,
                Subject::Sixgate if with_translator => world.start_sixgate()?,
                Subject::Sixgate => world.go_without()?,
                Subject::Tayga => world.start_tayga()?,
            }
        }
        Ok(world)
    }

    fn gateway(&self, subject: Subject) -> &Space {
        let found = self.gateways.iter().find(|(s, _)| *s == subject);
        &found.expect("every subject is plugged in before it is started").1
    }

    /// Sixgate's resident memory, in octets.
    pub(super) fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.sixgate?)).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
    }

    /// Processor time of sixgate's workers.
    pub(super) fn worked(&self) -> Result<Duration, String> {
        let folder = format!("/proc/{}/task", self.sixgate.ok_or("sixgate does not run")?);
        let mut nanos = 0;
        for task in std::fs::read_dir(&folder).map_err(|e| format!("{folder}: {e}"))?.flatten() {
            let read = |name| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
            if read("comm").starts_with("worker") {
                nanos += read("schedstat").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            }
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// UDP bindings of sixgate.
    pub(super) fn sessions(&self) -> Result<u64, String> {
        let binary = std::env::var("SIXGATE_BIN").map_err(|e| e.to_string())?;
        let socket = self.folder.join("control.sock").display().to_string();
        let words = [&binary, "nat64", "pools", "--json", "--socket", &socket];
        let document = self.gateway(Subject::Sixgate).output(&words)?;
        let document: serde_json::Value =
            serde_json::from_str(&document).map_err(|e| format!("nat64 pools: {e}"))?;
        let pools = document["pools"].as_array().ok_or("nat64 pools has no .pools")?;
        Ok(pools.iter().filter(|p| p["proto"] == "udp").filter_map(|p| p["used"].as_u64()).sum())
    }

    /// The station address of a gateway's device to the client.
    pub(super) fn station(&self, subject: Subject) -> Result<[u8; 6], String> {
        let text = self.gateway(subject).output(&["cat", "/sys/class/net/g0/address"])?;
        let octets: Result<Vec<u8>, _> = text.trim().split(':').map(|o| u8::from_str_radix(o, 16)).collect();
        octets.ok().and_then(|o| o.try_into().ok()).ok_or(format!("no station address: {text}"))
    }

    /// Cables, addresses and routes of one way.
    fn plug(&mut self, subject: Subject) -> Result<(), String> {
        let gateway = Space::new(subject.name())?;
        let (c, s) = (format!("c{}", subject.number()), format!("s{}", subject.number()));
        cable((&self.client, &c), (&gateway, "g0"))?;
        cable((&gateway, "g1"), (&self.server, &s))?;
        self.client.ip(&format!("addr add {}/64 dev {c} nodad", subject.inside(2)))?;
        gateway.ip(&format!("addr add {}/64 dev g0 nodad", subject.inside(1)))?;
        gateway.ip(&format!("addr add {}/64 dev g1 nodad", subject.outside6(1)))?;
        gateway.ip(&format!("addr add {}/24 dev g1", subject.outside4(1)))?;
        self.server.ip(&format!("addr add {}/64 dev {s} nodad", subject.outside6(2)))?;
        self.server.ip(&format!("addr add {}/24 dev {s}", subject.outside4(2)))?;
        self.server.ip(&format!("-6 route add {}/64 via {}", subject.inside(0), subject.outside6(1)))?;
        self.client.ip(&format!("-6 route add {} via {}", subject.prefix(), subject.inside(1)))?;
        self.client.ip(&format!("-6 route add {}/64 via {}", subject.outside6(0), subject.inside(1)))?;
        self.gateways.push((subject, gateway));
        Ok(())
    }

    fn start_sixgate(&mut self) -> Result<(), String> {
        let binary = std::env::var("SIXGATE_BIN")
            .map_err(|_| "SIXGATE_BIN must name the binary (make bench does)".to_owned())?;
        let subject = Subject::Sixgate;
        let (file, log) = (self.folder.join("sixgate.toml"), self.folder.join("sixgate.log"));
        let folder = self.folder.display();
        let text = format!(
            "schema = 1\ncontrol = \"{folder}/control.sock\"\nstate = \"{folder}/state\"\n\
             [nat64]\nprefix = \"{}\"\npool = [\"{POOL}/24\"]\nmax-sessions = 1100000\n",
            subject.prefix()
        );
        std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
        let out = std::fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let mut command = self.gateway(subject).command(&binary);
        command.args(["run", "--config"]).arg(&file).stderr(out);
        let child = command.spawn().map_err(|e| format!("{binary}: {e}"))?;
        self.sixgate = Some(child.id());
        self.daemons.push(child);
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        wait(|| said().contains(" ready")).map_err(|()| format!("sixgate is not ready: {}", said()))?;
        self.server.ip(&format!("route add {POOL}/24 via {}", subject.outside4(1)))
    }

    /// The kernel forwards what the translator would have got, and the server answers under the translated address.
    fn go_without(&self) -> Result<(), String> {
        let subject = Subject::Sixgate;
        let gateway = self.gateway(subject);
        gateway.sh("sysctl -qw net.ipv6.conf.all.forwarding=1")?;
        gateway.ip(&format!("-6 route add {} via {}", subject.prefix(), subject.outside6(2)))?;
        self.server.ip(&format!("addr add {}/128 dev s{} nodad", subject.target(), subject.number()))
    }

    fn start_tayga(&mut self) -> Result<(), String> {
        let subject = Subject::Tayga;
        let (file, data) = (self.folder.join("tayga.conf"), self.folder.join("tayga"));
        std::fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
        let text = format!(
            "tun-device nat64\nipv4-addr 192.168.255.1\nipv6-addr {}\nprefix {}\ndynamic-pool {TAYGA_POOL}/24\n\
             data-dir {}\n",
            subject.inside(0x64),
            subject.prefix(),
            data.display()
        );
        std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
        let gateway = self.gateway(subject);
        let file = file.display();
        gateway.sh(&format!("tayga --config {file} --mktun >&2"))?;
        gateway.ip("link set nat64 up")?;
        gateway.ip(&format!("route add {TAYGA_POOL}/24 dev nat64"))?;
        gateway.ip(&format!("-6 route add {} dev nat64", subject.prefix()))?;
        gateway.sh("sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1")?;
        gateway.sh(
            "nft 'table ip nat { chain out { type nat hook postrouting priority srcnat; oifname \"g1\" masquerade; }; }'",
        )?;
        let mut command = gateway.command("tayga");
        command.args(["--nodetach", "--config"]).arg(file.to_string());
        command.stderr(Stdio::null());
        self.daemons.push(command.spawn().map_err(|e| format!("tayga: {e}"))?);
        Ok(())
    }

    /// Sets the devices of all ways alike.
    pub(super) fn set(&self, mode: Mode) -> Result<(), String> {
        let (ends, merge, cut) = match mode {
            Mode::Gso => ("on", "off", "on"),
            Mode::Gro => ("off", "on", "on"),
            Mode::Mtu => ("off", "off", "off"),
        };
        let cutting = |state: &str| format!("tso {state} gso {state} tx-udp-segmentation {state}");
        for (subject, gateway) in &self.gateways {
            let n = subject.number();
            self.client.sh(&format!("ethtool -K c{n} {}", cutting(ends)))?;
            self.server.sh(&format!("ethtool -K s{n} {}", cutting(ends)))?;
            gateway.sh(&format!(
                "for d in g0 g1; do ethtool -K $d gro {merge} {} || exit 1; done",
                cutting(cut)
            ))?;
        }
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn wait(mut done: impl FnMut() -> bool) -> Result<(), ()> {
    let end = Instant::now() + READY;
    while Instant::now() < end {
        if done() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(())
}
