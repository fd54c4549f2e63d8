//! Whole IPv4 packets from an address of this machine, as if its kernel had made them.
//!
//! Out of a TUN device they would come from somewhere else: a kernel that looks at reverse paths strictly (RFC 3704, section 2.2)
//! would take them for forged.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, Protocol, RawProtocol, SendFlags, SocketFlags, SocketType, sendto, socket_with,
};

use crate::{SetupError, sockopt};

/// A raw socket that packets with their headers go out by.
#[derive(Debug)]
pub struct Own4(OwnedFd);

impl Own4 {
    /// Opens it.
    ///
    /// # Errors
    /// One line that says what is missing.
    pub fn open() -> Result<Self, SetupError> {
        let fail = |e: io::Error| SetupError::new("a raw socket for IPv4 errors", e);
        // IPPROTO_RAW: the header is ours to write.
        let protocol = RawProtocol::new(255).map(Protocol::from_raw);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd =
            socket_with(AddressFamily::INET, SocketType::RAW, flags, protocol).map_err(|e| fail(e.into()))?;
        // Nobody reads what may come to it.
        sockopt::attach_filter(std::os::fd::AsFd::as_fd(&fd), &mut [refuse_all()]).map_err(fail)?;
        Ok(Self(fd))
    }

    /// Sends a packet to where its header says; the kernel completes the header's checksum.
    ///
    /// # Errors
    /// What the system says: no route, a filter, no room.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        let destination = packet.get(16..20).and_then(|octets| <[u8; 4]>::try_from(octets).ok());
        let Some(destination) = destination else { return Err(io::ErrorKind::InvalidInput.into()) };
        let to = SocketAddrV4::new(Ipv4Addr::from(destination), 0);
        sendto(&self.0, packet, SendFlags::DONTWAIT, &to)?;
        Ok(())
    }
}

fn refuse_all() -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 }
}
