//! The router while ISATAP is taken away: who keeps what, and who is told what.
//!
//! Whether a host has open flows is not seen on this link, so it is told from outside ([`Router::flows_are_open`]), by
//! whoever also stops new flows before. Nobody is withdrawn from but in that call.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use sixgate_reason::{ISATAP_RETIRED, Reason};
use sixgate_time::{Duration, Instant};
use sixgate_wire::lease::Lease;

use super::Router;
use super::announce::REPEATED;
use super::hosts::Host;
use super::offers::{self, TWO_HOURS};
use crate::retire::Stage;

/// Hosts that keep something are told again this often: a sixth of the two hours for which they believe it.
const RENEWAL: Duration = Duration::from_secs(1200);

/// A host that there is nothing for any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Withdrawn {
    since: Instant,
    /// How often it was told.
    pub(super) told: u8,
}

impl Withdrawn {
    /// So long ago that its address is gone: nothing prolongs it.
    pub(super) const LONG_AGO: Self = Self { since: Instant::ZERO, told: 0 };

    /// What is left of the two hours, in seconds.
    fn valid(self, now: Instant) -> u32 {
        let gone = u32::try_from(now.since(self.since).as_secs()).unwrap_or(u32::MAX);
        if self.since == Instant::ZERO { 0 } else { TWO_HOURS.saturating_sub(gone) }
    }
}

/// A host in a retirement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetiringHost {
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// What it has.
    pub standing: Standing,
    /// Open flows from or to it, when they were last counted.
    pub open: u32,
    /// Its last solicitation.
    pub last_rs: Option<Instant>,
}

/// What a host has while ISATAP is retired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// As always.
    Offered,
    /// Its address is for what is open; new connections should begin from another.
    Deprecated,
    /// Nothing any more.
    Withdrawn,
}

impl Router {
    /// Says which hosts have open flows, and how many; all others have none. In order of their addresses.
    ///
    /// Hosts that shall not keep anything and have nothing open are withdrawn from here, so nothing new must be able to
    /// open between the counting and this call. Does nothing to hosts as long as nothing is retired.
    pub fn flows_are_open(&mut self, now: Instant, open: &[(Ipv4Addr, u32)]) {
        let retire = &self.config.retire;
        let count = |v4| open.binary_search_by_key(&v4, |(v4, _)| *v4).map_or(0, |at| open[at].1);
        let (mut changed, mut busy) = (false, Vec::new());
        for (v4, host) in self.hosts.served.iter_mut() {
            host.open = count(v4);
            if host.open > 0 {
                changed |= host.withdrawn.take().is_some();
                host.heard = now;
                busy.push(v4);
            } else if !retire.keeps(v4) && host.withdrawn.is_none() {
                host.withdrawn = Some(Withdrawn { since: now, told: 0 });
                changed = true;
            }
        }
        // A host that only ever answers must not be forgotten under its flow.
        for v4 in busy {
            self.hosts.served.touch(v4);
        }
        if changed {
            self.announce(now, REPEATED, true);
        }
    }

    /// True while something is being taken away.
    #[must_use]
    pub fn is_retiring(&self) -> bool {
        self.config.retire.is_on()
    }

    /// Every host and what it has, by IPv4 address.
    #[must_use]
    pub fn retirement(&self) -> Vec<RetiringHost> {
        let view = |(ipv4, host): (Ipv4Addr, &Host)| RetiringHost {
            ipv4,
            standing: match (host.withdrawn, self.config.retire.is_on()) {
                (Some(_), _) => Standing::Withdrawn,
                (None, true) => Standing::Deprecated,
                (None, false) => Standing::Offered,
            },
            open: host.open,
            last_rs: host.last_rs,
        };
        let mut all: Vec<_> = self.hosts.served.iter().map(view).collect();
        all.sort_unstable_by_key(|host| host.ipv4);
        all
    }

    /// When a packet in protocol 41 last came from any host, whatever became of it.
    #[must_use]
    pub const fn last_heard(&self) -> Option<Instant> {
        self.last_heard
    }

    /// Gives back what a host had, when the present configuration lets it keep that.
    pub(super) fn give_back(&mut self) {
        let retire = &self.config.retire;
        for (v4, host) in self.hosts.served.iter_mut() {
            if retire.keeps(v4) {
                host.withdrawn = None;
            }
        }
    }

    /// What the solicitation of a host in the table is answered with.
    pub(super) fn answer(&mut self, now: Instant, from: Ipv4Addr) -> Result<Arc<Lease>, Reason> {
        let quiet = self.config.retire.stage == Stage::Quiet;
        let host = self.hosts.served.get(from).filter(|host| !quiet || host.withdrawn.is_none());
        host.map(|host| self.offered(now, host)).ok_or(ISATAP_RETIRED)
    }

    /// What an advertisement to this host says now.
    pub(super) fn offered(&self, now: Instant, host: &Host) -> Arc<Lease> {
        let lease = host.advertised();
        match (host.withdrawn, self.config.retire.stage) {
            (Some(withdrawn), _) => {
                Arc::new(offers::deprecated(&offers::withdrawal(lease), withdrawn.valid(now)))
            }
            (None, Stage::Serve) => Arc::clone(lease),
            (None, Stage::Quiet) => Arc::new(offers::deprecated(lease, u32::MAX)),
            // As short as a host believes, so that it is over soon after its last flow.
            (None, Stage::Withdraw) => Arc::new(offers::deprecated(lease, TWO_HOURS)),
        }
    }

    /// Tells hosts that keep something that they still do: not every host asks in time.
    pub(super) fn renew(&mut self, now: Instant) {
        if self.config.retire.is_on() && self.renewal <= now {
            self.renewal = now + RENEWAL;
            if self.announcement.is_none() {
                self.announce(now, 1, true);
            }
        }
    }

    pub(super) fn next_renewal(&self) -> Instant {
        if self.config.retire.is_on() && self.hosts.served.len() > 0 { self.renewal } else { Instant::NEVER }
    }
}

#[cfg(test)]
mod tests;
