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
/// Ports of a block when the file wants a log and does not say.
const BLOCK: u16 = 512;
/// Ports below the registered ones.
const WELL_KNOWN: u16 = 1024;

/// How the translator is dealt among workers; the same for a whole run.
#[derive(Clone, Debug)]
pub(crate) struct Deal {
    of: u16,
    /// Ports that stay together, where there are several workers: the kernel knows who has which, and sessions that are
    /// somebody else's end.
    unit: u16,
    client_bits: u8,
    seed: [u8; 32],
}

impl Deal {
    /// What the file and the pool allow on this machine.
    pub(crate) fn new(config: &Gateway, seed: [u8; 32]) -> Self {
        let one = Self { of: 1, unit: Share::default().unit, client_bits: 128, seed };
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
        Self { of, unit: unit(&settings, of), client_bits: settings.client_prefix_length, seed }
    }

    /// How many workers translate.
    pub(crate) const fn of(&self) -> u16 {
        self.of
    }

    /// The share of each.
    pub(crate) fn shares(&self, config: &Config) -> impl Iterator<Item = Share> + use<> {
        let (of, unit) = (self.of, if self.of > 1 { self.unit } else { config.share.unit });
        (0..of).map(move |index| Share { index, of, unit })
    }

    /// Who has what; `None` where one has all.
    pub(crate) fn map(&self, config: &Config) -> Option<Arc<ShardMap>> {
        let share = self.shares(config).next().filter(|share| share.of > 1)?;
        let config = Config { share, ..config.clone() };
        Some(Arc::new(ShardMap::new(&config, self.client_bits, &self.seed)))
    }

    /// Leaves of a file that is read again what fits into the deal; what waits for a restart is said in a line each.
    pub(crate) fn fit(&self, file: &mut written::Nat64) -> Vec<String> {
        let mut waits = Vec::new();
        if self.of == 1 {
            return waits;
        }
        if let Some(size) = file.port_block_size.as_mut().filter(|size| **size > self.unit) {
            let unit = self.unit;
            waits.push(format!(
                "nat64.port-block-size: blocks of {size} ports wait for a restart; until then they have {unit}"
            ));
            *size = unit;
        }
        let length = &mut file.limits.prefix_length;
        if *length < self.client_bits {
            let bits = self.client_bits;
            waits.push(format!(
                "nat64.client-prefix-length: {length} waits for a restart, because addresses of one client would have \
                 several workers; until then it is {bits}"
            ));
            *length = bits;
        }
        waits
    }

