//! What came back when the doctor knocked.

use core::net::Ipv4Addr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A router that was tried over IPv4 and over protocol 41.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Probe {
    /// Its IPv4 address.
    pub router: Ipv4Addr,
    /// It is on this machine's list of routers; else the other end's evidence named it.
    pub listed: bool,
    /// ICMP echo.
    pub echo: Echo,
    /// Router solicitations that were sent to it, in milliseconds after the first.
    pub solicited_ms: Vec<u64>,
    /// Milliseconds after the first solicitation when it advertised; absent when it did not.
    pub advertised_ms: Option<u64>,
    /// Who answered protocol 41 with "protocol unreachable".
    pub refused_by: Option<Ipv4Addr>,
    /// Why protocol 41 could not be tried; absent when it was.
    pub untried: Option<String>,
    /// What the path takes.
    pub mtu: Option<PathMtu>,
}

/// What became of ICMP echoes.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Echo {
    /// Answered, in milliseconds.
    Answered(f64),
    /// Not answered.
    Silent,
    /// Not sent: no privilege, no route.
    Untried,
}

/// ICMP echoes of a doctor, which say what address their sender has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Echoed {
    /// When the last one came.
    pub at: Timestamp,
    /// The source that they arrived with.
    pub outer: Ipv4Addr,
    /// The address of the machine that sent them.
    pub inner: Ipv4Addr,
    /// How many.
    pub count: u64,
}

/// The largest packet of IPv4 that came through unfragmented.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PathMtu {
    /// Octets of the largest that was answered.
    pub passed: u32,
    /// Octets of the smallest larger one that was not; absent when all were.
    pub lost: Option<u32>,
    /// The last hop that a packet of 1300 octets reached.
    pub last_hop: Option<Ipv4Addr>,
    /// Somebody said "fragmentation needed".
    pub told: bool,
}

/// Router advertisements from one IPv4 address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Advertisement {
    /// The outer source.
    pub from: Ipv4Addr,
    /// How many.
    pub count: u64,
    /// The first one.
    pub first: Timestamp,
    /// The last one.
    pub last: Timestamp,
    /// Seconds; above zero it offers a default route.
    pub router_lifetime: u16,
    /// Prefixes with a valid lifetime.
    pub prefixes: Vec<String>,
    /// Routes with a lifetime.
    pub routes: Vec<String>,
    /// Why it was not believed: the code of a reason.
    pub dropped: Option<String>,
}

impl Advertisement {
    /// It offers an address.
    #[must_use]
    pub fn offers(&self) -> bool {
        !self.prefixes.is_empty()
    }
}
