//! When the certificate is renewed, and what becomes of it.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rustls::ClientConfig;
use tokio::time::Instant;

use super::Control;
use crate::status::Wish;
use crate::{Failure, renew};

/// The wall clock is looked at again after so long: it may have been set, and the machine may have slept.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

type Running = Pin<Box<dyn Future<Output = Result<Arc<ClientConfig>, Failure>>>>;

/// The renewal that runs, who waits for it, and when the next one is looked at.
#[derive(Default)]
pub(super) struct Renewal {
    running: Option<Running>,
    wishes: Vec<Wish>,
    next_look: Option<Instant>,
}

impl Renewal {
    /// Resolves when it is time to look whether a renewal is due; never while one runs.
    pub(super) fn due(&self) -> impl Future<Output = ()> + use<> {
        let next = self.next_look.filter(|_| self.running.is_none());
        async move {
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => pending().await,
            }
        }
    }

    /// The outcome of the renewal that runs; never when there is none.
    pub(super) async fn outcome(&mut self) -> Result<Arc<ClientConfig>, Failure> {
        let Some(running) = &mut self.running else { return pending().await };
        let outcome = running.await;
        self.running = None;
        outcome
    }
}

impl Control {
    /// Reads the certificate's dates, and plans by them.
    pub(super) fn look_at_certificate(&mut self) {
        let Ok(validity) = renew::validity(&self.config) else { return };
        self.board.facts().certificate_until = Timestamp::try_from(validity.1).ok();
        let wait = renew::wait(validity, SystemTime::now());
        self.renewal.next_look = Some(Instant::now() + wait.min(LOOK_AGAIN));
    }

    /// Begins a renewal: because somebody wishes it, or when it is due.
    pub(super) fn renew(&mut self, wish: Option<Wish>) {
        if wish.is_none() {
            let validity = renew::validity(&self.config);
            if !validity.is_ok_and(|v| renew::wait(v, SystemTime::now()).is_zero()) {
                return self.look_at_certificate();
            }
        }
        self.renewal.wishes.extend(wish);
        if self.renewal.running.is_none() {
            let (tls, resolver) = (Arc::clone(&self.tls), Arc::clone(&self.resolver));
            self.renewal.running = Some(Box::pin(renew::renew(self.config.clone(), tls, resolver)));
        }
    }

    /// The next connection shows the new certificate; the one that stands goes on with the older.
    pub(super) fn renewed(&mut self, outcome: Result<Arc<ClientConfig>, Failure>) {
        let told = match outcome {
            Ok(tls) => {
                self.tls = tls;
                self.look_at_certificate();
                let until = self.board.facts().certificate_until.unwrap_or(Timestamp::UNIX_EPOCH);
                tracing::info!(until = until.to_string(), "certificate renewed");
                Ok(until)
            }
            Err(failure) => {
                self.renewal.next_look = Some(Instant::now() + renew::AGAIN);
                tracing::warn!("the certificate was not renewed: {failure}");
                Err(failure)
            }
        };
        for wish in self.renewal.wishes.drain(..) {
            // Who does not wait any more has nothing to be told.
            let _ = wish.send(told.as_ref().copied().map_err(Failure::clone));
        }
    }
}
