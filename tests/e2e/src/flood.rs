//! Protocol 41 with any outer source, from inside a namespace, as fast as the machine can.

use std::fs::File;
use std::io::IoSlice;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::addr::SocketAddrArg;
use rustix::net::{
    AddressFamily, MMsgHdr, Protocol, RawProtocol, RecvFlags, SendAncillaryBuffer, SendFlags, SocketFlags,
    SocketType, bind, recv, sendmmsg, sendto, socket_with,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::packets;

/// Datagrams a system call.
const BATCH: u32 = 64;
const IPV4: usize = 20;

/// Runs `work` on a thread of its own inside the network namespace that `ip netns` calls `namespace`.
pub fn inside<T: Send + 'static>(
    namespace: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let path = format!("/run/netns/{namespace}");
    thread::spawn(move || {
        let file = File::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("root may enter a namespace");
        work()
    })
}

/// What a flood was.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    /// Packets that the kernel took.
    pub sent: u64,
    /// How long it took.
    pub lasted: Duration,
}

impl Flood {
    /// Packets a second.
    #[must_use]
    pub fn rate(&self) -> u64 {
        (self.sent as f64 / self.lasted.as_secs_f64()) as u64
    }
}

/// Sends router solicitations from `source(0)`, `source(1)` and so on to `router`, for this long, at most `rate` a second.
#[must_use]
pub fn solicit(router: Ipv4Addr, source: impl Fn(u32) -> Ipv4Addr, lasts: Duration, rate: u32) -> Flood {
    let socket = raw(255);
    let to = SocketAddrV4::new(router, 0).as_any();
    let (start, mut sent, mut n) = (Instant::now(), 0, 0_u32);
    while start.elapsed() < lasts {
        let due = start.elapsed().as_secs_f64() * f64::from(rate);
        if f64::from(n) > due {
            thread::sleep(Duration::from_micros(200));
            continue;
        }
        let packets: Vec<_> =
            (n..n + BATCH).map(|n| outer(source(n), router, &solicitation(source(n), router))).collect();
        let slices: Vec<_> = packets.iter().map(|packet| [IoSlice::new(packet)]).collect();
        let mut controls: Vec<_> = packets.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let messages = slices.iter().zip(&mut controls);
        let mut messages: Vec<_> = messages.map(|(s, c)| MMsgHdr::new_with_addr(&to, s, c)).collect();
        sent += sendmmsg(&socket, &mut messages, SendFlags::empty()).unwrap_or(0) as u64;
        n += BATCH;
    }
    Flood { sent, lasted: start.elapsed() }
}

/// Solicits once from `host`, an address of this namespace, and gives how long the router advertisement took.
#[must_use]
pub fn answered(host: Ipv4Addr, router: Ipv4Addr, longest: Duration) -> Option<Duration> {
    let socket = raw(41);
    bind(&socket, &SocketAddrV4::new(host, 0)).expect("the host has its address");
    let start = Instant::now();
    sendto(&socket, &solicitation(host, router), SendFlags::empty(), &SocketAddrV4::new(router, 0))
        .expect("a solicitation can be sent");
    let mut packet = [0; 2048];
    while start.elapsed() < longest {
        match recv(&socket, &mut packet, RecvFlags::DONTWAIT) {
            // Router advertisement, behind both headers.
            Ok((n, _)) if n > 60 && packet[IPV4 + 6] == 58 && packet[IPV4 + 40] == 134 => {
                return Some(start.elapsed());
            }
            Ok(_) => {}
            Err(_) => thread::sleep(Duration::from_micros(500)),
        }
    }
    None
}

fn raw(protocol: u32) -> OwnedFd {
    // Protocol 255 is the one whose sender writes the IPv4 header.
    let protocol = RawProtocol::new(protocol).map(Protocol::from_raw);
    socket_with(AddressFamily::INET, SocketType::RAW, SocketFlags::CLOEXEC, protocol)
        .expect("a raw socket (needs root)")
}

/// RFC 5214, section 8.3.4.
fn solicitation(host: Ipv4Addr, router: Ipv4Addr) -> Vec<u8> {
    let link_local = |v4: Ipv4Addr| {
        let [a, b, c, d] = v4.octets().map(u16::from);
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5efe, a << 8 | b, c << 8 | d)
    };
    packets::neighbour_discovery(link_local(host), link_local(router), 133, &[0; 4])
}

/// `inner` in an IPv4 packet; the kernel fills in length and checksum.
fn outer(source: Ipv4Addr, destination: Ipv4Addr, inner: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 41, 0, 0];
    packet.extend_from_slice(&source.octets());
    packet.extend_from_slice(&destination.octets());
    packet.extend_from_slice(inner);
    packet
}
