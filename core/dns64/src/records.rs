//! Records taken out of an upstream's answer, checked against their types.

use alloc::vec::Vec;

use domain::base::iana::{Class, OptRcode, Rtype};
use domain::base::name::{FlattenInto, ParsedName};
use domain::base::opt::exterr::ExtendedError;
use domain::base::{Message, Name, Record};
use domain::rdata::AllRecordData;

pub(crate) type OwnedName = Name<Vec<u8>>;
pub(crate) type OwnedRecord = Record<OwnedName, AllRecordData<Vec<u8>, OwnedName>>;

/// An upstream's answer, read in full.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) rcode: OptRcode,
    pub(crate) answer: Vec<OwnedRecord>,
    pub(crate) authority: Vec<OwnedRecord>,
    pub(crate) additional: Vec<OwnedRecord>,
    /// The upstream's own explanation (RFC 8914).
    pub(crate) extended_error: Option<u16>,
}

impl Response {
    /// `None` when the message is no answer to this question, is truncated, or holds RDATA that does not fit its type.
    pub(crate) fn parse(message: &[u8], name: &OwnedName, rtype: Rtype, class: Class) -> Option<Self> {
        let message = Message::from_slice(message).ok()?;
        let header = message.header();
        if !header.qr() || header.tc() {
            return None;
        }
        let question = message.sole_question().ok()?;
        if question.qname() != name || question.qtype() != rtype || question.qclass() != class {
            return None;
        }
        let extended_error = message.opt().and_then(|opt| {
            opt.opt().iter::<ExtendedError<&[u8]>>().flatten().next().map(|error| error.code().to_int())
        });
        Some(Self {
            rcode: message.opt_rcode(),
            answer: section(message.answer().ok()?)?,
            authority: section(message.authority().ok()?)?,
            additional: section(message.additional().ok()?)?,
            extended_error,
        })
    }
}

/// All records of a section but the ones that belong to one hop only.
fn section(records: domain::base::message::RecordSection<'_, [u8]>) -> Option<Vec<OwnedRecord>> {
    let mut out = Vec::new();
    for record in records {
        let record = record.ok()?;
        if matches!(record.rtype(), Rtype::OPT | Rtype::TSIG) {
            continue;
        }
        let record = record.into_any_record::<AllRecordData<&[u8], ParsedName<&[u8]>>>().ok()?;
        out.push(record.try_flatten_into().ok()?);
    }
    Some(out)
}
