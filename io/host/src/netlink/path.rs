//! The way to a destination, as the kernel would go.

use std::net::IpAddr;

use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Netlink, route};
use crate::HostError;

/// How the kernel would send to a destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path {
    /// Index of the link.
    pub link: u32,
    /// The next hop; `None` when the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The source address that a socket would get.
    pub source: Option<IpAddr>,
    /// Largest packet in octets: that of the route or of the path as far as the kernel has learnt it, else of the link.
    pub mtu: u32,
    /// The destination is an address of this host.
    pub local: bool,
}

impl Netlink {
    /// The way to `destination`; `None` when there is none.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn route_to(&mut self, destination: IpAddr) -> Result<Option<Path>, HostError> {
        let what = || format!("looking up the way to {destination}");
        let mut message = RouteMessage::default();
        (message.header.address_family, message.header.destination_prefix_length) = match destination {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        message.attributes.push(RouteAttribute::Destination(destination.into()));
        let answers = match self.ask(RouteNetlinkMessage::GetRoute(message)) {
            Ok(answers) => answers,
            Err(error) if is_no_way(&error) => return Ok(None),
            Err(error) => return Err(HostError::new(what(), error)),
        };
        let Some((mut path, mtu)) = answers.iter().find_map(read) else { return Ok(None) };
        let link = self.link_by_index(path.link)?;
        path.mtu = mtu.map_or(link.mtu, |m| m.min(link.mtu));
        Ok(Some(path))
    }
}

/// "No way" has a number for each kind of route that refuses.
fn is_no_way(error: &std::io::Error) -> bool {
    let codes = [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EACCES, libc::EINVAL, libc::ESRCH];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

fn read(message: &RouteNetlinkMessage) -> Option<(Path, Option<u32>)> {
    let RouteNetlinkMessage::NewRoute(message) = message else { return None };
    let mut path =
        Path { link: 0, gateway: None, source: None, mtu: 0, local: message.header.kind == RouteType::Local };
    if !path.local && message.header.kind != RouteType::Unicast {
        return None;
    }
    let mut mtu = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => path.link = *index,
            RouteAttribute::Gateway(address) => path.gateway = route::plain(address),
            RouteAttribute::PrefSource(address) => path.source = route::plain(address),
            RouteAttribute::Metrics(metrics) => mtu = route::mtu(metrics),
            _ => {}
        }
    }
    Some((path, mtu))
}
