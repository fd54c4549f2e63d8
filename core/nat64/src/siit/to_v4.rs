//! From the IPv6 side to the IPv4 side (RFC 7915, section 5), and back where a packet turns round.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{
    BUFFER_FULL, NAT64_DESTINATION_DENIED, NAT64_HOP_LIMIT, NAT64_PROTOCOL, NAT64_SOURCE_MARTIAN,
    NAT64_TOO_BIG, SIIT_DESTINATION_UNMAPPED, SIIT_ICMP_FRAGMENT, SIIT_SOURCE_UNMAPPED,
};
use sixgate_time::Instant;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::refusal::Refusal;
use sixgate_wire::{Offload, Packet, Segmentation, protocol};

use super::transport::Behind;
use super::{By, Hairpinning, Siit};
use crate::endpoint::Proto;
use crate::engine::Verdict;
use crate::engine::own::Refused6;
use crate::scope;
use crate::translate::{Carried, Layout6, Mapping4, SMALLEST_DF, V4Options, largest_v4, v6_to_v4};
use crate::ways::Ways;

/// First type of ICMPv6 that is no error (RFC 4443, section 2.1).
const FIRST_INFORMATIONAL: u8 = 128;

impl Siit {
    /// The packet is unchanged where this refuses it.
    pub(super) fn take_v6(
        &mut self,
        now: Instant,
        packet: &mut Packet,
        ways: &impl Ways,
    ) -> Result<Verdict, Refused6> {
        let ip = Ipv6::parse(packet.bytes()).map_err(|fault| Refused6::silent(fault.reason()))?;
        let (src, dst, total) = (ip.src(), ip.dst(), ip.bytes().len());
        // What lies behind the packet is not to be quoted either.
        packet.truncate(total);
        if scope::unusable_v6_source(src) {
            return Err(Refused6::silent(NAT64_SOURCE_MARTIAN));
        }
        let to = self.destination4(dst)?;
        let at = Layout6::of(packet.bytes()).map_err(Refused6::fault)?;
        // RFC 7915, section 5.1: what would leave with zero does not leave.
        if at.hop_limit <= 1 {
            return Err(Refused6::with(NAT64_HOP_LIMIT, Refusal::HopLimit));
        }
        let carried = carried(&at)?;
        let icmp = carried == Carried::Known(Proto::Icmp);
        // RFC 7915, section 1.2. The checksum would cover a length that only the last fragment tells.
        if icmp && at.part().is_some() {
            return Err(Refused6::silent(SIIT_ICMP_FRAGMENT));
        }
        if icmp && packet.bytes().get(at.transport).is_some_and(|kind| *kind < FIRST_INFORMATIONAL) {
            return self.error6(now, packet, &at, to, ways);
        }
        let from = self.source4_of(src)?;
        let part = at.part().map(|f| f.offset);
        let octets = &packet.bytes()[at.transport..at.total];
        let behind = Behind { carried, octets, part, offload: packet.offload };
        let ports = behind.ends6().map_err(Refused6::silent)?;
        let turns = self.turns(to);
        if turns {
            self.may_turn(packet, &at, to.0, ways)?;
        } else {
            may_leave(packet, &at, ways.mtu4(to.0))?;
        }
        if part.is_some() {
            // A fragment is never a super-packet, and no device finishes its checksum.
            packet.offload = Offload::default();
        }
        let mapping = Mapping4 { src: from, dst: to.0, src_port: ports.src, dst_port: ports.dst };
        let options = V4Options {
            tos: if self.config.reset_traffic_class { 0 } else { at.traffic_class },
            identification: self.identifications.take(to.0, packets(packet, &at)),
            message_len: (at.total - at.transport) as u32,
        };
        if !v6_to_v4(packet, &at, carried, &mapping, &options) {
            return Err(Refused6::silent(BUFFER_FULL));
        }
        if turns { Ok(self.enter_v4(now, packet, ways, true)) } else { Ok(Verdict::Translated) }
    }

