//! Routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric, RouteProtocol,
    RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use sixgate_wire::addr::{IpPrefix, Ipv4Prefix, Ipv6Prefix};

use super::Netlink;
use crate::HostError;

/// The "protocol" of our routes, by which they are told from everybody else's: `ip route` shows `proto 64`.
pub const PROTOCOL: u8 = 64;

/// What a route does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RouteKind {
    /// Sends on.
    #[default]
    Unicast,
    /// Delivers to this host.
    Local,
    /// Refuses with "unreachable".
    Unreachable,
    /// Refuses with "prohibited".
    Prohibit,
    /// Swallows.
    Blackhole,
}

/// A route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// Where to.
    pub destination: IpPrefix,
    /// What it does.
    pub kind: RouteKind,
    /// Index of the link that it leaves by. Needed except where the route refuses.
    pub link: Option<u32>,
    /// The next hop.
    pub gateway: Option<IpAddr>,
    /// The next hop is on the link although no prefix of the link says so.
    pub onlink: bool,
    /// Lower wins; `None` leaves it to the kernel (0 in IPv4, 1024 in IPv6).
    pub metric: Option<u32>,
    /// MTU of the path, in octets, if smaller than the link's.
    pub mtu: Option<u32>,
    /// Preferred source address.
    pub source: Option<IpAddr>,
    /// Routing table; 254 is the main one.
    pub table: u32,
    /// Who made it; [`PROTOCOL`] is us.
    pub protocol: u8,
}

impl Route {
    /// A route of ours to `destination` over the link, in the main table.
    #[must_use]
    pub fn dev(destination: impl Into<IpPrefix>, link: u32) -> Self {
        Self {
            destination: destination.into(),
            kind: RouteKind::Unicast,
            link: Some(link),
            gateway: None,
            onlink: false,
            metric: None,
            mtu: None,
            source: None,
            table: MAIN,
            protocol: PROTOCOL,
        }
    }

    /// The same by way of a next hop.
    #[must_use]
    pub fn via(self, gateway: impl Into<IpAddr>) -> Self {
        Self { gateway: Some(gateway.into()), ..self }
    }

    fn name(&self) -> String {
        match self.gateway {
            Some(gateway) => format!("the route to {} via {gateway}", self.destination),
            None => format!("the route to {}", self.destination),
        }
    }
}

/// The main routing table.
const MAIN: u32 = 254;

impl Netlink {
    /// All routes of all tables and both families, except those over several next hops.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn routes(&mut self) -> Result<Vec<Route>, HostError> {
        let answers = self
            .dump(RouteNetlinkMessage::GetRoute(RouteMessage::default()))
            .map_err(|e| HostError::new("reading the routes", e))?;
        Ok(answers.iter().filter_map(read).collect())
    }

    /// Adds a route.
    ///
    /// # Errors
    /// What the system says, in one line; where there is such a route already, `AlreadyExists`.
    pub fn add_route(&mut self, route: &Route) -> Result<(), HostError> {
        self.change(RouteNetlinkMessage::NewRoute(message(route)), NLM_F_CREATE | NLM_F_EXCL)
            .map_err(|e| HostError::new(format!("adding {}", route.name()), e))
    }

    /// Adds a route in the place of one with the same destination, table and metric.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn replace_route(&mut self, route: &Route) -> Result<(), HostError> {
        self.change(RouteNetlinkMessage::NewRoute(message(route)), NLM_F_CREATE | NLM_F_REPLACE)
            .map_err(|e| HostError::new(format!("setting {}", route.name()), e))
    }

    /// Removes a route. False when it was not there, or its link is gone.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn remove_route(&mut self, route: &Route) -> Result<bool, HostError> {
        let mut message = message(route);
        // Deleting looks at what is said; "nowhere" says nothing of the scope.
        message.header.scope = RouteScope::NoWhere;
        message.attributes.retain(|a| !matches!(a, RouteAttribute::Metrics(_)));
        match self.change(RouteNetlinkMessage::DelRoute(message), 0) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENODEV)) => Ok(false),
            Err(error) => Err(HostError::new(format!("removing {}", route.name()), error)),
        }
    }
}

