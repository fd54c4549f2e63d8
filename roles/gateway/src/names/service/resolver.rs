//! Questions to upstreams, by way of the cache: equal ones in flight are one, failures are held, and what is past its time is
//! given when nothing better comes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::base::iana::OptRcode;
use sixgate_cache::{Asked, Cache, Cause, Look, Options, State, Usage, kept};
use sixgate_dns64::Failure;
use sixgate_io_dns::upstream::{ExchangeError, Forwarder};
use tokio::sync::watch;

use super::clock::Clock;

/// RFC 8767, section 5: how long an upstream is waited for when an answer past its time is at hand.
pub(super) const STALE_AFTER: Duration = Duration::from_millis(1_800);
/// Questions in flight; those that only keep answers fresh stop at half of it.
const MOST_FLIGHTS: usize = 8_192;

/// Cache and flights, for as long as the service lives.
pub(super) struct Resolver {
    cache: Mutex<Cache>,
    flights: Mutex<HashMap<Vec<u8>, Flight>>,
    clock: Clock,
    counts: Counts,
}

/// What happened so often since the start.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) fresh: AtomicU64,
    pub(super) stale: AtomicU64,
    pub(super) held: AtomicU64,
    pub(super) asked: AtomicU64,
    pub(super) joined: AtomicU64,
    pub(super) refreshed: AtomicU64,
    pub(super) mismatches: AtomicU64,
}

/// What a flight brings, to everybody who waits for it.
type Brought = Option<Arc<Result<Vec<u8>, Cause>>>;
type Flight = watch::Receiver<Brought>;

/// What became of a question.
#[derive(Debug)]
pub(super) enum Found {
    Answer(Vec<u8>),
    Stale(Vec<u8>),
    Failed(Failure, Held),
}

/// Whether a failure was found out for an earlier question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Held(pub(super) bool);

/// What is at hand.
pub(super) enum Begun {
    Now(Found),
    Later(Waiting),
}

/// A question in flight.
pub(super) struct Waiting {
    flight: Flight,
    /// Given when the upstream takes too long or fails.
    pub(super) stale: Option<Vec<u8>>,
}

impl Resolver {
    pub(super) fn new(options: Options, clock: Clock) -> Self {
        let mut seed = [0; 16];
        // Without the system's random source nothing of ours would have come so far.
        let _no_chance = getrandom::fill(&mut seed);
        Self {
            cache: Mutex::new(Cache::new(options, seed)),
            flights: Mutex::default(),
            clock,
            counts: Counts::default(),
        }
    }

    pub(super) fn reconfigure(&self, options: Options) {
        self.cache().reconfigure(options);
    }

