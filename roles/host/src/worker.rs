//! The loop that moves packets, and tells the kernel what the core decides.

mod packets;

use std::io;
use std::net::Ipv4Addr;
use std::sync::mpsc;

use sixgate_io_daemon::Tally;
use sixgate_io_host::Monitor;
use sixgate_io_link::{Interest, Outer, PathErrors, Poller, Proto41, SleepWatch, Tun, Waker, clock};
use sixgate_isatap::{Host, HostEvent};
use sixgate_time::{Duration, Instant};
use sixgate_wire::Packet;
use sixgate_wire::offload::Coalescer;
use tokio::sync::mpsc::UnboundedSender;

use crate::Failure;
use crate::evidence::Remembered;
use crate::kernel::Kernel;
use crate::seam::{ToControl, ToWorker, View};
use crate::site::Site;

/// Packets from one side before the other has its turn.
const BATCH: usize = 64;
/// Flows that are merged at a time.
const MERGED_FLOWS: usize = 8;
/// After news of the network, before looking at it: news come in swarms.
const SETTLING: Duration = Duration::from_millis(200);

const WAKE: u64 = 0;
const TUN: u64 = 1;
const LINK: u64 = 2;
const NEWS: u64 = 3;
const SLEEP: u64 = 4;
const ERRORS: u64 = 5;

/// What a worker is made of.
pub(crate) struct Parts {
    pub(crate) tun: Tun,
    pub(crate) kernel: Kernel,
    pub(crate) interface: Option<String>,
    pub(crate) routers: Vec<Ipv4Addr>,
    pub(crate) inbox: mpsc::Receiver<ToWorker>,
    pub(crate) waker: Waker,
    pub(crate) outbox: UnboundedSender<ToControl>,
    pub(crate) seed: [u8; 32],
}

/// The protocol end: there is one while the machine has an IPv4 address towards the routers.
struct Link {
    site: Site,
    socket: Proto41,
    errors: PathErrors,
    host: Host,
}

/// The worker with everything that is its own.
pub(crate) struct Worker {
    now: Instant,
    parts: Parts,
    link: Option<Link>,
    monitor: Monitor,
    sleep: SleepWatch,
    poller: Poller,
    /// When to look at the network again.
    look_at: Instant,
    solicited: bool,
    /// There was an address, and there is none.
    lost: bool,
    /// Since when there is none.
    unlinked: Instant,
    /// True once the log says that there is no address.
    waits: bool,
    tally: Tally,
    remembered: Remembered,
    arrivals: Vec<Packet>,
    outer: Vec<Outer>,
    /// Packets that the core or we ourselves make.
    scratch: Packet,
    /// `None` only while it is in use.
    coalescer: Option<Coalescer>,
}

impl Worker {
    /// Opens what needs privilege, and looks at the network for the first time.
    pub(crate) fn new(parts: Parts) -> Result<Self, Failure> {
        let mut worker = Self {
            now: clock::now(),
            link: None,
            monitor: Monitor::new()?,
            sleep: SleepWatch::new()?,
            poller: Poller::new(8)?,
            look_at: Instant::NEVER,
            solicited: false,
            lost: false,
            unlinked: clock::now(),
            waits: false,
            tally: Tally::new(),
            remembered: Remembered::default(),
            arrivals: (0..BATCH).map(|_| Packet::new()).collect(),
            outer: vec![Outer::default(); BATCH],
            scratch: Packet::new(),
            coalescer: Some(Coalescer::new(MERGED_FLOWS)),
            parts,
        };
        worker.poller.add(&worker.parts.waker, WAKE, Interest::READ)?;
        worker.poller.add(&worker.parts.tun, TUN, Interest::READ)?;
        worker.poller.add(&worker.monitor, NEWS, Interest::READ)?;
        worker.poller.add(&worker.sleep, SLEEP, Interest::READ)?;
        worker.look()?;
        Ok(worker)
    }

