//! One TCP flow with as much as it can carry.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, SocketAddrV6, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout, set_tcp_congestion};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::space::joined;
use super::subject::Subject;
use super::world::World;

/// Figures taken with another congestion control cannot be compared with others'.
const CONGESTION: &str = "cubic";
const CHUNK: usize = 128 * 1024;
/// A flow has found its speed after this.
const WARM_UP: Duration = Duration::from_millis(400);
/// Nobody waits longer for a connection or an octet.
const LONGEST: Duration = Duration::from_secs(5);

/// Which end sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    Up,
    Down,
}

/// Gbit/s that arrived.
pub(super) fn measure(
    world: &World,
    subject: Subject,
    direction: Direction,
    length: Duration,
) -> Result<f64, String> {
    let (tell, hear) = mpsc::channel();
    let over = Arc::new(AtomicBool::new(false));
    let octets = Arc::new(AtomicU64::new(0));
    let server = {
        let (over, octets) = (Arc::clone(&over), Arc::clone(&octets));
        world.server.thread(move || {
            let listener = listen()?;
            // Whoever asks is still there, or has given up with a reason of its own.
            let _ = tell.send(port(&listener)?);
            let stream = accept(&listener)?;
            let peer = stream.peer_addr().map_err(text)?;
            subject.came_right(peer.ip())?;
            work(stream, direction == Direction::Down, &over, &octets)
        })
    };
    let client = {
        let (over, octets) = (Arc::clone(&over), Arc::clone(&octets));
        let port = hear.recv_timeout(LONGEST);
        world.client.thread(move || {
            let port = port.map_err(|_| "the server does not listen".to_owned())?;
            let stream = connect(subject, port)?;
            work(stream, direction == Direction::Up, &over, &octets)
        })
    };
    thread::sleep(WARM_UP);
    let (start, before) = (Instant::now(), octets.load(Ordering::Relaxed));
    thread::sleep(length);
    let (passed, after) = (start.elapsed(), octets.load(Ordering::Relaxed));
    over.store(true, Ordering::Relaxed);
    joined(server).and(joined(client))?;
    if after == before {
        return Err(format!("{}: nothing arrives", subject.name()));
    }
    Ok((after - before) as f64 * 8.0 / passed.as_secs_f64() / 1e9)
}

fn work(mut stream: TcpStream, sends: bool, over: &AtomicBool, octets: &AtomicU64) -> Result<(), String> {
    let patience = Some(Duration::from_millis(200));
    stream.set_read_timeout(patience).map_err(text)?;
    stream.set_write_timeout(patience).map_err(text)?;
    let mut chunk = vec![0x55; CHUNK];
    while !over.load(Ordering::Relaxed) {
        let done = if sends { stream.write(&chunk) } else { stream.read(&mut chunk) };
        match done {
            // The other end has seen first that it is over.
            Ok(0) => break,
            Ok(n) if !sends => _ = octets.fetch_add(n as u64, Ordering::Relaxed),
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) if over.load(Ordering::Relaxed) => break,
            Err(e) => return Err(format!("the flow ends: {e}")),
        }
    }
    Ok(())
}

/// A listener for both families, whose connections use the right congestion control.
pub(super) fn listen() -> Result<TcpListener, String> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).map_err(text)?;
    set_tcp_congestion(&listener, CONGESTION).map_err(text)?;
    Ok(listener)
}

pub(super) fn port(listener: &TcpListener) -> Result<u16, String> {
    Ok(listener.local_addr().map_err(text)?.port())
}

/// The next connection, if it comes in time.
fn accept(listener: &TcpListener) -> Result<TcpStream, String> {
    listener.set_nonblocking(true).map_err(text)?;
    let end = Instant::now() + LONGEST;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).map_err(text)?;
                return Ok(stream);
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock && Instant::now() < end => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(e) => return Err(format!("no connection comes: {e}")),
        }
    }
}

/// A connection to the server. Its congestion control is set before it opens: what another one measured would slow it down.
pub(super) fn connect(subject: Subject, port: u16) -> Result<TcpStream, String> {
    let target = SocketAddrV6::new(subject.target(), port, 0, 0);
    let socket =
        socket_with(AddressFamily::INET6, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(text)?;
    set_tcp_congestion(&socket, CONGESTION).map_err(text)?;
    // Also the time that a connection may take to open.
    set_socket_timeout(&socket, Timeout::Send, Some(LONGEST)).map_err(text)?;
    rustix::net::connect(&socket, &target).map_err(|e| format!("{}: {target}: {e}", subject.name()))?;
    Ok(socket.into())
}

pub(super) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
