//! `[[isatap.allow]]`: who is served, and what hosts of one rule are given in place of what all are.

use core::fmt;
use core::net::Ipv4Addr;

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix};
use sixgate_wire::lease::LeasedRoute;

use super::advertise::{Advertise, check_size};
use super::{lifetimes, narrow, route};
use crate::ldap;
use crate::reader::{At, Complaint, Node, Table};
use crate::report::{Report, Rule};
use crate::values::{self, DnsName};

/// A rule of who is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allow {
    /// At least one, unless there is an `ldap_group`.
    pub hosts: Vec<AllowedHost>,
    /// The distinguished name of a group of the directory.
    pub ldap_group: Option<String>,
    /// Their group for the policy; without one, hosts of an `ldap_group` are known by its first name, where that is one word.
    pub group: Option<String>,
    /// What its hosts are given, where it says anything about that; the rest is what all are given.
    pub offer: Option<Offer>,
    /// Line of the file, for people.
    pub line: usize,
}

impl Allow {
    /// What the directory calls the group of these hosts, as far as the file says: the first name of `ldap_group`, else `group`.
    #[must_use]
    pub fn security_group(&self) -> Option<String> {
        self.ldap_group.as_deref().map(ldap::first_value).or_else(|| self.group.clone())
    }
}

/// What hosts are given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// A /64.
    pub prefix: Ipv6Prefix,
    /// What they reach through us.
    pub routes: Vec<LeasedRoute>,
    /// Seconds; 0 = no default route.
    pub router_lifetime: u16,
    /// Seconds.
    pub preferred_lifetime: u32,
    /// Seconds.
    pub valid_lifetime: u32,
}

/// Whom a rule names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AllowedHost {
    /// A name, to be looked up.
    Name(DnsName),
    /// An address (length 32) or a prefix.
    Prefix(Ipv4Prefix),
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Prefix(prefix) if prefix.length() == 32 => prefix.address().fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

impl AllowedHost {
    /// Reads a host as the file and the command line write it.
    ///
    /// # Errors
    /// What is wrong with it, and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        allowed_host(text).map_err(Complaint::into_line)
    }
}

/// Reads a group as the file and the command line write it.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub fn parse_group(text: &str) -> Result<String, String> {
    word(text).map_err(Complaint::into_line)
}

/// The rules before what all hosts are given is known.
pub(super) struct Begun<'t> {
    pub(super) rules: Vec<(Table<'t>, Option<At<Ipv6Prefix>>)>,
}

/// The rules, with the places that other checks need.
#[derive(Default)]
pub(super) struct Done {
    pub(super) rules: Vec<Allow>,
    pub(super) groups: Vec<At<()>>,
}

/// Reads no more than each rule's own prefix.
pub(super) fn begin<'t>(table: &mut Table<'t>, report: &mut Report) -> Begun<'t> {
    let Some(node) = table.take("allow") else {
        let here = At { value: (), span: table.span.clone(), key: table.join("allow") };
        here.warn(Rule::Nobody, "no host may use ISATAP", "add [[isatap.allow]] with `hosts`", report);
        return Begun { rules: Vec::new() };
    };
    let own = |mut table: Table<'t>, report: &mut Report| {
        let prefix = table
            .take("prefix")
            .and_then(|n| Some(n.at(n.parse(values::ipv6_prefix_of(64, "ISATAP"), report)?)));
        (table, prefix)
    };
    Begun { rules: node.tables(report).into_iter().map(|t| own(t, report)).collect() }
}

impl Begun<'_> {
    /// Prefixes that rules have of their own, each once.
    pub(super) fn prefixes(&self, link: Option<&At<Ipv6Prefix>>) -> Vec<At<Ipv6Prefix>> {
        let mut all: Vec<At<Ipv6Prefix>> = Vec::new();
        for (_, prefix) in &self.rules {
            if let Some(prefix) = prefix
                && link.is_none_or(|l| l.value != prefix.value)
                && !all.iter().any(|p| p.value == prefix.value)
            {
                all.push(prefix.clone());
            }
        }
        all
    }

    /// Reads the rest. `common` is what all hosts are given, `links` the prefixes that no route may lead into, `advertise` what
    /// shares an advertisement with a rule's routes.
    pub(super) fn finish(
        self,
        common: Option<&Offer>,
        links: &[At<Ipv6Prefix>],
        advertise: &Advertise,
        report: &mut Report,
    ) -> Done {
        let mut done = Done::default();
        for (table, prefix) in self.rules {
            let here = At { value: (), span: table.span.clone(), key: table.join("routes") };
            let (rule, group) = rule(table, prefix, common, links, report);
            if let Some(offer) = &rule.offer {
                check_size(&offer.routes, advertise, &here, report);
            }
            done.rules.push(rule);
            done.groups.extend(group);
        }
        done
    }
}

fn rule(
    mut table: Table<'_>,
    prefix: Option<At<Ipv6Prefix>>,
    common: Option<&Offer>,
    links: &[At<Ipv6Prefix>],
    report: &mut Report,
) -> (Allow, Option<At<()>>) {
    let line = report.line(table.span.start);
    let ldap_node = table.take("ldap-group");
    let ldap_group = ldap_node.as_ref().and_then(|n| n.parse(ldap::dn, report));
    let group = table.take("group").and_then(|n| n.parse(word, report));
    let hosts = if table.has("ldap-group") {
        table.take("hosts")
    } else {
        table.need("hosts", "[\"10.6.8.20\"]", report)
    };
    let hosts = hosts.map(|n| n.list_of_some(allowed_host, report)).unwrap_or_default();
    let offer = offer(&mut table, prefix, common, links, report);
    table.finish(report);
    let first_name = || ldap_group.as_ref().and_then(|dn| word(&ldap::first_value(dn)).ok());
    let rule = Allow {
        hosts: hosts.into_iter().map(|h| h.value).collect(),
        group: group.or_else(first_name),
        ldap_group,
        offer,
        line,
    };
    (rule, ldap_node.map(|node| node.at(())))
}

/// What the rule says of its own, the rest from what all are given; `None` where it says nothing.
fn offer(
    table: &mut Table<'_>,
    prefix: Option<At<Ipv6Prefix>>,
    common: Option<&Offer>,
    links: &[At<Ipv6Prefix>],
    report: &mut Report,
) -> Option<Offer> {
    let keys = ["prefix", "routes", "router-lifetime", "preferred-lifetime", "valid-lifetime"];
    let own = keys.iter().any(|key| table.has(key));
    let (preferred, valid) =
        lifetimes(table, common.map(|c| (c.preferred_lifetime, c.valid_lifetime)), report);
    let router = table.take("router-lifetime").and_then(|n| n.number(0, 65_535, report));
    let routes = table.take("routes").map(|n| routes_of(&n, links, report));
    let common = common.filter(|_| own)?;
    Some(Offer {
        prefix: prefix.map_or(common.prefix, |p| p.value),
        routes: routes.unwrap_or_else(|| common.routes.clone()),
        router_lifetime: router
            .map_or(common.router_lifetime, |r| u16::try_from(narrow(r)).unwrap_or(u16::MAX)),
        preferred_lifetime: preferred,
        valid_lifetime: valid,
    })
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

/// The elements of `routes`.
pub(super) fn routes_of(node: &Node<'_>, links: &[At<Ipv6Prefix>], report: &mut Report) -> Vec<LeasedRoute> {
    node.items(report).iter().filter_map(|n| route(n, links, report)).collect()
}
