//! Addresses of the names that are allowed or denied: asked again when their time to live ends; while DNS is down, the
//! last good answer holds, also over a restart.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sixgate_io_dns::resolv_conf::ResolvConf;
use sixgate_io_dns::resolve::{Family, ResolveError, Resolved, resolve_family};
use sixgate_io_store::{Space, Store};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::wanted_names;
use crate::control::{Control, Site};

/// A time to live is taken as at least and at most this.
const SOONEST: Duration = Duration::from_secs(30);
const LATEST: Duration = Duration::from_secs(300);
/// After a failure.
const RETRY: Duration = Duration::from_secs(10);
/// Questions that are open at a time.
const AT_ONCE: usize = 16;

/// What names resolved to when they last did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(BTreeMap<String, Known>);

/// A good answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// Second since 1970.
    pub(crate) at: i64,
}

impl Names {
    pub(crate) fn load(store: &Store) -> Self {
        let rows = store.values(Space::IsatapNames).unwrap_or_else(|e| {
            tracing::warn!("remembered addresses of allowed names cannot be read: {e}");
            Vec::new()
        });
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            Some((String::from_utf8(key).ok()?, serde_json::from_slice(&value).ok()?))
        };
        Self(rows.into_iter().filter_map(read).collect())
    }

    pub(crate) fn addresses(&self, name: &str) -> &[Ipv4Addr] {
        self.0.get(name).map_or(&[], |known| known.addresses.as_slice())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Known> {
        self.0.get(name)
    }

    /// Takes an answer; true when it says something else than before.
    pub(crate) fn answered(&mut self, name: &str, mut addresses: Vec<Ipv4Addr>, at: i64) -> bool {
        // Servers rotate their answers, which is no news.
        addresses.sort_unstable();
        addresses.dedup();
        let news = self.addresses(name) != addresses;
        self.0.insert(name.to_owned(), Known { addresses, at });
        news
    }
}

/// Keeps the addresses of names right until the future is dropped.
pub(crate) async fn keep(control: Arc<Control>) {
    let mut schedule: BTreeMap<String, Instant> = BTreeMap::new();
    let mut failing: BTreeMap<String, ()> = BTreeMap::new();
    loop {
        let Ok(wanted) = control.site.lock().map(|site| wanted(&site)) else { return };
        schedule.retain(|name, _| wanted.binary_search(name).is_ok());
        failing.retain(|name, ()| wanted.binary_search(name).is_ok());
        let now = Instant::now();
        let due: Vec<String> =
            wanted.into_iter().filter(|name| schedule.get(name).is_none_or(|at| *at <= now)).collect();
        for (name, answer) in ask(&control, due).await {
            let next = match &answer {
                Ok(resolved) => Duration::from_secs(u64::from(resolved.ttl)).clamp(SOONEST, LATEST),
                Err(_) => RETRY,
            };
            let is_new = match &answer {
                Ok(_) => failing.remove(&name).is_some(),
                Err(_) => failing.insert(name.clone(), ()).is_none(),
            };
            schedule.insert(name.clone(), Instant::now() + next);
            take(&control, &name, answer, is_new);
        }
        let next = schedule.values().min().copied().unwrap_or(Instant::now() + LATEST);
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = control.names_wanted.notified() => {}
        }
    }
}

fn wanted(site: &Site) -> Vec<String> {
    site.config.isatap.as_ref().map(|isatap| wanted_names(isatap, &site.sources)).unwrap_or_default()
}

/// Asks for all of them, some at a time.
async fn ask(control: &Control, names: Vec<String>) -> Vec<(String, Result<Resolved, ResolveError>)> {
    let servers = servers(control);
    let mut waiting = names.into_iter();
    let (mut open, mut answers) = (JoinSet::new(), Vec::new());
    loop {
        while open.len() < AT_ONCE
            && let Some(name) = waiting.next()
        {
            let servers = servers.clone();
            open.spawn(async move {
                let answer = resolve_family(&name, Family::V4, &servers).await;
                (name, answer)
            });
        }
        match open.join_next().await {
            Some(Ok(answer)) => answers.push(answer),
            Some(Err(_)) => {}
            None => return answers,
        }
    }
}

/// Looks one name up now; true when it has addresses. What it has takes effect at once.
pub(crate) async fn look_up_now(control: &Control, name: &str) -> bool {
    let answer = resolve_family(name, Family::V4, &servers(control)).await;
    let found = answer.as_ref().is_ok_and(|resolved| !resolved.addresses.is_empty());
    take(control, name, answer, true);
    found
}

/// Those of `[dns]`, or else the system's.
fn servers(control: &Control) -> Vec<SocketAddr> {
    let own = control.site.lock().ok().and_then(|site| Some(site.config.dns.as_ref()?.upstream.clone()));
    match own {
        Some(servers) if !servers.is_empty() => servers,
        _ => ResolvConf::of_system().map(|conf| conf.servers).unwrap_or_default(),
    }
}

/// Takes an answer, or says once why there is none. That a name is gone is an answer: whoever has its address now is not
/// the one who was allowed.
fn take(control: &Control, name: &str, answer: Result<Resolved, ResolveError>, is_new: bool) {
    let addresses = match answer {
        Ok(resolved) => resolved.addresses,
        Err(ResolveError::NoSuchName) => Vec::new(),
        Err(error) => {
            if is_new {
                let known = control.site.lock().is_ok_and(|s| !s.sources.names.addresses(name).is_empty());
                let until = if known {
                    "its last addresses hold until it does"
                } else {
                    "the host is not served yet"
                };
                tracing::warn!(host = name, "isatap.allow: the name does not resolve ({error}); {until}");
            }
            return;
        }
    };
    if addresses.is_empty() && is_new {
        tracing::warn!(host = name, "isatap.allow: the name has no IPv4 address; the host is not served");
    }
    let v4 = addresses.into_iter().filter_map(|address| match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    });
    let (v4, at) = (v4.collect(), Timestamp::now().as_second());
    let row = control.learn(|site| {
        let news = site.sources.names.answered(name, v4, at);
        site.sources.names.get(name).filter(|_| news).and_then(|known| serde_json::to_vec(known).ok())
    });
    if let Some(Some(row)) = row
        && let Err(e) =
            control.store.change_values(Space::IsatapNames, [(name.as_bytes(), Some(row.as_slice()))])
    {
        tracing::warn!("addresses of {name} were not kept: {e}");
    }
}
