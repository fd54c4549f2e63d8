//! What the machine has: addresses, and which of them the file means.

use std::net::{IpAddr, Ipv4Addr};

use sixgate_config::Gateway;
use sixgate_config::isatap::Isatap;
use sixgate_io_host::Netlink;
use sixgate_wire::addr::Ipv4Prefix;

use crate::Failure;
use crate::seam::Addresses;

/// The IPv4 addresses of the machine, by link.
pub(crate) struct Machine {
    addresses: Vec<(u32, String, Ipv4Addr, u8)>,
    /// The first address of the inside interface.
    pub(crate) inside: Option<Ipv4Addr>,
    /// The address that the ISATAP router is at.
    pub(crate) isatap: Option<Ipv4Addr>,
}

impl Machine {
    /// Looks at the machine with the eyes of the file.
    pub(crate) fn look(netlink: &mut Netlink, config: &Gateway) -> Result<Self, Failure> {
        let mut machine = Self { addresses: ipv4_addresses(netlink)?, inside: None, isatap: None };
        if let Some(site) = &config.site {
            machine.inside = Some(machine.of_link(&site.inside, "gateway.inside")?);
        }
        if let Some(isatap) = &config.isatap {
            machine.isatap = Some(machine.isatap_address(isatap)?);
        }
        Ok(machine)
    }

    /// What the ISATAP router is told of it.
    pub(crate) fn addresses(&self) -> Addresses {
        Addresses { own: self.own().collect(), broadcasts: self.broadcasts(), near: self.near() }
    }

    fn isatap_address(&self, isatap: &Isatap) -> Result<Ipv4Addr, Failure> {
        match (isatap.address, &isatap.interface) {
            (Some(address), _) if self.own().any(|own| own == address) => Ok(address),
            (Some(address), _) => {
                Err(Failure::new(format!("isatap.address {address} is not an address of this machine")))
            }
            (None, Some(interface)) => self.of_link(interface, "isatap.interface"),
            (None, None) => self.inside.ok_or_else(|| {
                Failure::new(
                    "[isatap] names neither interface nor address, and there is no [gateway] with an inside",
                )
            }),
        }
    }

    fn of_link(&self, name: &str, key: &str) -> Result<Ipv4Addr, Failure> {
        let mut found = self.addresses.iter().filter(|(_, link, ..)| link == name).map(|(_, _, a, _)| *a);
        found.next().ok_or_else(|| {
            Failure::new(format!("{key} is {name}, but there is no such interface with an IPv4 address here"))
        })
    }

    /// All IPv4 addresses.
    pub(crate) fn own(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.addresses.iter().map(|(_, _, address, _)| *address)
    }

    /// All broadcast addresses.
    pub(crate) fn broadcasts(&self) -> Vec<Ipv4Addr> {
        let last =
            |p: Ipv4Prefix| Ipv4Addr::from_bits(p.address().to_bits() | !(u32::MAX << (32 - p.length())));
        self.addresses
            .iter()
            .filter(|(.., length)| (1..31).contains(length))
            .map(|(_, _, address, length)| last(Ipv4Prefix::containing(*address, *length)))
            .collect()
    }

    /// The IPv4 links, each with the addresses that are on it.
    pub(crate) fn near(&self) -> Vec<Ipv4Prefix> {
        self.addresses
            .iter()
            .map(|(_, _, address, length)| Ipv4Prefix::containing(*address, *length))
            .collect()
    }

    /// An address for the translator's own errors: the inside one, or the first that is not loopback.
    pub(crate) fn representative(&self) -> Option<Ipv4Addr> {
        self.inside.or_else(|| self.own().find(|a| !a.is_loopback()))
    }
}

/// The addresses that the machine has at this moment, whatever the file says.
pub(crate) fn addresses_now(netlink: &mut Netlink) -> Result<Addresses, Failure> {
    Ok(Machine { addresses: ipv4_addresses(netlink)?, inside: None, isatap: None }.addresses())
}

fn ipv4_addresses(netlink: &mut Netlink) -> Result<Vec<(u32, String, Ipv4Addr, u8)>, Failure> {
    let all = netlink.addresses(None)?;
    let mut found = Vec::new();
    for link in netlink.links()? {
        for of_link in all.iter().filter(|a| a.link == link.index) {
            if let IpAddr::V4(address) = of_link.address {
                found.push((link.index, link.name.clone(), address, of_link.length));
            }
        }
    }
    Ok(found)
}

/// A global IPv6 address of the machine, for ICMPv6 errors of a translator that works alone.
pub(crate) fn ipv6_representative(netlink: &mut Netlink) -> Result<Option<std::net::Ipv6Addr>, Failure> {
    let usable = |address: IpAddr| match address {
        IpAddr::V6(v6) if !v6.is_loopback() && !v6.is_unicast_link_local() && !v6.is_multicast() => Some(v6),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    };
    Ok(netlink.addresses(None)?.into_iter().find_map(|a| usable(a.address)))
}
