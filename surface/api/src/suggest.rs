//! `isatap suggest`

use core::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Over which time.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuggestRequest {
    /// Days, 1 to 90; absent: 30.
    #[serde(default)]
    pub days: Option<u32>,
}

/// Who needs ISATAP, by what hosts did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Suggestions {
    /// The days that were looked at.
    pub days: u32,
    /// The first solicitation that is known of any of these hosts: what happened before, nobody saw.
    pub watched_since: Option<Timestamp>,
    /// They opened flows to clients: they need it. Most flows first.
    pub need: Vec<NeedsIsatap>,
    /// They have it and opened none in all these days: they could do without. By IPv4 address.
    pub idle: Vec<IdleHost>,
    /// They have had it for less than these days and opened none so far: too early to say. By IPv4 address.
    pub early: Vec<IdleHost>,
    /// They asked for it again and again and are not allowed. Most refusals first.
    pub ask: Vec<AskingHost>,
    /// They have ISATAP, and by DNS an address in a prefix of `[native]`: they could drop ISATAP. By IPv4 address.
    #[serde(default)]
    pub native: Vec<NativeHost>,
}

/// A host that opens flows to clients.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NeedsIsatap {
    /// As in `isatap hosts`.
    pub name: Option<String>,
    /// The outer address.
    pub ipv4: Ipv4Addr,
    /// The rule that serves it; a host that is not served any more has none.
    pub rule: Option<String>,
    /// Flows that it opened in these days.
    pub flows: u64,
    /// When it last opened one.
    pub last_flow: Option<Timestamp>,
}

/// A host that opened none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IdleHost {
    /// As in `isatap hosts`.
    pub name: Option<String>,
    /// The outer address.
    pub ipv4: Ipv4Addr,
    /// The rule that serves it; a host that is not served any more has none.
    pub rule: Option<String>,
    /// First router solicitation.
    pub first_rs: Option<Timestamp>,
    /// Last router solicitation.
    pub last_rs: Option<Timestamp>,
    /// When it last opened a flow, before these days.
    pub last_flow: Option<Timestamp>,
}

/// A host that has IPv6 of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NativeHost {
    /// As in `isatap hosts`.
    pub name: String,
    /// The outer address.
    pub ipv4: Ipv4Addr,
    /// Its native address, as DNS says.
    pub address: Ipv6Addr,
    /// It has flows open from there at this moment.
    pub in_use: bool,
}

/// A host that is refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AskingHost {
    /// As in `isatap hosts`.
    pub name: Option<String>,
    /// The outer address.
    pub ipv4: Ipv4Addr,
    /// How often it was refused, since the gateway started.
    pub refusals: u64,
    /// Last router solicitation.
    pub last_rs: Option<Timestamp>,
}
