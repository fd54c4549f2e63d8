//! Control's end of the seam: what it tells and asks the packet plane.

use std::sync::{Arc, mpsc};

use sixgate_io_link::Waker;
use tokio::sync::oneshot;

use super::merge::Merge;
use crate::seam::{Question, ToNet};

/// The way to the packet plane. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Net {
    workers: Arc<[(mpsc::Sender<ToNet>, Waker)]>,
}

impl Net {
    /// With the way to each worker.
    pub(crate) fn new(workers: Vec<(mpsc::Sender<ToNet>, Waker)>) -> Self {
        Self { workers: workers.into() }
    }

    /// How many workers there are.
    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Tells the packet plane something. When it is gone, the daemon is ending anyway.
    pub(crate) fn tell(&self, what: ToNet) {
        for further in 1..self.workers.len() {
            if let Some(copy) = what.for_another() {
                self.tell_one(further, copy);
            }
        }
        self.tell_one(0, what);
    }

    /// Asks the packet plane, every worker of it; `None` when it is gone.
    pub(crate) async fn ask<T: Merge>(&self, question: impl Fn(oneshot::Sender<T>) -> Question) -> Option<T> {
        let mut answers = Vec::with_capacity(self.workers.len());
        for worker in 0..self.workers.len() {
            let (to, answer) = oneshot::channel();
            self.tell_one(worker, ToNet::Ask(question(to)));
            answers.push(answer);
        }
        let mut all: Option<T> = None;
        for answer in answers {
            // A worker that has nothing to say says nothing.
            match (&mut all, answer.await.ok()) {
                (Some(all), Some(more)) => all.merge(more),
                (all @ None, first) => *all = first,
                (Some(_), None) => {}
            }
        }
        all
    }

    fn tell_one(&self, worker: usize, what: ToNet) {
        if let Some((to, waker)) = self.workers.get(worker)
            && to.send(what).is_ok()
        {
            waker.wake();
        }
    }
}
