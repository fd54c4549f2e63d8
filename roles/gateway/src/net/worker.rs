//! The loop of the packet plane: readiness in, batches through the ports, timers.

use std::io;
use std::sync::mpsc;

use sixgate_fabric::{Fabric, Limits, Port};
use sixgate_io_daemon::{Said, Tally};
use sixgate_io_link::{BufferPool, Interest, Poller, Tun, Waker, clock};
use sixgate_time::{Duration, Instant};
use sixgate_wire::Packet;
use sixgate_wire::offload::Coalescer;
use tokio::sync::mpsc::UnboundedSender;

use super::capture::Captures;
use super::client::Clients;
use super::crossing::Crossing;
use super::isatap::{Arrivals, IsatapLink};
use super::nat64::{Translator, is_v4};
use crate::seam::{ToControl, ToNet};

/// Packets from one port before the others have their turn.
pub(super) const BATCH: usize = 64;
/// Flows that are merged at a time.
const MERGED_FLOWS: usize = 8;
/// Buffers of a worker: one batch, the answers it causes, and some.
const BUFFERS: usize = 160;

/// What the poller tells us of.
pub(super) mod token {
    pub(in super::super) const WAKE: u64 = 0;
    pub(in super::super) const NAT64: u64 = 1;
    pub(in super::super) const ISATAP: u64 = 2;
    pub(in super::super) const PATH_ERRORS: u64 = 3;
    /// The TUN devices into the kernel, one number each.
    pub(in super::super) const KERNEL: u64 = 8;
    /// Sessions of clients, by number.
    pub(in super::super) const CLIENT: u64 = 1 << 32;
}

/// What a worker is made of; everything was opened before, with the privileges that takes.
pub(crate) struct Parts {
    pub(crate) fabric: Option<Fabric>,
    pub(crate) kernel: Vec<Tun>,
    pub(crate) nat64: Option<Translator>,
    /// Where other workers translate as well.
    pub(crate) crossing: Option<Crossing>,
    pub(crate) isatap: Option<IsatapLink>,
    /// MTU of clients' links, and the source of errors sent to them.
    pub(crate) client_port: Option<Port>,
    pub(crate) inbox: mpsc::Receiver<ToNet>,
    pub(crate) waker: Waker,
    pub(crate) outbox: UnboundedSender<ToControl>,
    /// What any worker has written to the log.
    pub(crate) said: Said,
}

impl Parts {
    /// Those of a worker that does nothing but translate, or of one that gets the rest later.
    pub(crate) const fn of_translator(
        nat64: Option<Translator>,
        crossing: Option<Crossing>,
        inbox: mpsc::Receiver<ToNet>,
        waker: Waker,
        outbox: UnboundedSender<ToControl>,
        said: Said,
    ) -> Self {
        let kernel = Vec::new();
        Self {
            fabric: None,
            kernel,
            nat64,
            crossing,
            isatap: None,
            client_port: None,
            inbox,
            waker,
            outbox,
            said,
        }
    }
}

/// One worker with everything that is its own.
pub(crate) struct Worker {
    pub(super) now: Instant,
    pub(super) fabric: Fabric,
    /// False where NAT64 works alone and there is nothing to route between.
    pub(super) has_fabric: bool,
    pub(super) kernel: Vec<Tun>,
    pub(super) nat64: Option<Translator>,
    pub(super) crossing: Option<Crossing>,
    pub(super) isatap: Option<IsatapLink>,
    pub(super) clients: Clients,
    pub(super) client_port: Option<Port>,
    pub(super) tally: Tally,
    pub(super) captures: Captures,
    pub(super) pool: BufferPool,
    pub(super) poller: Poller,
    /// Packets for the session that is being worked on.
    pub(super) deferred: Vec<Packet>,
    pub(super) coalescer: Option<Coalescer>,
    pub(super) arrivals: Option<Arrivals>,
    pub(super) outbox: UnboundedSender<ToControl>,
    inbox: mpsc::Receiver<ToNet>,
    waker: Waker,
    /// When control is told of the ISATAP hosts; never before it has said which it remembers.
    pub(super) hosts_due: Instant,
    /// When open flows are counted next, while ISATAP is being retired.
    pub(super) review_due: Instant,
    ready: Vec<(u64, bool, bool)>,
}

impl Worker {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When the system gives no poller.
    pub(crate) fn new(parts: Parts, seed: [u8; 32]) -> io::Result<Self> {
        let poller = Poller::new(256)?;
        poller.add(&parts.waker, token::WAKE, Interest::READ)?;
        for (n, tun) in (0..).zip(&parts.kernel) {
            poller.add(tun, token::KERNEL + n, Interest::READ)?;
        }
        if let Some(nat64) = &parts.nat64 {
            poller.add(&nat64.tun, token::NAT64, Interest::READ)?;
        }
        if let Some(isatap) = &parts.isatap {
            poller.add(isatap, token::ISATAP, Interest::READ)?;
            poller.add(&isatap.errors, token::PATH_ERRORS, Interest::READ)?;
        }
        let parts_isatap = parts.isatap.is_some();
        let rings = parts.crossing.as_ref().map_or(0, Crossing::buffers);
        Ok(Self {
            now: clock::now(),
            has_fabric: parts.fabric.is_some(),
            fabric: parts.fabric.unwrap_or_else(|| Fabric::new(Limits::default(), seed)),
            kernel: parts.kernel,
            nat64: parts.nat64,
            crossing: parts.crossing,
            isatap: parts.isatap,
            clients: Clients::default(),
            client_port: parts.client_port,
            tally: Tally::beside(parts.said),
            captures: Captures::default(),
            pool: BufferPool::new(BUFFERS + rings, Packet::LARGEST),
            poller,
            deferred: Vec::with_capacity(BATCH),
            coalescer: Some(Coalescer::new(MERGED_FLOWS)),
            arrivals: parts_isatap.then(Arrivals::new),
            outbox: parts.outbox,
            inbox: parts.inbox,
            waker: parts.waker,
            hosts_due: Instant::NEVER,
            review_due: Instant::ZERO,
            ready: Vec::with_capacity(256),
        })
    }

