//! The asker's message: what of it matters, and what is wrong with it.

use alloc::vec::Vec;

use domain::base::iana::{Class, Opcode, OptRcode, Rtype};
use domain::base::name::FlattenInto;
use domain::base::opt::{Opt, OptRecord};
use domain::base::{Message, Name};

/// A question that can be worked on.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) head: Head,
    /// As the asker spelt it.
    pub(crate) name: Name<Vec<u8>>,
    pub(crate) rtype: Rtype,
    pub(crate) class: Class,
}

/// What an answer repeats of the message, also when the question is unusable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) id: u16,
    pub(crate) opcode: Opcode,
    pub(crate) recursion: bool,
    pub(crate) checking_disabled: bool,
    /// The asker's OPT record; an answer has one only when the question had (RFC 6891, section 6.1.1).
    pub(crate) edns: Option<Edns>,
}

/// RFC 6891
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edns {
    pub(crate) size: u16,
    pub(crate) dnssec_ok: bool,
}

impl Head {
    pub(crate) fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }
}

/// Why a message is not worked on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Not even an error may go back: it is no question.
    Silent,
    /// An error without a question section.
    Answer(Head, OptRcode),
}

/// Takes the question out of `message`.
pub(crate) fn parse(message: &[u8]) -> Result<Query, Fault> {
    let message = Message::from_slice(message).map_err(|_| Fault::Silent)?;
    let header = message.header();
    if header.qr() {
        return Err(Fault::Silent);
    }
    let mut head = Head {
        id: header.id(),
        opcode: header.opcode(),
        recursion: header.rd(),
        checking_disabled: header.cd(),
        edns: None,
    };
    if header.opcode() != Opcode::QUERY {
        return Err(Fault::Answer(head, OptRcode::NOTIMP));
    }
    let format = |head| Fault::Answer(head, OptRcode::FORMERR);
    // RFC 9619: a query has exactly one question.
    let question = message.sole_question().map_err(|_| format(head))?;
    let name: Name<Vec<u8>> = question.qname().try_flatten_into().map_err(|_| format(head))?;
    let opt = only_opt(message).ok_or(format(head))?;
    if let Some(opt) = opt {
        head.edns = Some(Edns { size: opt.udp_payload_size(), dnssec_ok: opt.dnssec_ok() });
        // RFC 6891, section 6.1.3
        if opt.version() > 0 {
            return Err(Fault::Answer(head, OptRcode::BADVERS));
        }
    }
    Ok(Query { head, name, rtype: question.qtype(), class: question.qclass() })
}

/// The OPT record, if any; `None` when the message cannot be read to its end or has two of them (RFC 6891, section 6.1.1).
fn only_opt(message: &Message<[u8]>) -> Option<Option<OptRecord<&[u8]>>> {
    let mut found = None;
    for record in message.answer().ok()? {
        record.ok()?;
    }
    for record in message.authority().ok()? {
        record.ok()?;
    }
    for record in message.additional().ok()? {
        let record = record.ok()?;
        if record.rtype() == Rtype::OPT {
            let record = record.into_record::<Opt<&[u8]>>().ok()??;
            if found.replace(OptRecord::from_record(record)).is_some() {
                return None;
            }
        }
    }
    Some(found)
}
