//! What all workers read: routes, ports, identities, policy, services. Immutable, checked when it is built.

use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::addr::{Ipv6Prefix, Prefix64, isatap};
use sixgate_wire::flow::FlowKey;
use sixgate_wire::protocol;

use crate::identity::{Identity, group};
use crate::policy::Policy;
use crate::port::{Port, PortId};
use crate::prefixes::PrefixTable;

/// Smallest MTU that a link of IPv6 may have (RFC 8200, section 5).
pub const SMALLEST_MTU: u32 = 1280;

/// A service of the gateway, whatever policy says: for every client; the echo also for ISATAP hosts, whose
/// administrators ping a router first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// A TCP port.
    Tcp(Ipv6Addr, u16),
    /// A UDP port.
    Udp(Ipv6Addr, u16),
    /// ICMPv6 echo.
    Echo(Ipv6Addr),
}

impl Service {
    fn serves(self, key: &FlowKey) -> bool {
        match self {
            Self::Tcp(address, port) => {
                (protocol::TCP, address, port) == (key.protocol, key.dst, key.dst_port)
            }
            Self::Udp(address, port) => {
                (protocol::UDP, address, port) == (key.protocol, key.dst, key.dst_port)
            }
            Self::Echo(address) => (protocol::ICMPV6, address) == (key.protocol, key.dst),
        }
    }
}

/// Why a snapshot cannot be built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotFault {
    /// Two ports have the same number.
    PortTwice(PortId),
    /// The port's MTU is below [`SMALLEST_MTU`].
    MtuTooSmall(PortId),
    /// The port's own address cannot be the source of an error.
    SourceUnusable(PortId),
    /// The route leads to a port that is not in the snapshot.
    RouteToNowhere(Ipv6Prefix),
    /// Two routes have the same prefix.
    RouteTwice(Ipv6Prefix),
    /// Two identities have the same prefix.
    IdentityTwice(Ipv6Prefix),
}

impl fmt::Display for SnapshotFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortTwice(port) => write!(f, "port {} is there twice", port.0),
            Self::MtuTooSmall(port) => write!(f, "port {} has an MTU below {SMALLEST_MTU}", port.0),
            Self::SourceUnusable(port) => write!(f, "port {} has no usable address for errors", port.0),
            Self::RouteToNowhere(prefix) => write!(f, "route {prefix} leads to a port that is not there"),
            Self::RouteTwice(prefix) => write!(f, "route {prefix} is there twice"),
            Self::IdentityTwice(prefix) => write!(f, "identity of {prefix} is there twice"),
        }
    }
}

impl core::error::Error for SnapshotFault {}

/// Routes, ports, identities, policy and services, as one value.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(crate) ports: Vec<(PortId, Port)>,
    pub(crate) routes: PrefixTable<PortId>,
    pub(crate) identities: PrefixTable<Identity>,
    pub(crate) policy: Policy,
    services: Vec<Service>,
    prefixes64: Vec<Prefix64>,
    isatap: Vec<Ipv6Prefix>,
    /// True where nothing new is opened, false where it still is in a larger prefix of the first kind.
    closed: PrefixTable<bool>,
}

impl Snapshot {
    /// True when no flow may be opened between these ends any more. Those that are open go on.
    #[must_use]
    pub fn is_closed(&self, key: &FlowKey) -> bool {
        [key.src, key.dst].iter().any(|end| self.closed.longest(*end) == Some(&true))
    }

    /// The IPv4 address inside `address`: of a NAT64 prefix, or of an ISATAP identifier in an ISATAP prefix.
    #[must_use]
    pub fn embedded(&self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        // An identifier that looks like ISATAP's means nothing in another prefix: its owner chose it.
        let in_isatap = || {
            self.isatap
                .iter()
                .any(|p| p.contains(address))
                .then(|| isatap::embedded(address))?
                .map(|(_, v4)| v4)
        };
        self.prefixes64.iter().find_map(|p| p.extract(address)).or_else(in_isatap)
    }

