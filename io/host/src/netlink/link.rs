//! Links: what is there, up or down, MTU.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

use super::Netlink;
use crate::HostError;

/// A network device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// The kernel's number of it, unique in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Largest packet in octets.
    pub mtu: u32,
    /// Set up by whoever administers it.
    pub up: bool,
    /// Up, and with a carrier.
    pub running: bool,
    /// The loopback device.
    pub loopback: bool,
}

impl Netlink {
    /// All links, in the order of their indices.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn links(&mut self) -> Result<Vec<Link>, HostError> {
        let answers = self
            .dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))
            .map_err(|e| HostError::new("reading the links", e))?;
        let mut links: Vec<_> = answers.iter().filter_map(read).collect();
        links.sort_by_key(|l| l.index);
        Ok(links)
    }

    /// The link called `name`.
    ///
    /// # Errors
    /// One line that says that there is none, and what else went wrong.
    pub fn link(&mut self, name: &str) -> Result<Link, HostError> {
        self.links()?.into_iter().find(|l| l.name == name).ok_or_else(|| {
            HostError::new(format!("device {name}"), std::io::Error::from_raw_os_error(libc::ENODEV))
        })
    }

    /// The link with this index.
    ///
    /// # Errors
    /// One line that says that there is none, and what else went wrong.
    pub fn link_by_index(&mut self, index: u32) -> Result<Link, HostError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        let what = || format!("device number {index}");
        let answers =
            self.ask(RouteNetlinkMessage::GetLink(message)).map_err(|e| HostError::new(what(), e))?;
        answers
            .iter()
            .find_map(read)
            .ok_or_else(|| HostError::new(what(), std::io::Error::from_raw_os_error(libc::ENODEV)))
    }

    /// Sets a link up or down.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn set_link_up(&mut self, index: u32, up: bool) -> Result<(), HostError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.change_mask = LinkFlags::Up;
        message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        let direction = if up { "up" } else { "down" };
        self.change(RouteNetlinkMessage::SetLink(message), 0)
            .map_err(|e| HostError::new(format!("setting device number {index} {direction}"), e))
    }

    /// Sets the MTU of a link, in octets.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn set_link_mtu(&mut self, index: u32, mtu: u32) -> Result<(), HostError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(LinkAttribute::Mtu(mtu));
        self.change(RouteNetlinkMessage::SetLink(message), 0)
            .map_err(|e| HostError::new(format!("setting MTU {mtu} of device number {index}"), e))
    }
}

fn read(message: &RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = message else { return None };
    let flags = message.header.flags;
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        mtu: 0,
        up: flags.contains(LinkFlags::Up),
        running: flags.contains(LinkFlags::Running),
        loopback: flags.contains(LinkFlags::Loopback),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            _ => {}
        }
    }
    Some(link)
}
