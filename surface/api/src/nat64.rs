//! `nat64`

mod explain;

use core::net::{SocketAddrV4, SocketAddrV6};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use explain::{ExplainedBinding, Nat64Explanation, Nat64Packet, Nat64Question, Nat64Verdict};

/// The binding information bases (RFC 6146, section 3.1).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Nat64Bib {
    /// By protocol, then inside end.
    pub bib: Vec<Binding>,
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
}

/// The session tables (RFC 6146, section 3.2).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Nat64Sessions {
    /// By protocol, then inside end.
    pub sessions: Vec<Session>,
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
}
