//! From the IPv4 side to the IPv6 side.

use sixgate_reason::{
    BUFFER_FULL, MALFORMED_TRANSPORT, NAT64_FILTERED, NAT64_HOP_LIMIT, NAT64_ICMP_UNTRANSLATABLE,
    NAT64_NOT_OURS, NAT64_PROTOCOL, NAT64_SOURCE_MARTIAN, NAT64_TOO_BIG, NAT64_UDP_ZERO_CHECKSUM,
};
use sixgate_time::Instant;
use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::tcp::Tcp;
use sixgate_wire::udp::Udp;
use sixgate_wire::{Offload, Packet, Segmentation};

use super::outbound::peer_port;
use super::own::{Refusal4, Refused4};
use super::resolve::Message;
use super::{Nat64, Verdict};
use crate::config::ZeroChecksum;
use crate::endpoint::{Outside, Peer, Proto};
use crate::fit::{Fit, give_checksum};
use crate::scope;
use crate::translate::{Layout4, Mapping6, V6Options, ends4, v4_to_v6};
use crate::ways::Ways;

/// ICMPv4 types of queries that are translated.
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
/// ICMPv4 types of errors, whether or not they have a counterpart.
pub(super) const ERRORS: [u8; 5] = [3, 4, 5, 11, 12];

impl Nat64 {
    pub(super) fn take_v4(&mut self, now: Instant, packet: &mut Packet, ways: &impl Ways) -> Verdict {
        match self.try_v4(now, packet, ways) {
            Ok(verdict) => verdict,
            Err(why) => Verdict::Drop(self.drop4(now, packet, why)),
        }
    }

    /// The packet is unchanged where this refuses it.
    fn try_v4(&mut self, now: Instant, packet: &mut Packet, ways: &impl Ways) -> Result<Verdict, Refused4> {
        let ip = Ipv4::parse(packet.bytes()).map_err(|fault| Refused4::silent(fault.reason()))?;
        let (src, dst, total) = (ip.src(), ip.dst(), ip.bytes().len());
        // What lies behind the packet is not to be quoted either.
        packet.truncate(total);
        if scope::unusable_v4(src) {
            return Err(Refused4::silent(NAT64_SOURCE_MARTIAN));
        }
        if !self.pool.contains_address(dst) && !self.config.statics.iter().any(|s| s.outside.address == dst) {
            return Err(Refused4::silent(NAT64_NOT_OURS));
        }
        let at = Layout4::of(packet.bytes()).map_err(Refused4::fault)?;
        if at.ttl <= 1 {
            return Err(Refused4::with(NAT64_HOP_LIMIT, Refusal4::TimeExceeded));
        }
        let Some(proto) = Proto::from_v4(at.protocol) else {
            // RFC 6146, section 3.4.
            return Err(Refused4::with(NAT64_PROTOCOL, Refusal4::ProtocolUnreachable));
        };
        if let Some(part) = at.fragment {
            return self.fragment4(now, packet, &at, proto, part, ways);
        }
        if proto == Proto::Icmp && packet.bytes().get(at.transport).is_some_and(|kind| ERRORS.contains(kind))
        {
            return self.error4(now, packet, &at, ways);
        }
        let mapping = self.map4(now, packet.bytes(), packet.offload, &at, proto)?;
        let fit = self.fit6(packet, &at, ways.mtu6(mapping.dst))?;
        // What lacks a checksum, `message4` has let pass.
        give_checksum(packet, &at, proto);
        let message_len = (at.total - at.transport) as u32;
        self.rewrite4(packet, &at, proto, &mapping, fit, message_len)
    }

    /// True for a packet that says it comes from one of our own transport addresses: what two insides say to one another never
    /// leaves this machine. An error has no such address, and the kernel's own come from where a pool may be as well.
    ///
    /// [`Nat64::inbound`] asks this itself, unless there are several translators: then it cannot tell a forgery from what
    /// another of them has turned back, and whoever reads from the network asks.
    #[must_use]
    pub fn is_forged(&self, packet: &Packet) -> bool {
        let Ok(ip) = Ipv4::parse(packet.bytes()) else { return false };
        if !self.pool.contains_address(ip.src()) || ip.fragment_offset() != 0 {
            return false;
        }
        let ends = Proto::from_v4(ip.protocol()).and_then(|proto| Some((proto, ends4(proto, ip.payload())?)));
        ends.is_some_and(|(proto, ports)| {
            let source = Outside { address: ip.src(), port: ports.src };
            let is_static = || self.config.statics.iter().any(|s| s.protocol == proto && s.outside == source);
            self.pool.contains(proto, source) || is_static()
        })
    }

