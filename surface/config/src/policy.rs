//! `[[policy]]`: who may open connections to whom. The first rule that matches allows; nothing matches = refused.

use core::ops::RangeInclusive;

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix};

use crate::isatap::{self, Isatap};
use crate::reader::{At, Complaint, Node, Table};
use crate::report::{Report, Rule};
use crate::values::{self, IpPrefix};

/// The rules in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// In the order of the file.
    pub rules: Vec<PolicyRule>,
    /// The file has no rules and these are the defaults.
    pub is_default: bool,
}

/// One rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyRule {
    /// Who opens.
    pub from: Selector,
    /// To whom.
    pub to: Selector,
    /// Empty = everything.
    pub ports: Vec<Ports>,
    /// Line of the file, for people; 0 for a default.
    pub line: usize,
}

/// Who a rule is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selector {
    /// Everybody.
    Any,
    /// Every client with a session; for a router alone, the prefixes that it has routes to.
    Clients,
    /// Everybody on the inside, by NAT64, ISATAP or native.
    Intranet,
    /// A group, or one client or host by name.
    Named(String),
    /// IPv6 addresses.
    V6(Ipv6Prefix),
    /// IPv4 addresses, inside NAT64 or ISATAP addresses.
    V4(Ipv4Prefix),
}

/// What a rule opens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ports {
    /// TCP destination ports.
    Tcp(RangeInclusive<u16>),
    /// UDP destination ports.
    Udp(RangeInclusive<u16>),
    /// ICMP echo.
    Icmp,
}

/// Reads `[[policy]]`.
pub(crate) fn read(node: &Node<'_>, report: &mut Report) -> Policy {
    let rules: Vec<At<PolicyRule>> =
        node.tables(report).into_iter().filter_map(|t| rule(t, report)).collect();
    for (i, later) in rules.iter().enumerate() {
        if let Some(earlier) = rules[..i].iter().find(|e| e.value.covers(&later.value)) {
            later.warn(
                Rule::Unreachable,
                "this policy rule adds nothing",
                format!("the rule in line {} allows all of it", earlier.value.line),
                report,
            );
        }
    }
    Policy { rules: rules.into_iter().map(|r| r.value).collect(), is_default: false }
}

/// What holds without any `[[policy]]`: clients may open to the intranet, served ISATAP hosts to the clients.
pub(crate) fn default(isatap: Option<&Isatap>, has_gateway: bool) -> Policy {
    let allow = |from, to| PolicyRule { from, to, ports: Vec::new(), line: 0 };
    let mut rules = Vec::new();
    if has_gateway {
        rules.push(allow(Selector::Clients, Selector::Intranet));
    }
    // Only hosts that are served get past the link, so its prefixes name exactly them.
    let prefixes = isatap.map(Isatap::prefixes).unwrap_or_default();
    rules.extend(prefixes.into_iter().map(|prefix| allow(Selector::V6(prefix), Selector::Clients)));
    Policy { rules, is_default: true }
}

impl Policy {
    /// True when clients may open something on the intranet.
    pub(crate) fn lets_clients_in(&self) -> bool {
        self.rules.iter().any(|r| {
            let from = match r.from {
                Selector::Any | Selector::Clients | Selector::Named(_) | Selector::V6(_) => true,
                Selector::Intranet | Selector::V4(_) => false,
            };
            let to = match r.to {
                Selector::Any
                | Selector::Intranet
                | Selector::Named(_)
                | Selector::V6(_)
                | Selector::V4(_) => true,
                Selector::Clients => false,
            };
            from && to
        })
    }
}

impl PolicyRule {
    /// True when everything that `other` allows is allowed by this rule.
    fn covers(&self, other: &Self) -> bool {
        self.from.covers(&other.from)
            && self.to.covers(&other.to)
            && (self.ports.is_empty()
                || (!other.ports.is_empty()
                    && other.ports.iter().all(|o| self.ports.iter().any(|p| p.covers(o)))))
    }
}

impl Selector {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::V6(a), Self::V6(b)) => a.length() <= b.length() && a.contains(b.address()),
            (Self::V4(a), Self::V4(b)) => a.length() <= b.length() && a.contains(b.address()),
            (a, b) => a == b,
        }
    }
}

impl Ports {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(a), Self::Tcp(b)) | (Self::Udp(a), Self::Udp(b)) => {
                a.start() <= b.start() && b.end() <= a.end()
            }
            (Self::Icmp, Self::Icmp) => true,
            (Self::Tcp(_) | Self::Udp(_) | Self::Icmp, _) => false,
        }
    }
}

fn rule(mut table: Table<'_>, report: &mut Report) -> Option<At<PolicyRule>> {
    let (span, key) = (table.span.clone(), table.path.clone());
    let from = table.need("from", "\"clients\"", report).and_then(|n| n.parse(selector, report));
    let to = table.need("to", "\"intranet\"", report).and_then(|n| n.parse(selector, report));
    let ports = table.take("ports").map(|n| n.list_of_some(ports, report)).unwrap_or_default();
    table.finish(report);
    let value = PolicyRule {
        from: from?,
        to: to?,
        ports: ports.into_iter().map(|p| p.value).collect(),
        line: report.line(span.start),
    };
    Some(At { value, span, key })
}

fn selector(text: &str) -> Result<Selector, Complaint> {
    match text {
        "any" => return Ok(Selector::Any),
        "clients" => return Ok(Selector::Clients),
        "intranet" => return Ok(Selector::Intranet),
        _ => {}
    }
    if text.contains('/') {
        return Ok(match values::ip_prefix(text)? {
            IpPrefix::V4(p) => Selector::V4(p),
            IpPrefix::V6(p) => Selector::V6(p),
        });
    }
    if text.contains(':') {
        return values::ipv6(text).map(|a| Selector::V6(Ipv6Prefix::containing(a, 128)));
    }
    if let Ok(address) = text.parse() {
        return Ok(Selector::V4(Ipv4Prefix::containing(address, 32)));
    }
    isatap::allow::word(text).map(Selector::Named).map_err(|_| {
        Complaint::new(
            Rule::Selector,
            format!("`{text}` names nobody"),
            "allowed: \"any\", \"clients\", \"intranet\", a group, a name, an address or a prefix",
        )
    })
}

fn ports(text: &str) -> Result<Ports, Complaint> {
    let wrong = || {
        Complaint::new(
            Rule::Ports,
            format!("`{text}` is nothing to allow"),
            "allowed: tcp/N, tcp/LOW-HIGH, udp/N, udp/LOW-HIGH, icmp",
        )
    };
    match text.split_once('/') {
        Some(("tcp", p)) => values::ports(p).map(Ports::Tcp),
        Some(("udp", p)) => values::ports(p).map(Ports::Udp),
        None => match text {
            "tcp" => Ok(Ports::Tcp(1..=u16::MAX)),
            "udp" => Ok(Ports::Udp(1..=u16::MAX)),
            "icmp" => Ok(Ports::Icmp),
            _ => Err(wrong()),
        },
        Some(_) => Err(wrong()),
    }
}
