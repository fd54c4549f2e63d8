//! The two ways of a packet: out of the link to us, and from us into the link.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{
    ISATAP_IDENTIFIER_TWIN, ISATAP_LOOP, ISATAP_MULTICAST, ISATAP_ND_INVALID, ISATAP_NEXT_HOP_NONE,
    ISATAP_NOT_FOR_US, ISATAP_OUTER_UNUSABLE, ISATAP_REDIRECT_IGNORED, ISATAP_SOURCE_NOT_EMBEDDED,
    ISATAP_SOURCE_OFF_LINK, ISATAP_TUNNEL_ADDRESS, MALFORMED_IPV6, QUEUE_FULL, Reason,
};
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::addr::isatap;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd::Kind;
use sixgate_wire::refusal::Refusal;

use super::Host;
use crate::neighbour;
use crate::verdict::{Inbound, Refused};

impl Host {
    /// Judges a packet that came in protocol 41 from `outer_src` to `outer_dst`.
    pub fn decapsulate(
        &mut self,
        now: Instant,
        outer_src: Ipv4Addr,
        outer_dst: Ipv4Addr,
        packet: &Packet,
    ) -> Inbound {
        match self.judge(now, outer_src, outer_dst, packet) {
            Ok(inbound) => inbound,
            Err(reason) => Inbound::Drop(reason),
        }
    }

    fn judge(
        &mut self,
        now: Instant,
        outer_src: Ipv4Addr,
        outer_dst: Ipv4Addr,
        packet: &Packet,
    ) -> Result<Inbound, Reason> {
        if !self.site.is_other_node(outer_src) || !self.site.is_own(outer_dst) {
            return Err(ISATAP_OUTER_UNUSABLE);
        }
        let ip = neighbour::read(packet)?;
        let (src, dst) = (ip.src(), ip.dst());
        let router = self.router(outer_src);
        let kind = Kind::of(&ip);
        self.verify_source(src, outer_src, router.is_some() || kind == Some(Kind::RouterAdvertisement))?;
        if let Some(kind) = kind {
            self.discover(now, outer_src, kind, &ip)?;
            return Ok(Inbound::Consumed);
        }
        if dst.is_multicast() {
            return Err(ISATAP_MULTICAST);
        }
        // RFC 6324, section 3.3
        if self.site.leads_back(src) || self.site.is_embedded_in(src) {
            return Err(ISATAP_TUNNEL_ADDRESS);
        }
        if !self.is_own_address(dst) {
            // The kernel must never be asked to send on what came out of a tunnel, whether it forwards or not.
            let twin = isatap::embedded(dst).is_some_and(|(_, v4)| v4 == self.address);
            return Err(if twin { ISATAP_IDENTIFIER_TWIN } else { ISATAP_NOT_FOR_US });
        }
        if let Some(at) = router {
            self.routers[at].reachability.heard();
        }
        Ok(Inbound::Forward)
    }

    /// RFC 5214, section 7.3: the inner source embeds the outer one and is on the link, or the outer one is a router.
    /// Router advertisements are held to a rule of their own, with a reason of its own.
    fn verify_source(&self, src: Ipv6Addr, outer_src: Ipv4Addr, exempt: bool) -> Result<(), Reason> {
        if src.is_multicast() || src.is_unspecified() || src.is_loopback() {
            return Err(ISATAP_SOURCE_NOT_EMBEDDED);
        }
        if self.is_own_address(src) {
            return Err(ISATAP_LOOP);
        }
        if exempt {
            return Ok(());
        }
        isatap::embedded(src).filter(|(_, v4)| *v4 == outer_src).ok_or(ISATAP_SOURCE_NOT_EMBEDDED)?;
        if isatap::is_link_local(src) || self.chosen.is_on_link(src) {
            Ok(())
        } else {
            Err(ISATAP_SOURCE_OFF_LINK)
        }
    }

    fn discover(&mut self, now: Instant, from: Ipv4Addr, kind: Kind, ip: &Ipv6<'_>) -> Result<(), Reason> {
        match kind {
            Kind::RouterAdvertisement => self.advertised(now, from, ip),
            Kind::NeighbourAdvertisement => self.neighbour_advertised(now, from, ip),
            Kind::NeighbourSolicitation => {
                let answer = neighbour::answer(ip, from, false, |target| self.is_own_address(target))?;
                if self.queue.push(answer) { Ok(()) } else { Err(QUEUE_FULL) }
            }
            // RFC 4861, section 6.2.6: a host answers no router solicitation.
            Kind::RouterSolicitation => Err(ISATAP_ND_INVALID),
            // RFC 4861, section 8.3 has a host follow it. The next hop of an ISATAP address is inside the address, what
            // lies behind routers is advertised with its preference, and a router that redirects forwards all the same.
            Kind::Redirect => Err(ISATAP_REDIRECT_IGNORED),
        }
    }

    /// The outer destination of a packet that leaves into the ISATAP link.
    ///
    /// # Errors
    /// Why it cannot leave, and the ICMPv6 error for its sender, which makes programs fall back at once.
    pub fn encapsulate(&mut self, now: Instant, packet: &Packet) -> Result<Ipv4Addr, Refused> {
        let ip = Ipv6::parse(packet.bytes()).map_err(|_| Refused::silently(MALFORMED_IPV6))?;
        let (src, dst) = (ip.src(), ip.dst());
        // The kernel sends its own multicast into every device; there is none here (RFC 5214, section 6.3).
        if dst.is_multicast() {
            return Err(Refused::silently(ISATAP_MULTICAST));
        }
        // A router would drop it without a word, since it does not embed our address.
        if !self.is_own_address(src) {
            return Err(Refused::with(ISATAP_SOURCE_NOT_EMBEDDED, Refusal::SourcePolicy));
        }
        if self.site.leads_back(dst) {
            return Err(Refused::with(ISATAP_TUNNEL_ADDRESS, Refusal::AddressUnreachable));
        }
        let v4 = self.next_hop(src, dst)?;
        if let Some(at) = self.router(v4) {
            self.routers[at].reachability.sent(now);
        }
        Ok(v4)
    }

    pub(super) fn next_hop(&self, src: Ipv6Addr, dst: Ipv6Addr) -> Result<Ipv4Addr, Refused> {
        let unreachable = |reason| Refused::with(reason, Refusal::AddressUnreachable);
        // RFC 6324, section 3.3: whatever the form and the prefix, never to ourselves.
        if self.site.is_embedded_in(dst) {
            return Err(unreachable(ISATAP_LOOP));
        }
        if let Some((_, v4)) = isatap::embedded(dst)
            && (isatap::is_link_local(dst) || self.chosen.addresses.iter().any(|a| a.prefix.contains(dst)))
        {
            // A router's own address needs no route.
            if self.router(v4).is_some() {
                return Ok(v4);
            }
            if self.chosen.is_on_link(dst) && self.site.is_other_node(v4) {
                return Ok(v4);
            }
        }
        if dst.is_unicast_link_local() || self.chosen.is_on_link(dst) {
            return Err(unreachable(ISATAP_NEXT_HOP_NONE));
        }
        self.chosen.ways.take(src, dst)
    }

    pub(super) fn is_own_address(&self, address: Ipv6Addr) -> bool {
        address == self.link_local() || self.chosen.has_address(address)
    }
}
