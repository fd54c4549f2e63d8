//! A client's session from admission to its end.

use std::io;
use std::net::Ipv6Addr;

use sixgate_fabric::Identity;
use sixgate_io_link::Interest;
use sixgate_io_tls::Received;
use sixgate_iphttps::Inbound;
use sixgate_iphttps::cutter::Packets;
use sixgate_iphttps::session::{Event, Session};
use sixgate_reason::Reason;
use sixgate_wire::Packet;
use sixgate_wire::lease::Lease;

use super::capture::Fate;
use super::client::Client;
use super::port::Way;
use super::worker::{Worker, token};
use crate::seam::{Admission, ToControl};

impl Worker {
    /// Takes over the socket of a client that control has admitted. A session of the same name ends: the newest wins, since
    /// the old connection often hangs half open.
    pub(super) fn admit(&mut self, admission: Admission) {
        if let Some(old) = self.clients.find(&admission.name) {
            self.end(old, None);
        }
        let Some(port) = self.client_port else { return };
        let n = self.clients.reserve();
        let way = Way::Client(n);
        let client = Box::new(Client {
            session: Session::new(admission.session),
            name: admission.name,
            from: admission.from,
            since: admission.since,
            congestion: admission.congestion,
            stream: admission.stream,
            identity: admission.identity,
            rx_bytes: 0,
            tx_bytes: 0,
            last: None,
            watches_room: false,
        });
        let added = self.fabric.add_port(way.id(), port).is_ok()
            && self.poller.add(&client.stream, token::CLIENT + u64::from(n), Interest::READ).is_ok();
        if !added {
            tracing::warn!(client = client.name, "no room for the session: out of descriptors");
            self.fabric.remove_port(way.id());
            self.clients.release(n, &client.name);
            return;
        }
        for address in client.session.addresses() {
            self.fabric.add_host(address, way.id(), client.identity);
        }
        let name = client.name.clone();
        self.clients.put(n, client);
        self.clients.mark(n);
        // The other end sends its first packets right behind the request; what control read of them is in the stream.
        self.read_client(n);
        let _ = self.outbox.send(ToControl::Up { name });
    }

    /// Reads what a client sent and forwards what is its own.
    pub(super) fn read_client(&mut self, n: u32) {
        let Some(mut client) = self.clients.take(n) else { return };
        let received = client.stream.receive();
        let drained = self.drain_stream(n, &mut client);
        let within_a_packet = !client.stream.plaintext().is_empty();
        self.clients.put(n, client);
        self.clients.mark(n);
        while let Some(packet) = self.deferred.pop() {
            if let Some(client) = self.clients.get_mut(n)
                && let Err(reason) = client.queue(&packet)
            {
                self.tally.count(self.now, reason, format_args!("client {}", client.name));
            }
            self.pool.give(packet);
        }
        match (drained, received) {
            (Err(reason), _) => self.end(n, Some(reason)),
            (Ok(()), Ok(Received::Data | Received::WouldBlock)) => {}
            (Ok(()), Ok(Received::Closed)) => {
                self.end(n, within_a_packet.then_some(sixgate_reason::IPHTTPS_BAD_FRAMING));
            }
            (Ok(()), Err(e)) => {
                tracing::debug!("a session broke: {e}");
                let broken = e.kind() == io::ErrorKind::InvalidData;
                self.end(n, broken.then_some(sixgate_reason::IPHTTPS_BAD_RECORD));
            }
        }
    }

    /// Cuts the stream into packets, checks them, merges them, forwards them.
    fn drain_stream(&mut self, n: u32, client: &mut Client) -> Result<(), Reason> {
        let Some(mut coalescer) = self.coalescer.take() else { return Ok(()) };
        let Client { stream, session, name, rx_bytes, last, identity, .. } = client;
        let mut packets = Packets::new(stream.plaintext());
        let mut result = Ok(());
        for packet in packets.by_ref() {
            match packet {
                Ok(octets) => {
                    *rx_bytes += octets.len() as u64;
                    *last = Some(self.now);
                    coalescer.push(octets, &mut |p| self.accept_client(n, session, name, *identity, p));
                }
                Err(_) => result = Err(sixgate_reason::IPHTTPS_BAD_FRAMING),
            }
        }
        coalescer.flush(&mut |p| self.accept_client(n, session, name, *identity, p));
        let used = packets.consumed();
        stream.consume(used);
        self.coalescer = Some(coalescer);
        result
    }

