//! The way of a packet to the worker that it belongs to, where several workers translate.
//!
//! Nothing else is between workers: each has its queue of the device, its tables, timers, buffers and counters. A program
//! in the kernel ([`ShardMap::steering`]) hands packets to their owner's queue; where none may be loaded, the kernel learns from
//! what a flow's other direction is written to. What comes to another queue crosses here, in batches.

use std::sync::Arc;

use sixgate_io_link::{BufferPool, Incoming, Outgoing, Waker, ring};
use sixgate_nat64::{Shard, ShardMap, Step};
use sixgate_reason::{NAT64_SOURCE_MARTIAN, NAT64_WORKER_BUSY};
use sixgate_time::Instant;
use sixgate_wire::Packet;

use super::forward::is_for_nobody;
use super::nat64::is_v4;
use super::worker::{BATCH, Worker};

/// Packets that may be on their way from one worker to another: about as many as a queue of the device holds, for a worker that
/// waits for its core.
const RING: usize = 512;
/// Buffers of one worker that may be on their way to all others together.
const UNDER_WAY: usize = 1024;
/// With fewer buffers than this a worker looks after those that have come back.
const FEW: usize = BATCH;

/// A worker's place among the others.
pub(crate) struct Crossing {
    shard: Shard,
    /// By the index of the other; none to itself.
    to: Vec<Option<Outgoing>>,
    from: Vec<Incoming>,
    traffic: Traffic,
}

/// What came to a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Traffic {
    /// Which worker.
    pub(crate) worker: u16,
    /// Packets that its queue gave it.
    pub(crate) read: u64,
    /// Of those, and of what waited or turned back here, the packets that another worker got.
    pub(crate) crossed: u64,
}

impl Crossing {
    /// The places of all, each connected with every other. `wakers` wake them.
    pub(crate) fn of_all(shards: Vec<Shard>, wakers: &[Waker]) -> Vec<Self> {
        let mut all: Vec<Self> = (0..)
            .zip(shards)
            .map(|(index, shard)| Self {
                shard,
                to: wakers.iter().map(|_| None).collect(),
                from: Vec::new(),
                traffic: Traffic { worker: index, ..Traffic::default() },
            })
            .collect();
        for writer in 0..all.len() {
            for (reader, waker) in wakers.iter().enumerate().filter(|(reader, _)| *reader != writer) {
                let (to, from) = ring(RING, waker.clone());
                all[writer].to[reader] = Some(to);
                all[reader].from.push(from);
            }
        }
        all
    }

    /// Buffers that a worker needs for its part of the rings, beside its own.
    pub(crate) fn buffers(&self) -> usize {
        (self.from.len() * RING).min(UNDER_WAY)
    }

    pub(crate) const fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// True for the one worker that a packet is explained by.
    pub(crate) fn would_take(&self, packet: &[u8]) -> bool {
        self.shard.would_take(packet)
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        self.shard.next_timeout()
    }

    /// True when something of another waits here.
    pub(crate) fn has_more(&self) -> bool {
        self.from.iter().any(|from| !from.is_empty())
    }

    /// The end of a turn: the others are told of what it has put into their rings, and buffers that came back are taken up
    /// again when there are few.
    pub(crate) fn end_turn(&mut self, pool: &mut BufferPool) {
        for to in self.to.iter_mut().flatten() {
            to.tell();
            while pool.free() < FEW
                && let Some(empty) = to.take_back()
            {
                pool.give(empty);
            }
        }
    }
}

impl Worker {
    /// A packet that this worker's queue gave it, when there are other workers.
    pub(super) fn sort(&mut self, packet: &mut Packet) {
        let Some(crossing) = &mut self.crossing else { return };
        crossing.traffic.read += 1;
        if is_v4(packet) {
            // Among workers a packet from the pool may be one that turned back; from the network it is none.
            if self.nat64.as_ref().is_some_and(|nat64| nat64.engine.is_forged(packet)) {
                self.tally.count(self.now, NAT64_SOURCE_MARTIAN, format_args!("{packet:?}"));
                return;
            }
        } else if is_for_nobody(packet) {
            return;
        }
        let step = crossing.shard.arrived(self.now, packet);
        self.follow(step, packet);
    }

