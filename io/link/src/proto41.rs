//! The raw socket of protocol 41 (RFC 4213): IPv6 in IPv4, many packets a system call.
//!
//! The kernel writes the outer header of what goes out, with the congestion mark of the inner one, and reassembles what comes in. Receiving strips the outer header
//! and gives its addresses beside the inner packet; whether they fit the inner ones is for the protocol to say.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol, SocketAddrV4, SocketFlags, SocketType, bind, socket_with};
use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::offload::{Segments, mark_unfinished};
use sixgate_wire::{Malformed, Packet, ecn, protocol};

use crate::mmsg::{self, Item};
use crate::{SetupError, sockopt};

/// What the outer header of a received packet said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outer {
    /// Who sent it.
    pub src: Ipv4Addr,
    /// Which of our addresses it came to.
    pub dst: Ipv4Addr,
    /// Time to live that was left.
    pub ttl: u8,
    /// Type of service: DSCP and ECN.
    pub tos: u8,
}

impl Default for Outer {
    /// Nobody: what an array for a batch is filled with.
    fn default() -> Self {
        Self { src: Ipv4Addr::UNSPECIFIED, dst: Ipv4Addr::UNSPECIFIED, ttl: 0, tos: 0 }
    }
}

/// What a [`Proto41`] has done so far, in packets on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Sent.
    pub sent: u64,
    /// Refused by the kernel: no route, no buffer, a filter.
    pub failed: u64,
    /// Received, but larger than the buffer or not IPv4 with protocol 41.
    pub damaged: u64,
}

/// A raw socket bound to one of our IPv4 addresses.
#[derive(Debug)]
pub struct Proto41 {
    fd: OwnedFd,
    mtu: u16,
    buffer: Box<[u8]>,
    items: Vec<Item>,
    counters: Counters,
    last_error: Option<io::Error>,
}

/// Time to live of what we send (RFC 4213, section 3.3: the default of the implementation).
const TTL: i32 = 64;
/// RFC 8200, section 5: every link carries packets of this size.
const INNER_MTU: u16 = 1280;
/// What the kernel keeps for us while the worker is busy elsewhere. A small packet is charged with some 768 octets, so this holds
/// a fifth of a second of 100,000 forged solicitations: a real one among them waits, neither lost nor for long.
const RECEIVE_BUFFER: i32 = 16 << 20;
/// What the kernel keeps of ours while the way out is busy.
const SEND_BUFFER: i32 = 4 << 20;
/// Packets that wait for [`Proto41::flush`], in octets: any one packet fits, and as many of 1,280 as go in one call.
const QUEUE: usize = 128 << 10;

impl Proto41 {
    /// Binds to `address`.
    ///
    /// # Errors
    /// One line that says what is missing: the privilege, or that the address is not of this machine.
    pub fn bind(address: Ipv4Addr) -> Result<Self, SetupError> {
        let protocol = Protocol::from_raw(
            rustix::net::RawProtocol::new(u32::from(protocol::IPV6))
                .ok_or_else(|| SetupError::new("protocol 41", io::ErrorKind::InvalidInput))?,
        );
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd =
            socket_with(AddressFamily::INET, SocketType::RAW, flags, Some(protocol)).map_err(cannot_open)?;
        bind(&fd, &SocketAddrV4::new(address, 0)).map_err(|e| cannot_bind(address, e))?;
        set_options(fd.as_fd()).map_err(|e| SetupError::new("options of the socket for protocol 41", e))?;
        Ok(Self {
            fd,
            mtu: INNER_MTU,
            buffer: vec![0; QUEUE].into_boxed_slice(),
            items: Vec::with_capacity(mmsg::MOST),
            counters: Counters::default(),
            last_error: None,
        })
    }

    /// Sets the MTU of the link inside the tunnel: merged TCP that the kernel hands over is cut to it. At first 1,280.
    pub fn set_mtu(&mut self, mtu: u16) {
        self.mtu = mtu;
    }

