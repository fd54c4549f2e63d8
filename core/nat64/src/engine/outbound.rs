//! From the IPv6 side to the IPv4 side.

use core::net::Ipv6Addr;

use sixgate_reason::{
    BUFFER_FULL, MALFORMED_TRANSPORT, NAT64_DESTINATION_DENIED, NAT64_HOP_LIMIT, NAT64_ICMP_UNTRANSLATABLE,
    NAT64_NOT_OURS, NAT64_PROTOCOL, NAT64_SOURCE_IN_PREFIX, NAT64_SOURCE_MARTIAN, NAT64_TOO_BIG,
    NAT64_UDP_ZERO_CHECKSUM,
};
use sixgate_time::Instant;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::refusal::Refusal;
use sixgate_wire::tcp::Tcp;
use sixgate_wire::udp::Udp;
use sixgate_wire::{Offload, Packet, Segmentation, icmpv6};

use super::own::Refused6;
use super::resolve::{Message, Target};
use super::{Nat64, Verdict};
use crate::endpoint::{Inside, Peer, Proto};
use crate::scope;
use crate::shard::Owner;
use crate::translate::{Layout6, Mapping4, Ports, SMALLEST_DF, V4Options, ends6, largest_v4, v6_to_v4};
use crate::ways::Ways;

impl Nat64 {
    pub(super) fn take_v6(&mut self, now: Instant, packet: &mut Packet, ways: &impl Ways) -> Verdict {
        match self.try_v6(now, packet, ways) {
            Ok(verdict) => verdict,
            Err(why) => Verdict::Drop(self.drop6(now, packet, why)),
        }
    }

    /// The packet is unchanged where this refuses it.
    fn try_v6(&mut self, now: Instant, packet: &mut Packet, ways: &impl Ways) -> Result<Verdict, Refused6> {
        let ip = Ipv6::parse(packet.bytes()).map_err(|fault| Refused6::silent(fault.reason()))?;
        let (src, dst, total) = (ip.src(), ip.dst(), ip.bytes().len());
        // What lies behind the packet is not to be quoted either.
        packet.truncate(total);
        let target = self.target(src, dst)?;
        let at = Layout6::of(packet.bytes()).map_err(Refused6::fault)?;
        // RFC 7915, section 5.1: what would leave with zero does not leave.
        if at.hop_limit <= 1 {
            return Err(Refused6::with(NAT64_HOP_LIMIT, Refusal::HopLimit));
        }
        let Some(proto) = Proto::from_v6(at.protocol) else {
            // RFC 6146, section 3.4.
            return Err(Refused6::with(NAT64_PROTOCOL, Refusal::PortUnreachable));
        };
        if at.part().is_some() {
            return self.fragment6(now, packet, &at, proto, target, ways);
        }
        if proto == Proto::Icmp && packet.bytes().get(at.transport).is_some_and(|kind| *kind < 128) {
            return self.error6(now, packet, &at, target, ways);
        }
        let hairpin = self.is_hairpin(target);
        let largest = largest_v4(packet.bytes(), &at, packet.offload.segmentation);
        // What leaves without "don't fragment" is cut behind us, if it must be.
        if !hairpin && at.fragment.is_none() && largest > SMALLEST_DF {
            let mtu4 = ways.mtu4(target.address);
            if largest > usize::from(mtu4) {
                let mtu = (u32::from(mtu4) + 20).max(1280);
                return Err(Refused6::with(NAT64_TOO_BIG, Refusal::TooBig { mtu }));
            }
        }
        let mapping = self.map6(now, packet.bytes(), packet.offload, &at, proto, target)?;
        let message_len = (at.total - at.transport) as u32;
        self.rewrite6(packet, &at, proto, &mapping, message_len)?;
        Ok(self.leave_v4(now, packet, hairpin, ways))
    }

    /// The IPv4 destination, if source and destination may meet here.
    pub(super) fn target(&self, src: Ipv6Addr, dst: Ipv6Addr) -> Result<Target, Refused6> {
        if scope::unusable_v6_source(src) {
            return Err(Refused6::silent(NAT64_SOURCE_MARTIAN));
        }
        // RFC 6146, section 3.5: such a packet would come from ourselves.
        if self.config.prefixes.iter().any(|p| p.contains(src)) {
            return Err(Refused6::silent(NAT64_SOURCE_IN_PREFIX));
        }
        let mut found =
            self.config.prefixes.iter().enumerate().filter_map(|(n, p)| Some((n, p.extract(dst)?)));
        let Some((prefix, address)) = found.next() else {
            return Err(Refused6::silent(NAT64_NOT_OURS));
        };
        // At most 255 prefixes.
        let prefix = prefix as u8;
        if scope::unusable_v4(address) || !self.may_stand_in(prefix, address) {
            return Err(Refused6::with(NAT64_DESTINATION_DENIED, Refusal::Prohibited));
        }
        Ok(Target { prefix, address })
    }

