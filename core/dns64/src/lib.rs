//! DNS64 (RFC 6147): one question of a client in, questions to upstreams out, their answers in, one answer out.
//!
//! A machine without sockets and clock. It synthesises AAAA from A under the administrator's rules, keeps chains of aliases,
//! is authoritative for `ipv4only.arpa` and the reverse names of its prefixes, and refuses blocked labels. It is no cache (the
//! caller may have one, and says so where an answer is stale or a failure is an old one), no validator (the "not validating" column of RFC 6147, section 5.5 holds), and it does not choose upstreams: the caller
//! sends each [`Question`] where the forwarding rules say, checks that the answer belongs to it and repeats it over TCP when
//! it was truncated.
//!
//! ```
//! use sixgate_dns64::{Config, Dns64, Step};
//! use sixgate_time::Instant;
//!
//! # fn ask_upstream(_: &[u8]) -> Option<Vec<u8>> { None }
//! # fn clock() -> Instant { Instant::ZERO }
//! fn serve(dns64: &Dns64, message: &[u8]) -> Option<Vec<u8>> {
//!     let asker = "fd64::9".parse().ok()?;
//!     let mut exchange = match dns64.ask(clock(), asker, false, message) {
//!         Step::Answer(answer) => return Some(answer.message),
//!         Step::Drop(_reason) => return None,
//!         Step::Exchange(exchange) => exchange,
//!     };
//!     loop {
//!         // A real caller sends both at once, and waits for `next_timeout` too.
//!         while let Some(question) = exchange.poll_question() {
//!             let answer = ask_upstream(&question.message);
//!             exchange.handle_answer(clock(), question.key, answer.as_deref());
//!         }
//!         if let Some(answer) = exchange.poll_answer() {
//!             return Some(answer.message);
//!         }
//!         exchange.handle_timeout(exchange.next_timeout());
//!     }
//! }
//! # assert!(serve(&Dns64::new(Config::default()), &[0; 12]).is_some());
//! ```
//!
//! Modules: `config` (rules), `query` (the client's message), `lookup` (one name and type to the end of its chain),
//! `synthesis` (AAAA from A), `arpa` (own zones), `exchange` (the machine), `reply` (writing),
//! `rebinding` (addresses inside, from outside).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod answer;
mod arpa;
mod config;
mod exchange;
mod lookup;
mod query;
mod rebinding;
mod records;
mod reply;
mod special;
mod synthesis;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::net::IpAddr;

use domain::base::iana::{Class, OptRcode, Rtype, exterr::ExtendedErrorCode};
use sixgate_reason::{self as reason, Reason};
use sixgate_time::Instant;

pub use answer::{Answer, Kind};
pub use config::{Block, Config, NamePattern, Rule};
pub use exchange::{Exchange, Key, Question};
pub use lookup::Failure;

use exchange::{Origin, is_meta};
use lookup::Lookup;
use query::Fault;
use reply::Body;

/// The machine's rules. Cheap to clone; questions under way keep the rules they began with.
#[derive(Clone, Debug)]
pub struct Dns64 {
    config: Arc<Config>,
}

/// What becomes of a message.
#[derive(Debug)]
pub enum Step {
    /// Answered without any upstream.
    Answer(Answer),
    /// Upstreams are needed.
    Exchange(Box<Exchange>),
    /// Not even an error goes back.
    Drop(Reason),
}

impl Dns64 {
    /// A machine with these rules.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config: Arc::new(config) }
    }

    /// The rules.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Who has the same view gets the same answers: which rules serve this asker. `None` when there are too many to say.
    #[must_use]
    pub fn view(&self, asker: IpAddr) -> Option<u64> {
        self.config.view(asker)
    }

    /// An answer of an upstream that is not the organisation's own, without the records that lead inside; `None` where there are
    /// none. The exchange is to be told of it by [`Exchange::note_filtered`].
    #[must_use]
    pub fn without_inside(&self, answer: &[u8]) -> Option<alloc::vec::Vec<u8>> {
        rebinding::without_inside(&self.config, answer)
    }

    /// A client's message. `asker` is its address inside the tunnel or network, `stream` is true over TCP.
    #[must_use]
    pub fn ask(&self, now: Instant, asker: IpAddr, stream: bool, message: &[u8]) -> Step {
        let query = match query::parse(message) {
            Ok(query) => query,
            Err(Fault::Silent) => return Step::Drop(reason::DNS_MALFORMED),
            Err(Fault::Answer(head, rcode)) => {
                let message = reply::write_error(&head, rcode);
                return Step::Answer(Answer {
                    message,
                    kind: Kind::Invalid,
                    reason: Some(reason::DNS_MALFORMED),
                    lasting: false,
                });
            }
        };
        let limit = reply::limit(&query.head, stream, self.config.largest_datagram);
        let answer = |body: &Body, kind, reason| {
            let lasting = kind == Kind::Local;
            Step::Answer(Answer { message: reply::write(&query, body, limit), kind, reason, lasting })
        };
        if self.config.block.as_ref().is_some_and(|block| block.covers(&query.name)) {
            let body = Body::error(OptRcode::NXDOMAIN).explained(ExtendedErrorCode::BLOCKED, "blocked label");
            return answer(&body, Kind::Blocked, Some(reason::DNS_BLOCKED));
        }
        let mut before = None;
        let mut target = query.name.clone();
        if query.class == Class::IN {
            match arpa::judge(&self.config, asker, &query) {
                arpa::Local::Answer(body) => return answer(&body, Kind::Local, None),
                arpa::Local::Reverse(v4) => {
                    let (record, name) = arpa::alias(&query, v4);
                    before = Some(record);
                    target = name;
                }
                arpa::Local::Elsewhere => {}
            }
        }
        // Transfers need a signature.
        if matches!(query.rtype, Rtype::AXFR | Rtype::IXFR) {
            let body = Body::error(OptRcode::REFUSED);
            return answer(&body, Kind::Invalid, Some(reason::DNS_NOT_SERVED));
        }
        // RFC 8482, section 4.2: over UDP a large answer is somebody else's flood.
        if query.rtype == Rtype::ANY && query.class == Class::IN && !stream {
            return answer(
                &Body { answer: reply::minimal_any(&query.name), ..Body::default() },
                Kind::Local,
                None,
            );
        }
        let (rtype, class, head) = (query.rtype, query.class, query.head);
        let origin = Origin { config: Arc::clone(&self.config), query, asker, limit, now };
        if class != Class::IN || is_meta(rtype) {
            return Step::Exchange(Box::new(Exchange::raw(origin)));
        }
        // RFC 6147, section 5.5, case 3: who validates by himself gets the answer as it came.
        let validates = head.dnssec_ok() && head.checking_disabled;
        if rtype == Rtype::AAAA && !validates && !self.config.rules.is_empty() {
            return Step::Exchange(Box::new(Exchange::aaaa(origin)));
        }
        let lookup = Lookup::new(target, rtype, head.dnssec_ok());
        Step::Exchange(Box::new(Exchange::single(origin, lookup, before)))
    }
}
