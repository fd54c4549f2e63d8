//! A workstation: core's host, and the kernel that has what the host tells it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_isatap::host::Lifetimes;
use sixgate_isatap::{Host, HostConfig, HostEvent};
use sixgate_time::Instant;
use sixgate_wire::addr::Ipv6Prefix;

/// A host with its kernel.
pub struct Station {
    /// The machine of core.
    pub host: Host,
    /// Off: it hears nothing, says nothing, and its timers wait.
    pub asleep: bool,
    /// When the world looks after it next.
    pub(crate) wake: Instant,
    addresses: BTreeMap<Ipv6Addr, Lifetimes>,
    routes: BTreeMap<Ipv6Prefix, Ipv6Addr>,
}

/// What a program on a station gets when it opens a connection to a name with an IPv4 and an IPv6 address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// IPv6 through the tunnel, from this address.
    Isatap(Ipv6Addr),
    /// IPv4.
    Ipv4,
}

impl Station {
    /// A station that knows its router.
    pub fn new(v4: Ipv4Addr, router: Ipv4Addr, now: Instant, seed: [u8; 32]) -> Self {
        let config = HostConfig { address: v4, own_addresses: vec![v4], ..HostConfig::default() };
        let mut host = Host::new(config, seed);
        host.set_routers(now, &[router]);
        Self {
            host,
            asleep: false,
            wake: Instant::NEVER,
            addresses: BTreeMap::new(),
            routes: BTreeMap::new(),
        }
    }

    /// Its addresses, with whether new connections should begin from them. A kernel ends both by itself.
    pub fn addresses(&self, now: Instant) -> impl Iterator<Item = (Ipv6Addr, bool)> {
        let there = self.addresses.iter().filter(move |(_, lifetimes)| lifetimes.valid > now);
        there.map(move |(address, lifetimes)| (*address, lifetimes.preferred > now))
    }

    /// RFC 6724: of a name's addresses the one without a route is avoided (rule 1), then the one whose source would be
    /// deprecated (rule 3).
    #[must_use]
    pub fn choose(&self, now: Instant, destination: Ipv6Addr) -> Choice {
        let routed = self.routes.keys().any(|prefix| prefix.contains(destination));
        let preferred = self.addresses(now).find(|(_, preferred)| *preferred);
        match preferred.filter(|_| routed) {
            Some((address, _)) => Choice::Isatap(address),
            None => Choice::Ipv4,
        }
    }

    /// Takes its host off the network for good, as `isatap leave` does.
    pub fn leave(&mut self, now: Instant) {
        self.host.set_routers(now, &[]);
        self.settle();
        (self.addresses, self.routes) = (BTreeMap::new(), BTreeMap::new());
    }

    /// When it has something to do by itself.
    pub(crate) fn next_timeout(&self) -> Instant {
        if self.asleep { Instant::NEVER } else { self.host.next_timeout() }
    }

    /// Does to the kernel what the host says.
    pub(crate) fn settle(&mut self) {
        while let Some(event) = self.host.poll_event() {
            match event {
                HostEvent::AddressAdded { address, lifetimes, .. }
                | HostEvent::AddressRenewed { address, lifetimes, .. } => {
                    self.addresses.insert(address, lifetimes);
                }
                HostEvent::AddressRemoved { address, .. } => {
                    self.addresses.remove(&address);
                }
                HostEvent::RouteAdded { prefix, next_hop, .. } => {
                    self.routes.insert(prefix, next_hop);
                }
                HostEvent::RouteRemoved { prefix, .. } => {
                    self.routes.remove(&prefix);
                }
                HostEvent::MtuChanged { .. }
                | HostEvent::HopLimitChanged { .. }
                | HostEvent::RouterChanged { .. } => {}
            }
        }
    }
}
