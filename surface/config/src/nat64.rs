//! `[nat64]`: the stateful translator (RFC 6146).

use core::net::{Ipv4Addr, SocketAddrV4, SocketAddrV6};
use core::ops::RangeInclusive;
use core::time::Duration;
use std::path::{Path, PathBuf};

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, Prefix64};

use crate::gateway::Named;
use crate::reader::{At, Complaint, Node, Table};
use crate::report::{Report, Rule};
use crate::values;

mod bindings;
mod blocks;
mod limits;
mod pool;

pub use limits::Limits;

/// The whole section, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nat64 {
    /// Name of the TUN device.
    pub device: String,
    /// At least one.
    pub prefixes: Vec<Prefix64>,
    /// At least one.
    pub pool: Vec<PoolEntry>,
    /// Static bindings.
    pub statics: Vec<Static>,
    /// Who may send to an open binding.
    pub filtering: Filtering,
    /// Echo requests from IPv4 pass to bindings.
    pub inbound_icmp_echo: bool,
    /// RFC 7915, section 4.
    pub lowest_ipv6_mtu: u16,
    /// What becomes of UDP over IPv4 without a checksum.
    pub udp_zero_checksum: ZeroChecksum,
    /// Lifts RFC 6052, section 3.1 for 64:ff9b::/96.
    pub well_known_non_global: bool,
    /// RFC 6791: sources of ICMPv4 errors whose own source cannot be translated.
    pub source4: Option<Ipv4Prefix>,
    /// The same for ICMPv6 errors.
    pub source6: Option<Ipv6Prefix>,
    /// Zero instead of the traffic class or TOS that came.
    pub reset_traffic_class: bool,
    /// Sessions in all.
    pub max_sessions: u32,
    /// What one client may have.
    pub limits: Limits,
    /// Ports of the blocks that clients get; `None` = each port alone.
    pub port_block_size: Option<u16>,
    /// The file that says who had which ports.
    pub port_log: Option<PathBuf>,
    /// Lifetimes of idle sessions.
    pub timeouts: Timeouts,
    /// Threads that translate; `None` = what the machine and the pool are good for.
    pub workers: Option<u16>,
}

/// One element of the pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolEntry {
    /// `None` = all three.
    pub protocol: Option<Protocol>,
    /// Which addresses.
    pub addresses: PoolAddresses,
    /// Which ports or ICMP identifiers, from 1.
    pub ports: RangeInclusive<u16>,
    /// The file named ports; on one of the gateway's own addresses it must.
    pub ports_named: bool,
}

/// Addresses of a pool entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PoolAddresses {
    /// As the file says.
    Prefix(Ipv4Prefix),
    /// The IPv4 address of the inside interface, known when the gateway runs.
    Inside,
}

/// What NAT64 translates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP echo, by identifier.
    Icmp,
}

/// A static binding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Static {
    /// Of which protocol; ports are identifiers for ICMP.
    pub protocol: Protocol,
    /// The IPv4 side.
    pub outside: SocketAddrV4,
    /// The IPv6 side.
    pub inside: SocketAddrV6,
}

/// Who may send to an open binding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filtering {
    /// Anybody.
    EndpointIndependent,
    /// Addresses that the client has sent to.
    AddressDependent,
}

/// What becomes of UDP over IPv4 without a checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ZeroChecksum {
    /// The checksum is computed.
    Compute,
    /// The packet is dropped.
    Drop,
}

/// Lifetimes of idle sessions (RFC 6146, section 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// UDP.
    pub udp: Duration,
    /// TCP, established.
    pub tcp_established: Duration,
    /// TCP, opening or closing.
    pub tcp_transitory: Duration,
    /// ICMP queries.
    pub icmp: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            udp: Duration::from_secs(300),
            tcp_established: Duration::from_secs(7440),
            tcp_transitory: Duration::from_secs(240),
            icmp: Duration::from_secs(60),
        }
    }
}

impl Nat64 {
    /// What `[gateway]` alone means.
    pub(crate) fn derived(prefix: Prefix64) -> Self {
        Self {
            device: DEVICE.to_owned(),
            prefixes: vec![prefix],
            pool: vec![PoolEntry::inside()],
            statics: Vec::new(),
            filtering: Filtering::AddressDependent,
            inbound_icmp_echo: true,
            lowest_ipv6_mtu: 1280,
            udp_zero_checksum: ZeroChecksum::Compute,
            well_known_non_global: false,
            source4: None,
            source6: None,
            reset_traffic_class: false,
            max_sessions: MAX_SESSIONS,
            limits: Limits::default(),
            port_block_size: None,
            port_log: None,
            timeouts: Timeouts::default(),
            workers: None,
        }
    }
}

