//! The path of a packet between ports: the fabric decides, the ports carry.

use sixgate_fabric::Verdict;
use sixgate_nat64::Verdict as Translation;
use sixgate_reason::Reason;
use sixgate_wire::Packet;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::refusal::Refusal;

use super::capture::{Fate, own_outer};
use super::nat64::is_v4;
use super::port::Way;
use super::worker::Worker;

impl Worker {
    /// Forwards an IPv6 packet whose source the port `from` has verified.
    pub(super) fn forward(&mut self, from: Way, packet: &mut Packet) {
        let opened = self.fabric.flows_opened();
        let verdict = self.fabric.forward(self.now, from.id(), packet);
        if from == Way::Isatap && self.fabric.flows_opened() != opened {
            self.note_flow(packet);
        }
        if self.captures.is_on() {
            self.captures.judged(&self.fabric, from, packet, &verdict);
        }
        match verdict {
            Verdict::Send(port) => self.send(from, Way::of(port), packet),
            Verdict::Refuse { reason, refusal } => self.refuse(from, reason, refusal, packet),
        }
    }

    /// Counts a refusal and sends the ICMPv6 error that is due back by the port the packet came from.
    pub(super) fn refuse(&mut self, from: Way, reason: Reason, refusal: Option<Refusal>, packet: &Packet) {
        self.tally.count(self.now, reason, format_args!("{packet:?} from {from:?}"));
        let Some(mut error) = self.pool.take() else { return };
        if self.fabric.refuse(self.now, reason, refusal, packet, &mut error) {
            self.carry(from, &mut error);
        }
        self.pool.give(error);
    }

    /// Hands a packet that the fabric let through to the port `to`.
    fn send(&mut self, from: Way, to: Way, packet: &mut Packet) {
        if to == Way::Isatap {
            self.encapsulate(Some(from), packet);
        } else {
            self.carry(to, packet);
        }
    }

    /// Puts a packet on a port without asking the fabric.
    fn carry(&mut self, to: Way, packet: &mut Packet) {
        match to {
            Way::Kernel => self.send_kernel(packet),
            Way::Nat64 => self.translate_out(packet),
            Way::Isatap => self.encapsulate(None, packet),
            Way::Client(n) => self.send_client(n, packet),
        }
    }

    fn send_kernel(&mut self, packet: &Packet) {
        let Some(tun) = self.kernel.first_mut() else { return };
        if self.captures.is_on() {
            self.captures.at_port(Way::Kernel, packet, Fate::Sent);
        }
        if let Err(e) = tun.send(packet) {
            self.tally.count(self.now, sixgate_reason::QUEUE_FULL, format_args!("the kernel's device: {e}"));
        }
    }

    fn send_client(&mut self, n: u32, packet: &Packet) {
        if self.clients.is_busy(n) {
            if self.captures.is_on() {
                self.captures.at_port(Way::Client(n), packet, Fate::Sent);
            }
            self.defer(packet);
            return;
        }
        let Some(client) = self.clients.get_mut(n) else { return };
        let queued = client.queue(packet);
        if let Err(reason) = queued {
            self.tally.count(self.now, reason, format_args!("client {}", client.name));
        }
        if self.captures.is_on() {
            let fate = queued.map_or_else(Fate::Dropped, |()| Fate::Sent);
            self.captures.at_port(Way::Client(n), packet, fate);
        }
        self.clients.mark(n);
    }

    /// Keeps a packet for the session that is being worked on until that is back in its place.
    fn defer(&mut self, packet: &Packet) {
        let Some(mut copy) = self.pool.take() else {
            self.tally.count(self.now, sixgate_reason::QUEUE_FULL, "answers to one client");
            return;
        };
        copy.reset();
        copy.offload = packet.offload;
        if copy.extend(packet.bytes()) {
            self.deferred.push(copy);
        } else {
            self.pool.give(copy);
        }
    }

    /// Encapsulates a packet in protocol 41; a refusal goes back by `from`, if the packet came from somewhere.
    fn encapsulate(&mut self, from: Option<Way>, packet: &Packet) {
        let Some(link) = &mut self.isatap else { return };
        let sent = link.send(self.now, packet);
        if let (true, Err(refused)) = (self.captures.is_on(), &sent) {
            self.captures.at_port(Way::Isatap, packet, Fate::Dropped(refused.reason));
        }
        match sent {
            Ok(to) => {
                if self.captures.is_on() {
                    let outer = own_outer(link.router.address(), to);
                    self.captures.at_isatap(outer, packet, Fate::Sent);
                }
            }
            Err(refused) => match from {
                Some(from) => self.refuse(from, refused.reason, refused.refusal, packet),
                None => self.tally.count(self.now, refused.reason, format_args!("{packet:?}")),
            },
        }
    }

