//! Messages of neighbour discovery that wait to be sent: small values, written into a packet when they are taken.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::Packet;
use sixgate_wire::lease::Lease;
use sixgate_wire::nd::{self, NeighbourAdvertisement, Parameters};

/// What is to be said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Message {
    Solicit,
    /// What is offered; lifetimes of zero take away.
    Advertise(Arc<Lease>),
    SolicitNeighbour {
        target: Ipv6Addr,
    },
    AdvertiseNeighbour(NeighbourAdvertisement),
    /// A better first hop for a destination.
    Redirect {
        target: Ipv6Addr,
        destination: Ipv6Addr,
    },
}

/// One message with its addresses, outer and inner.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) to: Ipv4Addr,
    pub(crate) src: Ipv6Addr,
    pub(crate) dst: Ipv6Addr,
    pub(crate) message: Message,
}

impl Outgoing {
    /// Writes the packet of a host, which advertises nothing.
    pub(crate) fn write(&self, out: &mut Packet) -> bool {
        self.write_with(&Parameters::default(), out)
    }

    /// Writes the packet; `parameters` are those of an advertisement.
    pub(crate) fn write_with(&self, parameters: &Parameters, out: &mut Packet) -> bool {
        match &self.message {
            Message::Solicit => nd::write_solicitation(self.src, self.dst, out),
            Message::Advertise(lease) => {
                nd::write_advertisement_with(lease, parameters, self.src, self.dst, out)
            }
            Message::SolicitNeighbour { target } => {
                nd::write_neighbour_solicitation(self.src, self.dst, *target, out)
            }
            Message::Redirect { target, destination } => {
                nd::write_redirect(self.src, self.dst, *target, *destination, out)
            }
            Message::AdvertiseNeighbour(message) => {
                nd::write_neighbour_advertisement(self.src, self.dst, message, out)
            }
        }
    }
}

/// A bounded queue. The caller drains it after every call, so it is full only when a peer sends faster than we are read.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: VecDeque<Outgoing>,
    most: usize,
}

impl Queue {
    pub(crate) fn new(most: usize) -> Self {
        Self { waiting: VecDeque::with_capacity(most), most }
    }

    /// False, and nothing queued, when there is no room.
    pub(crate) fn push(&mut self, outgoing: Outgoing) -> bool {
        let fits = self.room() > 0;
        if fits {
            self.waiting.push_back(outgoing);
        }
        fits
    }

    pub(crate) fn pop(&mut self) -> Option<Outgoing> {
        self.waiting.pop_front()
    }

    pub(crate) fn room(&self) -> usize {
        self.most - self.waiting.len()
    }
}
