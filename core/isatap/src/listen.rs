//! Listening to somebody else's ISATAP: who still asks which router, and what that answers.
//!
//! Nothing is sent and nothing is believed: this is a list for a person who is about to switch a router off.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::addr::isatap;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd::{self, Kind};

use crate::neighbour;

/// Pairs that are kept; further ones are counted alone.
const MOST_PAIRS: usize = 8192;
/// Prefixes of one router that are kept.
const MOST_PREFIXES: usize = 16;

/// A host and a router that were heard together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pair {
    /// Who asked, or was answered.
    pub host: Ipv4Addr,
    /// Who was asked, or answered.
    pub router: Ipv4Addr,
    /// Router solicitations.
    pub solicitations: u64,
    /// Router advertisements.
    pub advertisements: u64,
    /// Other packets, both ways.
    pub packets: u64,
    /// Prefixes of the last advertisement that had any.
    pub prefixes: Vec<Ipv6Prefix>,
    /// Seconds for which the last advertisement offered a default route.
    pub router_lifetime: u16,
    /// When the first packet was heard.
    pub first: Instant,
    /// When the last one was.
    pub last: Instant,
}

/// What was heard so far.
#[derive(Debug, Default)]
pub struct Listener {
    pairs: BTreeMap<(Ipv4Addr, Ipv4Addr), Pair>,
    other: u64,
}

impl Listener {
    /// Takes a packet that went in protocol 41 from `src` to `dst`.
    pub fn hear(&mut self, now: Instant, src: Ipv4Addr, dst: Ipv4Addr, packet: &Packet) {
        let Ok(ip) = neighbour::read(packet) else {
            self.other += 1;
            return;
        };
        match Kind::of(&ip) {
            Some(Kind::RouterSolicitation) => self.note(now, src, dst, |pair| pair.solicitations += 1),
            Some(Kind::RouterAdvertisement) => {
                let lease = nd::parse_advertisement(&ip).ok();
                self.note(now, dst, src, |pair| {
                    pair.advertisements += 1;
                    let Some(lease) = lease else { return };
                    pair.router_lifetime = lease.router_lifetime;
                    let prefixes = lease.prefixes.iter().map(|leased| leased.prefix).take(MOST_PREFIXES);
                    if !lease.prefixes.is_empty() {
                        pair.prefixes = prefixes.collect();
                    }
                });
            }
            Some(Kind::NeighbourSolicitation | Kind::NeighbourAdvertisement | Kind::Redirect) | None => {
                match self.roles(src, dst, &ip) {
                    Some((host, router)) => self.note(now, host, router, |pair| pair.packets += 1),
                    None => self.other += 1,
                }
            }
        }
    }

