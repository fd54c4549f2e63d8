//! What the IPv4 network says of the way to a host (RFC 5214, section 7.2; RFC 4213, sections 3.2.2 and 3.4).
//!
//! Whoever can send us a forged error learns nothing by it and breaks nothing: a host is asked before it is given up, a path MTU is
//! never below what every link carries and is forgotten, and the sender of a packet is told only what is quoted from a packet of its own.

use core::net::Ipv4Addr;

use sixgate_reason::{ISATAP_PATH_ERROR_FOREIGN, ISATAP_PATH_TOO_BIG, ISATAP_PATH_UNREACHABLE, Reason};
use sixgate_time::{Duration, Instant};
use sixgate_wire::Packet;
use sixgate_wire::addr::isatap;
use sixgate_wire::ipv4;
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::offload::Segments;
use sixgate_wire::path_error::PathFault;
use sixgate_wire::refusal::Refusal;

use super::Router;
use super::reach::Event;
use crate::verdict::Refused;

/// RFC 8200, section 5.
const SMALLEST_MTU: u32 = 1280;
/// RFC 8201, section 4: a path may have become better after ten minutes.
const PATH_MTU_FOR: Duration = Duration::from_secs(600);

/// What a path carries, while that is less than the link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PathMtu {
    pub(super) mtu: u32,
    until: Instant,
}

impl Router {
    /// Takes an ICMPv4 error about a packet that was sent to `to`; `quoted` is the inner packet as far as the error has it.
    ///
    /// Gives what its sender is to be told, about `quoted`: nothing where too little of it is there. Whether that packet was sent is not
    /// seen here: before the sender is told, and before an error that is [`PathFault::TooBig`] is given to this function, somebody who knows
    /// the flows must have said so.
    ///
    /// # Errors
    /// Why the error is not believed.
    pub fn path_failed(
        &mut self,
        now: Instant,
        to: Ipv4Addr,
        fault: PathFault,
        quoted: &Packet,
    ) -> Result<Refused, Reason> {
        let known = self.hosts.served_mut(to).is_some() || self.config.is_peer(to);
        let ip = Ipv6::parse_quoted(quoted.bytes()).ok();
        // We send to an address that embeds the outer one, or to a peer.
        let fits = |ip: &Ipv6<'_>| {
            self.config.is_peer(to) || isatap::embedded(ip.dst()).is_some_and(|(_, v4)| v4 == to)
        };
        if !known || ip.as_ref().is_some_and(|ip| !fits(ip)) {
            return Err(ISATAP_PATH_ERROR_FOREIGN);
        }
        let (reason, refusal) = match fault {
            PathFault::Unreachable | PathFault::Expired => {
                self.happened(now, to, Event::PathFailed);
                (ISATAP_PATH_UNREACHABLE, Some(Refusal::AddressUnreachable))
            }
            PathFault::TooBig { mtu } => {
                let mtu = u32::from(mtu).saturating_sub(ipv4::HEADER as u32).max(SMALLEST_MTU);
                // Whoever quotes nothing has seen nothing.
                let size = ip.as_ref().map_or(0, |ip| {
                    self.learn_path_mtu(now, to, mtu);
                    ipv6::HEADER as u32 + u32::from(ip.payload_len())
                });
                // What every link carries is sent without DF, and nobody is asked for less.
                (ISATAP_PATH_TOO_BIG, (size > mtu).then_some(Refusal::TooBig { mtu }))
            }
        };
        Ok(Refused { reason, refusal: refusal.filter(|_| ip.is_some()) })
    }

    fn learn_path_mtu(&mut self, now: Instant, to: Ipv4Addr, mtu: u32) {
        if let Some(host) = self.hosts.served_mut(to) {
            let known = host.path_mtu.filter(|path| path.until > now).map_or(u32::MAX, |path| path.mtu);
            host.path_mtu = Some(PathMtu { mtu: mtu.min(known), until: now + PATH_MTU_FOR });
        }
    }
}

/// The MTU that `packet` does not fit, if there is one; forgets what is too old.
pub(super) fn exceeded(now: Instant, path: &mut Option<PathMtu>, packet: &Packet) -> Option<u32> {
    let known = (*path)?;
    if known.until <= now {
        *path = None;
        return None;
    }
    // The first cut of a super-packet is the largest.
    let largest = Segments::new(packet).ok()?.next_len()?;
    (largest > known.mtu as usize).then_some(known.mtu)
}

#[cfg(test)]
mod tests {
    use std::vec;

    use sixgate_reason::ISATAP_HOST_UNREACHABLE;
    use sixgate_wire::nd::Kind;
    use sixgate_wire::protocol;

