//! What one machine can observe: of itself, of the names that it asks, of the network in front of it.
//!
//! Every field may be absent in evidence that another version wrote; a rule that misses something is skipped, and never
//! guesses.

mod client;
mod gateway;
mod host;
mod nat64;
mod probe;

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use client::ClientEvidence;
pub use gateway::{AllowedNow, GatewayEvidence, Heard, IsatapPlan, Registration, SeenHost, Setting};
pub use host::{Held, HostEvidence, Link};
pub use nat64::{Lead, Nat64Evidence, PoolPart};
pub use probe::{Advertisement, Echo, Echoed, PathMtu, Probe};

/// Everything that is known of one machine at one moment.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// 1.
    pub schema: u32,
    /// When gathering ended.
    pub taken: Timestamp,
    /// When gathering began: what happened since is the doctor's own doing.
    pub begun: Timestamp,
    /// The machine, whatever runs on it.
    pub machine: Machine,
    /// The daemon that should run on it.
    pub daemon: Daemon,
    /// What the daemon said of itself, or its file where it does not run.
    pub role: Option<Role>,
    /// Names that were asked for, each at one server.
    pub lookups: Vec<Lookup>,
    /// Routers that were tried.
    pub probes: Vec<Probe>,
    /// Router advertisements that came while the doctor listened.
    pub advertisements: Vec<Advertisement>,
    /// ICMP echoes of another machine's doctor that came while this one listened.
    pub echoes: Vec<Echoed>,
}

/// The machine.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// Its IPv4 addresses, without the loopback ones.
    pub ipv4: Vec<Ipv4Addr>,
    /// Addresses of IPv6 on ISATAP devices that are up.
    pub isatap: Vec<core::net::Ipv6Addr>,
    /// Search suffixes of `/etc/resolv.conf`.
    pub search: Vec<String>,
    /// Why `/dev/net/tun` cannot be used; absent when it can.
    pub no_tun: Option<String>,
    /// File systems that the daemon writes to.
    pub disks: Vec<Disk>,
}

/// Space of a file system.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Disk {
    /// A directory on it.
    pub path: String,
    /// Octets that may still be written.
    pub free: u64,
    /// Octets in all.
    pub total: u64,
    /// Files that may still be made; absent where the file system does not count them.
    pub files_free: Option<u64>,
}

/// The daemon.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Daemon {
    /// It answered at its socket.
    pub answers: bool,
    /// The control socket.
    pub socket: String,
    /// `gateway`, `client` or `host`; absent where nothing says that there should be one.
    pub role: Option<String>,
    /// Its file.
    pub config: Option<String>,
    /// Why it ended, in its own words.
    pub failure: Option<String>,
    /// Its process, or what it had when it ended.
    pub process: Option<Process>,
    /// Milliseconds by which the clock moved beside the time that passed since the daemon started.
    pub clock_jump_ms: Option<i64>,
}

/// What a process may do.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Effective capabilities when it started, as `CapEff` writes them.
    pub capabilities: Option<String>,
    /// Open file descriptors.
    pub files: Option<u64>,
    /// The soft limit of them.
    pub files_limit: Option<u64>,
}

/// A question to one name server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lookup {
    /// Why it was asked.
    pub purpose: Purpose,
    /// The name.
    pub name: String,
    /// The servers that were asked, in order.
    pub servers: Vec<SocketAddr>,
    /// What came.
    pub answer: Answer,
}

/// Why a name was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// It names the ISATAP routers.
    Router,
    /// It is `isatap` below a suffix of the site.
    BareIsatap,
    /// It is `wpad` below a suffix of the site.
    BareWpad,
    /// It is a connected client's.
    Client,
}

/// What a name server said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The addresses; none where the name exists without one.
    Addresses(Vec<IpAddr>),
    /// There is no such name.
    NoSuchName,
    /// Nobody answered, or only with errors: one line.
    Silent(String),
}

/// What a daemon says of itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub enum Role {
    /// `sixgate run`
    Gateway(Box<GatewayEvidence>),
    /// `sixgate client run`
    Client(Box<ClientEvidence>),
    /// `sixgate host run`
    Host(Box<HostEvidence>),
}

impl Lookup {
    /// The addresses that it gave.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        match &self.answer {
            Answer::Addresses(addresses) => addresses,
            Answer::NoSuchName | Answer::Silent(_) => &[],
        }
    }

    /// The servers as a person reads them.
    #[must_use]
    pub fn asked(&self) -> String {
        if self.servers.is_empty() {
            return "no name server".to_owned();
        }
        let server = |s: &SocketAddr| if s.port() == 53 { s.ip().to_string() } else { s.to_string() };
        self.servers.iter().map(server).collect::<Vec<_>>().join(", ")
    }
}
