//! Against the kernel of a namespace, with `ip` as the second witness.

use std::io::ErrorKind;
use std::net::IpAddr;

use super::*;
use crate::testing::{in_namespace, run};

/// A namespace with a veth pair `v0`, `v1`, up, 192.0.2.1/24 and fd00::1/64 on `v0`.
fn with_veth(test: impl FnOnce(&mut Netlink, Link) + Send + 'static) {
    let inside = in_namespace(|| {
        run("ip", "link add v0 type veth peer name v1");
        run("ip", "link set v0 up");
        run("ip", "link set v1 up");
        run("ip", "addr add 192.0.2.1/24 dev v0");
        run("ip", "addr add fd00::1/64 dev v0 nodad");
        let mut netlink = Netlink::new().unwrap();
        let link = netlink.link("v0").unwrap();
        test(&mut netlink, link);
    });
    inside.join().unwrap();
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn links_are_read_and_set() {
    with_veth(|netlink, link| {
        assert!(link.up && !link.loopback && link.mtu == 1500);
        netlink.set_link_mtu(link.index, 1400).unwrap();
        netlink.set_link_up(link.index, false).unwrap();
        let link = netlink.link_by_index(link.index).unwrap();
        assert_eq!((link.name.as_str(), link.mtu, link.up), ("v0", 1400, false));
        let names: Vec<_> = netlink.links().unwrap().into_iter().map(|l| l.name).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        let error = netlink.link("absent").unwrap_err().to_string();
        assert!(error.contains("absent"), "{error}");
        assert!(netlink.link_by_index(9999).is_err());
    });
}

#[test]
fn addresses_are_added_with_their_flags_and_removed() {
    with_veth(|netlink, link| {
        let v6 = Address {
            preferred: Some(100),
            valid: Some(200),
            ..Address::plain(link.index, ip("fd00:9::7"), 64)
        };
        let v4 = Address::plain(link.index, ip("198.51.100.7"), 24);
        netlink.add_address(&v6).unwrap();
        netlink.add_address(&v4).unwrap();
        assert_eq!(netlink.add_address(&v6).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let shown = run("ip", "addr show dev v0");
        assert!(
            shown.contains("fd00:9::7/64 scope global nodad") && shown.contains("noprefixroute"),
            "{shown}"
        );
        assert!(shown.contains("preferred_lft 100sec") || shown.contains("preferred_lft 99sec"), "{shown}");
        // No address has made a route for its prefix.
        assert!(!run("ip", "-6 route show").contains("fd00:9::"));
        assert!(!run("ip", "route show").contains("198.51.100.0"));
        let found = netlink.addresses(Some(link.index)).unwrap();
        assert!(found.contains(&v4), "{found:?}");
        let read = found.iter().find(|a| a.address == v6.address).unwrap();
        assert_eq!((read.length, read.prefix_route, read.dad), (64, false, false));
        netlink.replace_address(&Address { preferred: Some(0), ..v6 }).unwrap();
        assert!(run("ip", "addr show dev v0").contains("deprecated"));
        assert_eq!(
            netlink.ipv4_addresses(link.index).unwrap(),
            [("192.0.2.1".parse().unwrap(), 24), ("198.51.100.7".parse().unwrap(), 24)]
        );
        assert!(netlink.remove_address(&v6).unwrap() && netlink.remove_address(&v4).unwrap());
        assert!(!netlink.remove_address(&v6).unwrap());
    });
}

#[test]
fn routes_of_both_families_are_added_listed_and_removed() {
    with_veth(|netlink, link| {
        let dev =
            |prefix: &str| Route::dev(prefix.parse::<sixgate_wire::addr::IpPrefix>().unwrap(), link.index);
        let routes = [
            Route { metric: Some(20), mtu: Some(1280), ..dev("203.0.113.0/24").via(ip("192.0.2.9")) },
            Route { metric: Some(20), ..dev("203.0.113.0/25") },
            Route { onlink: true, metric: Some(7), ..dev("fd00:5::/48").via(ip("2001:db8::99")) },
            Route { metric: Some(1024), table: 1000, ..dev("fd00:6::/48").via(ip("fe80::5efe:a06:1")) },
            Route { metric: Some(30), ..dev("0.0.0.0/0").via(ip("192.0.2.9")) },
        ];
        for route in &routes {
            netlink.add_route(route).unwrap();
            assert_eq!(netlink.add_route(route).unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
        let all = netlink.routes().unwrap();
        for route in &routes {
            assert!(all.contains(route), "{route:?} in {all:#?}");
        }
        assert!(
            run("ip", "route show")
                .contains("203.0.113.0/24 via 192.0.2.9 dev v0 proto 64 metric 20 mtu 1280")
        );
        assert!(run("ip", "-6 route show table 1000").contains("fd00:6::/48 via fe80::5efe:a06:1 dev v0"));
        for route in &routes {
            assert!(netlink.remove_route(route).unwrap());
            assert!(!netlink.remove_route(route).unwrap());
        }
    });
}

#[test]
fn a_route_of_others_is_not_removed_in_place_of_ours() {
    with_veth(|netlink, link| {
        run("ip", "route add 203.0.113.0/24 dev v0 metric 20");
        let ours = Route {
            metric: Some(20),
            ..Route::dev("203.0.113.0/24".parse::<sixgate_wire::addr::Ipv4Prefix>().unwrap(), link.index)
        };
        assert!(!netlink.remove_route(&ours).unwrap());
        assert!(run("ip", "route show").contains("203.0.113.0/24"));
    });
}

#[test]
fn routes_that_refuse_need_no_device() {
    with_veth(|netlink, _| {
        let prefix: sixgate_wire::addr::IpPrefix = "fd00:7::/48".parse().unwrap();
        let route =
            Route { link: None, kind: RouteKind::Unreachable, metric: Some(99), ..Route::dev(prefix, 0) };
        netlink.add_route(&route).unwrap();
        assert!(run("ip", "-6 route show").contains("unreachable fd00:7::/48"));
        assert_eq!(netlink.route_to(ip("fd00:7::1")).unwrap(), None);
        assert!(netlink.remove_route(&route).unwrap());
    });
}

#[test]
fn the_way_to_a_destination_has_device_source_and_mtu() {
    with_veth(|netlink, link| {
        assert_eq!(netlink.route_to(ip("203.0.113.5")).unwrap(), None);
        assert_eq!(netlink.route_to(ip("2001:db8::5")).unwrap(), None);
        run("ip", "route add 203.0.113.0/24 via 192.0.2.9 mtu 1300");
        let way = netlink.route_to(ip("203.0.113.5")).unwrap().unwrap();
        let expected = Path {
            link: link.index,
            gateway: Some(ip("192.0.2.9")),
            source: Some(ip("192.0.2.1")),
            mtu: 1300,
            local: false,
        };
        assert_eq!(way, expected);
        let way = netlink.route_to(ip("fd00::5")).unwrap().unwrap();
        assert_eq!((way.link, way.source, way.mtu), (link.index, Some(ip("fd00::1")), 1500));
        assert!(netlink.route_to(ip("192.0.2.1")).unwrap().unwrap().local);
    });
}

#[test]
fn rules_are_added_listed_and_removed() {
    with_veth(|netlink, _| {
        let rules = [
            Rule {
                v6: true,
                priority: 900,
                table: 1000,
                from: Some("fd00:1::/64".parse().unwrap()),
                to: None,
                mark: None,
                input: None,
            },
            Rule {
                v6: false,
                priority: 901,
                table: 200,
                from: None,
                to: Some("203.0.113.0/24".parse().unwrap()),
                mark: Some((0x40, 0xff)),
                input: Some("v0".to_owned()),
            },
        ];
        for rule in &rules {
            netlink.add_rule(rule).unwrap();
            assert!(netlink.rules().unwrap().contains(rule));
        }
        assert!(
            run("ip", "rule show")
                .contains("from all to 203.0.113.0/24 fwmark 0x40/0xff iif v0 lookup 200 proto 64")
        );
        for rule in &rules {
            assert!(netlink.remove_rule(rule).unwrap());
            assert!(!netlink.remove_rule(rule).unwrap());
        }
    });
}

#[test]
fn changes_are_news_once() {
    with_veth(|netlink, link| {
        let monitor = Monitor::new().unwrap();
        assert!(!monitor.drain());
        netlink.add_address(&Address::plain(link.index, ip("198.51.100.7"), 24)).unwrap();
        assert!(monitor.drain());
        assert!(!monitor.drain());
    });
}

#[test]
fn without_privilege_the_error_says_what_is_missing() {
    with_veth(|netlink, link| {
        let mut caps = rustix::thread::capabilities(None).unwrap();
        caps.effective.remove(rustix::thread::CapabilitySet::NET_ADMIN);
        rustix::thread::set_capabilities(None, caps).unwrap();
        let error = netlink.set_link_mtu(link.index, 1300).unwrap_err().to_string();
        assert!(
            error.contains("1300") && error.contains("CAP_NET_ADMIN") && !error.contains('\n'),
            "{error}"
        );
    });
}
