//! New TCP connections: opened, closed by the server, closed by the client, as fast as they go one after the other.

use std::io::{ErrorKind, Read};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::bulk::{connect, listen, port, text};
use super::space::joined;
use super::subject::Subject;
use super::world::World;

/// Clients at a time, and threads that accept.
const CLIENTS: usize = 8;
const SERVERS: usize = 4;
const WARM_UP: Duration = Duration::from_millis(200);

/// Connections a second.
pub(super) fn measure(world: &World, subject: Subject, length: Duration) -> Result<f64, String> {
    let over = Arc::new(AtomicBool::new(false));
    let made = Arc::new(AtomicU64::new(0));
    let listener = joined(world.server.thread(|| {
        let listener = listen()?;
        // SAFETY: a listening socket may be told to listen again; only its backlog changes.
        unsafe { libc::listen(listener.as_raw_fd(), 1024) };
        Ok(listener)
    }))?;
    let port = port(&listener)?;
    listener.set_nonblocking(true).map_err(text)?;
    let servers: Vec<_> = (0..SERVERS)
        .map(|_| {
            let (over, listener) = (Arc::clone(&over), listener.try_clone());
            thread::spawn(move || accept(subject, &listener.map_err(text)?, &over))
        })
        .collect();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (over, made) = (Arc::clone(&over), Arc::clone(&made));
            world.client.thread(move || {
                while !over.load(Ordering::Relaxed) {
                    let mut stream = connect(subject, port)?;
                    stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(text)?;
                    // The server's end first: the client's port is free again at once, and none of them runs out.
                    match stream.read(&mut [0]) {
                        Ok(_) => _ = made.fetch_add(1, Ordering::Relaxed),
                        Err(_) if over.load(Ordering::Relaxed) => {}
                        Err(e) => return Err(format!("{}: a connection does not end: {e}", subject.name())),
                    }
                }
                Ok(())
            })
        })
        .collect();
    thread::sleep(WARM_UP);
    let (start, before) = (Instant::now(), made.load(Ordering::Relaxed));
    thread::sleep(length);
    let (passed, after) = (start.elapsed(), made.load(Ordering::Relaxed));
    over.store(true, Ordering::Relaxed);
    // The clients first: until they are gone they need the servers.
    let mut outcome = Ok(());
    for thread in clients.into_iter().chain(servers) {
        outcome = outcome.and(joined(thread));
    }
    outcome?;
    Ok((after - before) as f64 / passed.as_secs_f64())
}

fn accept(subject: Subject, listener: &TcpListener, over: &AtomicBool) -> Result<(), String> {
    let mut poll = [rustix::event::PollFd::new(listener, rustix::event::PollFlags::IN)];
    let tick = rustix::event::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    let mut idle = 0;
    // A moment longer than the clients, which must not be left waiting.
    while !over.load(Ordering::Relaxed) || idle < 4 {
        match listener.accept() {
            Ok((_, peer)) => {
                idle = 0;
                subject.came_right(peer.ip())?;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                if rustix::event::poll(&mut poll, Some(&tick)).is_ok_and(|n| n == 0) {
                    idle += 1;
                }
            }
            Err(e) => return Err(text(e)),
        }
    }
    Ok(())
}
