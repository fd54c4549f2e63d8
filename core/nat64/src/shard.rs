//! Several translators with one pool, each on a thread of its own: whose packet it is.
//!
//! Nothing is shared, so everything about a session must meet in one place. From the IPv6 side the client's address names
//! the translator; from the IPv4 side the outside port does, because each gives away ports of its own
//! [`crate::Share`] alone. An ICMP error goes where the packet belongs that it quotes. Later fragments of an IPv4
//! datagram name nobody: the [`Shard`] that is the datagram's home keeps what its first fragment said.
//!
//! ```text
//!  from the network -> arrived -> Mine ------------------------------> translate
//!                                 To(n) -> whoever has index n -> crossed -> Mine, rarely To(m)
//!                                 Waits, Drop
//!  out of Nat64::poll_hairpin -> arrived: the packet comes back to an address of the pool
//! ```
//!
//! After `arrived` and `crossed` comes [`Shard::poll_released`] until it is dry. A packet crosses at most twice, because a
//! shard that is handed a packet gives on fragments only, and those only from their home to their owner.

mod association;
mod map;
mod steering;

pub use association::Shard;
pub use map::{Owner, ShardMap};
pub use steering::Instruction;

use sixgate_reason::Reason;

/// What is to be done with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// This shard translates it.
    Mine,
    /// It is handed to the shard with this index.
    To(u16),
    /// It has been copied and comes out of [`Shard::poll_released`], or never.
    Waits,
    /// It ends here.
    Drop(Reason),
}
