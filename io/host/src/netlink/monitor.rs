//! News of changes: a link came or went, an address or a route changed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::HostError;

/// Becomes readable when something of the network changes. What it was is for [`super::Netlink`] to say.
#[derive(Debug)]
pub struct Monitor(Socket);

impl Monitor {
    /// Watches links, addresses and routes of both families.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn new() -> Result<Self, HostError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            for group in [
                libc::RTNLGRP_LINK,
                libc::RTNLGRP_IPV4_IFADDR,
                libc::RTNLGRP_IPV4_ROUTE,
                libc::RTNLGRP_IPV6_IFADDR,
                libc::RTNLGRP_IPV6_ROUTE,
            ] {
                socket.add_membership(group)?;
            }
            socket.set_non_blocking(true)?;
            Ok::<_, io::Error>(socket)
        };
        open().map(Self).map_err(|e| HostError::new("cannot watch the network for changes", e))
    }

    /// Forgets the news that wait. True when there was any, also when so much that the kernel threw some away.
    pub fn drain(&self) -> bool {
        let mut any = false;
        let mut buffer = Vec::with_capacity(64);
        loop {
            buffer.clear();
            // Only that something came counts, so what does not fit is cut off.
            match self.0.recv(&mut buffer, libc::MSG_TRUNC) {
                Ok(_) => any = true,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => any = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return any,
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
