//! The fabric itself: its parts, its limits, and what the control plane tells it.

use alloc::sync::Arc;
use core::net::Ipv6Addr;

use hashbrown::HashMap;
use sixgate_reason::Reason;
use sixgate_time::{Instant, TokenBucket};
use sixgate_wire::flow::FlowKey;
use sixgate_wire::refusal::Refusal;

use crate::bounded::Bounded;
use crate::flow::{Ends, Flow, FlowView, Timeouts};
use crate::fragment::Fragments;
use crate::hash::Keyed;
use crate::identity::Identity;
use crate::policy::Party;
use crate::port::{Port, PortId};
use crate::snapshot::{Snapshot, SnapshotFault, check_port};
use crate::sources::Sources;

/// Sizes and rates of one fabric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Flows at the same time; about 200 octets each, allocated at once.
    pub flows: usize,
    /// Flows that one address may have open, so that nobody fills the table alone.
    pub flows_per_source: usize,
    /// Fragmented datagrams at the same time.
    pub fragments: usize,
    /// Fragmented datagrams of one address.
    pub fragments_per_source: usize,
    /// Lifetimes of flows.
    pub timeouts: Timeouts,
    /// ICMPv6 errors a second to one sender, and as many at once.
    pub errors_per_source: u32,
    /// ICMPv6 errors a second on one port, and as many at once.
    pub errors_per_port: u32,
    /// ICMPv6 errors a second on all ports together, and as many at once.
    pub errors: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows: 131_072,
            flows_per_source: 16_384,
            fragments: 4096,
            fragments_per_source: 512,
            timeouts: Timeouts::default(),
            // A page of a dual-stack site opens some ten connections, and several programs may fall back at the same time.
            errors_per_source: 50,
            errors_per_port: 1000,
            errors: 5000,
        }
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It leaves by this port; its hop limit is decremented.
    Send(PortId),
    /// It goes no further.
    Refuse {
        /// To be counted.
        reason: Reason,
        /// What [`Fabric::refuse`] tells the sender; nothing for some reasons.
        refusal: Option<Refusal>,
    },
}

/// What lets a flow be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grounds {
    /// It goes to a service of the gateway.
    Service,
    /// The rule with this number, from zero.
    Rule(usize),
}

/// One worker's router. See the top of the crate for how it is driven.
pub struct Fabric {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) ports: HashMap<PortId, PortState, Keyed>,
    pub(crate) hosts: HashMap<Ipv6Addr, Host, Keyed>,
    pub(crate) flows: Bounded<Ends, Flow>,
    pub(crate) fragments: Fragments,
    /// Counts changes of what policy is judged by; a flow judged in another epoch is judged again.
    pub(crate) epoch: u64,
    pub(crate) errors: TokenBucket,
    pub(crate) errors_by_source: Sources,
    pub(crate) errors_limited: u64,
    pub(crate) flows_opened: u64,
    limits: Limits,
}

pub(crate) struct PortState {
    pub(crate) port: Port,
    pub(crate) errors: TokenBucket,
    /// Came with the snapshot and goes with it.
    of_snapshot: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) port: PortId,
    pub(crate) identity: Identity,
}

impl Fabric {
    /// A fabric without routes. All tables of the packet path are allocated here; `seed` keys their hashes.
    #[must_use]
    pub fn new(limits: Limits, seed: [u8; 32]) -> Self {
        let (hosts, flows) = Keyed::pair(seed);
        Self {
            snapshot: Arc::new(Snapshot::default()),
            ports: HashMap::with_hasher(hosts),
            hosts: HashMap::with_hasher(hosts),
            flows: Bounded::new(limits.flows, limits.flows_per_source, &limits.timeouts.classes(), flows),
            fragments: Fragments::new(limits.fragments, limits.fragments_per_source, flows),
            epoch: 0,
            errors: TokenBucket::new(limits.errors, limits.errors),
            errors_by_source: Sources::new(limits.errors_per_source, hosts),
            errors_limited: 0,
            flows_opened: 0,
            limits,
        }
    }

