//! A million sessions at once: what a packet of any of them costs beside a thousand, and what all of them take of memory.
//!
//! Every session has a client and a binding of its own, and the packets come in no order, so that nothing that one needs is there
//! because the last one needed it. Cost is processor time of the workers a packet that arrives: what else runs on the machine takes
//! none of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::bulk::text;
use super::datagrams::bound;
use super::frames::Frames;
use super::space::joined;
use super::subject::Subject;
use super::world::World;
use crate::statistics::median;
use crate::{progress, stop};

const FEW: u32 = 1000;
const MANY: u32 = 1_000_000;
/// Most that a packet of a million sessions may cost, beside one of a thousand.
const MOST_COST: f64 = 1.3;
/// Most that a million sessions may take, in megabytes.
const MOST_MEMORY: f64 = 400.0;
/// Packets on the way: never so many that a queue overflows, never so few that the translator sleeps.
const ON_THE_WAY: u64 = 300;
/// What has not arrived by then is lost.
const LOST: Duration = Duration::from_millis(100);
const SUBJECT: Subject = Subject::Sixgate;

/// Something with a limit.
pub(super) struct Demand {
    pub(super) name: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    pub(super) most: f64,
}

impl Demand {
    pub(super) fn good(&self) -> bool {
        self.value <= self.most
    }
}

/// Cost and memory; fails when there are not as many sessions as there should be.
pub(super) fn measure(world: &World, rounds: usize, length: Duration) -> Result<Vec<Demand>, String> {
    // Somebody listens, so that nothing is answered; nobody reads, so that nothing is woken.
    let sink = joined(world.server.thread(bound))?;
    let port = sink.local_addr().map_err(text)?.port();
    let mut costs = Vec::new();
    for (sessions, name) in [(FEW, "1,000"), (MANY, "1,000,000")] {
        fill(world, port, sessions)?;
        let mut rounds: Vec<f64> = Vec::with_capacity(rounds);
        for _ in 0..rounds.capacity().max(1) {
            let cost = round(world, port, sessions, length)?;
            progress(&format!("a packet of any of {name} sessions: {cost:.0} ns"));
            rounds.push(cost);
        }
        costs.push(median(&rounds));
    }
    let memory = world.memory().ok_or("sixgate has ended")?;
    Ok(vec![
        Demand {
            name: "a packet at 1,000,000 sessions, to one at 1,000",
            value: costs[1] / costs[0],
            unit: "x",
            most: MOST_COST,
        },
        Demand {
            name: "memory of sixgate with 1,000,000 sessions",
            value: memory as f64 / 1e6,
            unit: "MB",
            most: MOST_MEMORY,
        },
    ])
}

/// Opens the sessions, again what was lost.
fn fill(world: &World, port: u16, sessions: u32) -> Result<(), String> {
    for _ in 0..5 {
        run(world, port, move |at| u32::try_from(at).ok().filter(|n| *n < sessions))?;
        if world.sessions()? >= u64::from(sessions) {
            return Ok(());
        }
    }
    Err(format!("sixgate has {} sessions and not {sessions}", world.sessions()?))
}

/// Nanoseconds of a packet.
fn round(world: &World, port: u16, sessions: u32, length: Duration) -> Result<f64, String> {
    let end = Instant::now() + length;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let before = world.worked()?;
    let arrived = run(world, port, move |_| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let any = ((random >> 32) * u64::from(sessions)) >> 32;
        (Instant::now() < end).then_some(any as u32)
    })?;
    let worked = world.worked()?.saturating_sub(before);
    if arrived == 0 {
        return Err("nothing arrives of a million sessions".to_owned());
    }
    Ok(worked.as_nanos() as f64 / arrived as f64)
}

/// Sends packets of the sessions that `which` names, by the number of the packet; how many arrived.
fn run(
    world: &World,
    port: u16,
    mut which: impl FnMut(u64) -> Option<u32> + Send + 'static,
) -> Result<u64, String> {
    let over = Arc::new(AtomicBool::new(false));
    let arrived = Arc::new(AtomicU64::new(received("s2")?));
    let station = world.station(SUBJECT)?;
    let watcher = {
        let (over, arrived) = (Arc::clone(&over), Arc::clone(&arrived));
        world.server.thread(move || {
            while !over.load(Ordering::Relaxed) {
                arrived.store(received("s2")?, Ordering::Relaxed);
                thread::sleep(Duration::from_micros(200));
            }
            received("s2")
        })
    };
    let start = joined(world.server.thread(|| received("s2")))?;
    let count = Arc::clone(&arrived);
    let sender = world.client.thread(move || {
        let mut frames = Frames::new("c2", station, SUBJECT, port)?;
        let (mut sent, mut lost) = (0, 0);
        while let Some(session) = which(sent) {
            frames.push(session)?;
            sent += 1;
            if sent % 64 != 0 {
                continue;
            }
            stop::check()?;
            let since = Instant::now();
            while sent - lost > count.load(Ordering::Relaxed).saturating_sub(start) + ON_THE_WAY {
                if since.elapsed() > LOST {
                    lost = sent - count.load(Ordering::Relaxed).saturating_sub(start);
                }
                thread::yield_now();
            }
        }
        frames.flush()
    });
    let outcome = joined(sender);
    thread::sleep(LOST);
    over.store(true, Ordering::Relaxed);
    let end = joined(watcher)?;
    outcome.map(|()| end - start)
}

/// Packets that a device of this thread's namespace has received.
fn received(device: &str) -> Result<u64, String> {
    let text = std::fs::read_to_string("/proc/thread-self/net/dev").map_err(text)?;
    let line = text.lines().find_map(|l| l.trim().strip_prefix(device)?.strip_prefix(':'));
    let field = line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok());
    // Before anybody asks in the right namespace there is none.
    Ok(field.unwrap_or(0))
}
