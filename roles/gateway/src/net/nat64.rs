//! The translator's port: its device, its engine, and the stand-ins of own addresses.

use std::io;
use std::sync::Arc;

use sixgate_io_link::Tun;
use sixgate_nat64::{Config, Nat64, Share};
use sixgate_wire::Packet;

use super::alias::Aliases;
use super::ways::KernelWays;
use crate::control::Renewed;

/// The NAT64 of a worker.
pub(crate) struct Translator {
    pub(crate) tun: Tun,
    pub(crate) engine: Nat64,
    pub(crate) aliases: Aliases,
    /// How large packets may be, by destination.
    pub(crate) ways: Arc<KernelWays>,
}

/// A worker's part of the settings of all: its share of the pool, and as much of what all together may.
pub(crate) fn part(of_all: &Config, share: Share) -> Config {
    let of = u32::from(share.of.max(1));
    Config {
        share,
        max_sessions: of_all.max_sessions.div_ceil(of as usize),
        errors_per_second: of_all.errors_per_second.div_ceil(of),
        ..of_all.clone()
    }
}

impl Translator {
    /// Takes over other settings; sessions that still fit stay.
    pub(crate) fn renew(&mut self, renewed: &Renewed) {
        let of_all = &renewed.config;
        let share = Share { unit: of_all.share.unit, ..self.engine.config().share };
        self.engine.reconfigure(part(of_all, share));
        self.aliases.clone_from(&renewed.aliases);
    }

    /// Writes a translated packet to the kernel: IPv4 outwards, IPv6 where the translator works alone.
    pub(crate) fn write(&mut self, packet: &mut Packet) -> io::Result<()> {
        if is_v4(packet) {
            self.aliases.put_on(packet);
        }
        self.tun.send_in_place(packet)
    }

    /// Reads a packet from the kernel, own addresses restored; false when there is none.
    pub(crate) fn read(&mut self, packet: &mut Packet) -> io::Result<bool> {
        let some = self.tun.receive(packet)?;
        if some && is_v4(packet) {
            self.aliases.take_off(packet);
        }
        Ok(some)
    }
}

/// The version nibble; anything that is not 4 goes the way of IPv6, whose parser refuses what is neither.
pub(crate) fn is_v4(packet: &Packet) -> bool {
    packet.bytes().first().is_some_and(|b| b >> 4 == 4)
}
