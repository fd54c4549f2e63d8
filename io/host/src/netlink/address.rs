//! Addresses of links.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope, CacheInfo,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::Netlink;
use crate::HostError;

/// An address of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    /// Index of the link.
    pub link: u32,
    /// The address itself.
    pub address: IpAddr,
    /// Length of the prefix that is on the link.
    pub length: u8,
    /// Whether the kernel makes a route for that prefix.
    pub prefix_route: bool,
    /// Whether the kernel looks for duplicates first (IPv6). Until it has, the address cannot be used.
    pub dad: bool,
    /// Seconds for which the address is preferred; `None` for ever.
    pub preferred: Option<u32>,
    /// Seconds after which the kernel removes it; `None` for never.
    pub valid: Option<u32>,
}

impl Address {
    /// An address for ever, without a search for duplicates and without a route for its prefix: what a device of ours gets.
    #[must_use]
    pub fn plain(link: u32, address: impl Into<IpAddr>, length: u8) -> Self {
        let address = address.into();
        Self { link, address, length, prefix_route: false, dad: false, preferred: None, valid: None }
    }
}

impl Netlink {
    /// The addresses of one link, or of all.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn addresses(&mut self, link: Option<u32>) -> Result<Vec<Address>, HostError> {
        let answers = self
            .dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))
            .map_err(|e| HostError::new("reading the addresses", e))?;
        Ok(answers.iter().filter_map(read).filter(|a| link.is_none_or(|l| l == a.link)).collect())
    }

    /// The IPv4 addresses of a link with their prefix lengths, primary ones first.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn ipv4_addresses(&mut self, link: u32) -> Result<Vec<(Ipv4Addr, u8)>, HostError> {
        let all = self.addresses(Some(link))?;
        let v4 = |a: &Address| match a.address {
            IpAddr::V4(address) => Some((address, a.length)),
            IpAddr::V6(_) => None,
        };
        Ok(all.iter().filter_map(v4).collect())
    }

    /// Adds an address.
    ///
    /// # Errors
    /// What the system says, in one line; for an address that is there already, `AlreadyExists`.
    pub fn add_address(&mut self, address: &Address) -> Result<(), HostError> {
        self.change(RouteNetlinkMessage::NewAddress(message(address)), NLM_F_CREATE | NLM_F_EXCL).map_err(
            |e| HostError::new(format!("adding the address {}/{}", address.address, address.length), e),
        )
    }

    /// Adds an address, or changes the lifetimes and flags of one that is there.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn replace_address(&mut self, address: &Address) -> Result<(), HostError> {
        self.change(RouteNetlinkMessage::NewAddress(message(address)), NLM_F_CREATE | NLM_F_REPLACE).map_err(
            |e| HostError::new(format!("setting the address {}/{}", address.address, address.length), e),
        )
    }

    /// Removes an address. False when it was not there.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn remove_address(&mut self, address: &Address) -> Result<bool, HostError> {
        let what = || format!("removing the address {}/{}", address.address, address.length);
        match self.change(RouteNetlinkMessage::DelAddress(message(address)), 0) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::ENODEV)) => {
                Ok(false)
            }
            Err(error) => Err(HostError::new(what(), error)),
        }
    }
}

fn message(address: &Address) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = address.link;
    message.header.prefix_len = address.length;
    message.header.scope = match address.address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => AddressScope::Link,
        IpAddr::V4(v4) if v4.is_loopback() => AddressScope::Host,
        IpAddr::V4(_) | IpAddr::V6(_) => AddressScope::Universe,
    };
    let mut flags = AddressFlags::empty();
    flags.set(AddressFlags::Noprefixroute, !address.prefix_route);
    match address.address {
        IpAddr::V4(_) => {
            message.header.family = AddressFamily::Inet;
            // IPv4 takes the address from here and the other end, which is the same on a broadcast link, from below.
            message.attributes.push(AddressAttribute::Local(address.address));
        }
        IpAddr::V6(_) => {
            message.header.family = AddressFamily::Inet6;
            flags.set(AddressFlags::Nodad, !address.dad);
        }
    }
    message.attributes.push(AddressAttribute::Address(address.address));
    message.attributes.push(AddressAttribute::Flags(flags));
    if address.preferred.is_some() || address.valid.is_some() {
        let mut times = CacheInfo::default();
        times.ifa_preferred = address.preferred.unwrap_or(FOR_EVER);
        times.ifa_valid = address.valid.unwrap_or(FOR_EVER);
        message.attributes.push(AddressAttribute::CacheInfo(times));
    }
    message
}

fn read(message: &RouteNetlinkMessage) -> Option<Address> {
    let RouteNetlinkMessage::NewAddress(message) = message else { return None };
    let mut flags = AddressFlags::from_bits_retain(u32::from(message.header.flags.bits()));
    let (mut local, mut other, mut times) = (None, None, (FOR_EVER, FOR_EVER));
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => other = Some(*address),
            AddressAttribute::Flags(all) => flags = *all,
            AddressAttribute::CacheInfo(info) => times = (info.ifa_preferred, info.ifa_valid),
            _ => {}
        }
    }
    let finite = |seconds: u32| (seconds != FOR_EVER).then_some(seconds);
    Some(Address {
        link: message.header.index,
        // On a point-to-point link the second attribute is the other end.
        address: local.or(other)?,
        length: message.header.prefix_len,
        prefix_route: !flags.contains(AddressFlags::Noprefixroute),
        dad: message.header.family == AddressFamily::Inet6
            && !message.header.flags.contains(AddressHeaderFlags::Nodad),
        preferred: finite(times.0),
        valid: finite(times.1),
    })
}

/// The kernel's spelling of a lifetime without an end.
const FOR_EVER: u32 = u32::MAX;
