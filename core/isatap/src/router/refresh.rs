//! Advertisements to hosts that did not solicit in time.
//!
//! A host asks again before a lifetime ends, and then nothing happens here. One that does not, because its solicitations are lost or
//! because its program knows no better, would lose its routes; it is told by unicast (RFC 4861, section 6.2.4 has routers advertise by
//! themselves, and there is no multicast on this link).
//!
//! The table is walked a batch at a time, and a walk begins every twentieth of the shortest lifetime.

use alloc::sync::Arc;

use sixgate_time::{Duration, Instant};
use sixgate_wire::lease::Lease;

use super::Router;
use super::hosts::Host;
use crate::queue::Message;

/// Hosts solicit at four fifths of a lifetime; whoever has not by nine tenths is told.
const TENTHS: u64 = 9;
/// Walks in a lifetime.
const WALKS: u64 = 20;
const SHORTEST_PERIOD: Duration = Duration::from_secs(1);
const LONGEST_PERIOD: Duration = Duration::from_secs(600);
/// Places looked at and hosts told at once, and the time until the next batch.
const PLACES: usize = 1024;
const BATCH: usize = 64;
const BETWEEN_BATCHES: Duration = Duration::from_millis(5);

/// A walk over the table of hosts, or the time of the next one.
pub(super) struct Refresh {
    due: Instant,
    position: usize,
}

impl Refresh {
    pub(super) const NEW: Self = Self { due: Instant::ZERO, position: 0 };
}

impl Router {
    pub(super) fn refresh(&mut self, now: Instant) {
        if self.refresh.due > now || !self.refreshes() {
            return;
        }
        let period = self.period();
        let (mut told, end) = (0, self.refresh.position + PLACES);
        while self.refresh.position < end.min(self.hosts.served.positions())
            && told < BATCH.min(self.queue.room())
        {
            let position = self.refresh.position;
            self.refresh.position += 1;
            told += usize::from(self.refresh_host(now, position, period));
        }
        if self.refresh.position < self.hosts.served.positions() {
            self.refresh.due = now + BETWEEN_BATCHES;
        } else {
            self.refresh = Refresh { due: now + period, position: 0 };
        }
    }

    pub(super) fn next_refresh(&self) -> Instant {
        if self.refreshes() { self.refresh.due } else { Instant::NEVER }
    }

    /// A retirement tells hosts by itself what they keep.
    fn refreshes(&self) -> bool {
        self.config.options.renew
            && !self.closing
            && !self.config.retire.is_on()
            && self.hosts.served.len() > 0
    }

    fn refresh_host(&mut self, now: Instant, position: usize, period: Duration) -> bool {
        let Some((v4, host)) = self.hosts.served.at(position) else { return false };
        if host.rule.is_none() || host.withdrawn.is_some() || !is_due(now, host, period) {
            return false;
        }
        let message = Message::Advertise(Arc::clone(host.advertised()));
        let queued = self.queue.push(self.unsolicited(v4, host, message));
        if let Some(host) = self.hosts.served_mut(v4).filter(|_| queued) {
            host.told = now;
        }
        queued
    }

    fn period(&self) -> Duration {
        let shortest = u64::from(self.offers.shortest_lifetime().unwrap_or(u32::MAX));
        Duration::from_millis(shortest * 1000 / WALKS).clamp(SHORTEST_PERIOD, LONGEST_PERIOD)
    }
}

/// True when the next walk would come too late for this host.
fn is_due(now: Instant, host: &Host, period: Duration) -> bool {
    let Some(shortest) = shortest_lifetime(host.advertised()) else { return false };
    let by = Duration::from_millis(u64::from(shortest) * 100 * TENTHS);
    host.told + by <= now + period
}

/// The lifetime that ends first, in seconds; `None` where nothing ends, or nothing is offered.
pub(super) fn shortest_lifetime(lease: &Lease) -> Option<u32> {
    let prefixes = lease.prefixes.iter().map(|p| p.preferred);
    let routes = lease.routes.iter().map(|r| r.lifetime);
    let others = [u32::from(lease.router_lifetime), lease.lifetime];
    // Zero takes away, and all ones never end (RFC 4861, section 4.6.2).
    prefixes.chain(routes).chain(others).filter(|seconds| !matches!(*seconds, 0 | u32::MAX)).min()
}
