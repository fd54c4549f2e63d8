//! Which interface leads to the routers, and which IPv4 addresses this machine has.

use std::net::{IpAddr, Ipv4Addr};

use sixgate_io_host::{HostError, Netlink};
use sixgate_isatap::HostConfig;

/// The IPv4 side of the link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Site {
    /// Name of the interface.
    pub(crate) interface: String,
    /// Our address there: the host's identifier.
    pub(crate) address: Ipv4Addr,
    /// Every IPv4 address of this machine.
    pub(crate) own: Vec<Ipv4Addr>,
    /// The broadcast addresses of its networks.
    pub(crate) broadcasts: Vec<Ipv4Addr>,
    /// Largest packet of the interface, in octets.
    pub(crate) mtu: u32,
    /// The interface is up and has a carrier.
    pub(crate) running: bool,
}

impl Site {
    /// Looks at the machine. `None` while the interface has no IPv4 address, or nothing says which interface it is.
    ///
    /// Without `interface` it is the one that leads to the first router. While no route does, as in the middle of a renewal of
    /// the machine's own address, it stays as it was `before`: connections must not end by that.
    pub(crate) fn look(
        netlink: &mut Netlink,
        interface: Option<&str>,
        routers: &[Ipv4Addr],
        before: Option<&Self>,
    ) -> Result<Option<Self>, HostError> {
        let links = netlink.links()?;
        let addresses = netlink.addresses(None)?;
        let path = match routers.first() {
            Some(router) => netlink.route_to(IpAddr::V4(*router))?,
            None => None,
        };
        let wanted = match interface {
            Some(name) => links.iter().find(|l| l.name == name),
            None => match path {
                Some(path) => links.iter().find(|l| l.index == path.link),
                None => before.and_then(|b| links.iter().find(|l| l.name == b.interface)),
            },
        };
        let Some(link) = wanted else { return Ok(None) };
        let here = addresses.iter().filter(|a| a.link == link.index).filter_map(|a| as_v4(a.address));
        // Of several addresses the one that the kernel would use towards the router, else the one that it was.
        let source = path.filter(|p| p.link == link.index).and_then(|p| as_v4(p.source?));
        let was = before.map(|b| b.address).filter(|was| here.clone().any(|a| a == *was));
        let Some(address) = source.or(was).or_else(|| here.clone().next()) else { return Ok(None) };
        Ok(Some(Self {
            interface: link.name.clone(),
            address,
            own: addresses.iter().filter_map(|a| as_v4(a.address)).collect(),
            broadcasts: addresses.iter().filter_map(|a| broadcast(as_v4(a.address)?, a.length)).collect(),
            mtu: link.mtu,
            running: link.running,
        }))
    }

    /// What the core is told.
    pub(crate) fn config(&self) -> HostConfig {
        HostConfig {
            address: self.address,
            own_addresses: self.own.clone(),
            broadcasts: self.broadcasts.clone(),
            ipv4_mtu: self.mtu,
        }
    }
}

fn as_v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    }
}

/// RFC 3021: a network of 31 bits has none.
fn broadcast(address: Ipv4Addr, length: u8) -> Option<Ipv4Addr> {
    (1..31).contains(&length).then(|| Ipv4Addr::from_bits(address.to_bits() | u32::MAX >> length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broadcast_address_is_the_last_of_its_network() {
        let address = Ipv4Addr::new(10, 6, 8, 20);
        assert_eq!(broadcast(address, 24), Some(Ipv4Addr::new(10, 6, 8, 255)));
        assert_eq!(broadcast(address, 30), Some(Ipv4Addr::new(10, 6, 8, 23)));
        assert_eq!(
            (broadcast(address, 31), broadcast(address, 32), broadcast(address, 0)),
            (None, None, None)
        );
    }
}
