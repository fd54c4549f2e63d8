//! `dns64 explain`, `nrpt`

use core::net::{Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// A name to look at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Without a dot at the end.
    pub name: String,
}

/// How an answer came about.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked.
    pub name: String,
    /// What was looked at, in order.
    pub steps: Vec<Step>,
    /// `NOERROR`, `NXDOMAIN`, ...
    pub rcode: String,
    /// What the asker gets.
    pub answers: Vec<Answer>,
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// One word: `AAAA`, `A`, `rule`, ...
    pub step: String,
    /// What was found.
    pub text: String,
}

/// An address of the answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The address.
    pub address: Ipv6Addr,
    /// Seconds.
    pub ttl: u32,
    /// Made from an A record.
    pub synthesised: bool,
}

/// Which names go where on a client.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Nrpt {
    /// The rules are applied: the tunnel is up, and this machine is outside.
    pub active: bool,
    /// What carries them out: `resolv.conf` or `systemd-resolved`.
    pub by: Option<String>,
    /// The longest suffix decides.
    pub rules: Vec<NrptRule>,
}

/// Where the names of one suffix go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NrptRule {
    /// The name itself and all below; empty = every name.
    pub suffix: String,
    /// Into the tunnel or not.
    pub route: Route,
    /// Who is asked; empty for the local network's own.
    pub servers: Vec<SocketAddr>,
}

/// Into the tunnel or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// Asked of the intranet's servers, never of the local network.
    Tunnel,
    /// Asked of the local network's servers.
    Local,
}

/// Where one name goes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Steering {
    /// What was asked.
    pub name: String,
    /// Into the tunnel or not.
    pub route: Route,
    /// The suffix whose rule decided; `None` = no rule fits.
    pub rule: Option<String>,
    /// Who is asked.
    pub servers: Vec<SocketAddr>,
}
