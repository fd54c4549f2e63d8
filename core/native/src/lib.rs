//! A segment with IPv6 of its own, on which the gateway says where the clients are and nothing else.
//!
//! Hosts there have their addresses and their default route from somebody else. The advertisement has router lifetime zero
//! and route information (RFC 4191), so a host that takes it sends to the clients through this gateway and to nobody else.
//! This crate says when (RFC 4861, section 6.2) and what; it neither forwards nor answers anything but solicitations.
//!
//! ```
//! use sixgate_native::{Advertiser, Config};
//! use sixgate_time::{Duration, Instant};
//! use sixgate_wire::{Packet, lease::Lease};
//! let source = "fe80::1".parse().unwrap();
//! let config = Config { source, offer: Lease::default(), longest_interval: Duration::from_secs(600) };
//! let mut advertiser = Advertiser::new(config, 7, Instant::ZERO);
//! let (mut now, mut out, mut sent) = (Instant::ZERO, Packet::new(), 0);
//! while now < Instant::from_secs(60) {
//!     // A packet that came in: `advertiser.solicited(now, &ip)`.
//!     while advertiser.poll_transmit(now, &mut out) {
//!         sent += 1;
//!     }
//!     now = advertiser.next_timeout();
//! }
//! assert_eq!(sent, 4, "at once, and three within 16 seconds of each other");
//! ```
#![no_std]
#![forbid(unsafe_code)]

use core::net::Ipv6Addr;

use sixgate_reason::Reason;
use sixgate_time::{Duration, Instant};
use sixgate_wire::Packet;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::lease::Lease;
use sixgate_wire::nd::{parse_solicitation, write_advertisement};

/// Every node of the link (RFC 4291, section 2.7.1): where each advertisement goes.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Every router of the link: where hosts ask.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// RFC 4861, section 10: MAX_INITIAL_RTR_ADVERTISEMENTS.
const INITIAL: u8 = 3;
/// MAX_INITIAL_RTR_ADVERT_INTERVAL
const INITIAL_INTERVAL: Duration = Duration::from_secs(16);
/// MAX_FINAL_RTR_ADVERTISEMENTS
const FINAL: u8 = 3;
/// Between final ones: a daemon that ends has no time for the three seconds that others keep.
const FINAL_PAUSE: Duration = Duration::from_millis(200);
/// MAX_RA_DELAY_TIME
const LONGEST_DELAY: Duration = Duration::from_millis(500);
/// MIN_DELAY_BETWEEN_RAS
const SHORTEST_PAUSE: Duration = Duration::from_secs(3);

/// What is advertised, and how often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Our link-local address on the segment.
    pub source: Ipv6Addr,
    /// Routes, and the NAT64 prefix if hosts are to know it.
    pub offer: Lease,
    /// MaxRtrAdvInterval (RFC 4861, section 6.2.1), at least three seconds; the shortest is a third of it, and
    /// at least three seconds too.
    pub longest_interval: Duration,
}

/// The advertising of one segment.
///
/// ```text
///            RS: within 0.5 s, not within 3 s of the last
///          +---------+
///          v         |
///  new -> open ------+--> shutdown -> closing: 3 withdrawals, 0.2 s apart -> silent
///          ^         |
///          +---------+
///           interval: 3 initial ones at most 16 s apart, then a third to all of the longest
/// ```
///
/// All state is these few words: a flood of solicitations costs one advertisement in three seconds.
#[derive(Clone, Debug)]
pub struct Advertiser {
    config: Config,
    random: u64,
    last: Option<Instant>,
    due: Instant,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// This many initial advertisements are left; zero in the long run.
    Open(u8),
    /// This many withdrawals are left.
    Closing(u8),
}

impl Advertiser {
    /// Due at once. The seed spreads routers that start together.
    #[must_use]
    pub const fn new(config: Config, seed: u64, now: Instant) -> Self {
        Self { config, random: seed, last: None, due: now, phase: Phase::Open(INITIAL) }
    }

    /// A packet that arrived on the segment.
    ///
    /// # Errors
    /// Why it is no solicitation that may be answered (RFC 4861, section 6.1.1).
    pub fn solicited(&mut self, now: Instant, packet: &Ipv6<'_>) -> Result<(), Reason> {
        parse_solicitation(packet).map_err(sixgate_wire::nd::NdFault::reason)?;
        if matches!(self.phase, Phase::Closing(_)) {
            return Ok(());
        }
        // RFC 4861, section 6.2.6: a random delay, and three seconds between advertisements to all.
        let earliest = self.last.map_or(now, |last| now.max(last + SHORTEST_PAUSE));
        let answer = earliest + self.share_of(LONGEST_DELAY);
        self.due = self.due.min(answer);
        Ok(())
    }

    /// When the next advertisement is due.
    #[must_use]
    pub const fn next_timeout(&self) -> Instant {
        self.due
    }

    /// Writes the advertisement that is due, for [`ALL_NODES`]; false when none is.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Packet) -> bool {
        if now < self.due {
            return false;
        }
        let closing = matches!(self.phase, Phase::Closing(_));
        let withdrawn = closing.then(|| withdrawal(&self.config.offer));
        let offer = withdrawn.as_ref().unwrap_or(&self.config.offer);
        // The hop limit that hosts use is for the router that gives them their addresses to say.
        let written = write_advertisement(offer, 0, self.config.source, ALL_NODES, out);
        self.last = Some(now);
        self.due = self.after(now);
        written
    }

    /// Withdraws, three times. Finished when [`Advertiser::is_silent`].
    pub const fn shutdown(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Closing(_)) {
            self.phase = Phase::Closing(FINAL);
            self.due = now;
        }
    }

    /// True when everything was withdrawn.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        matches!(self.phase, Phase::Closing(0))
    }

    fn after(&mut self, now: Instant) -> Instant {
        match self.phase {
            Phase::Closing(left) => {
                let left = left.saturating_sub(1);
                self.phase = Phase::Closing(left);
                if left == 0 { Instant::NEVER } else { now + FINAL_PAUSE }
            }
            Phase::Open(initial) => {
                self.phase = Phase::Open(initial.saturating_sub(1));
                let longest = self.config.longest_interval.max(SHORTEST_PAUSE);
                let shortest = (longest / 3).max(SHORTEST_PAUSE);
                let interval = shortest + self.share_of(longest - shortest);
                now + if initial > 0 { interval.min(INITIAL_INTERVAL) } else { interval }
            }
        }
    }

    /// Some of `whole`, evenly.
    fn share_of(&mut self, whole: Duration) -> Duration {
        // SplitMix64: chance for spreading, not for secrets.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
        let share = (u128::from(z) * u128::from(nanos)) >> 64;
        Duration::from_nanos(u64::try_from(share).unwrap_or(nanos))
    }
}

/// The same offer with every lifetime zero.
fn withdrawal(offer: &Lease) -> Lease {
    let mut gone = offer.clone();
    gone.lifetime = 0;
    gone.router_lifetime = 0;
    for route in &mut gone.routes {
        route.lifetime = 0;
    }
    for prefix in &mut gone.prefixes {
        (prefix.preferred, prefix.valid) = (0, 0);
    }
    gone
}

#[cfg(test)]
mod tests;
