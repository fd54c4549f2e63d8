//! What translates: with sessions or without.

use std::net::Ipv4Addr;
use std::sync::Arc;

use sixgate_nat64::{Config, Nat64, ShardMap, Share, Siit, SiitConfig, Verdict};
use sixgate_reason::Reason;
use sixgate_time::Instant;
use sixgate_wire::Packet;

use super::ways::KernelWays;

/// What an engine is told.
#[derive(Clone, Debug)]
pub(crate) enum Settings {
    /// `[nat64]`
    Stateful(Config),
    /// `[siit]`
    Stateless(SiitConfig),
}

impl Settings {
    /// The source of our own ICMPv4 errors.
    pub(crate) const fn gateway4(&self) -> Ipv4Addr {
        match self {
            Self::Stateful(config) => config.gateway4,
            Self::Stateless(config) => config.gateway4,
        }
    }

    /// Those of an engine with sessions.
    pub(crate) const fn stateful(&self) -> Option<&Config> {
        match self {
            Self::Stateful(config) => Some(config),
            Self::Stateless(_) => None,
        }
    }
}

/// A translator of either kind.
pub(crate) enum Engine {
    /// RFC 6146.
    Stateful(Box<Nat64>),
    /// RFC 7915 alone.
    Stateless(Box<Siit>),
}

impl Engine {
    /// One with sessions, for a worker's share. `map` says who has what, where there are several.
    pub(crate) fn stateful(
        of_all: &Config,
        share: Share,
        map: Option<&Arc<ShardMap>>,
        seed: [u8; 32],
    ) -> Self {
        let mut nat64 = Nat64::new(part(of_all, share), seed);
        if let Some(map) = map {
            nat64.set_shards(Arc::clone(map));
        }
        Self::Stateful(Box::new(nat64))
    }

    /// One without, for one worker of `share.of`.
    pub(crate) fn stateless(of_all: &SiitConfig, share: Share, seed: [u8; 32]) -> Self {
        Self::Stateless(Box::new(Siit::new(part_of_stateless(of_all, share), seed)))
    }

    /// Takes over other settings. Its kind stays: that is decided at the start.
    pub(crate) fn reconfigure(&mut self, settings: &Settings) {
        match (self, settings) {
            (Self::Stateful(nat64), Settings::Stateful(of_all)) => {
                let mine = nat64.config().share;
                // How ports are dealt among several stays: each of them, and the kernel, know it.
                let unit = if mine.of > 1 { mine.unit } else { of_all.share.unit };
                nat64.reconfigure(part(of_all, Share { unit, ..mine }));
            }
            (Self::Stateless(siit), Settings::Stateless(of_all)) => {
                let share = siit.config().share;
                siit.reconfigure(part_of_stateless(of_all, share));
            }
            (Self::Stateful(_), Settings::Stateless(_)) | (Self::Stateless(_), Settings::Stateful(_)) => {}
        }
    }

    /// The engine with sessions, for questions about them.
    pub(crate) fn nat64(&self) -> Option<&Nat64> {
        match self {
            Self::Stateful(nat64) => Some(nat64),
            Self::Stateless(_) => None,
        }
    }

    /// The same, for what it has to tell.
    pub(crate) fn nat64_mut(&mut self) -> Option<&mut Nat64> {
        match self {
            Self::Stateful(nat64) => Some(nat64),
            Self::Stateless(_) => None,
        }
    }

    /// A packet from the IPv6 side.
    pub(crate) fn outbound(&mut self, now: Instant, packet: &mut Packet, ways: &KernelWays) -> Verdict {
        match self {
            Self::Stateful(nat64) => nat64.outbound(now, packet, ways),
            Self::Stateless(siit) => siit.outbound(now, packet, ways),
        }
    }

    /// A packet from the IPv4 side.
    pub(crate) fn inbound(&mut self, now: Instant, packet: &mut Packet, ways: &KernelWays) -> Verdict {
        match self {
            Self::Stateful(nat64) => nat64.inbound(now, packet, ways),
            Self::Stateless(siit) => siit.inbound(now, packet, ways),
        }
    }

    pub(crate) fn poll_output(&mut self, out: &mut Packet) -> bool {
        match self {
            Self::Stateful(nat64) => nat64.poll_output(out),
            Self::Stateless(siit) => siit.poll_output(out),
        }
    }

    pub(crate) fn poll_late_drop(&mut self) -> Option<Reason> {
        self.nat64_mut()?.poll_late_drop()
    }

    /// Other workers have other shares.
    pub(crate) fn set_shards(&mut self, map: Arc<ShardMap>) {
        if let Some(nat64) = self.nat64_mut() {
            nat64.set_shards(map);
        }
    }

    /// True for a packet from outside in the name of the pool; see [`Nat64::is_forged`].
    pub(crate) fn is_forged(&self, packet: &Packet) -> bool {
        self.nat64().is_some_and(|nat64| nat64.is_forged(packet))
    }

    /// True when something came back to the pool that may be another worker's.
    pub(crate) fn has_hairpin(&self) -> bool {
        self.nat64().is_some_and(Nat64::has_hairpin)
    }

    pub(crate) fn poll_hairpin(&mut self, out: &mut Packet) -> bool {
        self.nat64_mut().is_some_and(|nat64| nat64.poll_hairpin(out))
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        self.nat64().map_or(Instant::NEVER, Nat64::next_timeout)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(nat64) = self.nat64_mut() {
            nat64.handle_timeout(now);
        }
    }
}

/// A worker's part of the settings of all: its share of the pool, and as much of what all together may.
fn part(of_all: &Config, share: Share) -> Config {
    let of = u32::from(share.of.max(1));
    Config {
        share,
        max_sessions: of_all.max_sessions.div_ceil(of as usize),
        errors_per_second: of_all.errors_per_second.div_ceil(of),
        ..of_all.clone()
    }
}

/// The same without sessions: nothing is dealt but the rate of errors, and identifications.
fn part_of_stateless(of_all: &SiitConfig, share: Share) -> SiitConfig {
    let errors_per_second = of_all.errors_per_second.div_ceil(u32::from(share.of.max(1)));
    SiitConfig { share, errors_per_second, ..of_all.clone() }
}
