//! What is left of a host that has ended: nothing, and that is looked for and not claimed.

use std::path::Path;

use sixgate_io_host::Netlink;
use sixgate_io_host::netlink::PROTOCOL;

use crate::Failure;
use crate::routers::CACHE;

/// What a host made on this machine and is still there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Left {
    /// Devices of the name.
    pub devices: usize,
    /// IPv6 addresses on them.
    pub addresses: usize,
    /// Our routes by way of them.
    pub routes: usize,
}

impl Left {
    /// True when there is none of it.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Looks what is there of the host with this device.
///
/// # Errors
/// What the system says, in one line.
pub fn left(device: &str) -> Result<Left, Failure> {
    let mut netlink = Netlink::new()?;
    let Some(link) = netlink.links()?.into_iter().find(|l| l.name == device) else {
        return Ok(Left::default());
    };
    let addresses = netlink.addresses(Some(link.index))?.iter().filter(|a| a.address.is_ipv6()).count();
    let ours = |r: &&sixgate_io_host::Route| r.link == Some(link.index) && r.protocol == PROTOCOL;
    let routes = netlink.routes()?.iter().filter(ours).count();
    Ok(Left { devices: 1, addresses, routes })
}

/// Forgets what names of routers meant. False when nothing was remembered.
///
/// # Errors
/// What the system says, in one line.
pub fn forget(state: &Path) -> Result<bool, Failure> {
    let cache = state.join(CACHE);
    match std::fs::remove_file(&cache) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Failure::new(format!("{} cannot be removed: {e}", cache.display()))),
    }
}
