//! What the router would do with a packet, without doing it: for people who ask why.

use core::net::Ipv4Addr;

use sixgate_reason::{ISATAP_HOST_NOT_ALLOWED, ISATAP_OUTER_UNUSABLE, ISATAP_PREFIX_NOT_OF_HOST, Reason};
use sixgate_time::Instant;
use sixgate_wire::Packet;

use super::view::view_refused;
use super::{HostView, Router, offers};
use crate::neighbour;
use crate::verdict::Refused;

impl Router {
    /// What [`Router::decapsulate`] would say to a packet that is not neighbour discovery: the same checks in the same order,
    /// without what a packet leaves behind, and without what holds for a moment only: limits of rate, a full table. A test holds the two
    /// against each other.
    ///
    /// # Errors
    /// Why it would drop it.
    pub fn would_decapsulate(
        &self,
        outer_src: Ipv4Addr,
        outer_dst: Ipv4Addr,
        packet: &Packet,
    ) -> Result<(), Reason> {
        if !self.site.is_other_node(outer_src) || !self.site.is_own(outer_dst) {
            return Err(ISATAP_OUTER_UNUSABLE);
        }
        let ip = neighbour::read(packet)?;
        let from_peer = self.config.is_peer(outer_src);
        self.verify_source(ip.src(), outer_src, from_peer)?;
        self.check_ends(ip.src(), ip.dst())?;
        if from_peer {
            return Ok(());
        }
        let Some(host) = self.hosts.served.get(outer_src) else {
            let offer = self.offers.of(&self.config, self.admissible(outer_src)?);
            return if offers::has(offer, ip.src()) { Ok(()) } else { Err(ISATAP_PREFIX_NOT_OF_HOST) };
        };
        if host.rule.is_none() {
            return Err(self.allowed.rule(outer_src).err().unwrap_or(ISATAP_HOST_NOT_ALLOWED));
        }
        if host.may_have(ip.src()) { Ok(()) } else { Err(ISATAP_PREFIX_NOT_OF_HOST) }
    }

    /// What [`Router::encapsulate`] would say.
    ///
    /// # Errors
    /// Why the packet cannot leave.
    pub fn would_encapsulate(&mut self, now: Instant, packet: &Packet) -> Result<Ipv4Addr, Refused> {
        let v4 = self.encapsulate(now, packet)?;
        if let Some(host) = self.hosts.served_mut(v4).filter(|host| host.rule.is_some()) {
            host.tx_packets -= 1;
            host.tx_bytes -= packet.len() as u64;
        }
        Ok(v4)
    }

    /// The host with this address, served or refused, as [`Router::hosts`] lists it.
    #[must_use]
    pub fn host(&self, v4: Ipv4Addr) -> Option<HostView> {
        let refused = || self.hosts.refused.get(v4).map(|host| view_refused(v4, host));
        self.hosts.served.get(v4).map(|host| self.view(v4, host)).or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use sixgate_wire::lease::Lease;

    use super::super::tests::*;
    use super::*;
    use crate::retire::{Retire, Stage};
    use crate::verdict::Inbound;

    #[test]
    fn a_question_is_answered_as_a_packet_would_be_and_changes_nothing() {
        let known = || {
            let mut router = router();
            solicit(&mut router, T0, HOST);
            drain(&mut router);
            while router.poll_event().is_some() {}
            router
        };
        let mut asked = known();
        let before = (asked.hosts(), asked.next_timeout());
        let cases = [
            (HOST, ROUTER, data(global(HOST), six(CLIENT))),
            // Allowed, and not known yet.
            (OTHER, ROUTER, data(global(OTHER), six(CLIENT))),
            (STRANGER, ROUTER, data(global(STRANGER), six(CLIENT))),
            (OTHER, ROUTER, data(global(HOST), six(CLIENT))),
            (HOST, ROUTER, data(six("fd00:9::5efe:10.6.8.20"), six(CLIENT))),
            (HOST, ROUTER, data(global(HOST), six("ff02::1"))),
            (HOST, ROUTER, data(global(HOST), six("2002:a06:1::1"))),
            (HOST, ROUTER, data(global(HOST), six("fe80::1"))),
            (HOST, OTHER, data(global(HOST), six(CLIENT))),
            (ROUTER, ROUTER, data(global(ROUTER), six(CLIENT))),
        ];
        for (outer_src, outer_dst, packet) in &cases {
            let expected = match known().decapsulate(T0, *outer_src, *outer_dst, packet) {
                Inbound::Forward | Inbound::Consumed => Ok(()),
                Inbound::Drop(reason) => Err(reason),
            };
            assert_eq!(asked.would_decapsulate(*outer_src, *outer_dst, packet), expected, "{packet:?}");
        }
        for destination in [global(HOST), global(OTHER), global(ROUTER), six("2001:db8::1")] {
            let packet = data(six(CLIENT), destination);
            let expected = known().encapsulate(T0, &packet);
            assert_eq!(asked.would_encapsulate(T0, &packet), expected, "{packet:?}");
        }
        assert_eq!((asked.hosts(), asked.next_timeout()), before);
        assert_eq!(asked.poll_event(), None);
        assert_eq!(asked.host(HOST).as_ref(), asked.hosts().first());
        assert_eq!(asked.host(STRANGER), None);
    }

    #[test]
    fn a_question_is_answered_as_a_packet_would_be_in_a_retirement_and_by_the_offer_of_the_rule() {
        let third = Ipv4Addr::new(10, 6, 8, 22);
        for stage in [Stage::Serve, Stage::Quiet, Stage::Withdraw] {
            for offers in [vec![], vec![Lease::default()]] {
                let known = || {
                    let mut router = router();
                    solicit(&mut router, T0, HOST);
                    let mut config = config();
                    config.retire = Retire { stage, in_use: vec![OTHER] };
                    config.allow[0].offer = (!offers.is_empty()).then_some(0);
                    config.offers.clone_from(&offers);
                    router.reconfigure(T0, config);
                    router
                };
                for host in [HOST, OTHER, third, STRANGER] {
                    for (src, dst) in [
                        (global(host), six(CLIENT)),
                        (fe80(host), six(CLIENT)),
                        (fe80(host), fe80(ROUTER)),
                        (global(host), fe80(ROUTER)),
                    ] {
                        let packet = data(src, dst);
                        let expected = match known().decapsulate(T0, host, ROUTER, &packet) {
                            Inbound::Forward | Inbound::Consumed => Ok(()),
                            Inbound::Drop(reason) => Err(reason),
                        };
                        let told = known().would_decapsulate(host, ROUTER, &packet);
                        assert_eq!(told, expected, "{stage:?} {packet:?}");
                    }
                }
            }
        }
    }
}
