//! ISATAP (RFC 5214): IPv6 for single hosts of an intranet that is IPv4 only, in protocol 41.
//!
//! [`Router`] serves hosts that policy names and nobody else; [`Host`] is the other end. Both know packets and time, and
//! neither a socket nor a clock. What they are given and give is the **inner** IPv6 packet; the outer IPv4 header is the
//! kernel's business, and only its addresses are passed beside the packet.
//!
//! # Driving it
//! One call, then drain [`Router::poll_output`] (messages of neighbour discovery, each with its outer destination) and
//! `poll_event`; when nothing else happens, call `handle_timeout` at `next_timeout`:
//!
//! ```
//! use core::net::Ipv4Addr;
//! use sixgate_isatap::{Host, HostConfig};
//! use sixgate_time::{Duration, Instant};
//! use sixgate_wire::Packet;
//!
//! let config = HostConfig { address: Ipv4Addr::new(10, 6, 8, 20), ..HostConfig::default() };
//! let mut host = Host::new(config, [0; 32]);
//! let mut now = Instant::from_secs(1);
//! let mut out = Packet::new();
//! host.set_routers(now, &[Ipv4Addr::new(10, 6, 0, 1)]);
//! for _ in 0..3 {
//!     while let Some(destination) = host.poll_output(&mut out) {
//!         assert_eq!(destination, Ipv4Addr::new(10, 6, 0, 1)); // send `out` there in protocol 41
//!     }
//!     while let Some(event) = host.poll_event() {
//!         println!("{event:?}"); // addresses and routes for the kernel
//!     }
//!     now = host.next_timeout(); // sleep until then, or until a packet comes
//!     host.handle_timeout(now);
//! }
//! assert!(now >= Instant::from_secs(1) + Duration::from_secs(8));
//! ```
//!
//! # What holds on this link
//! - No multicast, no duplicate address detection, every solicitation unicast (RFC 5214, sections 6.3 and 8).
//! - An inner source is believed when it embeds the outer source and its prefix is on the link, or when the outer source
//!   is a router that we know (section 7.3).
//! - The two forms of an identifier differ in one bit, and peers disagree about when it is set. So a peer is taken at its
//!   word: both forms are accepted, the form that it used is answered, and the form that it never used is refused.
//! - Nothing is ever encapsulated to one of our own addresses, nor to an address that no host can have (RFC 6324).
//! - What cannot be delivered is refused with an ICMPv6 error at once, so that programs fall back to IPv4.
//!
//! | module | holds |
//! | --- | --- |
//! | [`router`] | who is served, the table of hosts, advertisements, withdrawal |
//! | [`listen`] | who asks which router, heard without taking part |
//! | [`retire`] | taking ISATAP away: phases, evidence, what the router is told |
//! | [`host`] | solicitation, what routers offer and until when, the choice of a router, reachability |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod host;
pub mod listen;
pub mod retire;
pub mod router;

mod keyed;
mod neighbour;
mod queue;
mod recent;
mod site;
mod verdict;

pub use host::{Host, HostConfig, HostEvent, Lifetimes, RouterState, RouterView};
pub use router::{
    AllowRule, Holding, HostState, HostView, RememberedHost, RetiringHost, Router, RouterConfig, RouterEvent,
    RouterOptions, Standing,
};
pub use verdict::{Inbound, Refused};
