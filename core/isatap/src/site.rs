//! Which IPv4 addresses are ours, and which can be another node's.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::addr::isatap;

/// The machine's own view of its IPv4 site.
#[derive(Clone, Debug, Default)]
pub(crate) struct Site {
    own: Vec<Ipv4Addr>,
    broadcasts: Vec<Ipv4Addr>,
}

impl Site {
    pub(crate) fn new(address: Ipv4Addr, own: &[Ipv4Addr], broadcasts: &[Ipv4Addr]) -> Self {
        let mut site = Self { own: own.to_vec(), broadcasts: broadcasts.to_vec() };
        if !site.own.contains(&address) {
            site.own.push(address);
        }
        site
    }

    /// True for an address of any interface of this machine.
    pub(crate) fn is_own(&self, v4: Ipv4Addr) -> bool {
        self.own.contains(&v4)
    }

    /// True for an address that one other node can have.
    ///
    /// RFC 4213, section 4 and RFC 5214, section 10: never our own, broadcast, multicast, loopback or unspecified, as
    /// outer source and as outer destination.
    pub(crate) fn is_other_node(&self, v4: Ipv4Addr) -> bool {
        let first = v4.octets()[0];
        first != 0 && first < 224 && !v4.is_loopback() && !self.broadcasts.contains(&v4) && !self.is_own(v4)
    }

    /// True for a 6to4 or Teredo address that leads back to this machine (RFC 6324, section 3.3): a second tunnel router
    /// here would take the packet, and the two would bounce it until the hop limit ends.
    pub(crate) fn leads_back(&self, address: Ipv6Addr) -> bool {
        let bits = address.to_bits();
        match address.segments() {
            [0x2002, ..] => self.is_own(Ipv4Addr::from_bits((bits >> 80) as u32)),
            // RFC 4380, section 4: the server, and the client's mapped address with every bit inverted.
            [0x2001, 0, ..] => {
                self.is_own(Ipv4Addr::from_bits((bits >> 64) as u32))
                    || self.is_own(Ipv4Addr::from_bits(!(bits as u32)))
            }
            _ => false,
        }
    }

    /// True for an ISATAP address of any prefix that embeds one of ours.
    pub(crate) fn is_embedded_in(&self, address: Ipv6Addr) -> bool {
        isatap::embedded(address).is_some_and(|(_, v4)| self.is_own(v4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_one_other_node_will_do() {
        let own = Ipv4Addr::new(10, 6, 0, 1);
        let broadcast = Ipv4Addr::new(10, 6, 0, 255);
        let site = Site::new(own, &[Ipv4Addr::new(203, 0, 113, 10)], &[broadcast]);
        assert!(site.is_other_node(Ipv4Addr::new(10, 6, 8, 20)));
        for bad in
            ["10.6.0.1", "203.0.113.10", "10.6.0.255", "255.255.255.255", "224.0.0.1", "127.0.0.1", "0.0.0.0"]
        {
            assert!(!site.is_other_node(bad.parse().unwrap()), "{bad}");
        }
    }

    #[test]
    fn tunnel_addresses_that_embed_ours_lead_back() {
        let site = Site::new(Ipv4Addr::new(203, 0, 113, 10), &[], &[]);
        // 203.0.113.10 is cb00:710a, inverted 34ff:8ef5.
        for back in ["2002:cb00:710a::1", "2001:0:cb00:710a:8000:1:2:3", "2001:0:c000:201:0:efff:34ff:8ef5"] {
            assert!(site.leads_back(back.parse().unwrap()), "{back}");
        }
        for other in
            ["2002:c000:201::1", "2001:0:c000:201:0:efff:1:2", "2001:1:cb00:710a::", "fd00::cb00:710a"]
        {
            assert!(!site.leads_back(other.parse().unwrap()), "{other}");
        }
    }
}
