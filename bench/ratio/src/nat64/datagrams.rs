//! One UDP flow of packets of 64 octets.

use std::io;
use std::mem::zeroed;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::bulk::text;
use super::space::joined;
use super::subject::Subject;
use super::world::World;

/// With both headers an IPv6 packet of 64 octets.
const DATA: usize = 16;
/// Datagrams of one system call.
const BATCH: usize = 64;
/// How long datagrams wait to be read.
const PAUSE: Duration = Duration::from_micros(100);
const WARM_UP: Duration = Duration::from_millis(300);
/// What the receiver may have waiting.
const BUFFER: usize = 4 << 20;

/// Packets a second: arrived, and sent.
pub(super) fn measure(world: &World, subject: Subject, length: Duration) -> Result<(f64, f64), String> {
    let over = Arc::new(AtomicBool::new(false));
    let (sent, arrived) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let socket = joined(world.server.thread(bound))?;
    rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER).map_err(text)?;
    let port = socket.local_addr().map_err(text)?.port();
    let receiver = {
        let (over, arrived) = (Arc::clone(&over), Arc::clone(&arrived));
        thread::spawn(move || receive(subject, &socket, &over, &arrived))
    };
    let sender = {
        let (over, sent) = (Arc::clone(&over), Arc::clone(&sent));
        world.client.thread(move || {
            let socket = bound()?;
            socket.connect(SocketAddrV6::new(subject.target(), port, 0, 0)).map_err(text)?;
            let data = [0x55; DATA];
            let mut batch = Batch::of(data.to_vec());
            while !over.load(Ordering::Relaxed) {
                sent.fetch_add(batch.send(&socket)?, Ordering::Relaxed);
            }
            Ok(())
        })
    };
    thread::sleep(WARM_UP);
    let start = Instant::now();
    let before = (arrived.load(Ordering::Relaxed), sent.load(Ordering::Relaxed));
    thread::sleep(length);
    let passed = start.elapsed().as_secs_f64();
    let after = (arrived.load(Ordering::Relaxed), sent.load(Ordering::Relaxed));
    over.store(true, Ordering::Relaxed);
    joined(receiver).and(joined(sender))?;
    if after.0 == before.0 {
        return Err(format!("{}: no datagram arrives", subject.name()));
    }
    Ok(((after.0 - before.0) as f64 / passed, (after.1 - before.1) as f64 / passed))
}

/// A socket of this thread's namespace.
pub(super) fn bound() -> Result<UdpSocket, String> {
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).map_err(text)
}

fn receive(
    subject: Subject,
    socket: &UdpSocket,
    over: &AtomicBool,
    arrived: &AtomicU64,
) -> Result<(), String> {
    socket.set_read_timeout(Some(Duration::from_millis(200))).map_err(text)?;
    let mut first = true;
    let mut batch = Batch::of(vec![0; 2048]);
    while !over.load(Ordering::Relaxed) {
        if first {
            match socket.recv_from(&mut [0; 2048]) {
                Ok((_, peer)) => subject.came_right(peer.ip())?,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
                Err(e) => return Err(text(e)),
            }
            first = false;
        }
        let came = batch.receive(socket)?;
        arrived.fetch_add(came, Ordering::Relaxed);
        if came < BATCH as u64 {
            // Nobody waits in the socket, so that who delivers a packet wakes nobody: the way is measured, not the end of it.
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// As many datagrams as one call moves, all of them in the same octets: nobody looks at them.
struct Batch {
    data: Vec<u8>,
    headers: Vec<libc::mmsghdr>,
    // The headers point at it.
    _vector: Box<libc::iovec>,
}

impl Batch {
    fn of(mut data: Vec<u8>) -> Self {
        let mut vector = Box::new(libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() });
        // SAFETY: a plain C structure of integers and pointers, for which all zeroes is a value.
        let mut header: libc::mmsghdr = unsafe { zeroed() };
        header.msg_hdr.msg_iov = &raw mut *vector;
        header.msg_hdr.msg_iovlen = 1;
        Self { data, headers: vec![header; BATCH], _vector: vector }
    }

    /// Sends a batch; how many went.
    fn send(&mut self, socket: &UdpSocket) -> Result<u64, String> {
        debug_assert!(!self.data.is_empty());
        // SAFETY: the headers are as many as is said, and what they point at lives in `self`, unmoved.
        let done = unsafe {
            libc::sendmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), BATCH as libc::c_uint, 0)
        };
        count(done)
    }

    /// Takes what there is; how many came.
    fn receive(&mut self, socket: &UdpSocket) -> Result<u64, String> {
        // SAFETY: as above; the kernel writes into `data`, which nothing else refers to while the call lasts.
        let done = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        count(done)
    }
}

fn count(done: libc::c_int) -> Result<u64, String> {
    match u64::try_from(done) {
        Ok(n) => Ok(n),
        Err(_) => match io::Error::last_os_error() {
            e if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
            // A full queue on the way, or an ICMP error about a datagram before.
            e if matches!(e.raw_os_error(), Some(libc::ENOBUFS | libc::ECONNREFUSED)) => Ok(0),
            e => Err(text(e)),
        },
    }
}
