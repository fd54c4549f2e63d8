//! Which half of an explicit mapping (RFC 7757) leads to the translator: the side on which the mapped nodes are not.

use sixgate_config::siit::{Eam, EamRoutes, Siit};
use sixgate_io_host::{HostError, Netlink, Route, RouteKind};
use sixgate_wire::addr::{IpPrefix, Ipv4Prefix, Ipv6Prefix};

/// The kernel's table that packets are routed by.
const MAIN: u32 = 254;

/// What is routed to a translator of this file, besides its prefixes: IPv6 halves and IPv4 halves.
pub(super) fn of(
    siit: &Siit,
    netlink: &mut Netlink,
) -> Result<(Vec<Ipv6Prefix>, Vec<Ipv4Prefix>), HostError> {
    // A device that is not there leads nothing anywhere.
    let ours = netlink.links()?.into_iter().find(|link| link.name == siit.device).map(|link| link.index);
    let routes = netlink.routes()?;
    let taken: Vec<IpPrefix> = routes.iter().filter(|r| counts(r, ours)).map(|r| r.destination).collect();
    Ok(split(siit, &known(&routes, ours), &taken))
}

/// True for what others have put into the table.
fn counts(route: &Route, ours: Option<u32>) -> bool {
    route.table == MAIN && (ours.is_none() || route.link != ours)
}

/// Destinations that the kernel has a route of its own for, more specific than the default.
fn known(routes: &[Route], ours: Option<u32>) -> Vec<IpPrefix> {
    let leads = |route: &&Route| route.kind == RouteKind::Unicast && counts(route, ours);
    routes.iter().filter(leads).map(|route| route.destination).filter(is_specific).collect()
}

fn is_specific(destination: &IpPrefix) -> bool {
    match destination {
        IpPrefix::V4(v4) => v4.length() > 0,
        IpPrefix::V6(v6) => v6.length() > 0,
    }
}

/// `taken` are destinations that have a route already, even if it leads nowhere.
fn split(siit: &Siit, known: &[IpPrefix], taken: &[IpPrefix]) -> (Vec<Ipv6Prefix>, Vec<Ipv4Prefix>) {
    let (mut six, mut four) = (Vec::new(), Vec::new());
    for eam in &siit.eam {
        let half = half(eam, siit.eam_routes, known, taken);
        if half == Some(Half::V4) && circles(eam, siit.prefixes.iter().map(|p| p.prefix()), known) {
            tracing::warn!(
                "[siit] eam {} = {} is not routed here: its IPv6 half is in the prefix, and no route leads from here to its \
                 nodes; add one, then reload",
                eam.v6,
                eam.v4
            );
            continue;
        }
        match half {
            Some(Half::V6) if !siit.prefixes.iter().any(|p| p.prefix() == eam.v6) => six.push(eam.v6),
            Some(Half::V4) => four.push(eam.v4),
            Some(Half::V6) | None => {}
        }
    }
    (six, four)
}

