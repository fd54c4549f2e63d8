//! Whether an answer BADTIME is really the server's, so that its clock may be believed.
//!
//! The rest of TSIG is `domain`'s. Of this one answer, version 0.12.3 digests "other data" as 8 octets instead of its 6
//! (RFC 8945, section 4.3.3), so that it never holds; a server's time from anybody would let that anybody have updates
//! signed for a time of his choice.

use domain::base::Message;
use domain::base::iana::{Class, Rtype, TsigRcode};
use domain::base::name::{ParsedName, ToLabelIter};
use domain::rdata::Tsig;
use ring::hmac;

use super::key::TsigKey;

type Parsed<'a> = Tsig<&'a [u8], ParsedName<&'a [u8]>>;

/// The server's clock minus the one that signed `request`, in seconds, when `answer` is BADTIME and its MAC holds.
pub(super) fn offset(key: &TsigKey, request: &[u8], answer: &[u8]) -> Option<i64> {
    let (_, asked) = tsig(key, request)?;
    let (start, said) = tsig(key, answer)?;
    if said.error() != TsigRcode::BADTIME {
        return None;
    }
    let server = said.other_time()?;
    let mut digest = Vec::new();
    // RFC 8945, section 4.3.1: the request's MAC with its length.
    digest.extend_from_slice(&u16::try_from(asked.mac().len()).ok()?.to_be_bytes());
    digest.extend_from_slice(asked.mac());
    // Section 4.3.2: the message as it was before the TSIG record.
    let mut message = answer.get(..start)?.to_vec();
    let count = u16::from_be_bytes([*message.get(10)?, *message.get(11)?]).checked_sub(1)?;
    message.get_mut(..2)?.copy_from_slice(&said.original_id().to_be_bytes());
    message.get_mut(10..12)?.copy_from_slice(&count.to_be_bytes());
    digest.extend_from_slice(&message);
    // Section 4.3.3: the variables.
    digest.extend_from_slice(&key.wire_name());
    digest.extend_from_slice(&Class::ANY.to_int().to_be_bytes());
    digest.extend_from_slice(&0_u32.to_be_bytes());
    digest.extend_from_slice(&key.wire_algorithm());
    digest.extend_from_slice(&said.time_signed().into_octets());
    digest.extend_from_slice(&said.fudge().to_be_bytes());
    digest.extend_from_slice(&said.error().to_int().to_be_bytes());
    digest.extend_from_slice(&6_u16.to_be_bytes());
    digest.extend_from_slice(said.other());
    let seconds = |octets: [u8; 6]| octets.into_iter().fold(0_i64, |sum, octet| sum << 8 | i64::from(octet));
    hmac::verify(&key.secret(), &digest, said.mac())
        .is_ok()
        .then(|| seconds(server.into_octets()) - seconds(asked.time_signed().into_octets()))
}

/// The TSIG record at the end of a message, made with this key, and where it begins.
fn tsig<'a>(key: &TsigKey, message: &'a [u8]) -> Option<(usize, Parsed<'a>)> {
    let message = Message::from_slice(message).ok()?;
    let mut section = message.additional().ok()?;
    let mut last = None;
    loop {
        let start = section.pos();
        match section.next() {
            Some(record) => last = Some((start, record.ok()?)),
            None => break,
        }
    }
    let (start, record) = last?;
    if record.rtype() != Rtype::TSIG {
        return None;
    }
    let record = record.into_record::<Parsed<'a>>().ok()??;
    let wire = |name: &ParsedName<&[u8]>| -> Vec<u8> {
        name.iter_labels().flat_map(|label| [&[label.len() as u8], label.as_slice()].concat()).collect()
    };
    let same = wire(record.owner()).eq_ignore_ascii_case(&key.wire_name())
        && wire(record.data().algorithm()).eq_ignore_ascii_case(&key.wire_algorithm());
    same.then(|| (start, record.into_data()))
}
