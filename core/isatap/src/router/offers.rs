//! What hosts are given: one offer for all, and others for the hosts of some rules.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use sixgate_time::Duration;
use sixgate_wire::addr::{Ipv6Prefix, isatap};
use sixgate_wire::lease::{Lease, LeasedPrefix, LeasedRoute};

use super::{RouterConfig, refresh};

/// Silent hosts are remembered at least this long.
const SHORTEST_MEMORY: u64 = 600;

/// Every offer, shared between the hosts that have it.
pub(super) struct Offers {
    /// The one for all, then those of the rules.
    all: Vec<Arc<Lease>>,
    /// The prefixes of all offers, each once.
    prefixes: Vec<Ipv6Prefix>,
}

impl Offers {
    pub(super) fn new(config: &RouterConfig) -> Self {
        let all: Vec<_> = core::iter::once(&config.lease)
            .chain(&config.offers)
            .map(|lease| Arc::new(lease.clone()))
            .collect();
        let mut prefixes = Vec::new();
        for leased in all.iter().flat_map(|lease| &lease.prefixes) {
            if !prefixes.contains(&leased.prefix) {
                prefixes.push(leased.prefix);
            }
        }
        Self { all, prefixes }
    }

    /// What hosts of the rule with this number are given.
    pub(super) fn of(&self, config: &RouterConfig, rule: u32) -> &Arc<Lease> {
        let own = config.allow.get(rule as usize).and_then(|rule| rule.offer);
        own.and_then(|at| self.all.get(at + 1)).unwrap_or(&self.all[0])
    }

    pub(super) fn is_on_link(&self, address: Ipv6Addr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(address))
    }

    pub(super) fn prefixes(&self) -> &[Ipv6Prefix] {
        &self.prefixes
    }

    /// The lifetime of any offer that ends first, in seconds.
    pub(super) fn shortest_lifetime(&self) -> Option<u32> {
        self.all.iter().filter_map(|lease| refresh::shortest_lifetime(lease)).min()
    }

    /// How long a silent host is remembered: as long as it may believe the last advertisement.
    pub(super) fn memory(&self) -> Duration {
        let longest = self.all.iter().map(|lease| longest_lifetime(lease)).max().unwrap_or(0);
        Duration::from_secs(u64::from(longest).max(SHORTEST_MEMORY))
    }
}

/// True for an address that a host with this offer may have on the link.
pub(super) fn has(offer: &Lease, address: Ipv6Addr) -> bool {
    isatap::is_link_local(address) || offer.prefixes.iter().any(|p| p.prefix.contains(address))
}

fn longest_lifetime(lease: &Lease) -> u32 {
    let prefixes = lease.prefixes.iter().map(|p| p.valid);
    let longest = prefixes.chain(lease.routes.iter().map(|r| r.lifetime)).max().unwrap_or(0);
    longest.max(u32::from(lease.router_lifetime))
}

/// `new`, with what `old` had and `new` has not taken away: a host keeps what nobody withdraws until its lifetime ends.
pub(super) fn exchange(old: &Lease, new: &Lease) -> Lease {
    let mut both = new.clone();
    for prefix in &old.prefixes {
        if !new.prefixes.iter().any(|p| p.prefix == prefix.prefix) {
            both.prefixes.push(withdrawn_prefix(prefix));
        }
    }
    for route in &old.routes {
        if !new.routes.iter().any(|r| r.prefix == route.prefix) {
            both.routes.push(LeasedRoute { lifetime: 0, ..*route });
        }
    }
    both
}

/// `lease` as it is taken away: no route, no new connections.
pub(super) fn withdrawal(lease: &Lease) -> Lease {
    let nothing =
        Lease { prefixes: Vec::new(), routes: Vec::new(), router_lifetime: 0, lifetime: 0, ..lease.clone() };
    exchange(lease, &nothing)
}

/// `lease` for what is open already: routes as they are, and addresses that nothing new begins from (RFC 4862, section
/// 5.5.4), valid no longer than `most` seconds.
pub(super) fn deprecated(lease: &Lease, most: u32) -> Lease {
    let mut old = lease.clone();
    for prefix in &mut old.prefixes {
        prefix.preferred = 0;
        prefix.valid = prefix.valid.min(most);
    }
    old
}

/// RFC 4862, section 5.5.3 (e): no host believes that an address ends sooner than in two hours.
pub(super) const TWO_HOURS: u32 = 7200;

/// RFC 4862, section 5.5.3 (e): a host does not believe a valid lifetime below two hours, so addresses are only deprecated.
fn withdrawn_prefix(prefix: &LeasedPrefix) -> LeasedPrefix {
    LeasedPrefix { preferred: 0, valid: prefix.valid.min(TWO_HOURS), ..*prefix }
}

/// The exchanges of one change of the configuration: hosts that had the same and get the same share one value.
#[derive(Default)]
pub(super) struct Exchanges(Vec<(Arc<Lease>, Arc<Lease>, Arc<Lease>)>);

impl Exchanges {
    pub(super) fn between(&mut self, old: &Arc<Lease>, new: &Arc<Lease>) -> Arc<Lease> {
        let known = self.0.iter().find(|(o, n, _)| Arc::ptr_eq(o, old) && Arc::ptr_eq(n, new));
        if let Some((_, _, both)) = known {
            return Arc::clone(both);
        }
        let both = Arc::new(exchange(old, new));
        self.0.push((Arc::clone(old), Arc::clone(new), Arc::clone(&both)));
        both
    }
}