    /// Refuses a pool of which a worker would get nothing; one of which a worker would get little has a line.
    pub(crate) fn check(&self, config: &Config) -> Result<Option<String>, Failure> {
        let shares: Vec<Share> = self.shares(config).collect();
        let dealt = Proto::ALL.into_iter().filter(|p| ports(&config.pool, *p, &Share::default()) > 0);
        let fewest = dealt.filter_map(|p| shares.iter().map(|s| ports(&config.pool, p, s)).min()).min();
        match fewest.filter(|_| self.of > 1) {
            Some(0) => Err(Failure::new(format!(
                "nat64.pool is too small for {} workers: some would have no ports; a restart starts fewer",
                self.of
            ))),
            Some(few) if few < LEAST => Ok(Some(format!(
                "nat64.pool is small for {} workers: some have {few} ports; a restart starts fewer",
                self.of
            ))),
            Some(_) | None => Ok(None),
        }
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

/// Ports that stay together for the whole run. Where there is enough of everything they are as many as blocks by default
/// have, so that a port log can be wanted later, or as leave each worker some of the well-known ports, which clients
/// with such ports get (RFC 4787, section 4.2.1).
fn unit(config: &Config, of: u16) -> u16 {
    let unit = (WELL_KNOWN / of.next_power_of_two()).min(BLOCK).max(config.share.unit);
    let large = Config { share: Share { unit, ..config.share }, ..config.clone() };
    if of > 1 && most(&large, of, ENOUGH) == of { unit } else { config.share.unit }
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

    fn file(more: &str) -> Gateway {
        let text = format!(
            "schema = 1\n[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"192.0.2.0/28\"]\nworkers = 4\n{more}"
        );
        sixgate_config::gateway(std::path::Path::new("test.toml"), &text).unwrap().value
    }

    /// Whose each of a few ports is, as the map and as the shares have it.
    fn owners(deal: &Deal, file: &Gateway) -> Vec<u16> {
        let config = alone(file.nat64.as_ref().unwrap());
        let map = deal.map(&config).unwrap();
        let outside = |port| sixgate_nat64::Outside { address: Ipv4Addr::new(192, 0, 2, 2), port };
        let all: Vec<u16> = (0..64_u16).map(|n| map.of_outside(Proto::Udp, outside(n * 1021 + 1))).collect();
        for (n, owner) in (0..).zip(&all) {
            assert!(deal.shares(&config).all(|share| share.has(n * 1021 + 1) == (share.index == *owner)));
        }
        all
    }

    #[test]
    fn a_port_has_one_owner_for_a_whole_run() {
        let start = file("");
        let deal = Deal::new(&start, [7; 32]);
        let before = owners(&deal, &start);
        for more in ["port-block-size = 256\n", "port-block-size = 64\n"] {
            let mut new = file(more);
            assert_eq!(deal.fit(new.nat64.as_mut().unwrap()), Vec::<String>::new());
            assert_eq!(owners(&deal, &new), before, "{more}");
        }
        let mut new = file("port-log = \"log\"\n");
        let said = deal.fit(new.nat64.as_mut().unwrap());
        assert!(said.len() == 1 && said[0].contains("512") && said[0].contains("restart"), "{said:?}");
        assert_eq!(owners(&deal, &new), before);
        let mut new = file("port-block-size = 4096\nmax-ports-per-client = 100\n");
        let said = deal.fit(new.nat64.as_mut().unwrap());
        assert!(said.len() == 1 && said[0].contains("4096") && said[0].contains("restart"), "{said:?}");
        let kept = new.nat64.as_ref().unwrap();
        assert_eq!((kept.port_block_size, kept.limits.ports), (Some(256), Some(100)));
        assert_eq!(owners(&deal, &new), before);
        // One worker has all, however it is dealt.
        let one = Deal { of: 1, ..deal };
        assert!(one.fit(file("port-block-size = 4096\n").nat64.as_mut().unwrap()).is_empty());
    }

    #[test]
    fn a_client_has_one_worker_for_a_whole_run() {
        let deal = Deal::new(&file("client-prefix-length = 64\n"), [7; 32]);
        let length = |more: &str| {
            let mut new = file(more);
            let said = deal.fit(new.nat64.as_mut().unwrap());
            (new.nat64.unwrap().limits.prefix_length, said.len())
        };
        assert_eq!(length("client-prefix-length = 48\n"), (64, 1));
        assert_eq!(length("client-prefix-length = 64\n"), (64, 0));
        assert_eq!(length(""), (128, 0));
    }

    #[test]
    fn a_pool_that_leaves_a_worker_nothing_is_refused() {
        let deal = Deal::new(&file(""), [7; 32]);
        assert_eq!(deal.unit, 256);
        let check = |first, last| deal.check(&config(None, "192.0.2.2/32", first, last));
        assert_eq!(check(1, 65_535).unwrap(), None);
        let refused = check(1024, 1791).unwrap_err().to_string();
        assert!(refused.contains("too small for 4 workers"), "{refused}");
        assert!(check(1024, 1795).unwrap().is_some_and(|said| said.contains("have 4 ports")));
        // Statics alone deal nothing; a protocol that has nothing has it for one worker as for four.
        assert_eq!(deal.check(&Config::default()).unwrap(), None);
        assert_eq!(deal.check(&config(Some(Proto::Tcp), "192.0.2.2/32", 1, 65_535)).unwrap(), None);
        let one = Deal { of: 1, ..deal };
        assert_eq!(one.check(&config(None, "192.0.2.2/32", 1024, 1024)).unwrap(), None);
    }

    #[test]
    fn a_small_pool_is_dealt_by_the_word() {
        let pool = |first, last| config(None, "192.0.2.2/32", first, last);
        assert_eq!(unit(&pool(10_000, 10_999), 4), 64);
        let whole = pool(1, 65_535);
        assert_eq!([1, 2, 3, 4, 7].map(|of| unit(&whole, of)), [64, 512, 256, 256, 128]);
        // Each has well-known ports.
        for of in 2..=7 {
            let low = |index| Share { index, of, unit: unit(&whole, of) }.ports_of(&(1..=1023));
            assert!((0..of).all(|index| low(index) > 0), "{of}");
        }
        let blocks = Config { share: Share { unit: 4096, ..Share::default() }, ..whole };
        assert_eq!(unit(&blocks, 2), 4096);
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
