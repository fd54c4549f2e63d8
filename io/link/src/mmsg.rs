//! Many datagrams with one system call.

use std::ffi::c_int;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use sixgate_wire::Packet;

/// Datagrams a call; the arrays for them live on the stack.
pub(crate) const MOST: usize = 64;

/// Receives up to [`MOST`] datagrams into `packets`, which are emptied first. Gives how many came.
///
/// A datagram that did not fit its buffer is left empty. Does not block.
pub(crate) fn receive(fd: BorrowedFd<'_>, packets: &mut [Packet]) -> io::Result<usize> {
    let count = packets.len().min(MOST);
    // SAFETY: both are plain C structures of integers and pointers, for which all zeroes is a value.
    let (mut vectors, mut headers): ([libc::iovec; MOST], [libc::mmsghdr; MOST]) =
        unsafe { (zeroed(), zeroed()) };
    for ((packet, vector), header) in packets.iter_mut().zip(&mut vectors).zip(&mut headers) {
        packet.reset();
        let room = packet.spare_mut();
        *vector = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
    }
    // SAFETY: the first `count` headers each point to one vector, and each vector to the spare octets of one packet;
    // all of them are borrowed mutably by this function and are not touched until the call returns.
    let received = unsafe {
        libc::recvmmsg(
            fd.as_raw_fd(),
            headers.as_mut_ptr(),
            count as u32,
            libc::MSG_DONTWAIT,
            std::ptr::null_mut(),
        )
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    for (packet, header) in packets.iter_mut().zip(&headers[..received]) {
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0 {
            packet.set_len(header.msg_len as usize);
        }
    }
    Ok(received)
}

/// One datagram to send: a range of a buffer and where it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) to: Ipv4Addr,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Type of service of the outer header; zero is the socket's own.
    pub(crate) tos: u8,
}

/// A control message that sets the type of service of one datagram (ip(7), IP_TOS).
#[repr(C)]
#[derive(Clone, Copy)]
struct TosMessage {
    header: libc::cmsghdr,
    // Directly behind the header, whose size is a multiple of its alignment: where CMSG_DATA looks.
    tos: c_int,
}

/// Sends up to [`MOST`] of `items`, whose ranges lie in `buffer`. Gives how many went; an error is that of the first.
pub(crate) fn send(fd: BorrowedFd<'_>, buffer: &[u8], items: &[Item]) -> io::Result<usize> {
    let count = items.len().min(MOST);
    // SAFETY: plain C structures of integers and pointers, for which all zeroes is a value.
    let (mut vectors, mut headers, mut names, mut controls): (
        [libc::iovec; MOST],
        [libc::mmsghdr; MOST],
        [libc::sockaddr_in; MOST],
        [TosMessage; MOST],
    ) = unsafe { (zeroed(), zeroed(), zeroed(), zeroed()) };
    let parts = vectors.iter_mut().zip(&mut headers).zip(&mut names).zip(&mut controls);
    for (item, (((vector, header), name), control)) in items.iter().zip(parts) {
        let bytes = &buffer[item.start..item.end];
        name.sin_family = libc::AF_INET as libc::sa_family_t;
        name.sin_addr.s_addr = u32::from(item.to).to_be();
        // The structure is shared with receiving, so the pointer is to mutable octets; sending only reads them.
        *vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
        header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        if item.tos != 0 {
            control.header.cmsg_level = libc::IPPROTO_IP;
            control.header.cmsg_type = libc::IP_TOS;
            // SAFETY: the macro's arithmetic on a size; nothing is accessed.
            control.header.cmsg_len = unsafe { libc::CMSG_LEN(size_of::<c_int>() as u32) } as _;
            control.tos = c_int::from(item.tos);
            header.msg_hdr.msg_control = std::ptr::from_mut(control).cast();
            header.msg_hdr.msg_controllen = size_of::<TosMessage>() as _;
        }
    }
    // SAFETY: the first `count` headers each point to one vector over octets of `buffer`, which is borrowed, to one
    // address and, where they have one, to one control message of the length that they say; the kernel reads all of it, and writes only the lengths in `headers`, before the call returns.
    let sent =
        unsafe { libc::sendmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), count as u32, libc::MSG_DONTWAIT) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
