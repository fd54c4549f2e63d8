//! A question that needs upstreams, from its first question to the finished answer.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use domain::base::iana::{Class, OptRcode, Rtype, exterr::ExtendedErrorCode};
use sixgate_reason as reason;
use sixgate_time::Instant;

use crate::answer::{Answer, Kind};
use crate::config::Config;
use crate::lookup::{End, Failure, Lookup, Outcome};
use crate::query::Query;
use crate::records::{OwnedRecord, Response};
use crate::reply::{self, Body};
use crate::synthesis::Synthesis;

/// A that is asked beside AAAA costs a question that may be in vain; A that is not costs a wait that may be.
const SHORTEST_HEAD_START: core::time::Duration = core::time::Duration::from_millis(5);
const LONGEST_HEAD_START: core::time::Duration = core::time::Duration::from_millis(50);
/// Time for a stale answer to arrive here once it may be given.
const PATIENCE_BEYOND_STALE: core::time::Duration = core::time::Duration::from_millis(100);

/// Names one of the questions of an [`Exchange`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(pub(crate) u8);

/// The question itself, or its IPv6 half.
const MAIN: Key = Key(0);
/// The IPv4 half.
const IPV4: Key = Key(1);

/// A question to send to an upstream, as a whole message whose id is zero.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// To be given back with the answer.
    pub key: Key,
    /// RD set, with an OPT record.
    pub message: Vec<u8>,
}

/// One asker's question under way. After every call drain [`Self::poll_question`] and [`Self::poll_answer`].
#[derive(Debug)]
pub struct Exchange {
    config: Arc<Config>,
    query: Query,
    asker: IpAddr,
    limit: usize,
    work: Work,
    deadline: Instant,
    answer: Option<Answer>,
    over: bool,
    doubt: Doubt,
}

/// What an asker should know about where its answer comes from.
#[derive(Clone, Copy, Default, Debug)]
struct Doubt {
    /// Part of it is past its time.
    stale: bool,
    /// Part of it is a failure of a short while ago.
    held: bool,
    /// Part of it is a failure, or was not waited for.
    failed: bool,
    /// Records were taken out.
    filtered: bool,
}

#[derive(Debug)]
enum Work {
    /// Passed on without a look at what it says.
    Raw { asked: bool },
    /// One lookup, with records that stand before what it finds.
    Single { side: Side, before: Option<OwnedRecord> },
    /// AAAA, synthesised where there is none.
    Aaaa(Synthesis),
}

/// A lookup and what became of it.
#[derive(Debug)]
pub(crate) struct Side {
    lookup: Lookup,
    waiting: bool,
    /// What it found is past its time.
    pub(crate) stale: bool,
    pub(crate) outcome: Option<Outcome>,
}

impl Side {
    pub(crate) fn new(lookup: Lookup) -> Self {
        Self { lookup, waiting: true, stale: false, outcome: None }
    }

    pub(crate) fn absorb(&mut self, message: Option<&[u8]>) {
        if self.outcome.is_none() {
            self.outcome = self.lookup.absorb(message);
            self.waiting = self.outcome.is_none();
        }
    }

    fn fail(&mut self, failure: Failure) {
        if self.outcome.is_none() {
            self.outcome = Some(self.lookup.fail(failure));
            self.waiting = false;
        }
    }

    fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    fn poll(&mut self, key: Key, query: &Query) -> Option<Question> {
        if !core::mem::take(&mut self.waiting) {
            return None;
        }
        let (name, rtype) = self.lookup.question();
        let head = &query.head;
        let message = reply::question(name, rtype, Class::IN, head.dnssec_ok(), head.checking_disabled);
        Some(Question { key, message })
    }
}

/// Where an exchange comes from: the same for every kind.
pub(crate) struct Origin {
    pub(crate) config: Arc<Config>,
    pub(crate) query: Query,
    pub(crate) asker: IpAddr,
    pub(crate) limit: usize,
    pub(crate) now: Instant,
}

impl Exchange {
    pub(crate) fn raw(origin: Origin) -> Self {
        Self::new(origin, Work::Raw { asked: false })
    }

    pub(crate) fn single(origin: Origin, lookup: Lookup, before: Option<OwnedRecord>) -> Self {
        Self::new(origin, Work::Single { side: Side::new(lookup), before })
    }

    pub(crate) fn aaaa(origin: Origin) -> Self {
        let work = Synthesis::new(&origin.config, &origin.query, origin.asker, origin.now);
        Self::new(origin, Work::Aaaa(work))
    }

    fn new(origin: Origin, work: Work) -> Self {
        let Origin { config, query, asker, limit, now } = origin;
        let deadline = now + config.deadline;
        Self {
            config,
            query,
            asker,
            limit,
            work,
            deadline,
            answer: None,
            over: false,
            doubt: Doubt::default(),
        }
    }

