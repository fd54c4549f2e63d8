//! What control and worker say to each other, and nothing else is shared.

use std::net::Ipv4Addr;
use std::sync::mpsc;

use sixgate_io_link::Waker;
use sixgate_isatap::RouterView;
use sixgate_reason::Counters;
use sixgate_time::Instant;
use tokio::sync::oneshot;

use crate::evidence::Remembered;

/// Control to worker.
pub(crate) enum ToWorker {
    /// The potential routers, the most wanted first.
    Routers(Vec<Ipv4Addr>),
    /// A question.
    Ask(oneshot::Sender<View>),
    /// The end.
    Stop,
}

/// Worker to control.
pub(crate) enum ToControl {
    /// The first solicitation is on the wire.
    Solicited,
    /// Routers are known, and there is no IPv4 address to ask them from.
    Waiting,
    /// The machine woke up, its interface came back, or has another address: names may mean something else here.
    Moved,
    /// The host begins anew with this IPv4 address.
    Address(Ipv4Addr),
    /// The worker has ended, and why.
    Failed(String),
}

/// How the host is.
pub(crate) struct View {
    /// The IPv4 side.
    pub(crate) interface: Option<String>,
    /// Our address there.
    pub(crate) ipv4: Option<Ipv4Addr>,
    /// The routers, in the order of the list.
    pub(crate) routers: Vec<RouterView>,
    /// Routers that cannot be asked, because there is no IPv4 address to ask from, and since when.
    pub(crate) waiting: (Vec<Ipv4Addr>, Instant),
    /// The routes on the device, as a person reads them.
    pub(crate) routes: Vec<String>,
    /// Drops and refusals.
    pub(crate) counters: Box<Counters>,
    /// Solicitations and advertisements, for `doctor`.
    pub(crate) remembered: Box<Remembered>,
}

/// The way to the worker. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Work {
    to: mpsc::Sender<ToWorker>,
    waker: Waker,
}

impl Work {
    pub(crate) const fn new(to: mpsc::Sender<ToWorker>, waker: Waker) -> Self {
        Self { to, waker }
    }

    /// Tells the worker something. When it is gone, the daemon is ending anyway.
    pub(crate) fn tell(&self, what: ToWorker) {
        if self.to.send(what).is_ok() {
            self.waker.wake();
        }
    }

    /// Asks the worker; `None` when it is gone.
    pub(crate) async fn view(&self) -> Option<View> {
        let (to, answer) = oneshot::channel();
        self.tell(ToWorker::Ask(to));
        answer.await.ok()
    }
}
