//! `nat64 who`

use core::net::SocketAddrV4;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who has or had a port.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nat64WhoQuestion {
    /// The outside address and port.
    pub outside: SocketAddrV4,
    /// When; at this moment when absent.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// `tcp`, `udp` or `icmp`; all when absent.
    #[serde(default)]
    pub proto: Option<String>,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Nat64Who {
    /// The outside address and port.
    pub outside: SocketAddrV4,
    /// When.
    pub at: Timestamp,
    /// Who, the most exact first.
    pub holders: Vec<Nat64Holder>,
    /// The file of the port log that was read.
    pub log: Option<String>,
    /// The time of its first record: it knows nothing of what was before.
    pub log_from: Option<Timestamp>,
    /// What the answer does not say, in one line.
    pub remark: Option<String>,
}

/// One who had it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Nat64Holder {
    /// `tcp`, `udp`, `icmp` or `all`.
    pub proto: String,
    /// The client's address or prefix.
    pub client: String,
    /// The name in its certificate.
    pub name: Option<String>,
    /// The ports that it has together, `FIRST-LAST`.
    pub ports: String,
    /// Since when, as far as is known.
    pub since: Option<Timestamp>,
    /// Until when; absent while it has them.
    pub until: Option<Timestamp>,
    /// `log`, or `binding`, `static`: of the live table.
    pub by: String,
}
