//! Waits at a fixed rate. Every question has a time when it is due, and its wait counts from then: a stall is charged to every
//! question that it delays, not only to the one that was under way.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::daemon::PORT;
use crate::load;

/// Waits in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Questions that were not answered, of a hundred.
    pub(crate) lost: f64,
}

/// After the last question, so long.
const PATIENCE: Duration = Duration::from_millis(500);
/// Questions under way; their ids tell them apart.
const WINDOW: usize = 65_536;

pub(crate) fn waits(names: u32, rate: u32, seconds: u32) -> Result<Waits, String> {
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    socket.connect(("127.0.0.1", PORT)).map_err(|e| e.to_string())?;
    socket.set_nonblocking(true).map_err(|e| e.to_string())?;
    let mut core = CpuSet::new();
    core.set(1);
    let before = rustix::thread::sched_getaffinity(None).map_err(|e| e.to_string())?;
    sched_setaffinity(None, &core).map_err(|e| e.to_string())?;
    let waits = send(&socket, names, rate, seconds);
    sched_setaffinity(None, &before).map_err(|e| e.to_string())?;
    waits
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn send(socket: &UdpSocket, names: u32, rate: u32, seconds: u32) -> Result<Waits, String> {
    let questions: Vec<Vec<u8>> =
        (0..names.min(1_000)).map(|n| load::question(0, &format!("n{n}"))).collect();
    let total = rate as usize * seconds as usize;
    let each = Duration::from_secs(1) / rate;
    let mut due: Vec<Option<Instant>> = vec![None; WINDOW];
    let mut waited = Vec::with_capacity(total);
    let mut buffer = [0; 1_500];
    let start = Instant::now();
    let mut sent = 0;
    let mut end = None;
    while waited.len() < total && end.is_none_or(|end| Instant::now() < end) {
        let now = Instant::now();
        while sent < total && start + each * u32::try_from(sent).unwrap_or(u32::MAX) <= now {
            let mut question = questions[sent % questions.len()].clone();
            let id = u16::try_from(sent % WINDOW).unwrap_or(0);
            question[..2].copy_from_slice(&id.to_be_bytes());
            due[usize::from(id)] = Some(start + each * u32::try_from(sent).unwrap_or(u32::MAX));
            // A full buffer is the resolver's stall: the question counts as lost.
            let _full = socket.send(&question);
            sent += 1;
        }
        if sent == total && end.is_none() {
            end = Some(now + PATIENCE);
        }
        while let Ok(length) = socket.recv(&mut buffer) {
            if length > 12 {
                let id = usize::from(u16::from_be_bytes([buffer[0], buffer[1]]));
                if let Some(due) = due[id].take() {
                    waited.push(due.elapsed());
                }
            }
        }
    }
    waited.sort_unstable();
    let at = |part: f64| {
        let place = ((waited.len() as f64 * part) as usize).min(waited.len().saturating_sub(1));
        waited.get(place).map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e6)
    };
    let lost = 100.0 * (total - waited.len()) as f64 / total as f64;
    Ok(Waits { p50: at(0.5), p99: at(0.99), p999: at(0.999), lost })
}
