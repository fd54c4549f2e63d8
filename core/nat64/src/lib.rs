//! A stateful NAT64 (RFC 6146) over stateless translation (RFC 7915, RFC 6052), without I/O and without a clock.
//!
//! It carries TCP, UDP, ICMP echo and ICMP errors, whole, in fragments or as super-packets with offload metadata. It
//! rewrites packets in place and makes its own errors in both families. It does not route, and does not know who a
//! client is beyond its IPv6 address.
//!
//! One call, then drain:
//!
//! ```
//! use sixgate_nat64::{Config, Nat64, Verdict};
//! use sixgate_time::Instant;
//! use sixgate_wire::Packet;
//!
//! # fn send(_: &Packet) {}
//! # fn count(_: sixgate_reason::Reason) {}
//! let mut nat = Nat64::new(Config::default(), [0; 32]);
//! let mut out = Packet::new();
//! # let (now, mut packet) = (Instant::ZERO, Packet::from_slice(&[0x60; 40]));
//! match nat.outbound(now, &mut packet, 1500) {
//!     Verdict::Translated => send(&packet),
//!     Verdict::Consumed => {}
//!     Verdict::Drop(reason) => count(reason),
//! }
//! while nat.poll_output(&mut out) {
//!     send(&out); // the version nibble says to which side
//! }
//! // And whenever `next_timeout` has come: `handle_timeout`, then drain again.
//! assert_eq!(nat.next_timeout(), Instant::NEVER);
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`translate`] | RFC 7915: headers, checksums, ICMP tables, quoted packets; no state |
//! | [`tcp`] | the TCP state machine of RFC 6146 |
//! | `bib`, `session` | bindings and sessions with their timers |
//! | `pool` | outside transport addresses, blocks of them, and who got which |
//! | [`Share`] | which of them are whose, where several translators have one pool |
//! | [`Shard`], [`ShardMap`] | which of several translators a packet belongs to |
//! | `clients`, `held`, `fragments` | limits; SYNs and fragments that wait |
//! | [`Ways`] | how large packets may be, by destination |
//! | `engine` | [`Nat64`]: the two ways through the tables |
//! | `siit` | [`Siit`]: no tables at all, explicit address mappings (RFC 7757) |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bib;
mod clients;
mod config;
mod endpoint;
mod engine;
mod fit;
mod fragments;
mod held;
mod icmp_error;
mod identification;
mod keyed;
mod output;
mod pool;
mod scope;
mod session;
mod shard;
mod share;
mod siit;
mod slab;
mod table;
pub mod tcp;
pub mod translate;
mod ways;
mod wheel;

pub use config::{Config, Filtering, PoolEntry, StaticBinding, Timeouts, ZeroChecksum};
pub use endpoint::{Inside, Outside, Peer, Proto};
pub use engine::{BibView, Explanation, Gauges, Nat64, SessionView, Slice, Use, Verdict, Wanted};
pub use pool::{Level, PoolAlarm, PoolView, PortEvent};
pub use shard::{Instruction, Owner, Shard, ShardMap, Step};
pub use share::Share;
pub use siit::{Addresses, By, Eam, EamTable, Hairpinning, Siit, SiitConfig};
pub use ways::Ways;
