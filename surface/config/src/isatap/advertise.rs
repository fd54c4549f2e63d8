//! What the ISATAP router's advertisements say beside prefix, routes and MTU, and when it sends them by itself.

use core::net::Ipv6Addr;

use sixgate_wire::addr::Prefix64;
use sixgate_wire::lease::{LeasedRoute, Preference};

use crate::reader::{At, Complaint, Table};
use crate::report::{Report, Rule};
use crate::values::{self, DnsName};

/// Keys of `[isatap]` that hosts hear of in an advertisement, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advertise {
    /// What hosts put into their own packets; zero says nothing.
    pub hop_limit: u8,
    /// Milliseconds; zero says nothing.
    pub reachable_time: u32,
    /// Milliseconds; zero says nothing.
    pub retrans_timer: u32,
    /// Of the default route, where there is one.
    pub preference: Preference,
    /// Servers that hosts ask for every name.
    pub name_servers: Vec<Ipv6Addr>,
    /// Suffixes that hosts complete names with.
    pub search: Vec<DnsName>,
    /// The NAT64 prefix.
    pub nat64_prefix: Option<Prefix64>,
    /// Hosts that do not solicit in time are told by themselves.
    pub renew: bool,
    /// Hosts that are sent to are asked whether they are there.
    pub probe_hosts: bool,
}

/// RFC 4861, section 6.2.1: AdvReachableTime is an hour at most.
const MOST_MILLISECONDS: u64 = 3_600_000;
/// RFC 8200, section 5: what every link carries, and so the largest advertisement.
const LARGEST: usize = 1280;
/// Headers, the advertisement's fixed part, one prefix, the MTU.
const FIXED: usize = 40 + 16 + 32 + 8;

pub(crate) fn read(table: &mut Table<'_>, report: &mut Report) -> Advertise {
    let mut number = |key, low, high, default, report: &mut Report| {
        let read = table.take(key).and_then(|n| n.number(low, high, report));
        read.and_then(|n| u32::try_from(n).ok()).unwrap_or(default)
    };
    let hop_limit = number("hop-limit", 0, 255, 64, report);
    let reachable_time = number("reachable-time", 0, MOST_MILLISECONDS, 0, report);
    let retrans_timer = number("retrans-timer", 0, u64::from(u32::MAX), 0, report);
    let words = [("high", Preference::High), ("medium", Preference::Medium), ("low", Preference::Low)];
    let preference = table.take("preference").and_then(|n| n.choice(&words, report)).unwrap_or_default();
    let name_servers = table.take("name-servers").map(|n| n.list(name_server, report)).unwrap_or_default();
    let search = table.take("search").map(|n| n.list(values::name, report)).unwrap_or_default();
    let nat64_prefix = table.take("nat64-prefix").and_then(|n| n.parse(values::prefix64, report));
    let mut truth =
        |key, report: &mut Report| table.take(key).and_then(|n| n.boolean(report)).unwrap_or(true);
    Advertise {
        // At most 255.
        hop_limit: u8::try_from(hop_limit).unwrap_or(u8::MAX),
        reachable_time,
        retrans_timer,
        preference,
        name_servers: name_servers.into_iter().map(|s| s.value).collect(),
        search: search.into_iter().map(|s| s.value).collect(),
        nat64_prefix,
        renew: truth("renew", report),
        probe_hosts: truth("probe-hosts", report),
    }
}

/// An advertisement that does not fit the link would be cut by IPv4, and some hosts drop fragments.
pub(crate) fn check_size(routes: &[LeasedRoute], advertise: &Advertise, here: &At<()>, report: &mut Report) {
    let route = |r: &LeasedRoute| match r.prefix.length() {
        0 => 8,
        1..=64 => 16,
        _ => 24,
    };
    let listed = |length: usize| if length == 0 { 0 } else { 8 + length.next_multiple_of(8) };
    // Each label with its length, and the root (RFC 1035, section 3.1).
    let names = advertise.search.iter().map(|name| name.as_str().len() + 2).sum();
    let size = FIXED
        + routes.iter().map(route).sum::<usize>()
        + listed(advertise.name_servers.len() * 16)
        + listed(names)
        + if advertise.nat64_prefix.is_some() { 16 } else { 0 };
    if size > LARGEST {
        here.fault(
            Rule::Range,
            "the router advertisement does not fit the link",
            format!("it would have {size} octets, {LARGEST} are the most: fewer `routes`, `name-servers` or `search`"),
            report,
        );
    }
}

fn name_server(text: &str) -> Result<Ipv6Addr, Complaint> {
    let address = values::ipv6(text)?;
    if address.is_multicast() || address.is_unspecified() || address.is_loopback() {
        return Err(Complaint::new(
            Rule::PrefixUse,
            format!("`{text}` cannot be another machine's name server"),
            "allowed: a unicast IPv6 address that hosts reach through this router",
        ));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sixgate_wire::lease::Preference;

    use crate::{Gateway, Report};

    fn read(keys: &str) -> Result<Gateway, Report> {
        let text = format!(
            "schema = 1\n[isatap]\ninterface = \"int0\"\nprefix = \"fd6a:7e00:cafe:2::/64\"\n{keys}\n\
             [[isatap.allow]]\nhosts = [\"10.6.8.20\"]\n"
        );
        crate::gateway(Path::new("router.toml"), &text).map(|checked| checked.value)
    }

    #[test]
    fn every_key_has_a_default_and_is_read() {
        let plain = read("").unwrap().isatap.unwrap().advertise;
        assert_eq!((plain.hop_limit, plain.reachable_time, plain.retrans_timer), (64, 0, 0));
        assert!(plain.name_servers.is_empty() && plain.search.is_empty() && plain.nat64_prefix.is_none());
        assert!(plain.renew && plain.probe_hosts && plain.preference == Preference::Medium);
        let full = read(
            "hop-limit = 32\nreachable-time = 45000\nretrans-timer = 2000\npreference = \"low\"\n\
             name-servers = [\"fd64::53\"]\nsearch = [\"corp.example\"]\nnat64-prefix = \"64:ff9b::/96\"\n\
             renew = false\nprobe-hosts = false",
        );
        let full = full.unwrap().isatap.unwrap().advertise;
        assert_eq!((full.hop_limit, full.reachable_time, full.retrans_timer), (32, 45_000, 2000));
        assert_eq!((full.name_servers.len(), full.search.len()), (1, 1));
        assert!(full.nat64_prefix.is_some() && full.preference == Preference::Low);
        assert!(!full.renew && !full.probe_hosts);
    }

    #[test]
    fn what_no_advertisement_can_say_is_refused() {
        for (keys, word) in [
            ("hop-limit = 256", "hop-limit"),
            ("reachable-time = 3600001", "reachable-time"),
            ("name-servers = [\"ff02::1\"]", "name server"),
            ("preference = \"best\"", "preference"),
        ] {
            let report = read(keys).unwrap_err().render();
            assert!(report.contains(word), "{report}");
        }
        let routes = |n: usize| {
            let route = |n| format!("{{ prefix = \"fd6a:7e00:cafe:{n:x}::/64\" }}");
            format!("routes = [{}]", (16..16 + n).map(route).collect::<Vec<_>>().join(", "))
        };
        assert!(read(&routes(74)).is_ok());
        assert!(read(&routes(75)).unwrap_err().render().contains("1296 octets"));
    }
}
