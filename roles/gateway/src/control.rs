//! The control plane: handshakes, enrolment, names, the control socket. tokio lives here and nowhere else.

mod addresses;
mod allowed;
mod api;
mod capture;
mod door;
mod ends;
mod enrol;
mod evidence;
mod flows;
mod hosts;
mod ledger;
mod limits;
mod listen;
mod merge;
mod metrics;
pub(crate) mod nat64;
mod native;
mod net;
mod news;
mod policy;
mod pool_alarm;
mod port_log;
mod ptr;
mod reload;
mod retire;
mod router;
mod siit;
mod site;
mod status;
mod suggest;
mod tokens;
mod trace;
mod translator;
mod ways;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use sixgate_config::Gateway;
use sixgate_io_control::{Server, serve_page};
use sixgate_io_store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

pub(crate) use net::Net;
pub(crate) use site::Site;
pub(crate) use translator::{Renewed, Standing, translation};

use crate::Failure;
use crate::names::{Names, NamesConfig};
use crate::seam::{ToControl, ToNet};
use allowed::Sources;
use door::Door;
use ledger::Ledger;
use pool_alarm::PoolAlarms;
use port_log::PortLog;
use ptr::HostNames;

/// Name of the file of tokens and clients in the state directory.
const STORE: &str = "gateway.redb";

/// How long the end waits for the workers, which take their leave of hosts and clients.
const LEAVE: Duration = Duration::from_secs(5);

/// What the parts of the control plane share.
pub(crate) struct Control {
    /// The file of the configuration.
    pub(crate) file: PathBuf,
    pub(crate) net: Net,
    /// Changes with a reload; never held across an await.
    pub(crate) site: Mutex<Site>,
    /// There are clients.
    pub(crate) door: Option<Arc<Door>>,
    pub(crate) names: Option<Names>,
    /// What stands on the machine for the translator, where there is one.
    pub(crate) translator: Option<Standing>,
    /// Who has which outside ports, where that is logged; never held across an await.
    pub(crate) port_log: Mutex<Option<PortLog>>,
    pub(crate) pool_alarms: Mutex<PoolAlarms>,
    pub(crate) store: Arc<Store>,
    /// The ISATAP hosts of the last weeks; never held across an await.
    pub(crate) ledger: Mutex<Ledger>,
    /// What is kept of a retirement.
    pub(crate) retirement: retire::Keeper,
    /// Held for a whole step of `isatap retire`.
    pub(crate) retiring: tokio::sync::Mutex<()>,
    /// What DNS says of the addresses of hosts.
    pub(crate) host_names: HostNames,
    /// Rung when there are names to look up.
    pub(crate) names_wanted: Notify,
    /// Rung when the directory is to be asked.
    pub(crate) groups_wanted: Notify,
    pub(crate) since: Timestamp,
}

/// Opens what the gateway remembers.
pub(crate) fn open_store(config: &Gateway) -> Result<Arc<Store>, Failure> {
    Store::open(&config.state.join(STORE)).map(Arc::new).map_err(|e| Failure::new(e.to_string()))
}

/// What earlier runs knew of who is allowed ISATAP: a router that starts with less would serve whom it must not.
pub(crate) fn known_before(config: &Gateway, store: &Store) -> Result<Sources, Failure> {
    if config.isatap.is_none() {
        return Ok(Sources::default());
    }
    if let Some(ldap) = &config.ldap {
        allowed::groups::directory(ldap).map_err(|e| Failure::new(format!("[ldap] {e}")))?;
    }
    Sources::load(store).map_err(|what| {
        Failure::new(format!(
            "{}: {what}; no start, since hosts that were denied might be served: put back a copy of the file from before, \
             or start the version of sixgate that wrote it",
            config.state.join(STORE).display()
        ))
    })
}

