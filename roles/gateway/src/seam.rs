//! The one channel between the packet plane and the control plane.
//!
//! The two share nothing else, so that they can become two processes: everything here is a value, but for the sockets,
//! which a process can hand over too.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use sixgate_fabric::{FlowView, Identity, Probe, Snapshot};
use sixgate_io_tls::Stream;
use sixgate_iphttps::session::SessionConfig;
use sixgate_isatap::{HostView, RememberedHost, RetiringHost, RouterConfig};
use sixgate_nat64::{
    self as nat64, BibView, Explanation, Filtering, PoolAlarm, PoolView, PortEvent, SessionView, Slice,
};
use sixgate_reason::{Counters, Reason};
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, Prefix64};
use sixgate_wire::lease::Lease;
use tokio::sync::oneshot;

use crate::control::Renewed;
use crate::net::{Heard, KernelWays, Tap, Traffic, Way};

/// What control tells the packet plane.
pub(crate) enum ToNet {
    /// A client whose certificate was checked and whose request was answered: the socket changes hands.
    Admit(Box<Admission>),
    /// End the session of this client.
    Expel { name: String, reason: Reason },
    /// What the leases of all clients have in common has changed.
    Lease(Box<Lease>),
    /// Routes, policy and identities have changed.
    Snapshot(Arc<Snapshot>),
    /// Who is served by the ISATAP router has changed.
    Isatap(Box<RouterConfig>),
    /// The addresses of this machine have changed.
    Machine(Box<Addresses>),
    /// How large packets may be, by destination.
    Ways(Arc<KernelWays>),
    /// The translator's settings have changed.
    Nat64(Arc<Renewed>),
    /// ISATAP hosts that an earlier run served: they are told that the router is back.
    Remember(Vec<RememberedHost>),
    /// Control refused something; the packet plane keeps all counters.
    Refused { reason: Reason, what: String },
    /// Somebody captures packets, until the other end is dropped.
    Capture(Tap),
    /// A question; the answer goes back through the sender.
    Ask(Question),
    /// End in order.
    Stop,
}

impl ToNet {
    /// A copy for another worker, of what concerns every worker: there the translator is all that there is.
    pub(crate) fn for_another(&self) -> Option<Self> {
        match self {
            Self::Ways(ways) => Some(Self::Ways(Arc::clone(ways))),
            Self::Nat64(renewed) => Some(Self::Nat64(Arc::clone(renewed))),
            Self::Capture(tap) => Some(Self::Capture(tap.clone())),
            Self::Stop => Some(Self::Stop),
            Self::Admit(_)
            | Self::Expel { .. }
            | Self::Lease(_)
            | Self::Snapshot(_)
            | Self::Isatap(_)
            | Self::Machine(_)
            | Self::Remember(_)
            | Self::Refused { .. }
            | Self::Ask(_) => None,
        }
    }
}

/// What the ISATAP router knows of the machine that it is on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Addresses {
    /// All IPv4 addresses.
    pub(crate) own: Vec<Ipv4Addr>,
    /// The broadcast addresses of its networks.
    pub(crate) broadcasts: Vec<Ipv4Addr>,
    /// The IPv4 links, each with the addresses that are on it.
    pub(crate) near: Vec<Ipv4Prefix>,
}

/// A client at the moment its socket moves to the packet plane.
pub(crate) struct Admission {
    /// Name in its certificate.
    pub(crate) name: String,
    /// The socket with its TLS state, the answer to the request written.
    pub(crate) stream: Stream,
    /// Where it came from.
    pub(crate) from: SocketAddr,
    /// What it gets.
    pub(crate) session: SessionConfig,
    /// What policy knows of it.
    pub(crate) identity: Identity,
    /// Wall-clock second of admission, for people.
    pub(crate) since: i64,
    /// Congestion control of the outer socket.
    pub(crate) congestion: String,
}

/// What control wants to know.
pub(crate) enum Question {
    Counters(oneshot::Sender<Box<Counters>>),
    Clients(oneshot::Sender<Vec<ClientView>>),
    IsatapHosts(oneshot::Sender<Vec<HostView>>),
    IsatapHost(Ipv4Addr, oneshot::Sender<Option<HostView>>),
    /// The last solicitations and drops of the ISATAP link.
    IsatapHeard(oneshot::Sender<Vec<Heard>>),
    /// The bindings from a place of their table on.
    Bib {
        start: usize,
        wanted: nat64::Wanted,
        to: oneshot::Sender<Slice<BibView>>,
    },
    /// The sessions from a place of their table on.
    Sessions {
        start: usize,
        wanted: nat64::Wanted,
        to: oneshot::Sender<Slice<SessionView>>,
    },
    Pools(oneshot::Sender<Vec<PoolView>>),
    /// What the translator would do with a packet; `None` where there is no translator.
    Nat64Explain {
        packet: Vec<u8>,
        /// Another worker has turned it back to the pool.
        crossed: bool,
        to: oneshot::Sender<Option<Box<Explained>>>,
    },
    Counts(oneshot::Sender<Counts>),
    /// What came to each worker, and what changed workers; nothing where there is one.
    Traffic(oneshot::Sender<Vec<Traffic>>),
    /// Where a connection would go.
    Trace(TraceQuestion, oneshot::Sender<Traced>),
    /// What is to be kept of the ISATAP hosts, at this moment.
    IsatapMemory(oneshot::Sender<Memory>),
    /// Who has what of the ISATAP router, and who has open flows.
    Retirement(oneshot::Sender<RetirementView>),
    /// The open flows one of whose ends is in a prefix.
    FlowList(Ipv6Prefix, oneshot::Sender<Vec<FlowView>>),
}

