//! Neighbour unreachability detection towards routers (RFC 4861, section 7.3; RFC 5214, section 8.4).

use core::net::Ipv4Addr;

use sixgate_reason::{ISATAP_ND_INVALID, Reason};
use sixgate_time::{Duration, Instant};
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd::{self, Parameters};

use super::Host;
use crate::queue::Message;

/// RFC 4861, section 10: REACHABLE_TIME.
const REACHABLE_TIME: Duration = Duration::from_secs(30);
/// How long what is known lasts, and how long an answer is waited for. A router may say both (RFC 4861, section 6.3.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Times {
    reachable: Duration,
    retrans: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { reachable: REACHABLE_TIME, retrans: RETRANS_TIMER }
    }
}

impl Times {
    /// Takes what an advertisement says; zero says nothing. What makes no sense is brought within bounds.
    pub(super) fn take(&mut self, parameters: &Parameters) {
        let millis = |given: u32, bounds: (u64, u64)| {
            Duration::from_millis(u64::from(given).clamp(bounds.0, bounds.1))
        };
        if parameters.reachable_time != 0 {
            // RFC 4861, section 6.2.1: AdvReachableTime is at most an hour.
            self.reachable = millis(parameters.reachable_time, (1000, 3_600_000));
        }
        if parameters.retrans_timer != 0 {
            self.retrans = millis(parameters.retrans_timer, (100, 10_000));
        }
    }
}

/// Sent to it this long without hearing anything of it: do not wait for the end of REACHABLE_TIME.
const SUSPICION: Duration = Duration::from_millis(500);
/// Between two solicitations. RFC 4861, section 10 has a second (RETRANS_TIMER); routers of an intranet answer in
/// milliseconds. With these times another router is taken 1.2 s after the first packet that was lost: before TCP sends it for the
/// fourth time, 1.4 s after the first, and would then wait twice as long.
const RETRANS_TIMER: Duration = Duration::from_millis(350);
/// So many unanswered ones put it in doubt: then a router that answers is preferred (RFC 4861, section 6.3.6).
const DOUBTFUL: u8 = 2;
/// So many unanswered ones end it. RFC 4861, section 10 has three (MAX_UNICAST_SOLICIT), of a second each; RFC 7048 shows what
/// impatience costs where there is no other router. In all these take as long as the RFC's.
const MAX_UNICAST_SOLICIT: u8 = 8;
/// What was heard of another router is fresh enough to turn to it without asking.
const FRESH: Duration = Duration::from_secs(1);

/// What is known of the way to a router and back.
///
/// ```text
///             advertisement             idle too long, or sent and heard nothing
///  Unknown ------------------> Reachable ------------------------------------> Probing
///                               ^   ^                                           |  |
///                               |   +-------- neighbour advertisement ----------+  | eight solicitations unanswered
///                               +------------ advertisement --------- Failed <-----+
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reachability {
    /// It never answered.
    Unknown,
    /// It answered.
    Reachable {
        confirmed: Instant,
        /// The first packet sent to it since the last one heard from it.
        waiting_since: Option<Instant>,
    },
    /// It is being asked; after two solicitations without an answer it is in doubt.
    Probing { sent: u8, next: Instant },
    /// It did not answer; it is solicited as a router again.
    Failed,
}

impl Reachability {
    pub(super) fn confirm(&mut self, now: Instant) {
        *self = Self::Reachable { confirmed: now, waiting_since: None };
    }

    /// A packet went to it.
    pub(super) fn sent(&mut self, now: Instant) {
        if let Self::Reachable { waiting_since: waiting_since @ None, .. } = self {
            *waiting_since = Some(now);
        }
    }

    /// A packet came from it. RFC 4861, section 7.3.1: that shows only the way back, so it does not confirm; but it
    /// is no ground for suspicion either.
    pub(super) fn heard(&mut self) {
        if let Self::Reachable { waiting_since, .. } = self {
            *waiting_since = None;
        }
    }