    /// Runs until it is told to stop. An error ends the daemon.
    pub(crate) fn run(mut self) {
        if let Err(failure) = self.turns() {
            // Control may have ended already.
            let _ = self.parts.outbox.send(ToControl::Failed(failure.to_string()));
        }
    }

    fn turns(&mut self) -> Result<(), Failure> {
        loop {
            self.now = clock::now();
            if self.look_at <= self.now {
                self.look_at = Instant::NEVER;
                self.look()?;
            }
            if let Some(link) = &mut self.link
                && link.host.next_timeout() <= self.now
            {
                link.host.handle_timeout(self.now);
            }
            self.settle();
            let deadline = self.link.as_ref().map_or(Instant::NEVER, |link| link.host.next_timeout());
            let ready: u64 = self
                .poller
                .wait(clock::until(deadline.min(self.look_at)))?
                .fold(0, |all, e| all | 1 << e.token);
            self.now = clock::now();
            let is = |token: u64| ready & 1 << token != 0;
            if is(WAKE) && !self.hear() {
                return Ok(());
            }
            if is(NEWS) && self.monitor.drain() {
                self.look_at = self.look_at.min(self.now + SETTLING);
            }
            if is(SLEEP) {
                self.wake()?;
            }
            if is(LINK) {
                self.read_link()?;
            }
            if is(ERRORS) {
                self.read_errors()?;
            }
            if is(TUN) {
                self.read_tun()?;
            }
        }
    }

    /// Reads what control says; false at the end.
    fn hear(&mut self) -> bool {
        self.parts.waker.drain();
        loop {
            match self.parts.inbox.try_recv() {
                Ok(ToWorker::Routers(routers)) => {
                    if let Some(link) = &mut self.link {
                        link.host.set_routers(self.now, &routers);
                    }
                    self.parts.routers = routers;
                    // Another router may be behind another interface.
                    self.look_at = self.now;
                }
                // Whoever asked may have gone away.
                Ok(ToWorker::Ask(to)) => drop(to.send(self.view())),
                Ok(ToWorker::Stop) | Err(mpsc::TryRecvError::Disconnected) => return false,
                Err(mpsc::TryRecvError::Empty) => return true,
            }
        }
    }

    /// The wall clock jumped, perhaps because the machine slept.
    fn wake(&mut self) -> Result<(), Failure> {
        let Some(slept) = self.sleep.drain()? else { return Ok(()) };
        tracing::info!(seconds = slept.as_secs(), "the machine slept; asking all routers");
        if let Some(link) = &mut self.link {
            link.host.slept(self.now, slept);
        }
        self.look_at = self.now;
        self.tell(ToControl::Moved);
        Ok(())
    }

    fn tell(&self, what: ToControl) {
        // Control may have ended already.
        let _ = self.parts.outbox.send(what);
    }

    /// Looks at the network: begins anew with another address, and asks again when the interface came back.
    fn look(&mut self) -> Result<(), Failure> {
        let parts = &mut self.parts;
        let before = self.link.as_ref().map(|link| &link.site);
        let seen = Site::look(parts.kernel.netlink(), parts.interface.as_deref(), &parts.routers, before)?;
        let Some(site) = seen else {
            if self.link.take().is_some() {
                self.lost = true;
                self.unlinked = self.now;
                tracing::warn!("no IPv4 address towards the routers any more; waiting for one");
                parts.kernel.clear()?;
            } else if !self.waits && !parts.routers.is_empty() {
                // Before the first router has an address nothing is known to be missing.
                tracing::warn!("no IPv4 address towards the routers yet; waiting for one");
            }
            if !self.waits && !parts.routers.is_empty() {
                self.waits = true;
                self.tell(ToControl::Waiting);
            }
            return Ok(());
        };
        if let Some(link) = &mut self.link
            && link.site.address == site.address
        {
            if link.site != site {
                link.host.set_machine(self.now, &site.config());
            }
            let back = site.running && !link.site.running;
            link.site = site;
            if back {
                link.host.solicit_again(self.now);
                self.tell(ToControl::Moved);
            }
            return Ok(());
        }
        self.waits = false;
        tracing::info!(interface = site.interface, ipv4 = %site.address, "ISATAP host");
        // Control may have ended already.
        let _ = parts.outbox.send(ToControl::Address(site.address));
        let socket = Proto41::bind(site.address)?;
        self.poller.add(&socket, LINK, Interest::READ)?;
        let errors = PathErrors::open(site.address)?;
        self.poller.add(&errors, ERRORS, Interest::READ)?;
        let mut host = Host::new(site.config(), parts.seed);
        parts.kernel.begin(host.link_local())?;
        host.set_routers(self.now, &parts.routers);
        let moved = self.link.replace(Link { site, socket, errors, host }).is_some();
        if moved || self.lost {
            self.lost = false;
            self.tell(ToControl::Moved);
        }
        Ok(())
    }