    /// What other workers have handed over.
    pub(super) fn read_rings(&mut self) {
        let rings = self.crossing.as_ref().map_or(0, |crossing| crossing.from.len());
        for n in 0..rings {
            for _ in 0..BATCH {
                let Some(crossing) = &mut self.crossing else { return };
                let Some(mut packet) = crossing.from[n].receive() else { break };
                let step = crossing.shard.crossed(self.now, &packet);
                // The buffer that goes back may be another one by now: all are alike.
                self.follow(step, &mut packet);
                if let Some(crossing) = &mut self.crossing {
                    crossing.from[n].give_back(packet);
                }
            }
        }
    }

    /// Packets that come back to the pool, but not to this worker's part of it.
    pub(super) fn drain_hairpin(&mut self) {
        while self.nat64.as_ref().is_some_and(|nat64| nat64.engine.has_hairpin()) {
            let Some(mut out) = self.pool.take() else { return };
            let some = self.nat64.as_mut().is_some_and(|nat64| nat64.engine.poll_hairpin(&mut out));
            if let (true, Some(crossing)) = (some, &mut self.crossing) {
                let step = crossing.shard.arrived(self.now, &out);
                self.follow(step, &mut out);
            }
            self.pool.give(out);
        }
    }

    /// Other static bindings may have other owners.
    pub(super) fn renew_map(&mut self, map: &Arc<ShardMap>) {
        if let (Some(crossing), Some(nat64)) = (&mut self.crossing, &mut self.nat64) {
            crossing.shard.set_map(Arc::clone(map));
            nat64.engine.set_shards(Arc::clone(map));
        }
    }

    /// Time passes for parts of datagrams that wait here.
    pub(super) fn give_up_parts(&mut self) {
        let Some(crossing) = &mut self.crossing else { return };
        if crossing.shard.next_timeout() <= self.now {
            crossing.shard.handle_timeout(self.now);
        }
        while let Some(reason) = self.crossing.as_mut().and_then(|crossing| crossing.shard.poll_late_drop()) {
            self.tally.count(self.now, reason, "a fragment that waited in vain");
        }
    }

    /// Does what is to be done with a packet, and with those that waited for it.
    fn follow(&mut self, step: Step, packet: &mut Packet) {
        self.take(step, packet);
        while self.crossing.as_ref().is_some_and(|crossing| crossing.shard.has_released()) {
            let Some(mut out) = self.pool.take() else { return };
            let step = self.crossing.as_mut().and_then(|crossing| crossing.shard.poll_released(&mut out));
            if let Some(step) = step {
                self.take(step, &mut out);
            }
            self.pool.give(out);
        }
    }

    fn take(&mut self, step: Step, packet: &mut Packet) {
        match step {
            Step::Mine if is_v4(packet) => self.translate_in(packet),
            Step::Mine => self.translate_out(packet),
            Step::To(other) => self.cross(other, packet),
            Step::Waits => {}
            Step::Drop(reason) => self.tally.count(self.now, reason, format_args!("{packet:?}")),
        }
    }

    /// Hands a packet to another worker. What is left in `packet` is of no more use, but its buffer is.
    fn cross(&mut self, other: u16, packet: &mut Packet) {
        let Some(crossing) = &mut self.crossing else { return };
        let Some(to) = crossing.to.get_mut(usize::from(other)).and_then(Option::as_mut) else { return };
        let sent = match to.take_back().or_else(|| self.pool.take()) {
            Some(empty) => to.send(std::mem::replace(packet, empty)).map_err(|full| {
                let empty = std::mem::replace(packet, full);
                self.pool.give(empty);
            }),
            None => Err(()),
        };
        if sent.is_ok() {
            crossing.traffic.crossed += 1;
        } else {
            let what = format_args!("{packet:?} for worker {other}");
            self.tally.count(self.now, NAT64_WORKER_BUSY, what);
        }
    }
}
