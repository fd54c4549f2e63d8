//! One datagram there and back at a time.

use std::net::{SocketAddrV6, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::bulk::text;
use super::datagrams::bound;
use super::space::joined;
use super::subject::Subject;
use super::world::World;

const DATA: usize = 16;
/// Fewer that come back are no measurement.
const LEAST: usize = 20;
/// A datagram that takes longer is lost.
const LOST: Duration = Duration::from_millis(200);

/// Microseconds of each datagram, by subject, for as long as this takes. The subjects have their turn datagram by datagram: what
/// one wakes is as awake for the others.
pub(super) fn measure(
    world: &World,
    subjects: &[Subject],
    length: Duration,
) -> Result<Vec<(Subject, Vec<f64>)>, String> {
    let over = Arc::new(AtomicBool::new(false));
    // One end for all, so that it sleeps and wakes on the same processor for all.
    let socket = joined(world.server.thread(bound))?;
    let port = socket.local_addr().map_err(text)?.port();
    let echo = {
        let over = Arc::clone(&over);
        thread::spawn(move || echo(&socket, &over))
    };
    let subjects = subjects.to_vec();
    let times = joined(world.client.thread(move || ask(&subjects, port, length)));
    over.store(true, Ordering::Relaxed);
    joined(echo).and(times)
}

fn echo(socket: &UdpSocket, over: &AtomicBool) -> Result<(), String> {
    socket.set_read_timeout(Some(LOST)).map_err(text)?;
    let mut data = [0; 64];
    while !over.load(Ordering::Relaxed) {
        let Ok((n, peer)) = socket.recv_from(&mut data) else { continue };
        let subject = Subject::ALL.into_iter().find(|s| s.number() == data[0]);
        subject.ok_or("a datagram of somebody else".to_owned())?.came_right(peer.ip())?;
        socket.send_to(&data[..n], peer).map_err(text)?;
    }
    Ok(())
}

fn ask(subjects: &[Subject], port: u16, length: Duration) -> Result<Vec<(Subject, Vec<f64>)>, String> {
    let mut sockets = Vec::new();
    for subject in subjects.iter().copied() {
        let socket = bound()?;
        socket.connect(SocketAddrV6::new(subject.target(), port, 0, 0)).map_err(text)?;
        socket.set_read_timeout(Some(LOST)).map_err(text)?;
        sockets.push((subject, socket, Vec::new()));
    }
    let end = Instant::now() + length;
    let mut data = [0; 64];
    while Instant::now() < end {
        for (subject, socket, times) in &mut sockets {
            let start = Instant::now();
            socket.send(&[subject.number(); DATA]).map_err(text)?;
            if socket.recv(&mut data).is_ok() {
                times.push(start.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
    if let Some((subject, ..)) = sockets.iter().find(|(_, _, times)| times.len() < LEAST) {
        return Err(format!("{}: datagrams do not come back", subject.name()));
    }
    // The first ones look up neighbours and open sessions.
    Ok(sockets.into_iter().map(|(subject, _, mut times)| (subject, times.split_off(LEAST / 2))).collect())
}
