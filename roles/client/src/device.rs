//! What a lease makes of the TUN device: addresses, routes, MTU. All of it goes with the device.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr};

use sixgate_io_host::{Address, HostError, Netlink, Route, sysctl};
use sixgate_io_link::{Tun, TunOptions};
use sixgate_wire::addr::{IpPrefix, Ipv6Prefix};
use sixgate_wire::lease::{Lease, Preference};

use crate::Failure;

/// Smallest MTU of a link with IPv6 (RFC 8200, section 5); also what a device has before its first lease.
const LEAST_MTU: u32 = 1280;

/// The device of the tunnel.
pub(crate) struct Device {
    pub(crate) index: u32,
    netlink: Netlink,
    addresses: Vec<Ipv6Addr>,
    routes: Vec<Route>,
}

/// Makes the device, up, without an address.
pub(crate) fn open(name: &str) -> Result<Tun, Failure> {
    let options = TunOptions { mtu: LEAST_MTU, queues: 1, offload: true };
    let tun = Tun::open(name, &options)?;
    // Machines without IPv6 often have it disabled everywhere; ours is the exception. It takes no advertisements from
    // anybody, and has no link-local address: the kernel would talk to a link on which nobody listens.
    for (setting, value) in
        [("disable_ipv6", "0"), ("accept_ra", "0"), ("autoconf", "0"), ("addr_gen_mode", "1")]
    {
        sysctl::set(&format!("net/ipv6/conf/{name}/{setting}"), value)?;
    }
    tun.set_up()?;
    Ok(tun)
}

impl Device {
    pub(crate) fn new(name: &str) -> Result<Self, HostError> {
        let mut netlink = Netlink::new()?;
        let index = netlink.link(name)?.index;
        Ok(Self { index, netlink, addresses: Vec::new(), routes: Vec::new() })
    }

    /// Makes the device what `lease` says, and takes away what only an earlier one said.
    ///
    /// # Errors
    /// The first thing that the kernel refused; the rest is applied all the same.
    pub(crate) fn apply(&mut self, lease: &Lease) -> Result<(), HostError> {
        let mut outcome = Ok(());
        let mut note = |done: Result<(), HostError>| {
            if outcome.is_ok() {
                outcome = done;
            }
        };
        note(self.netlink.set_link_mtu(self.index, lease.mtu.max(LEAST_MTU)));
        for address in &lease.addresses {
            note(self.netlink.replace_address(&Address::plain(self.index, *address, 128)));
        }
        let routes = routes(lease, self.index);
        for gone in self.routes.iter().filter(|r| !routes.contains(r)) {
            note(self.netlink.remove_route(gone).map(drop));
        }
        // Never replaced: the kernel would take the route of another device with the same metric for the one that is meant.
        let mut held = Vec::new();
        for route in routes {
            match self.netlink.add_route(&route) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && self.routes.contains(&route) => {}
                Err(error) => {
                    note(Err(error));
                    continue;
                }
                Ok(()) => {}
            }
            held.push(route);
        }
        for gone in self.addresses.iter().filter(|a| !lease.addresses.contains(a)) {
            note(self.netlink.remove_address(&Address::plain(self.index, *gone, 128)).map(drop));
        }
        self.addresses.clone_from(&lease.addresses);
        self.routes = held;
        outcome
    }

    /// The network under the tunnel.
    pub(crate) fn network(&mut self) -> Result<crate::network::Network, HostError> {
        crate::network::Network::look(&mut self.netlink, self.index)
    }
}

/// The routes of a lease (RFC 4191): all of them to the device, which has one neighbour.
fn routes(lease: &Lease, link: u32) -> Vec<Route> {
    let source = lease.addresses.first().copied().map(IpAddr::V6);
    let route = |prefix: Ipv6Prefix, preference: Preference| Route {
        metric: Some(metric(preference)),
        source,
        ..Route::dev(IpPrefix::V6(prefix), link)
    };
    let offered = lease.routes.iter().filter(|r| r.lifetime > 0).map(|r| route(r.prefix, r.preference));
    let default = (lease.router_lifetime > 0).then(|| route(everywhere(), Preference::Medium));
    let mut routes: Vec<_> = offered.chain(default).collect();
    routes.dedup();
    routes
}

fn everywhere() -> Ipv6Prefix {
    Ipv6Prefix::containing(Ipv6Addr::UNSPECIFIED, 0)
}

/// The kernel gives 1024 to what it learns itself: a preference moves ours to either side of that.
const fn metric(preference: Preference) -> u32 {
    match preference {
        Preference::High => 512,
        Preference::Medium => 1024,
        Preference::Low => 2048,
    }
}

#[cfg(test)]
mod tests {
    use sixgate_wire::lease::LeasedRoute;

    use super::*;

    fn lease() -> Lease {
        let route = |prefix: &str, preference, lifetime| LeasedRoute {
            prefix: prefix.parse().unwrap(),
            preference,
            lifetime,
        };
        Lease {
            addresses: vec!["fd00:1::a".parse().unwrap()],
            routes: vec![
                route("fd00:1::/48", Preference::Medium, 600),
                route("fd00:2::/64", Preference::High, 600),
                route("fd00:3::/64", Preference::Low, 0),
            ],
            ..Lease::default()
        }
    }

    #[test]
    fn withdrawn_routes_are_left_out_and_preferences_become_metrics() {
        let routes = routes(&lease(), 7);
        let seen: Vec<_> = routes.iter().map(|r| (r.destination.to_string(), r.metric)).collect();
        assert_eq!(seen, [("fd00:1::/48".into(), Some(1024)), ("fd00:2::/64".into(), Some(512))]);
        assert!(routes.iter().all(|r| r.link == Some(7) && r.source == Some("fd00:1::a".parse().unwrap())));
    }

    #[test]
    fn default_route_comes_only_with_a_router_lifetime() {
        assert!(routes(&lease(), 7).iter().all(|r| r.destination.to_string() != "::/0"));
        let all = routes(&Lease { router_lifetime: 1800, ..lease() }, 7);
        assert_eq!(all.last().unwrap().destination.to_string(), "::/0");
    }
}