    /// True for a destination that is one of our own addresses (RFC 6146, section 3.8).
    pub(super) fn is_hairpin(&self, target: Target) -> bool {
        self.pool.contains_address(target.address)
    }

    /// What the packet's addresses and ports become.
    pub(super) fn map6(
        &mut self,
        now: Instant,
        bytes: &[u8],
        offload: Offload,
        at: &Layout6,
        proto: Proto,
        target: Target,
    ) -> Result<Mapping4, Refused6> {
        let transport = &bytes[at.transport..at.total];
        let message = message6(transport, offload, at, proto)?;
        let Some(ports) = ends6(proto, transport) else {
            return Err(Refused6::silent(NAT64_ICMP_UNTRANSLATABLE));
        };
        let inside = Inside { address: at.src, port: ports.src };
        let peer = Peer { address: target.address, port: peer_port(proto, ports.dst) };
        let outside = self.resolve6(now, proto, inside, peer, target.prefix, message)?;
        Ok(Mapping4 {
            src: outside.address,
            dst: target.address,
            src_port: outside.port,
            dst_port: if proto == Proto::Icmp { outside.port } else { ports.dst },
        })
    }

    pub(super) fn rewrite6(
        &mut self,
        packet: &mut Packet,
        at: &Layout6,
        proto: Proto,
        mapping: &Mapping4,
        message_len: u32,
    ) -> Result<(), Refused6> {
        let data = at.total - at.transport;
        let packets = match packet.offload.segmentation {
            Segmentation::None => 1,
            Segmentation::Tcp { mss: size } | Segmentation::Udp { size } => {
                data / usize::from(size.max(1)) + 1
            }
        };
        let options = V4Options {
            tos: if self.config.reset_traffic_class { 0 } else { at.traffic_class },
            identification: self.identifications.take(mapping.dst, packets as u16),
            message_len,
        };
        if v6_to_v4(packet, at, proto, mapping, &options) {
            Ok(())
        } else {
            Err(Refused6::silent(BUFFER_FULL))
        }
    }

    /// An IPv4 packet goes out, or in again if it is for one of our own addresses.
    pub(super) fn leave_v4(
        &mut self,
        now: Instant,
        packet: &mut Packet,
        hairpin: bool,
        ways: &impl Ways,
    ) -> Verdict {
        if !hairpin {
            return Verdict::Translated;
        }
        if let Some(shards) = &self.shards
            && shards.owner(packet.bytes()) != Owner::One(self.config.share.index)
        {
            self.hairpin.push(&[packet.bytes()], packet.offload);
            return Verdict::Consumed;
        }
        match self.take_v4(now, packet, ways) {
            Verdict::Translated => {
                self.emit(packet);
                Verdict::Consumed
            }
            verdict @ (Verdict::Consumed | Verdict::Drop(_)) => verdict,
        }
    }
}

/// The port that names a peer: an ICMP peer has none, because the identifier is the inside's.
pub(super) const fn peer_port(proto: Proto, port: u16) -> u16 {
    match proto {
        Proto::Tcp | Proto::Udp => port,
        Proto::Icmp => 0,
    }
}

/// Checks the transport header, which is whole even in a first fragment (RFC 7112), and reads what it says.
fn message6(transport: &[u8], offload: Offload, at: &Layout6, proto: Proto) -> Result<Message, Refused6> {
    let malformed = |_| Refused6::silent(MALFORMED_TRANSPORT);
    match proto {
        Proto::Tcp => {
            let tcp = Tcp::parse(transport).map_err(malformed)?;
            Ok(Message::Segment { flags: tcp.flags() })
        }
        Proto::Udp => {
            let udp = Udp::parse(transport).map_err(malformed)?;
            // RFC 8200, section 8.1: IPv6 knows no datagram without checksum.
            if udp.checksum() == 0 && offload.partial_checksum.is_none() {
                return Err(Refused6::silent(NAT64_UDP_ZERO_CHECKSUM));
            }
            let whole = at.part().is_none() && !matches!(offload.segmentation, Segmentation::Udp { .. });
            if whole && usize::from(udp.length()) > transport.len() {
                return Err(Refused6::silent(MALFORMED_TRANSPORT));
            }
            Ok(Message::Datagram)
        }
        Proto::Icmp => {
            let icmp = icmpv6::Icmpv6::parse(transport).map_err(malformed)?;
            match icmp.kind() {
                icmpv6::ECHO_REQUEST => Ok(Message::EchoRequest),
                icmpv6::ECHO_REPLY => Ok(Message::EchoReply),
                _ => Err(Refused6::silent(NAT64_ICMP_UNTRANSLATABLE)),
            }
        }
    }
}

/// Ports as they are in a quote, with the peer's as a session has it.
pub(super) const fn quoted_peer_port(proto: Proto, ports: Ports, source: bool) -> u16 {
    peer_port(proto, if source { ports.src } else { ports.dst })
}
