//! `dns64 explain`, `dns64 status`, `nrpt`

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// A name to look at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Without a dot at the end.
    pub name: String,
    /// Who asks, where rules differ by client; the daemon's own machine where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
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

/// What the resolver has done since the start, and how its upstreams stand.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Resolver {
    /// Where answers came from.
    pub questions: ResolverQuestions,
    /// How full the cache is.
    pub cache: ResolverCache,
    /// In the order of the file, the longest suffixes first.
    pub upstreams: Vec<ResolverUpstream>,
    /// The names that are asked for most; counts are estimates.
    pub names: Vec<ResolverName>,
}

/// Where answers came from. A question for AAAA that is made from A counts twice in all but the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ResolverQuestions {
    /// Finished answers, given out by the workers themselves.
    pub at_once: u64,
    /// From the cache.
    pub cached: u64,
    /// From the cache past their time, since no upstream answered.
    pub stale: u64,
    /// Failures of a short while ago.
    pub held: u64,
    /// Asked of an upstream.
    pub asked: u64,
    /// Joined to an equal question that was under way.
    pub joined: u64,
    /// Asked of an upstream although they were known, since their time was nearly over.
    pub refreshed: u64,
}

/// How full the cache is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ResolverCache {
    /// Answers, denials and failures.
    pub entries: usize,
    /// Octets of them.
    pub octets: usize,
    /// The bound.
    pub most_octets: usize,
    /// Entries that had to leave for others.
    pub evicted: u64,
}

/// A server that is asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ResolverUpstream {
    /// Names of this suffix go there; empty = all others.
    pub suffix: String,
    /// The server.
    pub server: SocketAddr,
    /// False when it did not answer three questions in a row.
    pub alive: bool,
    /// Smoothed, in milliseconds.
    pub round_trip_ms: Option<f64>,
    /// Answers.
    pub answers: u64,
    /// Questions without an answer in time.
    pub silences: u64,
    /// Errors, and answers that did not belong.
    pub failures: u64,
}

/// A name that is asked for often.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ResolverName {
    /// The name.
    pub name: String,
    /// About so many questions.
    pub questions: u64,
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
