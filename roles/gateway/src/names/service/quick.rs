//! What a worker's thread answers by itself: finished answers of its own, for askers of the same view.
//!
//! It gets them from the slow way, through an inbox that it looks into once a batch: those to questions that were asked again
//! while nobody had to be asked. So what is asked once takes no room here.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sixgate_cache::Finished;
use sixgate_dns64::Dns64;
use sixgate_io_dns::server::{Front, Quick};
use sixgate_io_host::privilege;
use sixgate_time::Instant;

use super::Shared;

/// A quarter of the cache is for finished answers, dealt out to the workers.
const PART: usize = 4;
/// Answers that wait for a worker; more are made anew.
const MOST_WAITING: usize = 1_024;
/// Of so many answers one is counted for the list of names, and for all of them.
const SAMPLE: u64 = 256;
const HEADER: usize = 12;
/// Views that a worker tells apart; askers of others take the slow way.
const MOST_VIEWS: usize = 256;

/// Answers on their way to a worker, and what it counts.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: AtomicBool,
    fills: Mutex<Vec<Fill>>,
    /// Questions that the worker answered by itself. Only the worker writes.
    answered: AtomicU64,
}

/// A finished answer, and the rules that it was made by.
pub(super) struct Fill {
    pub(super) client: IpAddr,
    pub(super) question: Vec<u8>,
    pub(super) answer: Vec<u8>,
    /// When it was made: its TTLs count from then.
    pub(super) at: Instant,
    pub(super) epoch: u64,
}

impl Inbox {
    pub(super) fn put(&self, fill: Fill) {
        let mut fills = self.fills.lock().unwrap_or_else(PoisonError::into_inner);
        if fills.len() < MOST_WAITING {
            fills.push(fill);
            self.waiting.store(true, Ordering::Release);
        }
    }

    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    fn take(&self) -> Vec<Fill> {
        if !self.waiting.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut fills = self.fills.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.store(false, Ordering::Release);
        std::mem::take(&mut *fills)
    }
}

/// One worker's.
pub(super) struct Quickly {
    shared: Arc<Shared>,
    number: usize,
    finished: Finished,
    dns64: Dns64,
    logged: bool,
    epoch: u64,
    now: Instant,
    /// Views of askers, by their number in keys.
    views: Vec<u64>,
    /// Who asked last, and his view.
    last: Option<(IpAddr, u8)>,
}

impl Quickly {
    pub(super) fn new(shared: Arc<Shared>, number: usize) -> Self {
        let rules = shared.rules();
        let mut seed = [0; 16];
        // Without the system's random source nothing of ours would have come so far.
        let _no_chance = getrandom::fill(&mut seed);
        let largest = rules.dns64.config().largest_datagram;
        Self {
            finished: Finished::new(room(&shared, rules.cache.octets), largest, seed),
            dns64: rules.dns64.clone(),
            logged: rules.logged,
            epoch: rules.epoch,
            now: shared.clock.now(),
            views: Vec::new(),
            last: None,
            number,
            shared,
        }
    }

    fn view(&mut self, client: IpAddr) -> Option<u8> {
        if let Some((last, view)) = self.last
            && last == client
        {
            return Some(view);
        }
        let own = self.dns64.view(client)?;
        let known = self.views.iter().position(|view| *view == own);
        let at = match known {
            Some(at) => at,
            None if self.views.len() < MOST_VIEWS => {
                self.views.push(own);
                self.views.len() - 1
            }
            None => return None,
        };
        let view = u8::try_from(at).ok()?;
        self.last = Some((client, view));
        Some(view)
    }

    /// Under new rules everything may be different.
    fn take_over(&mut self) {
        let rules = self.shared.rules();
        self.finished.clear();
        self.finished.resize(room(&self.shared, rules.cache.octets));
        self.views.clear();
        self.last = None;
        self.dns64 = rules.dns64.clone();
        self.logged = rules.logged;
        self.epoch = rules.epoch;
    }
}

fn room(shared: &Shared, octets: usize) -> usize {
    octets / PART / shared.inboxes.len().max(1)
}

impl Front for Quickly {
    fn enter(&mut self) {
        // A worker has its socket and needs nothing else of the system.
        let _kept = privilege::give_up_all();
    }

    fn begin(&mut self) {
        self.now = self.shared.clock.now();
        if self.shared.epoch.load(Ordering::Acquire) != self.epoch {
            self.take_over();
        }
        let fills = self.shared.inboxes.get(self.number).map(Inbox::take).unwrap_or_default();
        for fill in fills {
            if fill.epoch == self.epoch
                && let Some(view) = self.view(fill.client)
            {
                let account = match fill.client {
                    IpAddr::V4(v4) => &v4.octets()[..],
                    IpAddr::V6(v6) => &v6.octets()[..],
                };
                self.finished.insert(fill.at, view, account, &fill.question, &fill.answer);
            }
        }
    }

    fn answer(&mut self, client: IpAddr, message: &[u8], out: &mut [u8]) -> Quick {
        if self.logged {
            return Quick::Slow;
        }
        let Some(view) = self.view(client) else { return Quick::Slow };
        match self.finished.answer(self.now, view, message, out) {
            sixgate_cache::Quick::Slow => Quick::Slow,
            sixgate_cache::Quick::Answer { length, refresh } => {
                if let Some(inbox) = self.shared.inboxes.get(self.number) {
                    let answered = inbox.answered.load(Ordering::Relaxed);
                    inbox.answered.store(answered + 1, Ordering::Relaxed);
                    if answered % SAMPLE == 0
                        && let Some(question) = message.get(HEADER..)
                        && let Ok(mut top) = self.shared.top.try_lock()
                    {
                        top.add(question, SAMPLE);
                    }
                }
                Quick::Answer { length, refresh }
            }
        }
    }
}
