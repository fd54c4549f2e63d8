//! Router solicitation and what comes back (RFC 5214, section 8.3; RFC 4861, section 6.3).

use core::net::Ipv4Addr;

use sixgate_reason::{ISATAP_RA_INVALID, ISATAP_RA_NOT_FROM_ROUTER, Reason};
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::isatap::{self, Form};
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd;

use super::event::HostEvent;
use super::{Host, offer};
use crate::neighbour::link_local_form;
use crate::queue::Message;

/// RFC 4861, section 10: RTR_SOLICITATION_INTERVAL.
const INTERVAL: Duration = Duration::from_secs(4);
/// RFC 4861, section 10: MAX_RTR_SOLICITATIONS.
const AT_FIRST: u8 = 3;
/// Between two solicitations of a router that does not answer.
const RETRY: Duration = Duration::from_secs(30);
/// RFC 5214, section 8.3.1: MinRouterSolicitInterval, to a router that answered and offers nothing with an end.
const MIN_ROUTER_SOLICIT_INTERVAL: Duration = Duration::from_secs(120);

/// When a router is asked.
pub(super) struct Discovery {
    /// Solicitations since the last answer.
    unanswered: u8,
    pub(super) next: Instant,
}

impl Discovery {
    /// The first solicitation is due at once: a router that answers unicast alone needs no random delay against
    /// collisions, and a person waits for it.
    pub(super) const fn new(now: Instant) -> Self {
        Self { unanswered: 0, next: now }
    }

    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    pub(super) const fn is_silent(&self) -> bool {
        self.unanswered >= AT_FIRST
    }

    /// RFC 5214, section 8.3.4: before the shortest of the lifetimes ends, at four fifths of it as isatapd does. The
    /// section also has "no less than MinRouterSolicitInterval", by which what lasts shorter would end before it is
    /// renewed; of the two, the first is the purpose.
    fn answered(&mut self, now: Instant, shortest: Option<u32>) {
        self.unanswered = 0;
        let pause = shortest.map_or(MIN_ROUTER_SOLICIT_INTERVAL, |seconds| {
            (Duration::from_secs(u64::from(seconds)) * 4 / 5).max(INTERVAL)
        });
        self.next = now + pause;
    }
}

impl Host {
    pub(super) fn solicit_due(&mut self, now: Instant) {
        for at in 0..self.routers.len() {
            if self.routers[at].discovery.next > now {
                continue;
            }
            let retry = self.spread(RETRY);
            let discovery = &mut self.routers[at].discovery;
            discovery.unanswered = discovery.unanswered.saturating_add(1);
            discovery.next = now + if discovery.unanswered < AT_FIRST { INTERVAL } else { retry };
            let v4 = self.routers[at].v4;
            // Peers disagree about which addresses are globally unique, but only about some that look so to us: those
            // routers may listen to either form.
            self.send(v4, isatap::link_local(Form::Private, v4), Message::Solicit);
            if Form::of(v4) == Form::Global {
                self.send(v4, isatap::link_local(Form::Global, v4), Message::Solicit);
            }
        }
    }

    /// RFC 5214, section 8.3.3: an advertisement counts when it comes from a router of the list, with a link-local
    /// source that embeds the router's address.
    pub(super) fn advertised(&mut self, now: Instant, from: Ipv4Addr, ip: &Ipv6<'_>) -> Result<(), Reason> {
        let at = self.router(from).ok_or(ISATAP_RA_NOT_FROM_ROUTER)?;
        let form = link_local_form(ip.src(), from).ok_or(ISATAP_RA_INVALID)?;
        link_local_form(ip.dst(), self.address).ok_or(ISATAP_RA_INVALID)?;
        let lease = nd::parse_advertisement(ip).map_err(|_| ISATAP_RA_INVALID)?;
        let parameters = nd::parse_parameters(ip).map_err(|_| ISATAP_RA_INVALID)?;
        let router = &mut self.routers[at];
        router.form = form;
        router.discovery.answered(now, offer::shortest(&lease));
        router.reachability.confirm(now);
        router.path_failed = false;
        router.times.take(&parameters);
        router.offer.take(now, &lease, parameters.preference);
        router.has_offered |= !router.offer.is_empty();
        // RFC 4861, section 6.3.4: one value a link, the last one that was said.
        if parameters.hop_limit != 0 && parameters.hop_limit != self.hop_limit {
            self.hop_limit = parameters.hop_limit;
            self.events.push_back(HostEvent::HopLimitChanged { hop_limit: parameters.hop_limit });
        }
        self.choose(now);
        Ok(())
    }
}
