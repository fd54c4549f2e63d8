//! Redirects (RFC 4861, section 8.2): a host that sends through us to what a peer holds is told to send to that peer.
//!
//! Off unless the configuration says what peers hold. The host's packet is forwarded all the same, and only a host is told, never a peer.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_time::Instant;
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::addr::isatap::{self, Form};
use sixgate_wire::ipv6::Ipv6;

use super::Router;
use crate::queue::{Message, Outgoing};

/// What a peer holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holding {
    /// Where packets are better sent to the peer.
    pub prefix: Ipv6Prefix,
    /// The peer; one of [`super::RouterConfig::peers`].
    pub peer: Ipv4Addr,
}

impl Router {
    /// The peer that holds `dst`, by the longest prefix.
    fn holder(&self, dst: Ipv6Addr) -> Option<Ipv4Addr> {
        let holding = self.config.options.redirects.iter().filter(|h| h.prefix.contains(dst));
        holding.max_by_key(|h| h.prefix.length()).map(|h| h.peer).filter(|peer| self.config.is_peer(*peer))
    }

    /// Tells the host `from`, whose packet `ip` is being forwarded, of a better first hop, if there is one.
    pub(super) fn redirect(&mut self, now: Instant, from: Ipv4Addr, ip: &Ipv6<'_>) {
        let Some(peer) = self.holder(ip.dst()).filter(|peer| *peer != from) else { return };
        let Some(host) = self.hosts.served_mut(from) else { return };
        // RFC 4861, section 8.2: limited, and never depended on.
        if !host.redirects.take(now) {
            return;
        }
        let src = isatap::link_local(host.ours, self.config.address);
        let target = isatap::link_local(Form::of(peer), peer);
        let message = Message::Redirect { target, destination: ip.dst() };
        // A full queue is a lost redirect, as one that the network lost.
        let _ = self.queue.push(Outgoing { to: from, src, dst: ip.src(), message });
    }
}

#[cfg(test)]
mod tests {
    use sixgate_time::Duration;
    use sixgate_wire::nd::Kind;
    use std::vec;

    use super::super::tests::{
        CLIENT, HOST, PEER, ROUTER, T0, config, data, drain, fe80, global, six, solicit,
    };
    use super::*;
    use crate::verdict::Inbound;

    fn router(peer: Ipv4Addr) -> Router {
        let mut config = config();
        config.options.redirects = vec![Holding { prefix: "fd6a:7e00:cafe:1::/64".parse().unwrap(), peer }];
        let mut router = Router::new(config, [3; 32]);
        solicit(&mut router, T0, HOST);
        drain(&mut router);
        router
    }

    #[test]
    fn a_host_is_told_of_the_peer_that_holds_its_destination_once_a_second() {
        let mut router = router(PEER);
        let packet = data(global(HOST), six(CLIENT));
        for n in 0..20_u64 {
            let now = T0 + Duration::from_millis(n * 100);
            assert_eq!(router.decapsulate(now, HOST, ROUTER, &packet), Inbound::Forward);
        }
        let told = drain(&mut router);
        assert_eq!(told.len(), 2);
        let ip = Ipv6::parse(told[0].1.bytes()).unwrap();
        assert_eq!((told[0].0, ip.src(), ip.dst(), ip.hop_limit()), (HOST, fe80(ROUTER), global(HOST), 255));
        assert_eq!(Kind::of(&ip), Some(Kind::Redirect));
        assert_eq!(ip.payload()[8..24], fe80(PEER).octets());
        assert_eq!(ip.payload()[24..40], six(CLIENT).octets());
    }

    #[test]
    fn nobody_is_told_by_default_nor_of_a_router_that_is_no_peer_nor_a_peer_itself() {
        let packet = data(global(HOST), six(CLIENT));
        let mut plain = super::super::tests::router();
        solicit(&mut plain, T0, HOST);
        drain(&mut plain);
        assert_eq!(plain.decapsulate(T0, HOST, ROUTER, &packet), Inbound::Forward);
        assert!(drain(&mut plain).is_empty());
        let mut foreign = router(Ipv4Addr::new(10, 6, 0, 9));
        assert_eq!(foreign.decapsulate(T0, HOST, ROUTER, &packet), Inbound::Forward);
        assert!(drain(&mut foreign).is_empty());
        let mut holding = router(PEER);
        assert_eq!(holding.decapsulate(T0, PEER, ROUTER, &packet), Inbound::Forward);
        let elsewhere = data(global(HOST), six("fd6a:7e00:cafe:9::7"));
        assert_eq!(holding.decapsulate(T0, HOST, ROUTER, &elsewhere), Inbound::Forward);
        assert!(drain(&mut holding).is_empty());
    }
}
