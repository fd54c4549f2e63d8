//! `[dns64]`: addresses for names that have only IPv4 (RFC 6147).

use core::net::Ipv6Addr;

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, Prefix64};

use crate::nat64::well_known;
use crate::reader::{At, Node, Table};
use crate::report::{Report, Rule};
use crate::values::{self, DnsName, IpPrefix};

/// The whole section, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dns64 {
    /// Never synthesised; each with all names below it.
    pub exclude_names: Vec<DnsName>,
    /// Real AAAA are ignored; each with all names below it.
    pub always_names: Vec<DnsName>,
    /// Real AAAA in these are treated as absent (RFC 6147, section 5.1.4).
    pub exclude_ipv6: Vec<Ipv6Prefix>,
    /// A in these are never synthesised.
    pub exclude_ipv4: Vec<Ipv4Prefix>,
    /// RFC 6147, section 5.5, case 2.
    pub synthesise_for_dnssec_ok: bool,
    /// Lifts RFC 6052, section 3.1 for 64:ff9b::/96.
    pub well_known_non_global: bool,
    /// In the order of the file; at least one.
    pub rules: Vec<SynthesisRule>,
}

/// Which addresses are made for whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SynthesisRule {
    /// Where the IPv4 addresses go into.
    pub prefix: Prefix64,
    /// Askers; empty = all.
    pub clients: Vec<IpPrefix>,
    /// Addresses; empty = all.
    pub ipv4: Vec<Ipv4Prefix>,
}

impl Dns64 {
    /// What the section means when it is empty.
    pub(crate) fn derived(prefix: Option<Prefix64>) -> Self {
        let mapped = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0);
        Self {
            exclude_names: Vec::new(),
            always_names: Vec::new(),
            exclude_ipv6: vec![Ipv6Prefix::containing(mapped, 96)],
            exclude_ipv4: Vec::new(),
            synthesise_for_dnssec_ok: false,
            well_known_non_global: false,
            rules: vec![SynthesisRule {
                prefix: prefix.unwrap_or_else(well_known),
                clients: Vec::new(),
                ipv4: Vec::new(),
            }],
        }
    }
}

/// The section with the places of its prefixes.
pub(crate) struct Read {
    pub(crate) value: Dns64,
    pub(crate) prefixes: Vec<At<Prefix64>>,
}

/// Reads the section; `nat64` is the translator's first prefix.
pub(crate) fn read(node: &Node<'_>, nat64: Option<Prefix64>, report: &mut Report) -> Option<Read> {
    let mut table = node.table(report)?;
    let mut value = Dns64::derived(nat64);
    let names = |key, table: &mut Table<'_>, report: &mut Report| {
        table.take(key).map(|n| n.list(values::name, report)).unwrap_or_default()
    };
    let excluded = names("exclude-names", &mut table, report);
    let always = names("always-names", &mut table, report);
    for name in &always {
        if let Some(other) = excluded.iter().find(|e| e.value == name.value) {
            name.fault_beside(
                Rule::Conflict,
                format!("`{}` is never and always synthesised", name.value),
                "remove it from one list",
                Some((other.span.clone(), "never, it says here".to_owned())),
                report,
            );
        }
    }
    value.exclude_names = excluded.into_iter().map(|n| n.value).collect();
    value.always_names = always.into_iter().map(|n| n.value).collect();
    if let Some(node) = table.take("exclude-ipv6") {
        value.exclude_ipv6 = node.list(values::ipv6_prefix, report).into_iter().map(|p| p.value).collect();
    }
    if let Some(node) = table.take("exclude-ipv4") {
        value.exclude_ipv4 = node.list(values::ipv4_prefix, report).into_iter().map(|p| p.value).collect();
    }
    for (key, slot) in [
        ("synthesise-for-dnssec-ok", &mut value.synthesise_for_dnssec_ok),
        ("well-known-non-global", &mut value.well_known_non_global),
    ] {
        if let Some(given) = table.take(key).and_then(|n| n.boolean(report)) {
            *slot = given;
        }
    }
    let mut prefixes = Vec::new();
    if let Some(node) = table.take("rule") {
        let rules: Vec<_> =
            node.tables(report).into_iter().filter_map(|t| rule(t, &mut prefixes, report)).collect();
        if !rules.is_empty() {
            value.rules = rules;
        }
    }
    table.finish(report);
    Some(Read { value, prefixes })
}

fn rule(
    mut table: Table<'_>,
    prefixes: &mut Vec<At<Prefix64>>,
    report: &mut Report,
) -> Option<SynthesisRule> {
    let prefix = table.need("prefix", "\"2001:db8:64::/96\"", report);
    let prefix = prefix.and_then(|n| Some(n.at(n.parse(values::prefix64, report)?)));
    let clients =
        table.take("clients").map(|n| n.list_of_some(values::ip_prefix, report)).unwrap_or_default();
    let ipv4 = table.take("ipv4").map(|n| n.list_of_some(values::ipv4_prefix, report)).unwrap_or_default();
    table.finish(report);
    let prefix = prefix?;
    prefixes.push(prefix.clone());
    Some(SynthesisRule {
        prefix: prefix.value,
        clients: clients.into_iter().map(|c| c.value).collect(),
        ipv4: ipv4.into_iter().map(|p| p.value).collect(),
    })
}
