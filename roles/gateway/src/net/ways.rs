//! How large packets may be that the kernel sends on for the translator: the MTUs of its routes.
//!
//! The kernel must not find out itself: its errors would come from an address of the other family's side. What is read is the
//! main table; rules that lead elsewhere are not followed.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_fabric::PrefixTable;
use sixgate_io_host::{HostError, Netlink, Route, RouteKind};
use sixgate_nat64::Ways;
use sixgate_wire::addr::{IpPrefix, Ipv6Prefix};

/// The routing tables that count: local addresses are in none of them, and nothing is sent on to those.
const MAIN: u32 = 254;
const DEFAULT: u32 = 253;
/// Of IPv4 addresses in the table, which knows IPv6 alone: they are mapped (RFC 4291, section 2.5.5.2).
const MAPPED: u8 = 96;

/// MTUs by destination, both families in one table.
#[derive(Clone, Debug, Default)]
pub(crate) struct KernelWays {
    /// What is in the table, to be compared.
    entries: Vec<(Ipv6Prefix, u16)>,
    table: PrefixTable<u16>,
    /// For every IPv6 destination, where the way in is not the kernel's.
    within: Option<u16>,
}

impl KernelWays {
    /// Reads routes and links. With `within`, IPv6 goes to the fabric, which carries packets of that size and looks itself.
    pub(crate) fn look(netlink: &mut Netlink, within: Option<u16>) -> Result<Self, HostError> {
        let links: BTreeMap<u32, u32> = netlink.links()?.into_iter().map(|l| (l.index, l.mtu)).collect();
        let routes = netlink.routes()?;
        Ok(Self::of(&routes, |link| links.get(&link).copied(), within))
    }

    fn of(routes: &[Route], link_mtu: impl Fn(u32) -> Option<u32>, within: Option<u16>) -> Self {
        // The route of the lowest metric decides; the key's order puts wider prefixes first.
        let mut best: BTreeMap<(u8, Ipv6Prefix), (u32, u16)> = BTreeMap::new();
        for route in routes {
            let Some((prefix, mtu)) = usable(route, &link_mtu) else { continue };
            let metric = route.metric.unwrap_or(0);
            let known = best.entry((prefix.length(), prefix)).or_insert((metric, mtu));
            if metric < known.0 {
                *known = (metric, mtu);
            }
        }
        let mut ways = Self { within, ..Self::default() };
        for ((_, prefix), (_, mtu)) in best {
            // What a wider prefix says already makes the table no better: mostly one entry or two are left.
            if ways.table.longest(prefix.address()) != Some(&mtu) {
                ways.table.insert(prefix, mtu);
                ways.entries.push((prefix, mtu));
            }
        }
        ways
    }

    pub(crate) fn is_as(&self, other: &Self) -> bool {
        (&self.entries, self.within) == (&other.entries, other.within)
    }

    /// Without a route the kernel says so itself.
    fn mtu(&self, destination: Ipv6Addr) -> u16 {
        self.table.longest(destination).copied().unwrap_or(u16::MAX)
    }
}

impl Ways for KernelWays {
    fn mtu4(&self, destination: Ipv4Addr) -> u16 {
        self.mtu(destination.to_ipv6_mapped())
    }

    fn mtu6(&self, destination: Ipv6Addr) -> u16 {
        self.within.unwrap_or_else(|| self.mtu(destination))
    }
}

/// The prefix and the MTU of a route that packets are sent on by.
fn usable(route: &Route, link_mtu: &impl Fn(u32) -> Option<u32>) -> Option<(Ipv6Prefix, u16)> {
    if route.kind != RouteKind::Unicast || ![MAIN, DEFAULT].contains(&route.table) {
        return None;
    }
    let link = link_mtu(route.link?)?;
    let mtu = route.mtu.filter(|m| *m > 0).map_or(link, |m| m.min(link));
    let prefix = match route.destination {
        IpPrefix::V4(v4) => Ipv6Prefix::containing(v4.address().to_ipv6_mapped(), MAPPED + v4.length()),
        IpPrefix::V6(v6) => v6,
    };
    Some((prefix, u16::try_from(mtu).unwrap_or(u16::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(destination: &str, link: u32, mtu: Option<u32>, metric: Option<u32>) -> Route {
        Route { mtu, metric, ..Route::dev(destination.parse::<IpPrefix>().unwrap(), link) }
    }

    /// Link 1 has 1,500, link 2 has 9,000, link 3 a PPP's 1,492, link 4 more than a packet can have.
    fn mtu_of(link: u32) -> Option<u32> {
        [(1, 1500), (2, 9000), (3, 1492), (4, 70_000)].into_iter().find(|l| l.0 == link).map(|l| l.1)
    }

    #[test]
    fn longest_prefix_and_lowest_metric_decide_and_a_route_s_own_mtu_counts() {
        let routes = [
            route("0.0.0.0/0", 1, None, Some(100)),
            route("0.0.0.0/0", 3, None, Some(50)),
            route("10.0.0.0/8", 2, None, None),
            route("10.6.0.0/16", 2, Some(1400), None),
            route("10.6.8.0/24", 2, Some(20_000), None),
            route("::/0", 3, None, Some(1024)),
            route("fd00::/8", 4, None, Some(1024)),
        ];
        let ways = KernelWays::of(&routes, mtu_of, None);
        let v4 = |a: &str| ways.mtu4(a.parse().unwrap());
        let v6 = |a: &str| ways.mtu6(a.parse().unwrap());
        assert_eq!(
            (v4("192.0.2.1"), v4("10.1.1.1"), v4("10.6.1.1"), v4("10.6.8.1")),
            (1492, 9000, 1400, 9000)
        );
        assert_eq!((v6("2001:db8::1"), v6("fd00::1")), (1492, u16::MAX));
        assert_eq!(KernelWays::of(&routes, mtu_of, Some(1500)).mtu6("fd00::1".parse().unwrap()), 1500);
    }

    #[test]
    fn what_is_not_sent_on_does_not_count_and_what_a_wider_prefix_says_is_not_kept() {
        let refusing = |kind| Route { kind, ..route("192.0.2.0/24", 2, None, None) };
        let routes = [
            route("0.0.0.0/0", 1, None, None),
            route("10.0.0.0/8", 1, None, None),
            route("198.51.100.0/24", 9, None, None),
            refusing(RouteKind::Unreachable),
            refusing(RouteKind::Local),
            Route { table: 255, ..route("192.0.2.0/24", 2, None, None) },
        ];
        let ways = KernelWays::of(&routes, mtu_of, None);
        assert_eq!(ways.entries.len(), 1);
        assert_eq!(ways.mtu4("192.0.2.9".parse().unwrap()), 1500);
        assert_eq!(ways.mtu6("2001:db8::1".parse().unwrap()), u16::MAX, "IPv4 says nothing of IPv6");
        assert_eq!(KernelWays::of(&[], mtu_of, None).mtu4("192.0.2.9".parse().unwrap()), u16::MAX);
    }
}
