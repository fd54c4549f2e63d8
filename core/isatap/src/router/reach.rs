//! Whether a host can be reached: neighbour unreachability detection at the router (RFC 4861, section 7.3; RFC 5214, section 8.4).
//!
//! Traffic drives it, so that a host which nobody sends to costs nothing:
//!
//! ```text
//!                 packet to it                5 s                 asked three times, a second apart
//!   +-------+  ----------------->  +-------+ ----> +-------+  -------------------------------------+
//!   | stale |                      | delay |       | probe |                                       |
//!   +-------+  <-- 30 s --+        +-------+       +-------+                                       v
//!     ^   ^               |                          |   |  nothing heard meanwhile: +-------------+
//!     |   |          +-----------+   answers         |   +-------------------------> | unreachable |
//!     |   |          | reachable | <-----------------+   |                           +-------------+
//!     |   |          +-----------+ <-------------------- | --- answers ----------------+   |
//!     |   +-- heard, but no answer ----------------------+                                 |
//!     +------------------------------------------------------------- heard ---------------+
//! ```
//!
//! An ICMPv4 error from the path leads to `probe` at once (RFC 5214, section 7.2). What is sent to an unreachable host is refused with an
//! ICMPv6 error, and makes the router ask again, once a second at most (RFC 7048: one failure is not for ever).

use alloc::collections::VecDeque;
use core::net::Ipv4Addr;

use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::isatap;

use super::Router;
use crate::queue::{Message, Outgoing};

/// RFC 4861, section 10. Reachable time is not randomised: hosts are confirmed at different times, so nothing falls together.
const REACHABLE_TIME: Duration = Duration::from_secs(30);
const DELAY_FIRST_PROBE_TIME: Duration = Duration::from_secs(5);
const RETRANS_TIMER: Duration = Duration::from_secs(1);
const MAX_UNICAST_SOLICIT: u8 = 3;
/// Hosts that may be in doubt at the same time; those beyond are believed until there is room.
const MOST_IN_DOUBT: usize = 4096;

/// What is known of the way to one host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reach {
    state: State,
    /// When the state ends by itself, or may ask again.
    due: Instant,
    /// Something came from the host since it was last in doubt.
    heard: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Stale,
    Reachable,
    Delay,
    Probe { asked: u8 },
    Unreachable,
}

/// What happens to a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// A packet is sent to it.
    Sent,
    /// A verified packet came from it: it lives, which does not say that it hears us.
    Heard,
    /// It answered a neighbour solicitation.
    Answered,
    /// The IPv4 network says that it cannot be reached.
    PathFailed,
    /// The time of the state is over.
    Timeout,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Nothing,
    /// Call again with [`Event::Timeout`] when the delay is over.
    Wait,
    /// Send a neighbour solicitation, and call again a second later.
    Ask,
    /// The host is given up; it may be asked, without being called again.
    GiveUp {
        ask: bool,
    },
}

impl Reach {
    /// RFC 4861, section 6.2.6: a solicitation makes an entry that nothing has confirmed yet.
    pub(super) const NEW: Self = Self { state: State::Stale, due: Instant::ZERO, heard: false };

    pub(super) fn on(&mut self, now: Instant, event: Event) -> Step {
        if self.state == State::Reachable && self.due <= now {
            self.state = State::Stale;
        }
        let (state, step) = match (self.state, event) {
            (State::Stale, Event::Sent) => (State::Delay, Step::Wait),
            (State::Stale | State::Reachable | State::Delay, Event::PathFailed)
            | (State::Delay, Event::Timeout) => (State::Probe { asked: 1 }, Step::Ask),
            (State::Probe { asked }, Event::Timeout) if asked < MAX_UNICAST_SOLICIT => {
                (State::Probe { asked: asked + 1 }, Step::Ask)
            }
            (State::Probe { .. }, Event::Timeout) if self.heard => (State::Stale, Step::Nothing),
            (State::Probe { .. }, Event::Timeout) => (State::Unreachable, Step::GiveUp { ask: false }),
            (State::Probe { .. } | State::Unreachable, Event::Answered) => (State::Reachable, Step::Nothing),
            (State::Unreachable, Event::Heard) => (State::Stale, Step::Nothing),
            (State::Unreachable, Event::Sent) => (State::Unreachable, Step::GiveUp { ask: self.due <= now }),
            // Nobody asked, so it proves nothing.
            (State::Stale | State::Reachable | State::Delay, Event::Answered)
            | (State::Stale | State::Reachable | State::Delay | State::Probe { .. }, Event::Heard)
            | (State::Reachable | State::Delay | State::Probe { .. }, Event::Sent)
            | (State::Stale | State::Reachable | State::Unreachable, Event::Timeout)
            | (State::Probe { .. } | State::Unreachable, Event::PathFailed) => (self.state, Step::Nothing),
        };
        self.heard |= event == Event::Heard;
        match step {
            Step::Wait => (self.due, self.heard) = (now + DELAY_FIRST_PROBE_TIME, false),
            Step::Ask | Step::GiveUp { ask: true } => self.due = now + RETRANS_TIMER,
            Step::GiveUp { ask: false } | Step::Nothing => {}
        }
        if event == Event::PathFailed && step == Step::Ask {
            self.heard = false;
        }
        if state == State::Reachable && event == Event::Answered {
            self.due = now + REACHABLE_TIME;
        }
        self.state = state;
        step
    }