    /// A packet from the kernel where the translator works alone: nothing is routed, everything is for it.
    pub(super) fn accept_alone(&mut self, packet: &mut Packet) {
        if !is_for_nobody(packet) {
            self.translate_out(packet);
        }
    }

    /// IPv6 to the translator, IPv4 out of it.
    pub(super) fn translate_out(&mut self, packet: &mut Packet) {
        let Some(nat64) = &mut self.nat64 else { return };
        if self.captures.is_on() {
            self.captures.before_translation(packet);
        }
        match nat64.engine.outbound(self.now, packet, &nat64.ways) {
            Translation::Translated => self.translated(packet),
            Translation::Consumed => {}
            Translation::Drop(reason) => {
                self.tally.count(self.now, reason, format_args!("{packet:?}"));
                if self.captures.is_on() {
                    self.captures.at_port(Way::Nat64, packet, Fate::Dropped(reason));
                }
            }
        }
        self.drain_translator();
        self.captures.translation_is_over();
    }

    /// IPv4 to the translator, IPv6 out of it.
    pub(super) fn translate_in(&mut self, packet: &mut Packet) {
        let Some(nat64) = &mut self.nat64 else { return };
        let came = self.captures.is_on().then(|| packet.clone());
        let verdict = nat64.engine.inbound(self.now, packet, &nat64.ways);
        if let Some(came) = came {
            let (became, fate) = match &verdict {
                Translation::Translated => (Some(&*packet), Fate::Passed { to: Way::Nat64, grounds: None }),
                Translation::Consumed => (None, Fate::Consumed),
                Translation::Drop(reason) => (None, Fate::Dropped(*reason)),
            };
            self.captures.translated_in(&came, became, fate);
        }
        match verdict {
            Translation::Translated => self.translated(packet),
            Translation::Consumed => {}
            Translation::Drop(reason) => self.tally.count(self.now, reason, format_args!("{packet:?}")),
        }
        self.drain_translator();
    }

    /// What the translator has to send beside the packet it was given: errors, fragments, hairpinned packets.
    pub(super) fn drain_translator(&mut self) {
        loop {
            let Some(mut out) = self.pool.take() else { return };
            let some = self.nat64.as_mut().is_some_and(|nat64| nat64.engine.poll_output(&mut out));
            if some {
                self.translated(&mut out);
            }
            self.pool.give(out);
            if !some {
                break;
            }
        }
        self.drain_hairpin();
        while let Some(reason) = self.nat64.as_mut().and_then(|nat64| nat64.engine.poll_late_drop()) {
            self.tally.count(self.now, reason, "a fragment that waited in vain");
        }
    }

    fn translated(&mut self, packet: &mut Packet) {
        if !is_v4(packet) && self.has_fabric {
            self.forward(Way::Nat64, packet);
            return;
        }
        if self.captures.is_on() {
            self.captures.after_translation(packet);
        }
        if let Some(nat64) = &mut self.nat64
            && let Err(e) = nat64.write(packet)
        {
            self.tally.count(
                self.now,
                sixgate_reason::QUEUE_FULL,
                format_args!("the translator's device: {e}"),
            );
        }
    }

    /// A packet from the kernel. Its source must not belong to another port: the kernel forwards what anybody sends it.
    pub(super) fn accept_kernel(&mut self, packet: &mut Packet) {
        let Ok(ip) = Ipv6::parse(packet.bytes()) else {
            self.tally.count(self.now, sixgate_reason::MALFORMED_IPV6, "from the kernel");
            return;
        };
        if is_chatter(&ip) {
            return;
        }
        let src = ip.src();
        if self.fabric.route(src).is_some_and(|port| Way::of(port) != Way::Kernel) {
            let reason = sixgate_reason::FABRIC_SOURCE_FOREIGN;
            self.tally.count(self.now, reason, format_args!("{packet:?} from the kernel"));
            if self.captures.is_on() {
                self.captures.at_port(Way::Kernel, packet, Fate::Dropped(reason));
            }
            return;
        }
        self.forward(Way::Kernel, packet);
    }
}

/// True for IPv6 that the kernel says to its neighbours on every device that it has.
pub(super) fn is_for_nobody(packet: &Packet) -> bool {
    Ipv6::parse(packet.bytes()).is_ok_and(|ip| is_chatter(&ip))
}

/// The kernel speaks multicast and neighbour discovery on every device that it has; none of it is for anybody.
fn is_chatter(ip: &Ipv6<'_>) -> bool {
    ip.dst().is_multicast() || ip.dst().is_unicast_link_local() || ip.src().is_unicast_link_local()
}
