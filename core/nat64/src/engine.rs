//! The stateful translator: tables, tables' time, and the two ways through them.

mod admission;
mod errors;
mod expiry;
mod explain;
mod fragment;
mod inbound;
mod outbound;
pub(crate) mod own;
mod ports;
mod resolve;
mod slices;
mod views;

use alloc::sync::Arc;
use alloc::vec::Vec;

use sixgate_reason::{NAT64_FRAGMENT_UNKNOWN, NAT64_SOURCE_MARTIAN, Reason};
use sixgate_time::{Instant, TokenBucket};
use sixgate_wire::Packet;
use sixgate_wire::packet::Offload;

use crate::bib::{Bib, Binding};
use crate::clients::Clients;
use crate::config::{Config, Filtering};
use crate::fragments::Fragments;
use crate::held::HeldSyns;
use crate::identification::Identifications;
use crate::keyed::Key;
use crate::output::Output;
use crate::pool::Pool;
use crate::session::Sessions;
use crate::shard::ShardMap;
use crate::translate::{Mapping4, Mapping6};
use crate::ways::Ways;

use admission::Complaints;
pub use explain::{Explanation, Use};
pub use slices::{Slice, Wanted};
pub use views::{BibView, Gauges, SessionView};

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is of the other family and can be sent.
    Translated,
    /// It is ours: a fragment that waits, or something that comes out of [`Nat64::poll_output`] in another form.
    Consumed,
    /// It ends here. An error to its sender, if one is due, is in the output.
    Drop(Reason),
}

/// Expiries that one packet pays for: more than it can add, also where a session is only looked at and goes on, so that the
/// tables never fall behind.
const EXPIRIES_A_PACKET: usize = 4;
/// Expiries in one call of [`Nat64::handle_timeout`]: bounds how long packets wait for it.
const EXPIRIES_A_CALL: usize = 4096;

/// A stateful NAT64.
pub struct Nat64 {
    config: Config,
    seed: [u8; 32],
    bib: Bib,
    sessions: Sessions,
    clients: Clients,
    complaints: Complaints,
    /// Sessions of all that only insides open.
    kept_for_insides: usize,
    pool: Pool,
    fragments6: Fragments<Mapping4>,
    fragments4: Fragments<Mapping6>,
    held: HeldSyns,
    identifications: Identifications,
    errors6: TokenBucket,
    errors4: TokenBucket,
    output: Output,
    /// Where there are others like this one, whose is what.
    shards: Option<Arc<ShardMap>>,
    /// Packets that come back to an address of the pool, for others like this one.
    hairpin: Output,
    /// Fragments that waited and were refused then, since somebody asked; one entry for each of a handful of reasons.
    late_drops: Vec<(Reason, usize)>,
    /// Buffers for packets that wait no longer; as many as calls nest.
    scratch: Vec<Packet>,
}

