//! Echo requests to our link-local address, which no kernel sees: the first thing that a person tries on this link.

use core::net::Ipv4Addr;

use sixgate_time::Instant;
use sixgate_wire::icmpv6::{self, Icmpv6};
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::{Packet, protocol};

use super::Router;

/// RFC 4443, section 4.2 lets the answer begin with any.
const HOP_LIMIT: u8 = 64;

impl Router {
    /// Turns an echo request of a host to our link-local address into its reply, which goes back to `from` (RFC 4443, section 4.2).
    ///
    /// Call it with what [`Router::decapsulate`] let through; false, and the packet as it was, for everything else. At most as many as a
    /// host may solicit.
    pub fn answer_echo(&mut self, now: Instant, from: Ipv4Addr, packet: &mut Packet) -> bool {
        let Some((src, dst, length)) = echo_request(packet) else { return false };
        if !dst.is_unicast_link_local() || !self.is_own_target(dst) {
            return false;
        }
        if !self.hosts.served_mut(from).is_some_and(|host| host.messages.take(now)) {
            return false;
        }
        packet.truncate(length);
        let bytes = packet.bytes_mut();
        bytes[8..24].copy_from_slice(&dst.octets());
        bytes[24..40].copy_from_slice(&src.octets());
        ipv6::set_hop_limit(bytes, HOP_LIMIT);
        bytes[ipv6::HEADER] = icmpv6::ECHO_REPLY;
        icmpv6::finish(&mut bytes[ipv6::HEADER..], dst, src);
        true
    }
}

/// Both ends and the length of a whole echo request.
fn echo_request(packet: &Packet) -> Option<(core::net::Ipv6Addr, core::net::Ipv6Addr, usize)> {
    let ip = Ipv6::parse(packet.bytes()).ok()?;
    let icmp = Icmpv6::parse(ip.payload()).ok().filter(|_| ip.next_header() == protocol::ICMPV6)?;
    let good =
        icmp.kind() == icmpv6::ECHO_REQUEST && icmp.code() == 0 && icmp.checksum_ok(ip.src(), ip.dst());
    good.then(|| (ip.src(), ip.dst(), ip.bytes().len()))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::tests::{HOST, OTHER, ROUTER, T0, fe80, global, router, solicit};
    use super::*;
    use crate::verdict::Inbound;

    fn request(src: core::net::Ipv6Addr, dst: core::net::Ipv6Addr) -> Packet {
        let mut icmp = Vec::from([icmpv6::ECHO_REQUEST, 0, 0, 0, 0x12, 0x34, 0, 1]);
        icmp.extend(b"payload!");
        icmpv6::finish(&mut icmp, src, dst);
        let header = ipv6::Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: icmp.len() as u16,
            next_header: protocol::ICMPV6,
            hop_limit: 64,
            src,
            dst,
        };
        Packet::from_slice(&[&header.octets()[..], &icmp].concat())
    }

    #[test]
    fn an_echo_to_our_link_local_address_is_answered_and_others_are_left_alone() {
        let mut router = router();
        solicit(&mut router, T0, HOST);
        let mut packet = request(fe80(HOST), fe80(ROUTER));
        assert_eq!(router.decapsulate(T0, HOST, ROUTER, &packet), Inbound::Forward);
        assert!(router.answer_echo(T0, HOST, &mut packet));
        let ip = Ipv6::parse(packet.bytes()).unwrap();
        let icmp = Icmpv6::parse(ip.payload()).unwrap();
        assert_eq!((ip.src(), ip.dst()), (fe80(ROUTER), fe80(HOST)));
        assert_eq!(
            (icmp.kind(), icmp.identifier(), icmp.body()),
            (icmpv6::ECHO_REPLY, 0x1234, &b"payload!"[..])
        );
        assert!(icmp.checksum_ok(ip.src(), ip.dst()));
        for (from, src, dst) in [
            (HOST, fe80(HOST), fe80(OTHER)),
            (HOST, global(HOST), global(ROUTER)),
            (OTHER, fe80(OTHER), fe80(ROUTER)),
        ] {
            let mut packet = request(src, dst);
            assert!(!router.answer_echo(T0, from, &mut packet));
            assert_eq!(packet.bytes(), request(src, dst).bytes());
        }
        let answered =
            (0..100).filter(|_| router.answer_echo(T0, HOST, &mut request(fe80(HOST), fe80(ROUTER))));
        assert!(answered.count() < 20);
    }
}
