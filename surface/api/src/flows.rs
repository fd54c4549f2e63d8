//! Open flows.

use core::net::SocketAddrV6;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which flows are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowsOf {
    /// One end is in this IPv6 prefix; an address is a prefix of 128 bits. Absent: all flows.
    #[serde(default)]
    pub within: Option<String>,
}

/// Flows that the filter knows.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Flows {
    /// By who opened them, then by destination.
    pub flows: Vec<Flow>,
}

/// A flow, seen from whoever opened it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Flow {
    /// `tcp`, `udp`, `icmp`, or the number of the protocol.
    pub proto: String,
    /// Who opened it; the port is the identifier for ICMP.
    pub source: SocketAddrV6,
    /// To whom.
    pub destination: SocketAddrV6,
    /// `syn-sent`, `established`, `closing`, or `open` where there is no such thing.
    pub state: String,
    /// Octets from whoever opened it.
    pub sent: u64,
    /// Octets to whoever opened it.
    pub received: u64,
    /// When it ends without another packet.
    pub expires: Timestamp,
}
