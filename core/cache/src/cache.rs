//! What upstreams said, for as long as it holds, and a while longer where nothing better can be had.
//!
//! | state of a name and type | [`Look`] | upstream |
//! | --- | --- | --- |
//! | within its TTL | `Fresh` | asked beside it, once, in the last tenth |
//! | past its TTL, a day at most | `Absent` with the stale answer | asked; the stale answer is for when it does not answer |
//! | failed a short while ago | `Held`, with the stale answer if there is one | not asked |
//! | unknown | `Absent` | asked |

use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use sixgate_time::Instant;

use crate::asked::{Asked, HEADER};
use crate::kept::Kept;
use crate::packed::{Packed, Ttls, pack};
use crate::shares::{Shares, Usage};
use crate::ticks::Ticks;

/// RFC 9520, section 3.2: failures are kept for one second at least and five minutes at most.
const FIRST_HOLD: Duration = Duration::from_secs(5);
const LONGEST_HOLD: Duration = Duration::from_secs(300);
/// RFC 8767, section 5: how often a name is asked for whose stale answer is given meanwhile, and what TTL that has.
const STALE_HOLD: Duration = Duration::from_secs(30);
const STALE_TTL: u32 = 30;
/// RFC 8767, section 5 recommends one to three days.
const LONGEST_STALE: u32 = 86_400;
/// An answer that is fetched anew before its time is not fetched again for so long.
const REFRESH_EVERY: Duration = Duration::from_secs(5);

/// How a [`Cache`] behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Bound in octets.
    pub octets: usize,
    /// Answers are kept past their time, for when no upstream answers (RFC 8767).
    pub serve_stale: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { octets: 64 << 20, serve_stale: true }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// No upstream answered.
    Silence,
    /// Upstreams answered, but nothing that belongs to the question.
    Unusable,
    /// The answer cannot be read, or holds data that does not fit.
    Malformed,
    /// Another rcode than NOERROR, NXDOMAIN and YXDOMAIN, with the upstream's extended error (RFC 8914).
    Rcode {
        /// All twelve bits.
        rcode: u16,
        /// INFO-CODE
        extended: Option<u16>,
    },
}

/// What the cache says to a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Look {
    /// An answer within its time.
    Fresh {
        /// The whole message, TTLs counted down, id zero.
        message: Vec<u8>,
        /// Its time is nearly over and somebody wants it: ask the upstream beside it. Said once.
        refresh: bool,
    },
    /// The upstreams failed a short while ago and are not asked now.
    Held {
        /// How they failed.
        cause: Cause,
        /// An answer past its time, TTL 30.
        stale: Option<Vec<u8>>,
    },
    /// Ask the upstream.
    Absent {
        /// To be given when no upstream answers in time: an answer past its time, TTL 30.
        stale: Option<Vec<u8>>,
    },
}

/// What is known of a question, for a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Seconds that are left.
    Fresh(u32),
    /// Seconds since its time was over.
    Stale(u32),
    /// Failed so often in a row.
    Failed(u8),
    /// Nothing.
    Absent,
}

/// Answers of upstreams by question.
pub struct Cache {
    table: Shares<Meta>,
    serve_stale: bool,
}

#[derive(Clone, Copy)]
struct Meta {
    stored: Ticks,
    /// Seconds.
    life: u32,
    /// Until then the upstream is not asked: after a failure, and after a refresh was asked for.
    retry: Ticks,
    failures: u8,
    cause: Cause,
}

impl Cache {
    /// An empty cache. The seed makes its hash unpredictable.
    #[must_use]
    pub fn new(options: Options, seed: [u8; 16]) -> Self {
        Self { table: Shares::new(options.octets, seed), serve_stale: options.serve_stale }
    }

    /// Takes over other options; what no longer fits leaves.
    pub fn reconfigure(&mut self, options: Options) {
        self.serve_stale = options.serve_stale;
        self.table.resize(options.octets);
    }

    /// What is known.
    pub fn look(&mut self, now: Instant, asked: &Asked) -> Look {
        let now = Ticks::of(now);
        let own = self.find(now, asked.key());
        let whole = self.find(now, &asked.name_key());
        // What was said last about the name holds.
        let stored = |at: Option<u32>| at.and_then(|at| self.table.meta(at)).map(|meta| meta.stored);
        let (first, second) = if stored(whole) > stored(own) { (whole, own) } else { (own, whole) };
        for at in [first, second].into_iter().flatten() {
            if let Some((message, refresh)) = self.fresh(now, at, asked) {
                self.table.touch(at);
                return Look::Fresh { message, refresh };
            }
        }
        let stale = [first, second].into_iter().flatten().find_map(|at| self.stale(at, asked));
        let failed =
            own.and_then(|at| self.table.meta(at)).filter(|meta| meta.failures > 0 && meta.retry > now);
        match failed {
            Some(meta) => Look::Held { cause: meta.cause, stale },
            None => Look::Absent { stale },
        }
    }

