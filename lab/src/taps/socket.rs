//! A packet socket in another network namespace.

use std::fs::File;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub(super) struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens it from a thread that enters the namespace and ends; the socket stays where it was made.
    pub(super) fn open_in(netns: &Path) -> io::Result<Self> {
        let namespace = File::open(netns)?;
        let made = thread::spawn(move || {
            use std::os::fd::AsFd;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Self::open()
        });
        made.join().unwrap_or_else(|_| Err(io::Error::other("the tap's thread ended")))
    }

    fn open() -> io::Result<Self> {
        let every = (libc::ETH_P_ALL as u16).to_be();
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: socket(2) takes three integers and touches no memory of ours.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, libc::c_int::from(every)) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel gave us this descriptor just now and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let room: libc::c_int = 64 << 20;
        // SAFETY: the pointer and the length describe `room`, which outlives the call.
        let set = unsafe {
            libc::setsockopt(
                fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUFFORCE,
                (&raw const room).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if set < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(fd)) }
    }

    pub(super) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }

    /// The next frame that came in at a port: index of the port and length. `None`: none is waiting.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Option<(u32, usize)> {
        loop {
            // SAFETY: all-zero bytes are a valid sockaddr_ll.
            let mut from: libc::sockaddr_ll = unsafe { zeroed() };
            let mut size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            // SAFETY: buffer and its length describe memory that we may write; `from` and `size` describe a sockaddr_ll.
            let length = unsafe {
                libc::recvfrom(
                    self.0.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    0,
                    (&raw mut from).cast(),
                    &raw mut size,
                )
            };
            let length = usize::try_from(length).ok()?;
            // What the switch sends out at a port came in at another one and was counted there.
            if from.sll_pkttype != libc::PACKET_OUTGOING {
                return Some((u32::try_from(from.sll_ifindex).unwrap_or(0), length));
            }
        }
    }

    /// Has the kernel drop every frame before it copies it.
    pub(super) fn deafen(&self) -> io::Result<()> {
        let mut nothing =
            [libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 }];
        let program = libc::sock_fprog { len: 1, filter: nothing.as_mut_ptr() };
        // SAFETY: pointer and length describe `program`, which points to one instruction; both outlive the call.
        let set = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                size_of::<libc::sock_fprog>() as libc::socklen_t,
            )
        };
        if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Frames lost since the last call.
    pub(super) fn lost(&self) -> u64 {
        // SAFETY: all-zero bytes are a valid tpacket_stats.
        let mut stats: libc::tpacket_stats = unsafe { zeroed() };
        let mut size = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: pointer and size describe `stats`; the kernel writes at most `size` bytes and resets its counters.
        let got = unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut size,
            )
        };
        if got < 0 { 0 } else { u64::from(stats.tp_drops) }
    }
}
