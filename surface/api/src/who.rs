//! `who`

use core::net::{IpAddr, Ipv6Addr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Clients that have a session.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Who {
    /// By name.
    pub clients: Vec<Client>,
    /// Clients that hold a certificate, connected or not.
    #[serde(default)]
    pub enrolled: u64,
    /// ISATAP hosts that are served.
    #[serde(default)]
    pub isatap_hosts: u64,
}

/// A client with a session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Client {
    /// The name in its certificate.
    pub name: String,
    /// Whom it was enrolled for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// For the policy.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Inside the tunnel.
    pub address: Ipv6Addr,
    /// The transport: `ip-https`.
    pub via: String,
    /// Where it comes from, outside the tunnel.
    pub from: IpAddr,
    /// The port there.
    #[serde(default)]
    pub from_port: u16,
    /// Round trip in microseconds, as the transport measures it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rtt_us: Option<u64>,
    /// Start of the session.
    pub since: Timestamp,
    /// Octets from the client.
    pub rx_bytes: u64,
    /// Octets to the client.
    pub tx_bytes: u64,
    /// The last packet from the client.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<Timestamp>,
}
