//! The record layer with its buffers, without a socket: octets come in and go out through `Read` and `Write`.

use std::fmt;
use std::io::{self, Read, Write};

use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::server::ServerConnectionData;
use rustls::{AlertDescription, ConnectionTrafficSecrets, ExtractedSecrets};

use crate::record::{
    self, Framed, HEADER, LARGEST_PLAINTEXT, LARGEST_PROTECTED, Protection, content, invalid,
};
use crate::stream::Received;

/// Octets of the buffer of a connection that has not carried much yet: a whole record and some.
const SMALL: usize = 32 * 1024;
/// Octets that the buffer may grow to: what one call of `receive` takes, so that no connection starves the others.
const LARGE: usize = 256 * 1024;
/// A buffer that grew is given back after so many reads that did not need it: a gateway has many connections, few of which
/// are busy at a time.
const QUIET: u32 = 64;
/// A key that protected this many records is replaced: half of what rustls allows, which is below RFC 8446, section 5.5.
const WORN: u64 = 1 << 23;
/// Message types (RFC 8446, section 4).
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

/// The part of rustls that stays: it derives the next keys.
pub(crate) enum Keys {
    Client(KernelConnection<ClientConnectionData>),
    Server(KernelConnection<ServerConnectionData>),
}

impl Keys {
    fn next_outbound(&mut self) -> io::Result<Protection> {
        Protection::new(lift(match self {
            Self::Client(keys) => keys.update_tx_secret(),
            Self::Server(keys) => keys.update_tx_secret(),
        })?)
    }

    fn next_inbound(&mut self) -> io::Result<Protection> {
        Protection::new(lift(match self {
            Self::Client(keys) => keys.update_rx_secret(),
            Self::Server(keys) => keys.update_rx_secret(),
        })?)
    }
}

fn lift(
    secrets: Result<(u64, ConnectionTrafficSecrets), rustls::Error>,
) -> io::Result<(u64, ConnectionTrafficSecrets)> {
    secrets.map_err(io::Error::other)
}

/// The peer ended the connection with a fatal alert; wrapped in an [`io::Error`] by the calls that read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert(pub AlertDescription);

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer refused the connection: {:?}", self.0)
    }
}

impl std::error::Error for Alert {}

impl Alert {
    /// The alert inside an error of this crate, if that is what it is.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// A connection's record layer and buffers.
///
/// `buffer` holds plaintext in `plain` and, behind it, octets as they came in `raw`: a record is decrypted leftwards, to
/// the end of the plaintext, so that packets lie contiguous whatever the records were.
pub(crate) struct Channel {
    keys: Keys,
    inbound: Protection,
    outbound: Protection,
    buffer: Vec<u8>,
    plain: std::ops::Range<usize>,
    raw: std::ops::Range<usize>,
    /// Reads since the last that a small buffer would not have taken.
    quiet: u32,
    pending: Vec<u8>,
    sealed: Vec<u8>,
    sent: usize,
    worn: u64,
    owes_update: bool,
    closed: bool,
}

impl Channel {
    /// A channel that goes on where the handshake ended; `early` are protected octets that came with it, `plaintext` what
    /// was already opened.
    pub(crate) fn new(
        keys: Keys,
        secrets: ExtractedSecrets,
        plaintext: &[u8],
        early: &[u8],
    ) -> io::Result<Self> {
        let mut buffer = vec![0; SMALL.max(plaintext.len() + early.len())];
        buffer[..plaintext.len()].copy_from_slice(plaintext);
        let raw = plaintext.len()..plaintext.len() + early.len();
        buffer[raw.clone()].copy_from_slice(early);
        let mut channel = Self {
            keys,
            inbound: Protection::new(secrets.rx)?,
            outbound: Protection::new(secrets.tx)?,
            buffer,
            plain: 0..plaintext.len(),
            raw,
            quiet: 0,
            pending: Vec::new(),
            sealed: Vec::new(),
            sent: 0,
            worn: WORN,
            owes_update: false,
            closed: false,
        };
        channel.open_records()?;
        Ok(channel)
    }

