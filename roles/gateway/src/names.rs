//! Names: the DNS64 that clients ask, and the registration of clients in the organisation's DNS.
//!
//! | module | holds |
//! | --- | --- |
//! | [`service`] | listening, forwarding, synthesis; what `dns64 explain` asks |
//! | [`registrar`] | names that should stand in DNS, until they do |
//! | `stale` | records that point where nobody is any more |
//! | [`memory`] | what outlives the daemon |

pub mod memory;
pub mod registrar;
pub mod service;
pub(crate) mod stale;

#[cfg(test)]
#[path = "../../../io/dns/tests/bind/mod.rs"]
mod bind;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sixgate_config::{Gateway, Registration};
use sixgate_io_dns::resolve::{ResolveError, resolve};
use sixgate_io_dns::server::BindError;
use sixgate_io_dns::update::{KeyFileError, Owner, TsigKey, Updater};
use sixgate_reason::{Counters, Reason};
use sixgate_wire::addr::Ipv6Prefix;

use memory::{Memory, MemoryError};
use registrar::{Registrar, RegistrarConfig, Standing};
use service::{Dns64Config, Dns64Service};

/// Counts of this part of the control plane.
pub type SharedCounters = Arc<Mutex<Counters>>;

/// What the file says about names.
#[derive(Clone, Debug)]
pub struct NamesConfig {
    service: Option<Dns64Config>,
    registration: Option<Registration>,
    clients: Option<Ipv6Prefix>,
}

impl NamesConfig {
    /// `None` when the file neither listens for questions nor registers anybody.
    #[must_use]
    pub fn of(config: &Gateway) -> Option<Self> {
        let own = Self {
            service: Dns64Config::of(config),
            registration: config.names.as_ref().and_then(|names| names.registration.clone()),
            clients: config.site.as_ref().map(sixgate_config::Site::clients),
        };
        (own.service.is_some() || own.registration.is_some()).then_some(own)
    }
}

/// Both halves, running. Ends when dropped; names stay registered, because clients come back.
pub struct Names {
    service: Option<Dns64Service>,
    registrar: Option<Registrar>,
    counters: SharedCounters,
}

/// A name in DNS, or on its way there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registered {
    /// The full name.
    pub name: String,
    /// Why it does not stand there, for a person.
    pub failure: Option<String>,
    /// The same for a machine.
    pub reason: Option<Reason>,
}

/// Why names do not start.
#[derive(Debug)]
pub enum NamesError {
    /// An address of `[dns] listen`.
    Listen(BindError),
    /// `[names] update.tsig-file`
    Key(PathBuf, KeyFileError),
    /// `[names] zone`
    Zone(String),
    /// What should outlive the daemon cannot be read.
    Memory(MemoryError),
}

impl fmt::Display for NamesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(error) => write!(f, "[dns] listen: {error}"),
            Self::Key(path, error) => {
                write!(f, "[names] update.tsig-file {}: {}", path.display(), error.what)
            }
            Self::Zone(zone) => write!(f, "[names] zone: {zone:?} is no domain name"),
            Self::Memory(error) => write!(f, "[names] remembered names: {error}"),
        }
    }
}

impl std::error::Error for NamesError {}

impl Names {
    /// Listens and takes up where the last run ended. At its return every address of `[dns] listen` answers.
    ///
    /// # Errors
    /// See [`NamesError`]; nothing runs then.
    pub fn start(config: NamesConfig, memory: Arc<dyn Memory>) -> Result<Self, NamesError> {
        let counters = SharedCounters::default();
        let registrar = match config.registration {
            Some(registration) => {
                let config = registrar_config(&registration, config.clients, memory.as_ref())?;
                let registrar = Registrar::start(config, memory, Arc::clone(&counters));
                Some(registrar.map_err(NamesError::Memory)?)
            }
            None => None,
        };
        let service = match config.service {
            Some(service) => {
                let service = Dns64Service::start(service, Arc::clone(&counters));
                Some(service.map_err(NamesError::Listen)?)
            }
            None => None,
        };
        Ok(Self { service, registrar, counters })
    }

    /// Takes over upstreams and synthesis of another file. Addresses, access list and registration wait for a restart.
    pub fn reconfigure(&self, config: &NamesConfig) {
        if let (Some(service), Some(new)) = (&self.service, &config.service) {
            service.reconfigure(new);
        }
    }

    /// The client has this address: its name is to say so, from now on and whether it is connected or not.
    pub fn register(&self, client: &str, address: Ipv6Addr) {
        if let Some(registrar) = &self.registrar {
            registrar.register(client, address);
        }
    }

    /// The client has left for good: its name is to go.
    pub fn unregister(&self, client: &str) {
        if let Some(registrar) = &self.registrar {
            registrar.unregister(client);
        }
    }

    /// Removes the names of all clients but these: for the start, where a client may have left while nobody looked.
    pub fn keep_only(&self, clients: &[String]) {
        if let Some(registrar) = &self.registrar {
            registrar.keep_only(clients);
        }
    }

    /// Every name that should stand in DNS, or should be gone and is not yet.
    #[must_use]
    pub fn registered(&self) -> Vec<Registered> {
        let Some(registrar) = &self.registrar else { return Vec::new() };
        let view = |status: registrar::NameStatus| Registered {
            failure: match &status.state {
                Standing::Failed { what, .. } => Some(what.clone()),
                Standing::Pending | Standing::Stands => None,
            },
            reason: match &status.state {
                Standing::Failed { reason, .. } => Some(*reason),
                Standing::Pending | Standing::Stands => None,
            },
            name: status.name,
        };
        registrar.status().into_iter().map(view).collect()
    }

    /// Counts of refused and failed questions and updates.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The DNS64, where there is one.
    #[must_use]
    pub fn service(&self) -> Option<&Dns64Service> {
        self.service.as_ref()
    }

    /// The registrar, where there is one.
    #[must_use]
    pub fn registrar(&self) -> Option<&Registrar> {
        self.registrar.as_ref()
    }
}

/// The addresses of a name; asked of these servers.
///
/// # Errors
/// See [`ResolveError`].
pub async fn look_up(name: &str, servers: &[SocketAddr]) -> Result<Vec<IpAddr>, ResolveError> {
    resolve(name, servers).await
}

fn registrar_config(
    registration: &Registration,
    clients: Option<Ipv6Prefix>,
    memory: &dyn Memory,
) -> Result<RegistrarConfig, NamesError> {
    let key = match &registration.tsig_file {
        Some(path) => Some(TsigKey::read(path).map_err(|error| NamesError::Key(path.clone(), error))?),
        None => None,
    };
    let zone = registration.zone.to_string();
    Ok(RegistrarConfig {
        zone: zone.parse().map_err(|_| NamesError::Zone(zone))?,
        updater: Updater::new(vec![registration.server], key),
        owner: owner(memory).map_err(NamesError::Memory)?,
        reverse: clients,
    })
}

/// Who we are to the zone: this machine, or else an identifier made once.
fn owner(memory: &dyn Memory) -> Result<Owner, MemoryError> {
    if let Some(owner) = Owner::of_machine() {
        return Ok(owner);
    }
    if let Some(uuid) = memory.get(memory::OWNER)?
        && let Ok(uuid) = uuid.try_into()
    {
        return Ok(Owner::from_uuid(uuid));
    }
    let mut uuid = [0; 16];
    getrandom::fill(&mut uuid).map_err(|error| MemoryError(error.to_string()))?;
    memory.put(memory::OWNER, &uuid)?;
    Ok(Owner::from_uuid(uuid))
}
