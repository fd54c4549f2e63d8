//! What a line of the journal says.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sixgate_wire::addr::IpPrefix;

use crate::netlink::{Address, Netlink, Route, RouteKind, Rule};
use crate::{HostError, resolver, sysctl};

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    /// A change that is about to be made.
    Made(Record),
    /// A change that was not made, or is undone.
    Gone(u64),
}

/// A change, where it was made, and its number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) namespace: Option<String>,
    pub(super) change: Change,
}

/// What was changed, and what was there before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Change {
    Sysctl { name: String, before: String, set: String, along: Vec<Along> },
    Nft { family: String, name: String },
    Resolver { path: PathBuf, before: resolver::State, set: String },
    Route(RouteRecord),
    Address(AddressRecord),
    Rule(RuleRecord),
}

/// A sysctl that the kernel changes along with another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Along {
    pub(super) name: String,
    pub(super) before: String,
    /// What the kernel makes of it when the other is set, and when that is put back.
    pub(super) set: String,
    pub(super) back: String,
}

/// The sysctls that setting `name` from `back` to `value` changes beside it, with what they are now.
pub(super) fn changed_along(name: &str, back: &str, value: &str) -> Vec<Along> {
    let mut along = Vec::new();
    let mut note = |name: String, set: &str, back: &str| {
        if let Ok(before) = sysctl::get(&name) {
            along.push(Along { name, before, set: set.to_owned(), back: back.to_owned() });
        }
    };
    let inverse = |value: &str| if value == "0" { "1" } else { "0" };
    // net/ipv4/ip_forward is another name of net/ipv4/conf/all/forwarding.
    let full = if name == "net/ipv4/ip_forward" { "net/ipv4/conf/all/forwarding" } else { name };
    for family in ["net/ipv4/conf", "net/ipv6/conf"] {
        let setting = full.strip_prefix(family).and_then(|rest| rest.strip_prefix("/all/"));
        let Some(setting) = setting.filter(|s| matches!(*s, "forwarding" | "disable_ipv6")) else { continue };
        // All devices, and "default" for those that are to come.
        for other in sysctl::family(family, setting).into_iter().filter(|other| other != full) {
            note(other, value, back);
        }
        if family == "net/ipv4/conf" {
            // RFC 1812, section 5.2.7.2: a router does not follow redirects, and Linux turns this with it.
            note(format!("{family}/all/accept_redirects"), inverse(value), inverse(back));
        }
    }
    along
}

/// A route, its device by name: numbers are given anew at the next start of the system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RouteRecord {
    pub(super) destination: String,
    pub(super) kind: String,
    pub(super) device: Option<String>,
    pub(super) gateway: Option<IpAddr>,
    pub(super) onlink: bool,
    pub(super) metric: Option<u32>,
    pub(super) source: Option<IpAddr>,
    pub(super) table: u32,
    pub(super) protocol: u8,
}

impl RouteRecord {
    pub(super) fn new(netlink: &mut Netlink, route: &Route) -> Result<Self, HostError> {
        let device = route.link.map(|link| netlink.link_by_index(link)).transpose()?.map(|l| l.name);
        Ok(Self {
            destination: route.destination.to_string(),
            kind: KINDS
                .iter()
                .find(|(kind, _)| *kind == route.kind)
                .map_or("unicast", |(_, name)| name)
                .to_owned(),
            device,
            gateway: route.gateway,
            onlink: route.onlink,
            metric: route.metric,
            source: route.source,
            table: route.table,
            protocol: route.protocol,
        })
    }

    /// The route; `None` when its device is gone, and the route with it.
    pub(super) fn route(&self, netlink: &mut Netlink) -> Option<Route> {
        let destination: IpPrefix = self.destination.parse().ok()?;
        let link = match &self.device {
            Some(name) => Some(netlink.link(name).ok()?.index),
            None => None,
        };
        Some(Route {
            destination,
            kind: KINDS.iter().find(|(_, name)| *name == self.kind)?.0,
            link,
            gateway: self.gateway,
            onlink: self.onlink,
            metric: self.metric,
            mtu: None,
            source: self.source,
            table: self.table,
            protocol: self.protocol,
        })
    }
}

const KINDS: [(RouteKind, &str); 5] = [
    (RouteKind::Unicast, "unicast"),
    (RouteKind::Local, "local"),
    (RouteKind::Unreachable, "unreachable"),
    (RouteKind::Prohibit, "prohibit"),
    (RouteKind::Blackhole, "blackhole"),
];

/// True when the kernel would refuse `new` because of `old`, whoever made it.
pub(super) fn same_route(old: &Route, new: &Route) -> bool {
    let kernels = match new.destination {
        IpPrefix::V4(_) => 0,
        IpPrefix::V6(_) => 1024,
    };
    let metric = |r: &Route| r.metric.unwrap_or(kernels);
    let same_place =
        old.destination == new.destination && old.table == new.table && metric(old) == metric(new);
    // IPv6 keeps several next hops of one metric; IPv4 does not.
    let v4 = matches!(new.destination, IpPrefix::V4(_));
    same_place && (v4 || (old.link == new.link && old.gateway == new.gateway))
}

/// An address and its device by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AddressRecord {
    pub(super) device: String,
    pub(super) address: IpAddr,
    pub(super) length: u8,
}

impl AddressRecord {
    pub(super) fn new(netlink: &mut Netlink, address: &Address) -> Result<Self, HostError> {
        let device = netlink.link_by_index(address.link)?.name;
        Ok(Self { device, address: address.address, length: address.length })
    }

    /// The address; `None` when its device is gone, and the address with it.
    pub(super) fn address(&self, netlink: &mut Netlink) -> Option<Address> {
        let link = netlink.link(&self.device).ok()?.index;
        Some(Address::plain(link, self.address, self.length))
    }
}

/// A routing rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RuleRecord {
    v6: bool,
    priority: u32,
    table: u32,
    from: Option<String>,
    to: Option<String>,
    mark: Option<(u32, u32)>,
    input: Option<String>,
}

impl RuleRecord {
    pub(super) fn new(rule: &Rule) -> Self {
        let text = |p: IpPrefix| p.to_string();
        Self {
            v6: rule.v6,
            priority: rule.priority,
            table: rule.table,
            from: rule.from.map(text),
            to: rule.to.map(text),
            mark: rule.mark,
            input: rule.input.clone(),
        }
    }

    /// The rule; `None` when the journal does not hold one.
    pub(super) fn rule(&self) -> Option<Rule> {
        let prefix = |text: &Option<String>| {
            text.as_ref().map(|t| t.parse::<IpPrefix>().ok()).map_or(Some(None), |p| p.map(Some))
        };
        Some(Rule {
            v6: self.v6,
            priority: self.priority,
            table: self.table,
            from: prefix(&self.from)?,
            to: prefix(&self.to)?,
            mark: self.mark,
            input: self.input.clone(),
        })
    }
}

/// The network namespace of the calling thread, and since which start of the system.
pub(super) fn namespace() -> Option<String> {
    let link = std::fs::read_link("/proc/thread-self/ns/net").ok()?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{} {}", link.display(), boot.trim()))
}
