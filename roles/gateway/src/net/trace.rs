//! A connection that nobody opens: judged by the same code as its first packet would be, with nothing sent and nothing kept.

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_fabric::{Probe, Verdict};
use sixgate_wire::addr::isatap;
use sixgate_wire::{Packet, icmpv6, ipv6, protocol};

use super::port::Way;
use super::worker::Worker;
use crate::seam::{ClientView, Judged, TraceQuestion, Traced};

/// Source ports or identifiers that are tried; one that no open flow uses is found at once.
const TRIES: u16 = 64;
/// The first of them: of the range that systems choose from (RFC 6335, section 6).
const FIRST: u16 = 50_000;

impl Worker {
    /// Answers where this would go, and why not.
    pub(super) fn trace(&mut self, question: &TraceQuestion) -> Traced {
        let TraceQuestion { from, to, .. } = *question;
        let way_in = self.fabric.route(from).map(Way::of);
        let (mut probe, mut packet) = (None, first_packet(question, FIRST));
        for port in FIRST..FIRST + TRIES {
            packet = first_packet(question, port);
            probe = way_in.and_then(|way| self.fabric.probe(self.now, way.id(), &packet));
            if probe.is_some() || way_in.is_none() {
                break;
            }
        }
        let way_out = probe.as_ref().and_then(way_out).or_else(|| self.fabric.route(to).map(Way::of));
        Traced {
            client_in: way_in.and_then(|way| self.client_view(way)),
            isatap_in: way_in
                .filter(|way| *way == Way::Isatap)
                .and_then(|_| self.judge_source(from, &packet)),
            host_in: self.host_of(way_in, from),
            client_out: way_out.and_then(|way| self.client_view(way)),
            isatap_out: way_out
                .filter(|way| *way == Way::Isatap)
                .and_then(|_| self.judge_destination(&packet)),
            host_out: self.host_of(way_out, to),
            pool: self.stateful().filter(|_| way_out == Some(Way::Nat64)).map(|nat64| {
                let of_protocol = |p: &sixgate_nat64::PoolView| number(p.protocol) == question.protocol;
                nat64
                    .pools()
                    .filter(of_protocol)
                    .fold((0, 0), |(used, total), p| (used + p.used, total + p.total))
            }),
            flows: self
                .fabric
                .flows()
                .filter(|flow| [(from, to), (to, from)].contains(&(flow.key.src, flow.key.dst)))
                .count(),
            way_in,
            way_out,
            probe,
        }
    }

    fn client_view(&self, way: Way) -> Option<(u32, ClientView)> {
        match way {
            Way::Client(n) => Some((n, self.clients.get(n)?.view(n))),
            Way::Kernel | Way::Nat64 | Way::Isatap => None,
        }
    }

    fn judge_source(&self, from: Ipv6Addr, packet: &Packet) -> Option<Judged<Ipv4Addr>> {
        let link = self.isatap.as_ref()?;
        let (_, v4) = isatap::embedded(from)?;
        let own = link.router.address();
        Some(link.router.would_decapsulate(v4, own, packet).map(|()| own))
    }

    fn judge_destination(&mut self, packet: &Packet) -> Option<Judged<Ipv4Addr>> {
        let link = self.isatap.as_mut()?;
        Some(link.router.would_encapsulate(self.now, packet).map_err(|refused| refused.reason))
    }

    fn host_of(&self, way: Option<Way>, address: Ipv6Addr) -> Option<sixgate_isatap::HostView> {
        let link = self.isatap.as_ref().filter(|_| way == Some(Way::Isatap))?;
        link.router.host(isatap::embedded(address)?.1)
    }
}

fn way_out(probe: &Probe) -> Option<Way> {
    match probe.verdict {
        Verdict::Send(port) => Some(Way::of(port)),
        Verdict::Refuse { .. } => None,
    }
}

const fn number(proto: sixgate_nat64::Proto) -> u8 {
    match proto {
        sixgate_nat64::Proto::Tcp => protocol::TCP,
        sixgate_nat64::Proto::Udp => protocol::UDP,
        sixgate_nat64::Proto::Icmp => protocol::ICMPV6,
    }
}

/// A SYN, a datagram or an echo request. Checksums are the ends' business and nobody on the way looks at them.
fn first_packet(question: &TraceQuestion, port: u16) -> Packet {
    let mut transport = Vec::with_capacity(20);
    match question.protocol {
        protocol::ICMPV6 => {
            transport.extend([icmpv6::ECHO_REQUEST, 0, 0, 0]);
            transport.extend(port.to_be_bytes());
            transport.extend([0, 1]);
        }
        number => {
            transport.extend(port.to_be_bytes());
            transport.extend(question.port.to_be_bytes());
            if number == protocol::TCP {
                transport.extend([0; 8]);
                transport.extend([0x50, sixgate_wire::tcp::SYN, 0xff, 0xff, 0, 0, 0, 0]);
            } else {
                transport.extend([0, 8, 0, 0]);
            }
        }
    }
    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        // At most 20 octets.
        payload_len: transport.len() as u16,
        next_header: question.protocol,
        hop_limit: 64,
        src: question.from,
        dst: question.to,
    };
    Packet::from_slice(&[&header.octets()[..], &transport].concat())
}
