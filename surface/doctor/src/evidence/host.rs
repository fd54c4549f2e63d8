//! What an ISATAP host knows.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Advertisement, Setting};

/// An ISATAP host. What only a running daemon knows is empty where it does not run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HostEvidence {
    /// Its state directory.
    pub state: String,
    /// The TUN device.
    pub device: String,
    /// The IPv4 side, as the file or the routing says.
    pub interface: Option<String>,
    /// Our IPv4 address there.
    pub ipv4: Option<Ipv4Addr>,
    /// Routers as the file names them.
    pub routers: Vec<String>,
    /// Name servers that it asks.
    pub nameservers: Vec<SocketAddr>,
    /// Routers that are in use, by address.
    pub list: Vec<Ipv4Addr>,
    /// What each of them gave.
    pub links: Vec<Link>,
    /// Solicitations that the daemon sent to any router, the last ones.
    pub solicited: Vec<Timestamp>,
    /// Advertisements that came, believed or not, one entry a sender.
    pub advertisements: Vec<Advertisement>,
    /// IPv4 addresses that the host had, oldest first; the last one is the present one.
    pub held: Vec<Held>,
    /// Kernel settings that it needs.
    pub settings: Vec<Setting>,
}

/// A router and what it gave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// Its IPv4 address.
    pub router: Ipv4Addr,
    /// `up`, `soliciting`, `silent`, `withdrawn`, `unreachable`.
    pub state: String,
    /// The address that the host has by it.
    pub address: Option<Ipv6Addr>,
}

/// An IPv4 address of the host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Held {
    /// The address.
    pub ipv4: Ipv4Addr,
    /// Since when.
    pub since: Timestamp,
}