    pub(crate) fn plaintext(&self) -> &[u8] {
        &self.buffer[self.plain.clone()]
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.plain.start = (self.plain.start + n).min(self.plain.end);
    }

    pub(crate) fn pending(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    pub(crate) fn backlog(&self) -> usize {
        self.pending.len() + self.sealed.len() - self.sent
    }

    /// Reads until the source has no more, the peer ended, or the buffer is full.
    pub(crate) fn read_from(&mut self, source: &mut impl Read) -> io::Result<Received> {
        let before = self.plain.len();
        let mut taken = 0;
        self.forget_growth();
        while !self.closed && taken < LARGE {
            self.make_room();
            let room = self.buffer.len() - self.raw.end;
            if room == 0 {
                break;
            }
            match source.read(&mut self.buffer[self.raw.end..]) {
                // A connection that ends without close_notify was cut; TCP's own end is the framing of IP-HTTPS, and
                // every packet is authenticated, so this is an end like any other.
                Ok(0) => self.closed = true,
                Ok(n) => {
                    self.raw.end += n;
                    taken += n;
                    self.open_records()?;
                    if n < room {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.quiet = if taken > SMALL / 2 { 0 } else { self.quiet.saturating_add(1) };
        Ok(if self.closed {
            Received::Closed
        } else if self.plain.len() > before {
            Received::Data
        } else {
            Received::WouldBlock
        })
    }

    /// Gives grown buffers back when they are empty and have not been needed for a while.
    fn forget_growth(&mut self) {
        if self.quiet < QUIET {
            return;
        }
        if self.buffer.len() > SMALL && self.plain.is_empty() && self.raw.is_empty() {
            self.buffer = vec![0; SMALL];
            (self.plain, self.raw) = (0..0, 0..0);
        }
        if self.pending.is_empty() {
            self.pending.shrink_to(SMALL);
        }
        if self.sealed.is_empty() {
            self.sealed.shrink_to(SMALL);
        }
    }

    /// Moves what is left to the front, and lets the buffer grow when reads fill it.
    fn make_room(&mut self) {
        if self.plain.start > 0 {
            self.buffer.copy_within(self.plain.clone(), 0);
            self.plain = 0..self.plain.len();
        }
        if self.raw.start > self.plain.end {
            self.buffer.copy_within(self.raw.clone(), self.plain.end);
            self.raw = self.plain.end..self.plain.end + self.raw.len();
        }
        let wanted = self.raw.end + HEADER + LARGEST_PROTECTED;
        if wanted > self.buffer.len() && self.buffer.len() < LARGE {
            self.buffer.resize((self.buffer.len() * 2).min(LARGE), 0);
        }
    }

    /// Opens every whole record that has arrived.
    fn open_records(&mut self) -> io::Result<()> {
        while !self.closed {
            let Framed::Whole { header, length } = record::frame(&self.buffer[self.raw.clone()])? else {
                break;
            };
            let end = self.raw.start + HEADER + length;
            let at = self.raw.start + HEADER - self.plain.end;
            let (kind, length) = self.inbound.open(header, &mut self.buffer[self.plain.end..end], at)?;
            self.raw.start = end;
            match kind {
                content::APPLICATION_DATA => self.plain.end += length,
                content::ALERT => self.take_alert(length)?,
                content::HANDSHAKE => self.take_handshake(length)?,
                _ => return Err(invalid("record of an unknown type")),
            }
        }
        if self.raw.is_empty() && self.plain.is_empty() {
            self.plain = 0..0;
            self.raw = 0..0;
        }
        Ok(())
    }

    fn take_alert(&mut self, length: usize) -> io::Result<()> {
        let message = &self.buffer[self.plain.end..self.plain.end + length];
        let &[_, description] = message else { return Err(invalid("alert of a wrong length")) };
        self.closed = true;
        // RFC 8446, section 6: the level is to be ignored, every alert but these two is fatal.
        match AlertDescription::from(description) {
            AlertDescription::CloseNotify | AlertDescription::UserCanceled => Ok(()),
            fatal => Err(io::Error::new(io::ErrorKind::ConnectionAborted, Alert(fatal))),
        }
    }

    /// Messages after the handshake; each must lie whole in its record, as every known peer sends them.
    fn take_handshake(&mut self, length: usize) -> io::Result<()> {
        let mut at = self.plain.end;
        let end = at + length;
        while at < end {
            let Some(&[kind, a, b, c]) = self.buffer[at..end].first_chunk() else {
                return Err(invalid("handshake message cut short"));
            };
            let body = at + 4;
            at = body + u32::from_be_bytes([0, a, b, c]) as usize;
            if at > end {
                return Err(invalid("handshake message across records"));
            }
            match (kind, &self.buffer[body..at]) {
                (KEY_UPDATE, &[answer]) => {
                    // RFC 8446, section 5.1: a key change ends its record.
                    if at != end || answer > 1 {
                        return Err(invalid("key update out of place"));
                    }
                    self.inbound = self.keys.next_inbound()?;
                    self.owes_update |= answer == 1;
                }
                // We never resume: a resumed session would skip the check of the certificate's dates.
                (NEW_SESSION_TICKET, _) if matches!(self.keys, Keys::Client(_)) => {}
                _ => return Err(invalid("unexpected handshake message")),
            }
        }
        Ok(())
    }

    /// Seals what is pending and writes as much as the sink takes; true when nothing is left.
    pub(crate) fn write_to(&mut self, sink: &mut impl Write) -> io::Result<bool> {
        for chunk in self.pending.chunks(LARGEST_PLAINTEXT) {
            // The answer to a peer's update is due before the next data, and one answers many: a peer that only asks
            // makes us keep nothing.
            if self.owes_update || self.outbound.is_worn(self.worn) {
                self.owes_update = false;
                update_key(&mut self.outbound, &mut self.keys, &mut self.sealed)?;
            }
            self.outbound.seal(content::APPLICATION_DATA, chunk, &mut self.sealed)?;
        }
        self.pending.clear();
        while self.sent < self.sealed.len() {
            match sink.write(&self.sealed[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.forget_sent();
        Ok(self.sealed.is_empty())
    }

    /// Gives the room of sent octets back: at once when all are sent, else when they are the larger part, so that each
    /// octet is moved at most once.
    fn forget_sent(&mut self) {
        if self.sent == self.sealed.len() {
            self.sealed.clear();
            self.sent = 0;
        } else if self.sent > self.sealed.len() / 2 {
            self.sealed.copy_within(self.sent.., 0);
            self.sealed.truncate(self.sealed.len() - self.sent);
            self.sent = 0;
        }
    }

    /// Queues a close_notify alert.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        for chunk in std::mem::take(&mut self.pending).chunks(LARGEST_PLAINTEXT) {
            self.outbound.seal(content::APPLICATION_DATA, chunk, &mut self.sealed)?;
        }
        self.outbound.seal(content::ALERT, &[1, u8::from(AlertDescription::CloseNotify)], &mut self.sealed)
    }

    #[cfg(test)]
    pub(crate) fn wear_out_after(&mut self, records: u64) {
        self.worn = records;
    }
}

/// Replaces the outbound key and tells the peer (RFC 8446, section 4.6.3).
fn update_key(outbound: &mut Protection, keys: &mut Keys, sealed: &mut Vec<u8>) -> io::Result<()> {
    outbound.seal(content::HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 0], sealed)?;
    *outbound = keys.next_outbound()?;
    Ok(())
}

#[cfg(fuzzing)]
pub mod hostile;
#[cfg(any(test, fuzzing))]
mod pair;
#[cfg(test)]
mod tests;
