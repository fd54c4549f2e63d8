//! `isatap hosts`, `isatap instructions`

use core::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Hosts that asked for ISATAP.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct IsatapHosts {
    /// By IPv4 address.
    pub hosts: Vec<IsatapHost>,
}

/// A host that sent a router solicitation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IsatapHost {
    /// As the rule or the directory names it, else as DNS does.
    pub name: Option<String>,
    /// The outer address.
    pub ipv4: Ipv4Addr,
    /// Its ISATAP address; a host that is refused has none.
    pub address: Option<Ipv6Addr>,
    /// The rule that allows it: its group, or `allowed` where the rule has none.
    pub rule: Option<String>,
    /// Where that rule stands: a line of the file, a command at runtime, a group of the directory.
    #[serde(default)]
    pub origin: Option<String>,
    /// First router solicitation.
    pub first_rs: Option<Timestamp>,
    /// Last router solicitation.
    pub last_rs: Option<Timestamp>,
    /// Whether it gets answers.
    pub state: HostState,
    /// Why not: the code of a reason.
    pub reason: Option<String>,
    /// Octets from the host.
    #[serde(default)]
    pub rx_bytes: u64,
    /// Octets to the host.
    #[serde(default)]
    pub tx_bytes: u64,
    /// Flows that it opened in the last 30 days.
    #[serde(default)]
    pub flows_30d: u64,
    /// When it last opened one.
    #[serde(default)]
    pub last_flow: Option<Timestamp>,
    /// How often it was refused, since the gateway started.
    #[serde(default)]
    pub refusals: u64,
}

/// Whether a host gets answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostState {
    /// It has a prefix and routes.
    Served,
    /// It gets nothing.
    Refused,
}

/// What a host of this router must know.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IsatapRouter {
    /// The name that hosts look up, where the file gives one.
    pub name: Option<String>,
    /// This router first, then the others of the site.
    pub addresses: Vec<Ipv4Addr>,
    /// Of the link: address/length.
    pub prefix: String,
    /// What hosts reach through the router: address/length.
    pub routes: Vec<String>,
    /// Of the link.
    pub mtu: u32,
    /// Seconds; 0 = no default route.
    pub router_lifetime: u16,
    /// Groups of the rules that allow hosts, each once, by their name in the directory where a rule gives it.
    pub groups: Vec<String>,
    /// Hosts that a rule allows by their address.
    pub hosts: Vec<Ipv4Addr>,
}
