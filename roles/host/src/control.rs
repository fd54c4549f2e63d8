//! Signals, look-ups and the control socket.

mod api;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sixgate_config::Host;
use sixgate_io_control::Server;
use sixgate_isatap::host::MOST_ROUTERS;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::evidence::Addresses;
use crate::routers::{Answer, Name, Routers, Standing};
use crate::seam::{ToControl, ToWorker, Work};
use crate::{Failure, lookup};
use api::Api;

/// Mode of the control socket: root alone.
const MODE: u32 = 0o600;

/// Runs until a signal ends it or the worker fails.
pub(crate) fn run(
    path: &Path,
    config: Host,
    routers: Routers,
    work: Work,
    from_worker: UnboundedReceiver<ToControl>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(path, config, routers, work, from_worker));
    // Tasks that wait for the network must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn serve(
    path: &Path,
    config: Host,
    routers: Routers,
    work: Work,
    mut from_worker: UnboundedReceiver<ToControl>,
) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut server = Some(Server::bind(&config.control, MODE)?);
    let mut served = JoinSet::new();
    let (shown, names) = watch::channel(routers.names());
    let addresses = Arc::new(Mutex::new(Addresses::load(&config.state)));
    let mut api = Some(Api {
        work: work.clone(),
        device: config.device.clone(),
        since: Timestamp::now(),
        names,
        config: config.clone(),
        addresses: Arc::clone(&addresses),
    });
    let (to, mut answers) = unbounded_channel();
    let mut list = List { config, routers, work, lookups: JoinSet::new(), to, shown };
    list.look_up();
    loop {
        // Ready: the device is up, and a router has been asked or there is nothing that could be sent.
        let ready = tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => {
                list.reload(path);
                false
            }
            said = from_worker.recv() => match said {
                Some(ToControl::Solicited | ToControl::Waiting) => true,
                Some(ToControl::Moved) => {
                    list.look_up();
                    false
                }
                Some(ToControl::Address(ipv4)) => {
                    addresses.lock().unwrap_or_else(PoisonError::into_inner).note(ipv4);
                    false
                }
                Some(ToControl::Failed(what)) => return Err(Failure::new(what)),
                None => return Err(Failure::new("the worker is gone")),
            },
            answer = answers.recv() => match answer {
                Some((name, answer)) => {
                    list.learn(&name, answer);
                    list.routers.nobody_is_known()
                }
                None => false,
            },
        };
        if ready && let (Some(server), Some(api)) = (server.take(), api.take()) {
            served.spawn(server.serve(api));
            tracing::info!("ready");
            if let Err(e) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
                tracing::debug!("sd_notify: {e}");
            }
        }
    }
}

/// The list of routers and what keeps it.
struct List {
    config: Host,
    routers: Routers,
    work: Work,
    lookups: JoinSet<()>,
    to: UnboundedSender<(String, Answer)>,
    /// What the control socket shows of the names.
    shown: watch::Sender<Vec<(String, Name)>>,
}

impl List {
    fn look_up(&mut self) {
        self.lookups.abort_all();
        for name in self.routers.to_look_up() {
            self.lookups.spawn(lookup::keep(name, self.config.nameserver.clone(), self.to.clone()));
        }
    }

    /// Takes what a look-up said.
    fn learn(&mut self, name: &str, answer: Answer) {
        let before = self.standing(name);
        let failure = match &answer {
            Answer::Addresses(_) => None,
            Answer::NoSuchName => Some("there is no such name"),
            Answer::NoAddress => Some("it has no IPv4 address"),
            Answer::Failed(why) => Some(why.as_str()),
        };
        // Said once, and not at each of the look-ups that follow.
        let failure = failure.map(str::to_owned);
        let fresh = matches!(answer, Answer::Addresses(_));
        let changed = self.routers.learn(Timestamp::now(), name, answer);
        if before != self.standing(name) {
            match &failure {
                Some(why) => tracing::warn!(
                    name,
                    "looking up the router's name: {why}; its last addresses stay in use: {:?}",
                    self.addresses(name)
                ),
                None => tracing::info!(name, addresses = ?self.addresses(name), "router's name looked up"),
            }
        }
        if fresh && let Err(e) = self.routers.save() {
            tracing::warn!("the list of routers cannot be kept on disk: {e}");
        }
        if changed {
            let list = self.routers.list();
            tracing::info!(routers = ?list, "list of routers");
            if list.len() > MOST_ROUTERS {
                tracing::warn!("only the first {MOST_ROUTERS} of {} routers are used", list.len());
            }
            self.work.tell(ToWorker::Routers(self.routers.list()));
        }
        self.show();
    }

    fn standing(&self, name: &str) -> Option<Standing> {
        self.routers.name(name).map(|n| n.standing)
    }

    fn addresses(&self, name: &str) -> &[Ipv4Addr] {
        self.routers.name(name).map_or(&[], |n| &n.addresses)
    }

    fn show(&self) {
        self.shown.send_replace(self.routers.names());
    }

    /// Reads the file again and takes over what can change while running, if it is valid in full.
    fn reload(&mut self, path: &Path) {
        let checked = match std::fs::read_to_string(path) {
            Ok(text) => sixgate_config::host(path, &text),
            Err(e) => return tracing::warn!("{}: {e}; nothing is changed", path.display()),
        };
        let new = match checked {
            Ok(checked) => checked.value,
            Err(report) => return tracing::warn!("nothing is changed:\n{}", report.render()),
        };
        // The control socket may have been given on the command line, which wins over both files.
        let fixed = |c: &Host| (c.state.clone(), c.interface.clone(), c.device.clone());
        if fixed(&new) != fixed(&self.config) {
            tracing::warn!("`state`, `interface` and `device` change with the next start");
        }
        self.config.routers = new.routers;
        self.config.nameserver = new.nameserver;
        self.routers.set_specs(&self.config.routers);
        self.work.tell(ToWorker::Routers(self.routers.list()));
        self.show();
        self.look_up();
        tracing::info!("reloaded");
    }
}
