//! Neighbour discovery at the router: solicitations are answered at once, or not at all.

use alloc::sync::Arc;
use core::net::Ipv4Addr;

use sixgate_reason::{
    ISATAP_HOST_NOT_ALLOWED, ISATAP_HOST_TABLE_FULL, ISATAP_ND_INVALID, ISATAP_RA_NOT_FROM_ROUTER,
    ISATAP_RETIRED, ISATAP_RS_INVALID, ISATAP_RS_LIMITED, QUEUE_FULL, Reason,
};
use sixgate_time::Instant;
use sixgate_wire::addr::isatap;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd::{self, Kind};

use super::Router;
use crate::neighbour::{self, link_local_form};
use crate::queue::{Message, Outgoing};
use crate::verdict::Inbound;

impl Router {
    pub(super) fn discover(
        &mut self,
        now: Instant,
        from: Ipv4Addr,
        from_peer: bool,
        kind: Kind,
        ip: &Ipv6<'_>,
    ) -> Result<Inbound, Reason> {
        match kind {
            Kind::RouterSolicitation => self.solicited(now, from, ip)?,
            Kind::NeighbourSolicitation => self.asked(now, from, from_peer, ip)?,
            // We never solicit a host, so an advertisement tells nothing; a peer's router advertisement is not for us.
            Kind::NeighbourAdvertisement => {
                nd::parse_neighbour_advertisement(ip).map_err(|_| ISATAP_ND_INVALID)?;
            }
            Kind::RouterAdvertisement if from_peer => {}
            Kind::RouterAdvertisement => return Err(ISATAP_RA_NOT_FROM_ROUTER),
            Kind::Redirect => return Err(ISATAP_ND_INVALID),
        }
        Ok(Inbound::Consumed)
    }

    /// RFC 5214, section 8.2: to the host that asked, alone. RFC 4861, section 6.2.6, without its delay: no two routers
    /// answer one unicast.
    fn solicited(&mut self, now: Instant, from: Ipv4Addr, ip: &Ipv6<'_>) -> Result<(), Reason> {
        nd::parse_solicitation(ip).map_err(|_| ISATAP_RS_INVALID)?;
        let theirs = link_local_form(ip.src(), from).ok_or(ISATAP_RS_INVALID)?;
        let ours = link_local_form(ip.dst(), self.config.address).ok_or(ISATAP_RS_INVALID)?;
        let allowed = if self.closing { Err(ISATAP_HOST_NOT_ALLOWED) } else { self.allowed.rule(from) };
        let rule = allowed.inspect_err(|reason| self.hosts.refuse(now, from, *reason, true))?;
        let offer = self.offers.of(&self.config, rule);
        if self.hosts.served_mut(from).is_none() {
            if !self.config.retire.keeps(from) {
                self.hosts.refuse(now, from, ISATAP_RETIRED, true);
                return Err(ISATAP_RETIRED);
            }
            if !self.hosts.take_shared(now) {
                return Err(ISATAP_RS_LIMITED);
            }
            if self.hosts.admit(now, from, Some(rule), offer, Some(theirs)).is_none() {
                self.hosts.refuse(now, from, ISATAP_HOST_TABLE_FULL, true);
                return Err(ISATAP_HOST_TABLE_FULL);
            }
        } else if !self.hosts.served_mut(from).is_some_and(|h| h.messages.take(now))
            || !self.hosts.take_shared(now)
        {
            return Err(ISATAP_RS_LIMITED);
        }
        if let Some(host) = self.hosts.served_mut(from) {
            host.rule = Some(rule);
            host.offer = Arc::clone(offer);
            host.forms.extend(Some(theirs));
            (host.theirs, host.ours) = (theirs, ours);
            host.first_rs = host.first_rs.or(Some(now));
            host.last_rs = Some(now);
            host.renewed = now;
            self.hosts.served.touch(from);
        }
        let lease = self.answer(now, from)?;
        // Answered from the address that it asked, to the address that it used.
        self.send(Outgoing { to: from, src: ip.dst(), dst: ip.src(), message: Message::Advertise(lease) })
    }

    /// RFC 5214, section 8.4: hosts probe their router by unicast, and it must answer.
    fn asked(&mut self, now: Instant, from: Ipv4Addr, from_peer: bool, ip: &Ipv6<'_>) -> Result<(), Reason> {
        let answer = neighbour::answer(ip, from, true, |target| self.is_own_target(target))?;
        if !from_peer {
            let form = isatap::embedded(ip.src()).map(|(form, _)| form);
            self.heard(now, from, form, ip.src(), ip.bytes().len())?;
            if !self.hosts.served_mut(from).is_some_and(|h| h.messages.take(now)) {
                return Err(ISATAP_RS_LIMITED);
            }
        }
        self.send(answer)
    }

    fn send(&mut self, outgoing: Outgoing) -> Result<(), Reason> {
        if self.queue.push(outgoing) { Ok(()) } else { Err(QUEUE_FULL) }
    }
}
