//! Control's end of the seam: what it tells and asks the packet plane.

use std::sync::mpsc;

use sixgate_io_link::Waker;
use tokio::sync::oneshot;

use crate::seam::{Question, ToNet};

/// The way to the packet plane. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Net {
    to: mpsc::Sender<ToNet>,
    waker: Waker,
}

impl Net {
    pub(crate) fn new(to: mpsc::Sender<ToNet>, waker: Waker) -> Self {
        Self { to, waker }
    }

    /// Tells the packet plane something. When it is gone, the daemon is ending anyway.
    pub(crate) fn tell(&self, what: ToNet) {
        if self.to.send(what).is_ok() {
            self.waker.wake();
        }
    }

    /// Asks the packet plane; `None` when it is gone.
    pub(crate) async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (to, answer) = oneshot::channel();
        self.tell(ToNet::Ask(question(to)));
        answer.await.ok()
    }
}
