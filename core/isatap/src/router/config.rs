//! What a router is told.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use sixgate_wire::addr::Ipv4Prefix;
use sixgate_wire::lease::Lease;

use super::RouterOptions;
use crate::retire::Retire;

/// The configuration of a router.
#[derive(Clone, Debug)]
pub struct RouterConfig {
    /// The IPv4 address that hosts are told; the router's identifier on the link.
    pub address: Ipv4Addr,
    /// Every IPv4 address of this machine, of any interface: nothing is ever encapsulated to one (RFC 6324).
    pub own_addresses: Vec<Ipv4Addr>,
    /// The broadcast addresses of its interfaces, for the same purpose.
    pub broadcasts: Vec<Ipv4Addr>,
    /// What every host is given: prefixes of 64 bits, routes, MTU, router lifetime.
    ///
    /// With `on_link` false hosts send everything through this router, which refuses what it cannot deliver; with
    /// `on_link` true they send to each other directly, and a destination that is not there answers nothing.
    pub lease: Lease,
    /// Other gateways and routers of the site: believed whatever their inner source, and always reachable.
    pub peers: Vec<Ipv4Addr>,
    /// What hosts of some rules are given in place of `lease`: rules name these by their position.
    pub offers: Vec<Lease>,
    /// Who is served. Nobody else gets an answer.
    pub allow: Vec<AllowRule>,
    /// Who is not served, whatever `allow` says.
    pub deny: Vec<Ipv4Prefix>,
    /// Size of the table of hosts.
    pub most_hosts: usize,
    /// What is being taken away; nothing by default.
    pub retire: Retire,
    /// How it behaves beside that.
    pub options: RouterOptions,
}

/// Hosts that are served.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AllowRule {
    /// The group, as lists and logs show it.
    pub rule: String,
    /// Where the rule stands, as lists show it.
    pub origin: String,
    /// The name by which the host was configured, where it was one host.
    pub name: Option<String>,
    /// Their IPv4 addresses. Where several rules fit, the longest prefix decides, then the first rule.
    pub prefixes: Vec<Ipv4Prefix>,
    /// Position in [`RouterConfig::offers`] of what these hosts are given; `None` = [`RouterConfig::lease`].
    pub offer: Option<usize>,
}

impl RouterConfig {
    /// Peers and hosts in use in order, so that one is found without a walk.
    pub(super) fn sorted(mut self) -> Self {
        self.peers.sort_unstable();
        self.retire.in_use.sort_unstable();
        self
    }

    pub(super) fn is_peer(&self, v4: Ipv4Addr) -> bool {
        self.peers.binary_search(&v4).is_ok()
    }
}
