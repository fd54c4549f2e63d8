//! A cache of DNS answers: what upstreams said, and finished answers to askers.
//!
//! Two tables without sockets and clock. [`Cache`] keeps what is left of an upstream's answer ([`kept`]): each name and type
//! apart, denials (RFC 2308), failures (RFC 9520) and answers past their time (RFC 8767). [`Finished`] keeps whole answers
//! as octets, so that a question that was answered before costs a look-up and a copy. Both are bounded in octets, and one
//! client cannot push out more than its share.
//!
//! It does not ask anybody and makes nothing of what it keeps: the caller asks upstreams and joins equal questions.
//!
//! ```
//! use sixgate_cache::{Asked, Cache, Cause, Look, Options, kept};
//! use sixgate_time::Instant;
//!
//! # fn ask_upstream(_: &[u8]) -> Option<Vec<u8>> { None }
//! # fn clock() -> Instant { Instant::ZERO }
//! fn resolve(cache: &mut Cache, question: &[u8]) -> Option<Vec<u8>> {
//!     let client = "fd64::9".parse().ok()?;
//!     let asked = Asked::of(question, 0)?;
//!     let stale = match cache.look(clock(), &asked) {
//!         Look::Fresh { message, .. } => return Some(message),
//!         Look::Held { stale, .. } => return stale,
//!         Look::Absent { stale } => stale,
//!     };
//!     let answer = ask_upstream(question);
//!     match answer.as_deref().map(|answer| kept::keep(answer, &asked, |_name| true)) {
//!         Some(Ok(kept)) => {
//!             cache.store(clock(), &asked, client, &kept);
//!             Some(kept.message)
//!         }
//!         Some(Err(cause)) => { cache.fail(clock(), &asked, client, cause); stale }
//!         None => { cache.fail(clock(), &asked, client, Cause::Silence); stale }
//!     }
//! }
//! # let mut cache = Cache::new(Options::default(), [0; 16]);
//! # assert!(resolve(&mut cache, &[0; 12]).is_none());
//! ```
//!
//! Modules: `asked` (what a question is known by), [`kept`] (what is kept of an answer), `cache`, `finished`, `shares` (the
//! bounded table under both), `keyed` (its hash).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod asked;
mod cache;
mod finished;
pub mod kept;
mod keyed;
mod packed;
mod shares;
mod ticks;

pub use asked::Asked;
pub use cache::{Cache, Cause, Look, Options, State};
pub use finished::{Finished, Quick};
pub use shares::Usage;
