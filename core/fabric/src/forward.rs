//! The path of a packet: sanity, hop limit, route, policy, MTU.

use core::net::Ipv6Addr;

use sixgate_reason::{self as reason, Reason};
use sixgate_time::Instant;
use sixgate_wire::extension::Upper;
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::refusal::Refusal;
use sixgate_wire::tcp::Tcp;
use sixgate_wire::{Packet, Segmentation, udp};

use crate::fabric::{Fabric, Verdict};
use crate::port::PortId;
use crate::snapshot::SMALLEST_MTU;

/// A refusal on its way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refused(pub(crate) Reason, pub(crate) Option<Refusal>);

impl Refused {
    /// The sender is not told.
    pub(crate) const fn silently(reason: Reason) -> Self {
        Self(reason, None)
    }

    /// The sender is told.
    pub(crate) const fn with(reason: Reason, refusal: Refusal) -> Self {
        Self(reason, Some(refusal))
    }
}

impl Fabric {
    /// Decides where `packet`, which came from the port `from`, goes. Its source has been verified by that port.
    ///
    /// On [`Verdict::Send`] the hop limit is decremented and octets behind the IPv6 payload are cut off; on
    /// [`Verdict::Refuse`] the packet is as it was, so that the error quotes what the sender sent.
    pub fn forward(&mut self, now: Instant, from: PortId, packet: &mut Packet) -> Verdict {
        match self.decide(now, from, packet) {
            Ok((port, length, hop_limit)) => {
                packet.truncate(length);
                ipv6::set_hop_limit(packet.bytes_mut(), hop_limit);
                Verdict::Send(port)
            }
            Err(Refused(reason, refusal)) => Verdict::Refuse { reason, refusal },
        }
    }

    /// The port, the packet's length and its hop limit from here on.
    pub(crate) fn decide(
        &mut self,
        now: Instant,
        from: PortId,
        packet: &Packet,
    ) -> Result<(PortId, usize, u8), Refused> {
        let ip = Ipv6::parse(packet.bytes()).map_err(|e| Refused::silently(e.reason()))?;
        self.check_source(from, ip.src())?;
        check_destination(ip.dst())?;
        let upper = ip.upper().map_err(|e| Refused::silently(e.reason()))?;
        if upper.routing.is_some() {
            // RFC 5095, section 3, and beyond it: whoever a routing header names next is not whom policy was asked about.
            return Err(Refused::with(reason::FABRIC_ROUTING_HEADER, Refusal::Prohibited));
        }
        // RFC 8200, section 3: a node that forwards discards what would leave with hop limit zero.
        let Some(hop_limit) = ip.hop_limit().checked_sub(1).filter(|left| *left != 0) else {
            return Err(Refused::with(reason::FABRIC_HOP_LIMIT, Refusal::HopLimit));
        };
        let no_route = Refused::with(reason::FABRIC_NO_ROUTE, Refusal::NoRoute);
        let to = self.route(ip.dst()).ok_or(no_route)?;
        if to == from {
            return Err(Refused::with(reason::FABRIC_SAME_PORT, Refusal::NoRoute));
        }
        let mtu = self.ports.get(&to).ok_or(no_route)?.port.mtu;
        let largest = largest_segment(packet, &ip, &upper)?;
        self.filter(now, from, &ip, &upper)?;
        if largest > mtu as usize {
            // RFC 8200, section 5: no link of ours is below 1280, so nobody is asked for less.
            let mtu = mtu.max(SMALLEST_MTU);
            return Err(Refused::with(reason::FABRIC_TOO_BIG, Refusal::TooBig { mtu }));
        }
        Ok((to, ip.bytes().len(), hop_limit))
    }

    fn check_source(&self, from: PortId, src: Ipv6Addr) -> Result<(), Refused> {
        if is_unusable(src) {
            return Err(Refused::silently(reason::FABRIC_SOURCE_UNUSABLE));
        }
        // A port verifies what may come from it; that somebody else's host is not claimed only the fabric can see.
        if self.hosts.get(&src).is_some_and(|host| host.port != from) {
            return Err(Refused::silently(reason::FABRIC_SOURCE_FOREIGN));
        }
        Ok(())
    }
}

