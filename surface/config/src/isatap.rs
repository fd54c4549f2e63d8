//! `[isatap]`: the ISATAP router (RFC 5214), for named hosts only.

use core::net::Ipv4Addr;

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix};
use sixgate_wire::lease::{LeasedRoute, Preference};

use crate::gateway::{Named, Site};
use crate::reader::{At, Complaint, Node, Table};
use crate::report::{Report, Rule};
use crate::values::{self, DnsName};

mod advertise;

pub use advertise::Advertise;

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
    /// What advertisements say beside that, and when they are sent unasked.
    pub advertise: Advertise,
    /// Who is served, first match.
    pub allow: Vec<Allow>,
}

/// A rule of who is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allow {
    /// At least one.
    pub hosts: Vec<AllowedHost>,
    /// Their group for the policy.
    pub group: Option<String>,
}

/// Whom a rule names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AllowedHost {
    /// A name, to be looked up.
    Name(DnsName),
    /// An address (length 32) or a prefix.
    Prefix(Ipv4Prefix),
}

const DEVICE: &str = "isatap0";
const ROUTE_LIFETIME: u32 = 3600;

/// The section with the places that checks between sections need.
pub(crate) struct Read {
    pub(crate) value: Isatap,
    pub(crate) prefix: At<Ipv6Prefix>,
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
    let (preferred, valid) = lifetimes(&mut table, report);
    let mtu = table.take("mtu").and_then(|n| n.number(1280, 65_515, report)).unwrap_or(1280);
    let router = table.take("router-lifetime").and_then(|n| n.number(0, 65_535, report)).unwrap_or(0);
    let routes = match table.take("routes") {
        Some(n) => n.items(report).iter().filter_map(|n| route(n, prefix.as_ref(), report)).collect(),
        None => default_routes(&table, site, has_gateway, report),
    };
    let peers = table.take("peers").map(|n| n.list(unicast, report)).unwrap_or_default();
    let advertise = advertise::read(&mut table, report);
    let here = At { value: (), span: table.span.clone(), key: table.join("routes") };
    advertise::check_size(&routes, &advertise, &here, report);
    let allow = read_allow(&mut table, report);
    table.finish(report);
    let prefix = prefix?;
    let value = Isatap {
        interface: interface.map(|d| d.value).or_else(|| site.map(|s| s.inside.clone())),
        address,
        device: device.at.value.clone(),
        name,
        prefix: prefix.value,
        mtu: narrow(mtu),
        router_lifetime: u16::try_from(router).unwrap_or(u16::MAX),
        preferred_lifetime: preferred,
        valid_lifetime: valid,
        routes,
        peers: peers.into_iter().map(|p| p.value).collect(),
        advertise,
        allow,
    };
    Some(Read { value, prefix, device })
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

/// Preferred and valid lifetime, the first at most the second (RFC 4862, section 5.5.3 c).
fn lifetimes(table: &mut Table<'_>, report: &mut Report) -> (u32, u32) {
    let most = u64::from(u32::MAX);
    let preferred = table.take("preferred-lifetime");
    let valid = table.take("valid-lifetime");
    let seconds = |node: &Option<Node<'_>>, default, report: &mut Report| {
        node.as_ref().and_then(|n| n.number(1, most, report)).map_or(default, narrow)
    };
    let (p, v) = (seconds(&preferred, 14_400, report), seconds(&valid, 86_400, report));
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

fn route(node: &Node<'_>, link: Option<&At<Ipv6Prefix>>, report: &mut Report) -> Option<LeasedRoute> {
    let mut table = node.table(report)?;
    let prefix = table.need("prefix", "\"fd6a:7e00:cafe:1::/64\"", report);
    let prefix = prefix.and_then(|n| Some(n.at(n.parse(values::ipv6_prefix, report)?)));
    let words = [("high", Preference::High), ("medium", Preference::Medium), ("low", Preference::Low)];
    let preference = table.take("preference").and_then(|n| n.choice(&words, report)).unwrap_or_default();
    let lifetime = table.take("lifetime").and_then(|n| n.number(1, u64::from(u32::MAX), report));
    table.finish(report);
    let prefix = prefix?;
    if let Some(link) = link
        && link.value.overlaps(prefix.value)
        && prefix.value.length() >= link.value.length()
    {
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

fn read_allow(table: &mut Table<'_>, report: &mut Report) -> Vec<Allow> {
    let Some(node) = table.take("allow") else {
        let here = At { value: (), span: table.span.clone(), key: table.join("allow") };
        here.warn(Rule::Nobody, "no host may use ISATAP", "add [[isatap.allow]] with `hosts`", report);
        return Vec::new();
    };
    node.tables(report).into_iter().map(|t| allow(t, report)).collect()
}

fn allow(mut table: Table<'_>, report: &mut Report) -> Allow {
    table.not_yet("ldap-group", "groups from a directory (LDAP)", report);
    let group = table.take("group").and_then(|n| n.parse(word, report));
    let hosts = if table.has("ldap-group") {
        table.take("hosts")
    } else {
        table.need("hosts", "[\"10.6.8.20\"]", report)
    };
    let hosts = hosts.map(|n| n.list_of_some(allowed_host, report)).unwrap_or_default();
    table.finish(report);
    Allow { hosts: hosts.into_iter().map(|h| h.value).collect(), group }
}

fn allowed_host(text: &str) -> Result<AllowedHost, Complaint> {
    if text.contains('/') {
        let prefix = values::ipv4_prefix(text)?;
        if prefix.length() < 8 {
            return Err(Complaint::new(
                Rule::PrefixLength,
                format!("`{text}` names more than a site"),
                "allowed: lengths 8 to 32; ISATAP is for named hosts",
            ));
        }
        return Ok(AllowedHost::Prefix(prefix));
    }
    match values::name_or_address(text)? {
        values::NameOrAddress::Name(name) => Ok(AllowedHost::Name(name)),
        values::NameOrAddress::Address(_) => {
            unicast(text).map(|a| AllowedHost::Prefix(Ipv4Prefix::containing(a, 32)))
        }
    }
}

/// A group: letters, digits, hyphen, underscore, dot; not a word of the policy language.
pub(crate) fn word(text: &str) -> Result<String, Complaint> {
    let fits = !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'));
    if !fits {
        return Err(Complaint::new(
            Rule::Selector,
            format!("`{text}` cannot name a group"),
            "allowed: 1 to 64 letters, digits, hyphens, underscores and dots",
        ));
    }
    if ["any", "clients", "intranet"].contains(&text) {
        return Err(Complaint::new(
            Rule::Selector,
            format!("`{text}` cannot name a group"),
            "the policy has a meaning of its own for this word",
        ));
    }
    Ok(text.to_owned())
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

pub(crate) fn unicast(text: &str) -> Result<Ipv4Addr, Complaint> {
    let address = values::ipv4(text)?;
    let first = address.octets()[0];
    if first == 0 || first >= 224 || address.is_loopback() {
        return Err(Complaint::new(
            Rule::PrefixUse,
            format!("`{text}` cannot be a neighbour"),
            "allowed: a unicast IPv4 address of the site",
        ));
    }
    Ok(address)
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