/// Runs until a signal ends it or the packet plane fails.
pub(crate) fn run(
    path: &Path,
    site: Site,
    translator: Option<Standing>,
    store: Arc<Store>,
    net: Net,
    from_net: UnboundedReceiver<ToControl>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(path, site, translator, store, net, from_net));
    // Tasks that wait for the network must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn serve(
    path: &Path,
    site: Site,
    translator: Option<Standing>,
    store: Arc<Store>,
    net: Net,
    mut from_net: UnboundedReceiver<ToControl>,
) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut tasks = JoinSet::new();

    let door = Door::open(&site, net.clone(), Arc::clone(&store))?.map(Arc::new);
    let mut listeners = Vec::new();
    if let Some(ip_https) = &site.config.ip_https {
        for address in &ip_https.listen {
            let listener = TcpListener::bind(address).await.map_err(|e| cannot_listen(*address, &e))?;
            listeners.push(listener);
        }
    }
    let metrics = match &site.config.metrics {
        Some(metrics) => Some(
            TcpListener::bind(metrics.listen)
                .await
                .map_err(|e| Failure::new(format!("metrics.listen {}: {e}", metrics.listen)))?,
        ),
        None => None,
    };
    let names = match NamesConfig::of(&site.config) {
        Some(config) => {
            let memory: Arc<Store> = Arc::clone(&store);
            Some(Names::start(config, memory).map_err(|e| Failure::new(e.to_string()))?)
        }
        None => None,
    };
    let port_log = match site.config.nat64.as_ref().and_then(|nat64| nat64.port_log.as_ref()) {
        Some(path) => Some(PortLog::start(path, Arc::clone(&store))?),
        None => None,
    };
    let server = Server::bind(&site.config.control, 0o600)
        .map_err(|e| Failure::new(format!("control socket {}: {e}", site.config.control.display())))?;
    let (translates, within) = (site.config.translator_device().is_some(), site.fabric_mtu());
    let routes_isatap = site.config.isatap.is_some();
    let control = Arc::new(Control {
        file: path.to_path_buf(),
        net,
        site: Mutex::new(site),
        door,
        names,
        translator,
        port_log: Mutex::new(port_log),
        pool_alarms: Mutex::default(),
        store,
        ledger: Mutex::default(),
        retirement: retire::Keeper::default(),
        retiring: tokio::sync::Mutex::default(),
        host_names: HostNames::default(),
        names_wanted: Notify::new(),
        groups_wanted: Notify::new(),
        since: Timestamp::now(),
    });

    tasks.spawn(server.serve(api::Api(Arc::clone(&control))));
    if translates {
        tasks.spawn(ways::watch(control.net.clone(), within));
    }
    if routes_isatap {
        tasks.spawn(addresses::watch(Arc::clone(&control)));
    }
    if let Some(door) = &control.door {
        for listener in listeners {
            tasks.spawn(listen::serve(listener, Arc::clone(door)));
        }
        let door = Arc::clone(door);
        tasks.spawn(async move { door.renew_own_certificate().await });
    }
    if let Some(listener) = metrics {
        let control = Arc::clone(&control);
        let page = move || metrics::render(Arc::clone(&control));
        tasks.spawn(serve_page(listener, metrics::PATH, metrics::CONTENT_TYPE, page));
    }
    tasks.spawn(allowed::names::keep(Arc::clone(&control)));
    tasks.spawn(allowed::groups::keep(Arc::clone(&control)));
    tasks.spawn(retire::look(Arc::clone(&control)));
    control.restore_retirement();
    control.restore_hosts();
    control.forget_strangers();
    tracing::info!("ready");
    if let Err(e) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::debug!("sd_notify: {e}");
    }

    let outcome = loop {
        tokio::select! {
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
            _ = hangup.recv() => reload::reload(path, &control),
            message = from_net.recv() => match message {
                Some(ToControl::Failed(what)) => {
                    break Err(Failure::new(format!("the packet plane: {what}")));
                }
                Some(message) => control.heard(message),
                None => break Err(Failure::new("the packet plane is gone")),
            },
        }
    };
    if outcome.is_ok() {
        control.keep_hosts_at_the_end().await;
    }
    control.stop_packets(&mut from_net).await;
    control.end_port_log();
    outcome
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let denied = error.kind() == io::ErrorKind::PermissionDenied;
    let advice = if denied { ": run as root or with CAP_NET_BIND_SERVICE" } else { "" };
    Failure::new(format!("transports.ip-https.listen {address}: {error}{advice}"))
}

impl Control {
    /// Takes names of clients that left while nobody looked out of DNS.
    fn forget_strangers(&self) {
        if let (Some(door), Some(names)) = (&self.door, &self.names) {
            match door.names() {
                Ok(clients) => names.keep_only(&clients),
                Err(e) => tracing::warn!("state: {e}"),
            }
        }
    }

    /// Ends the workers and hears who got ports until the last packet: the log must know them when it ends.
    async fn stop_packets(&self, from_net: &mut UnboundedReceiver<ToControl>) {
        self.net.tell(ToNet::Stop);
        let leave = async {
            while let Some(message) = from_net.recv().await {
                match message {
                    ToControl::Ports { at, events, lost } => self.log_ports(at, events, lost),
                    ToControl::Failed(what) => tracing::warn!("the packet plane: {what}"),
                    // Everything ends: that is no news.
                    ToControl::Up { .. }
                    | ToControl::Down { .. }
                    | ToControl::Served(_)
                    | ToControl::Pool { .. } => {}
                }
            }
        };
        if tokio::time::timeout(LEAVE, leave).await.is_err() {
            tracing::warn!("the workers take long to end");
        }
    }

    /// Whatever the packet plane says beside its end.
    fn heard(&self, message: ToControl) {
        match message {
            ToControl::Up { name } => {
                tracing::info!(client = name, "client connected");
                if let (Some(names), Some(address)) =
                    (&self.names, self.door.as_ref().and_then(|d| d.address(&name)))
                {
                    names.register(&name, address);
                }
            }
            // The refusal itself is counted and logged under its code.
            ToControl::Down { name, reason } => match reason {
                Some(reason) => tracing::info!(client = name, "client's session ended: {}", reason.text()),
                None => tracing::info!(client = name, "client disconnected"),
            },
            ToControl::Served(hosts) => self.keep_hosts(&hosts, false),
            ToControl::Ports { at, events, lost } => self.log_ports(at, events, lost),
            ToControl::Pool { share, alarm } => self.note_alarm(share, &alarm),
            ToControl::Failed(_) => {}
        }
    }
}