    /// Lets through only the senders whose number modulo `count` is `index`.
    ///
    /// Every raw socket on an address gets a copy of every packet; with one socket a worker, this deals the senders out.
    ///
    /// # Errors
    /// `InvalidInput` when `index` is not below `count`; else what the system says.
    pub fn share(&self, index: u32, count: u32) -> io::Result<()> {
        if index >= count {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let op = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
        sockopt::attach_filter(
            self.fd.as_fd(),
            &mut [
                // The filter sees the packet from its outer header on: source address, modulo, compare.
                op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 12),
                op(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, 0, 0, count),
                op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, index),
                op(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
                op(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
            ],
        )
    }

    /// Receives into the first of `packets` and `outer`; gives how many came, zero when none waits. Does not block.
    ///
    /// Each packet is the inner one, from its IPv6 header on, in the order of arrival. At most 64 come at a time.
    ///
    /// # Errors
    /// What the system says of the socket. Not for one bad packet; see [`Counters::damaged`].
    pub fn receive_batch(&mut self, packets: &mut [Packet], outer: &mut [Outer]) -> io::Result<usize> {
        let most = packets.len().min(outer.len());
        if most == 0 {
            return Ok(0);
        }
        loop {
            let received = match mmsg::receive(self.fd.as_fd(), &mut packets[..most]) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let mut good = 0;
            for i in 0..received {
                let Some(header) = strip(&mut packets[i]) else {
                    self.counters.damaged += 1;
                    continue;
                };
                mark_unfinished(&mut packets[i], self.mtu);
                packets.swap(good, i);
                outer[good] = header;
                good += 1;
            }
            if good > 0 || received == 0 {
                return Ok(good);
            }
        }
    }

    /// Receives one packet; `None` when none waits. For tests and quiet links: a batch costs little more.
    ///
    /// # Errors
    /// As [`Proto41::receive_batch`].
    pub fn receive(&mut self, packet: &mut Packet) -> io::Result<Option<Outer>> {
        let mut outer = [Outer::default()];
        let n = self.receive_batch(std::slice::from_mut(packet), &mut outer)?;
        Ok((n > 0).then_some(outer[0]))
    }

    /// Queues an inner packet for `to`: a super-packet is cut, an unfinished checksum finished. Sends what is queued
    /// when there is no more room; call [`Proto41::flush`] at the end of a batch. The outer header takes over the ECN bits
    /// and nothing else of the traffic class.
    ///
    /// # Errors
    /// [`Malformed`] when the metadata of the packet does not fit it.
    pub fn send(&mut self, to: Ipv4Addr, packet: &Packet) -> Result<(), Malformed> {
        // Every cut of a super-packet has the traffic class of the whole.
        let tos = Ipv6::parse_quoted(packet.bytes()).map_or(0, |ip| ecn::outer(ip.traffic_class()));
        let mut segments = Segments::new(packet)?;
        while let Some(len) = segments.next_len() {
            let start = self.items.last().map_or(0, |i| i.end);
            if len > self.buffer.len() {
                // Larger than any length field can say.
                return Err(Malformed::Ipv6);
            }
            if self.items.len() == mmsg::MOST || start + len > self.buffer.len() {
                self.flush_queue();
                continue;
            }
            if segments.write(&mut self.buffer[start..]).is_none() {
                break;
            }
            self.items.push(Item { to, start, end: start + len, tos });
        }
        Ok(())
    }

    /// Sends what is queued.
    ///
    /// # Errors
    /// The last refusal since the flush before; the packets behind it went all the same. A full socket buffer refuses the rest
    /// of the batch, as a full queue of a router does.
    pub fn flush(&mut self) -> io::Result<()> {
        self.flush_queue();
        self.last_error.take().map_or(Ok(()), Err)
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn flush_queue(&mut self) {
        let mut next = 0;
        while next < self.items.len() {
            match mmsg::send(self.fd.as_fd(), &self.buffer, &self.items[next..]) {
                Ok(sent) => {
                    self.counters.sent += sent as u64;
                    next += sent;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let full = error.kind() == io::ErrorKind::WouldBlock;
                    let refused = if full { self.items.len() - next } else { 1 };
                    self.counters.failed += refused as u64;
                    next += refused;
                    self.last_error = Some(error);
                }
            }
        }
        self.items.clear();
    }
}

/// Removes the outer header and gives what it said.
fn strip(packet: &mut Packet) -> Option<Outer> {
    let ip = Ipv4::parse(packet.bytes()).ok()?;
    if ip.protocol() != protocol::IPV6 || ip.is_fragment() {
        return None;
    }
    let outer = Outer { src: ip.src(), dst: ip.dst(), ttl: ip.ttl(), tos: ip.tos() };
    let header = ip.header_len();
    packet.pull_front(header).then_some(outer)
}

fn set_options(fd: BorrowedFd<'_>) -> io::Result<()> {
    sockopt::set_int(fd, libc::IPPROTO_IP, libc::IP_TTL, TTL)?;
    // RFC 4213, section 3.2.1: a tunnel of 1,280 octets leaves DF clear, so that IPv4 may fragment below it.
    sockopt::set_int(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DONT)?;
    for (forced, plain, size) in [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, RECEIVE_BUFFER),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, SEND_BUFFER),
    ] {
        // Without CAP_NET_ADMIN the system's own limit applies.
        if sockopt::set_int(fd, libc::SOL_SOCKET, forced, size).is_err() {
            sockopt::set_int(fd, libc::SOL_SOCKET, plain, size)?;
        }
    }
    Ok(())
}

impl AsFd for Proto41 {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn cannot_open(error: Errno) -> SetupError {
    let setup = SetupError::new("cannot open a raw socket for protocol 41", error);
    match error {
        Errno::PERM | Errno::ACCESS => setup.advise("run as root or with CAP_NET_RAW"),
        _ => setup,
    }
}

fn cannot_bind(address: Ipv4Addr, error: Errno) -> SetupError {
    let setup = SetupError::new(format!("cannot take protocol 41 on {address}"), error);
    match error {
        Errno::ADDRNOTAVAIL => setup.advise("it is not an address of this machine"),
        _ => setup,
    }
}

#[cfg(test)]
mod tests;
