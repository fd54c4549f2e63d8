//! ICMP over a raw socket: echoes of a chosen size, time to live and "do not fragment", and every error that comes back.
//!
//! This is how `doctor` looks at an IPv4 path. Nothing here knows why a path is looked at. Calls do not block:
//!
//! ```no_run
//! # use std::net::Ipv4Addr;
//! # fn look() -> std::io::Result<()> {
//! let socket = sixgate_io_probe::Icmp::open()?;
//! socket.echo(Ipv4Addr::new(10, 6, 0, 1), &sixgate_io_probe::Echo { id: 7, seq: 0, octets: 1300, ttl: 64, whole: true, mark: [0; 16] })?;
//! while socket.wait(std::time::Duration::from_millis(300))? {
//!     while let Some(message) = socket.receive()? {
//!         println!("{message:?}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrV4, SocketFlags, SocketType, ipproto, recv, sendto,
    socket_with,
};
use sixgate_wire::checksum::Sum;
use sixgate_wire::ipv4::{HEADER, Ipv4};

const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const ECHO: u8 = 8;
const TIME_EXCEEDED: u8 = 11;
/// Type, code, checksum, identifier, sequence number.
const ICMP_HEADER: usize = 8;

/// An echo request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Echo {
    /// Tells our echoes from those of others.
    pub id: u16,
    /// Tells ours from each other.
    pub seq: u16,
    /// Of the whole IPv4 packet; at least 28.
    pub octets: u16,
    /// Time to live, at least 1.
    pub ttl: u8,
    /// It must not be cut into fragments.
    pub whole: bool,
    /// What it carries, as far as it has room; whoever listens there can read it.
    pub mark: Mark,
}

/// The first octets behind the header of an echo.
pub type Mark = [u8; 16];

/// What came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// Somebody sends an echo to us; the kernel answers it.
    Request {
        /// Who.
        from: Ipv4Addr,
        /// What it carries.
        mark: Mark,
    },
    /// An echo came back.
    Reply {
        /// Who answered.
        from: Ipv4Addr,
        /// As it was sent.
        id: u16,
        /// As it was sent.
        seq: u16,
    },
    /// A packet of ours could not be delivered.
    Unreachable {
        /// Who says so.
        from: Ipv4Addr,
        /// 2: protocol; 4: fragmentation needed; and others (RFC 792).
        code: u8,
        /// The packet.
        quoted: Quoted,
    },
    /// The time to live of a packet of ours ended.
    Expired {
        /// Where.
        from: Ipv4Addr,
        /// The packet.
        quoted: Quoted,
    },
}

/// The packet that an error is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quoted {
    /// Where it was going.
    pub to: Ipv4Addr,
    /// Its protocol.
    pub protocol: u8,
    /// Identifier and sequence number, where it was an echo.
    pub echo: Option<(u16, u16)>,
}

/// A raw socket for ICMP.
#[derive(Debug)]
pub struct Icmp {
    fd: OwnedFd,
}