    /// The network says that it cannot be reached: asked at once, and in doubt until it answers. Not when it answered a moment
    /// ago, so that nobody can make us turn from one router to another with every packet.
    pub(super) fn path_failed(&mut self, now: Instant) {
        let believed = match self {
            Self::Reachable { confirmed, .. } => now.since(*confirmed) > FRESH,
            Self::Probing { sent, .. } => *sent <= DOUBTFUL,
            Self::Unknown | Self::Failed => false,
        };
        if believed {
            *self = Self::Probing { sent: DOUBTFUL, next: now };
        }
    }

    /// True when another router should be taken, if there is one.
    pub(super) fn is_suspect(&self) -> bool {
        match self {
            // The last one that was sent may still be answered.
            Self::Probing { sent, .. } => *sent > DOUBTFUL,
            Self::Unknown | Self::Failed => true,
            Self::Reachable { .. } => false,
        }
    }

    /// Nothing of what was known counts any more.
    pub(super) fn doubt(&mut self, now: Instant) {
        if let Self::Reachable { .. } = self {
            *self = Self::Probing { sent: 0, next: now };
        }
    }

    /// Asks at once, unless it was heard of a moment ago or is being asked.
    fn ask(&mut self, now: Instant) {
        if let Self::Reachable { confirmed, .. } = self
            && now.since(*confirmed) > FRESH
        {
            *self = Self::Probing { sent: 0, next: now };
        }
    }

    pub(super) fn next_timeout(&self, times: Times) -> Instant {
        match self {
            Self::Unknown | Self::Failed => Instant::NEVER,
            Self::Reachable { confirmed, waiting_since } => {
                let suspicion = waiting_since.map_or(Instant::NEVER, |since| since + SUSPICION);
                suspicion.min(*confirmed + times.reachable)
            }
            Self::Probing { next, .. } => *next,
        }
    }
}

impl Host {
    /// Asks the routers that are due, and gives up those that did not answer. Routers that offer nothing are let be.
    pub(super) fn probe_due(&mut self, now: Instant) {
        let mut doubt = false;
        for at in 0..self.routers.len() {
            doubt |= self.probe(now, at);
        }
        if doubt {
            self.ask_others(now);
            for at in 0..self.routers.len() {
                self.probe(now, at);
            }
        }
        // A router that was given up a moment ago is due for a solicitation.
        self.solicit_due(now);
    }

    /// One router is in doubt: whoever is turned to must be known to be there by then.
    pub(super) fn ask_others(&mut self, now: Instant) {
        for router in &mut self.routers {
            router.reachability.ask(now);
        }
    }

    /// Asks one router if it is due; true when it has left a solicitation unanswered.
    fn probe(&mut self, now: Instant, at: usize) -> bool {
        let router = &mut self.routers[at];
        if router.offer.is_empty() || router.reachability.next_timeout(router.times) > now {
            return false;
        }
        let sent = match router.reachability {
            Reachability::Probing { sent, .. } => sent,
            Reachability::Unknown | Reachability::Reachable { .. } | Reachability::Failed => 0,
        };
        if sent >= MAX_UNICAST_SOLICIT {
            router.reachability = Reachability::Failed;
            router.discovery.restart(now);
            return true;
        }
        router.reachability = Reachability::Probing { sent: sent + 1, next: now + router.times.retrans };
        let (v4, target) = (router.v4, router.link_local());
        self.send(v4, target, Message::SolicitNeighbour { target });
        sent > 0
    }

    /// RFC 4861, section 7.2.5: a solicited advertisement of the router's own address proves that it is there.
    pub(super) fn neighbour_advertised(
        &mut self,
        now: Instant,
        from: Ipv4Addr,
        ip: &Ipv6<'_>,
    ) -> Result<(), Reason> {
        let message = nd::parse_neighbour_advertisement(ip).map_err(|_| ISATAP_ND_INVALID)?;
        let Some(router) = self.routers.iter_mut().find(|r| r.v4 == from && r.link_local() == message.target)
        else {
            return Err(ISATAP_ND_INVALID);
        };
        // Only what was asked is an answer: one that failed has to advertise itself again.
        if message.solicited && router.is_usable() {
            let doubted = router.reachability.is_suspect();
            router.reachability.confirm(now);
            router.path_failed = false;
            if doubted {
                self.choose(now);
            }
        }
        Ok(())
    }
}