    /// True for an asker that wants no upstream to be asked (RD=0): what is not at hand is refused with [`Self::refuse`].
    #[must_use]
    pub const fn wants_no_recursion(&self) -> bool {
        !self.query.head.recursion
    }

    /// Ends the exchange with REFUSED.
    pub fn refuse(&mut self) {
        if !self.over {
            self.finish(Body::error(OptRcode::REFUSED), Kind::Invalid);
        }
    }

    /// The upstream usually answers within this time: A is asked beside a AAAA that takes longer, within bounds of 5 and 50 ms.
    /// To be called at once, if at all.
    pub fn expect_within(&mut self, now: Instant, round_trip: core::time::Duration) {
        if let Work::Aaaa(synthesis) = &mut self.work {
            synthesis.head_start = now + round_trip.clamp(SHORTEST_HEAD_START, LONGEST_HEAD_START);
        }
    }

    /// The name that is asked about, as the asker spelt it.
    #[must_use]
    pub const fn name(&self) -> &crate::records::OwnedName {
        &self.query.name
    }

    /// An answer past its time is at hand for when no upstream answers until then: AAAA is waited for so long, rather than
    /// replaced by A before.
    pub fn await_stale(&mut self, until: Instant) {
        if let Work::Aaaa(synthesis) = &mut self.work {
            synthesis.patience = synthesis.patience.max(until + PATIENCE_BEYOND_STALE);
        }
    }

    /// The next question to send, if any.
    pub fn poll_question(&mut self) -> Option<Question> {
        if self.over {
            return None;
        }
        match &mut self.work {
            Work::Raw { asked } => {
                if core::mem::replace(asked, true) {
                    return None;
                }
                let Query { head, name, rtype, class } = &self.query;
                let message = reply::question(name, *rtype, *class, head.dnssec_ok(), head.checking_disabled);
                Some(Question { key: MAIN, message })
            }
            Work::Single { side, .. } => side.poll(MAIN, &self.query),
            Work::Aaaa(synthesis) => {
                let main = synthesis.native.as_mut().and_then(|side| side.poll(MAIN, &self.query));
                main.or_else(|| synthesis.ipv4.as_mut().and_then(|side| side.poll(IPV4, &self.query)))
            }
        }
    }

    /// An upstream's answer to the question with this key, or `None` when no upstream gave one. Answers to questions
    /// that were not asked do no harm.
    pub fn handle_answer(&mut self, now: Instant, key: Key, message: Option<&[u8]>) {
        match message {
            Some(message) => self.handle(now, key, Ok(message)),
            None => self.handle(now, key, Err(Failure::Silence)),
        }
    }

    /// An answer past its time, because no upstream gives a better one (RFC 8767).
    pub fn handle_stale(&mut self, now: Instant, key: Key, message: &[u8]) {
        self.doubt.stale = true;
        if let Work::Aaaa(Synthesis { native: Some(side), .. }) = &mut self.work
            && key == MAIN
        {
            side.stale = true;
        }
        self.handle(now, key, Ok(message));
    }

    /// Something was taken out of an answer that is given next.
    pub const fn note_filtered(&mut self) {
        self.doubt.filtered = true;
    }

    /// No upstream gave a usable answer. `held` says that this was found out for an earlier question (RFC 9520).
    pub fn handle_failure(&mut self, now: Instant, key: Key, failure: Failure, held: bool) {
        self.doubt.held |= held;
        self.handle(now, key, Err(failure));
    }

    fn handle(&mut self, now: Instant, key: Key, answer: Result<&[u8], Failure>) {
        if self.over {
            return;
        }
        self.doubt.failed |= answer.is_err();
        let absorb = |side: &mut Side| match answer {
            Ok(message) => side.absorb(Some(message)),
            Err(failure) => side.fail(failure),
        };
        match &mut self.work {
            Work::Raw { .. } => {
                let (body, kind) = match answer {
                    Ok(message) => self.pass(message),
                    Err(failure) => failed(failure),
                };
                self.finish(body, kind);
            }
            Work::Single { side, before } => {
                absorb(side);
                if let Some(outcome) = side.outcome.take() {
                    let before = before.take();
                    let (body, kind) = found(outcome, before);
                    self.finish(body, kind);
                }
            }
            Work::Aaaa(synthesis) => {
                let side = if key == IPV4 { &mut synthesis.ipv4 } else { &mut synthesis.native };
                if let Some(side) = side {
                    absorb(side);
                }
                self.settle(now);
            }
        }
    }

