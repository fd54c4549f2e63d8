//! `pool`: `[proto/]address-or-prefix[:ports]`.

use core::net::Ipv4Addr;
use core::ops::RangeInclusive;

use sixgate_wire::addr::Ipv4Prefix;

use super::{PoolAddresses, PoolEntry, Protocol, unusable};
use crate::reader::{At, Complaint, Table};
use crate::report::{Report, Rule};
use crate::values;

/// Every address of a pool has tables of ports; this many are more than any machine's sessions need.
const SHORTEST: u8 = 16;

pub(super) fn read(table: &mut Table<'_>, derivable: bool, report: &mut Report) -> Vec<At<PoolEntry>> {
    let Some(node) = table.take("pool") else {
        if !derivable {
            table.missing("pool", "[\"192.0.2.2:1-3000\"]", report);
        }
        return Vec::new();
    };
    let entries = node.list_of_some(entry, report);
    for (i, later) in entries.iter().enumerate() {
        if let Some(earlier) = entries[..i].iter().find(|e| e.value.shares_with(&later.value)) {
            later.fault_beside(
                Rule::Overlap,
                "two pool entries share an address and port",
                "every port belongs to one entry",
                Some((earlier.span.clone(), "it is in this one already".to_owned())),
                report,
            );
        }
    }
    entries
}

fn entry(text: &str) -> Result<PoolEntry, Complaint> {
    // A prefix has a slash too: what stands before the first one is a protocol when it is not an address.
    let (protocol, rest) = match text.split_once('/') {
        Some((word, rest)) if word.parse::<Ipv4Addr>().is_err() && !word.contains('.') => {
            (Some(protocol(word)?), rest)
        }
        _ => (None, text),
    };
    if rest.matches(':').count() > 1 {
        return Err(Complaint::new(
            Rule::PoolEntry,
            format!("`{text}` is no pool entry"),
            "the pool is IPv4; allowed: [proto/]address-or-prefix[:ports]",
        ));
    }
    let (addresses, ports) = match rest.split_once(':') {
        Some((addresses, ports)) => (addresses, Some(values::ports(ports)?)),
        None => (rest, None),
    };
    let prefix = values::ipv4_address_or_prefix(addresses)?;
    if unusable(prefix.address()) || unusable(last(prefix)) {
        return Err(Complaint::new(
            Rule::PrefixUse,
            format!("`{addresses}` cannot be a pool"),
            "not allowed: 0.0.0.0/8, loopback, link-local, multicast and above",
        ));
    }
    if prefix.length() < SHORTEST {
        return Err(Complaint::new(
            Rule::PrefixLength,
            format!("`{addresses}` is too large for a pool"),
            format!("allowed: lengths {SHORTEST} to 32"),
        ));
    }
    Ok(PoolEntry {
        protocol,
        addresses: PoolAddresses::Prefix(prefix),
        ports_named: ports.is_some(),
        ports: ports.unwrap_or(1..=u16::MAX),
    })
}

pub(super) fn protocol(word: &str) -> Result<Protocol, Complaint> {
    match word {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        "icmp" => Ok(Protocol::Icmp),
        _ => Err(Complaint::new(
            Rule::Choice,
            format!("`{word}` is no protocol that NAT64 translates"),
            "allowed: tcp, udp, icmp",
        )),
    }
}

fn last(prefix: Ipv4Prefix) -> Ipv4Addr {
    let hosts = u32::MAX.checked_shr(u32::from(prefix.length())).unwrap_or(0);
    Ipv4Addr::from_bits(prefix.address().to_bits() | hosts)
}

impl PoolEntry {
    /// True when this address is in the entry for this protocol.
    #[must_use]
    pub fn has_address(&self, protocol: Protocol, address: Ipv4Addr) -> bool {
        self.protocol.is_none_or(|p| p == protocol)
            && match self.addresses {
                PoolAddresses::Prefix(prefix) => prefix.contains(address),
                PoolAddresses::Inside => false,
            }
    }

    fn shares_with(&self, other: &Self) -> bool {
        let protocols = match (self.protocol, other.protocol) {
            (Some(a), Some(b)) => a == b,
            (None, _) | (_, None) => true,
        };
        let addresses = match (self.addresses, other.addresses) {
            (PoolAddresses::Prefix(a), PoolAddresses::Prefix(b)) => a.overlaps(b),
            (PoolAddresses::Inside, _) | (_, PoolAddresses::Inside) => self.addresses == other.addresses,
        };
        protocols && addresses && share(&self.ports, &other.ports)
    }
}

fn share(a: &RangeInclusive<u16>, b: &RangeInclusive<u16>) -> bool {
    a.start() <= b.end() && b.start() <= a.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str) -> PoolEntry {
        entry(text).map_err(|c| format!("{}: {}", c.title, c.label)).unwrap()
    }

    #[test]
    fn every_form_of_an_entry_is_read() {
        let plain = good("192.0.2.2:1-3000");
        assert_eq!(plain.protocol, None);
        assert_eq!(plain.addresses, PoolAddresses::Prefix("192.0.2.2/32".parse().unwrap()));
        assert_eq!(plain.ports, 1..=3000);
        let prefix = good("198.51.100.0/28");
        assert_eq!(prefix.addresses, PoolAddresses::Prefix("198.51.100.0/28".parse().unwrap()));
        assert_eq!((prefix.ports.clone(), prefix.ports_named), (1..=65_535, false));
        let tcp = good("tcp/203.0.113.9:1024-65535");
        assert_eq!((tcp.protocol, tcp.ports), (Some(Protocol::Tcp), 1024..=65_535));
        let both = good("icmp/203.0.113.0/29:7");
        assert_eq!((both.protocol, both.ports), (Some(Protocol::Icmp), 7..=7));
    }

    #[test]
    fn entries_share_only_with_protocol_address_and_port_in_common() {
        let a = good("tcp/192.0.2.0/24:1-100");
        assert!(a.shares_with(&good("192.0.2.9:100")));
        assert!(!a.shares_with(&good("udp/192.0.2.9:100")));
        assert!(!a.shares_with(&good("192.0.2.9:101")));
        assert!(!a.shares_with(&good("192.0.3.9:100")));
    }
}
