//! One question to several servers: whoever answers properly first.
//!
//! Each try is a new socket, so that the kernel chooses a new port, with a new id (RFC 5452, sections 9 and 10). A server
//! that does not answer costs its time-out once; then the next is asked.

mod choice;
mod datagram;
mod forward;
mod matching;
pub(crate) mod stream;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::base::Message;
use domain::base::iana::Rcode;
use tokio::time::Instant;

pub use choice::Standing;
pub use forward::{Forwarder, Source};

use choice::Choice;
use datagram::Datagram;
use matching::Expected;

/// All tries together: the asker gives up then too.
const DEADLINE: Duration = Duration::from_secs(5);
/// RFC 9520, section 3.1: tries for one address and question.
const TRIES: u32 = 3;

/// Servers that know the same names.
#[derive(Debug)]
pub struct Upstreams {
    choice: Choice,
    mismatches: AtomicU64,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExchangeError {
    /// The question cannot be read.
    Question,
    /// No server is configured.
    NoServer,
    /// No server answered in time.
    Silence,
    /// Servers answered, but nothing that belongs to the question.
    Unusable,
}

impl std::fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Question => "the question cannot be read",
            Self::NoServer => "no name server is configured",
            Self::Silence => "no name server answered",
            Self::Unusable => "no name server gave an answer that belongs to the question",
        })
    }
}

impl std::error::Error for ExchangeError {}

/// What one try at one server brought.
enum Try {
    Answer(Vec<u8>),
    Silence,
    Unusable,
}

impl Upstreams {
    /// Servers in order of preference.
    #[must_use]
    pub fn new(servers: &[SocketAddr]) -> Self {
        Self { choice: Choice::new(servers), mismatches: AtomicU64::new(0) }
    }

    /// Mixes the case of names also for servers on loopback, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn mixing_everywhere(self) -> Self {
        self.choice.mix_everywhere();
        self
    }

    /// Answers that did not belong to their question, since this was last asked.
    #[must_use]
    pub fn take_mismatches(&self) -> u64 {
        self.mismatches.swap(0, Ordering::Relaxed)
    }

    /// The smoothed round trip of the fastest server; `None` before the first answer.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.choice.round_trip()
    }

    /// What is known of each server, in the order of the file.
    pub fn standings(&self) -> impl Iterator<Item = Standing> + '_ {
        self.choice.standings()
    }

    /// The servers.
    pub fn servers(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.choice.servers()
    }

    /// Sends a question, whose id does not matter, and gives the answer with the question's id. An answer is whole: what
    /// was truncated has been fetched over TCP. An error of one server is given when no other has anything better.
    ///
    /// # Errors
    /// See [`ExchangeError`].
    pub async fn exchange(&self, question: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        let deadline = Instant::now() + DEADLINE;
        let mut expected = Expected::of(question).ok_or(ExchangeError::Question)?;
        let mut second_best = None;
        let mut error = ExchangeError::NoServer;
        for round in 0..TRIES {
            for server in self.choice.order() {
                let patience = self.choice.patience(server, round, round + 1 == TRIES);
                let until = (Instant::now() + patience).min(deadline);
                let started = Instant::now();
                match self.try_one(server, &mut expected, until, deadline).await {
                    Try::Answer(answer) => {
                        self.choice.answered(server, started.elapsed());
                        if is_final(&answer) {
                            return Ok(answer);
                        }
                        self.choice.failed(server);
                        second_best = Some(answer);
                    }
                    Try::Silence => {
                        self.choice.silent(server);
                        error = ExchangeError::Silence;
                    }
                    Try::Unusable => {
                        self.choice.failed(server);
                        error = ExchangeError::Unusable;
                    }
                }
                if Instant::now() >= deadline {
                    return second_best.ok_or(error);
                }
            }
            // Every server spoke, and asking again would only repeat it.
            if let Some(answer) = second_best {
                return Ok(answer);
            }
        }
        Err(error)
    }

    async fn try_one(
        &self,
        server: usize,
        expected: &mut Expected,
        until: Instant,
        deadline: Instant,
    ) -> Try {
        let address = self.choice.address(server);
        // Once as it should be, once more for a server that loses the case and once for one without EDNS.
        for _ in 0..3 {
            let mixed = self.choice.keeps_case(server);
            let (outcome, mismatches) = datagram::ask(address, expected, mixed, until).await;
            self.mismatches.fetch_add(mismatches, Ordering::Relaxed);
            match outcome {
                Ok(Datagram::Whole(answer)) => {
                    // RFC 6891, section 6.2.2: a server without EDNS says FORMERR; once more without.
                    if rcode(&answer) == Some(Rcode::FORMERR) && expected.drop_edns() {
                        continue;
                    }
                    return Try::Answer(answer);
                }
                Ok(Datagram::OverStream) => {
                    let until = (Instant::now() + Duration::from_secs(2)).min(deadline);
                    return match stream::ask(address, expected, until).await {
                        Some(answer) => Try::Answer(answer),
                        None => Try::Unusable,
                    };
                }
                Ok(Datagram::OtherCase) => self.choice.loses_case(server),
                Err(_) => return Try::Silence,
            }
        }
        Try::Unusable
    }
}

fn rcode(answer: &[u8]) -> Option<Rcode> {
    Message::from_slice(answer).ok().map(|message| message.header().rcode())
}

/// True unless another server may know better.
fn is_final(answer: &[u8]) -> bool {
    matches!(rcode(answer), Some(Rcode::NOERROR | Rcode::NXDOMAIN | Rcode::YXDOMAIN))
}
