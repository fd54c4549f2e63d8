//! What one router offers, and until when.

use alloc::vec::Vec;

use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::lease::{Lease, LeasedPrefix, LeasedRoute, Preference};

/// Prefixes and routes of one router that are looked at.
const MOST_PREFIXES: usize = 16;
const MOST_ROUTES: usize = 64;
/// RFC 4861, section 4.6.2: all one bits are for ever.
const INFINITE: u32 = u32::MAX;
/// RFC 4862, section 5.5.3 (e): whoever forges an advertisement cannot end an address sooner.
const TWO_HOURS: Duration = Duration::from_secs(7200);

#[derive(Default)]
pub(super) struct Offer {
    pub(super) prefixes: Vec<OfferedPrefix>,
    pub(super) routes: Vec<OfferedRoute>,
    /// Zero where the router gives none.
    pub(super) mtu: u32,
}

pub(super) struct OfferedPrefix {
    pub(super) prefix: Ipv6Prefix,
    pub(super) preferred_until: Instant,
    pub(super) valid_until: Instant,
    pub(super) on_link: bool,
}

pub(super) struct OfferedRoute {
    pub(super) prefix: Ipv6Prefix,
    pub(super) preference: Preference,
    pub(super) until: Instant,
}

impl Offer {
    pub(super) fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.routes.is_empty()
    }

    /// True when something new can be begun with it: a route, or an address that is not merely running out.
    pub(super) fn is_of_use(&self) -> bool {
        !self.routes.is_empty() || self.prefixes.iter().any(|p| p.preferred_until != Instant::ZERO)
    }

    /// Takes an advertisement, with the preference of its default route (RFC 4191, section 2.2). What it does not mention
    /// stays until its own end (RFC 4861, section 6.3.4).
    pub(super) fn take(&mut self, now: Instant, lease: &Lease, preference: Preference) {
        for prefix in lease.prefixes.iter().filter(|p| p.prefix.length() == 64) {
            self.take_prefix(now, prefix);
        }
        for route in &lease.routes {
            self.take_route(now, route);
        }
        // RFC 4191, section 3.1: a route to ::/0 says more than the router lifetime does, so it decides where both are.
        if !lease.routes.iter().any(|r| r.prefix.length() == 0) {
            let all = Ipv6Prefix::containing(core::net::Ipv6Addr::UNSPECIFIED, 0);
            let lifetime = u32::from(lease.router_lifetime);
            self.take_route(now, &LeasedRoute { prefix: all, preference, lifetime });
        }
        self.mtu = lease.mtu;
    }

    fn take_prefix(&mut self, now: Instant, leased: &LeasedPrefix) {
        let valid_until = end(now, leased.valid);
        let preferred_until = end(now, leased.preferred);
        let on_link = leased.on_link && leased.valid > 0;
        if let Some(known) = self.prefixes.iter_mut().find(|p| p.prefix == leased.prefix) {
            // RFC 4862, section 5.5.3 (e)
            known.valid_until = if valid_until > now + TWO_HOURS || valid_until > known.valid_until {
                valid_until
            } else {
                known.valid_until.min(now + TWO_HOURS)
            };
            known.preferred_until = preferred_until;
            known.on_link = on_link;
        } else if leased.valid > 0 && self.prefixes.len() < MOST_PREFIXES {
            self.prefixes.push(OfferedPrefix {
                prefix: leased.prefix,
                preferred_until,
                valid_until,
                on_link,
            });
        }
    }

    fn take_route(&mut self, now: Instant, leased: &LeasedRoute) {
        self.routes.retain(|r| r.prefix != leased.prefix);
        if leased.lifetime > 0 && self.routes.len() < MOST_ROUTES {
            let until = end(now, leased.lifetime);
            self.routes.push(OfferedRoute { prefix: leased.prefix, preference: leased.preference, until });
        }
    }

    /// So much time has passed that no clock counted.
    pub(super) fn age(&mut self, by: Duration) {
        let nearer = |end: &mut Instant| {
            if *end != Instant::NEVER {
                *end = *end - by;
            }
        };
        for prefix in &mut self.prefixes {
            nearer(&mut prefix.preferred_until);
            nearer(&mut prefix.valid_until);
        }
        for route in &mut self.routes {
            nearer(&mut route.until);
        }
    }

    /// Forgets what has ended.
    pub(super) fn expire(&mut self, now: Instant) {
        self.prefixes.retain(|p| p.valid_until > now);
        self.routes.retain(|r| r.until > now);
        for prefix in &mut self.prefixes {
            if prefix.preferred_until <= now {
                prefix.preferred_until = Instant::ZERO;
            }
        }
    }

    /// When something ends next.
    pub(super) fn next_change(&self) -> Instant {
        let prefixes = self.prefixes.iter().flat_map(|p| [p.preferred_until, p.valid_until]);
        let ends = prefixes.chain(self.routes.iter().map(|r| r.until));
        // An address that is deprecated already has no end of its preference ahead.
        ends.filter(|end| *end != Instant::ZERO).min().unwrap_or(Instant::NEVER)
    }
}

