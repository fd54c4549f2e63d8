//! Checks between sections: what rests on what, prefixes and devices that collide, a policy with a hole.

use sixgate_wire::addr::{Ipv6Prefix, Prefix64};

use super::SiteRead;
use crate::policy::Policy;
use crate::reader::{At, Node};
use crate::report::{Fault, Report, Rule, Severity};
use crate::{dns64, isatap, nat64, native, siit};

/// Sections that may be there.
pub(super) struct Sections<'a, 't> {
    pub(super) gateway: Option<&'a Node<'t>>,
    pub(super) transports: Option<&'a Node<'t>>,
    pub(super) pki: Option<&'a Node<'t>>,
    pub(super) names: Option<&'a Node<'t>>,
    pub(super) dns: Option<&'a Node<'t>>,
    pub(super) dns64: Option<&'a Node<'t>>,
    pub(super) native: Option<&'a Node<'t>>,
}

pub(super) fn needs(sections: &Sections<'_, '_>, report: &mut Report) {
    let has_gateway = sections.gateway.is_some();
    for section in [sections.transports, sections.pki, sections.names, sections.native].into_iter().flatten()
    {
        if !has_gateway {
            section.fault(
                Rule::Needs,
                format!("[{}] needs the section [gateway]", section.key),
                "only a gateway has clients",
                report,
            );
        }
    }
    if let Some(dns64) = sections.dns64
        && sections.dns.is_none()
        && !has_gateway
    {
        dns64.fault(
            Rule::Needs,
            "[dns64] needs the section [dns]",
            "DNS64 answers where [dns] listens",
            report,
        );
    }
    if let (Some(gateway), None) = (sections.gateway, sections.transports) {
        gateway.at(()).warn(Rule::Nobody, "no client can come in", "add [transports.ip-https]", report);
    }
    if let Some(gateway) = sections.gateway
        && sections.dns.is_none()
    {
        gateway.fault(
            Rule::Needs,
            "[gateway] needs the section [dns]",
            "add [dns] with `upstream`, the name servers of the intranet",
            report,
        );
    }
}

/// The stateless translator has a file to itself, beside names: `others` are the sections that it cannot be beside.
pub(super) fn one_translator<'a, 't: 'a>(
    siit: &Node<'t>,
    others: impl Iterator<Item = &'a Node<'t>>,
    report: &mut Report,
) {
    for other in others {
        let why = match other.key.as_str() {
            "nat64" => "one file has one translator",
            "gateway" => "a gateway translates by NAT64, with a section [nat64] or without",
            "isatap" => "the stateless translator routes nothing between links of ours",
            _ => "the stateless translator asks no policy",
        };
        siit.at(()).fault_beside(
            Rule::Conflict,
            format!("[siit] and [{}] are both there", other.key),
            format!("{why}; run [siit] from a file of its own, with [dns] and [dns64] or without"),
            Some((other.span.clone(), "this is the other one".to_owned())),
            report,
        );
    }
}

/// One use of addresses, with its place.
pub(super) struct Use {
    what: &'static str,
    at: At<Ipv6Prefix>,
}

const NAT64: &str = "a NAT64 prefix";

/// What `[gateway]` and the sections give to each use; derived values have the place of `gateway.prefix`.
pub(super) fn uses(
    site: Option<&SiteRead>,
    nat64: Option<&nat64::Read>,
    siit: Option<&siit::Read>,
    isatap: Option<&isatap::Read>,
    native: Option<&native::Read>,
) -> Vec<Use> {
    let mut uses = Vec::new();
    let derived =
        |site: &SiteRead, value| At { value, span: site.prefix.span.clone(), key: site.prefix.key.clone() };
    if let Some(site) = site {
        uses.push(Use { what: "the clients' prefix", at: derived(site, site.value.clients()) });
        let dns = Ipv6Prefix::containing(site.value.dns64_address(), 128);
        uses.push(Use { what: "the gateway's DNS address", at: derived(site, dns) });
    }
    if let Some(isatap) = isatap {
        uses.push(Use { what: "the ISATAP prefix", at: isatap.prefix.clone() });
        let own = isatap.rule_prefixes.iter();
        uses.extend(own.map(|p| Use { what: "the ISATAP prefix of a rule", at: p.clone() }));
    }
    let natives = native.map_or(&[][..], |n| n.prefixes.as_slice());
    uses.extend(natives.iter().map(|p| Use { what: "a native prefix", at: p.clone() }));
    // Mappings may well lie in the prefix: they go before it.
    uses.extend(siit.iter().flat_map(|s| &s.prefixes).map(|p| Use { what: NAT64, at: plain(p) }));
    match (nat64.map(|n| n.prefixes.as_slice()).filter(|p| !p.is_empty()), site) {
        (Some(given), _) => uses.extend(given.iter().map(|p| Use { what: NAT64, at: plain(p) })),
        (None, Some(site)) => uses.push(Use { what: NAT64, at: derived(site, site.value.nat64().prefix()) }),
        (None, None) => {}
    }
    uses
}

