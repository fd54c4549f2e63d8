//! The last solicitations and the last drops of the ISATAP link: what `doctor` on the other end asks after.
//!
//! Two rings of fixed size, so that a flood of one kind does not push the other out, and costs no more than a store.

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::Reason;
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd::Kind;

/// Messages that are remembered of each kind.
const MOST: usize = 128;

/// A message on the link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    pub(crate) outer: Ipv4Addr,
    pub(crate) inner: Option<Ipv6Addr>,
    pub(crate) solicitation: bool,
    pub(crate) dropped: Option<Reason>,
}

/// What was heard.
pub(crate) struct Hearing {
    solicitations: Ring,
    drops: Ring,
}

struct Ring {
    slots: Box<[Option<Heard>]>,
    next: usize,
}

impl Hearing {
    pub(crate) fn new() -> Self {
        Self { solicitations: Ring::new(), drops: Ring::new() }
    }

    /// A message that the router took for itself.
    pub(crate) fn consumed(&mut self, now: Instant, outer: Ipv4Addr, packet: &Packet) {
        let heard = Heard::of(now, outer, packet, None);
        if heard.solicitation {
            self.solicitations.push(heard);
        }
    }

    /// A packet that went no further.
    pub(crate) fn dropped(&mut self, now: Instant, outer: Ipv4Addr, packet: &Packet, reason: Reason) {
        let heard = Heard::of(now, outer, packet, Some(reason));
        if heard.solicitation { self.solicitations.push(heard) } else { self.drops.push(heard) }
    }

    /// Everything, in no particular order of kinds; within a kind the oldest first.
    pub(crate) fn all(&self) -> Vec<Heard> {
        self.solicitations.iter().chain(self.drops.iter()).collect()
    }
}

impl Heard {
    fn of(at: Instant, outer: Ipv4Addr, packet: &Packet, dropped: Option<Reason>) -> Self {
        let ip = Ipv6::parse(packet.bytes()).ok();
        let kind = ip.as_ref().and_then(Kind::of);
        Self {
            at,
            outer,
            inner: ip.map(|ip| ip.src()),
            solicitation: kind == Some(Kind::RouterSolicitation),
            dropped,
        }
    }
}

impl Ring {
    fn new() -> Self {
        Self { slots: vec![None; MOST].into_boxed_slice(), next: 0 }
    }

    fn push(&mut self, heard: Heard) {
        self.slots[self.next] = Some(heard);
        self.next = (self.next + 1) % MOST;
    }

    fn iter(&self) -> impl Iterator<Item = Heard> + '_ {
        let (new, old) = self.slots.split_at(self.next);
        old.iter().chain(new).filter_map(|slot| *slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sixgate_reason::{ISATAP_HOST_NOT_ALLOWED, ISATAP_NOT_IPV6};
    use sixgate_wire::nd;

    #[test]
    fn a_flood_of_rubbish_leaves_solicitations_and_the_order_alone() {
        let mut rs = Packet::new();
        let (host, router) = ("fe80::5efe:a06:814".parse().unwrap(), "fe80::5efe:a06:1".parse().unwrap());
        assert!(nd::write_solicitation(host, router, &mut rs));
        let rubbish = Packet::from_slice(&[0; 40]);
        let mut hearing = Hearing::new();
        let at = |n: u64| Instant::ZERO + sixgate_time::Duration::from_secs(n);
        hearing.consumed(at(1), Ipv4Addr::new(10, 6, 8, 20), &rs);
        hearing.dropped(at(2), Ipv4Addr::new(10, 6, 8, 20), &rs, ISATAP_HOST_NOT_ALLOWED);
        for n in 0..1000 {
            hearing.dropped(at(n), Ipv4Addr::new(10, 0, 0, 1), &rubbish, ISATAP_NOT_IPV6);
        }
        let all = hearing.all();
        assert_eq!(all.len(), 2 + MOST);
        assert!(all[0].solicitation && all[0].dropped.is_none() && all[0].inner == Some(host));
        assert_eq!(all[1].dropped, Some(ISATAP_HOST_NOT_ALLOWED));
        assert!(all[2..].windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}
