//! Finished answers by the octets of their questions: the way that most questions go.
//!
//! Only what is plain is looked at: one question in class IN with RD, nothing behind it but an OPT record. Everything else is
//! [`Quick::Slow`], and whoever reads messages properly deals with it. Nothing but the question section and the OPT record's
//! fixed part is believed.
//!
//! The key holds the view (whoever has the same synthesis rules), DO and CD: no asker sees another's answer. Id, case of the
//! name and CD are the asker's, TTLs are counted down, and there is an OPT record when the asker sent one.

use sixgate_time::Instant;

use crate::packed::{Packed, Ttls, pack};
use crate::shares::{Shares, Usage};
use crate::ticks::Ticks;

const HEADER: usize = 12;
const TYPE_AND_CLASS: usize = 4;
/// Longest name, type and class (RFC 1035, section 2.3.4).
const LONGEST_QUESTION: usize = 255 + TYPE_AND_CLASS;
/// An OPT record without options.
const OPT: usize = 11;
/// View, flags and type before the name of a key.
const PREFIX: usize = 4;
const CLASS_IN: [u8; 2] = [0, 1];
const TYPE_OPT: [u8; 2] = [0, 41];
/// RFC 1035, section 2.3.4
const SMALLEST_LIMIT: usize = 512;

/// Flags of the third and fourth octet of a message.
const RESPONSE: u8 = 0x80;
const OPCODE: u8 = 0x78;
const TRUNCATED: u8 = 0x02;
const RECURSION_DESIRED: u8 = 0x01;
const CHECKING_DISABLED: u8 = 0x10;
const RCODE: u8 = 0x0f;
const RCODE_NXDOMAIN: u8 = 3;

/// What becomes of a message at first sight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quick {
    /// The answer's length.
    Answer {
        /// Octets at the start of the buffer.
        length: usize,
        /// The answer's time is nearly over: have it made anew. Said once.
        refresh: bool,
    },
    /// Not here.
    Slow,
}

/// Finished answers. One worker's own: no lock.
pub struct Finished {
    table: Shares<Meta>,
    largest: usize,
}

#[derive(Clone, Copy)]
struct Meta {
    stored: Ticks,
    life: u32,
    /// When it last became the most used one.
    used: Ticks,
    refreshed: bool,
}

impl Finished {
    /// At most `octets` of answers, none above `largest_datagram` given out.
    #[must_use]
    pub fn new(octets: usize, largest_datagram: u16, seed: [u8; 16]) -> Self {
        let largest = usize::from(largest_datagram).max(SMALLEST_LIMIT);
        Self { table: Shares::new(octets, seed), largest }
    }

    /// Writes the answer to the message of an asker with this view to the start of `out`.
    pub fn answer(&mut self, now: Instant, view: u8, message: &[u8], out: &mut [u8]) -> Quick {
        self.try_answer(now, view, message, out).unwrap_or(Quick::Slow)
    }

    fn try_answer(&mut self, now: Instant, view: u8, message: &[u8], out: &mut [u8]) -> Option<Quick> {
        let mut key = [0; PREFIX + LONGEST_QUESTION];
        let plain = Plain::of(message)?;
        let key = plain.key(view, &mut key)?;
        let at = self.table.find(key)?;
        let now = Ticks::of(now);
        let meta = *self.table.meta(at)?;
        let age = now.seconds_since(meta.stored);
        if age >= meta.life {
            self.table.remove(at);
            return None;
        }
        let packed = Packed::of(self.table.body(at))?;
        let opt = if plain.edns.is_some() { OPT } else { 0 };
        let asked = plain.edns.map_or(0, |edns| usize::from(edns.size));
        // Cut answers are made where whole records are known.
        if packed.length(plain.question) + opt > asked.max(SMALLEST_LIMIT).min(self.largest) {
            return None;
        }
        let [f0, f1] = packed.flags;
        let flags = [f0 | RECURSION_DESIRED, f1 & !CHECKING_DISABLED | plain.checking_disabled];
        let id = *message.first_chunk::<2>()?;
        let mut length = packed.write(id, flags, plain.question, Ttls::Aged(age), out)?;
        if let Some(edns) = plain.edns {
            let dnssec_ok = if edns.dnssec_ok { 0x80 } else { 0 };
            // RFC 6891, section 6.1.2: root, type, our own size of 1,232, no extended rcode, version 0, DO, no options.
            let record = [0, 0, 41, 0x04, 0xd0, 0, 0, dnssec_ok, 0, 0, 0];
            out.get_mut(length..length + OPT)?.copy_from_slice(&record);
            // ARCOUNT
            *out.get_mut(HEADER - 1)? = 1;
            length += OPT;
        }
        let late = (meta.life - age).saturating_mul(10) <= meta.life;
        let refresh = late && !meta.refreshed;
        if refresh {
            self.table.meta_mut(at)?.refreshed = true;
        }
        // Once a second is often enough to tell what is used from what is not.
        if now.seconds_since(meta.used) > 0 {
            self.table.meta_mut(at)?.used = now;
            self.table.touch(at);
        }
        Some(Quick::Answer { length, refresh })
    }

