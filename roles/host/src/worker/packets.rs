//! The two ways of a packet: from the routers to the kernel, and from the kernel to the routers.

use sixgate_io_link::{Tun, clock};
use sixgate_isatap::{Inbound, Refused};
use sixgate_reason::{BUFFER_FULL, ISATAP_CONGESTION_LOST, QUEUE_FULL};
use sixgate_wire::{Packet, ecn, refusal};

use super::{BATCH, Worker, lost};
use crate::Failure;

impl Worker {
    /// Reads one batch of protocol 41 and gives the kernel what the core believes, merged where it can be.
    pub(super) fn read_link(&mut self) -> Result<(), Failure> {
        let (Some(link), Some(mut coalescer)) = (&mut self.link, self.coalescer.take()) else {
            return Ok(());
        };
        let received = link.socket.receive_batch(&mut self.arrivals, &mut self.outer);
        let n = received.map_err(|e| lost("the socket of protocol 41", e))?;
        let (tun, mut full) = (&mut self.parts.tun, 0_u64);
        let mut up = |packet: &mut Packet| full += u64::from(!give(tun, packet));
        for (packet, outer) in self.arrivals[..n].iter_mut().zip(&self.outer) {
            match link.host.decapsulate(self.now, outer.src, outer.dst, packet) {
                Inbound::Forward if !ecn::leave(packet.bytes_mut(), outer.tos) => {
                    let from = outer.src;
                    self.tally.count(
                        self.now,
                        ISATAP_CONGESTION_LOST,
                        format_args!("{packet:?} from {from}"),
                    );
                }
                Inbound::Forward => coalescer.push_packet(packet, &mut up),
                Inbound::Consumed => self.remembered.came(outer.src, packet, None),
                Inbound::Drop(reason) => {
                    self.remembered.came(outer.src, packet, Some(reason));
                    self.tally.count(self.now, reason, format_args!("{packet:?} from {}", outer.src));
                }
            }
        }
        coalescer.flush(&mut up);
        self.coalescer = Some(coalescer);
        for _ in 0..full {
            self.tally.count(self.now, QUEUE_FULL, "towards the kernel");
        }
        Ok(())
    }

    /// Reads one batch from the kernel. What no router leads to is answered at once with an ICMPv6 error, which makes
    /// programs try their next address.
    pub(super) fn read_tun(&mut self) -> Result<(), Failure> {
        let Some(mut packet) = self.arrivals.pop() else { return Ok(()) };
        let mut outcome = Ok(());
        for _ in 0..BATCH {
            match self.parts.tun.receive(&mut packet) {
                Ok(true) => self.send(&packet),
                Ok(false) => break,
                Err(e) => {
                    outcome = Err(lost(self.parts.tun.name(), e));
                    break;
                }
            }
        }
        self.arrivals.push(packet);
        while let Some(reason) = self.parts.tun.poll_damaged() {
            self.tally.count(self.now, reason, "from the kernel");
        }
        // Each packet that the device handed over goes out before the loop sleeps.
        if let Some(link) = &mut self.link
            && let Err(error) = link.socket.flush()
        {
            tracing::debug!(%error, "protocol 41 cannot be sent");
        }
        self.now = clock::now();
        outcome
    }

    /// Reads what the IPv4 network says of packets that were sent to routers, and tells their senders where nothing else leads.
    pub(super) fn read_errors(&mut self) -> Result<(), Failure> {
        let Some(mut quoted) = self.arrivals.pop() else { return Ok(()) };
        let mut outcome = Ok(());
        for _ in 0..BATCH {
            let Some(link) = &mut self.link else { break };
            let reported = match link.errors.receive(&mut quoted) {
                Ok(Some(reported)) => reported,
                Ok(None) => break,
                Err(e) => {
                    outcome = Err(lost("the socket of ICMP errors", e));
                    break;
                }
            };
            let to = reported.to;
            match link.host.path_failed(self.now, to, reported.fault, &quoted) {
                Ok(refused) => self.refuse(&refused, &quoted),
                Err(reason) => self.tally.count(self.now, reason, format_args!("towards {to}")),
            }
        }
        self.arrivals.push(quoted);
        outcome
    }

    fn send(&mut self, packet: &Packet) {
        let Some(link) = &mut self.link else { return };
        match link.host.encapsulate(self.now, packet) {
            Ok(to) => {
                // A super-packet is cut to the MTU of the link here.
                if let Err(fault) = link.socket.send(to, packet) {
                    self.tally.count(self.now, fault.reason(), format_args!("{packet:?}"));
                }
            }
            Err(refused) => self.refuse(&refused, packet),
        }
    }

    /// Counts a packet that does not leave, and tells its sender why.
    fn refuse(&mut self, refused: &Refused, packet: &Packet) {
        self.tally.count(self.now, refused.reason, format_args!("{packet:?}"));
        let (Some(refusal), Some(link)) = (refused.refusal, &self.link) else { return };
        let from = link.host.link_local();
        // The kernel is told by us alone, and tells nobody else, so there is no limit to the rate (RFC 4443,
        // section 2.4 (f) is about the load of a network).
        if refusal::write(refusal, packet.bytes(), from, &mut self.scratch)
            && !give(&mut self.parts.tun, &self.scratch)
        {
            self.tally.count(self.now, BUFFER_FULL, "an ICMPv6 error towards the kernel");
        }
    }
}

/// Hands a packet to the kernel; false when it takes none.
fn give(tun: &mut Tun, packet: &Packet) -> bool {
    tun.send(packet).is_ok()
}
