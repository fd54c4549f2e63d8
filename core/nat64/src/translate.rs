//! Stateless IP/ICMP translation (RFC 7915): what stands where, and what it becomes in the other family.
//!
//! Nothing here remembers a packet or decides which addresses it gets: the caller brings a [`Mapping4`] or a
//! [`Mapping6`]. Headers are rewritten in place in a [`sixgate_wire::Packet`]; checksums are corrected by what changed,
//! so that a packet that arrives damaged leaves exactly as damaged.

mod carried;
mod error;
mod icmp;
mod layout;
mod pieces;
mod quote;
mod to_v4;
mod to_v6;
mod transport;

use core::net::{Ipv4Addr, Ipv6Addr};

pub use carried::Carried;
pub use error::{LARGEST_V4_ERROR, LARGEST_V6_ERROR, error_to_v4, error_to_v6};
pub use icmp::{Links, Message4, Message6, message_to_v4, message_to_v6};
pub use layout::{Fault4, Fault6, Fragment4, Layout4, Layout6};
pub use pieces::{FRAGMENT_HEADERS, Piece, cut, cut_datagrams};
pub use quote::{Quote4, Quote6};
pub use to_v4::{V4Options, largest_v4, v6_to_v4};
pub use to_v6::{V6Options, largest_v6, v4_to_v6};
pub use transport::{ends4, ends6, fill_udp_checksum, finish_partial, prepare_udp_partial};

/// Packets up to this size are sent without "don't fragment" (RFC 7915, section 5.1).
pub const SMALLEST_DF: usize = 1260;

/// What stands in the IPv4 packet after translation. For ICMP queries both ports hold the identifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping4 {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
}

/// What stands in the IPv6 packet after translation. For ICMP queries both ports hold the identifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping6 {
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
}

/// Ports of a TCP segment or UDP datagram, or the identifier of an ICMP query twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ports {
    /// Source port.
    pub src: u16,
    /// Destination port.
    pub dst: u16,
}