fn message(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    let (family, address, length) = match route.destination {
        IpPrefix::V4(p) => (AddressFamily::Inet, IpAddr::V4(p.address()), p.length()),
        IpPrefix::V6(p) => (AddressFamily::Inet6, IpAddr::V6(p.address()), p.length()),
    };
    header.address_family = family;
    header.destination_prefix_length = length;
    // A table beyond one octet is told by the attribute alone.
    header.table = u8::try_from(route.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
    header.protocol = RouteProtocol::from(route.protocol);
    header.kind = match route.kind {
        RouteKind::Unicast => RouteType::Unicast,
        RouteKind::Local => RouteType::Local,
        RouteKind::Unreachable => RouteType::Unreachable,
        RouteKind::Prohibit => RouteType::Prohibit,
        RouteKind::Blackhole => RouteType::BlackHole,
    };
    header.scope = match (route.kind, route.gateway) {
        (RouteKind::Unicast, None) => RouteScope::Link,
        (RouteKind::Local, _) => RouteScope::Host,
        (RouteKind::Unicast | RouteKind::Unreachable | RouteKind::Prohibit | RouteKind::Blackhole, _) => {
            RouteScope::Universe
        }
    };
    header.flags = if route.onlink { RouteFlags::Onlink } else { RouteFlags::empty() };
    let attributes = &mut message.attributes;
    if length > 0 {
        attributes.push(RouteAttribute::Destination(address.into()));
    }
    attributes.push(RouteAttribute::Table(route.table));
    attributes.extend(route.link.map(RouteAttribute::Oif));
    attributes.extend(route.gateway.map(|g| RouteAttribute::Gateway(g.into())));
    attributes.extend(route.metric.map(RouteAttribute::Priority));
    attributes.extend(route.source.map(|s| RouteAttribute::PrefSource(s.into())));
    attributes.extend(route.mtu.map(|m| RouteAttribute::Metrics(vec![RouteMetric::Mtu(m)])));
    message
}

fn read(message: &RouteNetlinkMessage) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(message) = message else { return None };
    let header = &message.header;
    let kind = match header.kind {
        RouteType::Unicast => RouteKind::Unicast,
        RouteType::Local => RouteKind::Local,
        RouteType::Unreachable => RouteKind::Unreachable,
        RouteType::Prohibit => RouteKind::Prohibit,
        RouteType::BlackHole => RouteKind::Blackhole,
        _ => return None,
    };
    let unspecified = match header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let mut destination = unspecified;
    let mut route = Route {
        destination: prefix(unspecified, 0),
        kind,
        link: None,
        gateway: None,
        onlink: header.flags.contains(RouteFlags::Onlink),
        metric: None,
        mtu: None,
        source: None,
        table: u32::from(header.table),
        protocol: u8::from(header.protocol),
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = plain(address)?,
            RouteAttribute::Gateway(address) => route.gateway = plain(address),
            RouteAttribute::PrefSource(address) => route.source = plain(address),
            RouteAttribute::Oif(index) => route.link = Some(*index),
            RouteAttribute::Priority(metric) => route.metric = Some(*metric),
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::Metrics(metrics) => route.mtu = mtu(metrics),
            RouteAttribute::MultiPath(_) => return None,
            _ => {}
        }
    }
    route.destination = prefix(destination, header.destination_prefix_length);
    Some(route)
}

pub(super) fn mtu(metrics: &[RouteMetric]) -> Option<u32> {
    metrics.iter().find_map(|m| if let RouteMetric::Mtu(mtu) = m { Some(*mtu) } else { None })
}

pub(super) fn plain(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some((*v4).into()),
        RouteAddress::Inet6(v6) => Some((*v6).into()),
        _ => None,
    }
}

fn prefix(address: IpAddr, length: u8) -> IpPrefix {
    match address {
        IpAddr::V4(v4) => Ipv4Prefix::containing(v4, length).into(),
        IpAddr::V6(v6) => Ipv6Prefix::containing(v6, length).into(),
    }
}
