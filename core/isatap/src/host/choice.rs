//! From what all routers offer to what this host has: its addresses, one route a prefix, the MTU.

use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_time::Instant;
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::addr::isatap;
use sixgate_wire::lease::Preference;

use super::event::HostEvent;
use super::{HIGHEST_MTU, Host, LOWEST_MTU};

/// What was chosen, and is told to the kernel.
pub(super) struct Chosen {
    pub(super) addresses: Vec<Address>,
    /// Longest prefix first.
    pub(super) routes: Vec<Route>,
    pub(super) mtu: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Address {
    pub(super) address: Ipv6Addr,
    pub(super) prefix: Ipv6Prefix,
    pub(super) preferred: bool,
    pub(super) on_link: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Route {
    pub(super) prefix: Ipv6Prefix,
    pub(super) next_hop: Ipv6Addr,
    pub(super) router: Ipv4Addr,
    pub(super) preference: Preference,
}

impl Chosen {
    pub(super) const fn new(mtu: u32) -> Self {
        Self { addresses: Vec::new(), routes: Vec::new(), mtu }
    }

    /// The route that a packet to `address` takes.
    pub(super) fn route(&self, address: Ipv6Addr) -> Option<&Route> {
        self.routes.iter().find(|route| route.prefix.contains(address))
    }

    pub(super) fn is_on_link(&self, address: Ipv6Addr) -> bool {
        self.addresses.iter().any(|a| a.on_link && a.prefix.contains(address))
    }

    pub(super) fn has_address(&self, address: Ipv6Addr) -> bool {
        self.addresses.iter().any(|a| a.address == address)
    }
}

impl Host {
    /// Chooses again and tells what changed: addresses before the routes that need them, routes away before addresses.
    pub(super) fn choose(&mut self, now: Instant) {
        for router in &mut self.routers {
            router.offer.expire(now);
        }
        let addresses = self.choose_addresses();
        let routes = self.choose_routes();
        for new in
            addresses.iter().filter(|new| !self.chosen.addresses.iter().any(|old| told_alike(old, new)))
        {
            self.events.push_back(HostEvent::AddressAdded {
                address: new.address,
                prefix: new.prefix,
                preferred: new.preferred,
            });
        }
        for old in self.chosen.routes.iter().filter(|old| !routes.iter().any(|new| new.prefix == old.prefix))
        {
            self.events.push_back(HostEvent::RouteRemoved { prefix: old.prefix, next_hop: old.next_hop });
        }
        for new in routes.iter().filter(|new| !self.chosen.routes.contains(new)) {
            self.events.push_back(HostEvent::RouteAdded {
                prefix: new.prefix,
                next_hop: new.next_hop,
                router: new.router,
                preference: new.preference,
            });
        }
        for old in
            self.chosen.addresses.iter().filter(|old| !addresses.iter().any(|new| new.address == old.address))
        {
            self.events.push_back(HostEvent::AddressRemoved { address: old.address, prefix: old.prefix });
        }
        let mtu = self.choose_mtu();
        if mtu != self.chosen.mtu {
            self.events.push_back(HostEvent::MtuChanged { mtu });
        }
        self.chosen = Chosen { addresses, routes, mtu };
        self.tell_states();
    }

    /// One address a prefix, in our own form (RFC 5214, section 6.1). It outlives a router that does not answer: open
    /// connections keep it, and nothing is sent from it that no route leads to.
    fn choose_addresses(&self) -> Vec<Address> {
        let mut addresses: Vec<Address> = Vec::new();
        for router in &self.routers {
            for offered in &router.offer.prefixes {
                let preferred = offered.preferred_until != Instant::ZERO;
                match addresses.iter_mut().find(|a| a.prefix == offered.prefix) {
                    Some(known) => {
                        known.preferred |= preferred;
                        known.on_link |= offered.on_link;
                    }
                    None => addresses.push(Address {
                        address: isatap::own(offered.prefix, self.address),
                        prefix: offered.prefix,
                        preferred,
                        on_link: offered.on_link,
                    }),
                }
            }
        }
        addresses
    }

    /// One route a prefix: through a router that answers, then by preference (RFC 4191, section 3.2), then by the order
    /// of the list. Where no router answers there is no route, so that programs fail at once and not after a timeout.
    fn choose_routes(&self) -> Vec<Route> {
        let mut routes: Vec<Route> = Vec::new();
        for router in self.routers.iter().filter(|r| r.is_usable()) {
            for offered in &router.offer.routes {
                let candidate = Route {
                    prefix: offered.prefix,
                    next_hop: router.link_local(),
                    router: router.v4,
                    preference: offered.preference,
                };
                match routes.iter_mut().find(|r| r.prefix == offered.prefix) {
                    Some(known) if rank(candidate.preference) > rank(known.preference) => *known = candidate,
                    Some(_) => {}
                    None => routes.push(candidate),
                }
            }
        }
        routes.sort_by_key(|route| (Reverse(route.prefix.length()), route.prefix));
        routes
    }

    fn choose_mtu(&self) -> u32 {
        let given =
            self.routers.iter().filter(|r| !r.offer.is_empty()).map(|r| r.offer.mtu).filter(|mtu| *mtu != 0);
        given.min().map_or(LOWEST_MTU, |mtu| mtu.clamp(LOWEST_MTU, HIGHEST_MTU))
    }

    fn tell_states(&mut self) {
        for router in &mut self.routers {
            let state = router.state();
            if state != router.told {
                router.told = state;
                self.events.push_back(HostEvent::RouterChanged { router: router.v4, state });
            }
        }
    }
}

fn told_alike(old: &Address, new: &Address) -> bool {
    old.address == new.address && old.preferred == new.preferred
}

const fn rank(preference: Preference) -> u8 {
    match preference {
        Preference::Low => 0,
        Preference::Medium => 1,
        Preference::High => 2,
    }
}
