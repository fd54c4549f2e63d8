//! Links as file descriptors: TUN devices, the raw socket of protocol 41, readiness, and buffers for what they carry.
//!
//! This crate moves packets and does not know them: no address is checked here, nothing is answered. Every call is
//! non-blocking except [`Poller::wait`], and none on the packet path allocates. A worker's loop has this shape:
//!
//! ```no_run
//! # use sixgate_io_link::{Interest, Poller, Tun, TunOptions, Waker};
//! # use sixgate_wire::Packet;
//! # fn worker() -> Result<(), Box<dyn std::error::Error>> {
//! let mut tun = Tun::open("sixgate0", &TunOptions::default())?;
//! let waker = Waker::new()?;
//! let mut poller = Poller::new(64)?;
//! poller.add(&tun, 0, Interest::READ)?;
//! poller.add(&waker, 1, Interest::READ)?;
//! let mut packet = Packet::new();
//! loop {
//!     for event in poller.wait(None)? {
//!         match event.token {
//!             // A bounded number of packets, so that one busy link does not starve the others.
//!             0 => {
//!                 for _ in 0..64 {
//!                     if !tun.receive(&mut packet)? {
//!                         break;
//!                     }
//!                     tun.send(&packet)?;
//!                 }
//!             }
//!             _ => waker.drain(),
//!         }
//!     }
//! }
//! # }
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`tun`] | TUN devices with segmentation offload, one handle a queue |
//! | [`proto41`] | the raw socket that IPv6 in IPv4 goes through, in batches |
//! | [`path_errors`] | what the IPv4 network says of what we sent in protocol 41 |
//! | [`own4`] | IPv4 errors of the machine's own |
//! | [`segment`] | router solicitations of an Ethernet segment, and packets to all of its nodes |
//! | [`ear`] | protocol 41 that goes by, heard without taking part |
//! | [`poll`] | [`Poller`] (epoll) and [`Waker`] (eventfd) |
//! | [`pool`] | buffers that are used again |
//! | [`ring`] | packets from one worker to another |
//! | [`clock`] | the monotonic clock that the cores are given |
//! | [`sleep`] | that the machine slept, which that clock does not count |
//! | [`error`] | what a person is told when a link cannot be opened |

pub mod clock;
pub mod ear;
pub mod error;
mod mmsg;
pub mod own4;
pub mod path_errors;
pub mod poll;
pub mod pool;
pub mod proto41;
pub mod ring;
pub mod segment;
pub mod sleep;
mod sockopt;
pub mod tun;

pub use ear::{Ear, Overheard};
pub use error::SetupError;
pub use own4::Own4;
pub use path_errors::{PathErrors, Reported};
pub use poll::{Event, Interest, Poller, Waker};
pub use pool::BufferPool;
pub use proto41::{Outer, Proto41};
pub use ring::{Incoming, Outgoing, ring};
pub use segment::Segment;
pub use sleep::SleepWatch;
pub use tun::{Steering, Tun, TunOptions};

#[cfg(test)]
mod testing;
