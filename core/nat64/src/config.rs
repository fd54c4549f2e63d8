//! What an administrator decides.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;
use core::time::Duration;

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, Prefix64};

use crate::endpoint::{Inside, Outside, Proto};
use crate::share::Share;

/// Settings of a [`crate::Nat64`]. The values are taken as they are: ranges and floors are checked where they are read.
#[derive(Clone, Debug)]
pub struct Config {
    /// Prefixes that stand for IPv4; at most 255, the first that contains a destination is used.
    pub prefixes: Vec<Prefix64>,
    /// IPv4 transport addresses that we may use.
    pub pool: Vec<PoolEntry>,
    /// Which ports of it we give away; all of it is ours for what comes in.
    pub share: Share,
    /// Ports of the blocks that clients get: a power of two from 64 to 8,192 and at most [`Share::unit`]. Zero means that
    /// each port is given alone.
    pub port_block_size: u16,
    /// Whether it is told who gets which ports; see [`crate::Nat64::poll_port_event`].
    pub log_ports: bool,
    /// Bindings that are always there.
    pub statics: Vec<StaticBinding>,
    /// Who may use a binding from the IPv4 side.
    pub filtering: Filtering,
    /// Whether echo requests from the IPv4 side are let in where a binding admits them.
    pub inbound_icmp_echo: bool,
    /// Packets without "don't fragment" are cut to this on the IPv6 side (RFC 7915, section 4).
    pub lowest_ipv6_mtu: u16,
    /// IPv4 UDP datagrams without checksum.
    pub zero_checksum: ZeroChecksum,
    /// Lifts RFC 6052, section 3.1 for `64:ff9b::/96`: it may then stand for addresses that are not global.
    pub well_known_non_global: bool,
    /// Sources of ICMPv4 errors whose IPv6 source has no IPv4 address (RFC 6791); without it `gateway4`.
    pub source4: Option<Ipv4Prefix>,
    /// Sources of ICMPv6 errors whose IPv4 source may not stand in a prefix; without it `gateway6`.
    pub source6: Option<Ipv6Prefix>,
    /// Source of our own ICMPv4 errors.
    pub gateway4: Ipv4Addr,
    /// Source of our own ICMPv6 errors.
    pub gateway6: Ipv6Addr,
    /// Writes zero instead of copying traffic class and type of service.
    pub reset_traffic_class: bool,
    /// Most sessions in the table.
    pub max_sessions: usize,
    /// Bits of an IPv6 address that name a client; 128 means that each address is one.
    pub client_prefix_length: u8,
    /// Most sessions of one client; zero means no limit of its own.
    pub max_sessions_per_client: u32,
    /// Most outside ports of one client, of all protocols, static bindings apart; zero means no limit of its own.
    pub max_ports_per_client: u32,
    /// Sessions that one client may open a second, and at once; zero means any number.
    pub new_sessions_per_second_per_client: u32,
    /// Lifetimes.
    pub timeouts: Timeouts,
    /// ICMP errors that we send a second, for each family.
    pub errors_per_second: u32,
}

impl Config {
    /// The client that an address belongs to: the address as far as it names one.
    #[must_use]
    pub fn client(&self, address: Ipv6Addr) -> Ipv6Addr {
        let mask = u128::MAX.checked_shl(128 - u32::from(self.client_prefix_length.min(128))).unwrap_or(0);
        Ipv6Addr::from_bits(address.to_bits() & mask)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            prefixes: Vec::new(),
            pool: Vec::new(),
            share: Share::default(),
            port_block_size: 0,
            log_ports: false,
            statics: Vec::new(),
            filtering: Filtering::EndpointIndependent,
            inbound_icmp_echo: true,
            lowest_ipv6_mtu: 1280,
            zero_checksum: ZeroChecksum::Compute,
            well_known_non_global: false,
            source4: None,
            source6: None,
            gateway4: Ipv4Addr::UNSPECIFIED,
            gateway6: Ipv6Addr::UNSPECIFIED,
            reset_traffic_class: false,
            max_sessions: 262_144,
            client_prefix_length: 128,
            max_sessions_per_client: 0,
            max_ports_per_client: 0,
            new_sessions_per_second_per_client: 0,
            timeouts: Timeouts::default(),
            errors_per_second: 500,
        }
    }
}

/// Transport addresses of the pool: every port of the range on every address of the prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolEntry {
    /// For one protocol, or for all three.
    pub protocol: Option<Proto>,
    /// Addresses.
    pub addresses: Ipv4Prefix,
    /// Ports, and identifiers of ICMP queries.
    pub ports: RangeInclusive<u16>,
}

/// A binding that no packet has to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticBinding {
    /// Protocol.
    pub protocol: Proto,
    /// What the IPv4 side sees. The port need not be in the pool.
    pub outside: Outside,
    /// What it stands for.
    pub inside: Inside,
}

/// Who may use a binding from the IPv4 side (RFC 6146, section 3.5; RFC 4787, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtering {
    /// Anybody.
    EndpointIndependent,
    /// Addresses that the inside has talked to through this binding, whatever the port. Static bindings stay open:
    /// somebody wrote them down so that they are.
    AddressDependent,
}

/// What becomes of an IPv4 UDP datagram without checksum, which IPv6 does not know (RFC 7915, section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroChecksum {
    /// The checksum is computed; a fragmented datagram is refused.
    Compute,
    /// It is refused.
    Drop,
}

/// Lifetimes, counted from the last packet that refreshes (RFC 6146, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// UDP sessions; floor 120 s.
    pub udp: Duration,
    /// Established TCP connections; floor 7,440 s (RFC 5382).
    pub tcp_established: Duration,
    /// TCP connections that open, close or were reset; floor 240 s.
    pub tcp_transitory: Duration,
    /// How long a SYN from the IPv4 side waits for one from the IPv6 side; floor 6 s.
    pub tcp_incoming_syn: Duration,
    /// ICMP queries; floor 60 s.
    pub icmp: Duration,
    /// How long the fragments of a datagram may be apart; floor 2 s.
    pub fragment: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            udp: Duration::from_secs(300),
            tcp_established: Duration::from_secs(7440),
            tcp_transitory: Duration::from_secs(240),
            tcp_incoming_syn: Duration::from_secs(6),
            icmp: Duration::from_secs(60),
            fragment: Duration::from_secs(2),
        }
    }
}
