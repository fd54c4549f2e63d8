//! From a valid file to a running gateway and back.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use sixgate_config::Gateway;
use sixgate_fabric::{Fabric, Limits};
use sixgate_io_daemon::Said;
use sixgate_io_host::{Journal, Netlink, privilege};
use sixgate_io_link::{Own4, Steering, Waker};
use sixgate_isatap::Router;
use sixgate_nat64::Share;
use tokio::sync::mpsc::unbounded_channel;

use crate::Failure;
use crate::control::{self, Net, Site, Standing};
use crate::crew::{Crew, Deal};
use crate::native::Native;
use crate::net::{Engine, IsatapLink, KernelWays, Parts, Settings, Translator};
use crate::parent::{self, Devices, Machine};
use crate::seam::ToNet;

/// Name of the journal in the state directory.
const JOURNAL: &str = "gateway.journal";

pub(crate) fn run(path: &Path, config: Gateway) -> Result<(), Failure> {
    if config.pki.is_some() {
        // Clients are known by the certificate that enrolment gave them; others would be let in by nobody.
        return Err(Failure::new(
            "[pki]: this version lets in only clients that it has enrolled itself; leave the section out",
        ));
    }
    let deal = Deal::new(&config, seed()?);
    let steering = deal.steering(&config);
    privilege::keep_what_is_needed()?;
    std::fs::create_dir_all(&config.state)
        .map_err(|e| Failure::new(format!("{}: {e}", config.state.display())))?;
    let (journal, undone) = Journal::open(&config.state.join(JOURNAL))?;
    for remark in undone.remarks {
        tracing::warn!("left by an earlier run: {remark}");
    }
    let journal = Arc::new(Mutex::new(journal));
    let outcome = with_journal(path, config, &journal, &deal, steering.as_ref());
    // Whoever panicked with it has written what it was about to change before.
    for remark in journal.lock().unwrap_or_else(PoisonError::into_inner).undo().remarks {
        tracing::warn!("{remark}");
    }
    outcome
}

fn with_journal(
    path: &Path,
    config: Gateway,
    journal: &Arc<Mutex<Journal>>,
    deal: &Deal,
    steering: Option<&Steering>,
) -> Result<(), Failure> {
    let mut netlink = Netlink::new()?;
    let machine = Machine::look(&mut netlink, &config)?;
    let store = control::open_store(&config)?;
    let sources = control::known_before(&config, &store)?;
    let site = Site::new(config, machine.isatap, machine.own().collect(), machine.broadcasts(), sources);
    if site.mentioned.too_many() {
        return Err(Failure::new(
            "[[policy]] names more than 61 groups, clients and hosts: use prefixes for some",
        ));
    }
    let mut devices = {
        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        parent::prepare(&site.config, &machine, deal.of(), &mut netlink, &mut journal)?
    };
    let standing = devices
        .nat64
        .as_ref()
        .map(|(_, leads)| Standing::new(leads.clone(), Arc::clone(journal), deal.clone()));
    let wakers = (0..deal.of()).map(|_| Waker::new()).collect::<Result<Vec<_>, _>>()?;
    let (outbox, from_net) = unbounded_channel();
    let translators = translators(&site, &machine, &mut netlink, &mut devices, deal)?;
    if let (Some(first), Some(steering)) = (translators.first(), steering)
        && let Err(e) = first.tun.steer(steering)
    {
        tracing::info!("packets find their workers by the kernel's own table of flows: {e}");
    }
    let crossings = match translators.first() {
        Some(first) => {
            first.engine.nat64().map_or_else(Vec::new, |nat64| deal.crossings(nat64.config(), &wakers))
        }
        None => Vec::new(),
    };
    let (mut translators, mut crossings) = (translators.into_iter(), crossings.into_iter());
    let (mut ways, mut crew) = (Vec::new(), Vec::new());
    let said = Said::new();
    for waker in wakers {
        let (to_net, inbox) = mpsc::channel();
        ways.push((to_net, waker.clone()));
        let (nat64, crossing) = (translators.next(), crossings.next());
        crew.push(Parts::of_translator(nat64, crossing, inbox, waker, outbox.clone(), said.clone()));
    }
    // Control must notice when no worker is left.
    drop(outbox);
    if let Some(first) = crew.first_mut() {
        first.fabric = fabric(&site)?;
        first.isatap = isatap(&site, &machine, &mut devices)?;
        first.kernel = devices.kernel;
        first.client_port = site.client_port();
    }
    let net = Net::new(ways);
    let native = {
        let seed = u64::from_le_bytes(*seed()?.first_chunk().expect("a seed has 32 octets"));
        Native::start(&site.config, devices.native, net.clone(), seed)?
    };
    let crew = Crew::start(crew, seed()?)?;
    let outcome = control::run(path, site, standing, store, net.clone(), from_net);
    // Control has told them, unless it could not even begin.
    net.tell(ToNet::Stop);
    if let Some(native) = native {
        native.stop();
    }
    crew.join()?;
    outcome
}

