//! Socket options that rustix has no name for.

use std::ffi::c_int;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sets an option whose value is an integer.
pub(crate) fn set_int(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    set(fd, level, name, &value)
}

/// Lets through only what the classic BPF `program` accepts.
pub(crate) fn attach_filter(fd: BorrowedFd<'_>, program: &mut [libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // The kernel copies the program before the call returns, so the pointer need not live longer.
    let filter = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    set(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)
}

/// `T` must be what the kernel expects for the option: plain data.
pub(crate) fn set<T: Copy>(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    // At most a few octets.
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: `fd` is open for as long as it is borrowed; `value` points to `len` readable octets; the kernel reads
    // them, and for SO_ATTACH_FILTER the program that the caller still holds, before the call returns.
    let result =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