    /// The IPv4 destination.
    fn destination4(&self, dst: Ipv6Addr) -> Result<(Ipv4Addr, By), Refused6> {
        let unmapped = Refused6::with(SIIT_DESTINATION_UNMAPPED, Refusal::NoRoute);
        let found = self.addresses.to_v4(dst).ok_or(unmapped)?;
        if !self.addresses.allows(found) {
            return Err(Refused6::with(NAT64_DESTINATION_DENIED, Refusal::Prohibited));
        }
        Ok(found)
    }

    /// The IPv4 source of a packet that is no error.
    fn source4_of(&self, src: Ipv6Addr) -> Result<Ipv4Addr, Refused6> {
        let unmapped = Refused6::with(SIIT_SOURCE_UNMAPPED, Refusal::SourcePolicy);
        let found = self.addresses.to_v4(src).ok_or(unmapped)?;
        if self.addresses.allows(found) { Ok(found.0) } else { Err(Refused6::silent(NAT64_SOURCE_MARTIAN)) }
    }

    /// RFC 7757, section 4.2.2: the destination was translated by a prefix, and has a mapping in IPv4.
    fn turns(&self, to: (Ipv4Addr, By)) -> bool {
        self.config.hairpinning == Hairpinning::Intrinsic
            && matches!(to.1, By::Prefix(_))
            && self.addresses.is_mapped(to.0)
    }

    /// Refuses in IPv6 what the way back would refuse in IPv4: that error would not find the words of the sender's packet.
    fn may_turn(
        &self,
        packet: &Packet,
        at: &Layout6,
        to: Ipv4Addr,
        ways: &impl Ways,
    ) -> Result<(), Refused6> {
        if at.hop_limit <= 2 {
            return Err(Refused6::with(NAT64_HOP_LIMIT, Refusal::HopLimit));
        }
        let largest = largest_v4(packet.bytes(), at, packet.offload.segmentation);
        let Some((node, _)) = self.addresses.to_v6(to) else { return Ok(()) };
        let mtu = ways.mtu6(node).max(1280);
        // What is smaller, or a fragment, is cut.
        if at.fragment.is_none() && largest > SMALLEST_DF && largest + 20 > usize::from(mtu) {
            return Err(Refused6::with(NAT64_TOO_BIG, Refusal::TooBig { mtu: u32::from(mtu) }));
        }
        Ok(())
    }
}

/// The transport, if it can be carried.
fn carried(at: &Layout6) -> Result<Carried, Refused6> {
    // An authentication header in front of a fragment header: what is cut there is no transport.
    let hidden = at.protocol == protocol::AH && at.fragment.is_some();
    Carried::from_v6(at.protocol)
        .filter(|_| !hidden)
        .ok_or(Refused6::with(NAT64_PROTOCOL, Refusal::PortUnreachable))
}

/// What leaves without "don't fragment" is cut behind us, if it must be.
fn may_leave(packet: &Packet, at: &Layout6, mtu4: u16) -> Result<(), Refused6> {
    let largest = largest_v4(packet.bytes(), at, packet.offload.segmentation);
    if at.fragment.is_none() && largest > SMALLEST_DF && largest > usize::from(mtu4) {
        let mtu = (u32::from(mtu4) + 20).max(1280);
        return Err(Refused6::with(NAT64_TOO_BIG, Refusal::TooBig { mtu }));
    }
    Ok(())
}

/// How many packets this one is on the wire.
fn packets(packet: &Packet, at: &Layout6) -> u16 {
    match packet.offload.segmentation {
        Segmentation::None => 1,
        // A packet is shorter than 2^17, and the counter wraps anyway.
        Segmentation::Tcp { mss: size } | Segmentation::Udp { size } => {
            ((at.total - at.transport) / usize::from(size.max(1)) + 1) as u16
        }
    }
}
