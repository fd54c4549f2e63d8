//! The DNS64 that clients ask: sockets of `io/dns` in front of the machine of `core/dns64`.

#[cfg(test)]
mod cached;
mod clock;
mod drive;
mod explain;
mod log;
#[cfg(test)]
mod mixed;
mod quick;
mod resolver;
mod statistics;
#[cfg(test)]
mod tests;
mod top;
#[cfg(test)]
mod world;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use sixgate_api::Explanation;
use sixgate_config::{Dns, Dns64 as Synthesis, Gateway};
use sixgate_dns64::{Block, Config, Dns64, Kind, NamePattern, Rule};
use sixgate_io_daemon::Said;
use sixgate_io_dns::server::{BindError, Handler, Options, Request, Server};
use sixgate_io_dns::upstream::Forwarder;
use sixgate_reason::Reason;
use sixgate_wire::addr::IpPrefix;

use super::SharedCounters;
use clock::Clock;
use drive::{Asker, Outcome};
use log::{Entry, Log};
use quick::{Fill, Inbox, Quickly};
use resolver::Resolver;
use top::Top;

const HEADER: usize = 12;
/// Threads for each address that is listened on.
const MOST_WORKERS: usize = 8;

/// What is listened on, who may ask, where questions go and what is made of the answers.
#[derive(Clone, Debug)]
pub struct Dns64Config {
    /// UDP and TCP.
    pub listen: Vec<SocketAddr>,
    /// Who may ask, and how much.
    pub options: Options,
    /// Where questions go that no other rule has.
    pub upstream: Vec<SocketAddr>,
    /// Suffixes with servers of their own.
    pub forward: Vec<(String, Vec<SocketAddr>)>,
    /// Synthesis. Without rules everything is passed on.
    pub synthesis: Config,
    /// How much is remembered, and for how long.
    pub cache: sixgate_cache::Options,
    /// Addresses inside are taken out of answers of `upstream`; those of `forward` are the organisation's own.
    pub rebinding_protection: bool,
    /// Where each question is written down.
    pub query_log: Option<sixgate_config::QueryLog>,
}

impl Dns64Config {
    /// `None` when the file does not listen for questions.
    #[must_use]
    pub fn of(config: &Gateway) -> Option<Self> {
        let dns = config.dns.as_ref()?;
        let allow = dns.allow.iter().map(|prefix| match prefix {
            sixgate_config::IpPrefix::V4(prefix) => IpPrefix::V4(*prefix),
            sixgate_config::IpPrefix::V6(prefix) => IpPrefix::V6(*prefix),
        });
        let forward = dns.forward.iter().map(|zone| (zone.suffix.to_string(), zone.servers.clone()));
        Some(Self {
            listen: dns.listen.clone(),
            // Our own address may come to its interface after us.
            options: Options {
                allow: Some(allow.collect()),
                rate: dns.rate_limit,
                free_bind: config.site.is_some(),
                ..Options::default()
            },
            upstream: dns.upstream.clone(),
            forward: forward.collect(),
            synthesis: synthesis(dns, config.dns64.as_ref()),
            cache: sixgate_cache::Options { octets: dns.cache_size, serve_stale: dns.serve_stale },
            rebinding_protection: dns.rebinding_protection,
            query_log: dns.query_log.clone(),
        })
    }
}

fn synthesis(dns: &Dns, rules: Option<&Synthesis>) -> Config {
    let mut config = Config {
        block: dns.block.as_ref().map(|block| Block {
            labels: block.labels.clone(),
            zones: block.zones.iter().filter_map(|zone| zone.as_str().parse().ok()).collect(),
            bare: true,
        }),
        ..Config::default()
    };
    let Some(rules) = rules else { return config };
    // A name in these lists means all below it too.
    let patterns = |names: &[sixgate_config::DnsName]| {
        names.iter().filter_map(|name| format!(".{name}").parse::<NamePattern>().ok()).collect()
    };
    config.exclude_names = patterns(&rules.exclude_names);
    config.always_names = patterns(&rules.always_names);
    config.exclude_ipv6 = rules.exclude_ipv6.clone();
    config.exclude_ipv4 = rules.exclude_ipv4.clone();
    config.well_known_non_global = rules.well_known_non_global;
    config.rules = rules
        .rules
        .iter()
        .map(|rule| Rule {
            prefix: rule.prefix,
            clients: rule
                .clients
                .iter()
                .map(|prefix| match prefix {
                    sixgate_config::IpPrefix::V4(prefix) => IpPrefix::V4(*prefix),
                    sixgate_config::IpPrefix::V6(prefix) => IpPrefix::V6(*prefix),
                })
                .collect(),
            ipv4: rule.ipv4.clone(),
        })
        .collect();
    config
}

