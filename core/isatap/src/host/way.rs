//! Which router a packet takes: by where it goes, and by the address that it comes from.
//!
//! A router drops what comes from a prefix that it did not give, and says nothing (RFC 5214, section 7.3). So where
//! several sites, each with a prefix of its own, lead to one destination, the source address names the router
//! (RFC 8028, section 3.1), and the address that new connections get names the router that they should take.

use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{ISATAP_NO_ROUTER, ISATAP_SOURCE_OF_ANOTHER};
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::lease::Preference;
use sixgate_wire::refusal::Refusal;

use super::choice::Address;
use super::router::Router;
use crate::verdict::Refused;

/// The best router for packets from one prefix to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Way {
    pub(super) destination: Ipv6Prefix,
    /// `None` when the router gave no prefix: then it is for whatever has no better way.
    pub(super) source: Option<Ipv6Prefix>,
    pub(super) router: Ipv4Addr,
    pub(super) next_hop: Ipv6Addr,
    pub(super) preference: Preference,
    rank: Rank,
}

/// What makes a way better than another; the first difference decides, and then the order of the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Rank {
    /// RFC 4861, section 6.3.6: routers that answer before those of which that is in doubt.
    answers: bool,
    /// RFC 6724, section 5, rule 3: new connections are not begun from an address that is running out.
    preferred: bool,
    /// RFC 4191, section 3.2.
    preference: u8,
}

/// Every way, in the order in which they are to be looked at: the longest destination first, then the best.
pub(super) struct Ways(Vec<Way>);

impl Ways {
    pub(super) const NONE: Self = Self(Vec::new());

    /// The ways through routers that are there. Where none is there is no way, so that programs fail at once and not
    /// after a timeout.
    pub(super) fn new(routers: &[Router], addresses: &[Address]) -> Self {
        let mut ways: Vec<Way> = Vec::new();
        for router in routers.iter().filter(|r| r.is_usable()) {
            let given = router.offer.prefixes.iter().map(|p| Some(p.prefix));
            let none = router.offer.prefixes.is_empty().then_some(None);
            for source in given.chain(none) {
                for offered in &router.offer.routes {
                    let rank = Rank {
                        answers: !router.reachability.is_suspect(),
                        preferred: source.is_none_or(|prefix| is_preferred(addresses, prefix)),
                        preference: rank(offered.preference),
                    };
                    let way = Way {
                        destination: offered.prefix,
                        source,
                        router: router.v4,
                        next_hop: router.link_local(),
                        preference: offered.preference,
                        rank,
                    };
                    let same = |w: &&mut Way| (w.destination, w.source) == (way.destination, way.source);
                    match ways.iter_mut().find(same) {
                        Some(known) if way.rank > known.rank => *known = way,
                        Some(_) => {}
                        None => ways.push(way),
                    }
                }
            }
        }
        ways.sort_by_key(|w| (Reverse(w.destination.length()), w.destination, Reverse(w.rank)));
        Self(ways)
    }

    /// The router for a packet.
    pub(super) fn take(&self, src: Ipv6Addr, dst: Ipv6Addr) -> Result<Ipv4Addr, Refused> {
        let mut last_resort: Option<&Way> = None;
        let mut any = false;
        for way in self.0.iter().filter(|w| w.destination.contains(dst)) {
            if last_resort.is_some_and(|w| w.destination != way.destination) {
                break;
            }
            any = true;
            match way.source {
                Some(prefix) if prefix.contains(src) => return Ok(way.router),
                Some(_) => {}
                None => last_resort = last_resort.or(Some(way)),
            }
        }
        match last_resort {
            Some(way) => Ok(way.router),
            // The program may try again from another address; the router would not tell it.
            None if any => Err(Refused::with(ISATAP_SOURCE_OF_ANOTHER, Refusal::SourcePolicy)),
            None => Err(Refused::with(ISATAP_NO_ROUTER, Refusal::NoRoute)),
        }
    }

    /// The way of new connections to each destination, the longest first.
    pub(super) fn best(&self) -> impl Iterator<Item = &Way> {
        self.0.chunk_by(|a, b| a.destination == b.destination).filter_map(<[Way]>::first)
    }
}

fn is_preferred(addresses: &[Address], prefix: Ipv6Prefix) -> bool {
    addresses.iter().any(|a| a.prefix == prefix && a.lifetimes.is_preferred())
}

const fn rank(preference: Preference) -> u8 {
    match preference {
        Preference::Low => 0,
        Preference::Medium => 1,
        Preference::High => 2,
    }
}
