//! `eam`: `IPv6-prefix = IPv4-prefix` (RFC 7757, section 3.2).

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix};

use super::Eam;
use crate::nat64::unusable;
use crate::reader::{At, Complaint, Node};
use crate::report::{Report, Rule};
use crate::values;

pub(super) fn read(node: &Node<'_>, report: &mut Report) -> Vec<Eam> {
    let found = node.list_of_some(mapping, report);
    let v6: Vec<(u128, u8)> =
        found.iter().map(|m| (m.value.v6.address().to_bits(), m.value.v6.length())).collect();
    let v4: Vec<(u128, u8)> = found
        .iter()
        .map(|m| (u128::from(m.value.v4.address().to_bits()) << 96, m.value.v4.length()))
        .collect();
    for (later, earlier) in twins(&v6).into_iter().chain(twins(&v4)) {
        found[later].fault_beside(
            Rule::Twice,
            "two mappings have the same prefix",
            "which of them is meant cannot be told",
            Some((found[earlier].span.clone(), "the other is here".to_owned())),
            report,
        );
    }
    if !report.has_errors() {
        for (inner, outer) in within(&v6) {
            if !found[inner].value.v4.overlaps(found[outer].value.v4) {
                one_way(&found[inner], &found[outer], "IPv6", report);
            }
        }
        for (inner, outer) in within(&v4) {
            if !found[inner].value.v6.overlaps(found[outer].value.v6) {
                one_way(&found[inner], &found[outer], "IPv4", report);
            }
        }
    }
    found.into_iter().map(|m| m.value).collect()
}

/// The longest prefix counts on each side by itself, so that what the wider mapping makes of some addresses of its other
/// side is not what comes back.
fn one_way(inner: &At<Eam>, outer: &At<Eam>, side: &str, report: &mut Report) {
    inner.warn(
        Rule::Overlap,
        format!("two mappings overlap in {side} only"),
        format!("some addresses of `{} = {}` are translated one way only", outer.value.v6, outer.value.v4),
        report,
    );
}

fn mapping(text: &str) -> Result<Eam, Complaint> {
    let wrong = |label: &str| Complaint::new(Rule::Mapping, format!("`{text}` is no mapping"), label);
    const ALLOWED: &str = "allowed: IPv6-prefix = IPv4-prefix, as in `2001:db8:1::/120 = 192.0.2.0/24` or `2001:db8::8 = 192.0.2.8`";
    let (v6, v4) = text.split_once('=').ok_or_else(|| wrong(ALLOWED))?;
    let (v6, v4) = (v6.trim(), v4.trim());
    if !v6.contains(':') && v4.contains(':') {
        return Err(wrong("the IPv6 prefix stands in front of the `=`, the IPv4 prefix behind it"));
    }
    let v6 = values::ipv6_address_or_prefix(v6)?;
    let v4 = values::ipv4_address_or_prefix(v4)?;
    usable_v6(v6)?;
    usable_v4(v4)?;
    let (bits6, bits4) = (128 - v6.length(), 32 - v4.length());
    if bits4 > bits6 {
        return Err(Complaint::new(
            Rule::Mapping,
            "the IPv4 prefix has more addresses than the IPv6 prefix",
            format!(
                "{bits4} bits behind the IPv4 length, {bits6} behind the IPv6 length; allowed: as many or fewer (RFC 7757, \
                 section 3.2)"
            ),
        ));
    }
    Ok(Eam { v6, v4 })
}