impl PoolEntry {
    /// `INSIDE-ADDRESS:10000-29999`: below the kernel's own ephemeral ports (32768 and up).
    fn inside() -> Self {
        Self { protocol: None, addresses: PoolAddresses::Inside, ports: 10_000..=29_999, ports_named: true }
    }
}

/// Name of the device when the file does not say.
pub(crate) const DEVICE: &str = "nat64";
const MAX_SESSIONS: u32 = 262_144;
/// More threads than any machine of today has use for.
const MOST_WORKERS: u64 = 64;

/// The section with the places that checks between sections need.
pub(crate) struct Read {
    pub(crate) value: Nat64,
    pub(crate) prefixes: Vec<At<Prefix64>>,
    pub(crate) device: Named,
}

/// Reads the section; `derived` is the prefix that `[gateway]` gives, `base` the folder of the file.
pub(crate) fn read(
    node: &Node<'_>,
    derived: Option<Prefix64>,
    has_gateway: bool,
    base: &Path,
    report: &mut Report,
) -> Option<Read> {
    let mut table = node.table(report)?;
    let prefixes = read_prefixes(&mut table, derived.is_some() || has_gateway, report);
    let pool = pool::read(&mut table, has_gateway, report);
    let statics = bindings::read(&mut table, &pool, &prefixes, report);
    let device = table.take("device").and_then(|n| Some(n.at(n.parse(values::device, report)?)));
    let device = Named::or_default(device, DEVICE, &table);
    let mut value = Nat64::derived(derived.unwrap_or_else(well_known));
    if !prefixes.is_empty() {
        value.prefixes = prefixes.iter().map(|p| p.value).collect();
    }
    if !pool.is_empty() {
        value.pool = pool.into_iter().map(|e| e.value).collect();
    }
    value.statics = statics;
    value.device.clone_from(&device.at.value);
    if !has_gateway {
        value.filtering = Filtering::EndpointIndependent;
    }
    options(&mut table, &mut value, report);
    (value.port_block_size, value.port_log) = blocks::read(&mut table, &value.pool, base, report);
    if let Some(timeouts) = table.take("timeouts") {
        value.timeouts = read_timeouts(&timeouts, report).unwrap_or_default();
    }
    table.finish(report);
    warn_of_well_known(&prefixes, value.well_known_non_global, has_gateway, report);
    Some(Read { value, prefixes, device })
}

/// RFC 6052, section 3.1: the well-known prefix must not stand for private addresses, which an intranet has.
fn warn_of_well_known(prefixes: &[At<Prefix64>], lifted: bool, has_gateway: bool, report: &mut Report) {
    for prefix in prefixes.iter().filter(|p| has_gateway && !lifted && p.value.is_well_known()) {
        prefix.warn(
            Rule::PrefixUse,
            "the well-known prefix does not carry private IPv4 addresses",
            "an intranet needs a prefix of its own, or `well-known-non-global = true`",
            report,
        );
    }
}

fn options(table: &mut Table<'_>, value: &mut Nat64, report: &mut Report) {
    if let Some(node) = table.take("filtering") {
        let words = [
            ("endpoint-independent", Filtering::EndpointIndependent),
            ("address-dependent", Filtering::AddressDependent),
        ];
        value.filtering = node.choice(&words, report).unwrap_or(value.filtering);
    }
    let slots = Slots {
        lowest_ipv6_mtu: &mut value.lowest_ipv6_mtu,
        udp_zero_checksum: &mut value.udp_zero_checksum,
        well_known_non_global: &mut value.well_known_non_global,
        reset_traffic_class: &mut value.reset_traffic_class,
        source4: &mut value.source4,
        source6: &mut value.source6,
    };
    slots.fill(table, report);
    if let Some(given) = table.take("inbound-icmp-echo").and_then(|n| n.boolean(report)) {
        value.inbound_icmp_echo = given;
    }
    if let Some(n) = table.take("max-sessions").and_then(|n| n.number(1, 16_777_216, report)) {
        value.max_sessions = u32::try_from(n).unwrap_or(u32::MAX);
    }
    value.limits = limits::read(table, report);
    value.workers = read_workers(table, report);
}

/// What every translator may be told, the stateless one too.
pub(crate) struct Slots<'a> {
    pub(crate) lowest_ipv6_mtu: &'a mut u16,
    pub(crate) udp_zero_checksum: &'a mut ZeroChecksum,
    pub(crate) well_known_non_global: &'a mut bool,
    pub(crate) reset_traffic_class: &'a mut bool,
    pub(crate) source4: &'a mut Option<Ipv4Prefix>,
    pub(crate) source6: &'a mut Option<Ipv6Prefix>,
}

