//! The ISATAP link of a worker: its raw socket and the router behind it.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};

use sixgate_io_link::{Outer, PathErrors, Proto41};
use sixgate_isatap::{Inbound, Refused, Router};
use sixgate_reason::{ISATAP_CONGESTION_LOST, ISATAP_PATH_ERROR_FOREIGN};
use sixgate_time::Instant;
use sixgate_wire::addr::isatap;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::path_error::PathFault;
use sixgate_wire::{Packet, ecn};

use super::capture::{Captures, Fate, own_outer};
use super::heard::Hearing;
use super::port::Way;
use super::worker::{BATCH, Worker};
use crate::seam::Memory;

/// So many full batches in a row mean that packets come faster than they are dealt with: some 20 ms of a flood.
const PRESSED: u32 = 32;

/// Socket and router.
pub(crate) struct IsatapLink {
    pub(crate) socket: Proto41,
    pub(crate) router: Router,
    pub(crate) errors: PathErrors,
    full_batches: u32,
    /// How often control was told of the hosts.
    memories: u64,
    pub(crate) heard: Hearing,
}

impl IsatapLink {
    pub(crate) fn new(socket: Proto41, errors: PathErrors, router: Router) -> Self {
        Self { socket, router, errors, full_batches: 0, memories: 0, heard: Hearing::new() }
    }

    /// Reads one batch and tells the router whether there is a queue behind it.
    fn receive(&mut self, arrivals: &mut Arrivals) -> io::Result<usize> {
        let n = self.socket.receive_batch(&mut arrivals.packets, &mut arrivals.outer)?;
        self.full_batches = if n == BATCH { self.full_batches.saturating_add(1) } else { 0 };
        self.router.set_pressed(self.full_batches >= PRESSED);
        Ok(n)
    }

    /// Queues a packet for the host or router that it is for, which is given.
    pub(crate) fn send(&mut self, now: Instant, packet: &Packet) -> Result<Ipv4Addr, Refused> {
        let to = self.router.encapsulate(now, packet)?;
        self.queue(to, packet).map(|()| to)
    }

    fn queue(&mut self, to: Ipv4Addr, packet: &Packet) -> Result<(), Refused> {
        self.socket.send(to, packet).map_err(|fault| Refused { reason: fault.reason(), refusal: None })
    }

    /// Queues what the router itself has to say.
    pub(crate) fn queue_own(&mut self, scratch: &mut Packet, captures: &mut Captures) {
        while let Some(to) = self.router.poll_output(scratch) {
            if captures.is_on() {
                captures.at_isatap(own_outer(self.router.address(), to), scratch, Fate::Sent);
            }
            // Neighbour discovery is never a super-packet, so its metadata always fits.
            let _ = self.queue(to, scratch);
        }
    }
}

impl AsFd for IsatapLink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Where a batch from the raw socket is read to.
pub(crate) struct Arrivals {
    packets: Vec<Packet>,
    outer: Vec<Outer>,
}

impl Arrivals {
    pub(crate) fn new() -> Self {
        Self { packets: (0..BATCH).map(|_| Packet::new()).collect(), outer: vec![Outer::default(); BATCH] }
    }
}

impl Worker {
    /// Reads one batch of protocol 41 and forwards what the router believes.
    pub(super) fn read_isatap(&mut self) -> io::Result<()> {
        let Some(mut arrivals) = self.arrivals.take() else { return Ok(()) };
        let result = self.receive_isatap(&mut arrivals);
        self.arrivals = Some(arrivals);
        result
    }

    /// What control is to keep of the hosts that are served.
    pub(super) fn memory_of_hosts(&mut self) -> Memory {
        let Some(link) = &mut self.isatap else { return Memory::default() };
        link.memories += 1;
        Memory { number: link.memories, hosts: link.router.memory_of_hosts() }
    }

    /// A packet of an ISATAP host opened a flow.
    pub(super) fn note_flow(&mut self, packet: &Packet) {
        let source = Ipv6::parse(packet.bytes()).ok().map(|ip| ip.src());
        if let (Some(link), Some((_, v4))) = (&mut self.isatap, source.and_then(isatap::embedded)) {
            link.router.flow_started(self.now, v4);
        }
    }

