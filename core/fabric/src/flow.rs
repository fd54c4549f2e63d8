//! Flows: who opened them, what state they are in, how long they live.

use core::hash::{Hash, Hasher};
use core::net::Ipv6Addr;

use sixgate_time::{Duration, Instant};
use sixgate_wire::flow::FlowKey;
use sixgate_wire::protocol;

mod state;

pub(crate) use state::Signal;

/// The state of a flow; each has its own timeout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowState {
    /// TCP: a SYN was let through, no SYN-ACK came yet.
    SynSent,
    /// TCP: a SYN-ACK answered.
    Established,
    /// TCP: a reset, or both sides said FIN.
    Closing,
    /// UDP.
    Udp,
    /// ICMPv6 echo with one identifier.
    Echo,
    /// Any other protocol between two addresses.
    Other,
}

impl FlowState {
    /// Class of [`crate::bounded::Bounded`]: the index in [`Timeouts::classes`].
    pub(crate) const fn class(self) -> u8 {
        self as u8
    }

    /// The state of a flow that a packet of this protocol opens.
    pub(crate) const fn first(protocol: u8) -> Self {
        match protocol {
            protocol::TCP => Self::SynSent,
            protocol::UDP => Self::Udp,
            protocol::ICMPV6 => Self::Echo,
            _ => Self::Other,
        }
    }
}

/// How long a flow lives without a packet. The defaults are the shortest that RFC 6092 allows, or its own defaults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// [`FlowState::SynSent`] and [`FlowState::Closing`].
    pub tcp_transitory: Duration,
    /// [`FlowState::Established`].
    pub tcp_established: Duration,
    /// [`FlowState::Udp`].
    pub udp: Duration,
    /// [`FlowState::Echo`].
    pub echo: Duration,
    /// [`FlowState::Other`].
    pub other: Duration,
}

impl Timeouts {
    pub(crate) const fn classes(&self) -> [Duration; 6] {
        // In the order of `FlowState`.
        [self.tcp_transitory, self.tcp_established, self.tcp_transitory, self.udp, self.echo, self.other]
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            // RFC 6092, REC-35: transitory not below four minutes, established not below two hours four minutes.
            tcp_transitory: Duration::from_secs(240),
            tcp_established: Duration::from_secs(7440),
            // RFC 6092, REC-14: five minutes unless configured.
            udp: Duration::from_secs(300),
            // RFC 6092 gives ICMP none; RFC 5508, REQ-2: not below 60 seconds.
            echo: Duration::from_secs(60),
            other: Duration::from_secs(300),
        }
    }
}

/// One line of the list of flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowView {
    /// Seen from whoever opened it.
    pub key: FlowKey,
    /// Its state.
    pub state: FlowState,
    /// Octets from whoever opened it, IPv6 headers included.
    pub sent: u64,
    /// Octets to whoever opened it.
    pub received: u64,
    /// When it ends unless a packet comes.
    pub expires: Instant,
}

/// The two ends of a flow without a direction: the lower end first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ends {
    protocol: u8,
    low: (Ipv6Addr, u16),
    high: (Ipv6Addr, u16),
}

/// Which way a packet of a flow goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// From the lower end to the higher.
    Up,
    /// From the higher end to the lower.
    Down,
}

impl Direction {
    pub(crate) const BOTH: [Self; 2] = [Self::Up, Self::Down];

    pub(crate) const fn opposite(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

impl Ends {
    /// The ends of `key` and the direction that it is seen in.
    pub(crate) fn of(key: &FlowKey) -> (Self, Direction) {
        let (src, dst) = ((key.src, key.src_port), (key.dst, key.dst_port));
        let (low, high, direction) =
            if src <= dst { (src, dst, Direction::Up) } else { (dst, src, Direction::Down) };
        (Self { protocol: key.protocol, low, high }, direction)
    }

    /// The key of a packet that goes this way.
    pub(crate) fn key(&self, direction: Direction) -> FlowKey {
        let (src, dst) = match direction {
            Direction::Up => (self.low, self.high),
            Direction::Down => (self.high, self.low),
        };
        FlowKey { protocol: self.protocol, src: src.0, dst: dst.0, src_port: src.1, dst_port: dst.1 }
    }
}

impl Hash for Ends {
    /// One write of 40 octets: five words for the hash, no partial ones.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut octets = [0; 40];
        octets[..16].copy_from_slice(&self.low.0.octets());
        octets[16..32].copy_from_slice(&self.high.0.octets());
        octets[32..34].copy_from_slice(&self.low.1.to_be_bytes());
        octets[34..36].copy_from_slice(&self.high.1.to_be_bytes());
        octets[36] = self.protocol;
        state.write(&octets);
    }
}

/// A pair of yes-or-no answers, one for each direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ways(u8);

impl Ways {
    pub(crate) const fn only(direction: Direction) -> Self {
        Self(1 << direction as u8)
    }

    pub(crate) const fn has(self, direction: Direction) -> bool {
        self.0 & 1 << direction as u8 != 0
    }

    pub(crate) fn add(&mut self, direction: Direction) {
        self.0 |= 1 << direction as u8;
    }

    pub(crate) fn take(&mut self, direction: Direction) {
        self.0 &= !(1 << direction as u8);
    }

    pub(crate) const fn none(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn both(self) -> bool {
        self.0 == 3
    }
}

/// What is remembered of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Flow {
    /// The directions in which policy allowed to open it. Two hosts that ping each other with the same identifier, or
    /// call each other between the same ports, share one flow.
    pub(crate) opened: Ways,
    pub(crate) state: FlowState,
    /// TCP: who said FIN.
    finished: Ways,
    /// TCP: a SYN-ACK came, so that the connection was once established.
    answered: bool,
    /// The policy by which `opened` was judged.
    pub(crate) epoch: u64,
    /// Octets up and down.
    octets: [u64; 2],
}

impl Flow {
    pub(crate) fn new(protocol: u8, opened: Direction, epoch: u64) -> Self {
        Self {
            opened: Ways::only(opened),
            state: FlowState::first(protocol),
            finished: Ways::default(),
            answered: false,
            epoch,
            octets: [0; 2],
        }
    }

    pub(crate) fn count(&mut self, direction: Direction, octets: usize) {
        let sum = &mut self.octets[direction as usize];
        *sum = sum.wrapping_add(octets as u64);
    }

    pub(crate) fn view(&self, ends: &Ends, expires: Instant) -> FlowView {
        // Both may have opened it; the lower end is then the one that is shown.
        let opener = if self.opened.has(Direction::Up) { Direction::Up } else { Direction::Down };
        FlowView {
            key: ends.key(opener),
            state: self.state,
            sent: self.octets[opener as usize],
            received: self.octets[opener.opposite() as usize],
            expires,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_directions_have_the_same_ends(
            src: u128, dst: u128, src_port: u16, dst_port: u16, protocol: u8, equal: bool,
        ) {
            let dst = if equal { src } else { dst };
            let (src, dst) = (Ipv6Addr::from_bits(src), Ipv6Addr::from_bits(dst));
            let key = FlowKey { protocol, src, dst, src_port, dst_port };
            let (ends, there) = Ends::of(&key);
            let (same, back) = Ends::of(&key.reversed());
            prop_assert_eq!(ends, same);
            prop_assert_eq!(ends.key(there), key);
            prop_assert_eq!(ends.key(back), key.reversed());
        }
    }
}
