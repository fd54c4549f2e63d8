//! The translator's settings, from the file's words to the core's.

mod addressing;
mod evidence;
mod explain;
mod packet;
mod tables;
mod who;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use sixgate_config::nat64 as written;
use sixgate_nat64::{self as nat64, Config, Inside, Outside, Proto, Share};
use sixgate_wire::addr::Ipv4Prefix;

/// The settings of the core.
///
/// `inside` stands for the pool's symbolic address; `gateway4` and `gateway6` are the sources of the translator's own errors.
pub(crate) fn settings(
    file: &written::Nat64,
    inside: Option<Ipv4Addr>,
    gateway4: Ipv4Addr,
    gateway6: Ipv6Addr,
) -> Config {
    Config {
        prefixes: file.prefixes.clone(),
        pool: file.pool.iter().filter_map(|entry| pool_entry(entry, inside)).collect(),
        // A block is in one share.
        share: Share {
            unit: file.port_block_size.unwrap_or(0).max(Share::default().unit),
            ..Share::default()
        },
        port_block_size: file.port_block_size.unwrap_or(0),
        log_ports: file.port_log.is_some(),
        statics: file.statics.iter().map(static_binding).collect(),
        filtering: match file.filtering {
            written::Filtering::EndpointIndependent => nat64::Filtering::EndpointIndependent,
            written::Filtering::AddressDependent => nat64::Filtering::AddressDependent,
        },
        inbound_icmp_echo: file.inbound_icmp_echo,
        lowest_ipv6_mtu: file.lowest_ipv6_mtu,
        zero_checksum: zero_checksum(file.udp_zero_checksum),
        well_known_non_global: file.well_known_non_global,
        source4: file.source4,
        source6: file.source6,
        gateway4,
        gateway6,
        reset_traffic_class: file.reset_traffic_class,
        max_sessions: file.max_sessions as usize,
        client_prefix_length: file.limits.prefix_length,
        max_sessions_per_client: file.limits.sessions.unwrap_or(0),
        max_ports_per_client: file.limits.ports.unwrap_or(0),
        new_sessions_per_second_per_client: file.limits.new_sessions_per_second.unwrap_or(0),
        timeouts: nat64::Timeouts {
            udp: file.timeouts.udp,
            tcp_established: file.timeouts.tcp_established,
            tcp_transitory: file.timeouts.tcp_transitory,
            icmp: file.timeouts.icmp,
            ..nat64::Timeouts::default()
        },
        ..Config::default()
    }
}

/// What the core calls it.
pub(crate) const fn zero_checksum(written: written::ZeroChecksum) -> nat64::ZeroChecksum {
    match written {
        written::ZeroChecksum::Compute => nat64::ZeroChecksum::Compute,
        written::ZeroChecksum::Drop => nat64::ZeroChecksum::Drop,
    }
}

fn pool_entry(entry: &written::PoolEntry, inside: Option<Ipv4Addr>) -> Option<nat64::PoolEntry> {
    Some(nat64::PoolEntry {
        protocol: entry.protocol.map(protocol),
        addresses: addresses(entry, inside)?,
        ports: entry.ports.clone(),
    })
}

/// The addresses of an entry; `None` for the inside interface's when there is no such interface.
pub(crate) fn addresses(entry: &written::PoolEntry, inside: Option<Ipv4Addr>) -> Option<Ipv4Prefix> {
    match entry.addresses {
        written::PoolAddresses::Prefix(prefix) => Some(prefix),
        written::PoolAddresses::Inside => inside.map(|v4| Ipv4Prefix::containing(v4, 32)),
    }
}

fn static_binding(binding: &written::Static) -> nat64::StaticBinding {
    nat64::StaticBinding {
        protocol: protocol(binding.protocol),
        outside: Outside { address: *binding.outside.ip(), port: binding.outside.port() },
        inside: Inside { address: *binding.inside.ip(), port: binding.inside.port() },
    }
}

const fn protocol(written: written::Protocol) -> Proto {
    match written {
        written::Protocol::Tcp => Proto::Tcp,
        written::Protocol::Udp => Proto::Udp,
        written::Protocol::Icmp => Proto::Icmp,
    }
}

/// The core's transport address as the API writes it.
pub(crate) fn inside(at: Inside) -> SocketAddrV6 {
    SocketAddrV6::new(at.address, at.port, 0, 0)
}

/// The core's transport address as the API writes it.
pub(crate) fn outside(at: Outside) -> SocketAddrV4 {
    SocketAddrV4::new(at.address, at.port)
}
