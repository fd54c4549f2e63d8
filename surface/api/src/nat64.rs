//! `nat64`

mod addressing;
mod explain;
mod who;

use core::net::{SocketAddrV4, SocketAddrV6};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use addressing::{Mapping, Nat64Addressing};
pub use explain::{ExplainedBinding, Nat64Explanation, Nat64Packet, Nat64Question, Nat64Verdict};
pub use who::{Nat64Holder, Nat64Who, Nat64WhoQuestion};

/// Which lines of a table are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nat64Wanted {
    /// `tcp`, `udp` or `icmp`.
    pub proto: Option<String>,
    /// A client's name, address or prefix.
    pub client: Option<String>,
    /// An IPv4 address of the pool, alone or with a port.
    pub outside: Option<String>,
    /// Most lines; 10,000 when absent, and never more than 100,000.
    pub limit: Option<u64>,
    /// Lines that are left out before.
    pub skip: Option<u64>,
}

/// The binding information bases (RFC 6146, section 3.1).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Nat64Bib {
    /// By protocol, then inside end.
    pub bib: Vec<Binding>,
    /// How many there are, shown or not.
    #[serde(default)]
    pub total: u64,
    /// How many were left out before the first.
    #[serde(default)]
    pub skipped: u64,
}

/// One entry of a BIB.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Binding {
    /// `tcp`, `udp` or `icmp`.
    pub proto: String,
    /// The IPv6 end; the port is the identifier for ICMP.
    pub inside: SocketAddrV6,
    /// The IPv4 end.
    pub outside: SocketAddrV4,
    /// From the file.
    #[serde(rename = "static")]
    pub is_static: bool,
    /// Sessions that use it.
    #[serde(default)]
    pub sessions: u32,
    /// The client's name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// The session tables (RFC 6146, section 3.2).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Nat64Sessions {
    /// By protocol, then inside end.
    pub sessions: Vec<Session>,
    /// How many there are, shown or not.
    #[serde(default)]
    pub total: u64,
    /// How many were left out before the first.
    #[serde(default)]
    pub skipped: u64,
}

/// One session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Session {
    /// `tcp`, `udp` or `icmp`.
    pub proto: String,
    /// The IPv6 end.
    pub inside: SocketAddrV6,
    /// The IPv4 end.
    pub outside: SocketAddrV4,
    /// The IPv4 host at the other side.
    pub peer: SocketAddrV4,
    /// Of the TCP machine; `open` for the others.
    pub state: String,
    /// When it ends without another packet.
    pub expires: Timestamp,
    /// The client's name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// The pools.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Nat64Pools {
    /// As in the file.
    pub pools: Vec<Pool>,
}

/// One entry of the pool for one protocol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pool {
    /// `tcp`, `udp` or `icmp`.
    pub proto: String,
    /// Address or prefix.
    pub addresses: String,
    /// `LOW-HIGH`.
    pub ports: String,
    /// Ports in use.
    pub used: u64,
    /// Ports in all.
    pub total: u64,
    /// Blocks in use, for any protocol; zero without blocks.
    #[serde(default)]
    pub blocks_used: u64,
    /// Blocks in all; zero without blocks.
    #[serde(default)]
    pub blocks: u64,
    /// `normal`; `high` from 80 % of ports or blocks on, until 75 %; `full` from 95 %, until 90 %.
    #[serde(default)]
    pub level: String,
}
