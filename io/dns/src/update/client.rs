//! Sends updates, and believes only signed answers.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::base::Message;
use domain::base::iana::{Opcode, Rcode};
use domain::rdata::tsig::Time48;
use domain::tsig::{ClientTransaction, ValidationError};
use tokio::time::timeout;

use super::badtime;
use super::error::{KeyFault, UpdateError};
use super::key::TsigKey;
use super::message::Update;
use crate::upstream::stream;

/// For one server: connecting, sending and the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Primary servers of a zone and the key that they know.
#[derive(Debug)]
pub struct Updater {
    servers: Vec<SocketAddr>,
    key: Option<TsigKey>,
    /// The servers' clock minus ours, as far as a server has said.
    offset: AtomicI64,
    error: i64,
}

impl Updater {
    /// Servers in order; the next is asked only when one does not answer. Without a key nothing is signed or verified.
    #[must_use]
    pub const fn new(servers: Vec<SocketAddr>, key: Option<TsigKey>) -> Self {
        Self { servers, key, offset: AtomicI64::new(0), error: 0 }
    }

    /// The servers.
    #[must_use]
    pub fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// Makes the change, over TCP. `Ok` means that the server said so and, with a key, that its signature holds.
    ///
    /// # Errors
    /// See [`UpdateError`]. After anything but [`UpdateError::Prerequisite`] and `Refused` the change may have happened.
    pub async fn send(&self, update: &Update) -> Result<(), UpdateError> {
        let offset = self.clock_offset();
        match self.send_at(update, offset).await {
            // RFC 8945, section 5.2.3: the server's time is signed, so it may be used, once.
            Err(UpdateError::Key(KeyFault::Clock(further))) => {
                self.offset.store(offset.saturating_add(further), Ordering::Relaxed);
                self.send_at(update, self.clock_offset()).await
            }
            other => other,
        }
    }

    /// The servers' clock minus ours in seconds, where a server refused ours (BADTIME); else zero.
    #[must_use]
    pub fn clock_offset(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Makes our clock wrong by this many seconds, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn with_clock_error(self, seconds: i64) -> Self {
        Self { error: seconds, ..self }
    }

    /// With our clock set `offset` seconds ahead.
    async fn send_at(&self, update: &Update, offset: i64) -> Result<(), UpdateError> {
        let now = seconds(Time48::now()).saturating_add_signed(offset.saturating_add(self.error));
        let now = Time48::from_u64(now & TIME48);
        let mut message = update.message().map_err(|_| UpdateError::Malformed)?;
        let id = message.header().id();
        let transaction = match &self.key {
            Some(key) => Some(
                ClientTransaction::request(key.key.clone(), &mut message, now)
                    .map_err(|_| UpdateError::Malformed)?,
            ),
            None => None,
        };
        let request = message.finish();
        let answer = self.exchange(&request).await?;
        if let Some(key) = &self.key
            && let Some(offset) = badtime::offset(key, &request, &answer)
        {
            return Err(UpdateError::Key(KeyFault::Clock(offset)));
        }
        let mut answer = Message::from_octets(answer).map_err(|_| UpdateError::Malformed)?;
        let header = answer.header();
        if header.id() != id || !header.qr() || header.opcode() != Opcode::UPDATE {
            return Err(UpdateError::Malformed);
        }
        if let Some(transaction) = &transaction
            && let Err(error) = transaction.answer(&mut answer, now)
        {
            return Err(distrust(error, header.rcode()));
        }
        judge(header.rcode())
    }

    async fn exchange(&self, message: &[u8]) -> Result<Vec<u8>, UpdateError> {
        let mut last = (None, io::ErrorKind::NotFound.into());
        for server in &self.servers {
            match timeout(PATIENCE, stream::exchange(*server, message)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => last = (Some(*server), error),
                Err(_) => last = (Some(*server), io::ErrorKind::TimedOut.into()),
            }
        }
        Err(UpdateError::Unreachable(last.0, last.1))
    }
}

/// The largest time of TSIG.
const TIME48: u64 = (1 << 48) - 1;

fn seconds(time: Time48) -> u64 {
    time.into_octets().into_iter().fold(0, |seconds, octet| seconds << 8 | u64::from(octet))
}

/// RFC 2136, section 2.2.
fn judge(rcode: Rcode) -> Result<(), UpdateError> {
    match rcode {
        Rcode::NOERROR => Ok(()),
        Rcode::YXDOMAIN | Rcode::YXRRSET | Rcode::NXRRSET | Rcode::NXDOMAIN => {
            Err(UpdateError::Prerequisite(rcode))
        }
        other => Err(UpdateError::Refused(other)),
    }
}

/// An answer whose signature does not hold. Errors about the key come unsigned (RFC 8945, section 5.3.2), and a server that
/// does not know TSIG signs nothing: of those only the failure is believed.
fn distrust(error: ValidationError, rcode: Rcode) -> UpdateError {
    match error {
        ValidationError::ServerBadKey => UpdateError::Key(KeyFault::Unknown),
        ValidationError::ServerBadSig => UpdateError::Key(KeyFault::Secret),
        ValidationError::ServerUnsigned | ValidationError::TooManyUnsigned => match rcode {
            Rcode::NOERROR | Rcode::YXDOMAIN | Rcode::YXRRSET | Rcode::NXRRSET | Rcode::NXDOMAIN => {
                UpdateError::Key(KeyFault::Unsigned)
            }
            other => UpdateError::Refused(other),
        },
        ValidationError::BadAlg
        | ValidationError::BadOther
        | ValidationError::BadSig
        | ValidationError::BadTrunc
        | ValidationError::BadKey
        | ValidationError::BadTime
        // A true one was recognised before.
        | ValidationError::ServerBadTime { .. } => UpdateError::Key(KeyFault::Forged),
        ValidationError::FormErr => UpdateError::Malformed,
    }
}
