//! The host's addresses and routes on the device, where `ip` shows them and programs find them.

use std::net::Ipv6Addr;

use sixgate_io_host::{Address, HostError, Netlink, Route};
use sixgate_isatap::HostEvent;
use sixgate_wire::addr::Ipv6Prefix;

/// What hangs on the device.
pub(crate) struct Kernel {
    netlink: Netlink,
    device: u32,
    addresses: Vec<Address>,
    routes: Vec<Route>,
}

impl Kernel {
    pub(crate) const fn new(netlink: Netlink, device: u32) -> Self {
        Self { netlink, device, addresses: Vec::new(), routes: Vec::new() }
    }

    pub(crate) const fn netlink(&mut self) -> &mut Netlink {
        &mut self.netlink
    }

    /// Takes everything off the device and gives it this link-local address.
    pub(crate) fn begin(&mut self, link_local: Ipv6Addr) -> Result<(), HostError> {
        self.clear()?;
        self.address(link_local, 64, true)
    }

    /// Takes everything off the device.
    pub(crate) fn clear(&mut self) -> Result<(), HostError> {
        for route in std::mem::take(&mut self.routes) {
            self.netlink.remove_route(&route)?;
        }
        for address in std::mem::take(&mut self.addresses) {
            self.netlink.remove_address(&address)?;
        }
        Ok(())
    }

    /// Does what an event says.
    pub(crate) fn apply(&mut self, event: &HostEvent) -> Result<(), HostError> {
        match *event {
            HostEvent::AddressAdded { address, prefix, preferred } => {
                self.address(address, prefix.length(), preferred)
            }
            HostEvent::AddressRemoved { address, .. } => self.remove_address(address),
            HostEvent::RouteAdded { prefix, next_hop, .. } => self.route(prefix, next_hop),
            HostEvent::RouteRemoved { prefix, .. } => self.remove_route(prefix),
            HostEvent::MtuChanged { mtu } => self.netlink.set_link_mtu(self.device, mtu),
            HostEvent::RouterChanged { .. } => Ok(()),
        }
    }

    /// The routes, as a person reads them.
    pub(crate) fn routes(&self) -> Vec<String> {
        let text = |route: &Route| match route.gateway {
            Some(gateway) => format!("{} via {gateway}", route.destination),
            None => route.destination.to_string(),
        };
        self.routes.iter().map(text).collect()
    }

    /// The kernel's own route for the prefix leads here too: what of it can be reached, the core knows, and it refuses
    /// the rest at once.
    fn address(&mut self, address: Ipv6Addr, length: u8, preferred: bool) -> Result<(), HostError> {
        let added = Address {
            prefix_route: true,
            preferred: (!preferred).then_some(0),
            ..Address::plain(self.device, address, length)
        };
        self.netlink.replace_address(&added)?;
        self.addresses.retain(|a| a.address != added.address);
        self.addresses.push(added);
        Ok(())
    }

    fn remove_address(&mut self, address: Ipv6Addr) -> Result<(), HostError> {
        match self.addresses.iter().position(|a| a.address == address) {
            Some(at) => self.netlink.remove_address(&self.addresses.remove(at)).map(drop),
            None => Ok(()),
        }
    }

    fn route(&mut self, prefix: Ipv6Prefix, next_hop: Ipv6Addr) -> Result<(), HostError> {
        let added = Route { onlink: true, ..Route::dev(prefix, self.device).via(next_hop) };
        // One that leads to another router is replaced in one step, so there is no moment without.
        self.netlink.replace_route(&added)?;
        self.routes.retain(|r| r.destination != added.destination);
        self.routes.push(added);
        Ok(())
    }

    fn remove_route(&mut self, prefix: Ipv6Prefix) -> Result<(), HostError> {
        match self.routes.iter().position(|r| r.destination == prefix.into()) {
            Some(at) => self.netlink.remove_route(&self.routes.remove(at)).map(drop),
            None => Ok(()),
        }
    }
}
