//! `[native]`: segments of the intranet that have IPv6 of their own, beside ISATAP or instead of it.

use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::lease::Preference;

use crate::gateway::Site;
use crate::reader::{At, Complaint, Node, Table};
use crate::report::{Report, Rule};
use crate::values;

/// The whole section, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Native {
    /// Where its hosts have their addresses; at least one.
    pub prefixes: Vec<Ipv6Prefix>,
    /// The interfaces that lead to them; at least one.
    pub interfaces: Vec<String>,
    /// Those on which hosts are told the way to the clients; empty = none.
    pub advertise: Vec<String>,
    /// Of the routes that are advertised.
    pub preference: Preference,
    /// Seconds; of what is advertised.
    pub lifetime: u32,
    /// The NAT64 prefix and the way to it are advertised too.
    pub pref64: bool,
}

/// The section with the places that checks between sections need.
pub(crate) struct Read {
    pub(crate) value: Native,
    pub(crate) prefixes: Vec<At<Ipv6Prefix>>,
}

/// Three times the shortest MaxRtrAdvInterval (RFC 4861, section 6.2.1), so that one lost advertisement costs nothing.
const SHORTEST: u64 = 12;
/// Longest AdvDefaultLifetime, for want of one for routes.
const LONGEST: u64 = 9000;
const LIFETIME: u32 = 1800;

pub(crate) fn read(node: &Node<'_>, site: Option<&Site>, report: &mut Report) -> Option<Read> {
    let mut table = node.table(report)?;
    let prefixes = table.need("prefixes", "[\"2001:db8:6::/64\"]", report);
    let prefixes = prefixes.map(|n| n.list_of_some(prefix, report)).unwrap_or_default();
    let interfaces = match table.take("interfaces") {
        Some(n) => n.list_of_some(values::device, report).into_iter().map(|i| i.value).collect(),
        None => site.map(|s| vec![s.inside.clone()]).unwrap_or_default(),
    };
    let advertise = advertised(&mut table, &interfaces, report);
    let words = [("high", Preference::High), ("medium", Preference::Medium), ("low", Preference::Low)];
    let preference = table.take("preference").and_then(|n| n.choice(&words, report)).unwrap_or_default();
    let lifetime = table.take("lifetime").and_then(|n| n.number(SHORTEST, LONGEST, report));
    let pref64 = table.take("pref64").and_then(|n| n.boolean(report)).unwrap_or(false);
    table.finish(report);
    let value = Native {
        prefixes: prefixes.iter().map(|p| p.value).collect(),
        interfaces,
        advertise,
        preference,
        lifetime: lifetime.and_then(|l| u32::try_from(l).ok()).unwrap_or(LIFETIME),
        pref64,
    };
    Some(Read { value, prefixes })
}

/// Whom hosts are told of must lead to them.
fn advertised(table: &mut Table<'_>, interfaces: &[String], report: &mut Report) -> Vec<String> {
    let listed = table.take("advertise").map(|n| n.list(values::device, report)).unwrap_or_default();
    for (i, at) in listed.iter().enumerate() {
        if listed[..i].iter().any(|l| l.value == at.value) {
            at.fault(Rule::Twice, format!("`{}` is listed twice", at.value), "remove one", report);
        } else if !interfaces.is_empty() && !interfaces.contains(&at.value) {
            at.fault(
                Rule::Conflict,
                format!("`{}` is none of the interfaces of native hosts", at.value),
                format!("allowed: {}; or list it under `interfaces` too", interfaces.join(", ")),
                report,
            );
        }
    }
    listed.into_iter().map(|l| l.value).collect()
}

fn prefix(text: &str) -> Result<Ipv6Prefix, Complaint> {
    let prefix = values::ipv6_prefix(text)?;
    let octets = prefix.address().octets();
    // A default route, or half of one, would be everybody.
    if prefix.length() < 16 || octets[0] & 0xe0 != 0x20 && octets[0] & 0xfe != 0xfc {
        return Err(Complaint::new(
            Rule::PrefixUse,
            format!("`{text}` is no prefix of an intranet"),
            "allowed: global (2000::/3) or unique local (fd00::/8) prefixes of /16 and longer",
        ));
    }
    Ok(prefix)
}
