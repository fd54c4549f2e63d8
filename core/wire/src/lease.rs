//! The lease: what a client or an ISATAP host is given, as one value.
//!
//! Links with neighbour discovery render it as a router advertisement ([`crate::nd`]), MASQUE will render it as capsules.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use crate::addr::{Ipv6Prefix, Prefix64};

/// Addresses, routes, NAT64 prefix, names and MTU for one peer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lease {
    /// Addresses assigned to this peer alone. Rendered as prefix information of length 128, autonomous, not on-link:
    /// hosts that only know prefixes of 64 bits ignore it.
    pub addresses: Vec<Ipv6Addr>,
    /// Prefixes in which the peer may form addresses by itself.
    pub prefixes: Vec<LeasedPrefix>,
    /// What lies behind the router.
    pub routes: Vec<LeasedRoute>,
    /// The NAT64 prefix (RFC 8781).
    pub prefix64: Option<Prefix64>,
    /// Name servers for `suffixes` (RFC 8106).
    pub name_servers: Vec<Ipv6Addr>,
    /// Name suffixes that belong to the tunnel: lower case, no dot at either end.
    pub suffixes: Vec<String>,
    /// Link MTU in octets.
    pub mtu: u32,
    /// Router lifetime in seconds; zero offers no default route.
    pub router_lifetime: u16,
    /// Lifetime in seconds of what has none of its own: addresses, prefix64, names.
    pub lifetime: u32,
}

/// A prefix in which the peer may form addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeasedPrefix {
    /// The prefix, 64 bits long on links with neighbour discovery.
    pub prefix: Ipv6Prefix,
    /// Seconds for which new connections may use the address.
    pub preferred: u32,
    /// Seconds for which the address is usable at all.
    pub valid: u32,
    /// The on-link flag: other addresses of the prefix are neighbours.
    pub on_link: bool,
}

/// A route to offer (RFC 4191).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeasedRoute {
    /// Where it leads.
    pub prefix: Ipv6Prefix,
    /// Against other routers' routes.
    pub preference: Preference,
    /// Seconds; zero withdraws.
    pub lifetime: u32,
}

/// Route preference (RFC 4191, section 2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Preference {
    /// 01
    High,
    /// 00
    #[default]
    Medium,
    /// 11
    Low,
}