pub(super) fn prefixes(uses: &[Use], dns64: Option<&dns64::Read>, report: &mut Report) {
    for (i, later) in uses.iter().enumerate() {
        for earlier in &uses[..i] {
            // Two derived values cannot collide, and have one place.
            if later.at.span != earlier.at.span {
                collide(later, earlier, report);
            }
        }
    }
    // The prefix of a DNS64 rule is usually the NAT64's own; only the other uses are against it.
    let translates = uses.iter().any(|u| u.what == NAT64);
    for prefix in dns64.map_or(&[][..], |d| d.prefixes.as_slice()) {
        let synthesised = Use { what: "a DNS64 prefix", at: plain(prefix) };
        for other in uses.iter().filter(|u| u.what != NAT64) {
            collide(&synthesised, other, report);
        }
        if translates && !uses.iter().any(|u| u.what == NAT64 && u.at.value == prefix.value.prefix()) {
            prefix.warn(
                Rule::NotTranslated,
                "the NAT64 of this file does not translate this prefix",
                "fine when another machine translates it",
                report,
            );
        }
    }
}

fn plain(prefix: &At<Prefix64>) -> At<Ipv6Prefix> {
    At { value: prefix.value.prefix(), span: prefix.span.clone(), key: prefix.key.clone() }
}

fn collide(later: &Use, earlier: &Use, report: &mut Report) {
    if !later.at.value.overlaps(earlier.at.value) {
        return;
    }
    let title = if later.what == earlier.what {
        "two prefixes of the same use overlap".to_owned()
    } else {
        format!("{} and {} overlap", later.what, earlier.what)
    };
    later.at.fault_beside(
        Rule::Overlap,
        title,
        format!("{} has addresses in common with {}", later.at.value, earlier.at.value),
        Some((earlier.at.span.clone(), format!("{} comes from here", earlier.what))),
        report,
    );
}

/// Groups need a directory, and a directory groups.
pub(super) fn directory(ldap: Option<&Node<'_>>, isatap: Option<&isatap::Read>, report: &mut Report) {
    let groups = isatap.map_or(&[][..], |i| i.ldap_groups.as_slice());
    match ldap {
        None => {
            for group in groups {
                group.fault(
                    Rule::Needs,
                    "`ldap-group` needs the section [ldap]",
                    "add [ldap] with `url` and `base`, the directory that knows this group",
                    report,
                );
            }
        }
        Some(node) if groups.is_empty() => {
            let label = "add `ldap-group` to an [[isatap.allow]], or remove this section";
            node.at(()).warn(Rule::Nobody, "nobody asks this directory anything", label, report);
        }
        Some(_) => {}
    }
}

pub(super) fn devices(
    site: Option<&SiteRead>,
    nat64: Option<&nat64::Read>,
    isatap: Option<&isatap::Read>,
    report: &mut Report,
) {
    // With [gateway] the translator is on without a section, under its default name.
    let derived = site.filter(|_| nat64.is_none()).map(|s| At {
        value: nat64::DEVICE.to_owned(),
        span: s.header.clone(),
        key: s.device.at.key.clone(),
    });
    let mut all: Vec<(&At<String>, bool)> = Vec::new();
    all.extend(derived.as_ref().map(|d| (d, true)));
    all.extend(site.map(|s| (&s.inside, false)));
    let named = [site.map(|s| &s.device), nat64.map(|n| &n.device), isatap.map(|i| &i.device)];
    all.extend(named.into_iter().flatten().map(|n| (&n.at, n.is_default)));
    // Defaults first, so that the fault is shown where the file says a name.
    all.sort_by_key(|(at, is_default)| (!is_default, at.span.start));
    for (i, (later, _)) in all.iter().enumerate() {
        let Some((earlier, is_default)) = all[..i].iter().find(|(e, _)| e.value == later.value) else {
            continue;
        };
        let label = if *is_default { "this has that name by default" } else { "it is named here already" };
        later.fault_beside(
            Rule::Device,
            format!("the device `{}` is named twice", later.value),
            "every device has a name of its own",
            Some((earlier.span.clone(), label.to_owned())),
            report,
        );
    }
}

pub(super) fn coverage(policy: &Policy, node: &Node<'_>, report: &mut Report) {
    if policy.lets_clients_in() {
        return;
    }
    node.at(()).warn(
        Rule::Uncovered,
        "clients can no longer open anything on the intranet",
        "the first [[policy]] removes the default rule; add one from \"clients\" to \"intranet\"",
        report,
    );
}

/// Without rules of its own a gateway lets only ISATAP hosts open to the clients.
pub(super) fn native_policy(node: &Node<'_>, report: &mut Report) {
    node.at(()).warn(
        Rule::Nobody,
        "no native host may open anything to the clients",
        "add [[policy]] from one of these prefixes to \"clients\", and one from \"clients\" to \"intranet\"",
        report,
    );
}

impl Report {
    pub(super) fn nothing_to_do(&mut self) {
        self.add(Fault {
            severity: Severity::Error,
            rule: Rule::Role,
            key: String::new(),
            title: "this file names nothing to do".to_owned(),
            span: 0..0,
            label: "add a section: [gateway], [nat64], [siit], [dns], [isatap], [client] or [host]"
                .to_owned(),
            also: Vec::new(),
            help: None,
        });
    }
}
