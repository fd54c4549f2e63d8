//! Segments of the intranet with IPv6 of their own: `isatap instructions --for routes`

use core::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

/// What a host or a router of such a segment must know.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Native {
    /// Where native hosts have their addresses: address/length.
    pub prefixes: Vec<String>,
    /// What they reach through the gateway: address/length.
    pub routes: Vec<String>,
    /// The interfaces that lead to them.
    pub interfaces: Vec<NativeInterface>,
}

/// An interface of the gateway on such a segment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NativeInterface {
    /// Its name.
    pub name: String,
    /// The gateway's addresses there, those of the prefixes first.
    pub addresses: Vec<Ipv6Addr>,
    /// Hosts there are told the way by router advertisements.
    pub advertised: bool,
}
