//! Neighbour discovery at the router: solicitations are answered at once, or not at all.

use alloc::sync::Arc;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{
    ISATAP_HOST_NOT_ALLOWED, ISATAP_HOST_TABLE_FULL, ISATAP_ND_INVALID, ISATAP_RA_NOT_FROM_ROUTER,
    ISATAP_RETIRED, ISATAP_RS_INVALID, ISATAP_RS_LIMITED, QUEUE_FULL, Reason,
};
use sixgate_time::Instant;
use sixgate_wire::addr::isatap::{self, Form};
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd::{self, Kind};

use super::Router;
use super::reach::Event;
use crate::neighbour;
use crate::queue::{Message, Outgoing};
use crate::verdict::Inbound;

/// `ff02::2`
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

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
            Kind::NeighbourAdvertisement => self.answered(now, from, ip)?,
            // A peer's router advertisement is not for us.
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
        // Any address that embeds where it came from: RFC 4861, section 4.1 lets a host take any of its own.
        let (theirs, v4) = isatap::embedded(ip.src()).ok_or(ISATAP_RS_INVALID)?;
        if v4 != from {
            return Err(ISATAP_RS_INVALID);
        }
        let ours = self.asked_as(ip.dst()).ok_or(ISATAP_RS_INVALID)?;
        let allowed = if self.closing { Err(ISATAP_HOST_NOT_ALLOWED) } else { self.allowed.rule(from) };
        let rule =
            allowed.inspect_err(|reason| self.hosts.refuse(now, from, *reason, Some((theirs, ours))))?;
        let offer = self.offers.of(&self.config, rule);
        match self.hosts.served_mut(from) {
            Some(host) => {
                if !host.messages.take(now) {
                    return Err(ISATAP_RS_LIMITED);
                }
            }
            None => {
                if !self.config.retire.keeps(from) {
                    self.hosts.refuse(now, from, ISATAP_RETIRED, Some((theirs, ours)));
                    return Err(ISATAP_RETIRED);
                }
                if !self.hosts.take_newcomer(now, self.is_near(from)) {
                    return Err(ISATAP_RS_LIMITED);
                }
                let Some(host) = self.hosts.admit(now, from, Some(rule), offer, Some(theirs)) else {
                    self.hosts.refuse(now, from, ISATAP_HOST_TABLE_FULL, Some((theirs, ours)));
                    return Err(ISATAP_HOST_TABLE_FULL);
                };
                host.messages.take(now);
            }
        }
        if let Some(host) = self.hosts.served_mut(from) {
            host.rule = Some(rule);
            host.offer = Arc::clone(offer);
            host.forms.extend(Some(theirs));
            (host.theirs, host.ours) = (theirs, ours);
            host.first_rs = host.first_rs.or(Some(now));
            host.last_rs = Some(now);
            host.told = now;
            host.reach.on(now, Event::Heard);
        }
        self.hosts.heard(now, from, false);
        let lease = self.answer(now, from)?;
        // Answered from the form of our address that it asked, to the address that it used.
        let src = isatap::link_local(ours, self.config.address);
        self.send(Outgoing { to: from, src, dst: ip.src(), message: Message::Advertise(lease) })
    }

    /// The form of our address that a solicitation was sent to.
    ///
    /// RFC 5214, section 8.3.4 has hosts ask the router's link-local address. Some ask all routers (RFC 4861, section 6.3.7) in a packet
    /// that the outer header brings to this router alone; nothing is multicast by answering.
    fn asked_as(&self, dst: Ipv6Addr) -> Option<Form> {
        if dst == ALL_ROUTERS {
            return Some(Form::of(self.config.address));
        }
        isatap::embedded(dst).filter(|_| self.is_own_target(dst)).map(|(form, _)| form)
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

    /// The answer to a question of ours (RFC 4861, section 7.2.5); what nobody asked for proves nothing and does nothing.
    ///
    /// It is what a sender of forged packets cannot give without seeing the question.
    fn answered(&mut self, now: Instant, from: Ipv4Addr, ip: &Ipv6<'_>) -> Result<(), Reason> {
        let message = nd::parse_neighbour_advertisement(ip).map_err(|_| ISATAP_ND_INVALID)?;
        let speaks_for_itself = isatap::embedded(message.target).is_some_and(|(_, v4)| v4 == from);
        if message.solicited && speaks_for_itself && self.is_own_target(ip.dst()) {
            let asked = self.hosts.served_mut(from).is_some_and(|host| host.reach.is_asked());
            self.happened(now, from, Event::Answered);
            self.hosts.heard(now, from, asked);
        }
        Ok(())
    }

    fn send(&mut self, outgoing: Outgoing) -> Result<(), Reason> {
        if self.queue.push(outgoing) { Ok(()) } else { Err(QUEUE_FULL) }
    }
}
