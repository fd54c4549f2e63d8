//! The gateway's end of one client's link: who may send from where, and the answers of a router.

use alloc::collections::VecDeque;
use core::net::Ipv6Addr;

use sixgate_reason as reason;
use sixgate_time::Instant;
use sixgate_wire::lease::Lease;
use sixgate_wire::nd::{self, Kind, NeighbourAdvertisement};
use sixgate_wire::{Packet, icmpv6, ipv6::Ipv6, protocol};

use crate::Inbound;

mod addresses;

use addresses::Addresses;

/// All nodes on the link (RFC 4291, section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Answers that wait. A client that asks more before it takes them is not answered: it will ask again.
const MOST_ANSWERS: usize = 8;
/// Events that wait. The caller drains them after every call, and no call makes more than two.
const MOST_EVENTS: usize = 64;
/// The hop limit that clients are told to use.
const CUR_HOP_LIMIT: u8 = 64;

/// What a session is made from.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The gateway's address on the link, link-local.
    pub link_local: Ipv6Addr,
    /// What the client is given.
    pub lease: Lease,
    /// Addresses that the client may have at a time, those of the lease among them.
    pub most_addresses: usize,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            link_local: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
            lease: Lease::default(),
            most_addresses: 16,
        }
    }
}

/// What the caller must see to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The client wants to use this address, which lies in a prefix of its lease. The caller, who knows all sessions,
    /// answers with [`Session::grant`] or [`Session::refuse`].
    Claimed(Ipv6Addr),
    /// The client gave this address up, or it made room for another.
    Released(Ipv6Addr),
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    RouterAdvertisement {
        to: Ipv6Addr,
    },
    NeighbourAdvertisement {
        to: Ipv6Addr,
    },
    /// The address is another's: said to all nodes, as if from that other (RFC 4862, section 5.4.4).
    Defence {
        target: Ipv6Addr,
    },
}

/// One client's link.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    addresses: Addresses,
    answers: VecDeque<Answer>,
    events: VecDeque<Event>,
}

impl Session {
    /// A link over which nothing has been said yet. The addresses of the lease are the client's from the start.
    #[must_use]
    pub fn new(config: SessionConfig) -> Self {
        let mut addresses = Addresses::default();
        for address in &config.lease.addresses {
            addresses.insert(Instant::ZERO, *address, true);
        }
        Self { config, addresses, answers: VecDeque::new(), events: VecDeque::new() }
    }