    /// Reads what the IPv4 network says of packets that were sent to hosts, and tells their senders.
    pub(super) fn read_path_errors(&mut self) -> io::Result<()> {
        let Some(mut quoted) = self.pool.take() else { return Ok(()) };
        for _ in 0..BATCH {
            let Some(link) = &mut self.isatap else { break };
            let Some(reported) = link.errors.receive(&mut quoted)? else { break };
            let to = reported.to;
            // Anybody can send such an error; a packet of a flow that is open is not as easily guessed.
            let sent = self.fabric.has_flow_of(self.now, quoted.bytes());
            if !sent && matches!(reported.fault, PathFault::TooBig { .. }) {
                self.tally.count(self.now, ISATAP_PATH_ERROR_FOREIGN, format_args!("towards {to}"));
                continue;
            }
            match link.router.path_failed(self.now, to, reported.fault, &quoted) {
                Ok(Refused { reason, refusal: Some(refusal) }) if sent => {
                    let source = Ipv6::parse_quoted(quoted.bytes()).ok().map(|ip| ip.src());
                    if let Some(way) = source.and_then(|src| self.fabric.route(src)).map(Way::of) {
                        self.refuse(way, reason, Some(refusal), &quoted);
                    }
                }
                Ok(Refused { reason, .. }) | Err(reason) => {
                    self.tally.count(self.now, reason, format_args!("towards {to}"));
                }
            }
        }
        self.pool.give(quoted);
        Ok(())
    }

    fn receive_isatap(&mut self, arrivals: &mut Arrivals) -> io::Result<()> {
        let Some(link) = &mut self.isatap else { return Ok(()) };
        let n = link.receive(arrivals)?;
        let Some(mut coalescer) = self.coalescer.take() else { return Ok(()) };
        for (packet, outer) in arrivals.packets[..n].iter_mut().zip(&arrivals.outer) {
            let Some(link) = &mut self.isatap else { break };
            let inbound = link.router.decapsulate(self.now, outer.src, outer.dst, packet);
            if self.captures.is_on() {
                let fate = match inbound {
                    // With the fabric's verdict and one by one: merged, they have no outer headers any more.
                    Inbound::Forward if ecn::leave(packet.bytes_mut(), outer.tos) => {
                        let came = packet.clone();
                        if link.router.answer_echo(self.now, outer.src, packet) {
                            self.captures.at_isatap(*outer, &came, Fate::Consumed);
                            let own = own_outer(link.router.address(), outer.src);
                            self.captures.at_isatap(own, packet, Fate::Sent);
                            let _ = link.queue(outer.src, packet);
                            continue;
                        }
                        self.captures.set_outer(Some(*outer));
                        self.forward(Way::Isatap, packet);
                        self.captures.set_outer(None);
                        continue;
                    }
                    Inbound::Forward => Fate::Dropped(ISATAP_CONGESTION_LOST),
                    Inbound::Consumed => Fate::Consumed,
                    Inbound::Drop(reason) => Fate::Dropped(reason),
                };
                self.captures.at_isatap(*outer, packet, fate);
            }
            match inbound {
                Inbound::Forward if !ecn::leave(packet.bytes_mut(), outer.tos) => {
                    let from = outer.src;
                    self.tally.count(
                        self.now,
                        ISATAP_CONGESTION_LOST,
                        format_args!("{packet:?} from {from}"),
                    );
                }
                Inbound::Forward if link.router.answer_echo(self.now, outer.src, packet) => {
                    let _ = link.queue(outer.src, packet);
                }
                Inbound::Forward => coalescer.push_packet(packet, &mut |p| self.forward(Way::Isatap, p)),
                Inbound::Consumed => link.heard.consumed(self.now, outer.src, packet),
                Inbound::Drop(reason) => {
                    link.heard.dropped(self.now, outer.src, packet, reason);
                    self.tally.count(self.now, reason, format_args!("{packet:?} from {}", outer.src));
                }
            }
        }
        coalescer.flush(&mut |p| self.forward(Way::Isatap, p));
        self.coalescer = Some(coalescer);
        Ok(())
    }
}