    /// Keeps an answer, for the account of the client that asked.
    pub fn store(&mut self, now: Instant, asked: &Asked, client: IpAddr, kept: &Kept) {
        let name_key = asked.name_key();
        if kept.life == 0 {
            // It took the place of what was known before.
            if let Some(at) = self.table.find(asked.key()) {
                self.table.remove(at);
            }
            return;
        }
        let Some((body, _)) = pack(&kept.message, asked.end()) else { return };
        let stored = Ticks::of(now);
        let meta = Meta { stored, life: kept.life, retry: stored, failures: 0, cause: Cause::Silence };
        let share = self.share(client);
        if kept.whole_name {
            self.forget(asked.key());
            self.table.insert(&name_key, &body, share, meta);
        } else {
            self.forget(&name_key);
            self.table.insert(asked.key(), &body, share, meta);
        }
    }

    /// Remembers that no upstream gave an answer. What was known before stays, for when nothing better can be had.
    pub fn fail(&mut self, now: Instant, asked: &Asked, client: IpAddr, cause: Cause) {
        let now = Ticks::of(now);
        let share = self.share(client);
        let at = match self.find(now, asked.key()) {
            Some(at) => at,
            None => {
                let meta = Meta { stored: now, life: 0, retry: now, failures: 0, cause };
                self.table.insert(asked.key(), &[], share, meta);
                let Some(at) = self.table.find(asked.key()) else { return };
                at
            }
        };
        let whole = self.find(now, &asked.name_key());
        let stale = [Some(at), whole].into_iter().flatten().any(|at| self.stale(at, asked).is_some());
        let Some(meta) = self.table.meta_mut(at) else { return };
        let doubled = FIRST_HOLD.saturating_mul(1 << meta.failures.min(6)).min(LONGEST_HOLD);
        meta.retry = now.after(if stale { STALE_HOLD } else { doubled });
        meta.failures = meta.failures.saturating_add(1);
        meta.cause = cause;
        self.table.touch(at);
    }

    /// What is known, without any effect.
    #[must_use]
    pub fn state(&self, now: Instant, asked: &Asked) -> State {
        let now = Ticks::of(now);
        let keys = [asked.key().to_vec(), asked.name_key()];
        let metas = keys.iter().filter_map(|key| self.table.meta(self.table.find(key)?)).collect::<Vec<_>>();
        let age = |meta: &Meta| now.seconds_since(meta.stored);
        if let Some(meta) = metas.iter().find(|meta| age(meta) < meta.life) {
            return State::Fresh(meta.life - age(meta));
        }
        if let Some(meta) = metas.iter().find(|meta| meta.failures > 0 && meta.retry > now) {
            return State::Failed(meta.failures);
        }
        let stale = metas.iter().find(|meta| meta.life > 0 && self.serve_stale);
        stale.map_or(State::Absent, |meta| State::Stale(age(meta) - meta.life))
    }

    /// How full it is.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.table.usage()
    }

    /// An entry that is of any use yet; others are removed on the way.
    fn find(&mut self, now: Ticks, key: &[u8]) -> Option<u32> {
        let at = self.table.find(key)?;
        let meta = self.table.meta(at)?;
        let age = now.seconds_since(meta.stored);
        let most = if self.serve_stale { meta.life.saturating_add(LONGEST_STALE) } else { meta.life };
        // A failure is remembered for as long as its next one would be held, so that holds can double.
        let failed = meta.failures > 0 && now < meta.retry.after(LONGEST_HOLD);
        if (meta.life > 0 && age < most) || failed {
            return Some(at);
        }
        self.table.remove(at);
        None
    }

    fn fresh(&mut self, now: Ticks, at: u32, asked: &Asked) -> Option<(Vec<u8>, bool)> {
        let meta = self.table.meta(at)?;
        let age = now.seconds_since(meta.stored);
        if age >= meta.life {
            return None;
        }
        let message = self.message(at, asked, Ttls::Aged(age))?;
        let meta = self.table.meta_mut(at)?;
        let late = (meta.life - age).saturating_mul(10) <= meta.life;
        let refresh = late && meta.retry <= now;
        if refresh {
            meta.retry = now.after(REFRESH_EVERY);
        }
        Some((message, refresh))
    }

    fn stale(&self, at: u32, asked: &Asked) -> Option<Vec<u8>> {
        let meta = self.table.meta(at)?;
        if !self.serve_stale || meta.life == 0 {
            return None;
        }
        self.message(at, asked, Ttls::All(STALE_TTL))
    }

    fn message(&self, at: u32, asked: &Asked, ttls: Ttls) -> Option<Vec<u8>> {
        let packed = Packed::of(self.table.body(at))?;
        let mut out = vec![0; packed.length(&asked.question)];
        debug_assert!(out.len() >= HEADER);
        packed.write([0; 2], packed.flags, &asked.question, ttls, &mut out)?;
        Some(out)
    }

    fn forget(&mut self, key: &[u8]) {
        if let Some(at) = self.table.find(key) {
            self.table.remove(at);
        }
    }

    fn share(&self, client: IpAddr) -> u8 {
        match client {
            IpAddr::V4(v4) => self.table.share_of(&v4.octets()),
            IpAddr::V6(v6) => self.table.share_of(&v6.octets()),
        }
    }
}
