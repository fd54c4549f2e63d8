//! What the service has done so far, for people and for metrics.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use sixgate_api::{Resolver, ResolverCache, ResolverName, ResolverQuestions, ResolverUpstream};

use super::Shared;
use super::quick::Inbox;

/// Names that are shown.
const MOST_NAMES: usize = 20;

pub(super) fn of(shared: &Shared) -> Resolver {
    let (rules, counts, usage) = (shared.rules(), shared.resolver.counts(), shared.resolver.usage());
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let upstreams = rules.forwarder.standings().map(|(suffix, standing)| ResolverUpstream {
        suffix,
        server: standing.address,
        alive: standing.alive,
        round_trip_ms: standing.round_trip.map(|time| time.as_secs_f64() * 1_000.0),
        answers: standing.answers,
        silences: standing.silences,
        failures: standing.failures,
    });
    let top = shared.top.lock().unwrap_or_else(PoisonError::into_inner).first(MOST_NAMES);
    Resolver {
        questions: ResolverQuestions {
            at_once: shared.inboxes.iter().map(Inbox::answered).sum(),
            cached: read(&counts.fresh),
            stale: read(&counts.stale),
            held: read(&counts.held),
            asked: read(&counts.asked),
            joined: read(&counts.joined),
            refreshed: read(&counts.refreshed),
        },
        cache: ResolverCache {
            entries: usage.entries,
            octets: usage.octets,
            most_octets: rules.cache.octets,
            evicted: usage.evicted,
        },
        upstreams: upstreams.collect(),
        names: top.into_iter().map(|(name, questions)| ResolverName { name, questions }).collect(),
    }
}