/// Running; ends when dropped.
pub struct Dns64Service {
    server: Server,
    shared: Arc<Shared>,
}

/// What all questions share.
pub(super) struct Shared {
    rules: RwLock<Arc<Rules>>,
    /// Counts the changes of the rules; behind them for a moment, never ahead.
    epoch: AtomicU64,
    /// One a worker.
    inboxes: Vec<Inbox>,
    resolver: Arc<Resolver>,
    top: Mutex<Top>,
    log: RwLock<Option<Log>>,
    counters: SharedCounters,
    said: Mutex<Said>,
    clock: Clock,
}

impl Dns64Service {
    /// Listens; every address answers when this returns. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The first address that cannot be listened on.
    pub fn start(config: Dns64Config, counters: SharedCounters) -> Result<Self, BindError> {
        let clock = Clock::start();
        // More than a few only share what the network card can deliver.
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
        let shared = Arc::new(Shared {
            rules: RwLock::new(Arc::new(rules(&config, 0))),
            epoch: AtomicU64::new(0),
            inboxes: std::iter::repeat_with(Inbox::default).take(workers * config.listen.len()).collect(),
            resolver: Arc::new(Resolver::new(config.cache, clock)),
            top: Mutex::default(),
            log: RwLock::default(),
            counters,
            said: Mutex::new(Said::new()),
            clock,
        });
        shared.want_log(config.query_log.as_ref());
        let server =
            Server::start_with_workers(&config.listen, config.options, Arc::clone(&shared), workers, |n| {
                Quickly::new(Arc::clone(&shared), n)
            })?;
        Ok(Self { server, shared })
    }

    /// What is listened on.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// Takes over upstreams, rules and bounds of another configuration; questions under work keep theirs, and what the same
    /// servers said stays known. Addresses, access list and rate stay as they are.
    pub fn reconfigure(&self, config: &Dns64Config) {
        self.shared.resolver.reconfigure(config.cache);
        self.shared.want_log(config.query_log.as_ref());
        let mut own = self.shared.rules.write().unwrap_or_else(PoisonError::into_inner);
        let epoch = own.epoch + 1;
        *own = Arc::new(rules(config, epoch));
        self.shared.epoch.store(epoch, Ordering::Release);
    }

    #[cfg(test)]
    fn answered_at_once(&self) -> u64 {
        self.shared.inboxes.iter().map(Inbox::answered).sum()
    }

    /// What was asked, answered from where, and how the upstreams stand.
    #[must_use]
    pub fn statistics(&self) -> sixgate_api::Resolver {
        statistics::of(&self.shared)
    }

    /// How this asker's AAAA question for a name is answered, and why.
    pub async fn explain(&self, name: &str, asker: IpAddr) -> Explanation {
        explain::explain(&self.shared, name, asker).await
    }
}

/// What a reload replaces.
pub(super) struct Rules {
    dns64: Dns64,
    forwarder: Arc<Forwarder>,
    cache: sixgate_cache::Options,
    rebinding_protection: bool,
    /// Every question is written down, so that none may go by.
    logged: bool,
    epoch: u64,
}

fn rules(config: &Dns64Config, epoch: u64) -> Rules {
    let zones = config
        .forward
        .iter()
        .filter_map(|(zone, servers)| Some((zone.parse().ok()?, servers.clone())))
        .collect();
    Rules {
        dns64: Dns64::new(config.synthesis.clone()),
        forwarder: Arc::new(Forwarder::new(&config.upstream, zones)),
        cache: config.cache,
        rebinding_protection: config.rebinding_protection,
        logged: config.query_log.is_some(),
        epoch,
    }
}

