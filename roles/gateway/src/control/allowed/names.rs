//! Addresses of the names that are allowed or denied: asked again when their time to live ends; while DNS is down, the
//! last good answer holds, also over a restart.

use std::collections::{BTreeMap, BTreeSet};
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
/// Names that are asked for before anything is done about the answers.
const TOGETHER: usize = 256;

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

    /// Forgets all names but these, which are sorted; gives those that it forgot.
    fn keep_only(&mut self, wanted: &[String]) -> Vec<String> {
        let gone: Vec<String> =
            self.0.keys().filter(|name| wanted.binary_search(name).is_err()).cloned().collect();
        for name in &gone {
            self.0.remove(name);
        }
        gone
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

/// When each name is to be asked for again, and which of them failed last time.
#[derive(Default)]
struct Schedule {
    next: BTreeMap<String, Instant>,
    failing: BTreeSet<String>,
}

impl Schedule {
    /// Those of `wanted`, which is sorted, that are due; the others are forgotten.
    fn due(&mut self, now: Instant, wanted: Vec<String>) -> Vec<String> {
        self.next.retain(|name, _| wanted.binary_search(name).is_ok());
        self.failing.retain(|name| wanted.binary_search(name).is_ok());
        let is_due = |name: &String| self.next.get(name).is_none_or(|at| *at <= now);
        wanted.into_iter().filter(is_due).take(TOGETHER).collect()
    }

    /// Plans the next question; true when the answer is of another kind than the last one.
    fn answered(&mut self, now: Instant, name: &str, answer: &Result<Resolved, ResolveError>) -> bool {
        let (pause, is_new) = match answer {
            Ok(resolved) => {
                let ttl = Duration::from_secs(u64::from(resolved.ttl));
                (ttl.clamp(SOONEST, LATEST), self.failing.remove(name))
            }
            Err(_) => (RETRY, self.failing.insert(name.to_owned())),
        };
        self.next.insert(name.to_owned(), now + pause);
        is_new
    }

    /// The servers are silent: whoever else is due waits as well.
    fn all_wait(&mut self, now: Instant, wanted: &[String]) {
        let next = now + RETRY;
        for name in wanted {
            let at = self.next.entry(name.clone()).or_insert(next);
            *at = next.max(*at);
        }
    }

    fn wake(&self, now: Instant, wanted: &[String]) -> Instant {
        let unasked = wanted.iter().any(|name| !self.next.contains_key(name));
        let soonest = self.next.values().min().copied();
        if unasked { now } else { soonest.unwrap_or(now + LATEST) }
    }
}

/// Keeps the addresses of names right until the future is dropped.
pub(crate) async fn keep(control: Arc<Control>) {
    let mut schedule = Schedule::default();
    loop {
        let Ok(wanted) = control.site.lock().map(|site| wanted(&site)) else { return };
        forget_others(&control, &wanted);
        let answers = ask(&control, schedule.due(Instant::now(), wanted.clone())).await;
        let is_silence = |(_, answer): &(_, Result<_, _>)| matches!(answer, Err(ResolveError::Exchange(_)));
        let down = !answers.is_empty() && answers.iter().all(is_silence);
        let now = Instant::now();
        let answers: Vec<Answer> = answers
            .into_iter()
            .map(|(name, answer)| Answer { is_new: schedule.answered(now, &name, &answer), name, answer })
            .collect();
        take(&control, answers);
        if down {
            schedule.all_wait(now, &wanted);
        }
        tokio::select! {
            () = tokio::time::sleep_until(schedule.wake(now, &wanted)) => {}
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

/// Looks names up now. What they have takes effect at once.
pub(crate) async fn look_up_now(control: &Control, names: Vec<String>) {
    let answers = ask(control, names).await;
    let answer = |(name, answer)| Answer { name, answer, is_new: true };
    take(control, answers.into_iter().map(answer).collect());
}

/// Those of `[dns]`, or else the system's.
fn servers(control: &Control) -> Vec<SocketAddr> {
    let own = control.site.lock().ok().and_then(|site| Some(site.config.dns.as_ref()?.upstream.clone()));
    match own {
        Some(servers) if !servers.is_empty() => servers,
        _ => ResolvConf::of_system().map(|conf| conf.servers).unwrap_or_default(),
    }
}

/// What was said of a name.
struct Answer {
    name: String,
    answer: Result<Resolved, ResolveError>,
    /// It is of another kind than the last one, and worth a line.
    is_new: bool,
}

/// Takes answers, or says once why there are none. That a name is gone is an answer: whoever has its address now is not the
/// one who was allowed.
fn take(control: &Control, answers: Vec<Answer>) {
    let at = Timestamp::now().as_second();
    let rows = control.learn(|site| {
        let mut rows = Vec::new();
        for Answer { name, answer, is_new } in answers {
            let known = &mut site.sources.names;
            let Some(addresses) = understood(&name, answer, is_new, known) else { continue };
            if known.answered(&name, addresses, at)
                && let Some(Ok(row)) = known.get(&name).map(serde_json::to_vec)
            {
                rows.push((name.into_bytes(), Some(row)));
            }
        }
        rows
    });
    keep_rows(control, rows.unwrap_or_default());
}

/// The addresses that an answer gives; `None` where it changes nothing.
fn understood(
    name: &str,
    answer: Result<Resolved, ResolveError>,
    is_new: bool,
    known: &Names,
) -> Option<Vec<Ipv4Addr>> {
    let addresses = match answer {
        Ok(resolved) => resolved.addresses,
        Err(ResolveError::NoSuchName) => Vec::new(),
        Err(error) => {
            if is_new {
                let until = if known.addresses(name).is_empty() {
                    "the host is not served yet"
                } else {
                    "its last addresses hold until it does"
                };
                tracing::warn!(host = name, "isatap.allow: the name does not resolve ({error}); {until}");
            }
            return None;
        }
    };
    if addresses.is_empty() && is_new {
        tracing::warn!(host = name, "isatap.allow: the name has no IPv4 address; the host is not served");
    }
    let v4 = |address| match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    };
    Some(addresses.into_iter().filter_map(v4).collect())
}

/// Drops what is known of names that nobody asks for any more: an address that is allowed again is to be a fresh one.
fn forget_others(control: &Control, wanted: &[String]) {
    let gone = control.site.lock().map(|mut site| site.sources.names.keep_only(wanted)).unwrap_or_default();
    keep_rows(control, gone.into_iter().map(|name| (name.into_bytes(), None)).collect());
}

fn keep_rows(control: &Control, rows: Vec<(Vec<u8>, Option<Vec<u8>>)>) {
    if rows.is_empty() {
        return;
    }
    let rows = rows.iter().map(|(key, value)| (key.as_slice(), value.as_deref()));
    if let Err(e) = control.store.change_values(Space::IsatapNames, rows) {
        tracing::warn!("addresses of allowed names were not kept: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    fn good(ttl: u32) -> Result<Resolved, ResolveError> {
        Ok(Resolved { addresses: vec![], ttl })
    }

    #[test]
    fn a_name_is_asked_for_again_when_its_time_ends_within_bounds() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        let wanted = names(&["a", "b", "c"]);
        assert_eq!(schedule.due(now, wanted.clone()), wanted);
        assert_eq!(schedule.wake(now, &wanted), now);
        for (name, ttl) in [("a", 0), ("b", 60), ("c", 86_400)] {
            schedule.answered(now, name, &good(ttl));
        }
        assert_eq!(schedule.wake(now, &wanted), now + SOONEST);
        let due = |schedule: &mut Schedule, seconds| {
            schedule.due(now + Duration::from_secs(seconds), names(&["a", "b", "c"]))
        };
        assert!(due(&mut schedule, 29).is_empty());
        assert_eq!(due(&mut schedule, 30), ["a"]);
        assert_eq!(due(&mut schedule, 60), ["a", "b"]);
        assert_eq!(due(&mut schedule, 300), ["a", "b", "c"]);
        // One that nobody wants any more is forgotten, and new when it is wanted again.
        assert!(schedule.due(now, names(&["b", "c"])).is_empty());
        assert_eq!(due(&mut schedule, 1), ["a"]);
    }

    #[test]
    fn failures_are_worth_one_line_and_silence_makes_all_wait() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        let silent = || Err(ResolveError::Exchange(sixgate_io_dns::upstream::ExchangeError::Silence));
        assert!(schedule.answered(now, "a", &silent()));
        assert!(!schedule.answered(now, "a", &silent()));
        assert!(schedule.answered(now, "a", &good(60)));
        assert!(!schedule.answered(now, "a", &good(60)));
        let wanted = names(&["a", "b"]);
        schedule.all_wait(now, &wanted);
        assert!(schedule.due(now + Duration::from_secs(9), wanted.clone()).is_empty());
        assert_eq!(schedule.due(now + RETRY, wanted), ["b"]);
    }

    #[test]
    fn the_order_of_an_answer_is_no_news() {
        let mut known = Names::default();
        let (one, two) = (Ipv4Addr::new(10, 6, 8, 1), Ipv4Addr::new(10, 6, 8, 2));
        assert!(known.answered("a", vec![two, one], 1));
        assert!(!known.answered("a", vec![one, two, one], 2));
        assert_eq!((known.addresses("a"), known.get("a").map(|k| k.at)), (&[one, two][..], Some(2)));
        assert_eq!(known.keep_only(&names(&["b"])), ["a"]);
        assert!(known.addresses("a").is_empty());
    }
}