fn fabric(site: &Site) -> Result<Option<Fabric>, Failure> {
    let Some(snapshot) = site.snapshot()? else { return Ok(None) };
    let mut fabric = Fabric::new(Limits::default(), seed()?);
    fabric.set_snapshot(Arc::new(snapshot));
    Ok(Some(fabric))
}

/// One for each worker, each with its queue of the device and its share of the pool.
fn translators(
    site: &Site,
    machine: &Machine,
    netlink: &mut Netlink,
    devices: &mut Devices,
    deal: &Deal,
) -> Result<Vec<Translator>, Failure> {
    let Some((tun, leads)) = devices.nat64.take() else { return Ok(Vec::new()) };
    let (gateway4, gateway6) = parent::error_sources(machine, netlink, site.own_address())?;
    let Some(settings) = control::translation(&site.config, machine.inside, gateway4, gateway6) else {
        return Ok(Vec::new());
    };
    let ways = Arc::new(KernelWays::look(netlink, site.fabric_mtu())?);
    let further = (1..deal.of()).map(|_| tun.open_queue()).collect::<Result<Vec<_>, _>>()?;
    let own = (settings.gateway4(), Arc::new(Own4::open()?));
    let mut made = Vec::new();
    for (tun, engine) in std::iter::once(tun).chain(further).zip(engines(&settings, deal)?) {
        made.push(Translator {
            tun,
            engine,
            aliases: leads.aliases().clone(),
            ways: Arc::clone(&ways),
            own: own.clone(),
        });
    }
    Ok(made)
}

/// As many as there are workers.
fn engines(settings: &Settings, deal: &Deal) -> Result<Vec<Engine>, Failure> {
    let config = match settings {
        Settings::Stateful(config) => config,
        Settings::Stateless(config) => {
            // One seed: a router has the same address with all of them.
            let seed = seed()?;
            let engine = |index| Engine::stateless(config, Share::new(index, deal.of()), seed);
            return Ok((0..deal.of()).map(engine).collect());
        }
    };
    let map = deal.map(config);
    let engine = |share| Ok(Engine::stateful(config, share, map.as_ref(), seed()?));
    deal.shares(config).map(engine).collect()
}

fn isatap(site: &Site, machine: &Machine, devices: &mut Devices) -> Result<Option<IsatapLink>, Failure> {
    let (Some(config), Some((socket, errors))) = (site.router(), devices.isatap.take()) else {
        return Ok(None);
    };
    let mut router = Router::new(config, seed()?);
    router.set_near(machine.near());
    Ok(Some(IsatapLink::new(socket, errors, router)))
}

/// Fresh randomness: peers choose what our tables hash.
fn seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Failure::new(format!("no randomness: {e}")))?;
    Ok(seed)
}