    /// Runs until control says stop.
    pub(crate) fn run(mut self) {
        if let Err(e) = self.turn_until_stopped() {
            // Control may be gone already; then nobody is left to be told.
            let _ = self.outbox.send(ToControl::Failed(e.to_string()));
        }
    }

    fn turn_until_stopped(&mut self) -> io::Result<()> {
        // Static bindings have their ports before there is any packet.
        self.tell_of_ports();
        loop {
            let more = self.crossing.as_ref().is_some_and(Crossing::has_more);
            let timeout = if more { Some(Duration::ZERO) } else { clock::until(self.next_timeout()) };
            let mut ready = std::mem::take(&mut self.ready);
            ready.clear();
            ready.extend(self.poller.wait(timeout)?.map(|e| (e.token, e.readable, e.writable)));
            self.now = clock::now();
            for (token, readable, writable) in ready.iter().copied() {
                if token == token::WAKE {
                    self.waker.drain();
                    if self.read_inbox() {
                        self.farewell();
                        return Ok(());
                    }
                } else {
                    self.serve(token, readable, writable)?;
                }
            }
            self.ready = ready;
            self.read_rings();
            self.timers();
            self.flush();
        }
    }

    fn serve(&mut self, token: u64, readable: bool, writable: bool) -> io::Result<()> {
        match token {
            token::NAT64 => self.read_nat64(),
            token::ISATAP => self.read_isatap(),
            token::PATH_ERRORS => self.read_path_errors(),
            n if n >= token::CLIENT => {
                let n = u32::try_from(n - token::CLIENT).unwrap_or(u32::MAX);
                if readable {
                    self.read_client(n);
                }
                if writable {
                    self.clients.mark(n);
                }
                Ok(())
            }
            n => self.read_kernel(usize::try_from(n - token::KERNEL).unwrap_or(usize::MAX)),
        }
    }

    fn read_kernel(&mut self, n: usize) -> io::Result<()> {
        let Some(mut packet) = self.pool.take() else { return Ok(()) };
        for _ in 0..BATCH {
            let Some(tun) = self.kernel.get_mut(n) else { break };
            if !tun.receive(&mut packet)? {
                break;
            }
            self.accept_kernel(&mut packet);
        }
        self.pool.give(packet);
        while let Some(reason) = self.kernel.get_mut(n).and_then(Tun::poll_damaged) {
            self.tally.count(self.now, reason, "from the kernel");
        }
        Ok(())
    }

    fn read_nat64(&mut self) -> io::Result<()> {
        let Some(mut packet) = self.pool.take() else { return Ok(()) };
        for _ in 0..BATCH {
            let Some(nat64) = &mut self.nat64 else { break };
            if !nat64.read(&mut packet)? {
                break;
            }
            if self.crossing.is_some() {
                self.sort(&mut packet);
            } else if is_v4(&packet) {
                self.translate_in(&mut packet);
            } else if self.has_fabric {
                self.accept_kernel(&mut packet);
            } else {
                self.accept_alone(&mut packet);
            }
        }
        self.pool.give(packet);
        while let Some(reason) = self.nat64.as_mut().and_then(|nat64| nat64.tun.poll_damaged()) {
            self.tally.count(self.now, reason, "from the kernel, for the translator");
        }
        Ok(())
    }

    /// True when it is time to stop.
    fn read_inbox(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(ToNet::Stop) | Err(mpsc::TryRecvError::Disconnected) => return true,
                Err(mpsc::TryRecvError::Empty) => return false,
                Ok(ToNet::Admit(admission)) => self.admit(*admission),
                Ok(ToNet::Expel { name, reason }) => self.expel(&name, reason),
                Ok(ToNet::Lease(lease)) => self.renew_leases(&lease),
                Ok(ToNet::Snapshot(snapshot)) => self.fabric.set_snapshot(snapshot),
                Ok(ToNet::Ways(ways)) => {
                    if let Some(nat64) = &mut self.nat64 {
                        nat64.ways = ways;
                    }
                }
                Ok(ToNet::Nat64(renewed)) => {
                    if let Some(nat64) = &mut self.nat64 {
                        nat64.renew(&renewed);
                    }
                    // A change of many bindings has much to tell, and this turn may go on for long.
                    self.tell_of_ports();
                    if let Some(map) = &renewed.map {
                        self.renew_map(map);
                    }
                    self.drain_translator();
                }
                Ok(ToNet::Isatap(config)) => {
                    if let Some(link) = &mut self.isatap {
                        link.router.reconfigure(self.now, *config);
                    }
                    self.review();
                }
                Ok(ToNet::Machine(addresses)) => {
                    if let Some(link) = &mut self.isatap {
                        link.router.set_own(addresses.own, addresses.broadcasts);
                        link.router.set_near(addresses.near);
                    }
                }
                Ok(ToNet::Remember(hosts)) => {
                    if let Some(link) = &mut self.isatap {
                        link.router.remember(self.now, &hosts);
                        self.hosts_due = self.now;
                    }
                }
                Ok(ToNet::Refused { reason, what }) => self.tally.count(self.now, reason, what),
                Ok(ToNet::Capture(tap)) => self.captures.add(tap),
                Ok(ToNet::Ask(question)) => self.answer(question),
            }
        }
    }
}
