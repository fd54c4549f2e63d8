//! The workers: how many there are, what each of them gets, and their end.
//!
//! Several of them translate where the translator works alone. Where there are clients or an ISATAP router, one worker has
//! the fabric and everything else.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZero;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use sixgate_config::{Gateway, nat64 as written};
use sixgate_io_host::privilege;
use sixgate_io_link::{Steering, Waker};
use sixgate_nat64::{Config, PoolEntry, Proto, Shard, ShardMap, Share};
use tokio::sync::mpsc::UnboundedSender;

use crate::Failure;
use crate::control::nat64::settings;
use crate::net::{Crossing, Parts, Worker};
use crate::seam::ToControl;

/// Ports of each protocol, and sessions, that a worker has for itself at least, when nobody says how many workers there are.
const ENOUGH: u64 = 8192;
/// The same when somebody does: with less, clients that have nothing else in common would run out at different times.
const LEAST: u64 = 64;

/// How the translator is dealt among workers; the same for a whole run.
#[derive(Clone, Debug)]
pub(crate) struct Deal {
    of: u16,
    client_bits: u8,
    seed: [u8; 32],
}

impl Deal {
    /// What the file and the pool allow on this machine.
    pub(crate) fn new(config: &Gateway, seed: [u8; 32]) -> Self {
        let one = Self { of: 1, client_bits: 128, seed };
        if let Some(file) = &config.siit {
            // Nothing is remembered, so nothing is dealt: whichever worker has a packet translates it.
            return Self { of: file.workers.unwrap_or_else(by_default), ..one };
        }
        let Some(file) = &config.nat64 else { return one };
        let settings = alone(file);
        let alone = config.site.is_none() && config.isatap.is_none();
        let of = match (file.workers, alone) {
            (Some(wanted), true) => most(&settings, wanted, LEAST),
            (None, true) => most(&settings, by_default(), ENOUGH),
            (Some(_) | None, false) => 1,
        };
        if let Some(wanted) = file.workers.filter(|wanted| *wanted != of) {
            let why = if alone { "the pool is too small for more" } else { "it does not work alone" };
            tracing::warn!("nat64.workers = {wanted}: the translator has {of}, because {why}");
        }
        Self { of, client_bits: settings.client_prefix_length, seed }
    }

    /// How many workers translate.
    pub(crate) const fn of(&self) -> u16 {
        self.of
    }

    /// The share of each.
    pub(crate) fn shares(&self, config: &Config) -> impl Iterator<Item = Share> + use<> {
        let (of, unit) = (self.of, config.share.unit);
        (0..of).map(move |index| Share { index, of, unit })
    }

    /// Who has what; `None` where one has all.
    pub(crate) fn map(&self, config: &Config) -> Option<Arc<ShardMap>> {
        let share = self.shares(config).next().filter(|share| share.of > 1)?;
        // Clients stay where they are when a reload names them by other prefixes: their sessions do.
        let config = Config { share, ..config.clone() };
        Some(Arc::new(ShardMap::new(&config, self.client_bits, &self.seed)))
    }

    /// The program that brings packets to their workers, loaded. It needs a privilege that is given up soon.
    pub(crate) fn steering(&self, config: &Gateway) -> Option<Steering> {
        let map = self.map(&alone(config.nat64.as_ref()?))?;
        match Steering::load(&map.steering()) {
            Ok(steering) => Some(steering),
            Err(e) => {
                tracing::info!("packets find their workers by the kernel's own table of flows: {e}");
                None
            }
        }
    }

    /// The places of the workers among each other; none where there is one.
    pub(crate) fn crossings(&self, config: &Config, wakers: &[Waker]) -> Vec<Crossing> {
        let Some(map) = self.map(config) else { return Vec::new() };
        let shard = |index| Shard::new(Arc::clone(&map), index, config.timeouts.fragment, &self.seed);
        Crossing::of_all((0..self.of).map(shard).collect(), wakers)
    }
}

/// Settings, as far as they are known before anything is looked at: only with clients is there more to know.
fn alone(file: &written::Nat64) -> Config {
    settings(file, None, Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED)
}

/// Workers when the file does not say: half of the cores. The kernel's part of a packet's way, in front of a worker and behind
/// it, takes as long as the worker's own, and on two cores a second worker made new connections slower and nothing faster.
fn by_default() -> u16 {
    const MOST: usize = 8;
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    // At most 8.
    (cores / 2).clamp(1, MOST) as u16
}