    use super::super::tests::{CLIENT, HOST, OTHER, T0, data, drain, global, router, six, solicit};
    use super::*;

    fn sized(size: usize) -> Packet {
        let header = ipv6::Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: (size - ipv6::HEADER) as u16,
            next_header: protocol::UDP,
            hop_limit: 64,
            src: six(CLIENT),
            dst: global(HOST),
        };
        let mut bytes = vec![0; size];
        bytes[..ipv6::HEADER].copy_from_slice(&header.octets());
        Packet::from_slice(&bytes)
    }

    #[test]
    fn an_unreachable_path_is_told_to_the_sender_and_the_host_is_asked_at_once() {
        let mut router = router();
        solicit(&mut router, T0, HOST);
        drain(&mut router);
        let sent = data(six(CLIENT), global(HOST));
        for fault in [PathFault::Unreachable, PathFault::Expired] {
            let told = Refused::with(ISATAP_PATH_UNREACHABLE, Refusal::AddressUnreachable);
            assert_eq!(router.path_failed(T0, HOST, fault, &sent), Ok(told));
        }
        let asked = drain(&mut router);
        assert_eq!(asked.len(), 1);
        assert_eq!(Kind::of(&Ipv6::parse(asked[0].1.bytes()).unwrap()), Some(Kind::NeighbourSolicitation));
        // It is believed until it does not answer.
        assert_eq!(router.encapsulate(T0, &sent), Ok(HOST));
        let end = T0 + Duration::from_secs(3);
        while router.next_timeout() <= end {
            router.handle_timeout(router.next_timeout());
        }
        let gone = Refused::with(ISATAP_HOST_UNREACHABLE, Refusal::AddressUnreachable);
        assert_eq!(router.encapsulate(end, &sent), Err(gone));
    }

    #[test]
    fn an_error_that_quotes_too_little_is_a_hint_and_tells_nobody() {
        let mut router = router();
        solicit(&mut router, T0, HOST);
        drain(&mut router);
        let eight = Packet::from_slice(&data(six(CLIENT), global(HOST)).bytes()[..8]);
        let hint = Refused::silently(ISATAP_PATH_UNREACHABLE);
        assert_eq!(router.path_failed(T0, HOST, PathFault::Unreachable, &eight), Ok(hint));
        assert_eq!(drain(&mut router).len(), 1);
        // Without an inner header there is no path MTU either.
        let big = Refused::silently(ISATAP_PATH_TOO_BIG);
        assert_eq!(router.path_failed(T0, HOST, PathFault::TooBig { mtu: 1300 }, &eight), Ok(big));
        assert_eq!(router.encapsulate(T0, &sized(1480)), Ok(HOST));
    }

    #[test]
    fn an_error_about_nobody_or_about_a_packet_to_somebody_else_is_not_believed() {
        let mut router = router();
        solicit(&mut router, T0, HOST);
        drain(&mut router);
        let foreign = Err(ISATAP_PATH_ERROR_FOREIGN);
        let to_host = data(six(CLIENT), global(HOST));
        assert_eq!(router.path_failed(T0, OTHER, PathFault::Unreachable, &to_host), foreign);
        let to_other = data(six(CLIENT), global(OTHER));
        assert_eq!(router.path_failed(T0, HOST, PathFault::Unreachable, &to_other), foreign);
        assert!(drain(&mut router).is_empty());
    }

    #[test]
    fn a_path_mtu_is_kept_for_ten_minutes_and_is_never_below_1280() {
        let mut router = router();
        solicit(&mut router, T0, HOST);
        let big = |mtu| PathFault::TooBig { mtu };
        let too_big = |mtu| Refused::with(ISATAP_PATH_TOO_BIG, Refusal::TooBig { mtu });
        assert_eq!(router.path_failed(T0, HOST, big(1420), &sized(1480)), Ok(too_big(1400)));
        assert_eq!(router.encapsulate(T0, &sized(1400)), Ok(HOST));
        assert_eq!(router.encapsulate(T0, &sized(1401)), Err(too_big(1400)));
        assert_eq!(router.path_failed(T0, HOST, big(68), &sized(1400)), Ok(too_big(1280)));
        // Nothing is below 1280, and a larger value does not undo a smaller one.
        assert_eq!(
            router.path_failed(T0, HOST, big(68), &sized(1280)),
            Ok(Refused::silently(ISATAP_PATH_TOO_BIG))
        );
        let _ = router.path_failed(T0, HOST, big(1420), &sized(1480));
        assert_eq!(router.encapsulate(T0, &sized(1281)), Err(too_big(1280)));
        let later = T0 + PATH_MTU_FOR;
        assert_eq!(router.encapsulate(later, &sized(1480)), Ok(HOST));
    }
}
