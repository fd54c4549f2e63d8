//! Drives one question through the machine: sends what it asks, tells it what time it is.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use sixgate_dns64::{Answer, Dns64, Step};
use sixgate_io_dns::upstream::Forwarder;
use sixgate_reason::Reason;
use tokio::task::JoinSet;

/// The rules under which a question is answered.
pub(super) struct Asker {
    pub(super) dns64: Dns64,
    pub(super) forwarder: Arc<Forwarder>,
    pub(super) start: Instant,
}

/// What became of a message.
pub(super) struct Outcome {
    pub(super) answer: Option<Answer>,
    pub(super) reason: Option<Reason>,
    /// Answers of upstreams that did not belong to their question.
    pub(super) mismatches: u64,
}

/// A question to an upstream, and what came back.
pub(super) struct Asked<'a> {
    pub(super) question: &'a [u8],
    pub(super) answer: Option<&'a [u8]>,
}

impl Asker {
    /// `seen` is told of every question to an upstream.
    pub(super) async fn ask(
        &self,
        client: IpAddr,
        stream: bool,
        message: &[u8],
        mut seen: impl FnMut(Asked<'_>) + Send,
    ) -> Outcome {
        let mut exchange = match self.dns64.ask(self.now(), client, stream, message) {
            Step::Answer(answer) => {
                return Outcome { reason: answer.reason, answer: Some(answer), mismatches: 0 };
            }
            Step::Drop(reason) => return Outcome { answer: None, reason: Some(reason), mismatches: 0 },
            Step::Exchange(exchange) => exchange,
        };
        let mut asked = JoinSet::new();
        let answer = loop {
            while let Some(question) = exchange.poll_question() {
                let forwarder = Arc::clone(&self.forwarder);
                asked.spawn(async move {
                    let answer = forwarder.exchange(&question.message).await.ok();
                    (question, answer)
                });
            }
            if let Some(answer) = exchange.poll_answer() {
                break answer;
            }
            let until = self.start + std::time::Duration::from_nanos(exchange.next_timeout().as_nanos());
            tokio::select! {
                Some(Ok((question, answer))) = asked.join_next() => {
                    seen(Asked { question: &question.message, answer: answer.as_deref() });
                    exchange.handle_answer(self.now(), question.key, answer.as_deref());
                }
                () = tokio::time::sleep_until(until.into()) => exchange.handle_timeout(self.now()),
            }
        };
        // Those of questions that run beside this one are among them; the sum is what is read.
        let mismatches = self.forwarder.take_mismatches();
        Outcome { reason: answer.reason, answer: Some(answer), mismatches }
    }

    fn now(&self) -> sixgate_time::Instant {
        let nanos = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        sixgate_time::Instant::from_nanos(nanos)
    }
}
