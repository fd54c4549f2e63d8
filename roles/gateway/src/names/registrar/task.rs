//! The task behind a [`Registrar`](super::Registrar): commands in, updates out, one at a time for each name.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::{Arc, PoisonError};

use domain::base::Name;
use domain::base::name::NameBuilder;
use sixgate_reason::Reason;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::entry::{Attempt, Entry};
use super::steps::{Failure, Steps};
use super::{Command, RegistrarConfig, View, reverse};
use crate::names::SharedCounters;
use crate::names::memory::{Memory, Wanted, drop_name, keep};

/// Names under way at once.
const MOST_UNDER_WAY: usize = 16;

pub(super) struct Task {
    config: Arc<RegistrarConfig>,
    memory: Arc<dyn Memory>,
    counters: SharedCounters,
    view: View,
    names: BTreeMap<String, Entry>,
    under_way: JoinSet<(String, Wanted, Attempt)>,
}

impl Task {
    pub(super) fn new(
        config: RegistrarConfig,
        memory: Arc<dyn Memory>,
        counters: SharedCounters,
        view: View,
        remembered: BTreeMap<String, Wanted>,
    ) -> Self {
        let names = remembered.into_iter().map(|(name, wanted)| (name, Entry::new(wanted, true))).collect();
        Self { config: Arc::new(config), memory, counters, view, names, under_way: JoinSet::new() }
    }

    pub(super) async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Command>) {
        loop {
            let next = self.send_due();
            self.show();
            tokio::select! {
                command = queue.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                Some(Ok((name, wanted, attempt))) = self.under_way.join_next() => self.ended(&name, wanted, attempt),
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Register(client, address) => match full_name(&client, &self.config.zone) {
                Some(name) => self.want(name, Wanted { address, gone: false }),
                None => tracing::warn!(client, "client's name is no DNS label: it gets no record"),
            },
            Command::Unregister(client) => {
                if let Some(name) = full_name(&client, &self.config.zone) {
                    self.go(&name);
                }
            }
            Command::KeepOnly(clients) => {
                let keep: Vec<_> =
                    clients.iter().filter_map(|client| full_name(client, &self.config.zone)).collect();
                let others: Vec<_> = self.names.keys().filter(|name| !keep.contains(name)).cloned().collect();
                for name in others {
                    self.go(&name);
                }
            }
        }
    }

    fn go(&mut self, name: &str) {
        if let Some(entry) = self.names.get(name) {
            let wanted = Wanted { gone: true, ..entry.wanted };
            self.want(name.to_owned(), wanted);
        }
    }

    /// On disk first: what is sent must be known after a crash.
    fn want(&mut self, name: String, wanted: Wanted) {
        let known = self.names.get(&name).is_some_and(|entry| entry.wanted == wanted);
        if !known && let Err(error) = keep(self.memory.as_ref(), &name, wanted) {
            tracing::error!(name, "cannot remember a name: {error}");
        }
        match self.names.get_mut(&name) {
            Some(entry) => entry.want(wanted),
            None => drop(self.names.insert(name, Entry::new(wanted, false))),
        }
    }

    /// Sends what is due; gives when something is due next.
    fn send_due(&mut self) -> Instant {
        let now = Instant::now();
        let far = now + std::time::Duration::from_secs(3_600);
        let mut next = far;
        for (name, entry) in &mut self.names {
            let Some(due) = entry.due() else { continue };
            if due > now {
                next = next.min(due);
                continue;
            }
            if self.under_way.len() >= MOST_UNDER_WAY {
                // The next one that ends makes room.
                continue;
            }
            entry.begin();
            let (config, name, wanted) = (Arc::clone(&self.config), name.clone(), entry.wanted);
            let look_first = entry.look_first;
            self.under_way.spawn(async move {
                let attempt = attempt(&config, &name, wanted, look_first).await;
                (name, wanted, attempt)
            });
        }
        next
    }

    fn ended(&mut self, name: &str, tried: Wanted, attempt: Attempt) {
        let Some(entry) = self.names.get_mut(name) else { return };
        if let Err(Failure { reason, .. }) = &attempt {
            self.counters.lock().unwrap_or_else(PoisonError::into_inner).count(*reason);
        }
        if attempt.is_ok() && tried.gone && entry.wanted == tried {
            if let Err(error) = drop_name(self.memory.as_ref(), name) {
                tracing::error!(name, "cannot forget a name: {error}");
            }
            self.names.remove(name);
            tracing::info!(name, "name removed from DNS");
            return;
        }
        let failed = attempt.as_ref().err().map(|failure| (failure.reason, failure.what.clone()));
        if entry.end(attempt, chance()) {
            report(name, tried.address, failed);
        }
    }

    fn show(&self) {
        let view = self.names.iter().map(|(name, entry)| entry.status(name)).collect();
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

/// Said once for each change, not for each attempt.
fn report(name: &str, address: Ipv6Addr, failed: Option<(Reason, String)>) {
    match failed {
        None => tracing::info!(name, %address, "name stands in DNS"),
        Some((reason, what)) => tracing::warn!(name, code = reason.code(), "name not registered: {what}"),
    }
}

async fn attempt(config: &RegistrarConfig, name: &str, wanted: Wanted, look_first: bool) -> Attempt {
    let Ok(name) = Name::vec_from_str(name) else {
        // `full_name` made it, so this is not reached; a damaged file would end here.
        return Ok(None);
    };
    let claim = config.owner.claim(&name);
    let steps = Steps {
        updater: &config.updater,
        zone: &config.zone,
        name: &name,
        claim: &claim,
        address: wanted.address,
    };
    let reverse = config.reverse.is_some_and(|prefix| prefix.contains(wanted.address));
    if wanted.gone {
        steps.remove().await?;
        if reverse {
            reverse::remove(&config.updater, wanted.address, &name).await?;
        }
        return Ok(None);
    }
    if !(look_first && steps.stands().await?) {
        steps.put().await?;
    }
    if reverse { reverse::put(&config.updater, wanted.address, &name).await } else { Ok(None) }
}

/// The client's name as one label in front of the zone, lower case.
fn full_name(client: &str, zone: &Name<Vec<u8>>) -> Option<String> {
    let mut builder = NameBuilder::new_vec();
    builder.append_label(client.to_ascii_lowercase().as_bytes()).ok()?;
    let mut name = builder.append_origin(zone).ok()?;
    name.make_canonical();
    Some(name.to_string())
}

fn chance() -> u64 {
    let mut octets = [0; 8];
    // Only spreads retries: without chance they come at the same time.
    let _even = getrandom::fill(&mut octets);
    u64::from_ne_bytes(octets)
}
