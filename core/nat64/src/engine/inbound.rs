//! From the IPv4 side to the IPv6 side.

use sixgate_reason::{
    BUFFER_FULL, MALFORMED_TRANSPORT, NAT64_FILTERED, NAT64_HOP_LIMIT, NAT64_ICMP_UNTRANSLATABLE,
    NAT64_NOT_OURS, NAT64_PROTOCOL, NAT64_SOURCE_MARTIAN, NAT64_SOURCE_ROUTE, NAT64_TOO_BIG,
    NAT64_UDP_ZERO_CHECKSUM,
};
use sixgate_time::Instant;
use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::tcp::Tcp;
use sixgate_wire::udp::Udp;
use sixgate_wire::{Offload, Packet, Segmentation, ipv6};

use super::outbound::peer_port;
use super::own::{Refusal4, Refused4};
use super::resolve::Message;
use super::{Nat64, Verdict};
use crate::config::ZeroChecksum;
use crate::endpoint::{Outside, Peer, Proto};
use crate::scope;
use crate::translate::{
    Fault4, Layout4, Mapping6, V6Options, cut, cut_datagrams, ends4, fill_udp_checksum, finish_partial,
    largest_v6, prepare_udp_partial, v4_to_v6,
};
use crate::ways::Ways;

/// ICMPv4 types of queries that are translated.
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
/// ICMPv4 types of errors, whether or not they have a counterpart.
const ERRORS: [u8; 5] = [3, 4, 5, 11, 12];

/// How a packet fits the IPv6 link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fit {
    /// Goes out with a fragment header.
    fragment_header: bool,
    /// Octets of a packet; what is larger and has a fragment header is cut.
    limit: usize,
    /// A super-packet is to be cut into smaller segments than it says.
    mss: Option<u16>,
}

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
        let at = Layout4::of(packet.bytes()).map_err(|fault| match fault {
            Fault4::Malformed(fault) => Refused4::silent(fault.reason()),
            // RFC 7915, section 4.1.
            Fault4::SourceRoute => Refused4::with(NAT64_SOURCE_ROUTE, Refusal4::SourceRouteFailed),
        })?;
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
        self.give_checksum(packet, &at, proto);
        let message_len = (at.total - at.transport) as u32;
        self.rewrite4(packet, &at, proto, &mapping, fit, message_len)
    }

    /// Whether the packet fits the link, and what must be done so that it does (RFC 7915, section 4).
    pub(super) fn fit6(&self, packet: &Packet, at: &Layout4, mtu6: u16) -> Result<Fit, Refused4> {
        // No IPv6 link is narrower than 1,280.
        let mtu6 = usize::from(mtu6.max(1280));
        let segmentation = packet.offload.segmentation;
        let largest = largest_v6(packet.bytes(), at, segmentation);
        let growth = if at.fragment.is_some() { 28 } else { 20 };
        if at.dont_fragment {
            if largest - 20 + growth > mtu6 {
                // At most 65,535 - 20.
                let mtu = (mtu6 - growth) as u16;
                return Err(Refused4::with(NAT64_TOO_BIG, Refusal4::FragmentationNeeded { mtu }));
            }
            return Ok(Fit { fragment_header: at.fragment.is_some(), limit: usize::MAX, mss: None });
        }
        let limit = mtu6.min(usize::from(self.config.lowest_ipv6_mtu)).max(1280);
        if largest <= limit {
            return Ok(Fit { fragment_header: at.fragment.is_some(), limit, mss: None });
        }
        if let Segmentation::Tcp { mss } = segmentation {
            // The segments do not exist yet: they may as well be made to fit, instead of being made and cut.
            let mss = usize::from(mss).saturating_sub(largest - limit).max(1);
            return Ok(Fit { fragment_header: false, limit, mss: Some(mss as u16) });
        }
        Ok(Fit { fragment_header: true, limit, mss: None })
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
        if let Some(mss) = fit.mss {
            packet.offload.segmentation = Segmentation::Tcp { mss };
        }
        if !fit.fragment_header || packet.len() <= fit.limit {
            return Ok(Verdict::Translated);
        }
        let output = &mut self.output;
        if let Segmentation::Udp { size } = packet.offload.segmentation {
            cut_datagrams(packet, size, fit.limit, |piece| output.push(&piece, Offload::default()));
            return Ok(Verdict::Consumed);
        }
        // No device could finish a checksum across fragments.
        finish_partial(packet);
        cut(packet, fit.limit, |piece| output.push(&piece, Offload::default()));
        Ok(Verdict::Translated)
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

    /// Gives a whole UDP datagram the checksum that it lacks; [`Nat64::message4`] has let it pass.
    fn give_checksum(&self, packet: &mut Packet, at: &Layout4, proto: Proto) {
        if proto != Proto::Udp || packet.offload.partial_checksum.is_some() {
            return;
        }
        let missing = packet.bytes().get(at.transport + 6..at.transport + 8) == Some(&[0, 0]);
        if !missing {
            return;
        }
        match packet.offload.segmentation {
            // Each datagram needs its own: the device makes them.
            Segmentation::Udp { .. } => prepare_udp_partial(packet, at),
            Segmentation::None | Segmentation::Tcp { .. } => {
                fill_udp_checksum(&mut packet.bytes_mut()[at.transport..at.total], at.src, at.dst);
            }
        }
    }
}

/// Replaces a packet's octets by `parts`; false when they do not fit its buffer.
pub(super) fn replace(packet: &mut Packet, parts: &[&[u8]]) -> bool {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    packet.reset();
    let missing = length.saturating_sub(packet.tailroom());
    if missing > 0 && packet.push_front(missing).is_none() {
        return false;
    }
    packet.truncate(0);
    parts.iter().all(|part| packet.extend(part))
}

/// Octets of an IPv6 packet with a message of `length` octets, whose length field is checked by construction.
pub(super) const fn v6_payload(length: usize) -> u16 {
    // ICMPv6 errors end at 1,280 octets.
    (if length > 1280 - ipv6::HEADER { 1280 - ipv6::HEADER } else { length }) as u16
}
