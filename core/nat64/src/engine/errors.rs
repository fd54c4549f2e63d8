//! ICMP errors of others, about packets that we translated. They never make or refresh a session (RFC 6146, 3.5; RFC
//! 5508, REQ-6), and one that quotes no session's packet is nobody's business.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{BUFFER_FULL, NAT64_ICMP_ERROR_UNKNOWN, NAT64_ICMP_UNTRANSLATABLE};
use sixgate_time::Instant;
use sixgate_wire::Packet;

use super::outbound::quoted_peer_port;
use super::own::{Refused4, Refused6};
use super::resolve::Target;
use super::{Nat64, Verdict};
use crate::endpoint::{Inside, Outside, Peer, Proto};
use crate::icmp_error::{self, Error4, Error6, Outer4, head};
use crate::keyed::Key;
use crate::translate::{
    Layout4, Layout6, Links, Mapping4, Mapping6, Message4, Message6, Quote4, Quote6, message_to_v4,
    message_to_v6,
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
        let Some((kind, code, word)) = head(message) else { return Err(unknown) };
        let from = Message6 { kind, code, word };
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
        let id = self.sessions.by_inside(quote.proto, inside, peer).ok_or(unknown)?;
        let session = self.live(now, id).and_then(|id| self.sessions.get(id)).ok_or(unknown)?;
        let outside = session.outside;
        let inner = Mapping4 {
            src: peer.address,
            dst: outside.address,
            src_port: if quote.proto == Proto::Icmp { outside.port } else { peer.port },
            dst_port: outside.port,
        };
        let src = if at.src == inside.address { outside.address } else { self.source4(at.src) };
        let outer = Outer4 {
            src,
            dst: target.address,
            identification: self.identifications.take(target.address, 1),
            reset_traffic_class: self.config.reset_traffic_class,
        };
        if !Error4::of(message, at, &quote, to, &inner, outer).put(packet) {
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
        let Some((kind, code, word)) = head(message) else { return Err(unknown) };
        let from = Message4 { kind, code, word };
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
        let id = self.sessions.by_outside(quote.proto, outside, peer).ok_or(unknown)?;
        let session = self.live(now, id).and_then(|id| self.sessions.get(id)).ok_or(unknown)?;
        let inside = session.inside;
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
        let (outer, reset) = ((src, inside.address), self.config.reset_traffic_class);
        if !Error6::of(message, at, &quote, to, &inner, outer, reset).put(packet) {
            return Err(Refused4::silent(BUFFER_FULL));
        }
        Ok(Verdict::Translated)
    }

    /// An IPv4 address for a router that has only an IPv6 one (RFC 6791): always the same for the same router.
    fn source4(&self, router: Ipv6Addr) -> Ipv4Addr {
        let Some(sources) = self.config.source4 else { return self.config.gateway4 };
        icmp_error::source4(sources, self.key_of_sources(), router)
    }

    /// An IPv6 address for a router whose IPv4 address may not stand in the prefix.
    fn source6(&self, router: Ipv4Addr) -> Ipv6Addr {
        let Some(sources) = self.config.source6 else { return self.config.gateway6 };
        icmp_error::source6(sources, self.key_of_sources(), router)
    }

    /// Of the choice of a source for a router, which several translators make alike.
    fn key_of_sources(&self) -> Key {
        self.shards.as_ref().map_or_else(|| Key::derive(&self.seed, 8), |shards| shards.sources())
    }
}