/// True when what is translated by the mapping would come back by the route of the prefix that its IPv6 half lies in, and be
/// translated again, until its hop limit ends: no route of others leads to the nodes.
fn circles(eam: &Eam, mut prefixes: impl Iterator<Item = Ipv6Prefix>, known: &[IpPrefix]) -> bool {
    let leads_out = |prefix: Ipv6Prefix| {
        known
            .iter()
            .any(|k| matches!(k, IpPrefix::V6(k) if k.overlaps(eam.v6) && k.length() > prefix.length()))
    };
    prefixes.any(|prefix| prefix.overlaps(eam.v6) && !leads_out(prefix))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Half {
    V4,
    V6,
}

fn half(eam: &Eam, wanted: EamRoutes, known: &[IpPrefix], taken: &[IpPrefix]) -> Option<Half> {
    let known6 = || known.iter().any(|k| matches!(k, IpPrefix::V6(k) if k.overlaps(eam.v6)));
    let known4 = || known.iter().any(|k| matches!(k, IpPrefix::V4(k) if k.overlaps(eam.v4)));
    let half = match wanted {
        EamRoutes::Off => return None,
        EamRoutes::Ipv4 => Half::V4,
        EamRoutes::Ipv6 => Half::V6,
        EamRoutes::Auto if known4() && !known6() => Half::V6,
        EamRoutes::Auto => Half::V4,
    };
    let destination = match half {
        Half::V4 => IpPrefix::V4(eam.v4),
        Half::V6 => IpPrefix::V6(eam.v6),
    };
    // A route that somebody has made for exactly this stays, and the way to everything else is nobody's but theirs.
    (is_specific(&destination) && !taken.contains(&destination)).then_some(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eam(v6: &str, v4: &str) -> Eam {
        Eam { v6: v6.parse().unwrap(), v4: v4.parse().unwrap() }
    }

    fn known_of(destinations: &[&str]) -> Vec<IpPrefix> {
        let route = |text: &&str| Route::dev(text.parse::<IpPrefix>().unwrap(), 3);
        known(&destinations.iter().map(route).collect::<Vec<_>>(), Some(9))
    }

    #[test]
    fn the_half_whose_nodes_are_elsewhere_leads_to_the_translator() {
        let eam = eam("2001:db8:1::/120", "192.0.2.0/24");
        let half = |known: &[&str]| half(&eam, EamRoutes::Auto, &known_of(known), &known_of(known));
        assert_eq!(half(&["0.0.0.0/0", "::/0"]), Some(Half::V4), "neither is known");
        assert_eq!(half(&["2001:db8:1::/64"]), Some(Half::V4), "IPv6 nodes");
        assert_eq!(half(&["2001:db8:1::7/128"]), Some(Half::V4), "one of them");
        assert_eq!(half(&["192.0.2.0/26", "::/0"]), Some(Half::V6), "IPv4 nodes");
        assert_eq!(half(&["192.0.0.0/8", "2001:db8::/32"]), Some(Half::V4), "both: more specific than 192/8");
        assert_eq!(half(&["192.0.2.0/24", "2001:db8::/32"]), None, "both, and the route is there");
        assert_eq!(half(&["198.51.100.0/24", "2001:db8:2::/64"]), Some(Half::V4), "others");
    }

    #[test]
    fn a_mapping_in_the_prefix_needs_a_way_out() {
        // RFC 7757, figure 1.
        let eam = eam("64:ff9b::/127", "192.0.2.224/31");
        let circles = |prefix: &str, known: &[&str]| {
            super::circles(&eam, [prefix.parse().unwrap()].into_iter(), &known_of(known))
        };
        assert!(circles("64:ff9b::/96", &["::/0", "2001:db8::/64"]), "only our own route leads there");
        assert!(circles("64:ff9b::/96", &["64:ff9b::/64"]), "the prefix wins");
        assert!(!circles("64:ff9b::/96", &["64:ff9b::/126"]), "the nodes are there");
        assert!(!circles("64:ff9b::/96", &["64:ff9b::1/128"]), "one of them is");
        assert!(!circles("2001:db8:64::/96", &[]), "another prefix");
    }

    #[test]
    fn the_file_may_say_which_half() {
        let eam = eam("2001:db8:1::/120", "192.0.2.0/24");
        for (wanted, expected) in
            [(EamRoutes::Ipv4, Some(Half::V4)), (EamRoutes::Ipv6, Some(Half::V6)), (EamRoutes::Off, None)]
        {
            assert_eq!(half(&eam, wanted, &[], &[]), expected);
        }
    }

    #[test]
    fn a_default_and_a_route_to_nowhere_stay_what_they_are() {
        let all = eam("2001:db8:2::/96", "0.0.0.0/0");
        assert_eq!(half(&all, EamRoutes::Auto, &[], &[]), None);
        let eam = eam("2001:db8:1::/120", "192.0.2.0/24");
        let nowhere = known_of(&["192.0.2.0/24"]);
        assert_eq!(half(&eam, EamRoutes::Auto, &[], &nowhere), None);
    }

    #[test]
    fn what_leads_to_our_own_device_or_nowhere_is_not_known() {
        let ours = Route::dev("192.0.2.0/24".parse::<IpPrefix>().unwrap(), 9);
        let local =
            Route { kind: RouteKind::Local, ..Route::dev("2001:db8::1/128".parse::<IpPrefix>().unwrap(), 3) };
        assert!(known(&[ours, local], Some(9)).is_empty());
    }
}
