//! A line of the port log (RFC 6888, section 4; RFC 7422): who got which ports, or gave them back.

mod holders;

use core::net::Ipv4Addr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use holders::Holders;

/// One line, a JSON object.
///
/// Of two records whose ports overlap, the one of fewer ports says whose the port is: where no block is free, single ports
/// are given of what others do not use of theirs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PortRecord {
    /// 1.
    pub schema: u32,
    /// When.
    pub time: Timestamp,
    /// What.
    pub event: PortRecordEvent,
    /// `tcp`, `udp`, `icmp` or `all`.
    pub protocol: String,
    /// An IPv6 address, or a prefix where one is a client.
    pub client: String,
    /// Name in the client's certificate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Outside address.
    pub address: Ipv4Addr,
    /// `FIRST-LAST`.
    pub ports: String,
}

/// What became of ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortRecordEvent {
    /// They are the client's from now on.
    Allocated,
    /// They are nobody's from now on.
    Released,
}
