//! The fabric: a small IPv6 router between ports, with policy and a stateful filter.
//!
//! It decides by which port a packet leaves, or why not and what its sender is told. It is not an interface: it knows
//! no socket, no clock and no tunnel, and it moves no bytes; a packet stays in the buffer it was read into.
//!
//! One `Fabric` belongs to one worker. What all workers share (routes, policy, services) is a [`Snapshot`], built and
//! checked in the control plane and swapped in whole; what is a worker's own (flows, fragments, token buckets) is
//! bounded and allocated when the fabric is made, so that no packet causes an allocation.
//!
//! ```
//! use std::sync::Arc;
//! use sixgate_fabric::{Fabric, Limits, Port, PortId, SnapshotBuilder, Verdict, Zone};
//! use sixgate_time::Instant;
//! use sixgate_wire::Packet;
//!
//! # fn main() -> Result<(), sixgate_fabric::SnapshotFault> {
//! let (kernel, nat64) = (PortId(0), PortId(1));
//! let snapshot = SnapshotBuilder::new()
//!     .port(kernel, Port { zone: Zone::Clients, mtu: 1500, source: "fd00::1".parse().unwrap() })
//!     .port(nat64, Port { zone: Zone::Intranet, mtu: 1500, source: "fd00::1".parse().unwrap() })
//!     .route("64:ff9b::/96".parse().unwrap(), nat64)
//!     .route("fd00:1::/64".parse().unwrap(), kernel)
//!     .build()?;
//! let mut fabric = Fabric::new(Limits::default(), [7; 32]);
//! fabric.set_snapshot(Arc::new(snapshot));
//!
//! // The loop of a worker: `now` and packets come in, verdicts go out.
//! let (now, mut packet, mut error) = (Instant::from_secs(1), Packet::new(), Packet::new());
//! match fabric.forward(now, kernel, &mut packet) {
//!     Verdict::Send(_port) => { /* hand the packet, hop limit already decremented, to that port */ }
//!     Verdict::Refuse { reason, refusal } => {
//!         // Count `reason`; then, if there is an error to send, it goes back by the port the packet came from.
//!         let send_error = fabric.refuse(now, reason, refusal, &packet, &mut error);
//!         # assert!(!send_error);
//!     }
//! }
//! fabric.handle_timeout(now); // when `next_timeout` says so
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`port`] | what a port is |
//! | [`identity`], [`policy`] | who somebody is, and who may open flows to whom |
//! | [`prefixes`] | the longest-prefix-match table |
//! | [`snapshot`] | what all workers share, and its builder |
//! | [`flow`] | flows: names, states, timeouts |
//! | `bounded` | the table under flows and fragments: preallocated, keyed hash, ordered by idle time |
//! | `fragment` | which datagram's first fragment was allowed |
//! | `forward`, `filter`, `refuse` | the path of a packet through [`Fabric`] |
//! | `probe` | the same path, for a question instead of a packet |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bounded;
mod fabric;
mod filter;
pub mod flow;
mod forward;
mod fragment;
mod hash;
pub mod identity;
pub mod policy;
pub mod port;
pub mod prefixes;
mod probe;
mod quoted;
mod refuse;
pub mod snapshot;
mod sources;

pub use fabric::{Fabric, Grounds, Limits, Verdict};
pub use flow::{FlowState, FlowView, Timeouts};
pub use identity::{Identity, group};
pub use policy::{Party, Policy, Ports, Rule, Selector};
pub use port::{Port, PortId, Zone};
pub use prefixes::PrefixTable;
pub use probe::Probe;
pub use snapshot::{Service, Snapshot, SnapshotBuilder, SnapshotFault};

#[cfg(test)]
mod testing;