impl Nat64 {
    /// A NAT64 without sessions. Address space for the tables is taken at once, memory as they fill. Static bindings that contradict each other are
    /// left out, the later one.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let most = config.max_sessions;
        let mut nat = Self {
            bib: Bib::new(most.saturating_add(config.statics.len()), Key::derive(&seed, 1)),
            sessions: Sessions::new(most, Key::derive(&seed, 2)),
            clients: Clients::new(&config, Key::derive(&seed, 3)),
            complaints: Complaints::new(Key::derive(&seed, 13)),
            kept_for_insides: Self::keep_for_insides(&config),
            pool: Pool::new(&config, &seed),
            fragments6: Fragments::new(Key::derive(&seed, 4)),
            fragments4: Fragments::new(Key::derive(&seed, 5)),
            held: HeldSyns::new(Key::derive(&seed, 6)),
            identifications: Identifications::new(Key::derive(&seed, 7), config.share),
            errors6: TokenBucket::new(config.errors_per_second, config.errors_per_second),
            errors4: TokenBucket::new(config.errors_per_second, config.errors_per_second),
            output: Output::default(),
            shards: None,
            hairpin: Output::default(),
            late_drops: Vec::new(),
            scratch: Vec::new(),
            config,
            seed,
        };
        nat.prepare_tables();
        nat.bind_statics();
        nat
    }

    /// Takes over other settings. Sessions stay, except those whose outside transport address is no longer ours;
    /// the size of the tables grows when it must.
    pub fn reconfigure(&mut self, config: Config) {
        let records = self.port_records();
        self.pool.replace(&config, &self.seed, |client| config.client(client));
        if config.errors_per_second != self.config.errors_per_second {
            self.errors6 = TokenBucket::new(config.errors_per_second, config.errors_per_second);
            self.errors4 = TokenBucket::new(config.errors_per_second, config.errors_per_second);
        }
        let old = core::mem::replace(&mut self.config, config);
        self.prepare_tables();
        if old.timeouts != self.config.timeouts {
            self.sessions.reschedule(&self.config.timeouts);
        }
        self.clients.reset(&self.config, Key::derive(&self.seed, 3));
        self.kept_for_insides = Self::keep_for_insides(&self.config);
        let mut gone = Vec::new();
        let bindings: Vec<(u32, Binding)> = self.bib.iter().map(|(id, b)| (id, *b)).collect();
        for (id, binding) in bindings {
            let wanted = self.config.statics.iter().any(|s| {
                s.protocol == binding.proto && s.outside == binding.outside && s.inside == binding.inside
            });
            let ours = self.take_port(&Binding { fixed: wanted, ..binding });
            // What a prefix's number meant is gone with the old list.
            let prefix = old.prefixes.get(usize::from(binding.prefix));
            let prefix = self.config.prefixes.iter().position(|p| Some(p) == prefix);
            if let Some(binding) = self.bib.get_mut(id) {
                // Also of one that goes: it gives its port back as what it was taken for.
                binding.fixed = wanted;
                // At most 255 prefixes.
                binding.prefix = prefix.unwrap_or(0) as u8;
            }
            if !wanted && (!ours || binding.sessions == 0) {
                gone.push(id);
            }
        }
        self.unbind(&gone);
        self.renumber_prefixes(&old.prefixes);
        self.bind_statics();
        self.pool.settle();
        self.count_clients();
        self.pool.log_change(&records, &self.port_records());
    }

    /// Translates a packet from the IPv6 side. `ways` says how large it may be.
    ///
    /// Drain [`Nat64::poll_output`] afterwards. With [`Verdict::Drop`] and [`Verdict::Consumed`] the packet's content
    /// is of no more use.
    pub fn outbound(&mut self, now: Instant, packet: &mut Packet, ways: impl Ways) -> Verdict {
        self.expire(now, EXPIRIES_A_PACKET);
        self.take_v6(now, packet, &ways)
    }

    /// Translates a packet from the IPv4 side. `ways` says how large it may be.
    ///
    /// Drain [`Nat64::poll_output`] afterwards. With [`Verdict::Drop`] and [`Verdict::Consumed`] the packet's content
    /// is of no more use.
    pub fn inbound(&mut self, now: Instant, packet: &mut Packet, ways: impl Ways) -> Verdict {
        self.expire(now, EXPIRIES_A_PACKET);
        if self.shards.is_none() && self.is_forged(packet) {
            return Verdict::Drop(NAT64_SOURCE_MARTIAN);
        }
        self.take_v4(now, packet, &ways)
    }

    /// Moves the next packet to be sent into `out`; false when there is none. Its version says to which side it goes.
    pub fn poll_output(&mut self, out: &mut Packet) -> bool {
        self.output.poll(out)
    }

    /// Tells this translator, which has a share of the pool, of the others. Packets between two insides then come out of
    /// [`Nat64::poll_hairpin`] when their destination is another's, and whoever reads from the network asks
    /// [`Nat64::is_forged`].
    pub fn set_shards(&mut self, map: Arc<ShardMap>) {
        self.shards = Some(map);
    }

    /// True when [`Nat64::poll_hairpin`] has something.
    #[must_use]
    pub fn has_hairpin(&self) -> bool {
        !self.hairpin.is_empty()
    }

    /// Moves the next IPv4 packet that comes back to the pool, but not to this translator's share, into `out`; false when
    /// there is none. It goes to [`crate::Shard::arrived`].
    pub fn poll_hairpin(&mut self, out: &mut Packet) -> bool {
        self.hairpin.poll(out)
    }

    /// Lets time pass. Drain [`Nat64::poll_output`] afterwards, then ask [`Nat64::next_timeout`] again.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.expire(now, EXPIRIES_A_CALL);
    }

    /// One packet that was taken as [`Verdict::Consumed`] and has been given up since; for the counters.
    pub fn poll_late_drop(&mut self) -> Option<Reason> {
        if self.fragments6.take_given_up() || self.fragments4.take_given_up() {
            return Some(NAT64_FRAGMENT_UNKNOWN);
        }
        let (reason, many) = self.late_drops.last_mut()?;
        let reason = *reason;
        *many -= 1;
        if *many == 0 {
            self.late_drops.pop();
        }
        Some(reason)
    }

    /// Remembers one of them for [`Nat64::poll_late_drop`].
    fn refused_late(&mut self, reason: Reason) {
        match self.late_drops.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, many)) => *many += 1,
            None => self.late_drops.push((reason, 1)),
        }
    }

    /// Packets of the output that were lost because nobody drained it or `out` was too small.
    #[must_use]
    pub const fn output_lost(&self) -> u64 {
        self.output.lost() + self.hairpin.lost()
    }

    /// Makes room for what the settings allow, and counts what they ask for.
    fn prepare_tables(&mut self) {
        let most = self.config.max_sessions;
        self.bib.reserve(most.saturating_add(self.config.statics.len()));
        self.sessions.prepare(most, self.config.filtering == Filtering::AddressDependent);
    }

    fn bind_statics(&mut self) {
        for index in 0..self.config.statics.len() {
            let wanted = self.config.statics[index];
            let by_inside = self.bib.by_inside(wanted.protocol, wanted.inside);
            let by_outside = self.bib.by_outside(wanted.protocol, wanted.outside);
            if let Some(id) = by_inside
                && by_inside == by_outside
            {
                if let Some(binding) = self.bib.get_mut(id) {
                    binding.fixed = true;
                }
                continue;
            }
            // What the administrator writes down goes before what packets made.
            for id in [by_inside, by_outside].into_iter().flatten() {
                if self.bib.get(id).is_some_and(|b| !b.fixed) {
                    self.unbind(&[id]);
                }
            }
            let binding = Binding {
                proto: wanted.protocol,
                inside: wanted.inside,
                outside: wanted.outside,
                sessions: 0,
                fixed: true,
                prefix: 0,
                links: [0; 2],
            };
            // What is in another's share is counted there.
            if self.bib.insert(binding).is_some()
                && self.config.share.has(wanted.outside.port)
                && !self.take_port(&binding)
            {
                self.pool.log_static(wanted.protocol, wanted.inside, wanted.outside);
            }
        }
    }

    /// Sends what is in `packet` as output.
    fn emit(&mut self, packet: &Packet) {
        self.output.push(&[packet.bytes()], packet.offload);
    }

    /// Sends octets as output, as an ordinary packet.
    fn emit_octets(&mut self, parts: &[&[u8]]) {
        self.output.push(parts, Offload::default());
    }
}