    /// The addresses that the client may send from.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.addresses.iter()
    }

    /// What the client is given.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.config.lease
    }

    /// Gives the client another lease and advertises it. Addresses outside the new one are released.
    ///
    /// Drain the events afterwards: a session has at most `most_addresses` to release.
    pub fn set_lease(&mut self, now: Instant, lease: Lease) {
        for gone in self.addresses.relabel(now, &lease) {
            push(&mut self.events, Event::Released(gone), MOST_EVENTS);
        }
        self.config.lease = lease;
        self.answer(Answer::RouterAdvertisement { to: ALL_NODES });
    }

    /// What becomes of a packet from the client. The packet is not changed.
    pub fn inbound(&mut self, now: Instant, packet: &Packet) -> Inbound {
        self.inbound_octets(now, packet.bytes())
    }

    /// The same for a packet that still lies in the stream it came with.
    pub fn inbound_octets(&mut self, now: Instant, packet: &[u8]) -> Inbound {
        let Ok(ip) = Ipv6::parse(packet) else { return Inbound::Drop(reason::MALFORMED_IPV6) };
        let (src, dst) = (ip.src(), ip.dst());
        if !is_link_scope(src) && !is_link_scope(dst) {
            return self.global(now, src);
        }
        if dst.is_multicast() {
            return self.multicast(now, &ip);
        }
        if dst == self.config.link_local {
            return self.for_gateway(&ip);
        }
        // RFC 4291, section 2.5.6: a router does not forward what has a link-local end; and a client may not know
        // who else is here.
        Inbound::Drop(reason::IPHTTPS_LINK_LOCAL)
    }

    fn global(&mut self, now: Instant, src: Ipv6Addr) -> Inbound {
        if self.addresses.touch(now, src) {
            return Inbound::Forward;
        }
        // A client that reconnects goes on with addresses that it checked long ago. The packet that tells us is lost, the
        // ones after it pass.
        if self.may_claim(src) {
            return self.claim(now, src);
        }
        Inbound::Drop(reason::IPHTTPS_SOURCE_FOREIGN)
    }

    /// MS-IPHTTPS, section 3.2.5.2.2, without authentication: only router solicitations and address checks.
    fn multicast(&mut self, now: Instant, ip: &Ipv6<'_>) -> Inbound {
        match Kind::of(ip) {
            Some(Kind::RouterSolicitation) => self.router_solicitation(ip),
            Some(Kind::NeighbourSolicitation) => self.neighbour_solicitation(now, ip),
            Some(Kind::RouterAdvertisement | Kind::Redirect) => Inbound::Drop(reason::IPHTTPS_ND_INVALID),
            // Every host says unasked which groups it listens to (RFC 3810); here there is nobody to send groups to.
            None if is_listener_report(ip) => Inbound::Consumed,
            Some(Kind::NeighbourAdvertisement) | None => Inbound::Drop(reason::IPHTTPS_MULTICAST),
        }
    }

    fn for_gateway(&mut self, ip: &Ipv6<'_>) -> Inbound {
        match Kind::of(ip) {
            Some(Kind::RouterSolicitation) => self.router_solicitation(ip),
            Some(Kind::NeighbourSolicitation) => match nd::parse_neighbour_solicitation(ip) {
                Ok(asked) if asked.target == self.config.link_local => {
                    self.answer(Answer::NeighbourAdvertisement { to: ip.src() });
                    Inbound::Consumed
                }
                Ok(_) => Inbound::Drop(reason::IPHTTPS_LINK_LOCAL),
                Err(fault) => Inbound::Drop(fault.reason()),
            },
            Some(Kind::NeighbourAdvertisement) => match nd::parse_neighbour_advertisement(ip) {
                Ok(_) => Inbound::Consumed,
                Err(fault) => Inbound::Drop(fault.reason()),
            },
            Some(Kind::RouterAdvertisement | Kind::Redirect) => Inbound::Drop(reason::IPHTTPS_ND_INVALID),
            None => Inbound::Drop(reason::IPHTTPS_LINK_LOCAL),
        }
    }

    fn router_solicitation(&mut self, ip: &Ipv6<'_>) -> Inbound {
        if let Err(fault) = nd::parse_solicitation(ip) {
            return Inbound::Drop(fault.reason());
        }
        // RFC 4861, section 6.2.6: unicast where the solicitation has a source, else to all nodes, of whom there is one.
        let to = if ip.src().is_unspecified() { ALL_NODES } else { ip.src() };
        self.answer(Answer::RouterAdvertisement { to });
        Inbound::Consumed
    }

    fn neighbour_solicitation(&mut self, now: Instant, ip: &Ipv6<'_>) -> Inbound {
        let target = match nd::parse_neighbour_solicitation(ip) {
            Ok(asked) => asked.target,
            Err(fault) => return Inbound::Drop(fault.reason()),
        };
        if ip.src().is_unspecified() {
            return self.address_check(now, target);
        }
        if target == self.config.link_local {
            self.answer(Answer::NeighbourAdvertisement { to: ip.src() });
            return Inbound::Consumed;
        }
        // No prefix is on-link here, so nobody has a neighbour to look for but the gateway.
        Inbound::Drop(reason::IPHTTPS_MULTICAST)
    }

    /// Duplicate address detection (RFC 4862, section 5.4).
    fn address_check(&mut self, now: Instant, target: Ipv6Addr) -> Inbound {
        if target == self.config.link_local {
            self.answer(Answer::Defence { target });
            return Inbound::Drop(reason::IPHTTPS_ADDRESS_TAKEN);
        }
        // Its own link-local address is nobody else's concern: links of different clients share nothing.
        if is_link_scope(target) || self.addresses.contains(target) {
            return Inbound::Consumed;
        }
        if self.may_claim(target) {
            return match self.claim(now, target) {
                Inbound::Drop(reason) if reason == reason::IPHTTPS_ADDRESS_LIMIT => {
                    self.answer(Answer::Defence { target });
                    Inbound::Drop(reason)
                }
                Inbound::Forward | Inbound::Consumed | Inbound::Drop(_) => Inbound::Consumed,
            };
        }
        self.answer(Answer::Defence { target });
        Inbound::Drop(reason::IPHTTPS_SOURCE_FOREIGN)
    }

    fn may_claim(&self, address: Ipv6Addr) -> bool {
        self.config.lease.prefixes.iter().any(|p| p.prefix.contains(address))
    }

    /// Asks the caller for an address; the packet that made us ask has no verified source yet.
    fn claim(&mut self, now: Instant, address: Ipv6Addr) -> Inbound {
        if !self.make_room(now) {
            return Inbound::Drop(reason::IPHTTPS_ADDRESS_LIMIT);
        }
        push(&mut self.events, Event::Claimed(address), MOST_EVENTS);
        Inbound::Drop(reason::IPHTTPS_SOURCE_FOREIGN)
    }

    /// The address is the client's from now on.
    pub fn grant(&mut self, now: Instant, address: Ipv6Addr) {
        if self.addresses.contains(address) || self.make_room(now) {
            self.addresses.insert(now, address, false);
        }
    }

    fn make_room(&mut self, now: Instant) -> bool {
        let (room, gone) = self.addresses.make_room(now, self.config.most_addresses);
        if let Some(gone) = gone {
            push(&mut self.events, Event::Released(gone), MOST_EVENTS);
        }
        room
    }

    /// The address belongs to another: tells the client so, and gives the reason to count.
    pub fn refuse(&mut self, address: Ipv6Addr) -> reason::Reason {
        self.answer(Answer::Defence { target: address });
        reason::IPHTTPS_ADDRESS_TAKEN
    }

    /// Takes an address away, because another session has it.
    pub fn revoke(&mut self, address: Ipv6Addr) {
        self.addresses.remove(address);
    }

    /// Writes the next packet for the client into `out`; false when there is none.
    pub fn poll_output(&mut self, out: &mut Packet) -> bool {
        let link_local = self.config.link_local;
        while let Some(answer) = self.answers.pop_front() {
            let written = match answer {
                Answer::RouterAdvertisement { to } => {
                    nd::write_advertisement(&self.config.lease, CUR_HOP_LIMIT, link_local, to, out)
                }
                Answer::NeighbourAdvertisement { to } => {
                    let target = link_local;
                    let message =
                        NeighbourAdvertisement { target, router: true, solicited: true, replace: true };
                    nd::write_neighbour_advertisement(link_local, to, &message, out)
                }
                Answer::Defence { target } => {
                    let message =
                        NeighbourAdvertisement { target, router: false, solicited: false, replace: true };
                    nd::write_neighbour_advertisement(target, ALL_NODES, &message, out)
                }
            };
            // A lease that fits no packet was refused when it was configured; what cannot be written is not sent.
            if written {
                return true;
            }
        }
        false
    }

    /// The next thing that the caller must see to.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The gateway's end waits for nothing.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// Never: what ends a session is its connection.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        Instant::NEVER
    }

    fn answer(&mut self, answer: Answer) {
        push(&mut self.answers, answer, MOST_ANSWERS);
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() < most {
        queue.push_back(item);
    }
}

/// True for addresses that mean something on one link only: multicast, link-local, unspecified.
fn is_link_scope(address: Ipv6Addr) -> bool {
    address.is_multicast() || address.is_unicast_link_local() || address.is_unspecified()
}

/// Multicast listener discovery (RFC 2710, RFC 3810), which travels behind a hop-by-hop header.
fn is_listener_report(ip: &Ipv6<'_>) -> bool {
    const REPORT: u8 = 131;
    const DONE: u8 = 132;
    const REPORT_2: u8 = 143;
    ip.upper().is_ok_and(|upper| {
        upper.protocol == protocol::ICMPV6
            && ip
                .bytes()
                .get(upper.offset..)
                .and_then(|message| icmpv6::Icmpv6::parse(message).ok())
                .is_some_and(|message| matches!(message.kind(), REPORT | DONE | REPORT_2))
    })
}

#[cfg(test)]
mod tests;
