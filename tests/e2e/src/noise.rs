//! Packets that nobody should send, by kinds, and what a daemon makes of them: each is counted once, under a reason of its kind.

use crate::Random;
use crate::watched::{Counts, Watched};

/// Packets of each kind.
pub const MANY: usize = 60;

/// Packets of one kind.
pub struct Kind {
    /// For messages.
    pub name: &'static str,
    /// The reasons that they may be refused under.
    pub reasons: &'static [&'static str],
    /// The packets.
    pub packets: Vec<Vec<u8>>,
}

/// Makes kinds, all from one row of numbers.
pub struct Noise {
    chance: Random,
    /// What was made.
    pub kinds: Vec<Kind>,
}

impl Noise {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self { chance: Random::begin(), kinds: Vec::new() }
    }

    /// Adds [`MANY`] packets of a kind.
    pub fn kind(
        &mut self,
        name: &'static str,
        reasons: &'static [&'static str],
        make: impl FnMut(&mut Random) -> Vec<u8>,
    ) {
        self.few(MANY, name, reasons, make);
    }

    /// Adds so many packets of a kind.
    pub fn few(
        &mut self,
        many: usize,
        name: &'static str,
        reasons: &'static [&'static str],
        mut make: impl FnMut(&mut Random) -> Vec<u8>,
    ) {
        let packets = (0..many).map(|_| make(&mut self.chance)).collect();
        self.kinds.push(Kind { name, reasons, packets });
    }

    /// Sends all of them, kind by kind. The daemon counts each packet once, under a reason of its kind, logs each reason once, and
    /// lives. Gives what was counted.
    #[track_caller]
    pub fn is_counted(&self, daemon: &mut impl Watched, mut send: impl FnMut(&Kind, &[u8])) -> Counts {
        let begin = daemon.counters();
        for kind in &self.kinds {
            let before = daemon.counters();
            for packet in &kind.packets {
                send(kind, packet);
            }
            let rise = daemon.counted(&before, kind.packets.len() as u64);
            let foreign = rise.keys().any(|reason| !kind.reasons.contains(&reason.as_str()));
            assert!(!foreign, "{}: {rise:?}", kind.name);
        }
        let all = daemon.counted(&begin, self.kinds.iter().map(|kind| kind.packets.len() as u64).sum());
        assert!(daemon.lives());
        daemon.said_once(&all);
        all
    }
}

impl Default for Noise {
    fn default() -> Self {
        Self::new()
    }
}

/// `bytes` with this version in front, as an IP header has it.
#[must_use]
pub fn with_version(mut bytes: Vec<u8>, version: u8) -> Vec<u8> {
    bytes[0] = version << 4 | bytes[0] & 15;
    bytes
}

/// `packet` without its end; something is left and something is missing.
pub fn cut(mut packet: Vec<u8>, chance: &mut Random) -> Vec<u8> {
    packet.truncate(1 + chance.below(packet.len() - 1));
    packet
}
