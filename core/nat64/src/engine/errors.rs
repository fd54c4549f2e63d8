//! ICMP errors of others, about packets that we translated. They never make or refresh a session (RFC 6146, 3.5; RFC
//! 5508, REQ-6), and one that quotes no session's packet is nobody's business.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{BUFFER_FULL, NAT64_ICMP_ERROR_UNKNOWN, NAT64_ICMP_UNTRANSLATABLE};
use sixgate_time::Instant;
use sixgate_wire::{Packet, ipv4, ipv6, protocol};

use super::inbound::{replace, v6_payload};
use super::outbound::quoted_peer_port;
use super::own::{Refused4, Refused6};
use super::resolve::Target;
use super::{Nat64, Verdict};
use crate::endpoint::{Inside, Outside, Peer, Proto};
use crate::keyed::Key;
use crate::translate::{
    LARGEST_V4_ERROR, LARGEST_V6_ERROR, Layout4, Layout6, Links, Mapping4, Mapping6, Message4, Message6,
    Quote4, Quote6, SMALLEST_DF, error_to_v4, error_to_v6, message_to_v4, message_to_v6,
};
use crate::ways::Ways;

impl Nat64 {
    /// An ICMPv6 error goes out.
    pub(super) fn error6(
        &mut self,
        now: Instant,
        packet: &mut Packet,
        at: &Layout6,
        target: Target,
        ways: &impl Ways,
    ) -> Result<Verdict, Refused6> {
        let unknown = Refused6::silent(NAT64_ICMP_ERROR_UNKNOWN);
        let message = &packet.bytes()[at.transport..at.total];
        let (Some(kind), Some(word)) = (kind_and_code(message), word(message)) else { return Err(unknown) };
        let from = Message6 { kind: kind.0, code: kind.1, word };
        // Whether there is a counterpart does not depend on the links.
        let untranslatable = Refused6::silent(NAT64_ICMP_UNTRANSLATABLE);
        message_to_v4(from, Links::UNKNOWN).ok_or(untranslatable)?;
        let quote = Quote6::of(message).ok_or(unknown)?;
        let links = Links { mtu4: ways.mtu4(target.address), mtu6: ways.mtu6(quote.layout.dst) };
        let from = if quote.layout.fragment.is_some() { from.less_fragment_header() } else { from };
        let to = message_to_v4(from, links).ok_or(untranslatable)?;
        // The quoted packet is one that we sent in: from the peer's address in a prefix to an inside.
        let prefix = self.config.prefixes.get(usize::from(target.prefix)).ok_or(unknown)?;
        let peer = prefix.extract(quote.layout.src).filter(|peer| *peer == target.address).ok_or(unknown)?;
        let inside = Inside { address: quote.layout.dst, port: quote.ports.dst };
        let peer = Peer { address: peer, port: quoted_peer_port(quote.proto, quote.ports, true) };
        let id = self.bib.by_inside(quote.proto, inside).ok_or(unknown)?;
        self.live_session(now, id, peer).ok_or(unknown)?;
        let outside = self.bib.get(id).ok_or(unknown)?.outside;
        let inner = Mapping4 {
            src: peer.address,
            dst: outside.address,
            src_port: if quote.proto == Proto::Icmp { outside.port } else { peer.port },
            dst_port: outside.port,
        };
        let src = if at.src == inside.address { outside.address } else { self.source4(at.src) };
        let mut out = [0; LARGEST_V4_ERROR];
        let length = error_to_v4(message, &quote, to, &inner, (at.src, at.dst), &mut out);
        let total = ipv4::HEADER + length;
        let header = ipv4::Header {
            tos: if self.config.reset_traffic_class { 0 } else { at.traffic_class },
            // At most 576.
            total_len: total as u16,
            identification: self.identifications.take(target.address, 1),
            dont_fragment: total > SMALLEST_DF,
            more_fragments: false,
            fragment_offset: 0,
            ttl: at.hop_limit.saturating_sub(1),
            protocol: protocol::ICMP,
            src,
            dst: target.address,
        };
        if !replace(packet, &[&header.octets(), &out[..length]]) {
            return Err(Refused6::silent(BUFFER_FULL));
        }
        Ok(self.leave_v4(now, packet, self.is_hairpin(target), ways))
    }