/// At most `wanted`, and so many that each has `least` of everything that is dealt.
fn most(config: &Config, wanted: u16, least: u64) -> u16 {
    let enough = |of: u16| {
        config.max_sessions as u64 / u64::from(of) >= least.min(config.max_sessions as u64)
            && (0..of).all(|index| {
                let share = Share { index, of, unit: config.share.unit };
                Proto::ALL.into_iter().all(|proto| {
                    let mine = ports(&config.pool, proto, &share);
                    mine >= least || ports(&config.pool, proto, &Share::default()) == 0
                })
            })
    };
    (2..=wanted).rev().find(|of| enough(*of)).unwrap_or(1)
}

/// Ports of a share that a protocol has, on all addresses.
fn ports(pool: &[PoolEntry], proto: Proto, share: &Share) -> u64 {
    let of_proto = pool.iter().filter(|entry| entry.protocol.is_none_or(|p| p == proto));
    of_proto.map(|e| u64::from(share.ports_of(&e.ports)) << (32 - u32::from(e.addresses.length()))).sum()
}

/// Workers that run.
pub(crate) struct Crew(Vec<JoinHandle<()>>);

impl Crew {
    /// Starts a worker for each of the parts.
    pub(crate) fn start(all: Vec<Parts>, seed: [u8; 32]) -> Result<Self, Failure> {
        let mut threads = Vec::new();
        for (n, parts) in all.into_iter().enumerate() {
            let watch = Watch { worker: n, outbox: parts.outbox.clone() };
            // The poller belongs to the thread that waits in it.
            let work = move || match privilege::give_up_all().and_then(|()| Worker::new(parts, seed)) {
                Ok(worker) => worker.run(),
                Err(e) => watch.failed(&e.to_string()),
            };
            threads.push(thread::Builder::new().name(format!("worker-{n}")).spawn(work)?);
        }
        Ok(Self(threads))
    }

    /// Waits for the end of all, which were told to stop.
    pub(crate) fn join(self) -> Result<(), Failure> {
        let ended: Vec<bool> = self.0.into_iter().map(|thread| thread.join().is_ok()).collect();
        match ended.iter().position(|good| !good) {
            None => Ok(()),
            Some(n) => Err(Failure::new(format!("worker-{n} panicked; please report this as a bug"))),
        }
    }
}

/// Tells control when a worker ends that was not told to.
struct Watch {
    worker: usize,
    outbox: UnboundedSender<ToControl>,
}

impl Watch {
    fn failed(&self, why: &str) {
        // Control may be gone already; then nobody is left to be told.
        let _ = self.outbox.send(ToControl::Failed(format!("worker-{}: {why}", self.worker)));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if thread::panicking() {
            self.failed("it panicked; please report this as a bug");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(protocol: Option<Proto>, addresses: &str, first: u16, last: u16) -> Config {
        let entry = PoolEntry { protocol, addresses: addresses.parse().unwrap(), ports: first..=last };
        Config { pool: vec![entry], ..Config::default() }
    }

    #[test]
    fn a_small_pool_is_not_dealt_among_many() {
        assert_eq!(most(&config(None, "192.0.2.0/28", 1, 65_535), 8, ENOUGH), 8);
        assert_eq!(most(&config(None, "192.0.2.2/32", 1, 65_535), 8, ENOUGH), 7);
        assert_eq!(most(&config(None, "192.0.2.2/32", 10_000, 29_999), 8, ENOUGH), 2);
        assert_eq!(most(&config(None, "192.0.2.2/32", 10_000, 29_999), 8, LEAST), 8);
        assert_eq!(most(&config(None, "192.0.2.2/32", 10_000, 10_003), 8, LEAST), 1);
        // Only TCP has ports; the others are refused by one as by many.
        assert_eq!(most(&config(Some(Proto::Tcp), "192.0.2.0/28", 1, 65_535), 4, ENOUGH), 4);
        let few = Config { max_sessions: 100, ..config(None, "192.0.2.0/28", 1, 65_535) };
        assert_eq!((most(&few, 4, LEAST), most(&few, 1, LEAST)), (1, 1));
    }

    #[test]
    fn a_worker_that_panics_is_heard_of() {
        let (outbox, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let watch = Watch { worker: 3, outbox };
        let ended = thread::spawn(move || {
            let _watch = watch;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(ended.join().is_err());
        let Ok(ToControl::Failed(said)) = heard.try_recv() else { panic!("nothing was said") };
        assert!(said.starts_with("worker-3: it panicked"), "{said}");
    }
}