    /// Replaces routes, ports, identities, policy and services. Hosts, ports added alone and flows stay; a flow that the
    /// new policy does not allow is refused when its next packet comes.
    pub fn set_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        self.ports.retain(|id, state| !state.of_snapshot || snapshot.ports.iter().any(|(new, _)| new == id));
        for (id, port) in &snapshot.ports {
            self.put_port(*id, *port, true);
        }
        self.snapshot = snapshot;
        self.epoch += 1;
    }

    /// Adds or changes a port that comes and goes by itself, such as a client's session.
    ///
    /// # Errors
    /// [`SnapshotFault::MtuTooSmall`], [`SnapshotFault::SourceUnusable`].
    pub fn add_port(&mut self, id: PortId, port: Port) -> Result<(), SnapshotFault> {
        check_port(id, &port)?;
        self.put_port(id, port, false);
        Ok(())
    }

    /// Removes a port; packets to it are refused as if there were no route.
    pub fn remove_port(&mut self, id: PortId) {
        self.ports.remove(&id);
    }

    /// Says that `address` is behind `port` and who it is. Replaces what was said of it before.
    pub fn add_host(&mut self, address: Ipv6Addr, port: PortId, identity: Identity) {
        let before = self.hosts.insert(address, Host { port, identity });
        if before.map(|host| host.identity) != Some(identity) {
            self.epoch += 1;
        }
    }

    /// Forgets where `address` is. Its flows stay: it may come back by another port.
    pub fn remove_host(&mut self, address: Ipv6Addr) {
        if self.hosts.remove(&address).is_some() {
            self.epoch += 1;
        }
    }

    /// The flows, in no order that means anything.
    pub fn flows(&self) -> impl Iterator<Item = FlowView> {
        self.flows.iter().map(|(ends, flow, expires)| flow.view(ends, expires))
    }

    /// How many flows there are, those included whose time is over but that are not cleared away yet.
    #[must_use]
    pub fn flow_count(&self) -> usize {
        self.flows.len()
    }

    /// How many flows were opened since the start: it rises within [`Fabric::forward`] exactly when the packet opens one.
    #[must_use]
    pub fn flows_opened(&self) -> u64 {
        self.flows_opened
    }

    /// How many fragmented datagrams are on their way.
    #[must_use]
    pub fn fragment_count(&self) -> usize {
        self.fragments.len()
    }

    /// How many ICMPv6 errors were due but not sent, because of their rate.
    #[must_use]
    pub fn errors_limited(&self) -> u64 {
        self.errors_limited
    }

    /// Clears away flows and fragments whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.flows.expire(now, usize::MAX);
        self.fragments.expire(now);
    }

    /// When [`Fabric::handle_timeout`] has something to do. Being late costs memory only, never a wrong verdict.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        self.flows.next_timeout().min(self.fragments.next_timeout())
    }

    /// By which port an address is reached: hosts first, then the longest prefix.
    #[must_use]
    pub fn route(&self, address: Ipv6Addr) -> Option<PortId> {
        self.hosts
            .get(&address)
            .map(|host| host.port)
            .or_else(|| self.snapshot.routes.longest(address).copied())
    }

    /// Who an address is: what was said of the host, else of its prefix, else the zone of the port that leads there.
    #[must_use]
    pub fn party(&self, address: Ipv6Addr) -> Party {
        let identity = self
            .hosts
            .get(&address)
            .map(|host| host.identity)
            .or_else(|| self.snapshot.identities.longest(address).copied())
            .or_else(|| Some(self.ports.get(&self.route(address)?)?.port.zone.identity()));
        Party { address, v4: self.snapshot.embedded(address), identity: identity.unwrap_or_default() }
    }

    /// True when whoever sends `key` may open this flow.
    #[must_use]
    pub fn allows(&self, key: &FlowKey) -> bool {
        self.grounds(key).is_some()
    }

    /// What lets whoever sends `key` open this flow, if anything does.
    #[must_use]
    pub fn grounds(&self, key: &FlowKey) -> Option<Grounds> {
        let from = self.party(key.src);
        if self.snapshot.serves(&from.identity, key) {
            return Some(Grounds::Service);
        }
        self.snapshot.policy.first_match(&from, &self.party(key.dst), key).map(Grounds::Rule)
    }

    fn put_port(&mut self, id: PortId, port: Port, of_snapshot: bool) {
        let rate = self.limits.errors_per_port;
        let fresh = || PortState { port, errors: TokenBucket::new(rate, rate), of_snapshot };
        let state = self.ports.entry(id).or_insert_with(fresh);
        (state.port, state.of_snapshot) = (port, of_snapshot);
    }
}