    /// An ICMPv4 error comes in.
    pub(super) fn error4(
        &mut self,
        now: Instant,
        packet: &mut Packet,
        at: &Layout4,
        ways: &impl Ways,
    ) -> Result<Verdict, Refused4> {
        let unknown = Refused4::silent(NAT64_ICMP_ERROR_UNKNOWN);
        let untranslatable = Refused4::silent(NAT64_ICMP_UNTRANSLATABLE);
        let message = &packet.bytes()[at.transport..at.total];
        let (Some(kind), Some(word)) = (kind_and_code(message), word(message)) else { return Err(unknown) };
        let from = Message4 { kind: kind.0, code: kind.1, word };
        // Whether there is a counterpart depends neither on the quoted length nor on the links.
        message_to_v6(from, 0, Links::UNKNOWN).ok_or(untranslatable)?;
        let quote = Quote4::of(message).ok_or(unknown)?;
        // The quoted packet is one that we sent out: from an outside to the peer.
        if quote.layout.src != at.dst {
            return Err(unknown);
        }
        let outside = Outside { address: quote.layout.src, port: quote.ports.src };
        let peer =
            Peer { address: quote.layout.dst, port: quoted_peer_port(quote.proto, quote.ports, false) };
        let id = self.bib.by_outside(quote.proto, outside).ok_or(unknown)?;
        let session = self.live_session(now, id, peer).and_then(|s| self.sessions.get(s)).ok_or(unknown)?;
        let inside = self.bib.get(id).ok_or(unknown)?.inside;
        let quoted_len = u16::try_from(quote.layout.total).unwrap_or(u16::MAX);
        let links = Links { mtu4: ways.mtu4(peer.address), mtu6: ways.mtu6(inside.address) };
        let to = message_to_v6(from, quoted_len, links).ok_or(untranslatable)?;
        let prefix = *self.config.prefixes.get(usize::from(session.prefix)).ok_or(unknown)?;
        let src = if self.may_stand_in(session.prefix, at.src) {
            prefix.embed(at.src)
        } else {
            self.source6(at.src)
        };
        let inner = Mapping6 {
            src: inside.address,
            dst: prefix.embed(peer.address),
            src_port: inside.port,
            dst_port: if quote.proto == Proto::Icmp { inside.port } else { peer.port },
        };
        let mut out = [0; LARGEST_V6_ERROR];
        let length = error_to_v6(message, &quote, to, &inner, (src, inside.address), &mut out);
        let header = ipv6::Header {
            traffic_class: if self.config.reset_traffic_class { 0 } else { at.tos },
            flow_label: 0,
            payload_len: v6_payload(length),
            next_header: protocol::ICMPV6,
            hop_limit: at.ttl.saturating_sub(1),
            src,
            dst: inside.address,
        };
        if !replace(packet, &[&header.octets(), &out[..length]]) {
            return Err(Refused4::silent(BUFFER_FULL));
        }
        Ok(Verdict::Translated)
    }

    /// An IPv4 address for a router that has only an IPv6 one (RFC 6791): always the same for the same router.
    fn source4(&self, router: Ipv6Addr) -> Ipv4Addr {
        let Some(sources) = self.config.source4 else { return self.config.gateway4 };
        let hosts = u32::MAX.checked_shr(u32::from(sources.length())).unwrap_or(0);
        let chosen = Key::derive(&self.seed, 8).hash(&router.octets()) as u32 & hosts;
        Ipv4Addr::from_bits(sources.address().to_bits() | chosen)
    }

    /// An IPv6 address for a router whose IPv4 address may not stand in the prefix.
    fn source6(&self, router: Ipv4Addr) -> Ipv6Addr {
        let Some(sources) = self.config.source6 else { return self.config.gateway6 };
        let hosts = u128::MAX.checked_shr(u32::from(sources.length())).unwrap_or(0);
        let chosen = u128::from(Key::derive(&self.seed, 9).hash(&router.octets())) & hosts;
        Ipv6Addr::from_bits(sources.address().to_bits() | chosen)
    }
}

fn kind_and_code(message: &[u8]) -> Option<(u8, u8)> {
    Some((*message.first()?, *message.get(1)?))
}

fn word(message: &[u8]) -> Option<u32> {
    let octets = message.get(4..8)?;
    Some(u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]))
}
