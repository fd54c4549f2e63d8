//! The host's addresses and routes on the device, where `ip` shows them and programs find them.

use std::net::Ipv6Addr;

use sixgate_io_host::{Address, HostError, Netlink, Route, sysctl};
use sixgate_isatap::{HostEvent, Lifetimes};
use sixgate_time::Instant;
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::lease::Preference;

/// The link-local address of the device is there as long as the device is.
const FOR_EVER: Lifetimes = Lifetimes { preferred: Instant::NEVER, valid: Instant::NEVER };

/// What hangs on the device.
pub(crate) struct Kernel {
    netlink: Netlink,
    device: u32,
    name: String,
    addresses: Vec<Address>,
    routes: Vec<Route>,
}

impl Kernel {
    pub(crate) const fn new(netlink: Netlink, device: u32, name: String) -> Self {
        Self { netlink, device, name, addresses: Vec::new(), routes: Vec::new() }
    }

    pub(crate) const fn netlink(&mut self) -> &mut Netlink {
        &mut self.netlink
    }

    /// Takes everything off the device and gives it this link-local address.
    pub(crate) fn begin(&mut self, link_local: Ipv6Addr) -> Result<(), HostError> {
        self.clear()?;
        self.address(Instant::ZERO, link_local, 64, FOR_EVER)
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
    pub(crate) fn apply(&mut self, now: Instant, event: &HostEvent) -> Result<(), HostError> {
        match *event {
            HostEvent::AddressAdded { address, prefix, lifetimes }
            | HostEvent::AddressRenewed { address, prefix, lifetimes } => {
                self.address(now, address, prefix.length(), lifetimes)
            }
            HostEvent::AddressRemoved { address, .. } => self.remove_address(address),
            HostEvent::RouteAdded { prefix, next_hop, preference, source, .. } => {
                self.route(prefix, next_hop, preference, source)
            }
            HostEvent::RouteRemoved { prefix, .. } => self.remove_route(prefix),
            HostEvent::MtuChanged { mtu } => self.netlink.set_link_mtu(self.device, mtu),
            HostEvent::HopLimitChanged { hop_limit } => {
                let key = format!("net/ipv6/conf/{}/hop_limit", self.name);
                sysctl::set(&key, &hop_limit.to_string()).map(drop)
            }
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
    fn address(
        &mut self,
        now: Instant,
        address: Ipv6Addr,
        length: u8,
        lifetimes: Lifetimes,
    ) -> Result<(), HostError> {
        let added = Address {
            prefix_route: true,
            preferred: seconds(now, lifetimes.preferred),
            valid: seconds(now, lifetimes.valid),
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

    fn route(
        &mut self,
        prefix: Ipv6Prefix,
        next_hop: Ipv6Addr,
        preference: Preference,
        source: Option<Ipv6Addr>,
    ) -> Result<(), HostError> {
        let added = Route {
            onlink: true,
            metric: Some(metric(preference)),
            source: source.map(Into::into),
            ..Route::dev(prefix, self.device).via(next_hop)
        };
        // One that leads to another router is replaced in one step, so there is no moment without.
        self.netlink.replace_route(&added)?;
        let replaced = self.routes.iter().position(|r| r.destination == added.destination);
        let replaced = replaced.map(|at| self.routes.remove(at)).filter(|r| r.metric != added.metric);
        self.routes.push(added);
        // With another metric it stands beside the new one.
        replaced.map_or(Ok(()), |old| self.netlink.remove_route(&old).map(drop))
    }

    fn remove_route(&mut self, prefix: Ipv6Prefix) -> Result<(), HostError> {
        match self.routes.iter().position(|r| r.destination == prefix.into()) {
            Some(at) => self.netlink.remove_route(&self.routes.remove(at)).map(drop),
            None => Ok(()),
        }
    }
}

/// Behind whatever leads to the same place natively: the kernel gives such routes 1,024, NetworkManager less, and
/// systemd-networkd up to 2,048.
const fn metric(preference: Preference) -> u32 {
    match preference {
        Preference::High => 3072,
        Preference::Medium => 3328,
        Preference::Low => 3584,
    }
}

/// A lifetime as the kernel counts it, rounded up so that the end comes from us; `None` for ever.
fn seconds(now: Instant, end: Instant) -> Option<u32> {
    if end == Instant::NEVER {
        return None;
    }
    let left = end.since(now);
    let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    Some(u32::try_from(whole).unwrap_or(u32::MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sixgate_time::Duration;

    #[test]
    fn lifetimes_are_whole_seconds_that_end_no_sooner() {
        let now = Instant::from_secs(100);
        assert_eq!(seconds(now, now + Duration::from_millis(1500)), Some(2));
        assert_eq!(seconds(now, now + Duration::from_secs(2)), Some(2));
        assert_eq!(seconds(now, Instant::ZERO), Some(0));
        assert_eq!(seconds(now, Instant::NEVER), None);
        assert_eq!(seconds(now, Instant::from_secs(u64::from(u32::MAX) * 2)), Some(u32::MAX - 1));
    }

    #[test]
    fn a_better_preference_is_a_lower_metric_and_none_beats_a_native_route() {
        assert!(metric(Preference::High) < metric(Preference::Medium));
        assert!(metric(Preference::Medium) < metric(Preference::Low));
        assert!(metric(Preference::High) > 2048);
    }
}