impl Shared {
    fn asker(&self) -> Asker {
        Asker { rules: self.rules(), resolver: Arc::clone(&self.resolver), clock: self.clock }
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes questions down where the file says so. A file that cannot be opened keeps nobody from an answer.
    fn want_log(&self, wanted: Option<&sixgate_config::QueryLog>) {
        let mut log = self.log.write().unwrap_or_else(PoisonError::into_inner);
        match (wanted, log.as_ref()) {
            // After a reload the file may be another one under the same name.
            (Some(wanted), Some(own)) if own.is(wanted) => own.reopen(),
            (Some(wanted), _) => match Log::open(wanted) {
                Ok(opened) => *log = Some(opened),
                Err(error) => {
                    tracing::warn!(
                        "[dns] query-log {}: {error}: questions are not logged",
                        wanted.file.display()
                    );
                    *log = None;
                }
            },
            (None, _) => *log = None,
        }
    }

    fn write_down(&self, request: &Request, outcome: &Outcome, took: Duration) {
        let log = self.log.read().unwrap_or_else(PoisonError::into_inner);
        let Some(log) = log.as_ref() else { return };
        let from = match outcome.answer.as_ref().map(|answer| answer.kind) {
            Some(Kind::Passed | Kind::Synthesised) if outcome.at_hand => "cache",
            Some(Kind::Passed | Kind::Synthesised) => "upstream",
            Some(Kind::Local) => "local",
            Some(Kind::Blocked) => "blocked",
            Some(Kind::Invalid) => "refused",
            Some(Kind::Failed) => "failed",
            None => "dropped",
        };
        let entry = Entry {
            client: request.client.ip(),
            question: &request.message,
            answer: outcome.answer.as_ref().map(|answer| answer.message.as_slice()),
            from,
            took,
        };
        if !log.say(&entry) {
            self.count(request.client.ip(), sixgate_reason::DNS_NOT_LOGGED);
        }
    }

    /// What is the same for the next who asks goes to the worker that will have him.
    fn fill(&self, request: Request, epoch: u64, answer: &[u8]) {
        if let Some(inbox) = request.worker.and_then(|worker| self.inboxes.get(worker)) {
            let client = request.client.ip();
            let (at, answer) = (self.clock.now(), answer.to_vec());
            inbox.put(Fill { client, question: request.message, answer, at, epoch });
        }
    }

    /// Counts `reason`, and says so when it first strikes.
    fn count(&self, client: IpAddr, reason: Reason) {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).count(reason);
        let now = sixgate_io_link::clock::now();
        let what = format_args!("a question of {client}");
        self.said.lock().unwrap_or_else(PoisonError::into_inner).say(now, reason, what);
    }
}

impl Handler for Shared {
    async fn handle(&self, request: Request) -> Option<Vec<u8>> {
        let (asker, start) = (self.asker(), std::time::Instant::now());
        let outcome = asker.ask(request.client.ip(), request.stream, &request.message, |_| {}).await;
        for _ in 0..self.resolver.counts().mismatches.swap(0, Ordering::Relaxed) {
            self.count(request.client.ip(), sixgate_reason::DNS_MISMATCH);
        }
        if let Some(reason) = outcome.reason {
            self.count(request.client.ip(), reason);
            tracing::debug!(client = %request.client.ip(), code = reason.code(), "question not answered");
        }
        self.write_down(&request, &outcome, start.elapsed());
        if let Some(question) = request.message.get(HEADER..) {
            self.top.lock().unwrap_or_else(PoisonError::into_inner).add(question, 1);
        }
        let answer = outcome.answer?;
        if outcome.at_hand && answer.lasting {
            self.fill(request, asker.rules.epoch, &answer.message);
        }
        Some(answer.message)
    }

    fn handle_at_once(&self, request: &Request) -> Option<Vec<u8>> {
        let answer = self.asker().ask_at_once(request.client.ip(), request.stream, &request.message);
        answer.map(|answer| answer.message)
    }

    fn refused(&self, client: IpAddr, reason: Reason) {
        self.count(client, reason);
        tracing::debug!(%client, code = reason.code(), "question refused");
    }
}
