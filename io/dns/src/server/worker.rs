//! Questions over UDP on threads of their own: what can be answered at once is, a batch at a time, without a task, a lock or
//! an allocation; the rest goes to the runtime.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::{Shutdown, shutdown, sockopt};
use sixgate_reason::{DNS_MALFORMED, DNS_NOT_ALLOWED, DNS_OVERLOAD};
use tokio::runtime::Handle;

use super::batch::{Batch, Way};
use super::gate::Gate;
use super::{Front, Handler, Quick, Request, answers};

const HEADER: usize = 12;
/// So often a worker that nobody asks looks whether it is to end.
const LOOK_UP: Duration = Duration::from_secs(1);

/// A worker's thread; ends it when dropped.
pub(super) struct Worker {
    socket: Arc<OwnedFd>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        // Wakes the thread; "not connected" is what it says although it does.
        let _woken = shutdown(&self.socket, Shutdown::Read);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// Starts a worker. Must be called inside a tokio runtime, which does what cannot be done at once.
pub(super) fn start<H: Handler, F: Front>(
    socket: OwnedFd,
    number: usize,
    gate: Arc<Gate>,
    handler: Arc<H>,
    front: F,
) -> io::Result<Worker> {
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(LOOK_UP))?;
    rustix::io::ioctl_fionbio(&socket, false)?;
    let (socket, end) = (Arc::new(socket), Arc::new(AtomicBool::new(false)));
    let mut run = Run {
        socket: Arc::clone(&socket),
        number,
        gate,
        handler,
        front,
        runtime: Handle::current(),
        last: None,
    };
    let over = Arc::clone(&end);
    let thread = std::thread::Builder::new().name(format!("dns-{number}")).spawn(move || run.serve(&over))?;
    Ok(Worker { socket, end, thread: Some(thread) })
}

struct Run<H, F> {
    socket: Arc<OwnedFd>,
    number: usize,
    gate: Arc<Gate>,
    handler: Arc<H>,
    front: F,
    runtime: Handle,
    /// Who asked last, and whether it may.
    last: Option<(IpAddr, bool)>,
}

impl<H: Handler, F: Front> Run<H, F> {
    fn serve(&mut self, end: &AtomicBool) {
        self.front.enter();
        let mut batch = Batch::new();
        while !end.load(Ordering::Relaxed) {
            // An error here is that nobody asked, or an ICMP message about an earlier answer; the socket goes on.
            let Ok(came) = batch.receive(&self.socket) else { continue };
            self.front.begin();
            for at in 0..came {
                self.one(&mut batch, at);
            }
            batch.send(&self.socket);
        }
    }

    fn one(&mut self, batch: &mut Batch, at: usize) {
        let Some(client) = batch.way(at).and_then(Way::peer) else { return };
        let good = batch.question(at).is_some_and(|message| message.len() >= HEADER);
        if !good || client.port() == 0 {
            self.handler.refused(client.ip(), DNS_MALFORMED);
            return;
        }
        if !self.allows(client.ip()) {
            self.handler.refused(client.ip(), DNS_NOT_ALLOWED);
            // Seldom, or somebody's flood: no longer than the question with an OPT record either way.
            if let (Some(message), Some(way)) = (batch.question(at), batch.way(at))
                && let Some(answer) = answers::refuse(message)
            {
                way.send(&self.socket, &answer);
            }
            return;
        }
        if let Err(reason) = self.gate.rate(client.ip()) {
            self.handler.refused(client.ip(), reason);
            return;
        }
        let front = &mut self.front;
        let said = batch.answer(at, |message, out| match front.answer(client.ip(), message, out) {
            Quick::Answer { length, refresh } => (Some(length), (true, refresh)),
            Quick::Slow => (None, (false, false)),
        });
        match said {
            Some((true, false)) | None => {}
            Some((answered, _)) => {
                if let (Some(message), Some(way)) = (batch.question(at), batch.way(at)) {
                    self.slowly(client, message, (!answered).then_some(*way));
                }
            }
        }
    }

    /// Without a way back the answer is only made, so that it is at hand the next time.
    fn slowly(&self, client: SocketAddr, message: &[u8], back: Option<Way>) {
        let message = message.to_vec();
        let request = Request { client, stream: false, message, worker: Some(self.number) };
        let place = match self.gate.place(client.ip()) {
            Ok(place) => place,
            Err(reason) => {
                let Some(back) = back else { return };
                // Names that nobody has to be asked for must not wait for those that nobody answers.
                let looks = reason == DNS_OVERLOAD && self.gate.looks(client.ip());
                match looks.then(|| self.handler.handle_at_once(&request)).flatten() {
                    Some(answer) => back.send(&self.socket, &answer),
                    None => self.handler.refused(client.ip(), reason),
                }
                return;
            }
        };
        let (socket, handler) = (Arc::clone(&self.socket), Arc::clone(&self.handler));
        self.runtime.spawn(async move {
            if let (Some(answer), Some(back)) = (handler.handle(request).await, back) {
                back.send(socket.as_fd(), &answer);
            }
            drop(place);
        });
    }

    fn allows(&mut self, client: IpAddr) -> bool {
        match self.last {
            Some((last, allowed)) if last == client => allowed,
            _ => {
                let allowed = self.gate.allows(client);
                self.last = Some((client, allowed));
                allowed
            }
        }
    }
}
