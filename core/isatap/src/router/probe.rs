//! What the router would do with a packet, without doing it: for people who ask why.
//!
//! The real judgement runs, and what it left behind is taken back; only a host that is not in the table, whom it would admit
//! or list, is judged by the same checks without that step.

use core::net::Ipv4Addr;

use sixgate_reason::{ISATAP_OUTER_UNUSABLE, Reason};
use sixgate_time::Instant;
use sixgate_wire::Packet;

use super::view::view_refused;
use super::{HostView, Router};
use crate::neighbour;
use crate::verdict::{Inbound, Refused};

impl Router {
    /// What [`Router::decapsulate`] would say to a packet that is not neighbour discovery.
    ///
    /// # Errors
    /// Why it would drop it.
    pub fn would_decapsulate(
        &mut self,
        now: Instant,
        outer_src: Ipv4Addr,
        outer_dst: Ipv4Addr,
        packet: &Packet,
    ) -> Result<(), Reason> {
        let Some(host) = self.hosts.served_mut(outer_src) else {
            return self.would_admit(outer_src, outer_dst, packet);
        };
        let before = (host.forms, host.rx_packets, host.rx_bytes);
        let last_heard = self.last_heard;
        let judged = self.judge(now, outer_src, outer_dst, packet);
        self.last_heard = last_heard;
        if let Some(host) = self.hosts.served_mut(outer_src) {
            (host.forms, host.rx_packets, host.rx_bytes) = before;
        }
        match judged? {
            Inbound::Forward | Inbound::Consumed => Ok(()),
            Inbound::Drop(reason) => Err(reason),
        }
    }

    fn would_admit(&self, outer_src: Ipv4Addr, outer_dst: Ipv4Addr, packet: &Packet) -> Result<(), Reason> {
        if !self.site.is_other_node(outer_src) || !self.site.is_own(outer_dst) {
            return Err(ISATAP_OUTER_UNUSABLE);
        }
        let ip = neighbour::read(packet)?;
        self.verify_source(ip.src(), outer_src, self.config.is_peer(outer_src))?;
        self.check_ends(ip.src(), ip.dst())?;
        self.allowed.rule(outer_src).map(drop)
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
    use super::super::tests::*;
    use super::*;
    use sixgate_reason::{ISATAP_HOST_NOT_ALLOWED, ISATAP_SOURCE_NOT_EMBEDDED};

    #[test]
    fn a_question_is_answered_as_a_packet_would_be_and_changes_nothing() {
        let mut router = router();
        solicit(&mut router, T0, HOST);
        drain(&mut router);
        while router.poll_event().is_some() {}
        let before = (router.hosts(), router.next_timeout());
        let packet = data(global(HOST), six(CLIENT));
        assert_eq!(router.would_decapsulate(T0, HOST, ROUTER, &packet), Ok(()));
        // Allowed, and not known yet.
        assert_eq!(router.would_decapsulate(T0, OTHER, ROUTER, &data(global(OTHER), six(CLIENT))), Ok(()));
        let stranger = data(global(STRANGER), six(CLIENT));
        assert_eq!(router.would_decapsulate(T0, STRANGER, ROUTER, &stranger), Err(ISATAP_HOST_NOT_ALLOWED));
        assert_eq!(router.would_decapsulate(T0, OTHER, ROUTER, &packet), Err(ISATAP_SOURCE_NOT_EMBEDDED));
        let back = data(six(CLIENT), global(HOST));
        assert_eq!(router.would_encapsulate(T0, &back), Ok(HOST));
        assert!(router.would_encapsulate(T0, &data(six(CLIENT), global(OTHER))).is_err());
        assert_eq!((router.hosts(), router.next_timeout()), before);
        assert_eq!(router.poll_event(), None);
        assert_eq!(router.host(HOST).as_ref(), router.hosts().first());
        assert_eq!(router.host(STRANGER), None);
        // What it says is what happens.
        assert_eq!(router.decapsulate(T0, HOST, ROUTER, &packet), Inbound::Forward);
        assert_eq!(
            router.decapsulate(T0, STRANGER, ROUTER, &stranger),
            Inbound::Drop(ISATAP_HOST_NOT_ALLOWED)
        );
    }
}