    /// Sends what the core has to say, and tells the kernel what it decided.
    fn settle(&mut self) {
        let Some(link) = &mut self.link else { return };
        let mut asked = false;
        while let Some(to) = link.host.poll_output(&mut self.scratch) {
            // Neighbour discovery is never a super-packet, so its metadata always fits.
            let _ = link.socket.send(to, &self.scratch);
            self.remembered.sent(&self.scratch);
            asked = true;
        }
        if let Err(error) = link.socket.flush() {
            tracing::debug!(%error, "protocol 41 cannot be sent");
        }
        while let Some(event) = link.host.poll_event() {
            told(&event);
            if let HostEvent::MtuChanged { mtu } = event {
                link.socket.set_mtu(u16::try_from(mtu).unwrap_or(u16::MAX));
            }
            if let Err(error) = self.parts.kernel.apply(self.now, &event) {
                tracing::warn!("{error}");
            }
        }
        if asked && !self.solicited {
            self.solicited = true;
            self.tell(ToControl::Solicited);
        }
    }

    fn view(&self) -> View {
        let site = self.link.as_ref().map(|link| &link.site);
        View {
            interface: site.map(|s| s.interface.clone()).or_else(|| self.parts.interface.clone()),
            ipv4: site.map(|s| s.address),
            routers: self.link.as_ref().map(|link| link.host.routers()).unwrap_or_default(),
            waiting: match &self.link {
                Some(_) => (Vec::new(), self.unlinked),
                None => (self.parts.routers.clone(), self.unlinked),
            },
            routes: self.parts.kernel.routes(),
            counters: Box::new(self.tally.counters().clone()),
            remembered: Box::new(self.remembered.clone()),
        }
    }
}

/// Says in the log what a person would want to know.
fn told(event: &HostEvent) {
    match event {
        HostEvent::AddressAdded { address, lifetimes, .. } if lifetimes.is_preferred() => {
            tracing::info!(%address, "address");
        }
        HostEvent::AddressAdded { address, .. } => {
            tracing::info!(%address, "address is not for new connections any more");
        }
        HostEvent::AddressRenewed { address, .. } => tracing::debug!(%address, "address renewed"),
        HostEvent::AddressRemoved { address, .. } => tracing::info!(%address, "address is gone"),
        HostEvent::RouteAdded { prefix, router, .. } => tracing::info!(%prefix, %router, "route"),
        HostEvent::RouteRemoved { prefix, .. } => tracing::info!(%prefix, "route is gone"),
        HostEvent::MtuChanged { mtu } => tracing::info!(mtu, "MTU of the link"),
        HostEvent::HopLimitChanged { hop_limit } => tracing::info!(hop_limit, "hop limit of the link"),
        HostEvent::RouterChanged { router, state } => tracing::info!(%router, ?state, "router"),
    }
}

/// The device is gone from under us, or the socket is.
fn lost(what: &str, error: io::Error) -> Failure {
    Failure::new(format!("{what}: {error}"))
}
