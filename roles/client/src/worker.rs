//! The packet plane of a client: one thread between the TUN device and the connection.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use sixgate_io_host::privilege;
use sixgate_io_link::{Interest, Poller, Tun, Waker, clock};
use sixgate_io_tls::{Received, Stream, gateway_reason};
use sixgate_iphttps::Inbound;
use sixgate_iphttps::client::{Client, Event};
use sixgate_iphttps::cutter::Packets;
use sixgate_reason as reason;
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::offload::{Coalescer, Segments};
use tokio::sync::mpsc::UnboundedSender;

use crate::seam::{FromWorker, Generation, Tally, ToWorker};

const DEVICE: u64 = 0;
const WAKER: u64 = 1;
const CONNECTION: u64 = 2;
/// Packets from the device in one round, so that the other direction gets its turn. Each may be 64 KiB.
const BATCH: usize = 32;
/// Octets that may wait for the connection. More would only make what waits older: senders are told by the loss.
const MOST_BACKLOG: usize = 1 << 20;
/// Flows whose segments are merged at a time.
const FLOWS: usize = 16;

/// What the worker thread is given.
pub(crate) struct Ends {
    pub(crate) tun: Tun,
    pub(crate) waker: Waker,
    pub(crate) inbox: Receiver<ToWorker>,
    pub(crate) outbox: UnboundedSender<FromWorker>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) seed: u64,
}

/// Moves packets until it is told to stop.
pub(crate) fn run(ends: Ends) {
    let outbox = ends.outbox.clone();
    let name = ends.tun.name().to_owned();
    let outcome = privilege::give_up_all().and_then(|()| Worker::new(ends)?.run());
    if let Err(error) = outcome {
        // Control is gone only when everything ends anyway.
        let _ = outbox.send(FromWorker::Failed(format!("{name}: {error}")));
    }
}

struct Worker {
    ends: Ends,
    poller: Poller,
    coalescer: Coalescer,
    packet: Packet,
    link: Option<Link>,
}

/// One connection.
struct Link {
    stream: Stream,
    client: Client,
    generation: Generation,
    /// The poller tells when the socket takes more.
    writing: bool,
}

/// Why a connection ended.
struct Ended {
    reason: reason::Reason,
    detail: String,
}

#[derive(Default)]
struct Ready {
    device: bool,
    waker: bool,
    readable: bool,
}

impl Worker {
    fn new(ends: Ends) -> io::Result<Self> {
        let poller = Poller::new(8)?;
        poller.add(&ends.tun, DEVICE, Interest::READ)?;
        poller.add(&ends.waker, WAKER, Interest::READ)?;
        Ok(Self { ends, poller, coalescer: Coalescer::new(FLOWS), packet: Packet::new(), link: None })
    }

    fn run(mut self) -> io::Result<()> {
        let outcome = self.rounds();
        self.detach();
        outcome
    }

    fn rounds(&mut self) -> io::Result<()> {
        loop {
            let ready = self.wait()?;
            if ready.waker {
                self.ends.waker.drain();
                if !self.messages()? {
                    return Ok(());
                }
            }
            let now = clock::now();
            if ready.device {
                self.take_from_device(now)?;
            }
            if let Some(link) = &mut self.link {
                let round = link.round(now, ready.readable, &mut self.coalescer, &mut self.ends);
                if let Err(ended) = round.and_then(|()| link.flush(&mut self.packet, &self.poller)) {
                    self.end(ended);
                }
            }
        }
    }

    fn wait(&mut self) -> io::Result<Ready> {
        let deadline = self.link.as_ref().map_or(Instant::NEVER, |link| link.client.next_timeout());
        let mut ready = Ready::default();
        for event in self.poller.wait(clock::until(deadline))? {
            match event.token {
                DEVICE => ready.device = true,
                WAKER => ready.waker = true,
                // A flush is tried in every round, so room to write needs no flag.
                _ => ready.readable |= event.readable,
            }
        }
        Ok(ready)
    }

    /// False when this is the end.
    fn messages(&mut self) -> io::Result<bool> {
        while let Ok(message) = self.ends.inbox.try_recv() {
            match message {
                ToWorker::Attach(stream, generation) => self.attach(*stream, generation)?,
                ToWorker::Detach => self.detach(),
                ToWorker::NetworkChanged => {
                    if let Some(link) = &mut self.link {
                        link.client.network_changed(clock::now());
                    }
                }
                ToWorker::Stop => return Ok(false),
            }
        }
        Ok(true)
    }

    fn attach(&mut self, stream: Stream, generation: Generation) -> io::Result<()> {
        self.detach();
        self.poller.add(&stream, CONNECTION, Interest::READ)?;
        self.ends.seed = self.ends.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
        let client = Client::new(clock::now(), self.ends.seed);
        let mut link = Link { stream, client, generation, writing: false };
        // The first packets may have come with the response's head.
        let now = clock::now();
        let begun = link
            .cut(now, &mut self.coalescer, &mut self.ends)
            .and_then(|()| link.flush(&mut self.packet, &self.poller));
        self.link = Some(link);
        if let Err(ended) = begun {
            self.end(ended);
        }
        Ok(())
    }