    /// True when the flow `key` goes to a service of the gateway that `from` may use.
    #[must_use]
    pub fn serves(&self, from: &Identity, key: &FlowKey) -> bool {
        let is_in = |groups| from.groups & groups != 0;
        let may_use = |service: &Service| match service {
            Service::Tcp(..) | Service::Udp(..) => is_in(group::CLIENTS),
            Service::Echo(_) => is_in(group::CLIENTS | group::SERVED),
        };
        self.services.iter().any(|s| s.serves(key) && may_use(s))
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Routes by prefix, longest first; hosts are not among them.
    pub fn routes(&self) -> impl Iterator<Item = (Ipv6Prefix, PortId)> {
        self.routes.iter().map(|(prefix, port)| (prefix, *port))
    }
}

/// Collects the parts of a [`Snapshot`]; [`SnapshotBuilder::build`] checks them.
#[derive(Debug, Default)]
pub struct SnapshotBuilder {
    ports: Vec<(PortId, Port)>,
    routes: Vec<(Ipv6Prefix, PortId)>,
    identities: Vec<(Ipv6Prefix, Identity)>,
    policy: Policy,
    services: Vec<Service>,
    prefixes64: Vec<Prefix64>,
    isatap: Vec<Ipv6Prefix>,
    closed: Vec<(Ipv6Prefix, bool)>,
}

impl SnapshotBuilder {
    /// Nothing but the standard policy.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a port that stays as long as the snapshot does.
    #[must_use]
    pub fn port(mut self, id: PortId, port: Port) -> Self {
        self.ports.push((id, port));
        self
    }

    /// Adds a route.
    #[must_use]
    pub fn route(mut self, prefix: Ipv6Prefix, port: PortId) -> Self {
        self.routes.push((prefix, port));
        self
    }

    /// Says who the addresses of `prefix` are.
    #[must_use]
    pub fn identity(mut self, prefix: Ipv6Prefix, identity: Identity) -> Self {
        self.identities.push((prefix, identity));
        self
    }

