//! Who gets which ports and gives them back, for a log that answers who had one (RFC 6888, section 4; RFC 7422).

use alloc::collections::VecDeque;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::addr::Ipv6Prefix;

use super::Pool;
use crate::endpoint::{Inside, Outside, Proto};

/// Events that wait for [`crate::Nat64::poll_port_event`]; far more than one packet, or one call that lets time pass,
/// can cause.
const MOST: usize = 8192;

/// Ports of an outside address that somebody got, or gave back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PortEvent {
    /// Outside address.
    pub address: Ipv4Addr,
    /// First port or identifier.
    pub first: u16,
    /// Last port or identifier.
    pub last: u16,
    /// `None` means all three.
    pub protocol: Option<Proto>,
    /// Whose they are: one address, or a prefix that is one client.
    pub client: Ipv6Prefix,
    /// Got, or given back.
    pub allocated: bool,
}

impl PortEvent {
    /// A single port.
    pub(crate) fn single(proto: Proto, inside: Inside, outside: Outside, allocated: bool) -> Self {
        Self {
            address: outside.address,
            first: outside.port,
            last: outside.port,
            protocol: Some(proto),
            client: Ipv6Prefix::containing(inside.address, 128),
            allocated,
        }
    }
}

/// The queue of events. Off, it keeps nothing.
#[derive(Clone, Default)]
pub(super) struct Log {
    on: bool,
    /// The settings change: what comes of it is told at the end, all at once.
    muted: bool,
    events: VecDeque<PortEvent>,
    /// How many of them, in front, are there by a change of the settings: they take no room from what follows.
    of_changes: usize,
    lost: u64,
}

impl Log {
    pub(super) fn new(on: bool) -> Self {
        Self {
            on,
            muted: false,
            events: VecDeque::with_capacity(if on { MOST } else { 0 }),
            of_changes: 0,
            lost: 0,
        }
    }

    /// Goes on where another one ends, silent until [`Pool::log_change`].
    pub(super) fn inherit(&mut self, before: Self) {
        self.events.extend(before.events);
        self.lost += before.lost;
        self.muted = true;
    }

    pub(super) fn push(&mut self, event: PortEvent) {
        if !self.on || self.muted {
            return;
        }
        if self.events.len().saturating_sub(self.of_changes) >= MOST {
            self.lost += 1;
            return;
        }
        self.events.push_back(event);
    }
}

impl Pool {
    /// True when events are kept.
    pub(crate) const fn logs(&self) -> bool {
        self.log.on
    }

    pub(crate) fn poll_event(&mut self) -> Option<PortEvent> {
        self.log.of_changes = self.log.of_changes.saturating_sub(1);
        self.log.events.pop_front()
    }

    /// Events that nobody fetched in time, since the last call.
    pub(crate) const fn take_lost_events(&mut self) -> u64 {
        core::mem::replace(&mut self.log.lost, 0)
    }

    /// A static binding beside the entries is made.
    pub(crate) fn log_static(&mut self, proto: Proto, inside: Inside, outside: Outside) {
        self.log.push(PortEvent::single(proto, inside, outside, true));
    }

    /// What a change of the settings made of `before` is `after`, both in order. Their number has no bound but that of the
    /// bindings: a change is no packet.
    pub(crate) fn log_change(&mut self, before: &[PortEvent], after: &[PortEvent]) {
        self.log.muted = false;
        let gone = before.iter().filter(|event| after.binary_search(event).is_err());
        self.log.events.extend(gone.map(|event| PortEvent { allocated: false, ..*event }));
        if self.log.on {
            self.log.events.extend(after.iter().filter(|event| before.binary_search(event).is_err()));
        }
        self.log.of_changes = self.log.events.len();
    }

    /// The client's address as an event has it, where the client has a block.
    pub(super) fn whole(client: Ipv6Addr, length: u8) -> Ipv6Prefix {
        Ipv6Prefix::containing(client, length.min(128))
    }
}
