//! `[isatap]`: the ISATAP router (RFC 5214), for named hosts only.

use core::net::Ipv4Addr;

use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::lease::{LeasedRoute, Preference};

use crate::gateway::{Named, Site};
use crate::reader::{At, Complaint, Node, Table};
use crate::report::{Report, Rule};
use crate::values::{self, DnsName};

mod advertise;
pub(crate) mod allow;
mod redirect;

pub use advertise::Advertise;
pub use allow::{Allow, AllowedHost, Offer, parse_group};
pub use redirect::Redirect;

use allow::{routes_of, unicast};

/// The whole section, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Isatap {
    /// The IPv4 side; `None` = the interface that has `address`.
    pub interface: Option<String>,
    /// Which of the interface's addresses; `None` = its only one.
    pub address: Option<Ipv4Addr>,
    /// Name of the TUN device.
    pub device: String,
    /// What hosts are told; its first label is never `isatap`.
    pub name: Option<DnsName>,
    /// A /64.
    pub prefix: Ipv6Prefix,
    /// At least 1280.
    pub mtu: u32,
    /// Seconds; 0 = no default route.
    pub router_lifetime: u16,
    /// Seconds.
    pub preferred_lifetime: u32,
    /// Seconds.
    pub valid_lifetime: u32,
    /// What hosts reach through us; counts as "clients" for the default policy.
    pub routes: Vec<LeasedRoute>,
    /// Other gateways and routers of the site.
    pub peers: Vec<Ipv4Addr>,
    /// Which of them are better first hops, and where to; hosts are told.
    pub redirect: Vec<Redirect>,
    /// What advertisements say beside that, and when they are sent unasked.
    pub advertise: Advertise,
    /// Who is served, first match.
    pub allow: Vec<Allow>,
}

const DEVICE: &str = "isatap0";
const ROUTE_LIFETIME: u32 = 3600;
const PREFERRED_LIFETIME: u32 = 14_400;
const VALID_LIFETIME: u32 = 86_400;

impl Isatap {
    /// The prefixes of the link, each once: the one for all hosts, then those that rules have of their own.
    #[must_use]
    pub fn prefixes(&self) -> Vec<Ipv6Prefix> {
        let mut all = vec![self.prefix];
        for offer in self.allow.iter().filter_map(|rule| rule.offer.as_ref()) {
            if !all.contains(&offer.prefix) {
                all.push(offer.prefix);
            }
        }
        all
    }

    /// Everything that some host is given a route to, each prefix once.
    #[must_use]
    pub fn reached(&self) -> Vec<Ipv6Prefix> {
        let own = self.allow.iter().filter_map(|rule| rule.offer.as_ref()).flat_map(|offer| &offer.routes);
        let mut all = Vec::new();
        for route in self.routes.iter().chain(own) {
            if !all.contains(&route.prefix) {
                all.push(route.prefix);
            }
        }
        all
    }
}

/// The section with the places that checks between sections need.
pub(crate) struct Read {
    pub(crate) value: Isatap,
    pub(crate) prefix: At<Ipv6Prefix>,
    /// Prefixes that rules have of their own, each once.
    pub(crate) rule_prefixes: Vec<At<Ipv6Prefix>>,
    /// Groups of the directory.
    pub(crate) ldap_groups: Vec<At<()>>,
    pub(crate) device: Named,
}

pub(crate) fn read(
    node: &Node<'_>,
    site: Option<&Site>,
    has_gateway: bool,
    report: &mut Report,
) -> Option<Read> {
    let mut table = node.table(report)?;
    let mut device =
        |key, report: &mut Report| table.take(key).and_then(|n| Some(n.at(n.parse(values::device, report)?)));
    let interface = device("interface", report);
    let device = Named::or_default(device("device", report), DEVICE, &table);
    let address = table.take("address").and_then(|n| n.parse(unicast, report));
    if !has_gateway && !table.has("interface") && !table.has("address") {
        table.missing("interface", "\"int0\"", report);
    }
    let name = table.take("name").and_then(|n| n.parse(router_name, report));
    let prefix = read_prefix(&mut table, site, has_gateway, report);
    let rules = allow::begin(&mut table, report);
    let rule_prefixes = rules.prefixes(prefix.as_ref());
    let links: Vec<_> = prefix.iter().chain(&rule_prefixes).cloned().collect();
    let (preferred, valid) = lifetimes(&mut table, None, report);
    let mtu = table.take("mtu").and_then(|n| n.number(1280, 65_515, report)).unwrap_or(1280);
    let router = table.take("router-lifetime").and_then(|n| n.number(0, 65_535, report)).unwrap_or(0);
    let routes = match table.take("routes") {
        Some(n) => routes_of(&n, &links, report),
        None => default_routes(&table, site, has_gateway, report),
    };
    let peers = table.take("peers").map(|n| n.list(unicast, report)).unwrap_or_default();
    let peers: Vec<Ipv4Addr> = peers.into_iter().map(|p| p.value).collect();
    let redirect = redirect::read(&mut table, &peers, report);
    let advertise = advertise::read(&mut table, report);
    let here = At { value: (), span: table.span.clone(), key: table.join("routes") };
    advertise::check_size(&routes, &advertise, &here, report);
    let router_lifetime = u16::try_from(router).unwrap_or(u16::MAX);
    let common = prefix.as_ref().map(|prefix| Offer {
        prefix: prefix.value,
        routes: routes.clone(),
        router_lifetime,
        preferred_lifetime: preferred,
        valid_lifetime: valid,
    });
    let allow = rules.finish(common.as_ref(), &links, &advertise, report);
    table.finish(report);
    let prefix = prefix?;
    let value = Isatap {
        interface: interface.map(|d| d.value).or_else(|| site.map(|s| s.inside.clone())),
        address,
        device: device.at.value.clone(),
        name,
        prefix: prefix.value,
        mtu: narrow(mtu),
        router_lifetime,
        preferred_lifetime: preferred,
        valid_lifetime: valid,
        routes,
        peers,
        redirect,
        advertise,
        allow: allow.rules,
    };
    Some(Read { value, prefix, rule_prefixes, ldap_groups: allow.groups, device })
}

