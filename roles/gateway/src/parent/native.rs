//! Native segments: the kernel forwards between them and the clients, and nothing else that it did not forward before.

use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr};

use sixgate_config::{Gateway, Native};
use sixgate_io_host::{Journal, Netlink, sysctl};
use sixgate_io_link::Segment;

use super::ports;
use crate::Failure;

const FORWARDING: &str = "net/ipv6/conf/all/forwarding";

/// A segment on which the way to the clients is advertised.
pub(crate) struct Advertised {
    /// Name of the interface.
    pub(crate) name: String,
    pub(crate) segment: Segment,
    /// Our link-local address there.
    pub(crate) source: Ipv6Addr,
}

/// Opens the segments and has the kernel forward; everything is in the journal.
pub(crate) fn prepare(
    config: &Gateway,
    netlink: &mut Netlink,
    journal: &mut Journal,
) -> Result<Vec<Advertised>, Failure> {
    let (Some(native), Some(site)) = (&config.native, &config.site) else { return Ok(Vec::new()) };
    for name in &native.interfaces {
        netlink.link(name).map_err(|e| Failure::new(format!("native.interfaces: {e}")))?;
    }
    let ours: Vec<&str> = [Some(&site.device), config.nat64.as_ref().map(|n| &n.device)]
        .into_iter()
        .chain([config.isatap.as_ref().map(|i| &i.device)])
        .flatten()
        .map(String::as_str)
        .collect();
    let forwarded = sysctl::get(FORWARDING)?.trim() != "0";
    // The rules first: there is no moment in which more is forwarded.
    let table = format!("{}_native", ports::table(&site.device));
    journal.nft("ip6", &table, &rules(&table, &ours, native, forwarded))?;
    if !forwarded {
        keep_default_routes(netlink, journal)?;
        journal.sysctl(FORWARDING, "1")?;
    }
    native.advertise.iter().map(|name| open(name, netlink)).collect()
}

/// A kernel that begins to forward forgets the default routes that routers have given it, and takes no more, unless an
/// interface says 2.
fn keep_default_routes(netlink: &mut Netlink, journal: &mut Journal) -> Result<(), Failure> {
    for link in netlink.links()? {
        let key = format!("net/ipv6/conf/{}/accept_ra", link.name);
        // An interface without IPv6 has no such setting.
        if sysctl::get(&key).is_ok_and(|value| value.trim() == "1") {
            journal.sysctl(&key, "2")?;
        }
    }
    Ok(())
}

fn open(name: &str, netlink: &mut Netlink) -> Result<Advertised, Failure> {
    let link = netlink.link(name).map_err(|e| Failure::new(format!("native.advertise: {e}")))?;
    let local = |address: IpAddr| match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(v6),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    };
    let source = netlink.addresses(Some(link.index))?.into_iter().find_map(|a| local(a.address));
    let Some(source) = source else {
        return Err(Failure::new(format!(
            "native.advertise: {name} has no link-local IPv6 address, so no host there could reach this gateway"
        )));
    };
    Ok(Advertised { name: name.to_owned(), segment: Segment::open(link.index)?, source })
}

/// The rules for `nft -f`. Sources are not looked at here: the fabric knows whose prefix is whose, and netfilter knows by
/// which interface a packet came.
fn rules(table: &str, ours: &[&str], native: &Native, forwarded: bool) -> String {
    let set = |names: &[&str]| {
        let quoted: Vec<String> = names.iter().map(|n| format!("\"{n}\"")).collect();
        format!("{{ {} }}", quoted.join(", "))
    };
    let interfaces: Vec<&str> = native.interfaces.iter().map(String::as_str).collect();
    let (us, both) = (set(ours), set(&[ours, interfaces.as_slice()].concat()));
    let mut text = format!("table ip6 {table} {{\n  chain forward {{\n");
    text.push_str("    type filter hook forward priority filter; policy accept;\n");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "    oifname {us} iifname != {both} counter reject with icmpv6 admin-prohibited");
    let _ = writeln!(text, "    iifname {us} oifname != {both} counter reject with icmpv6 no-route");
    if !forwarded {
        let _ = writeln!(text, "    iifname != {us} oifname != {us} counter drop");
    }
    text.push_str("  }\n}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use sixgate_wire::lease::Preference;

    #[test]
    fn only_named_interfaces_lead_to_the_clients_and_nothing_else_begins_to_be_forwarded() {
        let native = Native {
            prefixes: Vec::new(),
            interfaces: vec!["eth1".to_owned(), "eth3".to_owned()],
            advertise: Vec::new(),
            preference: Preference::Medium,
            lifetime: 1800,
            pref64: false,
        };
        let text = rules("t", &["sixgate0", "nat64"], &native, false);
        let to_us = "oifname { \"sixgate0\", \"nat64\" } iifname != { \"sixgate0\", \"nat64\", \"eth1\", \"eth3\" } counter reject";
        assert!(text.contains(to_us), "{text}");
        assert!(text.contains(
            "iifname != { \"sixgate0\", \"nat64\" } oifname != { \"sixgate0\", \"nat64\" } counter drop"
        ));
        assert!(!rules("t", &["sixgate0"], &native, true).contains(" drop"), "what was forwarded before is");
    }
}
