//! Unsolicited advertisements, unicast to every known host: at the start, after a change, at the end.
//!
//! There is no multicast on this link, so a router that comes back or leaves must tell each host. It does so a batch at
//! a time, because the table may be large and packets must not wait for it.

use alloc::sync::Arc;
use core::net::Ipv4Addr;

use sixgate_reason::ISATAP_HOST_NOT_ALLOWED;
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::isatap;

use super::Router;
use super::hosts::Host;
use super::offers;
use super::retire::Withdrawn;
use super::view::RememberedHost;
use crate::queue::{Message, Outgoing};

/// RFC 4861, section 10: MAX_FINAL_RTR_ADVERTISEMENTS.
pub(super) const REPEATED: u8 = 3;
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(200);
/// Hosts told at once, and the time until the next batch.
const BATCH: usize = 64;
const BETWEEN_BATCHES: Duration = Duration::from_millis(5);

/// A walk over the table of hosts that tells each one.
pub(super) struct Announcement {
    pub(super) due: Instant,
    position: usize,
    rounds: u8,
    /// False: only those for whom something changed.
    everyone: bool,
}

impl Router {
    /// Takes hosts that an earlier run knew, and tells each of them that its router is back.
    ///
    /// Times are on this run's clock: where they shall survive, the clock must start at a time that survives, such as the
    /// Unix epoch. Hosts that are not allowed any more are withdrawn from.
    pub fn remember(&mut self, now: Instant, hosts: &[RememberedHost]) {
        for remembered in hosts {
            let v4 = remembered.ipv4;
            if !self.site.is_other_node(v4) {
                continue;
            }
            let rule = self.allowed.rule(v4).ok();
            let offer = self.offers.of(&self.config, rule.unwrap_or(u32::MAX));
            let Some(host) = self.hosts.admit(now, v4, rule, offer, Some(remembered.form)) else {
                continue;
            };
            // Flows do not outlive a run, so this host has none.
            host.withdrawn = (!self.config.retire.keeps(v4)).then_some(Withdrawn::LONG_AGO);
            host.ours = remembered.router_form;
            host.first_rs = remembered.first_rs;
            host.last_rs = remembered.last_rs;
            (host.flows_started, host.last_flow) = (remembered.flows_started, remembered.last_flow);
            (host.rx_bytes, host.tx_bytes) = (remembered.rx_bytes, remembered.tx_bytes);
            self.hosts.heard(now, v4, false);
        }
        self.announce(now, 1, true);
    }

    /// Withdraws from every host: no route, no new connections, three times 0.2 s apart. Nobody is served after this.
    ///
    /// Finished when [`Router::is_announcing`] is false.
    pub fn shutdown(&mut self, now: Instant) {
        self.closing = true;
        self.announce(now, REPEATED, true);
    }

    /// True while hosts are still being told something.
    #[must_use]
    pub fn is_announcing(&self) -> bool {
        self.announcement.is_some()
    }

    /// Begins a walk; what one before it had still to say, this one says.
    pub(super) fn announce(&mut self, now: Instant, rounds: u8, everyone: bool) {
        let (rounds, everyone) = match &self.announcement {
            Some(before) => (rounds.max(before.rounds), everyone || before.everyone),
            None => (rounds, everyone),
        };
        if self.hosts.served.len() == 0 {
            self.announcement = None;
            return;
        }
        self.announcement = Some(Announcement { due: now, position: 0, rounds, everyone });
        self.continue_announcement(now);
    }

    pub(super) fn continue_announcement(&mut self, now: Instant) {
        let Some(mut walk) = self.announcement.take_if(|walk| walk.due <= now) else {
            return;
        };
        let mut told = 0;
        while walk.position < self.hosts.served.positions() && told < BATCH.min(self.queue.room()) {
            let position = walk.position;
            walk.position += 1;
            told += usize::from(self.tell(now, position, &walk));
        }
        if walk.position < self.hosts.served.positions() {
            walk.due = now + BETWEEN_BATCHES;
        } else if walk.rounds > 1 {
            walk = Announcement {
                due: now + PAUSE,
                position: 0,
                rounds: walk.rounds - 1,
                everyone: walk.everyone,
            };
        } else {
            return;
        }
        self.announcement = Some(walk);
    }

    /// Tells the host at this position, if there is one; one that leaves is forgotten after the last round.
    fn tell(&mut self, now: Instant, position: usize, walk: &Announcement) -> bool {
        let Some((v4, host)) = self.hosts.served.at(position) else {
            return false;
        };
        let served = host.rule.is_some();
        // A host that has nothing any more hears it three times. Each further time would look like something new.
        if served && host.withdrawn.is_some_and(|w| w.told >= REPEATED) {
            return false;
        }
        let changed = !served || host.untold || host.exchange.is_some();
        if !walk.everyone && !changed {
            return false;
        }
        let leaves = !served || self.closing && host.withdrawn.is_none();
        let lease =
            if leaves { Arc::new(offers::withdrawal(host.advertised())) } else { self.offered(now, host) };
        let queued = self.queue.push(self.unsolicited(v4, host, Message::Advertise(lease)));
        if let Some(host) = self.hosts.served_mut(v4).filter(|_| queued) {
            host.told = now;
            host.untold &= walk.rounds > 1;
            if let Some(withdrawn) = &mut host.withdrawn {
                withdrawn.told += 1;
            }
        }
        if walk.rounds == 1 && !self.closing {
            if leaves {
                self.hosts.dismiss(now, v4, self.allowed.rule(v4).err().unwrap_or(ISATAP_HOST_NOT_ALLOWED));
            } else if let Some(host) = self.hosts.served_mut(v4) {
                host.exchange = None;
            }
        }
        queued
    }

    pub(super) fn unsolicited(&self, v4: Ipv4Addr, host: &Host, message: Message) -> Outgoing {
        Outgoing {
            to: v4,
            src: isatap::link_local(host.ours, self.config.address),
            dst: isatap::link_local(host.theirs, v4),
            message,
        }
    }
}
