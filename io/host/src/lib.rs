//! The host's own settings: links, addresses, routes, rules, sysctls, nftables, the resolver file, and their undoing.
//!
//! This crate changes what it is told to change, in the network namespace of the calling thread, and knows nothing of why.
//! Whatever would outlive the daemon goes through the [`Journal`], which is on disk before the change is made:
//!
//! ```no_run
//! # use sixgate_io_host::{HostError, Journal};
//! # fn daemon() -> Result<(), HostError> {
//! // What a killed run left behind is undone here.
//! let (mut journal, undone) = Journal::open("/var/lib/sixgate/journal".as_ref())?;
//! for remark in undone.remarks { /* log it */ }
//! journal.sysctl("net/ipv6/conf/all/forwarding", "1")?;
//! // ... the daemon runs ...
//! for remark in journal.undo().remarks { /* log it */ }
//! # Ok(())
//! # }
//! ```
//!
//! What lives on a device of ours (a TUN) goes with the device and needs no journal.
//!
//! | module | holds |
//! | --- | --- |
//! | [`netlink`] | links, addresses, routes, rules, the way to a destination, news of changes |
//! | [`sysctl`] | reading and writing below `/proc/sys` |
//! | [`nft`] | rule sets through the `nft` program |
//! | [`resolver`] | replacing a resolver file, whatever kind of file it is |
//! | [`privilege`] | giving up the capabilities that are not needed |
//! | [`journal`] | every lasting change on disk first, and its undoing |

pub mod error;
pub mod journal;
pub mod netlink;
pub mod nft;
pub mod privilege;
pub mod resolver;
pub mod sysctl;

pub use error::HostError;
pub use journal::{ChangeId, Journal, Undone};
pub use netlink::{Address, Link, Monitor, Netlink, Path, Route, RouteKind, Rule};

#[cfg(test)]
mod testing;
