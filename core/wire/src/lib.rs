//! Packets as bytes: checked views, builders, checksums, a buffer with headroom, address formats.
//!
//! This crate knows formats, not state: nothing in it remembers a packet. Views are checked once, when they are made;
//! every accessor after that is infallible. Emitters write into a [`Packet`] that has headroom in front, so that each
//! layer puts its header before the payload and nobody moves bytes.
//!
//! | module | holds |
//! | --- | --- |
//! | [`packet`] | the buffer, its headroom, its offload metadata |
//! | [`ipv6`], [`ipv4`], [`tcp`], [`udp`], [`icmpv6`] | views and header builders |
//! | [`extension`] | the walk over IPv6 extension headers, bounded |
//! | [`checksum`] | the Internet checksum, full and incremental |
//! | [`flow`] | who talks to whom: the five values that name a flow |
//! | [`ecn`] | congestion marks through a tunnel (RFC 6040) |
//! | [`path_error`] | ICMPv4 errors about protocol 41 |
//! | [`refusal`] | ICMPv6 errors that quote a packet |
//! | [`nd`] | neighbour discovery: RS, RA with its options, NS, NA |
//! | [`offload`] | super-packets: cutting them for a link, merging them from one |
//! | [`lease`] | what a client or an ISATAP host is given |
//! | [`addr`] | prefixes, RFC 6052 addresses, ISATAP identifiers |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod addr;
pub mod checksum;
pub mod ecn;
pub mod extension;
pub mod flow;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod lease;
pub mod nd;
pub mod offload;
pub mod packet;
pub mod path_error;
pub mod refusal;
pub mod tcp;
pub mod udp;

pub use packet::{Offload, Packet, Segmentation};

/// IP protocol numbers and IPv6 next-header values that sixgate looks at.
pub mod protocol {
    /// IPv6 hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6 in IPv4, the ISATAP and 6to4 encapsulation.
    pub const IPV6: u8 = 41;
    /// IPv6 routing header.
    pub const ROUTING: u8 = 43;
    /// IPv6 fragment header.
    pub const FRAGMENT: u8 = 44;
    /// Encapsulating security payload.
    pub const ESP: u8 = 50;
    /// Authentication header.
    pub const AH: u8 = 51;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// No next header.
    pub const NONE: u8 = 59;
    /// IPv6 destination options.
    pub const DESTINATION: u8 = 60;
}

/// Bytes that are not what a view wanted: which header, and nothing else, since a peer chose them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// IPv6 header missing, short, or of another version.
    Ipv6,
    /// IPv4 header missing, short, or of another version.
    Ipv4,
    /// Extension header cut short, or more of them than we follow.
    Extension,
    /// TCP, UDP or ICMP header cut short or inconsistent.
    Transport,
}

impl Malformed {
    /// The registry's reason for this fault.
    #[must_use]
    pub const fn reason(self) -> sixgate_reason::Reason {
        match self {
            Self::Ipv6 => sixgate_reason::MALFORMED_IPV6,
            Self::Ipv4 => sixgate_reason::MALFORMED_IPV4,
            Self::Extension => sixgate_reason::MALFORMED_EXTENSION,
            Self::Transport => sixgate_reason::MALFORMED_TRANSPORT,
        }
    }
}

impl From<Malformed> for sixgate_reason::Reason {
    fn from(fault: Malformed) -> Self {
        fault.reason()
    }
}

/// Two octets at `at`, network byte order. The caller has checked the length.
fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Four octets at `at`, network byte order. The caller has checked the length.
fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