/// The shortest lifetime that an advertisement gives, in seconds; what it takes away, and what lasts for ever, not counted.
pub(super) fn shortest(lease: &Lease) -> Option<u32> {
    let prefixes = lease.prefixes.iter().flat_map(|p| [p.preferred, p.valid]);
    // A prefix that is being deprecated is being taken away, although it is valid for two hours more.
    let prefixes = prefixes.filter(|_| lease.prefixes.iter().any(|p| p.preferred > 0));
    let routes = lease.routes.iter().map(|r| r.lifetime);
    prefixes
        .chain(routes)
        .chain([u32::from(lease.router_lifetime)])
        .filter(|lifetime| *lifetime != 0 && *lifetime != INFINITE)
        .min()
}

fn end(now: Instant, lifetime: u32) -> Instant {
    if lifetime == INFINITE { Instant::NEVER } else { now + Duration::from_secs(u64::from(lifetime)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn lease(preferred: u32, valid: u32, route: u32) -> Lease {
        Lease {
            prefixes: vec![LeasedPrefix {
                prefix: "fd00:2::/64".parse().unwrap(),
                preferred,
                valid,
                on_link: false,
            }],
            routes: vec![LeasedRoute {
                prefix: "fd00:1::/64".parse().unwrap(),
                preference: Preference::Medium,
                lifetime: route,
            }],
            ..Lease::default()
        }
    }

    #[test]
    fn a_forged_end_of_an_address_takes_two_hours() {
        let now = Instant::from_secs(10);
        let mut offer = Offer::default();
        offer.take(now, &lease(14_400, 86_400, 600), Preference::Medium);
        offer.take(now, &lease(0, 0, 0), Preference::Medium);
        assert_eq!(offer.prefixes[0].valid_until, now + TWO_HOURS);
        assert!(offer.routes.is_empty());
        // Below two hours the end is not moved nearer any more.
        offer.take(now + Duration::from_secs(60), &lease(0, 5, 0), Preference::Medium);
        assert_eq!(offer.prefixes[0].valid_until, now + TWO_HOURS);
        offer.expire(now + TWO_HOURS);
        assert!(offer.is_empty());
    }

    #[test]
    fn the_router_lifetime_is_a_route_to_everywhere_unless_a_route_says_so() {
        let now = Instant::from_secs(10);
        let mut offer = Offer::default();
        let mut both = Lease { router_lifetime: 1800, ..lease(10, 20, 600) };
        offer.take(now, &both, Preference::Medium);
        assert!(offer.routes.iter().any(|r| r.prefix.length() == 0 && r.until == Instant::from_secs(1810)));
        both.routes.push(LeasedRoute {
            prefix: "::/0".parse().unwrap(),
            preference: Preference::Low,
            lifetime: 60,
        });
        offer.take(now, &both, Preference::Medium);
        let all: vec::Vec<_> = offer.routes.iter().filter(|r| r.prefix.length() == 0).collect();
        assert_eq!(
            (all.len(), all[0].until, all[0].preference),
            (1, Instant::from_secs(70), Preference::Low)
        );
        offer.take(now, &lease(10, 20, 600), Preference::Medium);
        assert!(!offer.routes.iter().any(|r| r.prefix.length() == 0));
    }

    #[test]
    fn the_shortest_lifetime_counts_nothing_that_is_taken_away() {
        assert_eq!(shortest(&lease(1800, 3600, 600)), Some(600));
        assert_eq!(shortest(&lease(1800, 3600, 0)), Some(1800));
        assert_eq!(shortest(&lease(0, 7200, 0)), None);
        assert_eq!(shortest(&lease(INFINITE, INFINITE, INFINITE)), None);
    }
}
