//! ICMPv4 errors about what we sent in protocol 41, from a raw socket of their own.
//!
//! They could be had from the socket of protocol 41 itself, but then each would fail the next packet to somebody else. Here the kernel
//! filters what is of interest, and a flood of errors fills a small buffer and nothing more.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvFlags, SocketAddrV4, SocketFlags, SocketType, bind, ipproto, recv, socket_with,
};
use sixgate_wire::Packet;
use sixgate_wire::path_error::{PathError, PathFault};
use sixgate_wire::protocol;

use crate::{SetupError, sockopt};

/// What was said of one packet; the packet itself is given beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reported {
    /// Where it was to go.
    pub to: Ipv4Addr,
    /// What became of it.
    pub fault: PathFault,
}

/// The socket, bound to one of our IPv4 addresses.
#[derive(Debug)]
pub struct PathErrors {
    fd: OwnedFd,
    address: Ipv4Addr,
    buffer: Box<[u8]>,
}

/// What waits while the worker is busy: some hundred errors.
const RECEIVE_BUFFER: i32 = 128 << 10;
/// An error is as large as its sender likes; what is behind this is not needed.
const LARGEST: usize = 2048;
/// linux/icmp.h: a mask of the types that are not wanted.
const ICMP_FILTER: i32 = 1;
/// Destination unreachable and time exceeded.
const WANTED: i32 = 1 << 3 | 1 << 11;

impl PathErrors {
    /// Opens it for errors about packets from `address`.
    ///
    /// # Errors
    /// One line that says what is missing.
    pub fn open(address: Ipv4Addr) -> Result<Self, SetupError> {
        let fd = open(address)
            .map_err(|e| SetupError::new(format!("cannot listen to ICMP errors on {address}"), e))?;
        Ok(Self { fd, address, buffer: vec![0; LARGEST].into_boxed_slice() })
    }

    /// Receives one error and writes the inner packet that it is about, as far as it is quoted, into `packet`; `None` when none waits.
    /// What is no such error is left out.
    ///
    /// # Errors
    /// What the system says of the socket.
    pub fn receive(&mut self, packet: &mut Packet) -> io::Result<Option<Reported>> {
        loop {
            let length = match recv(&self.fd, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) => length,
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let Some(error) = PathError::parse(&self.buffer[..length]) else { continue };
            packet.reset();
            if error.from == self.address && packet.extend(error.quoted) {
                return Ok(Some(Reported { to: error.to, fault: error.fault }));
            }
        }
    }
}

fn open(address: Ipv4Addr) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::INET, SocketType::RAW, flags, Some(ipproto::ICMP))?;
    sockopt::set_int(fd.as_fd(), libc::SOL_RAW, ICMP_FILTER, !WANTED)?;
    sockopt::set_int(fd.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER)?;
    let op = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    sockopt::attach_filter(
        fd.as_fd(),
        &mut [
            // X = length of the IPv4 header; eight octets of ICMP and nine of the quoted header further is the quoted protocol.
            op(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0, 0),
            op(libc::BPF_LD | libc::BPF_B | libc::BPF_IND, 0, 0, 8 + 9),
            op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, u32::from(protocol::IPV6)),
            op(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
            op(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        ],
    )?;
    bind(&fd, &SocketAddrV4::new(address, 0))?;
    Ok(fd)
}

impl AsFd for PathErrors {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;
    use crate::Proto41;
    use crate::testing::{in_namespace, run};

    const A: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
    const B: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

    fn packet() -> Packet {
        let mut packet = Packet::from_slice(&[0x5a; 120]);
        packet.bytes_mut()[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 80, 59, 64]);
        packet
    }

    fn next(errors: &mut PathErrors, quoted: &mut Packet) -> Option<Reported> {
        for _ in 0..100 {
            if let Some(reported) = errors.receive(quoted).unwrap() {
                return Some(reported);
            }
            sleep(Duration::from_millis(5));
        }
        None
    }

    /// The kernel of this namespace has no protocol 41 while nobody listens to it, and says so.
    #[test]
    fn a_machine_without_protocol_41_is_reported_with_the_packet_and_the_next_packet_goes_out() {
        let namespace = in_namespace(|| {
            let mut errors = PathErrors::open(A).unwrap();
            let mut a = Proto41::bind(A).unwrap();
            let mut quoted = Packet::new();
            // The error is about B; a socket that is bound to A does not silence the kernel there.
            a.send(B, &packet()).unwrap();
            a.flush().unwrap();
            let reported = next(&mut errors, &mut quoted);
            assert_eq!(reported, Some(Reported { to: B, fault: PathFault::Unreachable }));
            assert!(quoted.len() >= 40 && packet().bytes().starts_with(quoted.bytes()));
            a.send(B, &packet()).unwrap();
            a.flush().unwrap();
            assert_eq!((a.counters().sent, a.counters().failed), (2, 0));
        });
        namespace.join().unwrap();
    }

    #[test]
    fn errors_about_other_protocols_are_not_seen() {
        let namespace = in_namespace(|| {
            let mut errors = PathErrors::open(A).unwrap();
            let socket = std::net::UdpSocket::bind((A, 0)).unwrap();
            socket.send_to(b"x", (B, 9)).unwrap();
            run("ping", "-c 1 -W 1 127.0.0.1");
            sleep(Duration::from_millis(50));
            assert_eq!(errors.receive(&mut Packet::new()).unwrap(), None);
        });
        namespace.join().unwrap();
    }
}
