//! What a gateway knows.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Nat64Evidence;

/// A gateway.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayEvidence {
    /// Its state directory.
    pub state: String,
    /// The ISATAP router, where there is one.
    pub isatap: Option<IsatapPlan>,
    /// The clients' prefix.
    pub clients: Option<String>,
    /// Name servers of the intranet.
    pub upstream: Vec<SocketAddr>,
    /// Suffixes of the intranet.
    pub suffixes: Vec<String>,
    /// All its IPv4 addresses.
    pub own: Vec<Ipv4Addr>,
    /// ISATAP hosts that are served or were refused.
    pub hosts: Vec<SeenHost>,
    /// The last solicitations, and the last packets that the ISATAP link dropped.
    pub heard: Vec<Heard>,
    /// Kernel settings that it needs.
    pub settings: Vec<Setting>,
    /// Names of clients that it keeps in the DNS.
    pub registered: Vec<Registration>,
    /// Connected clients, by name, with the address of their session.
    pub connected: Vec<(String, Ipv6Addr)>,
    /// The translator, where there is one.
    pub nat64: Option<Nat64Evidence>,
}

/// What the ISATAP router is told.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IsatapPlan {
    /// What hosts are told.
    pub name: Option<String>,
    /// The TUN device.
    pub device: String,
    /// Its IPv4 address.
    pub address: Option<Ipv4Addr>,
    /// Other routers of the site.
    pub peers: Vec<Ipv4Addr>,
    /// Prefixes that it advertises.
    pub prefixes: Vec<String>,
    /// Routes that it advertises.
    pub routes: Vec<String>,
    /// Seconds; above zero it offers a default route.
    pub router_lifetime: u16,
    /// Who is served, names resolved.
    pub allow: Vec<AllowedNow>,
    /// Who is not served, whatever `allow` says.
    pub deny: Vec<String>,
}

/// A host or prefix that an allow rule names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AllowedNow {
    /// The addresses.
    pub prefix: String,
    /// The name that it was configured by.
    pub name: Option<String>,
    /// Its group.
    pub rule: Option<String>,
    /// Routes that hosts of this rule get in place of those of all; with the router's lifetime.
    #[serde(default)]
    pub offer: Option<(Vec<String>, u16)>,
}

/// A host that solicited.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SeenHost {
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// It is served.
    pub served: bool,
    /// Why it is not: the code of a reason.
    pub reason: Option<String>,
    /// Its last solicitation.
    pub last_rs: Option<Timestamp>,
}

/// A message on the ISATAP link.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heard {
    /// When.
    pub at: Timestamp,
    /// The outer source.
    pub outer: Ipv4Addr,
    /// The inner source.
    pub inner: Option<Ipv6Addr>,
    /// It was a router solicitation.
    pub solicitation: bool,
    /// Why it was dropped: the code of a reason; absent when it was answered.
    pub dropped: Option<String>,
}

/// A kernel setting that the daemon needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Setting {
    /// Below `/proc/sys`, as `net/ipv4/conf/eth1/forwarding`.
    pub name: String,
    /// Values that do; the first is the one that the daemon sets.
    pub wanted: Vec<String>,
    /// What it is; absent when there is no such setting, as of a device that is gone.
    pub found: Option<String>,
    /// What it is needed for.
    pub purpose: String,
}

impl Setting {
    /// It has another value than it should.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        !self.found.as_ref().is_some_and(|found| self.wanted.contains(found))
    }

    /// As `sysctl` writes it.
    #[must_use]
    pub fn dotted(&self) -> String {
        self.name.replace('/', ".")
    }

    /// The interface whose forwarding it is, where it is that.
    #[must_use]
    pub fn forwarding_of(&self) -> Option<&str> {
        let (_, rest) = self.name.split_once("/conf/")?;
        let device = rest.strip_suffix("/forwarding")?;
        (!matches!(device, "all" | "default")).then_some(device)
    }
}

/// A name that the gateway keeps in the DNS.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registration {
    /// The whole name.
    pub name: String,
    /// Why it is not in place.
    pub failure: Option<String>,
}
