//! `trace`

use core::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// What would become of a connection.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceRequest {
    /// Who would open it: a client, a host, or an address.
    pub from: String,
    /// To whom.
    pub to: String,
    /// `tcp/PORT`, `udp/PORT` or `icmp`.
    pub what: String,
}

/// The path of the first packet, judged by the live daemon without sending it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trace {
    /// Who would open it.
    pub from: TraceEnd,
    /// To whom.
    pub to: TraceEnd,
    /// `tcp/PORT`, `udp/PORT` or `icmp`.
    pub what: String,
    /// In the order of the path; the last one is where it ends.
    pub steps: Vec<TraceStep>,
    /// How it ends.
    pub verdict: TraceVerdict,
    /// The code of the reason where it is refused.
    pub reason: Option<String>,
    /// One line for a person.
    pub text: String,
}

/// One end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TraceEnd {
    /// As it was asked for or is known.
    pub name: Option<String>,
    /// In IPv6.
    pub address: Ipv6Addr,
    /// Where the address stands for an IPv4 one.
    pub ipv4: Option<Ipv4Addr>,
}

/// One station of the path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TraceStep {
    /// Which machine.
    pub at: String,
    /// `outer`, `isatap`, `policy`, `route`, `session`, `nat64`, `flows`.
    pub step: String,
    /// What happens there.
    pub text: String,
    /// False where it ends.
    pub ok: bool,
    /// `FILE:LINE` of the rule that decides.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
}

/// How the path ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TraceVerdict {
    /// This gateway lets it through; what lies behind it decides the rest.
    Passes,
    /// It is refused.
    Refused,
    /// It would be let through, and one end is not there to send or to receive it.
    Absent,
}