fn check_destination(dst: Ipv6Addr) -> Result<(), Refused> {
    if is_unusable(dst) {
        return Err(Refused::silently(reason::FABRIC_DESTINATION_UNUSABLE));
    }
    Ok(())
}

/// RFC 4291, sections 2.5.2, 2.5.3, 2.5.5.2, 2.5.6 and 2.7: addresses that no router forwards from or to.
fn is_unusable(address: Ipv6Addr) -> bool {
    address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().is_some()
}

/// The size of the largest packet that this one becomes on the wire: a super-packet is cut before it gets there.
fn largest_segment(packet: &Packet, ip: &Ipv6<'_>, upper: &Upper) -> Result<usize, Refused> {
    let whole = ip.bytes().len();
    let transport = ip.bytes().get(upper.offset..).unwrap_or_default();
    let segment = match packet.offload.segmentation {
        Segmentation::None => whole,
        Segmentation::Tcp { mss } => {
            let tcp = Tcp::parse(transport).map_err(|e| Refused::silently(e.reason()))?;
            upper.offset + tcp.header_len() + usize::from(mss)
        }
        Segmentation::Udp { size } => upper.offset + udp::HEADER + usize::from(size),
    };
    Ok(segment.min(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use crate::{Identity, Limits, Policy, Rule, Selector, group};
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;
    use sixgate_wire::protocol;
    use sixgate_wire::tcp::{ACK, SYN};

    fn syn() -> Packet {
        tcp(laptop(), files(), (5000, 80), SYN)
    }

    #[test]
    fn a_forwarded_packet_loses_one_hop_and_nothing_else() {
        let mut fabric = fabric();
        let mut p = Packet::from_slice(&[syn().bytes(), &[1, 2, 3]].concat());
        assert_eq!(fabric.forward(at(1), LAPTOP, &mut p), Verdict::Send(NAT64));
        let mut expected = syn();
        expected.bytes_mut()[7] = 63;
        assert_eq!(p.bytes(), expected.bytes());
    }

    #[test]
    fn a_refused_packet_is_untouched_and_its_sender_is_told() {
        let mut fabric = fabric();
        let sent = tcp(files(), laptop(), (80, 5000), SYN);
        let mut p = sent.clone();
        let Verdict::Refuse { reason, refusal } = fabric.forward(at(1), NAT64, &mut p) else {
            panic!("let through");
        };
        assert_eq!((reason, refusal), (reason::POLICY_DENIED, Some(Refusal::Prohibited)));
        assert_eq!(p.bytes(), sent.bytes());
    }

    #[test]
    fn each_fault_of_the_path_has_its_reason() {
        let mut fabric = fabric();
        let hop_limit = |n: u8| {
            let mut p = syn();
            p.bytes_mut()[7] = n;
            p
        };
        let routing = packet(
            laptop(),
            files(),
            protocol::ROUTING,
            &[&[protocol::TCP, 2, 2, 1][..], &[0; 20], &tcp_header((5000, 80), SYN)].concat(),
        );
        let endless = packet(laptop(), files(), protocol::HOP_BY_HOP, &[0; 160]);
        let mut from_client: Vec<(Packet, Reason, Option<Refusal>)> = vec![
            (hop_limit(0), reason::FABRIC_HOP_LIMIT, Some(Refusal::HopLimit)),
            (hop_limit(1), reason::FABRIC_HOP_LIMIT, Some(Refusal::HopLimit)),
            (routing, reason::FABRIC_ROUTING_HEADER, Some(Refusal::Prohibited)),
            (endless, reason::MALFORMED_EXTENSION, None),
            (Packet::from_slice(&syn().bytes()[..50]), reason::MALFORMED_IPV6, None),
            (packet(laptop(), files(), protocol::TCP, &[0; 19]), reason::MALFORMED_TRANSPORT, None),
            (packet(laptop(), files(), protocol::UDP, &[0; 7]), reason::MALFORMED_TRANSPORT, None),
            (packet(laptop(), files(), protocol::ICMPV6, &[128; 7]), reason::MALFORMED_TRANSPORT, None),
            (
                tcp(laptop(), addr("2001:db8::1"), (1, 2), SYN),
                reason::FABRIC_NO_ROUTE,
                Some(Refusal::NoRoute),
            ),
            (tcp(laptop(), laptop(), (1, 2), SYN), reason::FABRIC_SAME_PORT, Some(Refusal::NoRoute)),
            (tcp(other(), files(), (1, 2), SYN), reason::FABRIC_SOURCE_FOREIGN, None),
        ];
        for unusable in ["::", "::1", "ff02::1", "fe80::1", "::ffff:10.6.0.1"] {
            let source = tcp(addr(unusable), files(), (1, 2), SYN);
            let destination = tcp(laptop(), addr(unusable), (1, 2), SYN);
            from_client.push((source, reason::FABRIC_SOURCE_UNUSABLE, None));
            from_client.push((destination, reason::FABRIC_DESTINATION_UNUSABLE, None));
        }
        for (mut p, reason, refusal) in from_client {
            let verdict = fabric.forward(at(1), LAPTOP, &mut p);
            assert_eq!(verdict, Verdict::Refuse { reason, refusal }, "{p:?}");
        }
        let mut p = syn();
        assert_eq!(fabric.forward(at(1), LAPTOP, &mut p), Verdict::Send(NAT64));
    }

    #[test]
    fn a_packet_above_the_next_mtu_is_refused_with_that_mtu() {
        let mut fabric = fabric();
        let sized = |dst, size: usize| {
            packet(laptop(), dst, protocol::UDP, &udp_header((5000, 99), size - ipv6::HEADER - udp::HEADER))
        };
        let too_big = |mtu| Err((reason::FABRIC_TOO_BIG, Some(Refusal::TooBig { mtu })));
        assert_eq!(ask(&mut fabric, at(1), &sized(files(), 1480)), Ok(NAT64));
        assert_eq!(ask(&mut fabric, at(1), &sized(files(), 1481)), too_big(1480));
        assert_eq!(ask(&mut fabric, at(1), &sized(helpdesk(), 1280)), Ok(ISATAP));
        assert_eq!(ask(&mut fabric, at(1), &sized(helpdesk(), 1281)), too_big(1280));
    }

    #[test]
    fn a_super_packet_is_measured_by_its_segments() {
        let mut fabric = fabric();
        assert_eq!(send(&mut fabric, at(1), &syn()), Ok(NAT64));
        let with = |segmentation, header: Vec<u8>, protocol| {
            let mut p = packet(laptop(), files(), protocol, &[header, vec![0; 60_000]].concat());
            p.offload.segmentation = segmentation;
            p
        };
        let tcp = |mss| with(Segmentation::Tcp { mss }, tcp_header((5000, 80), ACK), protocol::TCP);
        let udp = |size| with(Segmentation::Udp { size }, udp_header((5000, 80), 0), protocol::UDP);
        assert_eq!(send(&mut fabric, at(1), &tcp(1420)), Ok(NAT64));
        assert_eq!(send(&mut fabric, at(1), &udp(1432)), Ok(NAT64));
        assert_eq!(send(&mut fabric, at(1), &tcp(1421)), Err(reason::FABRIC_TOO_BIG));
        assert_eq!(send(&mut fabric, at(1), &udp(1433)), Err(reason::FABRIC_TOO_BIG));
    }

    #[test]
    fn hosts_and_ports_come_and_go() {
        let mut fabric = fabric();
        let to_laptop = tcp(helpdesk(), laptop(), (5000, 22), SYN);
        assert_eq!(send(&mut fabric, at(1), &to_laptop), Ok(LAPTOP));
        fabric.remove_host(laptop());
        assert_eq!(send(&mut fabric, at(1), &to_laptop), Err(reason::FABRIC_NO_ROUTE));
        // It is back by another session: the same address, the same flow.
        fabric.add_host(laptop(), OTHER, client());
        let answer = tcp(helpdesk(), laptop(), (5000, 22), ACK);
        assert_eq!(send(&mut fabric, at(2), &answer), Ok(OTHER));
        fabric.remove_port(OTHER);
        assert_eq!(send(&mut fabric, at(2), &answer), Err(reason::FABRIC_NO_ROUTE));
    }

    #[test]
    fn identity_comes_from_the_host_then_the_prefix_then_the_zone() {
        let rule = Rule { from: vec![Selector::Any], to: vec![Selector::Any], ports: Vec::new() };
        let mut fabric = fabric_with(Policy::new(vec![rule]), Limits::default());
        let named = Identity { groups: 4, name: 3 };
        let with = snapshot(Policy::standard()).identity("fd00:2::5efe:a06:814/128".parse().unwrap(), named);
        fabric.set_snapshot(alloc::sync::Arc::new(with.build().unwrap()));
        assert_eq!(fabric.party(laptop()).identity, client());
        assert_eq!(fabric.party(helpdesk()).identity, named);
        let neighbour = fabric.party(addr("fd00:2::5efe:10.6.8.21"));
        assert_eq!(neighbour.identity.groups, group::INTRANET | group::SERVED);
        assert_eq!(neighbour.v4, Some([10, 6, 8, 21].into()));
        assert_eq!(fabric.party(files()).identity.groups, group::INTRANET);
        assert_eq!(fabric.party(addr("2001:db8::1")).identity, Identity::default());
    }

    /// Octets that often get past the first checks.
    fn nearly_a_packet() -> impl Strategy<Value = Vec<u8>> {
        let address = prop::sample::select(vec![laptop(), other(), files(), helpdesk(), resolver()]);
        let next = prop::sample::select(vec![0_u8, 6, 17, 43, 44, 50, 51, 58, 59, 60, 200]);
        let payload = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..120),
            (
                1_u8..5,
                prop::collection::vec(any::<u8>(), 4..5),
                address.clone(),
                address.clone(),
                next.clone(),
                any::<[u8; 24]>()
            )
                .prop_map(|(kind, word, a, b, next, tail)| {
                    let mut quote = packet(a, b, next, &tail).bytes().to_vec();
                    let mut body = vec![kind, 0, 0, 0];
                    body.extend(word);
                    body.append(&mut quote);
                    body
                }),
        ];
        (address.clone(), address, next, payload, any::<Option<(u8, u8)>>()).prop_map(
            |(src, dst, next, payload, flip)| {
                let mut bytes = packet(src, dst, next, &payload).bytes().to_vec();
                if let Some((at, value)) = flip {
                    let at = usize::from(at) % bytes.len();
                    bytes[at] = value;
                }
                bytes
            },
        )
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_panic(
            packets in prop::collection::vec((nearly_a_packet(), any::<u16>(), 0_u8..3, 0_u64..40), 1..60),
        ) {
            let mut fabric = fabric();
            let (mut now, mut out) = (0, Packet::new());
            for (bytes, size, kind, wait) in packets {
                now += wait;
                let mut p = Packet::from_slice(&bytes);
                p.offload.segmentation = match kind {
                    0 => Segmentation::None,
                    1 => Segmentation::Tcp { mss: size },
                    _ => Segmentation::Udp { size },
                };
                let from = Ipv6::parse(p.bytes()).map_or(KERNEL, |ip| port_of(ip.src()));
                match fabric.forward(at(now), from, &mut p) {
                    Verdict::Send(to) => prop_assert_ne!(to, from),
                    Verdict::Refuse { reason, refusal } => {
                        prop_assert_eq!(p.bytes(), &bytes[..]);
                        if fabric.refuse(at(now), reason, refusal, &p, &mut out) {
                            prop_assert!(Ipv6::parse(out.bytes()).is_ok() && out.len() <= 1280);
                        }
                    }
                }
                fabric.handle_timeout(at(now));
                prop_assert!(fabric.flow_count() <= 64 && fabric.fragment_count() <= 8);
            }
        }
    }
}