fn read_prefix(
    table: &mut Table<'_>,
    site: Option<&Site>,
    has_gateway: bool,
    report: &mut Report,
) -> Option<At<Ipv6Prefix>> {
    match (table.take("prefix"), site) {
        (Some(node), _) => node.parse(values::ipv6_prefix_of(64, "ISATAP"), report).map(|p| node.at(p)),
        (None, Some(site)) => {
            Some(At { value: site.isatap(), span: table.span.clone(), key: table.join("prefix") })
        }
        // The prefix comes from [gateway], whose own fault is reported.
        (None, None) if has_gateway => None,
        (None, None) => {
            table.missing("prefix", "\"fd6a:7e00:cafe:2::/64\"", report);
            None
        }
    }
}

/// Preferred and valid lifetime, the first at most the second (RFC 4862, section 5.5.3 c). `usual` holds where a key is absent.
fn lifetimes(table: &mut Table<'_>, usual: Option<(u32, u32)>, report: &mut Report) -> (u32, u32) {
    let most = u64::from(u32::MAX);
    let preferred = table.take("preferred-lifetime");
    let valid = table.take("valid-lifetime");
    let seconds = |node: &Option<Node<'_>>, default, report: &mut Report| {
        node.as_ref().and_then(|n| n.number(1, most, report)).map_or(default, narrow)
    };
    let usual = usual.unwrap_or((PREFERRED_LIFETIME, VALID_LIFETIME));
    let (p, v) = (seconds(&preferred, usual.0, report), seconds(&valid, usual.1, report));
    if p > v
        && let Some(node) = preferred.as_ref().or(valid.as_ref())
    {
        node.fault(
            Rule::Lifetime,
            "the preferred lifetime is above the valid lifetime",
            format!("preferred is {p} s, valid is {v} s"),
            report,
        );
    }
    (p, v)
}

fn route(node: &Node<'_>, links: &[At<Ipv6Prefix>], report: &mut Report) -> Option<LeasedRoute> {
    let mut table = node.table(report)?;
    let prefix = table.need("prefix", "\"fd6a:7e00:cafe:1::/64\"", report);
    let prefix = prefix.and_then(|n| Some(n.at(n.parse(values::ipv6_prefix, report)?)));
    let words = [("high", Preference::High), ("medium", Preference::Medium), ("low", Preference::Low)];
    let preference = table.take("preference").and_then(|n| n.choice(&words, report)).unwrap_or_default();
    let lifetime = table.take("lifetime").and_then(|n| n.number(1, u64::from(u32::MAX), report));
    table.finish(report);
    let prefix = prefix?;
    let leads_into = |link: &&At<Ipv6Prefix>| {
        link.value.overlaps(prefix.value) && prefix.value.length() >= link.value.length()
    };
    if let Some(link) = links.iter().find(leads_into) {
        prefix.fault_beside(
            Rule::Overlap,
            "a route leads into the ISATAP link itself",
            "allowed: prefixes of clients and of networks behind this router",
            Some((link.span.clone(), "the link has this prefix".to_owned())),
            report,
        );
    }
    Some(LeasedRoute { prefix: prefix.value, preference, lifetime: lifetime.map_or(ROUTE_LIFETIME, narrow) })
}

fn default_routes(
    table: &Table<'_>,
    site: Option<&Site>,
    has_gateway: bool,
    report: &mut Report,
) -> Vec<LeasedRoute> {
    if !has_gateway {
        let here = At { value: (), span: table.span.clone(), key: table.join("routes") };
        let label = "hosts get an address and nowhere to go; add `routes` with the clients' prefix";
        here.warn(Rule::Nobody, "this router has no routes to offer", label, report);
    }
    let route = |site: &Site| LeasedRoute {
        prefix: site.clients(),
        preference: Preference::Medium,
        lifetime: ROUTE_LIFETIME,
    };
    site.map(route).into_iter().collect()
}

/// The name that hosts look up: never the one that every Windows machine looks up by itself.
pub(crate) fn router_name(text: &str) -> Result<DnsName, Complaint> {
    let name = values::name(text)?;
    if name.first_label() == "isatap" {
        return Err(Complaint::new(
            Rule::RouterName,
            "the ISATAP router's name must not begin with the label `isatap`",
            "with this name every machine of the site would start to tunnel; take one like da-isatap.corp.example",
        ));
    }
    Ok(name)
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