    /// Sets the policy; [`Policy::standard`] unless it is called.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Adds a service of the gateway.
    #[must_use]
    pub fn service(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Adds a prefix whose addresses embed IPv4 addresses by RFC 6052.
    #[must_use]
    pub fn prefix64(mut self, prefix: Prefix64) -> Self {
        self.prefixes64.push(prefix);
        self
    }

    /// Adds a prefix of an ISATAP link.
    #[must_use]
    pub fn isatap(mut self, prefix: Ipv6Prefix) -> Self {
        self.isatap.push(prefix);
        self
    }

    /// Lets nobody open a flow from or to `prefix` any more, whatever policy says; those that are open go on.
    #[must_use]
    pub fn close(mut self, prefix: Ipv6Prefix) -> Self {
        self.closed.push((prefix, true));
        self
    }

    /// Takes `prefix` out of a larger one that is closed.
    #[must_use]
    pub fn keep_open(mut self, prefix: Ipv6Prefix) -> Self {
        self.closed.push((prefix, false));
        self
    }

    /// Checks everything and makes the snapshot.
    ///
    /// # Errors
    /// The first [`SnapshotFault`] found.
    pub fn build(self) -> Result<Snapshot, SnapshotFault> {
        for (i, (id, port)) in self.ports.iter().enumerate() {
            check_port(*id, port)?;
            if self.ports[..i].iter().any(|(other, _)| other == id) {
                return Err(SnapshotFault::PortTwice(*id));
            }
        }
        let mut routes = PrefixTable::new();
        for (prefix, port) in self.routes {
            if !self.ports.iter().any(|(id, _)| *id == port) {
                return Err(SnapshotFault::RouteToNowhere(prefix));
            }
            if routes.insert(prefix, port).is_some() {
                return Err(SnapshotFault::RouteTwice(prefix));
            }
        }
        let mut identities = PrefixTable::new();
        for (prefix, identity) in self.identities {
            if identities.insert(prefix, identity).is_some() {
                return Err(SnapshotFault::IdentityTwice(prefix));
            }
        }
        let mut closed = PrefixTable::new();
        for (prefix, is) in self.closed {
            closed.insert(prefix, is);
        }
        Ok(Snapshot {
            ports: self.ports,
            routes,
            identities,
            policy: self.policy,
            services: self.services,
            prefixes64: self.prefixes64,
            isatap: self.isatap,
            closed,
        })
    }
}

/// What every port must fulfil, whether it comes with a snapshot or alone.
pub(crate) fn check_port(id: PortId, port: &Port) -> Result<(), SnapshotFault> {
    if port.mtu < SMALLEST_MTU {
        return Err(SnapshotFault::MtuTooSmall(id));
    }
    let source = port.source;
    if source.is_unspecified() || source.is_multicast() || source.is_loopback() {
        return Err(SnapshotFault::SourceUnusable(id));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Zone;

    fn port(mtu: u32, source: &str) -> Port {
        Port { zone: Zone::Intranet, mtu, source: source.parse().unwrap() }
    }

    fn prefix(text: &str) -> Ipv6Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn every_fault_is_found() {
        let one = || SnapshotBuilder::new().port(PortId(1), port(1280, "fd00::1"));
        let (p, who) = (prefix("fd00::/64"), Identity::default());
        for (builder, fault) in [
            (one().port(PortId(1), port(1280, "fd00::1")), SnapshotFault::PortTwice(PortId(1))),
            (one().port(PortId(2), port(1279, "fd00::1")), SnapshotFault::MtuTooSmall(PortId(2))),
            (one().port(PortId(2), port(1280, "::")), SnapshotFault::SourceUnusable(PortId(2))),
            (one().route(p, PortId(3)), SnapshotFault::RouteToNowhere(p)),
            (one().route(p, PortId(1)).route(p, PortId(1)), SnapshotFault::RouteTwice(p)),
            (one().identity(p, who).identity(p, who), SnapshotFault::IdentityTwice(p)),
        ] {
            assert_eq!(builder.build().err(), Some(fault));
        }
        assert!(one().route(p, PortId(1)).identity(p, who).build().is_ok());
    }

    #[test]
    fn embedded_addresses_are_seen_in_their_prefixes_only() {
        let snapshot = SnapshotBuilder::new()
            .prefix64(Prefix64::new(prefix("fd00:64::/96")).unwrap())
            .isatap(prefix("fd00:2::/64"))
            .build()
            .unwrap();
        let v4 = Some(Ipv4Addr::new(10, 6, 8, 20));
        assert_eq!(snapshot.embedded("fd00:64::10.6.8.20".parse().unwrap()), v4);
        assert_eq!(snapshot.embedded("fd00:2::5efe:10.6.8.20".parse().unwrap()), v4);
        assert_eq!(snapshot.embedded("fd00:2::200:5efe:10.6.8.20".parse().unwrap()), v4);
        assert_eq!(snapshot.embedded("fd00:2::1:10.6.8.20".parse().unwrap()), None);
        // A client that picks such an identifier is not believed.
        assert_eq!(snapshot.embedded("fd00:1::5efe:10.6.8.20".parse().unwrap()), None);
    }

    #[test]
    fn a_service_is_an_address_with_a_protocol_and_a_port() {
        let address = "fd00::53".parse().unwrap();
        let snapshot = SnapshotBuilder::new()
            .service(Service::Udp(address, 53))
            .service(Service::Tcp(address, 53))
            .service(Service::Echo(address))
            .build()
            .unwrap();
        let serves = |protocol, dst_port, dst| {
            let client = Identity { groups: group::CLIENTS, name: Identity::NAMELESS };
            let src = Ipv6Addr::UNSPECIFIED;
            snapshot.serves(&client, &FlowKey { protocol, src, dst, src_port: 53, dst_port })
        };
        assert!(serves(protocol::UDP, 53, address) && serves(protocol::TCP, 53, address));
        assert!(serves(protocol::ICMPV6, 9, address));
        assert!(!serves(protocol::UDP, 54, address) && !serves(protocol::ESP, 53, address));
        assert!(!serves(protocol::UDP, 53, "fd00::54".parse().unwrap()));
    }
}
