//! What happens without a packet: time-outs, the end of a batch, the farewell.

use jiff::Timestamp;
use sixgate_io_link::clock;
use sixgate_isatap::RouterEvent;
use sixgate_time::{Duration, Instant};

use super::worker::Worker;
use crate::seam::ToControl;

/// How often the list of ISATAP hosts that control keeps over a restart is brought up to date.
const KEEP_HOSTS: Duration = Duration::from_secs(5);

/// How soon a host that is new stands in that list: many that come at once are written once.
const KEEP_NEW_HOST: Duration = Duration::from_millis(20);

/// What the list costs a host: one that is long is not written for every newcomer of a sweep.
const KEEP_EACH: Duration = Duration::from_micros(50);

/// Between two withdrawals.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Worker {
    /// When the next thing is due without a packet.
    pub(super) fn next_timeout(&self) -> Instant {
        let mut next = self.fabric.next_timeout();
        if let Some(nat64) = &self.nat64 {
            next = next.min(nat64.engine.next_timeout());
        }
        if let Some(crossing) = &self.crossing {
            next = next.min(crossing.next_timeout());
        }
        if let Some(link) = &self.isatap {
            next = next.min(link.router.next_timeout()).min(self.hosts_due);
            if link.router.is_retiring() {
                next = next.min(self.review_due);
            }
        }
        next
    }

    /// Whatever is due.
    pub(super) fn timers(&mut self) {
        if self.fabric.next_timeout() <= self.now {
            self.fabric.handle_timeout(self.now);
        }
        if self.nat64.as_ref().is_some_and(|nat64| nat64.engine.next_timeout() <= self.now) {
            if let Some(nat64) = &mut self.nat64 {
                nat64.engine.handle_timeout(self.now);
            }
            self.drain_translator();
        }
        self.give_up_parts();
        if self.review_due <= self.now && self.isatap.as_ref().is_some_and(|link| link.router.is_retiring()) {
            self.review();
        }
        let Some(link) = &mut self.isatap else { return };
        if link.router.next_timeout() <= self.now {
            link.router.handle_timeout(self.now);
        }
        if self.hosts_due <= self.now {
            self.hosts_due = self.now + KEEP_HOSTS;
            // Control may be gone; then nobody keeps the list.
            let memory = self.memory_of_hosts();
            let _ = self.outbox.send(ToControl::Served(memory));
        }
    }

    /// Sends what this turn has queued.
    pub(super) fn flush(&mut self) {
        self.flush_isatap();
        self.flush_clients();
        if let Some(crossing) = &mut self.crossing {
            crossing.end_turn(&mut self.pool);
        }
        self.tell_of_ports();
    }

    /// Tells control who got outside ports of the translator, and whether the pool is running out.
    pub(super) fn tell_of_ports(&mut self) {
        let Some(nat64) = self.nat64.as_mut().and_then(|nat64| nat64.engine.nat64_mut()) else { return };
        while let Some(alarm) = nat64.poll_pool_alarm() {
            let share = nat64.config().share.index;
            // Control may be gone; then nobody is left to be told.
            let _ = self.outbox.send(ToControl::Pool { share, alarm });
        }
        let Some(first) = nat64.poll_port_event() else { return };
        let mut events = vec![first];
        events.extend(std::iter::from_fn(|| nat64.poll_port_event()));
        let lost = nat64.take_lost_port_events();
        let _ = self.outbox.send(ToControl::Ports { at: Timestamp::now(), events, lost });
    }

    fn flush_isatap(&mut self) {
        let Some(link) = &mut self.isatap else { return };
        if let Some(mut scratch) = self.pool.take() {
            link.queue_own(&mut scratch, &mut self.captures);
            self.pool.give(scratch);
        }
        while let Some(event) = link.router.poll_event() {
            match event {
                RouterEvent::HostServed { ipv4 } => {
                    tracing::info!(host = %ipv4, "ISATAP host is served");
                    // Nobody else would tell this host that its router is back, should this run end now.
                    if self.hosts_due != Instant::NEVER {
                        let known = u32::try_from(link.router.served()).unwrap_or(u32::MAX);
                        let soon = (KEEP_NEW_HOST + KEEP_EACH * known).min(KEEP_HOSTS);
                        self.hosts_due = self.hosts_due.min(self.now + soon);
                    }
                }
                RouterEvent::HostForgotten { ipv4 } => tracing::info!(host = %ipv4, "ISATAP host is gone"),
                // The refusal itself is counted and logged under its reason.
                RouterEvent::HostRefused { .. } => {}
            }
        }
        if let Err(e) = link.socket.flush() {
            let reason = sixgate_reason::QUEUE_FULL;
            self.tally.count(self.now, reason, format_args!("protocol 41: {e}"));
        }
    }

    /// Tells ISATAP hosts that this router goes, and clients that their stream ends here.
    pub(super) fn farewell(&mut self) {
        if let Some(link) = &mut self.isatap {
            link.router.shutdown(self.now);
        }
        self.flush();
        while let Some(link) = self.isatap.as_mut().filter(|link| link.router.is_announcing()) {
            // The last moments of this thread: nothing else waits for it any more.
            std::thread::sleep(
                clock::until(link.router.next_timeout()).unwrap_or_default().min(LONGEST_PAUSE),
            );
            self.now = clock::now();
            link.router.handle_timeout(self.now);
            self.flush();
        }
        for n in self.clients.numbers() {
            self.end(n, None);
        }
    }
}