    /// Every pair, by host and router.
    pub fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.values()
    }

    /// Packets in protocol 41 that are not ISATAP's, or are of pairs for which there was no room.
    #[must_use]
    pub const fn other(&self) -> u64 {
        self.other
    }

    /// Who of the two is the host: known pairs first, else the end whose inner address embeds its outer one, which a router
    /// that forwards does not have.
    fn roles(&self, src: Ipv4Addr, dst: Ipv4Addr, ip: &Ipv6<'_>) -> Option<(Ipv4Addr, Ipv4Addr)> {
        for pair in [(src, dst), (dst, src)] {
            if self.pairs.contains_key(&pair) {
                return Some(pair);
            }
        }
        let is = |address, v4| isatap::embedded(address).is_some_and(|(_, embedded)| embedded == v4);
        match (is(ip.src(), src), is(ip.dst(), dst)) {
            (true, _) => Some((src, dst)),
            (false, true) => Some((dst, src)),
            (false, false) => None,
        }
    }

    fn note(&mut self, now: Instant, host: Ipv4Addr, router: Ipv4Addr, count: impl FnOnce(&mut Pair)) {
        let key = (host, router);
        if self.pairs.len() >= MOST_PAIRS && !self.pairs.contains_key(&key) {
            self.other += 1;
            return;
        }
        let pair = self.pairs.entry(key).or_insert_with(|| Pair {
            host,
            router,
            solicitations: 0,
            advertisements: 0,
            packets: 0,
            prefixes: Vec::new(),
            router_lifetime: 0,
            first: now,
            last: now,
        });
        pair.last = now;
        count(pair);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv6Addr;
    use sixgate_wire::addr::isatap::{Form, address, link_local};
    use sixgate_wire::lease::{Lease, LeasedPrefix};
    use sixgate_wire::{ipv6, protocol};
    use std::vec;

    const HOST: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);
    const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 9);
    const PREFIX: &str = "2001:db8:5::/64";

    fn fe80(v4: Ipv4Addr) -> Ipv6Addr {
        link_local(Form::Private, v4)
    }

    fn data(src: Ipv6Addr, dst: Ipv6Addr) -> Packet {
        let header = ipv6::Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: 0,
            next_header: protocol::UDP,
            hop_limit: 64,
            src,
            dst,
        };
        Packet::from_slice(&header.octets())
    }

    #[test]
    fn who_asks_whom_and_what_comes_back() {
        let mut listener = Listener::default();
        let mut packet = Packet::with_capacity(500);
        assert!(nd::write_solicitation(fe80(HOST), fe80(ROUTER), &mut packet));
        for n in 1..=3 {
            listener.hear(Instant::from_secs(n), HOST, ROUTER, &packet);
        }
        let leased =
            LeasedPrefix { prefix: PREFIX.parse().unwrap(), preferred: 1800, valid: 3600, on_link: false };
        let lease = Lease { prefixes: vec![leased], router_lifetime: 600, ..Lease::default() };
        assert!(nd::write_advertisement(&lease, 64, fe80(ROUTER), fe80(HOST), &mut packet));
        listener.hear(Instant::from_secs(4), ROUTER, HOST, &packet);
        let global = address("2001:db8:5::".parse().unwrap(), Form::Private, HOST);
        let client: Ipv6Addr = "2001:db8:6::1".parse().unwrap();
        listener.hear(Instant::from_secs(5), HOST, ROUTER, &data(global, client));
        listener.hear(Instant::from_secs(6), ROUTER, HOST, &data(client, global));
        let pairs: Vec<_> = listener.pairs().cloned().collect();
        let expected = Pair {
            host: HOST,
            router: ROUTER,
            solicitations: 3,
            advertisements: 1,
            packets: 2,
            prefixes: vec![PREFIX.parse().unwrap()],
            router_lifetime: 600,
            first: Instant::from_secs(1),
            last: Instant::from_secs(6),
        };
        assert_eq!((pairs, listener.other()), (vec![expected], 0));
    }

    #[test]
    fn data_alone_tells_the_host_from_the_router_and_other_tunnels_are_nobodys() {
        let mut listener = Listener::default();
        let global = address("2001:db8:5::".parse().unwrap(), Form::Global, HOST);
        let client: Ipv6Addr = "2001:db8:6::1".parse().unwrap();
        listener.hear(Instant::ZERO, ROUTER, HOST, &data(client, global));
        listener.hear(Instant::ZERO, HOST, ROUTER, &data(client, "2001:db8:7::1".parse().unwrap()));
        listener.hear(Instant::ZERO, ROUTER, Ipv4Addr::new(1, 2, 3, 4), &data(client, client));
        listener.hear(Instant::ZERO, HOST, ROUTER, &Packet::from_slice(b"nonsense"));
        let pairs: Vec<_> = listener.pairs().map(|pair| (pair.host, pair.router, pair.packets)).collect();
        assert_eq!((pairs, listener.other()), (vec![(HOST, ROUTER, 2)], 2));
    }

    #[test]
    fn the_list_is_bounded() {
        let mut listener = Listener::default();
        let mut packet = Packet::with_capacity(100);
        assert!(nd::write_solicitation(fe80(HOST), fe80(ROUTER), &mut packet));
        for n in 0..MOST_PAIRS as u32 + 5 {
            listener.hear(Instant::ZERO, Ipv4Addr::from_bits(0x0a00_0000 + n), ROUTER, &packet);
        }
        assert_eq!((listener.pairs().count(), listener.other()), (MOST_PAIRS, 5));
    }
}