    /// One packet of a client, merged or alone.
    fn accept_client(
        &mut self,
        n: u32,
        session: &mut Session,
        name: &str,
        who: Identity,
        packet: &mut Packet,
    ) {
        match session.inbound(self.now, packet) {
            Inbound::Forward => self.forward(Way::Client(n), packet),
            Inbound::Consumed => {}
            Inbound::Drop(reason) => {
                self.tally.count(self.now, reason, format_args!("{packet:?} from client {name}"));
                if self.captures.is_on() {
                    self.captures.at_port(Way::Client(n), packet, Fate::Dropped(reason));
                }
            }
        }
        while let Some(event) = session.poll_event() {
            match event {
                Event::Claimed(address) if self.may_have(address) => {
                    session.grant(self.now, address);
                    self.fabric.add_host(address, Way::Client(n).id(), who);
                }
                Event::Claimed(address) => {
                    let reason = session.refuse(address);
                    self.tally.count(self.now, reason, format_args!("{address} by client {name}"));
                }
                Event::Released(address) => self.fabric.remove_host(address),
            }
        }
    }

    /// Gives every client what all leases have in common, beside its own address.
    pub(super) fn renew_leases(&mut self, common: &Lease) {
        for n in self.clients.numbers() {
            let Some(client) = self.clients.get_mut(n) else { continue };
            let addresses = client.session.lease().addresses.clone();
            client.session.set_lease(self.now, Lease { addresses, ..common.clone() });
            let mut gone = Vec::new();
            while let Some(event) = client.session.poll_event() {
                match event {
                    Event::Released(address) => gone.push(address),
                    // Only a packet of the client claims.
                    Event::Claimed(_) => {}
                }
            }
            for address in gone {
                self.fabric.remove_host(address);
            }
            self.clients.mark(n);
        }
    }

    /// True when `address` is nobody's: neither a session has it, nor may a lease give it to somebody.
    fn may_have(&self, address: Ipv6Addr) -> bool {
        !crate::lease::is_reserved(address)
            && self.fabric.route(address).is_none_or(|port| !matches!(Way::of(port), Way::Client(_)))
    }

    /// Ends the session of this name, if there is one.
    pub(super) fn expel(&mut self, name: &str, reason: Reason) {
        if let Some(n) = self.clients.find(name) {
            self.end(n, Some(reason));
        }
    }

    /// Ends a session: its addresses lead nowhere afterwards.
    pub(super) fn end(&mut self, n: u32, reason: Option<Reason>) {
        let Some(client) = self.clients.take(n) else { return };
        if let Some(reason) = reason {
            self.tally.count(self.now, reason, format_args!("client {} from {}", client.name, client.from));
        }
        for address in client.session.addresses() {
            self.fabric.remove_host(address);
        }
        self.fabric.remove_port(Way::Client(n).id());
        // Closing the descriptor takes it out of the poller as well; this only keeps the two in step.
        let _ = self.poller.remove(&client.stream);
        self.clients.release(n, &client.name);
        let name = client.name.clone();
        client.stream.close();
        let _ = self.outbox.send(ToControl::Down { name, reason });
    }

    /// Writes what sessions have queued; a socket that is full is watched until it has room.
    pub(super) fn flush_clients(&mut self) {
        while let Some(n) = self.clients.next_dirty() {
            let Some(mut scratch) = self.pool.take() else { return };
            let outcome = self.clients.get_mut(n).map(|client| {
                client.queue_own(&mut scratch);
                client.flush()
            });
            self.pool.give(scratch);
            match outcome {
                None => {}
                Some(Ok(done)) => self.watch_room(n, !done),
                Some(Err(_)) => self.end(n, None),
            }
        }
    }

    fn watch_room(&mut self, n: u32, wanted: bool) {
        let Some(client) = self.clients.get_mut(n) else { return };
        if client.watches_room == wanted {
            return;
        }
        client.watches_room = wanted;
        let interest = if wanted { Interest::BOTH } else { Interest::READ };
        let changed: io::Result<()> =
            self.poller.modify(&client.stream, token::CLIENT + u64::from(n), interest);
        if changed.is_err() {
            self.end(n, None);
        }
    }
}