    fn detach(&mut self) {
        if let Some(link) = self.link.take() {
            // A socket that is gone by itself is not watched any more.
            let _ = self.poller.remove(&link.stream);
            link.stream.close();
        }
    }

    fn end(&mut self, ended: Ended) {
        let Some(link) = self.link.take() else { return };
        let _ = self.poller.remove(&link.stream);
        self.ends.tally.count(ended.reason);
        let Ended { reason, detail } = ended;
        let _ = self.ends.outbox.send(FromWorker::Ended { reason, detail, generation: link.generation });
    }

    /// Takes packets from the kernel. Without a connection they are dropped: their senders try again.
    fn take_from_device(&mut self, now: Instant) -> io::Result<()> {
        for _ in 0..BATCH {
            if !self.ends.tun.receive(&mut self.packet)? {
                break;
            }
            let Some(link) = &mut self.link else {
                self.ends.tally.count(reason::IPHTTPS_DISCONNECTED);
                continue;
            };
            if let Err(why) = link.take(now, &self.packet, &self.ends.tally) {
                self.ends.tally.count(why);
            }
        }
        while let Some(reason) = self.ends.tun.poll_damaged() {
            self.ends.tally.count(reason);
        }
        Ok(())
    }
}

impl Link {
    /// Queues one packet from the device, cut for the link.
    fn take(&mut self, now: Instant, packet: &Packet, tally: &Tally) -> Result<(), reason::Reason> {
        self.client.outbound(now, packet)?;
        if self.stream.backlog() > MOST_BACKLOG {
            return Err(reason::IPHTTPS_SEND_BACKLOG);
        }
        let mut segments = Segments::new(packet).map_err(reason::Reason::from)?;
        let mut octets = 0;
        while let Some(length) = segments.append(self.stream.queue_space()) {
            octets += length;
        }
        tally.sent(octets as u64);
        Ok(())
    }

    /// Reads, and does what is due.
    fn round(
        &mut self,
        now: Instant,
        readable: bool,
        coalescer: &mut Coalescer,
        ends: &mut Ends,
    ) -> Result<(), Ended> {
        let received = if readable { self.stream.receive() } else { Ok(Received::WouldBlock) };
        // What came before an end or an error is good.
        self.cut(now, coalescer, ends)?;
        if now >= self.client.next_timeout() {
            self.client.handle_timeout(now);
        }
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Leased(lease) => {
                    let _ = ends.outbox.send(FromWorker::Leased(lease, self.generation));
                }
                Event::Dead(reason) => return Err(Ended { reason, detail: String::new() }),
            }
        }
        match received {
            Ok(Received::Data | Received::WouldBlock) => Ok(()),
            Ok(Received::Closed) => {
                Err(Ended { reason: reason::IPHTTPS_DISCONNECTED, detail: String::new() })
            }
            Err(error) => Err(Ended::of(&error)),
        }
    }

    /// Cuts what was received into packets, and hands them to the kernel merged.
    fn cut(&mut self, now: Instant, coalescer: &mut Coalescer, ends: &mut Ends) -> Result<(), Ended> {
        let Ends { tun, tally, .. } = ends;
        let mut packets = Packets::new(self.stream.plaintext());
        // The kernel refuses packets when it has no memory, or while somebody sets the device down: a loss like any other.
        let mut emit = |packet: &mut Packet| {
            if tun.send(packet).is_err() {
                tally.count(reason::QUEUE_FULL);
            }
        };
        let mut framing = Ok(());
        for octets in &mut packets {
            let Ok(octets) = octets else {
                let reason = reason::IPHTTPS_BAD_FRAMING;
                framing = Err(Ended { reason, detail: String::new() });
                break;
            };
            match self.client.inbound_octets(now, octets) {
                Inbound::Forward => coalescer.push(octets, &mut emit),
                Inbound::Consumed => {}
                Inbound::Drop(reason) => tally.count(reason),
            }
        }
        coalescer.flush(&mut emit);
        let used = packets.consumed();
        tally.received(used as u64);
        self.stream.consume(used);
        framing
    }

    /// Sends what the link itself has to say and what is queued.
    fn flush(&mut self, packet: &mut Packet, poller: &Poller) -> Result<(), Ended> {
        while self.client.poll_output(packet) {
            self.stream.queue(packet.bytes());
        }
        let done = self.stream.flush().map_err(|e| Ended::of(&e))?;
        if self.writing == done {
            self.writing = !done;
            let interest = if self.writing { Interest::BOTH } else { Interest::READ };
            poller.modify(&self.stream, CONNECTION, interest).map_err(|e| Ended::of(&e))?;
        }
        Ok(())
    }
}

impl Ended {
    fn of(error: &io::Error) -> Self {
        // An alert tells what the gateway thought of our certificate; everything else is an end.
        let reason = match sixgate_io_tls::Alert::of(error) {
            Some(_) => gateway_reason(error),
            None => reason::IPHTTPS_DISCONNECTED,
        };
        Self { reason, detail: error.to_string() }
    }
}