impl Slots<'_> {
    /// Reads what the table says; the rest keeps its default.
    pub(crate) fn fill(self, table: &mut Table<'_>, report: &mut Report) {
        if let Some(node) = table.take("udp-zero-checksum") {
            let words = [("compute", ZeroChecksum::Compute), ("drop", ZeroChecksum::Drop)];
            *self.udp_zero_checksum = node.choice(&words, report).unwrap_or(*self.udp_zero_checksum);
        }
        for (key, slot) in [
            ("well-known-non-global", self.well_known_non_global),
            ("reset-traffic-class", self.reset_traffic_class),
        ] {
            if let Some(given) = table.take(key).and_then(|n| n.boolean(report)) {
                *slot = given;
            }
        }
        if let Some(mtu) = table.take("lowest-ipv6-mtu").and_then(|n| n.number(1280, 65_535, report)) {
            *self.lowest_ipv6_mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
        }
        *self.source4 = table.take("source4").and_then(|n| n.parse(source4, report));
        *self.source6 = table.take("source6").and_then(|n| n.parse(values::ipv6_address_or_prefix, report));
    }
}

/// `prefix` or `prefixes`. Neither is a fault unless there is something else in its place.
pub(crate) fn read_prefixes(
    table: &mut Table<'_>,
    derivable: bool,
    report: &mut Report,
) -> Vec<At<Prefix64>> {
    let one = table.take("prefix");
    let many = table.take("prefixes");
    if let (Some(_), Some(many)) = (&one, &many) {
        many.fault(Rule::Conflict, "`prefix` and `prefixes` are both there", "write one of the two", report);
    }
    let mut found = Vec::new();
    if let Some(one) = &one {
        found.extend(one.parse(values::prefix64, report).map(|p| one.at(p)));
    }
    if let Some(many) = &many {
        found.extend(many.list_of_some(values::prefix64, report));
    }
    if one.is_none() && many.is_none() && !derivable {
        table.missing("prefix", "\"2001:db8:64::/96\"", report);
    }
    found
}

/// Threads that translate.
pub(crate) fn read_workers(table: &mut Table<'_>, report: &mut Report) -> Option<u16> {
    let workers = table.take("workers").and_then(|n| n.number(1, MOST_WORKERS, report));
    workers.and_then(|n| u16::try_from(n).ok())
}

fn read_timeouts(node: &Node<'_>, report: &mut Report) -> Option<Timeouts> {
    let mut table = node.table(report)?;
    let short = table.take("danger-allow-short").and_then(|n| n.boolean(report)).unwrap_or(false);
    let mut timeouts = Timeouts::default();
    // RFC 6146, section 4 (UDP: RFC 4787, REQ-5; TCP: RFC 5382, REQ-5; ICMP: RFC 5508, REQ-1).
    for (key, floor, slot) in [
        ("udp", 120, &mut timeouts.udp),
        ("tcp-established", 7440, &mut timeouts.tcp_established),
        ("tcp-transitory", 240, &mut timeouts.tcp_transitory),
        ("icmp", 60, &mut timeouts.icmp),
    ] {
        let Some(node) = table.take(key) else { continue };
        let Some(seconds) = node.number(1, 31_536_000, report) else { continue };
        if seconds < floor && !short {
            node.fault(
                Rule::Timeout,
                format!("timeout `{key}` is below the floor of its RFC"),
                format!("allowed: {floor} seconds or more, or `danger-allow-short = true` in this table"),
                report,
            );
        }
        *slot = Duration::from_secs(seconds);
    }
    table.finish(report);
    Some(timeouts)
}

fn source4(text: &str) -> Result<Ipv4Prefix, Complaint> {
    let prefix = values::ipv4_address_or_prefix(text)?;
    if unusable(prefix.address()) {
        return Err(Complaint::new(
            Rule::PrefixUse,
            format!("`{text}` cannot be a source"),
            "not allowed: 0.0.0.0/8, loopback, link-local, multicast and above",
        ));
    }
    Ok(prefix)
}

/// 64:ff9b::/96 (RFC 6052, section 2.1).
pub(crate) fn well_known() -> Prefix64 {
    Prefix64::new(Ipv6Prefix::containing(Prefix64::WELL_KNOWN_ADDRESS, 96))
        .expect("RFC 6052 allows a /96 with octet 8 zero")
}

/// True for addresses that cannot be an outside address of a translator.
pub(crate) fn unusable(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first == 0 || first >= 224 || address.is_loopback() || address.is_link_local()
}
