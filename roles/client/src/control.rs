//! The control plane: decides when to connect, applies what the gateway gives, and says how things are.

mod renewal;

use std::future::{Future, pending};
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use sixgate_api::ClientState;
use sixgate_config::Client;
use sixgate_io_control::Server;
use sixgate_io_host::Journal;
use sixgate_io_link::{Waker, clock};
use sixgate_reason::Reason;
use sixgate_roaming::backoff::Backoff;
use sixgate_time::Instant;
use sixgate_wire::lease::Lease;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use crate::Failure;
use crate::connect::{self, Connected, Refused};
use crate::device::Device;
use crate::names::{Names, NamesConfig};
use crate::network::{Network, Watch};
use crate::resolver::Resolver;
use crate::seam::{FromWorker, Generation, ToWorker};
use crate::status::{Board, Connection, Wish};
use renewal::Renewal;

/// Where addresses of gateways are remembered, in the state directory.
const GATEWAYS: &str = "gateways.json";
/// A gateway that asks to be left alone for longer is asked again all the same.
const LONGEST_HOLD: Duration = Duration::from_secs(60);
/// Changes of the network come in bursts: a carrier, an address, a route.
const SETTLE: Duration = Duration::from_millis(30);

/// The way to the worker.
#[derive(Clone)]
pub(crate) struct ToNet {
    sender: Sender<ToWorker>,
    waker: Waker,
}

impl ToNet {
    pub(crate) fn new(sender: Sender<ToWorker>, waker: Waker) -> Self {
        Self { sender, waker }
    }

    pub(crate) fn tell(&self, message: ToWorker) {
        // A worker that is gone has said why, and control is about to read it.
        if self.sender.send(message).is_ok() {
            self.waker.wake();
        }
    }
}

/// What control is made from.
pub(crate) struct Parts {
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) device: Device,
    pub(crate) net: ToNet,
    pub(crate) from_worker: UnboundedReceiver<FromWorker>,
    pub(crate) board: Board,
    pub(crate) wishes: UnboundedReceiver<Wish>,
    pub(crate) seed: u64,
}

/// Runs until a signal ends it or the packet plane fails.
pub(crate) fn run(path: &Path, config: Client, parts: Parts, journal: &mut Journal) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(path, config, parts, journal));
    // Tasks that wait for the network must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

type Attempt = Pin<Box<dyn Future<Output = Result<Connected, Refused>>>>;

struct Control {
    config: Client,
    tls: Arc<ClientConfig>,
    device: Device,
    net: ToNet,
    board: Board,
    names: Arc<Mutex<Names>>,
    resolver: Arc<Resolver>,
    backoff: Backoff,
    /// The gateway wants to be left alone until then.
    not_before: Instant,
    /// Of the connection that was handed to the worker last.
    generation: Generation,
    /// The worker has a connection, with or without a lease yet.
    attached: bool,
    network: Network,
    /// Listens, and answers from the moment that we are ready on.
    server: Option<Server>,
    socket: Option<JoinHandle<()>>,
    /// The reason that was told last, so that it is told once.
    told: Option<Reason>,
    renewal: Renewal,
}