impl Icmp {
    /// Opens one.
    ///
    /// # Errors
    /// What the system says: as a rule, that the privilege (`CAP_NET_RAW`) is missing.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = socket_with(AddressFamily::INET, SocketType::RAW, flags, Some(ipproto::ICMP))?;
        Ok(Self { fd })
    }

    /// Sends an echo request.
    ///
    /// # Errors
    /// What the system says: no route, larger than the MTU of the first link.
    pub fn echo(&self, to: Ipv4Addr, echo: &Echo) -> io::Result<()> {
        let length = usize::from(echo.octets).saturating_sub(HEADER).max(ICMP_HEADER);
        let mut message = vec![0_u8; length];
        message[0] = ECHO;
        message[4..6].copy_from_slice(&echo.id.to_be_bytes());
        message[6..8].copy_from_slice(&echo.seq.to_be_bytes());
        for (octet, of_mark) in message[ICMP_HEADER..].iter_mut().zip(echo.mark) {
            *octet = of_mark;
        }
        let sum = Sum::new().with(&message).finish();
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        rustix::net::sockopt::set_ip_ttl(&self.fd, u32::from(echo.ttl.max(1)))?;
        // PROBE sets the bit and sends what is larger than a known path MTU all the same.
        let discover = if echo.whole { libc::IP_PMTUDISC_PROBE } else { libc::IP_PMTUDISC_DONT };
        set_int(self.fd.as_fd(), libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, discover)?;
        sendto(&self.fd, &message, SendFlags::empty(), &SocketAddrV4::new(to, 0))?;
        Ok(())
    }

    /// The next message, if one waits. What is no reply and no error is skipped.
    ///
    /// # Errors
    /// What the system says of the socket.
    pub fn receive(&self) -> io::Result<Option<Message>> {
        let mut buffer = [0_u8; 2048];
        loop {
            match recv(&self.fd, &mut buffer, RecvFlags::empty()) {
                Ok((n, _)) => {
                    if let Some(message) = read(&buffer[..n]) {
                        return Ok(Some(message));
                    }
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(None),
                // An error that the kernel keeps for the socket; the message itself comes as well.
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Waits for a message; false when none came in time.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait(&self, longest: Duration) -> io::Result<bool> {
        wait(&[self.fd.as_fd()], longest)
    }
}

impl AsFd for Icmp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Waits until one of the descriptors can be read; false when none could in time.
///
/// # Errors
/// What the system says.
pub fn wait(fds: &[BorrowedFd<'_>], longest: Duration) -> io::Result<bool> {
    let mut polled: Vec<PollFd<'_>> =
        fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let timeout = Timespec {
        tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(longest.subsec_nanos()),
    };
    match poll(&mut polled, Some(&timeout)) {
        Ok(n) => Ok(n > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// A raw socket gives the IPv4 header too.
fn read(packet: &[u8]) -> Option<Message> {
    let outer = Ipv4::parse(packet).ok()?;
    let (from, icmp) = (outer.src(), outer.payload());
    let word = |at: usize| Some(u16::from_be_bytes([*icmp.get(at)?, *icmp.get(at + 1)?]));
    match (*icmp.first()?, *icmp.get(1)?) {
        (ECHO, _) => Some(Message::Request { from, mark: icmp.get(ICMP_HEADER..)?.first_chunk().copied()? }),
        (ECHO_REPLY, _) => Some(Message::Reply { from, id: word(4)?, seq: word(6)? }),
        (UNREACHABLE, code) => Some(Message::Unreachable { from, code, quoted: quoted(icmp)? }),
        (TIME_EXCEEDED, _) => Some(Message::Expired { from, quoted: quoted(icmp)? }),
        _ => None,
    }
}

fn quoted(icmp: &[u8]) -> Option<Quoted> {
    let inner = Ipv4::parse_quoted(icmp.get(ICMP_HEADER..)?).ok()?;
    let protocol = inner.protocol();
    let payload = inner.payload();
    let echo = match payload {
        [ECHO, _, _, _, a, b, c, d, ..] if protocol == 1 => {
            Some((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])))
        }
        _ => None,
    };
    Some(Quoted { to: inner.dst(), protocol, echo })
}

fn set_int(fd: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `fd` is open for as long as it is borrowed, `value` is `length` readable octets, and the kernel reads them
    // before the call returns.
    let result = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_to_ourselves_is_heard_and_comes_back() {
        let socket = Icmp::open().expect("this test needs CAP_NET_RAW");
        let mark = *b"sixgate's probe.";
        let echo = Echo { id: 0x5157, seq: 3, octets: 1300, ttl: 64, whole: true, mark };
        socket.echo(Ipv4Addr::LOCALHOST, &echo).unwrap();
        let (mut replied, mut heard) = (false, false);
        while !(replied && heard) && socket.wait(Duration::from_secs(2)).unwrap() {
            while let Some(message) = socket.receive().unwrap() {
                replied |= message == Message::Reply { from: Ipv4Addr::LOCALHOST, id: 0x5157, seq: 3 };
                heard |= message == Message::Request { from: Ipv4Addr::LOCALHOST, mark };
            }
        }
        assert!(replied && heard);
    }

    #[test]
    fn an_error_says_which_packet_it_is_about() {
        let mut inner = vec![0x45, 0, 0, 28, 0, 0, 0x40, 0, 1, 1, 0, 0, 10, 6, 8, 20, 10, 6, 0, 1];
        inner.extend([ECHO, 0, 0, 0, 0x12, 0x34, 0, 9]);
        let mut packet = vec![0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 10, 6, 8, 254, 10, 6, 8, 20];
        packet.extend([TIME_EXCEEDED, 0, 0, 0, 0, 0, 0, 0]);
        packet.extend(&inner);
        let expected = Message::Expired {
            from: Ipv4Addr::new(10, 6, 8, 254),
            quoted: Quoted { to: Ipv4Addr::new(10, 6, 0, 1), protocol: 1, echo: Some((0x1234, 9)) },
        };
        assert_eq!(read(&packet), Some(expected));
        // However it is cut, there is no panic.
        for n in 0..packet.len() {
            let _ = read(&packet[..n]);
        }
    }
}
