//! A message as it lies in the cache: without its question, and with the places of its TTLs, so that giving it out is a copy
//! and a few subtractions.
//!
//! ```text
//! places of TTLs: one octet count, two octets each | flags 2 | ANCOUNT 2 | NSCOUNT 2 | answer and authority sections
//! ```
//! Compressed names lead into the question, which has the same length in any case of its letters.

use alloc::vec::Vec;

use domain::base::Message;
use domain::base::message::RecordSection;

use crate::asked::HEADER;

/// Flags and two counts.
const FIXED: usize = 6;
/// TTL, and the length of the data that stands between it and the data.
const TTL_AND_LENGTH: usize = 6;
/// More records than this are not kept.
const MOST_RECORDS: usize = 255;

/// What the TTLs become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ttls {
    /// Less so many seconds.
    Aged(u32),
    /// All the same.
    All(u32),
}

/// Answer and authority sections of `message`, whose question ends at `end`, and the lowest TTL in seconds.
pub(crate) fn pack(message: &[u8], end: usize) -> Option<(Vec<u8>, u32)> {
    let parsed = Message::from_slice(message).ok()?;
    let counts = parsed.header_counts();
    let mut places = Vec::new();
    let mut lowest = u32::MAX;
    let authority = places_of(parsed.answer().ok()?, message, end, &mut places, &mut lowest)?;
    let additional = places_of(authority, message, end, &mut places, &mut lowest)?;
    let tail = message.get(end..additional.pos())?;
    let mut out = Vec::with_capacity(1 + 2 * places.len() + FIXED + tail.len());
    out.push(u8::try_from(places.len()).ok()?);
    out.extend(places.iter().flat_map(|place| place.to_be_bytes()));
    out.extend_from_slice(message.get(2..4)?);
    out.extend_from_slice(&counts.ancount().to_be_bytes());
    out.extend_from_slice(&counts.nscount().to_be_bytes());
    out.extend_from_slice(tail);
    Some((out, if places.is_empty() { 0 } else { lowest }))
}

/// Notes the TTLs of a section and gives the next one.
fn places_of<'a>(
    mut section: RecordSection<'a, [u8]>,
    message: &[u8],
    end: usize,
    places: &mut Vec<u16>,
    lowest: &mut u32,
) -> Option<RecordSection<'a, [u8]>> {
    while let Some(record) = section.next() {
        let record = record.ok()?;
        let data = usize::from(record.rdlen());
        let place = section.pos().checked_sub(data + TTL_AND_LENGTH)?;
        debug_assert_eq!(message.get(place..place + 4), Some(&record.ttl().as_secs().to_be_bytes()[..]));
        *lowest = (*lowest).min(record.ttl().as_secs());
        if places.len() == MOST_RECORDS {
            return None;
        }
        places.push(u16::try_from(place.checked_sub(end)?).ok()?);
    }
    section.next_section().ok().flatten()
}

/// A packed message taken apart.
pub(crate) struct Packed<'a> {
    places: &'a [u8],
    pub(crate) flags: [u8; 2],
    counts: [u8; 4],
    tail: &'a [u8],
}

impl<'a> Packed<'a> {
    /// `None` for octets that [`pack`] did not make.
    pub(crate) fn of(body: &'a [u8]) -> Option<Self> {
        let (count, rest) = body.split_first()?;
        let (places, rest) = rest.split_at_checked(2 * usize::from(*count))?;
        let ([f0, f1, a0, a1, n0, n1], tail) = rest.split_first_chunk::<FIXED>()?;
        Some(Self { places, flags: [*f0, *f1], counts: [*a0, *a1, *n0, *n1], tail })
    }

    /// Octets of the message with this question.
    pub(crate) const fn length(&self, question: &[u8]) -> usize {
        HEADER + question.len() + self.tail.len()
    }

    /// Writes the whole message to the start of `out`, which is long enough; gives its length. ARCOUNT is zero.
    pub(crate) fn write(
        &self,
        id: [u8; 2],
        flags: [u8; 2],
        question: &[u8],
        ttls: Ttls,
        out: &mut [u8],
    ) -> Option<usize> {
        let length = self.length(question);
        let out = out.get_mut(..length)?;
        let (header, rest) = out.split_first_chunk_mut::<HEADER>()?;
        let [a0, a1, n0, n1] = self.counts;
        *header = [id[0], id[1], flags[0], flags[1], 0, 1, a0, a1, n0, n1, 0, 0];
        let (own, tail) = rest.split_at_mut_checked(question.len())?;
        own.copy_from_slice(question);
        tail.copy_from_slice(self.tail);
        for place in self.places.chunks_exact(2) {
            let place = usize::from(u16::from_be_bytes([place[0], place[1]]));
            if let Some(ttl) = tail.get_mut(place..).and_then(|rest| rest.first_chunk_mut::<4>()) {
                *ttl = match ttls {
                    Ttls::Aged(age) => u32::from_be_bytes(*ttl).saturating_sub(age).to_be_bytes(),
                    Ttls::All(all) => all.to_be_bytes(),
                };
            }
        }
        Some(length)
    }
}