    /// Keeps the finished answer to `question`, for the account of `client`. Only a whole answer that would be the same for
    /// everybody with this view is to be given: none that is stale, failed or says why.
    pub fn insert(&mut self, now: Instant, view: u8, client: &[u8], question: &[u8], answer: &[u8]) {
        let share = self.table.share_of(client);
        let mut key = [0; PREFIX + LONGEST_QUESTION];
        let Some(plain) = Plain::of(question) else { return };
        let Some(key) = plain.key(view, &mut key) else { return };
        let Some(header) = answer.first_chunk::<HEADER>() else { return };
        let (flags, rcode) = (header[2], header[3] & RCODE);
        let end = HEADER + plain.question.len();
        let same = answer.get(HEADER..end).is_some_and(|own| own.eq_ignore_ascii_case(plain.question));
        let whole = flags & RESPONSE != 0 && flags & TRUNCATED == 0 && matches!(rcode, 0 | RCODE_NXDOMAIN);
        if !same || !whole || header[4..6] != [0, 1] {
            return;
        }
        let Some((body, life)) = pack(answer, end) else { return };
        // What stands behind both sections can only be our own OPT record, and that without a word.
        let tail = Packed::of(&body).map_or(0, |packed| packed.length(plain.question));
        let opt = if plain.edns.is_some() { OPT } else { 0 };
        if life == 0 || answer.len() != tail + opt {
            return;
        }
        let now = Ticks::of(now);
        let meta = Meta { stored: now, life, used: now, refreshed: false };
        self.table.insert(key, &body, share, meta);
    }

    /// Forgets everything: the rules have changed.
    pub fn clear(&mut self) {
        self.table.clear();
    }

    /// Changes the bound; what is above it leaves.
    pub fn resize(&mut self, octets: usize) {
        self.table.resize(octets);
    }

    /// How full it is.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.table.usage()
    }
}

/// A question without anything unusual.
struct Plain<'a> {
    /// Name, type and class as they came.
    question: &'a [u8],
    checking_disabled: u8,
    edns: Option<Edns>,
}

#[derive(Clone, Copy)]
struct Edns {
    size: u16,
    dnssec_ok: bool,
}

impl<'a> Plain<'a> {
    fn of(message: &'a [u8]) -> Option<Self> {
        let (header, rest) = message.split_first_chunk::<HEADER>()?;
        // One question, no answer, no authority, at most one additional record.
        let [_, _, f0, f1, 0, 1, 0, 0, 0, 0, 0, additional @ 0..=1] = *header else { return None };
        if f0 & (RESPONSE | OPCODE | TRUNCATED) != 0 || f0 & RECURSION_DESIRED == 0 {
            return None;
        }
        let name = name_length(rest)?;
        let (question, rest) = rest.split_at_checked(name + TYPE_AND_CLASS)?;
        if question.last_chunk::<2>() != Some(&CLASS_IN) {
            return None;
        }
        let edns = if additional == 1 { Some(Edns::of(rest)?) } else { None };
        if additional == 0 && !rest.is_empty() {
            return None;
        }
        Some(Self { question, checking_disabled: f1 & CHECKING_DISABLED, edns })
    }

    /// The name in lower case behind what else makes answers differ.
    fn key<'k>(&self, view: u8, space: &'k mut [u8; PREFIX + LONGEST_QUESTION]) -> Option<&'k [u8]> {
        let name = self.question.len().checked_sub(TYPE_AND_CLASS)?;
        let (own, rest) = self.question.split_at_checked(name)?;
        let dnssec_ok = self.edns.is_some_and(|edns| edns.dnssec_ok);
        let flags = u8::from(dnssec_ok) | self.checking_disabled;
        let [t0, t1, ..] = *rest else { return None };
        let key = space.get_mut(..PREFIX + name)?;
        let (prefix, place) = key.split_at_mut(PREFIX);
        prefix.copy_from_slice(&[view, flags, t0, t1]);
        for (to, from) in place.iter_mut().zip(own) {
            // Lengths of labels are below all letters.
            *to = from.to_ascii_lowercase();
        }
        Some(key)
    }
}

impl Edns {
    /// The record that ends the message: OPT, version 0. Its options do not matter, but they must be options.
    fn of(record: &[u8]) -> Option<Self> {
        let (fixed, mut options) = record.split_first_chunk::<OPT>()?;
        let [0, t0, t1, s0, s1, 0, 0, flags, _, l0, l1] = *fixed else { return None };
        if [t0, t1] != TYPE_OPT || options.len() != usize::from(u16::from_be_bytes([l0, l1])) {
            return None;
        }
        while let Some(([_, _, l0, l1], rest)) = options.split_first_chunk::<4>() {
            options = rest.get(usize::from(u16::from_be_bytes([*l0, *l1]))..)?;
        }
        let edns = Self { size: u16::from_be_bytes([s0, s1]), dnssec_ok: flags & 0x80 != 0 };
        options.is_empty().then_some(edns)
    }
}

/// Octets of an uncompressed name, its root label included.
fn name_length(octets: &[u8]) -> Option<usize> {
    let mut length = 0_usize;
    loop {
        let label = usize::from(*octets.get(length)?);
        if label > 63 {
            return None;
        }
        length += 1 + label;
        if length > 255 {
            return None;
        }
        if label == 0 {
            return Some(length);
        }
    }
}
