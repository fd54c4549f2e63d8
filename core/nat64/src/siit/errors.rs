//! ICMP errors of others: every address in them, outside and in the packet that they quote, is translated by itself
//! (RFC 7757, section 3.3), and a router that has no address in the other family is given one (RFC 6791).

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{
    BUFFER_FULL, MALFORMED_TRANSPORT, NAT64_ICMP_UNTRANSLATABLE, SIIT_QUOTE_UNMAPPED, SIIT_SOURCE_UNMAPPED,
};
use sixgate_time::Instant;
use sixgate_wire::Packet;

use super::{By, Hairpinning, Siit};
use crate::engine::Verdict;
use crate::engine::own::{Refused4, Refused6};
use crate::icmp_error::{Error4, Error6, Outer4, head, source4, source6};
use crate::translate::{
    Layout4, Layout6, Links, Mapping4, Mapping6, Message4, Message6, Quote4, Quote6, message_to_v4,
    message_to_v6,
};
use crate::ways::Ways;

impl Siit {
    /// An ICMPv6 error for `to`.
    pub(super) fn error6(
        &mut self,
        now: Instant,
        packet: &mut Packet,
        at: &Layout6,
        to: (Ipv4Addr, By),
        ways: &impl Ways,
    ) -> Result<Verdict, Refused6> {
        let unmapped = Refused6::silent(SIIT_QUOTE_UNMAPPED);
        let untranslatable = Refused6::silent(NAT64_ICMP_UNTRANSLATABLE);
        let message = &packet.bytes()[at.transport..at.total];
        let (kind, code, word) = head(message).ok_or(Refused6::silent(MALFORMED_TRANSPORT))?;
        let from = Message6 { kind, code, word };
        // Whether there is a counterpart does not depend on the links.
        message_to_v4(from, Links::UNKNOWN).ok_or(untranslatable)?;
        let quote = Quote6::of_any(message).ok_or(unmapped)?;
        let inner_src = self.addresses.to_v4(quote.layout.src).ok_or(unmapped)?;
        let inner_dst = self.addresses.to_v4(quote.layout.dst).ok_or(unmapped)?;
        // RFC 7757, section 4.2.2: the packet that is quoted had turned round, and so does what is said about it.
        let turns = self.config.hairpinning == Hairpinning::Intrinsic
            && matches!(inner_src.1, By::Prefix(_))
            && self.addresses.is_mapped(inner_src.0);
        let mtu4 = if turns { u16::MAX } else { ways.mtu4(to.0) };
        let links = Links { mtu4, mtu6: ways.mtu6(quote.layout.dst) };
        let from = if quote.layout.fragment.is_some() { from.less_fragment_header() } else { from };
        let message_to = message_to_v4(from, links).ok_or(untranslatable)?;
        let inner = Mapping4 {
            src: inner_src.0,
            dst: inner_dst.0,
            src_port: quote.ports.src,
            dst_port: quote.ports.dst,
        };
        let outer = Outer4 {
            src: self.router4(at.src),
            dst: to.0,
            identification: self.identifications.take(to.0, 1),
            reset_traffic_class: self.config.reset_traffic_class,
        };
        if !Error4::of(message, at, &quote, message_to, &inner, outer).put(packet) {
            return Err(Refused6::silent(BUFFER_FULL));
        }
        if turns { Ok(self.enter_v4(now, packet, ways, true)) } else { Ok(Verdict::Translated) }
    }

    /// An ICMPv4 error for `to`. With `turned` it was an ICMPv6 error a moment ago.
    pub(super) fn error4(
        &mut self,
        packet: &mut Packet,
        at: &Layout4,
        to: Ipv6Addr,
        ways: &impl Ways,
        turned: bool,
    ) -> Result<Verdict, Refused4> {
        let unmapped = Refused4::silent(SIIT_QUOTE_UNMAPPED);
        let untranslatable = Refused4::silent(NAT64_ICMP_UNTRANSLATABLE);
        let message = &packet.bytes()[at.transport..at.total];
        let (kind, code, word) = head(message).ok_or(Refused4::silent(MALFORMED_TRANSPORT))?;
        let from = Message4 { kind, code, word };
        // Whether there is a counterpart depends neither on the quoted length nor on the links.
        message_to_v6(from, 0, Links::UNKNOWN).ok_or(untranslatable)?;
        let quote = Quote4::of_any(message).ok_or(unmapped)?;
        let embedded = self.knows_no_source_mapping(turned);
        let (inner_src, _) = self.addresses.to_v6(quote.layout.src).ok_or(unmapped)?;
        let inner_dst = self.source6_of(quote.layout.dst, embedded).ok_or(unmapped)?;
        let quoted_len = u16::try_from(quote.layout.total).unwrap_or(u16::MAX);
        let mtu4 = if turned { u16::MAX } else { ways.mtu4(quote.layout.dst) };
        let links = Links { mtu4, mtu6: ways.mtu6(inner_src) };
        let message_to = message_to_v6(from, quoted_len, links).ok_or(untranslatable)?;
        // The node that was written to answers from the address that was written to.
        let src = self
            .router6(at.src, embedded && at.src == quote.layout.dst)
            .ok_or(Refused4::silent(SIIT_SOURCE_UNMAPPED))?;
        let inner =
            Mapping6 { src: inner_src, dst: inner_dst, src_port: quote.ports.src, dst_port: quote.ports.dst };
        let reset = self.config.reset_traffic_class;
        if !Error6::of(message, at, &quote, message_to, &inner, (src, to), reset).put(packet) {
            return Err(Refused4::silent(BUFFER_FULL));
        }
        Ok(Verdict::Translated)
    }

    /// The IPv4 address that a router's error comes from.
    fn router4(&self, router: Ipv6Addr) -> Ipv4Addr {
        match (self.addresses.to_v4(router), self.config.source4) {
            (Some(found), _) if self.addresses.allows(found) => found.0,
            (_, Some(sources)) => source4(sources, self.keys.0, router),
            (_, None) => self.config.gateway4,
        }
    }

    /// The IPv6 address that a router's error comes from; `None` where not even this machine has one.
    fn router6(&self, router: Ipv4Addr, embedded: bool) -> Option<Ipv6Addr> {
        match (self.source6_of(router, embedded), self.config.source6) {
            (Some(found), _) => Some(found),
            (None, Some(sources)) => Some(source6(sources, self.keys.1, router)),
            (None, None) => Some(self.config.gateway6).filter(|own| !own.is_unspecified()),
        }
    }
}
