//! The translator's port: its device, its engine, and the stand-ins of own addresses.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use sixgate_io_link::{Own4, Tun};
use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::{Packet, protocol};

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
    /// The source of our own ICMPv4 errors, an address of this machine, and how they leave.
    pub(crate) own: (Ipv4Addr, Arc<Own4>),
}

impl Translator {
    /// Takes over other settings; sessions that still fit stay.
    pub(crate) fn renew(&mut self, renewed: &Renewed) {
        self.engine.reconfigure(&renewed.settings);
        self.aliases.clone_from(&renewed.aliases);
        self.own.0 = renewed.settings.gateway4();
    }

    /// Writes a translated packet to the kernel: IPv4 outwards, IPv6 where the translator works alone.
    pub(crate) fn write(&mut self, packet: &mut Packet) -> io::Result<()> {
        if is_v4(packet) {
            self.aliases.put_on(packet);
            if self.is_own_error(packet) {
                self.speak(packet);
                return Ok(());
            }
        }
        self.tun.send_in_place(packet)
    }

    /// True for what must not come out of the device as if it had come in by it.
    fn is_own_error(&self, packet: &Packet) -> bool {
        let own = |ip: &Ipv4<'_>| ip.src() == self.own.0 && ip.protocol() == protocol::ICMP;
        !self.own.0.is_unspecified() && Ipv4::parse(packet.bytes()).is_ok_and(|ip| own(&ip))
    }

    /// Sends an error from our own address. Its hop is taken as by the kernel behind the device; the checksum is the socket's.
    fn speak(&self, packet: &mut Packet) {
        let Some(ttl) = packet.bytes_mut().get_mut(8).filter(|ttl| **ttl > 1) else { return };
        *ttl -= 1;
        // Where the kernel has no way or does not let it out, an error is no more than lost.
        let _ = self.own.1.send(packet.bytes());
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