fn usable_v6(prefix: Ipv6Prefix) -> Result<(), Complaint> {
    let kinds = [
        ("ff00::/8", "multicast"),
        ("fe80::/10", "link-local"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("::/128", "the unspecified address"),
        ("::1/128", "loopback"),
    ];
    for (range, kind) in kinds {
        let range: Ipv6Prefix = range.parse().map_err(|_| no_host(&prefix, kind))?;
        if range.length() <= prefix.length() && range.contains(prefix.address()) {
            return Err(no_host(&prefix, kind));
        }
    }
    Ok(())
}

fn usable_v4(prefix: Ipv4Prefix) -> Result<(), Complaint> {
    // Ranges that no host has are /8, /16 and the last eighth; a wider prefix has hosts beside them.
    let least = match prefix.address().octets()[0] {
        169 => 16,
        224.. => 3,
        _ => 8,
    };
    if prefix.length() >= least && unusable(prefix.address()) {
        return Err(no_host(&prefix, "loopback, link-local, multicast or reserved"));
    }
    Ok(())
}

fn no_host(prefix: &dyn core::fmt::Display, kind: &str) -> Complaint {
    Complaint::new(
        Rule::PrefixUse,
        format!("`{prefix}` holds no address of a host"),
        format!("this prefix is {kind}"),
    )
}

/// Pairs of equal prefixes, the one that comes later in the file first.
fn twins(prefixes: &[(u128, u8)]) -> Vec<(usize, usize)> {
    let sorted = sorted(prefixes);
    let mut pairs = Vec::new();
    for pair in sorted.windows(2) {
        if prefixes[pair[0]] == prefixes[pair[1]] {
            pairs.push((pair[1], pair[0]));
        }
    }
    pairs
}

/// Pairs of a prefix and the narrowest one around it.
fn within(prefixes: &[(u128, u8)]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for n in sorted(prefixes) {
        let begin = prefixes[n].0;
        let contains = |(other, length): (u128, u8)| {
            (begin ^ other).checked_shr(128 - u32::from(length)).unwrap_or(0) == 0
        };
        while open.last().is_some_and(|last| !contains(prefixes[*last])) {
            open.pop();
        }
        pairs.extend(open.last().map(|outer| (n, *outer)));
        open.push(n);
    }
    pairs
}

/// Numbers of the prefixes by address, wider ones first, equal ones as in the file.
fn sorted(prefixes: &[(u128, u8)]) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..prefixes.len()).collect();
    numbers.sort_by_key(|n| (prefixes[*n], *n));
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str) -> Eam {
        mapping(text).map_err(Complaint::into_line).unwrap()
    }

    fn bad(text: &str) -> Rule {
        mapping(text).map(|m| format!("{m:?}")).map_err(|c| c.rule).unwrap_err()
    }

    #[test]
    fn every_form_of_a_mapping_is_read() {
        let equal = good("2001:db8:1::/120 = 192.0.2.0/24");
        assert_eq!(
            (equal.v6.to_string(), equal.v4.to_string()),
            ("2001:db8:1::/120".into(), "192.0.2.0/24".into())
        );
        assert_eq!(good("2001:db8::8=192.0.2.8"), good("2001:db8::8/128 = 192.0.2.8/32"));
        assert_eq!(good("2001:db8:eeee:8::/62 = 192.0.2.192/29").v6.length(), 62);
        assert_eq!(good("2001:db8::/96 = 0.0.0.0/0").v4.length(), 0);
    }

    #[test]
    fn what_rfc_7757_forbids_is_refused() {
        assert_eq!(bad("2001:db8:1::/121 = 192.0.2.0/24"), Rule::Mapping);
        assert_eq!(bad("192.0.2.0/24 = 2001:db8:1::/120"), Rule::Mapping);
        assert_eq!(bad("2001:db8:1::/120"), Rule::Mapping);
        assert_eq!(bad("2001:db8:1::1/120 = 192.0.2.0/24"), Rule::Prefix);
        assert_eq!(bad("2001:db8:1::/120 = 192.0.2.1/24"), Rule::Prefix);
        for none in [
            "ff0e::/120 = 192.0.2.0/24",
            "fe80::/120 = 192.0.2.0/24",
            "::1 = 192.0.2.1",
            "2001:db8::/64 = 127.0.0.0/8",
            "2001:db8::1 = 169.254.0.1",
            "2001:db8::/64 = 240.0.0.0/4",
            "::ffff:192.0.2.1 = 192.0.2.1",
        ] {
            assert_eq!(bad(none), Rule::PrefixUse, "{none}");
        }
    }

    #[test]
    fn prefixes_within_others_and_twins_are_found() {
        let of = |texts: &[&str]| -> Vec<(u128, u8)> {
            let prefixes = texts.iter().map(|t| t.parse::<Ipv6Prefix>().unwrap());
            prefixes.map(|p| (p.address().to_bits(), p.length())).collect()
        };
        let all = of(&[
            "2001:db8:1::/48",
            "2001:db8::/32",
            "2001:db9::/32",
            "2001:db8:1::/48",
            "2001:db8:1:1::/64",
        ]);
        assert_eq!(twins(&all), [(3, 0)]);
        assert_eq!(within(&all), [(0, 1), (3, 0), (4, 3)]);
        assert_eq!(within(&of(&["::/0", "8000::/1"])), [(1, 0)]);
    }
}