async fn serve(path: &Path, config: Client, parts: Parts, journal: &mut Journal) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let Parts { tls, mut device, net, mut from_worker, board, mut wishes, seed } = parts;
    // Before the first look, so that no change falls between.
    let watch = Watch::start()?;
    let network = device.network()?;
    let server = Server::bind(&config.control, 0o600)?;
    let names = Arc::new(Mutex::new(Names::new(NamesConfig::new(gateway_names(&config)))));
    board.set_names(Arc::clone(&names));
    let servers = {
        let names = Arc::clone(&names);
        move || lock(&names).local_servers()
    };
    let resolver = Resolver::new(servers, config.state.join(GATEWAYS));
    let mut running = None;
    let mut control = Control {
        config,
        tls,
        device,
        net,
        board,
        names,
        resolver: Arc::new(resolver),
        backoff: Backoff::new(seed),
        not_before: Instant::ZERO,
        generation: 0,
        attached: false,
        network,
        server: Some(server),
        socket: None,
        told: None,
        renewal: Renewal::default(),
    };
    control.look_at_certificate();
    let outcome = loop {
        tokio::select! {
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
            _ = hangup.recv() => {
                if control.reload(path) {
                    running = None;
                }
            }
            Some(message) = from_worker.recv() => {
                if let Err(failure) = control.heard(message, journal) {
                    break Err(failure);
                }
            }
            outcome = attempt(&mut running) => control.attempted(outcome),
            () = sleep_until(control.due()), if running.is_none() && !control.attached => {
                running = Some(control.try_now());
            }
            Some(wish) = wishes.recv() => control.renew(Some(wish)),
            () = control.renewal.due(), if control.attached => control.renew(None),
            outcome = control.renewal.outcome() => control.renewed(outcome),
            () = watch.changed() => {
                tokio::time::sleep(SETTLE).await;
                // An attempt that was begun on the old network may wait for answers that never come.
                if control.look(journal) {
                    running = None;
                }
            }
        }
    };
    if let Some(socket) = &control.socket {
        socket.abort();
    }
    for remark in lock(&control.names).stop(journal) {
        tracing::warn!("{remark}");
    }
    outcome
}

fn read(path: &Path) -> Result<(Client, Arc<ClientConfig>), Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| Failure::new(format!("{}: {e}", path.display())))?;
    let checked = sixgate_config::client(path, &text);
    let config = checked.map_err(|report| Failure::new(report.render()))?.value;
    let tls = connect::tls(&config)?;
    Ok((config, tls))
}

/// The gateways' names, which must be found without the tunnel.
fn gateway_names(config: &Client) -> Vec<String> {
    config.gateway.iter().map(|gateway| gateway.host.to_string()).collect()
}

fn lock(names: &Mutex<Names>) -> MutexGuard<'_, Names> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The outcome of the attempt that runs; never when there is none.
async fn attempt(running: &mut Option<Attempt>) -> Result<Connected, Refused> {
    let Some(future) = running else { return pending().await };
    let outcome = future.await;
    *running = None;
    outcome
}

async fn sleep_until(due: Instant) {
    tokio::time::sleep(due.since(clock::now())).await;
}

impl Control {
    fn due(&self) -> Instant {
        self.backoff.next_attempt().max(self.not_before)
    }

    fn try_now(&self) -> Attempt {
        self.board.facts().set_state(ClientState::Connecting);
        let (gateways, tls, resolver) =
            (self.config.gateway.clone(), Arc::clone(&self.tls), Arc::clone(&self.resolver));
        Box::pin(async move { connect::first(&gateways, &tls, &resolver).await })
    }

    fn attempted(&mut self, outcome: Result<Connected, Refused>) {
        match outcome {
            Ok(Connected { stream, socket, url, peer }) => {
                self.generation += 1;
                self.attached = true;
                self.board.facts().connection = Some(Connection { url, peer, socket });
                self.net.tell(ToWorker::Attach(Box::new(stream), self.generation));
            }
            Err(Refused { reason, detail, retry_after }) => {
                self.board.tally().count(reason);
                self.failed(reason, &detail, retry_after);
            }
        }
    }

    /// An attempt came to nothing, or a connection to its end.
    fn failed(&mut self, reason: Reason, detail: &str, retry_after: Option<Duration>) {
        self.backoff.failed(clock::now());
        if let Some(wait) = retry_after {
            self.not_before = clock::now() + wait.min(LONGEST_HOLD);
        }
        {
            let mut facts = self.board.facts();
            facts.set_state(ClientState::Waiting);
            facts.reason = Some(reason);
            facts.connection = None;
        }
        let beside = if detail.is_empty() { String::new() } else { format!("; {detail}") };
        if self.told.replace(reason) == Some(reason) {
            tracing::debug!(reason = reason.code(), "not connected: {}{beside}", reason.text());
        } else {
            tracing::info!(reason = reason.code(), "not connected: {}{beside}", reason.text());
        }
        lock(&self.names).set_tunnel(false);
        self.be_ready();
    }

