//! `nat64 explain`

use core::net::{IpAddr, Ipv4Addr, SocketAddrV4, SocketAddrV6};

use serde::{Deserialize, Serialize};

use crate::Step;

/// A packet that nobody sends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nat64Question {
    /// All its octets from the IP header on, in hexadecimal.
    pub packet: String,
}

/// What would become of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Nat64Explanation {
    /// As it was read.
    pub packet: Nat64Packet,
    /// `out`, from IPv6 to IPv4; `in`, the other way.
    pub direction: String,
    /// What is decided, in order.
    pub steps: Vec<Step>,
    /// The prefix that the IPv6 destination is in.
    pub prefix: Option<String>,
    /// The IPv4 address that it embeds.
    pub embedded: Option<Ipv4Addr>,
    /// The destination is an address of the pool: the packet comes in again.
    pub hairpin: bool,
    /// In the order in which the packet meets them.
    pub bindings: Vec<ExplainedBinding>,
    /// The way that decides how large it may be: the destination and its MTU.
    pub way: Option<(IpAddr, u16)>,
    /// What becomes of it.
    pub verdict: Nat64Verdict,
    /// The code of the reason where it is dropped.
    pub reason: Option<String>,
    /// One line for a person.
    pub text: String,
    /// What leaves: one packet, or its pieces.
    pub result: Vec<Nat64Packet>,
    /// What its sender is told.
    pub errors: Vec<Nat64Packet>,
}

/// How it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nat64Verdict {
    /// It leaves, whole or in pieces.
    Translated,
    /// It is a fragment that waits for others.
    Waits,
    /// It ends here.
    Dropped,
}

/// A binding and its session, as they are and as they would be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExplainedBinding {
    /// `tcp`, `udp` or `icmp`.
    pub proto: String,
    /// The IPv6 end.
    pub inside: Option<SocketAddrV6>,
    /// The IPv4 end.
    pub outside: Option<SocketAddrV4>,
    /// The IPv4 host at the other side.
    pub peer: SocketAddrV4,
    /// `used`, `made` or `none`.
    pub binding: String,
    /// From the file.
    #[serde(rename = "static")]
    pub is_static: bool,
    /// The part of the pool that the outside end is of.
    pub pool: Option<String>,
    /// `used`, `made` or `none`.
    pub session: String,
    /// The session's state before.
    pub state: Option<String>,
    /// And after.
    pub next_state: Option<String>,
}

/// A packet, field by field.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Nat64Packet {
    /// Source.
    pub src: Option<IpAddr>,
    /// Destination.
    pub dst: Option<IpAddr>,
    /// `tcp`, `udp`, `icmp`, `icmpv6` or a number.
    pub proto: String,
    /// Port of the source, or the identifier of an ICMP query.
    pub src_port: Option<u16>,
    /// Port of the destination.
    pub dst_port: Option<u16>,
    /// Octets of the IP packet.
    pub length: usize,
    /// Hop limit or time to live.
    pub hop_limit: u8,
    /// Traffic class or type of service.
    pub traffic_class: u8,
    /// "Don't fragment"; of IPv4.
    pub dont_fragment: Option<bool>,
    /// Of a fragment: identification, offset, and whether more follow.
    pub fragment: Option<(u32, u16, bool)>,
    /// Of an ICMP message: type and code.
    pub icmp: Option<(u8, u8)>,
    /// Of a too-big error.
    pub mtu: Option<u32>,
    /// One line for a person.
    pub text: String,
    /// All its octets, in hexadecimal.
    pub hex: String,
}
