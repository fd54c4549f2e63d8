//! The translator's port: its device, its engine, and the stand-ins of own addresses.

use std::io;
use std::sync::Arc;

use sixgate_io_link::Tun;
use sixgate_wire::Packet;

use super::alias::Aliases;
use super::engine::Engine;
use super::ways::KernelWays;
use crate::control::Renewed;

/// The translator of a worker.
pub(crate) struct Translator {
    pub(crate) tun: Tun,
    pub(crate) engine: Engine,
    pub(crate) aliases: Aliases,
    /// How large packets may be, by destination.
    pub(crate) ways: Arc<KernelWays>,
}

impl Translator {
    /// Takes over other settings; sessions that still fit stay.
    pub(crate) fn renew(&mut self, renewed: &Renewed) {
        self.engine.reconfigure(&renewed.settings);
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
