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

use super::{Sources, wanted_names};
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

/// What there is to say of an answer: each kind is worth one line when it follows another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    /// No such name, or none of its addresses is IPv4.
    Nothing,
    Failed,
}

impl Kind {
    fn of(answer: &Result<Resolved, ResolveError>) -> Self {
        match answer {
            Ok(resolved) if resolved.addresses.is_empty() => Self::Nothing,
            Ok(_) => Self::Good,
            Err(ResolveError::NoSuchName) => Self::Nothing,
            Err(ResolveError::BadName(_) | ResolveError::Exchange(_) | ResolveError::Failed(_)) => {
                Self::Failed
            }
        }
    }
}

/// When each name is to be asked for again, and what kind of answer it had last time.
#[derive(Default)]
struct Schedule {
    next: BTreeMap<String, Instant>,
    last: BTreeMap<String, Kind>,
}

impl Schedule {
    /// Those of `wanted`, which is sorted, that are due; the others are forgotten.
    fn due(&mut self, now: Instant, wanted: Vec<String>) -> Vec<String> {
        self.next.retain(|name, _| wanted.binary_search(name).is_ok());
        self.last.retain(|name, _| wanted.binary_search(name).is_ok());
        let is_due = |name: &String| self.next.get(name).is_none_or(|at| *at <= now);
        wanted.into_iter().filter(is_due).take(TOGETHER).collect()
    }

    /// Plans the next question; true when the answer is of another kind than the last one.
    fn answered(&mut self, now: Instant, name: &str, answer: &Result<Resolved, ResolveError>) -> bool {
        let pause = match answer {
            Ok(resolved) => Duration::from_secs(u64::from(resolved.ttl)).clamp(SOONEST, LATEST),
            Err(_) => RETRY,
        };
        self.next.insert(name.to_owned(), now + pause);
        let kind = Kind::of(answer);
        self.last.insert(name.to_owned(), kind) != Some(kind)
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

/// Takes answers, or says once why there are none.
fn take(control: &Control, answers: Vec<Answer>) {
    let at = Timestamp::now().as_second();
    let rows = control.learn(|site| {
        let mut rows = Vec::new();
        for answer in answers {
            let name = answer.name.clone();
            let Some(addresses) = understood(answer, &site.sources) else { continue };
            let known = &mut site.sources.names;
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
///
/// That a name is gone is an answer for who is allowed: whoever has its address now is not the one who was. Who is denied
/// stays denied: else to take a machine's record away would be to serve it.
fn understood(answer: Answer, sources: &Sources) -> Option<Vec<Ipv4Addr>> {
    let Answer { name, answer, is_new } = answer;
    let has_none = sources.names.addresses(&name).is_empty();
    let is_denied = sources.runtime.denies_name(&name);
    let addresses = match answer {
        Ok(resolved) => resolved.addresses,
        Err(ResolveError::NoSuchName) => Vec::new(),
        Err(error @ (ResolveError::BadName(_) | ResolveError::Exchange(_) | ResolveError::Failed(_))) => {
            if is_new {
                let until = match (has_none, is_denied) {
                    (true, true) => "no address is denied by it yet",
                    (true, false) => "the host is not served yet",
                    (false, _) => "its last addresses hold until it does",
                };
                tracing::warn!(
                    host = name,
                    "{}: the name does not resolve ({error}); {until}",
                    by(is_denied)
                );
            }
            return None;
        }
    };
    let v4 = |address| match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    };
    let addresses: Vec<Ipv4Addr> = addresses.into_iter().filter_map(v4).collect();
    if !addresses.is_empty() {
        return Some(addresses);
    }
    let keeps = is_denied && !has_none;
    if is_new {
        let so = match (is_denied, has_none) {
            (true, true) => "no address is denied by it",
            (true, false) => "those that it had last stay denied; deny the host by its address too",
            (false, _) => "the host is not served",
        };
        tracing::warn!(host = name, "{}: the name has no IPv4 address; {so}", by(is_denied));
    }
    (!keeps).then_some(addresses)
}

/// Whose word about a name it is.
const fn by(is_denied: bool) -> &'static str {
    if is_denied { "isatap deny" } else { "isatap.allow" }
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
        Ok(Resolved { addresses: vec![Ipv4Addr::new(10, 6, 8, 1).into()], ttl })
    }

    fn nothing() -> Result<Resolved, ResolveError> {
        Ok(Resolved::default())
    }

    #[test]
    fn a_name_that_is_gone_ends_what_it_allowed_and_not_what_it_denied() {
        let v4 = Ipv4Addr::new(10, 6, 8, 1);
        let mut sources = Sources::default();
        let denied = sixgate_config::isatap::AllowedHost::parse("bad.corp.example").unwrap();
        sources.runtime.deny(denied).unwrap();
        let read = |sources: &Sources, name: &str, answer| {
            understood(Answer { name: name.to_owned(), answer, is_new: true }, sources)
        };
        // Nothing to keep yet.
        assert_eq!(read(&sources, "bad.corp.example", nothing()), Some(vec![]));
        for name in ["bad.corp.example", "ws-1.corp.example"] {
            sources.names.answered(name, vec![v4], 100);
        }
        for gone in [nothing, || Err(ResolveError::NoSuchName)] {
            assert_eq!(read(&sources, "bad.corp.example", gone()), None);
            assert_eq!(read(&sources, "ws-1.corp.example", gone()), Some(vec![]));
        }
        // One that moved is denied where it is now.
        let moved = Ok(Resolved { addresses: vec![Ipv4Addr::new(10, 6, 8, 2).into()], ttl: 60 });
        assert_eq!(read(&sources, "bad.corp.example", moved), Some(vec![Ipv4Addr::new(10, 6, 8, 2)]));
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
        // That there is nothing is worth one line, however it is said.
        assert!(schedule.answered(now, "a", &nothing()));
        assert!(!schedule.answered(now, "a", &Err(ResolveError::NoSuchName)));
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
