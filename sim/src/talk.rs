//! A flow with somebody at each end: one says something every so often, the other answers.

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::Reason;
use sixgate_time::{Duration, Instant};
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::tcp::{ACK, FIN, SYN};
use sixgate_wire::{Packet, protocol};

/// Port of whoever is called.
const CALLED: u16 = 22;
/// Port of the caller of the first talk.
const FIRST: u16 = 10_000;
/// Attempts to open, a second apart.
const ATTEMPTS: u32 = 20;
/// So many times may nothing come back before a talk counts as cut: the wire loses packets too.
const PATIENCE: u32 = 8;

/// The first wait for an answer is twice this, and each further one twice the one before.
const RETRANSMISSION: Duration = Duration::from_secs(5);

/// The number of a talk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TalkId(pub(crate) usize);

/// What it is carried by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// Opened and closed, with silence of any length in between.
    Tcp,
    /// Open as long as somebody talks.
    Udp,
}

/// How it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nobody has answered yet.
    Opening,
    /// Both talk.
    Open,
    /// Over, as its ends wished.
    Ended,
    /// It never began.
    Refused(Reason),
    /// It never began, and nobody said why.
    Unanswered,
    /// It was open, and then this came of one of its packets; no reason when they only vanished.
    Cut(Instant, Option<Reason>),
}

/// A talk.
#[derive(Debug)]
pub struct Talk {
    /// The station's end.
    pub station: Ipv4Addr,
    /// Its address when the talk began.
    pub address: Ipv6Addr,
    /// The client's number.
    pub client: u32,
    /// The station called; else the client did.
    pub by_station: bool,
    /// TCP or UDP.
    pub transport: Transport,
    /// Between two things said.
    pub period: Duration,
    /// When it ends.
    pub until: Instant,
    /// How it stands.
    pub outcome: Outcome,
    /// Answers that came.
    pub answers: u64,
    pub(crate) unanswered: u32,
    /// When it has the next thing to say.
    pub(crate) due: Instant,
}

/// What a packet says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    Call,
    Accept,
    Confirm,
    Say,
    Answer,
    Goodbye,
    Farewell,
}

impl Talk {
    /// True as long as its packets have to arrive.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.outcome == Outcome::Open
    }

    /// What the caller says now, if anything, and when it is to be asked again.
    pub(crate) fn speak(&mut self, now: Instant) -> Option<(Option<Word>, Instant)> {
        let soon = now + Duration::from_secs(1);
        match self.outcome {
            Outcome::Opening if self.unanswered >= ATTEMPTS => {
                self.outcome = Outcome::Unanswered;
                None
            }
            Outcome::Opening => {
                self.unanswered += 1;
                Some((Some(if self.transport == Transport::Tcp { Word::Call } else { Word::Say }), soon))
            }
            Outcome::Open if now >= self.until && self.transport == Transport::Udp => {
                self.outcome = Outcome::Ended;
                None
            }
            Outcome::Open if self.unanswered >= PATIENCE => {
                self.outcome = Outcome::Cut(now, None);
                None
            }
            Outcome::Open if now >= self.until => {
                self.unanswered += 1;
                Some((Some(Word::Goodbye), soon))
            }
            Outcome::Open if self.unanswered == 0 && now < self.due => Some((None, self.due.min(self.until))),
            Outcome::Open => {
                if self.unanswered == 0 {
                    self.due = now + self.period;
                }
                self.unanswered += 1;
                // TCP sends again what was lost, long before the flow could be forgotten by anybody; UDP goes on.
                let wait = match self.transport {
                    Transport::Tcp => {
                        (RETRANSMISSION * (1 << self.unanswered.min(PATIENCE))).min(self.period)
                    }
                    Transport::Udp => self.period,
                };
                Some((Some(Word::Say), (now + wait).min(self.until)))
            }
            Outcome::Ended | Outcome::Refused(_) | Outcome::Unanswered | Outcome::Cut(..) => None,
        }
    }

    /// A word has arrived; what its hearer says to it.
    pub(crate) fn hear(&mut self, word: Word) -> Option<Word> {
        match word {
            Word::Call => Some(Word::Accept),
            Word::Say => Some(Word::Answer),
            Word::Goodbye => Some(Word::Farewell),
            Word::Accept => {
                self.heard(Outcome::Open);
                Some(Word::Confirm)
            }
            Word::Answer => {
                self.answers += 1;
                self.heard(Outcome::Open);
                None
            }
            Word::Farewell => {
                self.heard(Outcome::Ended);
                None
            }
            Word::Confirm => None,
        }
    }

    fn heard(&mut self, outcome: Outcome) {
        if matches!(self.outcome, Outcome::Opening | Outcome::Open) {
            self.outcome = outcome;
            self.unanswered = 0;
        }
    }

    /// One of its packets was refused.
    pub(crate) fn refused(&mut self, now: Instant, reason: Reason) {
        match self.outcome {
            Outcome::Opening => self.outcome = Outcome::Refused(reason),
            Outcome::Open => self.outcome = Outcome::Cut(now, Some(reason)),
            Outcome::Ended | Outcome::Refused(_) | Outcome::Unanswered | Outcome::Cut(..) => {}
        }
    }

    /// The packet with which talk `id` says `word`.
    pub(crate) fn packet(&self, id: TalkId, word: Word, client: Ipv6Addr) -> Packet {
        let by_caller = matches!(word, Word::Call | Word::Confirm | Word::Say | Word::Goodbye);
        let caller_port = FIRST + id.0 as u16;
        let (src_port, dst_port) = if by_caller { (caller_port, CALLED) } else { (CALLED, caller_port) };
        let (src, dst) =
            if by_caller == self.by_station { (self.address, client) } else { (client, self.address) };
        let (next_header, payload) = match self.transport {
            Transport::Tcp => {
                let mut header = vec![0; 20];
                header[12] = 0x50;
                header[13] = match word {
                    Word::Call => SYN,
                    Word::Accept => SYN | ACK,
                    Word::Confirm | Word::Say | Word::Answer => ACK,
                    Word::Goodbye | Word::Farewell => FIN | ACK,
                };
                (protocol::TCP, header)
            }
            Transport::Udp => (protocol::UDP, vec![0, 0, 0, 0, 0, 9, 0, 0]),
        };
        let mut payload = payload;
        payload[0..2].copy_from_slice(&src_port.to_be_bytes());
        payload[2..4].copy_from_slice(&dst_port.to_be_bytes());
        payload.push(word as u8);
        let header = ipv6::Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: payload.len() as u16,
            next_header,
            hop_limit: 64,
            src,
            dst,
        };
        Packet::from_slice(&[&header.octets()[..], &payload].concat())
    }
}

/// Which talk a packet belongs to, and what it says.
pub(crate) fn read(packet: &Packet) -> Option<(TalkId, Word)> {
    let ip = Ipv6::parse(packet.bytes()).ok()?;
    let payload = ip.payload();
    let port = |at| Some(u16::from_be_bytes([*payload.get(at)?, *payload.get(at + 1)?]));
    let (src, dst) = (port(0)?, port(2)?);
    let caller = if dst == CALLED { src } else { dst };
    let words =
        [Word::Call, Word::Accept, Word::Confirm, Word::Say, Word::Answer, Word::Goodbye, Word::Farewell];
    let said = words.into_iter().find(|word| payload.last() == Some(&(*word as u8)))?;
    Some((TalkId(usize::from(caller.checked_sub(FIRST)?)), said))
}
