//! Drives one question through the machine: has the resolver find what it asks, and tells it what time it is.

use std::net::IpAddr;
use std::sync::Arc;

use sixgate_dns64::{Answer, Exchange, Question, Step};
use sixgate_reason::Reason;
use sixgate_time::Instant;
use tokio::task::JoinSet;

use super::Rules;
use super::clock::Clock;
use super::resolver::{Begun, Found, Held, Resolver, STALE_AFTER};

/// The rules under which a question is answered.
pub(super) struct Asker {
    pub(super) rules: Arc<Rules>,
    pub(super) resolver: Arc<Resolver>,
    pub(super) clock: Clock,
}

/// What became of a message.
pub(super) struct Outcome {
    pub(super) answer: Option<Answer>,
    pub(super) reason: Option<Reason>,
    /// Nobody had to be asked.
    pub(super) at_hand: bool,
}

/// A question to an upstream or to the cache, and what came back.
pub(super) struct Asked<'a> {
    pub(super) question: &'a [u8],
    pub(super) found: &'a Found,
    /// It was at hand.
    pub(super) cached: bool,
}

impl Asker {
    /// `seen` is told of every question that the machine has.
    pub(super) async fn ask(
        &self,
        client: IpAddr,
        stream: bool,
        message: &[u8],
        mut seen: impl FnMut(Asked<'_>) + Send,
    ) -> Outcome {
        let start = self.clock.now();
        let mut exchange = match self.begin(start, client, stream, message) {
            Ok(exchange) => exchange,
            Err(outcome) => return outcome,
        };
        if exchange.wants_no_recursion() {
            return self.answer_without_recursion(exchange);
        }
        if let Some(round_trip) = self.rules.forwarder.round_trip(exchange.name()) {
            exchange.expect_within(start, round_trip);
        }
        let (mut waiting, mut at_hand) = (JoinSet::new(), true);
        let answer = loop {
            while let Some(question) = exchange.poll_question() {
                match self.resolver.begin(&question.message, client, &self.rules.forwarder) {
                    Begun::Now(found) => {
                        seen(Asked { question: &question.message, found: &found, cached: true });
                        self.give(&mut exchange, &question, found);
                    }
                    Begun::Later(flight) => {
                        at_hand = false;
                        if flight.stale.is_some() {
                            exchange.await_stale(start + STALE_AFTER);
                        }
                        let patience = STALE_AFTER.saturating_sub(self.clock.now().since(start));
                        let resolver = Arc::clone(&self.resolver);
                        waiting.spawn(async move { (question, resolver.finish(flight, patience).await) });
                    }
                }
            }
            if let Some(answer) = exchange.poll_answer() {
                break answer;
            }
            tokio::select! {
                Some(Ok((question, found))) = waiting.join_next() => {
                    seen(Asked { question: &question.message, found: &found, cached: false });
                    self.give(&mut exchange, &question, found);
                }
                () = tokio::time::sleep_until(self.clock.at(exchange.next_timeout())) => {
                    exchange.handle_timeout(self.clock.now());
                }
            }
        };
        Outcome { reason: answer.reason, answer: Some(answer), at_hand }
    }

    /// The answer where it needs nobody; nothing otherwise.
    pub(super) fn ask_at_once(&self, client: IpAddr, stream: bool, message: &[u8]) -> Option<Answer> {
        match self.begin(self.clock.now(), client, stream, message) {
            Ok(exchange) => self.answer_at_hand(exchange).ok(),
            Err(outcome) => outcome.answer,
        }
    }

    fn begin(
        &self,
        now: Instant,
        client: IpAddr,
        stream: bool,
        message: &[u8],
    ) -> Result<Box<Exchange>, Outcome> {
        match self.rules.dns64.ask(now, client, stream, message) {
            Step::Exchange(exchange) => Ok(exchange),
            Step::Answer(answer) => {
                Err(Outcome { reason: answer.reason, answer: Some(answer), at_hand: true })
            }
            Step::Drop(reason) => Err(Outcome { answer: None, reason: Some(reason), at_hand: true }),
        }
    }

    /// RFC 1035, section 4.3.1: who wants no recursion gets what is at hand.
    fn answer_without_recursion(&self, exchange: Box<Exchange>) -> Outcome {
        let answer = self.answer_at_hand(exchange).or_else(|mut exchange| {
            exchange.refuse();
            exchange.poll_answer().ok_or(())
        });
        let answer = answer.ok();
        Outcome { reason: answer.as_ref().and_then(|answer| answer.reason), answer, at_hand: true }
    }

    fn answer_at_hand(&self, mut exchange: Box<Exchange>) -> Result<Answer, Box<Exchange>> {
        loop {
            if let Some(answer) = exchange.poll_answer() {
                return Ok(answer);
            }
            let Some(question) = exchange.poll_question() else { return Err(exchange) };
            let Some(found) = self.resolver.at_hand(&question.message, &self.rules.forwarder) else {
                return Err(exchange);
            };
            self.give(&mut exchange, &question, Found::Answer(found));
        }
    }

    fn give(&self, exchange: &mut Exchange, question: &Question, found: Found) {
        let now = self.clock.now();
        match found {
            Found::Answer(message) => {
                let message = self.filtered(exchange, question, message);
                exchange.handle_answer(now, question.key, Some(&message));
            }
            Found::Stale(message) => {
                let message = self.filtered(exchange, question, message);
                exchange.handle_stale(now, question.key, &message);
            }
            Found::Failed(failure, Held(held)) => exchange.handle_failure(now, question.key, failure, held),
        }
    }

    /// The servers of a suffix are the organisation's own; what others say must not lead inside, where that is wanted.
    fn filtered(&self, exchange: &mut Exchange, question: &Question, message: Vec<u8>) -> Vec<u8> {
        if !self.rules.rebinding_protection || self.rules.forwarder.is_internal(&question.message) {
            return message;
        }
        match self.rules.dns64.without_inside(&message) {
            Some(clean) => {
                exchange.note_filtered();
                clean
            }
            None => message,
        }
    }
}