    pub(super) const fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) fn usage(&self) -> Usage {
        self.cache().usage()
    }

    pub(super) fn state(&self, question: &[u8], forwarder: &Forwarder) -> Option<State> {
        let asked = asked(question, forwarder)?;
        Some(self.cache().state(self.clock.now(), &asked))
    }

    /// What the cache knows for certain, without any upstream.
    pub(super) fn at_hand(&self, question: &[u8], forwarder: &Forwarder) -> Option<Vec<u8>> {
        let asked = asked(question, forwarder)?;
        match self.cache().look(self.clock.now(), &asked) {
            Look::Fresh { message, .. } => Some(message),
            Look::Held { .. } | Look::Absent { .. } => None,
        }
    }

    /// Begins a question for the account of `client`. Must be called inside a tokio runtime.
    pub(super) fn begin(
        self: &Arc<Self>,
        question: &[u8],
        client: IpAddr,
        forwarder: &Arc<Forwarder>,
    ) -> Begun {
        let Some(asked) = asked(question, forwarder) else {
            return Begun::Later(self.fly_uncached(question, forwarder));
        };
        let look = self.cache().look(self.clock.now(), &asked);
        let stale = match look {
            Look::Fresh { message, refresh } => {
                count(&self.counts.fresh);
                if refresh && self.flights().len() < MOST_FLIGHTS / 2 {
                    count(&self.counts.refreshed);
                    let _nobody_waits = self.fly(asked, question, client, forwarder);
                }
                return Begun::Now(Found::Answer(message));
            }
            Look::Held { stale: Some(stale), .. } => {
                count(&self.counts.stale);
                return Begun::Now(Found::Stale(stale));
            }
            Look::Held { cause, stale: None } => {
                count(&self.counts.held);
                return Begun::Now(Found::Failed(failure(cause), Held(true)));
            }
            Look::Absent { stale } => stale,
        };
        match self.fly(asked, question, client, forwarder) {
            Some(flight) => Begun::Later(Waiting { flight, stale }),
            None => Begun::Now(stale.map_or(Found::Failed(Failure::Silence, Held(false)), Found::Stale)),
        }
    }

    /// Waits for a question in flight, `patience` at most where an answer past its time is at hand.
    pub(super) async fn finish(&self, waiting: Waiting, patience: Duration) -> Found {
        let Waiting { mut flight, stale } = waiting;
        let landed = async {
            // A flight that is gone without a word was one of a runtime that ends.
            let landed = flight.wait_for(Option::is_some).await;
            landed.ok().and_then(|brought| brought.clone())
        };
        let brought = match &stale {
            Some(_) => tokio::time::timeout(patience, landed).await.unwrap_or_default(),
            None => landed.await,
        };
        match (brought.as_deref(), stale) {
            (Some(Ok(message)), _) => Found::Answer(message.clone()),
            (_, Some(stale)) => {
                count(&self.counts.stale);
                Found::Stale(stale)
            }
            (Some(Err(cause)), None) => Found::Failed(failure(*cause), Held(false)),
            (None, None) => Found::Failed(Failure::Silence, Held(false)),
        }
    }

    /// Sends the question, unless an equal one is in flight. `None` when there are too many.
    fn fly(
        self: &Arc<Self>,
        asked: Asked,
        question: &[u8],
        client: IpAddr,
        forwarder: &Arc<Forwarder>,
    ) -> Option<Flight> {
        let mut flights = self.flights();
        // One whose sender is gone will never land.
        if let Some(flight) = flights.get(asked.key())
            && flight.has_changed().is_ok()
        {
            count(&self.counts.joined);
            return Some(flight.clone());
        }
        if flights.len() >= MOST_FLIGHTS {
            return None;
        }
        let (landed, flight) = watch::channel(None);
        flights.insert(asked.key().to_vec(), flight.clone());
        drop(flights);
        let (own, forwarder, question) = (Arc::clone(self), Arc::clone(forwarder), question.to_vec());
        tokio::spawn(async move {
            let brought = own.ask(&asked, &question, client, &forwarder).await;
            own.flights().remove(asked.key());
            landed.send_replace(Some(Arc::new(brought)));
        });
        Some(flight)
    }

    async fn ask(
        &self,
        asked: &Asked,
        question: &[u8],
        client: IpAddr,
        forwarder: &Forwarder,
    ) -> Result<Vec<u8>, Cause> {
        count(&self.counts.asked);
        let own = forwarder.source_of(asked.name());
        let answer = forwarder.exchange(question).await.map_err(cause);
        self.counts.mismatches.fetch_add(forwarder.take_mismatches(), Ordering::Relaxed);
        // A server of one suffix has nothing to say about the names of another.
        let within = |name: &_| forwarder.source_of(name) == own;
        let kept = answer.and_then(|answer| kept::keep(&answer, asked, within));
        let now = self.clock.now();
        match kept {
            Ok(kept) => {
                self.cache().store(now, asked, client, &kept);
                Ok(kept.message)
            }
            Err(cause) => {
                self.cache().fail(now, asked, client, cause);
                Err(cause)
            }
        }
    }

    /// Other classes than IN, and type 0, are passed on and not kept.
    fn fly_uncached(self: &Arc<Self>, question: &[u8], forwarder: &Arc<Forwarder>) -> Waiting {
        let (landed, flight) = watch::channel(None);
        let (own, forwarder, question) = (Arc::clone(self), Arc::clone(forwarder), question.to_vec());
        tokio::spawn(async move {
            count(&own.counts.asked);
            let brought = forwarder.exchange(&question).await.map_err(cause);
            landed.send_replace(Some(Arc::new(brought)));
        });
        Waiting { flight, stale: None }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Nothing of the cache can panic half way: it has no code of others in it.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn asked(question: &[u8], forwarder: &Forwarder) -> Option<Asked> {
    let first = Asked::of(question, 0)?;
    let source = forwarder.source_of(first.name());
    Some(first.from(source.id))
}

fn cause(error: ExchangeError) -> Cause {
    match error {
        ExchangeError::Question | ExchangeError::NoServer | ExchangeError::Silence => Cause::Silence,
        ExchangeError::Unusable => Cause::Unusable,
    }
}

fn failure(cause: Cause) -> Failure {
    match cause {
        Cause::Silence => Failure::Silence,
        Cause::Unusable => Failure::Unusable,
        Cause::Malformed => Failure::Malformed,
        Cause::Rcode { rcode, extended } => Failure::Refused(OptRcode::masked_from_int(rcode), extended),
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
