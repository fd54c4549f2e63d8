//! One answer out of those of several workers.

use sixgate_nat64::{PoolView, Slice};
use sixgate_reason::Counters;

use crate::seam::{Counts, Memory, RetirementView, Traced};

/// An answer that grows by those of further workers.
pub(crate) trait Merge {
    /// Takes in what another worker has answered.
    fn merge(&mut self, other: Self);
}

/// A list of things of which each worker has its own.
impl<T: Listed> Merge for Vec<T> {
    fn merge(&mut self, other: Self) {
        self.extend(other);
    }
}

/// Things that a worker has for itself.
pub(crate) trait Listed {}

impl Listed for sixgate_isatap::HostView {}
impl Listed for sixgate_fabric::FlowView {}
impl Listed for crate::net::Heard {}
impl Listed for crate::net::Traffic {}
impl Listed for crate::seam::ClientView {}

/// All look at the same places of their tables; the longest decides where the end is.
impl<T> Merge for Slice<T> {
    fn merge(&mut self, other: Self) {
        self.items.extend(other.items);
        self.next = self.next.or(other.next);
    }
}

/// All workers know the parts of the pool, in the same order, and each counts its share of them.
impl Merge for Vec<PoolView> {
    fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.iter_mut().zip(other) {
            mine.used += theirs.used;
            mine.total += theirs.total;
            mine.blocks_used += theirs.blocks_used;
            mine.blocks += theirs.blocks;
            // One share that is full refuses clients, however empty the others are.
            mine.level = mine.level.max(theirs.level);
        }
    }
}

impl Merge for Box<Counters> {
    fn merge(&mut self, other: Self) {
        Counters::merge(self, &other);
    }
}

impl Merge for Counts {
    fn merge(&mut self, other: Self) {
        let Self { clients, with_bbr, hosts_served, hosts_refused, nat64, flows } = other;
        self.clients += clients;
        self.with_bbr += with_bbr;
        self.hosts_served += hosts_served;
        self.hosts_refused += hosts_refused;
        self.nat64.sessions += nat64.sessions;
        self.nat64.bindings += nat64.bindings;
        self.nat64.held_syns += nat64.held_syns;
        self.nat64.fragments += nat64.fragments;
        self.nat64.fragment_octets += nat64.fragment_octets;
        self.flows += flows;
    }
}

impl<T> Merge for Option<T> {
    fn merge(&mut self, other: Self) {
        *self = self.take().or(other);
    }
}

/// What only the first worker knows: the others have no fabric and no ISATAP link.
macro_rules! of_the_first {
    ($($answer:ty),*) => {
        $(impl Merge for $answer {
            fn merge(&mut self, _: Self) {}
        })*
    };
}

of_the_first!(Memory, RetirementView, Traced);

#[cfg(test)]
mod tests {
    use sixgate_nat64::{Gauges, Level, Proto};
    use sixgate_reason::{NAT64_FILTERED, QUEUE_FULL};

    use super::*;

    #[test]
    fn counts_add_up_and_a_pool_is_told_once() {
        let part = |used, total, level| {
            let addresses = "192.0.2.0/31".parse().unwrap();
            let (protocol, ports) = (Proto::Tcp, 1..=9);
            vec![PoolView {
                protocol,
                addresses,
                ports,
                used,
                total,
                blocks_used: used,
                blocks: total,
                level,
            }]
        };
        let mut pools = part(3, 10, Level::Normal);
        pools.merge(part(7, 8, Level::High));
        assert_eq!(pools, part(10, 18, Level::High));

        let (mut mine, mut theirs) = (Box::<Counters>::default(), Box::<Counters>::default());
        mine.count(NAT64_FILTERED);
        theirs.count(NAT64_FILTERED);
        theirs.count(QUEUE_FULL);
        Merge::merge(&mut mine, theirs);
        assert_eq!((mine.of(NAT64_FILTERED), mine.of(QUEUE_FULL)), (2, 1));

        let nat64 = |sessions| Gauges { sessions, held_syns: 1, ..Gauges::default() };
        let mut counts = Counts { nat64: nat64(5), ..Counts::default() };
        counts.merge(Counts { nat64: nat64(6), ..Counts::default() });
        assert_eq!((counts.nat64.sessions, counts.nat64.held_syns), (11, 2));
    }
}