/// The ISATAP hosts in a retirement, or before one.
#[derive(Clone, Debug, Default)]
pub(crate) struct RetirementView {
    /// Those in the router's table, by address.
    pub(crate) hosts: Vec<RetiringHost>,
    /// Open flows of hosts, at this moment.
    pub(crate) open: Vec<(Ipv4Addr, u32)>,
    /// When any host was last heard, served or not.
    pub(crate) last_heard: Option<Instant>,
}

/// One connected client.
#[derive(Clone, Debug)]
pub(crate) struct ClientView {
    /// The number of its port, while the session lives.
    pub(crate) session: u32,
    pub(crate) name: String,
    pub(crate) address: Option<Ipv6Addr>,
    pub(crate) from: SocketAddr,
    pub(crate) since: i64,
    pub(crate) rx_bytes: u64,
    pub(crate) tx_bytes: u64,
    /// Round trip of the outer connection.
    pub(crate) rtt: Option<Duration>,
    /// When it was last heard.
    pub(crate) last: Option<Instant>,
    /// Octets that wait for it.
    pub(crate) backlog: usize,
}

/// A connection that nobody opens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TraceQuestion {
    pub(crate) from: Ipv6Addr,
    pub(crate) to: Ipv6Addr,
    pub(crate) protocol: u8,
    pub(crate) port: u16,
}

/// Where somebody is sent in IPv4, or why not.
pub(crate) type Judged<T> = Result<T, Reason>;

/// What the packet plane would do with its first packet, station by station.
#[derive(Debug)]
pub(crate) struct Traced {
    /// The port that the sender is behind; `None` when nobody has its address.
    pub(crate) way_in: Option<Way>,
    pub(crate) client_in: Option<(u32, ClientView)>,
    /// What the ISATAP router says to the source; the router's address when it believes it.
    pub(crate) isatap_in: Option<Judged<Ipv4Addr>>,
    pub(crate) host_in: Option<HostView>,
    /// What the fabric says; `None` when the sender is behind no port, or no port of its is free.
    pub(crate) probe: Option<Probe>,
    pub(crate) way_out: Option<Way>,
    pub(crate) client_out: Option<(u32, ClientView)>,
    /// Where the ISATAP router would send it.
    pub(crate) isatap_out: Option<Judged<Ipv4Addr>>,
    pub(crate) host_out: Option<HostView>,
    /// Ports of the pool that are in use, and all.
    pub(crate) pool: Option<(u64, u64)>,
    /// Flows that are open between the two.
    pub(crate) flows: usize,
}

/// What the translator would do with a packet, and what it goes by.
#[derive(Debug)]
pub(crate) struct Explained {
    pub(crate) explanation: Explanation,
    /// What the fabric says to the IPv6 packet, where there is a fabric and no flow of it is open.
    pub(crate) probe: Option<Probe>,
    pub(crate) pools: Vec<PoolView>,
    pub(crate) prefixes: Vec<Prefix64>,
    pub(crate) filtering: Filtering,
    /// Sessions and ports that a client may have; zero means any number.
    pub(crate) client_limits: (u32, u32),
    pub(crate) lowest_ipv6_mtu: u16,
}

/// The ISATAP hosts that are served, at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// Counted from one in the order in which they were made: answers and messages may overtake each other.
    pub(crate) number: u64,
    pub(crate) hosts: Vec<RememberedHost>,
}

/// How many of everything there are: what an overview needs, without the lists.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) clients: usize,
    /// Clients whose outer connection is controlled by BBR.
    pub(crate) with_bbr: usize,
    pub(crate) hosts_served: usize,
    pub(crate) hosts_refused: usize,
    pub(crate) nat64: nat64::Gauges,
    pub(crate) flows: usize,
}

/// What the packet plane tells control.
#[derive(Debug)]
pub(crate) enum ToControl {
    /// A session took over its socket.
    Up { name: String },
    /// A session ended; without a reason when the client closed it or was replaced by itself.
    Down { name: String, reason: Option<Reason> },
    /// These ISATAP hosts are served; control keeps them over a restart.
    Served(Memory),
    /// Clients got outside ports of the translator, or gave them back.
    Ports {
        at: Timestamp,
        events: Vec<PortEvent>,
        /// Events that did not fit.
        lost: u64,
    },
    /// A share of the translator's pool is nearly used up, or no longer so.
    Pool { share: u16, alarm: PoolAlarm },
    /// The packet plane cannot go on.
    Failed(String),
}
