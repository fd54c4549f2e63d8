//! A program that names the queue of each packet that the kernel hands over.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::Tun;

/// `BPF_PROG_LOAD` of bpf(2).
const LOAD: libc::c_int = 5;
/// A program that sees a packet and answers a number.
const SOCKET_FILTER: u32 = 1;
/// `_IOR('T', 224, int)`.
const SET_STEERING: libc::Ioctl = 0x8004_54e0_u32 as libc::Ioctl;

/// The start of the kernel's `union bpf_attr` for this request.
#[repr(C)]
struct Request {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// A program that the kernel has checked. Loading takes CAP_BPF nearly everywhere, attaching nothing but the device.
#[derive(Debug)]
pub struct Steering(OwnedFd);

impl Steering {
    /// Loads a program: instructions of the kernel's virtual machine (RFC 9669, section 3), in the machine's byte order. It is
    /// called with a packet of the device and answers with a queue's number, in the order in which the queues were opened.
    ///
    /// # Errors
    /// What the system says: no privilege, no such call, or that the program is wrong.
    pub fn load(program: &[[u8; 8]]) -> io::Result<Self> {
        let license = c"MIT";
        let request = Request {
            kind: SOCKET_FILTER,
            instructions: u32::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
            code: program.as_ptr() as u64,
            license: license.as_ptr() as u64,
            log_level: 0,
            log_size: 0,
            log: 0,
            kernel_version: 0,
            flags: 0,
        };
        // SAFETY: pointer and size describe `request`, whose own pointers lead to `program`, of which it tells the length, and
        // to a terminated string; the kernel reads all three during the call only.
        let fd = unsafe { libc::syscall(libc::SYS_bpf, LOAD, &raw const request, size_of::<Request>()) };
        let fd = c_int::try_from(fd).map_err(io::Error::other)?;
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel gave us this descriptor just now and nobody else owns it. It is closed on exec by itself.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

impl Tun {
    /// Lets the program choose the queues of the device from now on. Without one the kernel chooses by flow.
    ///
    /// # Errors
    /// What the system says.
    pub fn steer(&self, by: &Steering) -> io::Result<()> {
        let program: c_int = by.0.as_raw_fd();
        // SAFETY: the descriptor is open for as long as `self` is borrowed; the request reads one `int` at the pointer.
        let set = unsafe { libc::ioctl(self.fd.as_raw_fd(), SET_STEERING, &raw const program) };
        if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
