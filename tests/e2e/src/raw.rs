//! Sockets of the test itself inside a machine's network namespace: what no kernel would send, by the hundred, and what a wire
//! carries.

use std::fs::File;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, Protocol, RawProtocol, SendFlags, SocketFlags, SocketType};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Makes something on a thread that is in the namespace `/run/netns/NAME`: a socket stays where it was made.
///
/// # Panics
/// There is no such namespace, or `make` fails; needs root.
pub fn inside<T: Send + 'static>(
    namespace: &str,
    make: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> T {
    let file = File::open(format!("/run/netns/{namespace}")).expect("the namespace is there");
    let made = thread::spawn(move || {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
        make()
    });
    made.join().expect("no panic in there").unwrap_or_else(|e| panic!("{namespace} (needs root): {e}"))
}

/// Sends payloads of one IPv4 protocol from one address; the kernel writes the IPv4 header, and cuts what is too large.
///
/// While it is open the kernel sends no "protocol unreachable" for what comes back.
#[derive(Debug)]
pub struct Sender(OwnedFd);

impl Sender {
    /// Opens it on a machine that has the address.
    #[must_use]
    pub fn open(namespace: &str, protocol: u8, from: Ipv4Addr) -> Self {
        Self(inside(namespace, move || {
            let protocol = RawProtocol::new(u32::from(protocol)).map(Protocol::from_raw);
            let flags = SocketFlags::CLOEXEC;
            let fd = rustix::net::socket_with(AddressFamily::INET, SocketType::RAW, flags, protocol)?;
            rustix::net::bind(&fd, &SocketAddrV4::new(from, 0))?;
            Ok(fd)
        }))
    }

    /// Sends one.
    pub fn send(&self, to: Ipv4Addr, payload: &[u8]) {
        let to = SocketAddrV4::new(to, 0);
        let sent = rustix::net::sendto(&self.0, payload, SendFlags::empty(), &to).expect("it can be sent");
        assert_eq!(sent, payload.len());
    }
}

/// A device from outside its kernel's IP: whatever bytes go out as a packet, and every packet that comes in is seen.
#[derive(Debug)]
pub struct Wire {
    fd: OwnedFd,
    device: i32,
}

/// IPv4 and IPv6 in the link layer's header.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

impl Wire {
    /// Opens a device of a machine; what comes in from now on is kept.
    #[must_use]
    pub fn open(namespace: &str, device: &'static str) -> Self {
        let (fd, device) = inside(namespace, move || {
            let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            let every = i32::from((libc::ETH_P_ALL as u16).to_be());
            // SAFETY: socket(2) takes three integers and touches no memory of ours.
            let fd = unsafe { libc::socket(libc::AF_PACKET, kind, every) };
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: the kernel gave us this descriptor just now and nobody else owns it.
            let fd = unsafe { OwnedFd::from_raw_fd(fd) };
            let index = rustix::net::netdevice::name_to_index(&fd, device)?;
            let index = i32::try_from(index).map_err(io::Error::other)?;
            set_room(&fd)?;
            let address = address(index, libc::ETH_P_ALL as u16, None);
            // SAFETY: pointer and length describe `address`, which outlives the call.
            let bound = unsafe {
                libc::bind(
                    fd.as_raw_fd(),
                    (&raw const address).cast(),
                    size_of::<libc::sockaddr_ll>() as libc::socklen_t,
                )
            };
            if bound < 0 { Err(io::Error::last_os_error()) } else { Ok((fd, index)) }
        });
        Self { fd, device }
    }

    /// Sends an IP packet, or what says that it is one, to the station `to`; `None` where the link has no stations.
    pub fn send(&self, to: Option<[u8; 6]>, packet: &[u8]) {
        let protocol = if packet.first().is_some_and(|first| first >> 4 == 4) { IPV4 } else { IPV6 };
        let address = address(self.device, protocol, to);
        // SAFETY: both pointers with their lengths describe memory that outlives the call.
        let sent = unsafe {
            libc::sendto(
                self.fd.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        assert_eq!(usize::try_from(sent).ok(), Some(packet.len()), "{}", io::Error::last_os_error());
    }

    /// The IP packets that have come in since the last call, without what kernels say to their neighbours.
    #[must_use]
    pub fn seen(&self) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let mut buffer = vec![0; 1 << 17];
        while let Some((from, length)) = self.receive(&mut buffer) {
            let ours = from.sll_pkttype == libc::PACKET_OUTGOING;
            let ip = [IPV4, IPV6].contains(&u16::from_be(from.sll_protocol));
            let packet = &buffer[..length];
            if !ours && ip && !is_neighbourly(packet) {
                packets.push(packet.to_vec());
            }
        }
        assert_eq!(self.lost(), 0, "with one packet lost nothing is proven");
        packets
    }

    /// Waits until so many have come, at most five seconds, and a moment more for what should not come.
    #[must_use]
    pub fn expect(&self, many: usize) -> Vec<Vec<u8>> {
        let end = Instant::now() + Duration::from_secs(5);
        let mut packets = self.seen();
        while packets.len() < many && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
            packets.extend(self.seen());
        }
        thread::sleep(Duration::from_millis(100));
        packets.extend(self.seen());
        packets
    }

    fn receive(&self, buffer: &mut [u8]) -> Option<(libc::sockaddr_ll, usize)> {
        // SAFETY: all-zero bytes are a valid sockaddr_ll.
        let mut from: libc::sockaddr_ll = unsafe { zeroed() };
        let mut size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: buffer and its length describe memory that we may write; `from` and `size` describe a sockaddr_ll.
        let length = unsafe {
            libc::recvfrom(
                self.fd.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
                (&raw mut from).cast(),
                &raw mut size,
            )
        };
        Some((from, usize::try_from(length).ok()?))
    }

    fn lost(&self) -> u32 {
        // SAFETY: all-zero bytes are a valid tpacket_stats.
        let mut stats: libc::tpacket_stats = unsafe { zeroed() };
        let mut size = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: pointer and size describe `stats`; the kernel writes at most `size` bytes and resets its counters.
        let got = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut size,
            )
        };
        assert_eq!(got, 0, "{}", io::Error::last_os_error());
        stats.tp_drops
    }
}

fn set_room(fd: &OwnedFd) -> io::Result<()> {
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
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn address(device: i32, protocol: u16, to: Option<[u8; 6]>) -> libc::sockaddr_ll {
    // SAFETY: all-zero bytes are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = device;
    if let Some(station) = to {
        address.sll_halen = 6;
        address.sll_addr[..6].copy_from_slice(&station);
    }
    address
}

/// Neighbour discovery and listener reports, which kernels and routers send by themselves whenever they like.
#[must_use]
pub fn is_neighbourly(packet: &[u8]) -> bool {
    let kind = match packet {
        [first, ..] if first >> 4 != 6 => return false,
        // Listener reports travel behind a hop-by-hop header of eight octets.
        packet if packet.get(6) == Some(&0) && packet.get(40) == Some(&58) => packet.get(48),
        packet if packet.get(6) == Some(&58) => packet.get(40),
        _ => return false,
    };
    matches!(kind, Some(130..=137 | 143))
}
