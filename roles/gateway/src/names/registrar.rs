//! Keeps names in the organisation's DNS as they should be, until they are.
//!
//! What should be is on disk before anything is sent, so that it is right after a SIGKILL: a name that should stand is
//! looked at again at the start and every hour, a name that should go is removed until it is gone. Each name has its own
//! retries, and a server that does not answer for one does not hold up the others for long.

mod entry;
mod reverse;
mod steps;
mod task;
#[cfg(test)]
mod tests;

use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use domain::base::Name;
use sixgate_io_dns::update::{Owner, Updater};
use sixgate_reason::Reason;
use sixgate_wire::addr::Ipv6Prefix;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::SharedCounters;
use super::memory::{Memory, MemoryError, load};

/// Whose names, where, and as whom.
#[derive(Debug)]
pub struct RegistrarConfig {
    /// Clients are `NAME.zone`.
    pub zone: Name<Vec<u8>>,
    /// The zone's servers, and the key.
    pub updater: Updater,
    /// Claims the names (RFC 4701).
    pub owner: Owner,
    /// PTR records are kept for addresses in this prefix; without it for none.
    pub reverse: Option<Ipv6Prefix>,
}

/// Running; ends when dropped, and leaves the names as they are.
#[derive(Debug)]
pub struct Registrar {
    commands: mpsc::UnboundedSender<Command>,
    view: View,
    task: AbortHandle,
}

type View = Arc<Mutex<Vec<NameStatus>>>;

/// One name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameStatus {
    /// The full name.
    pub name: String,
    /// The address that it should have, or had.
    pub address: Ipv6Addr,
    /// The name should go.
    pub leaving: bool,
    /// How it stands.
    pub state: Standing,
    /// Since when it stands so.
    pub since: SystemTime,
    /// Why there is no PTR record, where there should be one.
    pub reverse_failure: Option<String>,
}

/// How a name stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Not sent yet, or under way.
    Pending,
    /// As it should be.
    Stands,
    /// It is not as it should be; it is tried again.
    Failed {
        /// The registry's name for it.
        reason: Reason,
        /// For a person.
        what: String,
        /// Attempts since it last stood.
        attempts: u32,
    },
}

#[derive(Debug)]
enum Command {
    Register(String, Ipv6Addr),
    Unregister(String),
    KeepOnly(Vec<String>),
}

impl Registrar {
    /// Takes up where the last run ended. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// What was remembered cannot be read.
    pub fn start(
        config: RegistrarConfig,
        memory: Arc<dyn Memory>,
        counters: SharedCounters,
    ) -> Result<Self, MemoryError> {
        let remembered = load(memory.as_ref())?;
        let (commands, queue) = mpsc::unbounded_channel();
        let view = View::default();
        let task = task::Task::new(config, memory, counters, Arc::clone(&view), remembered);
        let task = tokio::spawn(task.run(queue)).abort_handle();
        Ok(Self { commands, view, task })
    }

    /// `client.zone` should have this address.
    pub fn register(&self, client: &str, address: Ipv6Addr) {
        self.tell(Command::Register(client.to_owned(), address));
    }

    /// `client.zone` should go.
    pub fn unregister(&self, client: &str) {
        self.tell(Command::Unregister(client.to_owned()));
    }

    /// All names but those of these clients should go.
    pub fn keep_only(&self, clients: &[String]) {
        self.tell(Command::KeepOnly(clients.to_vec()));
    }

    /// Every name that should stand, or should be gone and is not yet, by name.
    #[must_use]
    pub fn status(&self) -> Vec<NameStatus> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, command: Command) {
        // The task lives as long as this.
        let _gone = self.commands.send(command);
    }
}

impl Drop for Registrar {
    fn drop(&mut self) {
        self.task.abort();
    }
}
