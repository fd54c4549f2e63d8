//! Listening to protocol 41 on the wire without taking part: an AF_PACKET socket that sends nothing.

use std::ffi::CString;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::{Packet, protocol};

use crate::{SetupError, sockopt};

/// One socket, on one interface or on all.
#[derive(Debug)]
pub struct Ear {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

/// A packet that went by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overheard {
    /// Its outer source.
    pub src: Ipv4Addr,
    /// Its outer destination.
    pub dst: Ipv4Addr,
    /// It left this machine; on a router what is sent on comes and leaves.
    pub leaving: bool,
}

impl Ear {
    /// Listens on the interface of this name, or on all.
    ///
    /// # Errors
    /// One line: the privilege is missing, or the interface.
    pub fn open(interface: Option<&str>) -> Result<Self, SetupError> {
        let what = || "listening to protocol 41".to_owned();
        let index = match interface {
            None => 0,
            Some(name) => index(name).map_err(|e| SetupError::new(format!("interface {name}"), e))?,
        };
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // Nothing is received before the bind says what.
        // SAFETY: no pointers.
        let raw = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if raw < 0 {
            let error = SetupError::new(what(), io::Error::last_os_error());
            return Err(error.advise("run as root, or with CAP_NET_RAW"));
        }
        // SAFETY: the call above gave a descriptor that nobody else has.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        let op = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
        sockopt::attach_filter(
            fd.as_fd(),
            &mut [
                // The filter sees the packet from its IPv4 header on: the protocol, and no later fragment.
                op(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, 9),
                op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 3, u32::from(protocol::IPV6)),
                op(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 0, 6),
                op(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 1, 0, 0x1fff),
                op(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
                op(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
            ],
        )
        .map_err(|e| SetupError::new(what(), e))?;
        // SAFETY: all zero is a valid value of this plain structure.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_IP as u16).to_be();
        address.sll_ifindex = index;
        // SAFETY: the pointer and the length are of one structure that lives longer than the call.
        let bound = unsafe {
            libc::bind(
                fd.as_raw_fd(),
                std::ptr::from_ref(&address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if bound < 0 {
            return Err(SetupError::new(what(), io::Error::last_os_error()));
        }
        Ok(Self { fd, buffer: vec![0; Packet::LARGEST] })
    }

    /// The next packet that went by: what was inside it in `packet`. `None` when there is none for now.
    ///
    /// # Errors
    /// What the system says.
    pub fn hear(&mut self, packet: &mut Packet) -> io::Result<Option<Overheard>> {
        loop {
            // SAFETY: all zero is a valid value of this plain structure.
            let mut from: libc::sockaddr_ll = unsafe { zeroed() };
            let mut length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            // SAFETY: buffer and address are writable for the lengths that are given, and live longer than the call.
            let got = unsafe {
                libc::recvfrom(
                    self.fd.as_raw_fd(),
                    self.buffer.as_mut_ptr().cast(),
                    self.buffer.len(),
                    0,
                    std::ptr::from_mut(&mut from).cast(),
                    &raw mut length,
                )
            };
            let Ok(got) = usize::try_from(got) else {
                let error = io::Error::last_os_error();
                // Nothing for now, or the interface went down for a moment.
                let waits =
                    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENETDOWN);
                return if waits { Ok(None) } else { Err(error) };
            };
            let Ok(ip) = Ipv4::parse(&self.buffer[..got]) else { continue };
            packet.reset();
            if !packet.extend(ip.payload()) {
                continue;
            }
            let leaving = from.sll_pkttype == libc::PACKET_OUTGOING;
            return Ok(Some(Overheard { src: ip.src(), dst: ip.dst(), leaving }));
        }
    }
}

impl AsFd for Ear {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn index(name: &str) -> io::Result<i32> {
    let name = CString::new(name).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the name ends in a zero octet and lives longer than the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => i32::try_from(index).map_err(io::Error::other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_named() {
        let error = Ear::open(Some("no-such-if0")).unwrap_err().to_string();
        assert!(error.contains("no-such-if0"), "{error}");
    }
}