    /// Whether the packet fits the link, and what must be done so that it does (RFC 7915, section 4).
    pub(super) fn fit6(&self, packet: &Packet, at: &Layout4, mtu6: u16) -> Result<Fit, Refused4> {
        Fit::of(packet, at, mtu6, self.config.lowest_ipv6_mtu)
            .map_err(|mtu| Refused4::with(NAT64_TOO_BIG, Refusal4::FragmentationNeeded { mtu }))
    }

    /// What the packet's addresses and ports become.
    pub(super) fn map4(
        &mut self,
        now: Instant,
        bytes: &[u8],
        offload: Offload,
        at: &Layout4,
        proto: Proto,
    ) -> Result<Mapping6, Refused4> {
        let transport = &bytes[at.transport..at.total];
        let message = self.message4(transport, offload, at, proto)?;
        let Some(ports) = ends4(proto, transport) else {
            return Err(Refused4::silent(NAT64_ICMP_UNTRANSLATABLE));
        };
        let outside = Outside { address: at.dst, port: ports.dst };
        let peer = Peer { address: at.src, port: peer_port(proto, ports.src) };
        let (inside, prefix) = self.resolve4(now, proto, outside, peer, message, bytes)?;
        let Some(prefix) = self.config.prefixes.get(usize::from(prefix)) else {
            return Err(Refused4::silent(NAT64_NOT_OURS));
        };
        Ok(Mapping6 {
            src: prefix.embed(at.src),
            dst: inside.address,
            src_port: if proto == Proto::Icmp { inside.port } else { ports.src },
            dst_port: inside.port,
        })
    }

    /// Rewrites, and cuts what is too large; the first piece stays in `packet`.
    pub(super) fn rewrite4(
        &mut self,
        packet: &mut Packet,
        at: &Layout4,
        proto: Proto,
        mapping: &Mapping6,
        fit: Fit,
        message_len: u32,
    ) -> Result<Verdict, Refused4> {
        let options = V6Options {
            traffic_class: if self.config.reset_traffic_class { 0 } else { at.tos },
            fragment_header: fit.fragment_header,
            message_len,
        };
        if !v4_to_v6(packet, at, proto, mapping, &options) {
            return Err(Refused4::silent(BUFFER_FULL));
        }
        if fit.apply(packet, &mut self.output) { Ok(Verdict::Translated) } else { Ok(Verdict::Consumed) }
    }

    /// Checks the transport header, which is whole even in a first fragment, and reads what it says.
    fn message4(
        &self,
        transport: &[u8],
        offload: Offload,
        at: &Layout4,
        proto: Proto,
    ) -> Result<Message, Refused4> {
        let malformed = |_| Refused4::silent(MALFORMED_TRANSPORT);
        match proto {
            Proto::Tcp => {
                let tcp = Tcp::parse(transport).map_err(malformed)?;
                Ok(Message::Segment { flags: tcp.flags() })
            }
            Proto::Udp => {
                let udp = Udp::parse(transport).map_err(malformed)?;
                let whole = at.fragment.is_none();
                let single = !matches!(offload.segmentation, Segmentation::Udp { .. });
                if whole && single && usize::from(udp.length()) > transport.len() {
                    return Err(Refused4::silent(MALFORMED_TRANSPORT));
                }
                // RFC 7915, section 4.5.
                let missing = udp.checksum() == 0 && offload.partial_checksum.is_none();
                if missing && (!whole || self.config.zero_checksum == ZeroChecksum::Drop) {
                    return Err(Refused4::with(NAT64_UDP_ZERO_CHECKSUM, Refusal4::Prohibited));
                }
                Ok(Message::Datagram)
            }
            Proto::Icmp => {
                if transport.len() < 8 {
                    return Err(Refused4::silent(MALFORMED_TRANSPORT));
                }
                match transport[0] {
                    ECHO_REQUEST if !self.config.inbound_icmp_echo => Err(Refused4::silent(NAT64_FILTERED)),
                    ECHO_REQUEST => Ok(Message::EchoRequest),
                    ECHO_REPLY => Ok(Message::EchoReply),
                    _ => Err(Refused4::silent(NAT64_ICMP_UNTRANSLATABLE)),
                }
            }
        }
    }
}
