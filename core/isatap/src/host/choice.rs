//! From what all routers offer to what this host has: its addresses, one route a prefix, the MTU.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_time::Instant;
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::addr::isatap;
use sixgate_wire::lease::Preference;

use super::event::{HostEvent, Lifetimes};
use super::way::{Way, Ways};
use super::{Host, LOWEST_MTU};

/// What was chosen, and is told to the kernel.
pub(super) struct Chosen {
    pub(super) addresses: Vec<Address>,
    /// Of each packet.
    pub(super) ways: Ways,
    /// What the kernel has of the ways, longest prefix first.
    pub(super) routes: Vec<Route>,
    pub(super) mtu: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Address {
    pub(super) address: Ipv6Addr,
    pub(super) prefix: Ipv6Prefix,
    pub(super) lifetimes: Lifetimes,
    pub(super) on_link: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Route {
    pub(super) prefix: Ipv6Prefix,
    pub(super) next_hop: Ipv6Addr,
    pub(super) router: Ipv4Addr,
    pub(super) preference: Preference,
    pub(super) source: Option<Ipv6Addr>,
}

impl Chosen {
    pub(super) const fn new(mtu: u32) -> Self {
        Self { addresses: Vec::new(), ways: Ways::NONE, routes: Vec::new(), mtu }
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
        let ways = Ways::new(&self.routers, &addresses);
        let routes = self.choose_routes(&ways);
        self.tell_addresses(&addresses);
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
                source: new.source,
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
        self.chosen = Chosen { addresses, ways, routes, mtu };
        self.tell_states(now);
    }

    /// One address a prefix, in our own form (RFC 5214, section 6.1). It outlives a router that does not answer: open
    /// connections keep it, and nothing is sent from it that no route leads to.
    fn choose_addresses(&self) -> Vec<Address> {
        let mut addresses: Vec<Address> = Vec::new();
        for router in &self.routers {
            for offered in &router.offer.prefixes {
                let lifetimes = Lifetimes { preferred: offered.preferred_until, valid: offered.valid_until };
                match addresses.iter_mut().find(|a| a.prefix == offered.prefix) {
                    Some(known) => {
                        // Whichever router of the prefix lets it live longest.
                        known.lifetimes.preferred = known.lifetimes.preferred.max(lifetimes.preferred);
                        known.lifetimes.valid = known.lifetimes.valid.max(lifetimes.valid);
                        known.on_link |= offered.on_link;
                    }
                    None => addresses.push(Address {
                        address: isatap::own(offered.prefix, self.address),
                        prefix: offered.prefix,
                        lifetimes,
                        on_link: offered.on_link,
                    }),
                }
            }
        }
        addresses
    }

    /// One route a prefix for the kernel, which leads every packet here: a new connection takes the best way, and gets
    /// its address from the router of that way.
    fn choose_routes(&self, ways: &Ways) -> Vec<Route> {
        let route = |way: &Way| Route {
            prefix: way.destination,
            next_hop: way.next_hop,
            router: way.router,
            preference: way.preference,
            source: way.source.map(|prefix| isatap::own(prefix, self.address)),
        };
        ways.best().map(route).collect()
    }

    fn choose_mtu(&self) -> u32 {
        let given =
            self.routers.iter().filter(|r| !r.offer.is_empty()).map(|r| r.offer.mtu).filter(|mtu| *mtu != 0);
        given.min().map_or(LOWEST_MTU, |mtu| mtu.clamp(LOWEST_MTU, self.highest_mtu))
    }

    fn tell_addresses(&mut self, addresses: &[Address]) {
        for new in addresses {
            let Address { address, prefix, lifetimes, .. } = *new;
            match self.chosen.addresses.iter().find(|old| old.address == address) {
                Some(old) if old.lifetimes == lifetimes => {}
                Some(old) if old.lifetimes.is_preferred() == lifetimes.is_preferred() => {
                    self.events.push_back(HostEvent::AddressRenewed { address, prefix, lifetimes });
                }
                Some(_) | None => {
                    self.events.push_back(HostEvent::AddressAdded { address, prefix, lifetimes });
                }
            }
        }
    }

    fn tell_states(&mut self, now: Instant) {
        for router in &mut self.routers {
            let state = router.state();
            if state != router.told {
                router.told = state;
                router.since = now;
                self.events.push_back(HostEvent::RouterChanged { router: router.v4, state });
            }
        }
    }
}
