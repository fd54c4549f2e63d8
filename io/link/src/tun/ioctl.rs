//! The system calls that make a TUN device: small wrappers, each of one request.

use std::ffi::{c_int, c_uint, c_ulong};
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::vnet;

/// Makes `fd` a queue of the device `name`; the `first` one makes the device, and refuses one that is there.
pub(super) fn attach(fd: BorrowedFd<'_>, name: &str, many_queues: bool, first: bool) -> io::Result<()> {
    let mut flags = libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    if many_queues {
        flags |= libc::IFF_MULTI_QUEUE;
    }
    if first {
        flags |= libc::IFF_TUN_EXCL;
    }
    let mut request = named(name)?;
    // All of them fit the 16 bits; IFF_TUN_EXCL is the sign bit of the C type.
    request.ifr_ifru.ifru_flags = flags as u16 as i16;
    control(fd, libc::TUNSETIFF, &mut request)?;
    // The header that precedes each packet: ten octets, little-endian whatever the machine is.
    let mut size = vnet::HEADER as c_int;
    control(fd, libc::TUNSETVNETHDRSZ, &mut size)?;
    let mut little: c_int = 1;
    control(fd, libc::TUNSETVNETLE, &mut little)
}

/// Tells the kernel what it need not finish before it hands a packet over. True when that includes UDP super-packets,
/// which is also whether it takes them.
pub(super) fn set_offload(fd: BorrowedFd<'_>, wanted: bool) -> io::Result<bool> {
    let tcp = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
    let udp = libc::TUN_F_USO4 | libc::TUN_F_USO6;
    let knows_udp = offload(fd, tcp | udp).is_ok();
    let kept = wanted && (knows_udp || offload(fd, tcp).is_ok());
    if !kept {
        offload(fd, 0)?;
    }
    Ok(knows_udp)
}

fn offload(fd: BorrowedFd<'_>, flags: c_uint) -> io::Result<()> {
    // SAFETY: `fd` is open for as long as it is borrowed; this request takes its argument by value.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETOFFLOAD, c_ulong::from(flags)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sets the MTU of the device `name`.
pub(super) fn set_mtu(name: &str, mtu: u32) -> io::Result<()> {
    let mut request = named(name)?;
    request.ifr_ifru.ifru_mtu = c_int::try_from(mtu).map_err(|_| io::ErrorKind::InvalidInput)?;
    control(any_socket()?.as_fd(), libc::SIOCSIFMTU, &mut request)
}

/// Sets the device `name` up.
pub(super) fn set_up(name: &str) -> io::Result<()> {
    let socket = any_socket()?;
    let mut request = named(name)?;
    control(socket.as_fd(), libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: the kernel has just written this member of the union, and any bits are a value of it.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    request.ifr_ifru.ifru_flags = flags | libc::IFF_UP as i16;
    control(socket.as_fd(), libc::SIOCSIFFLAGS, &mut request)
}

/// A request about the device `name`, all else zero.
fn named(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: a plain C structure of octets and a union of integers, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    // One octet stays zero behind the name. A percent sign would make the kernel choose a name.
    if name.is_empty() || name.len() >= request.ifr_name.len() || name.contains(['\0', '%', '/']) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

fn any_socket() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?)
}

/// `T` must be what the kernel expects of the request: plain data, at least as large as it reads or writes.
fn control<T: Copy>(fd: BorrowedFd<'_>, request: libc::Ioctl, argument: &mut T) -> io::Result<()> {
    // SAFETY: `fd` is open for as long as it is borrowed. Every caller above passes the type that its request is
    // defined with (`ifreq` or `int`), exclusively borrowed until the call returns.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), request, std::ptr::from_mut(argument)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