    /// True while a question to the host waits for its answer.
    pub(super) fn is_asked(self) -> bool {
        matches!(self.state, State::Probe { .. } | State::Unreachable)
    }

    pub(super) fn is_unreachable(self) -> bool {
        self.state == State::Unreachable
    }
}

/// Hosts that are in doubt, in the order in which they are due: all that wait wait equally long.
pub(super) struct Doubts {
    delayed: VecDeque<(Instant, Ipv4Addr)>,
    asked: VecDeque<(Instant, Ipv4Addr)>,
}

impl Doubts {
    pub(super) fn new() -> Self {
        let empty = || VecDeque::with_capacity(MOST_IN_DOUBT);
        Self { delayed: empty(), asked: empty() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.delayed.len() < MOST_IN_DOUBT && self.asked.len() < MOST_IN_DOUBT
    }

    pub(super) fn next_due(&self) -> Instant {
        let front =
            |queue: &VecDeque<(Instant, Ipv4Addr)>| queue.front().map_or(Instant::NEVER, |(due, _)| *due);
        front(&self.delayed).min(front(&self.asked))
    }

    fn pop(&mut self, now: Instant) -> Option<(Instant, Ipv4Addr)> {
        let delayed = self.delayed.front().is_some_and(|(due, _)| *due <= now);
        let asked = self.asked.front().is_some_and(|(due, _)| *due <= now);
        match (delayed, asked) {
            (true, _) => self.delayed.pop_front(),
            (false, true) => self.asked.pop_front(),
            (false, false) => None,
        }
    }
}

impl Router {
    /// Tells a host's state machine what happened, and does what it says.
    pub(super) fn happened(&mut self, now: Instant, v4: Ipv4Addr, event: Event) {
        let may_ask = event != Event::PathFailed || self.doubts.has_room();
        if self.config.options.probe_hosts
            && may_ask
            && let Some(host) = self.hosts.served_mut(v4)
        {
            let step = host.reach.on(now, event);
            self.follow(v4, step);
        }
    }

    /// Does what a host's state machine says.
    pub(super) fn follow(&mut self, v4: Ipv4Addr, step: Step) {
        let (waits, asks) = match step {
            Step::Nothing | Step::GiveUp { ask: false } => return,
            Step::Wait => (true, false),
            Step::Ask => (true, true),
            Step::GiveUp { ask: true } => (false, true),
        };
        let Some(host) = self.hosts.served_mut(v4) else { return };
        let (due, target) = (host.reach.due, isatap::link_local(host.theirs, v4));
        let src = isatap::link_local(host.ours, self.config.address);
        if waits {
            let queue = if asks { &mut self.doubts.asked } else { &mut self.doubts.delayed };
            queue.push_back((due, v4));
        }
        if asks {
            // A full queue is a lost question, as one that the network lost.
            let message = Message::SolicitNeighbour { target };
            let _ = self.queue.push(Outgoing { to: v4, src, dst: target, message });
        }
    }

    /// Goes on with the hosts in doubt whose time is over.
    pub(super) fn resolve_doubts(&mut self, now: Instant) {
        while let Some((due, v4)) = self.doubts.pop(now) {
            // An entry whose host went on otherwise meanwhile means nothing any more.
            if self.hosts.served_mut(v4).is_some_and(|host| host.reach.due == due) {
                self.happened(now, v4, Event::Timeout);
            }
        }
    }
}

#[cfg(test)]
mod tests;