    fn heard(&mut self, message: FromWorker, journal: &mut Journal) -> Result<(), Failure> {
        match message {
            FromWorker::Leased(lease, generation) if generation == self.generation => {
                self.leased(lease, journal)
            }
            FromWorker::Ended { reason, detail, generation }
                if generation == self.generation && self.attached =>
            {
                self.attached = false;
                self.failed(reason, &detail, None);
            }
            // Of a connection that was replaced.
            FromWorker::Leased(..) | FromWorker::Ended { .. } => {}
            FromWorker::Failed(what) => return Err(Failure::new(what)),
        }
        Ok(())
    }

    fn leased(&mut self, lease: Lease, journal: &mut Journal) {
        // Names before routes: what is asked in between must not go where the routes do not lead yet.
        if let Err(error) = lock(&self.names).set_lease(&lease, journal) {
            tracing::warn!("names are not steered: {error}");
        }
        if let Err(error) = self.device.apply(&lease) {
            tracing::warn!("{}: {error}", self.config.device);
        }
        self.backoff.succeeded();
        self.told = None;
        let first = {
            let mut facts = self.board.facts();
            let first = facts.state() != ClientState::Connected;
            facts.set_state(ClientState::Connected);
            facts.reason = None;
            facts.lease = Some(lease);
            first
        };
        if first {
            let facts = self.board.facts();
            let (url, peer) = facts.connection.as_ref().map(|c| (c.url.clone(), c.peer)).unzip();
            tracing::info!(gateway = url, peer = peer.map(|p| p.to_string()), "connected");
        }
        self.be_ready();
    }

    /// Something of the network was said to have changed: if it matters, sees to it at once, and says so.
    fn look(&mut self, journal: &mut Journal) -> bool {
        if let Err(error) = lock(&self.names).refresh(journal) {
            tracing::warn!("names are not steered: {error}");
        }
        let network = match self.device.network() {
            Ok(network) => network,
            Err(error) => {
                tracing::debug!("{error}");
                return false;
            }
        };
        if network == self.network {
            return false;
        }
        let before = std::mem::replace(&mut self.network, network);
        tracing::debug!("the network changed");
        if self.attached {
            let own = self.board.facts().connection.as_ref().and_then(|c| c.socket.local_addr().ok());
            if own.is_some_and(|own| before.has(own.ip()) && !self.network.has(own.ip())) {
                // What is sent to an address that is gone comes back to nobody: no need to ask.
                self.give_up();
            } else {
                self.net.tell(ToWorker::NetworkChanged);
            }
        }
        self.backoff.network_changed(clock::now());
        true
    }

    /// Reads the file again; false when nothing was changed.
    fn reload(&mut self, path: &Path) -> bool {
        let (config, tls) = match read(path) {
            Ok(read) => read,
            Err(failure) => {
                tracing::warn!("{failure}; nothing was changed");
                return false;
            }
        };
        if (&config.name, &config.device, &config.control, &config.state)
            != (&self.config.name, &self.config.device, &self.config.control, &self.config.state)
        {
            tracing::warn!("name, device, control and state change with a restart only");
        }
        self.tls = tls;
        self.config.gateway = config.gateway;
        self.look_at_certificate();
        tracing::info!("{} read again", path.display());
        self.give_up();
        self.backoff.network_changed(clock::now());
        true
    }

    /// Ends the connection that stands, because another must take its place.
    fn give_up(&mut self) {
        self.net.tell(ToWorker::Detach);
        self.attached = false;
        lock(&self.names).set_tunnel(false);
        let mut facts = self.board.facts();
        facts.connection = None;
        facts.set_state(ClientState::Connecting);
    }

    /// Once: after the first session, or after the first attempt that failed.
    fn be_ready(&mut self) {
        let Some(server) = self.server.take() else { return };
        self.socket = Some(tokio::spawn(server.serve(self.board.clone())));
        tracing::info!("ready");
        if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
            tracing::debug!("sd_notify: {error}");
        }
    }
}