    /// Call when [`Self::next_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.over {
            return;
        }
        if now >= self.deadline {
            let (body, kind) = failed(Failure::Silence);
            self.finish(body, kind);
            return;
        }
        self.settle(now);
    }

    /// When the machine wants to be called again at the latest.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        if self.over {
            return Instant::NEVER;
        }
        match &self.work {
            Work::Aaaa(synthesis) => synthesis.next_timeout().min(self.deadline),
            Work::Raw { .. } | Work::Single { .. } => self.deadline,
        }
    }

    /// The finished answer, once.
    pub fn poll_answer(&mut self) -> Option<Answer> {
        self.answer.take()
    }

    fn settle(&mut self, now: Instant) {
        if let Work::Aaaa(synthesis) = &mut self.work
            && let Some((body, kind)) = synthesis.settle(&self.config, &self.query, self.asker, now)
        {
            // A half that was not waited for may say something else a moment later.
            self.doubt.failed |= synthesis.native.as_ref().is_some_and(Side::is_open);
            self.finish(body, kind);
        }
    }

    fn finish(&mut self, mut body: Body, kind: Kind) {
        let reason = match kind {
            Kind::Failed => Some(reason::DNS_UPSTREAM_FAILED),
            Kind::Invalid => Some(reason::DNS_NOT_SERVED),
            Kind::Passed | Kind::Synthesised | Kind::Local | Kind::Blocked => None,
        };
        let Doubt { stale, held, failed, filtered } = self.doubt;
        if stale && kind != Kind::Failed {
            // RFC 8914, sections 4.4 and 4.20
            let gone = body.rcode == Some(OptRcode::NXDOMAIN);
            let code =
                if gone { ExtendedErrorCode::STALE_NXDOMAIN_ANSWER } else { ExtendedErrorCode::STALE_ANSWER };
            body = body.explained(code, "");
        }
        if filtered {
            body = body.explained(ExtendedErrorCode::FILTERED, "an address inside, from outside");
        }
        if held && kind == Kind::Failed {
            body = body.explained(ExtendedErrorCode::CACHED_ERROR, "");
        }
        let message = reply::write(&self.query, &body, self.limit);
        self.over = true;
        let lasting = !stale && !failed && !filtered && matches!(kind, Kind::Passed | Kind::Synthesised);
        self.answer = Some(Answer { message, kind, reason, lasting });
    }

    /// The upstream's sections as they came.
    fn pass(&self, message: &[u8]) -> (Body, Kind) {
        let Query { name, rtype, class, .. } = &self.query;
        let Some(response) = Response::parse(message, name, *rtype, *class) else {
            return failed(Failure::Malformed);
        };
        match response.rcode {
            OptRcode::NOERROR | OptRcode::NXDOMAIN | OptRcode::YXDOMAIN => {}
            other => return failed(Failure::Refused(other, response.extended_error)),
        }
        let Response { rcode, answer, authority, additional, .. } = response;
        (Body { rcode: Some(rcode), answer, authority, additional, ..Body::default() }, Kind::Passed)
    }
}

/// What a lookup found, as an answer.
pub(crate) fn found(outcome: Outcome, before: Option<OwnedRecord>) -> (Body, Kind) {
    let rcode = match outcome.end {
        End::Exists => OptRcode::NOERROR,
        End::NoName => OptRcode::NXDOMAIN,
        End::TooLong => OptRcode::YXDOMAIN,
        End::Failed(failure) => return failed(failure),
    };
    let answer = before.into_iter().chain(outcome.chain).chain(outcome.data).collect();
    (Body { rcode: Some(rcode), answer, authority: outcome.denial, ..Body::default() }, Kind::Passed)
}

/// SERVFAIL, and why.
pub(crate) fn failed(failure: Failure) -> (Body, Kind) {
    let body = Body::error(OptRcode::SERVFAIL);
    let body = match failure {
        Failure::Silence => {
            body.explained(ExtendedErrorCode::NO_REACHABLE_AUTHORITY, "no upstream server answered")
        }
        Failure::Unusable => {
            body.explained(ExtendedErrorCode::NETWORK_ERROR, "no upstream server gave an answer that belongs")
        }
        Failure::Malformed => {
            body.explained(ExtendedErrorCode::INVALID_DATA, "the upstream server's answer is malformed")
        }
        Failure::Refused(OptRcode::REFUSED, None) => {
            body.explained(ExtendedErrorCode::NO_REACHABLE_AUTHORITY, "the upstream server refused")
        }
        Failure::Refused(_, Some(code)) => {
            body.explained(ExtendedErrorCode::from_int(code), "the upstream server failed")
        }
        Failure::Refused(_, None) => body.explained(ExtendedErrorCode::OTHER, "the upstream server failed"),
        Failure::Loop => body.explained(ExtendedErrorCode::OTHER, "too many aliases"),
    };
    (body, Kind::Failed)
}

/// True for types whose answer is more than a chain of aliases and records at its end.
pub(crate) fn is_meta(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::ANY | Rtype::CNAME | Rtype::DNAME | Rtype::RRSIG | Rtype::SIG | Rtype::NXT)
}
