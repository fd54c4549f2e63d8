//! Writes the answer to the asker: sections, OPT record, size limit.

use alloc::vec::Vec;

use domain::base::iana::{Class, OptRcode, Rcode, Rtype, exterr::ExtendedErrorCode};
use domain::base::message_builder::{AdditionalBuilder, PushError, StaticCompressor};
use domain::base::opt::exterr::ExtendedError;
use domain::base::{CharStr, MessageBuilder, Ttl};
use domain::rdata::{AllRecordData, Hinfo};

use crate::query::{Head, Query};
use crate::records::OwnedRecord;

/// RFC 1035, section 2.3.4; RFC 6891, section 6.2.3.
const SMALLEST_LIMIT: usize = 512;
/// Seconds; RFC 8482, section 4.2 leaves it to us.
const MINIMAL_ANY_TTL: u32 = 3_600;

/// What an answer says, without the parts that follow from the question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) rcode: Option<OptRcode>,
    pub(crate) authoritative: bool,
    pub(crate) answer: Vec<OwnedRecord>,
    pub(crate) authority: Vec<OwnedRecord>,
    /// Left out first when there is no room, and silently (RFC 2181, section 9).
    pub(crate) additional: Vec<OwnedRecord>,
    /// RFC 8914
    pub(crate) extended_errors: Vec<(u16, &'static str)>,
}

impl Body {
    pub(crate) fn error(rcode: OptRcode) -> Self {
        Self { rcode: Some(rcode), ..Self::default() }
    }

    #[must_use]
    pub(crate) fn explained(mut self, code: ExtendedErrorCode, text: &'static str) -> Self {
        self.extended_errors.push((code.to_int(), text));
        self
    }
}

/// How large an answer over UDP may be, or none for a stream.
pub(crate) fn limit(head: &Head, stream: bool, largest_datagram: u16) -> usize {
    if stream {
        return usize::from(u16::MAX);
    }
    let asked = head.edns.map_or(0, |edns| usize::from(edns.size));
    asked.max(SMALLEST_LIMIT).min(usize::from(largest_datagram).max(SMALLEST_LIMIT))
}

/// The answer to `query` as octets, at most `limit` of them; with TC when something that matters had no room.
pub(crate) fn write(query: &Query, body: &Body, limit: usize) -> Vec<u8> {
    build(&query.head, Some(query), body, limit).unwrap_or_default()
}

/// An error to a message whose question is unusable.
pub(crate) fn write_error(head: &Head, rcode: OptRcode) -> Vec<u8> {
    build(head, None, &Body::error(rcode), SMALLEST_LIMIT).unwrap_or_default()
}

/// Fails only when not even header, question and OPT fit, which no limit of 512 and up allows.
fn build(head: &Head, query: Option<&Query>, body: &Body, limit: usize) -> Result<Vec<u8>, PushError> {
    let rcode = body.rcode.unwrap_or(OptRcode::NOERROR);
    let mut builder = MessageBuilder::from_target(StaticCompressor::new(Vec::with_capacity(512)))
        .map_err(|_| PushError::ShortBuf)?;
    builder.set_push_limit(limit.saturating_sub(opt_length(head, body)));
    let header = builder.header_mut();
    header.set_id(head.id);
    header.set_qr(true);
    header.set_opcode(head.opcode);
    header.set_rd(head.recursion);
    header.set_cd(head.checking_disabled);
    header.set_ra(true);
    header.set_aa(body.authoritative);
    header.set_rcode(Rcode::masked_from_int(rcode.to_int() as u8));
    let mut question = builder.question();
    if let Some(query) = query {
        question.push((&query.name, query.rtype, query.class))?;
    }
    let mut answer = question.answer();
    let mut whole = body.answer.iter().all(|record| answer.push(record).is_ok());
    let mut authority = answer.authority();
    whole = whole && body.authority.iter().all(|record| authority.push(record).is_ok());
    let mut additional = authority.additional();
    if whole {
        let _left_out = body.additional.iter().all(|record| additional.push(record).is_ok());
    }
    additional.header_mut().set_tc(!whole);
    additional.set_push_limit(limit);
    write_opt(head, body, rcode, &mut additional)?;
    Ok(additional.finish().into_target())
}

fn write_opt(
    head: &Head,
    body: &Body,
    rcode: OptRcode,
    additional: &mut AdditionalBuilder<StaticCompressor<Vec<u8>>>,
) -> Result<(), PushError> {
    let Some(edns) = head.edns else {
        return Ok(());
    };
    additional.opt(|opt| {
        opt.set_udp_payload_size(1_232);
        opt.set_dnssec_ok(edns.dnssec_ok);
        opt.set_rcode(rcode);
        for (code, text) in &body.extended_errors {
            let code = ExtendedErrorCode::from_int(*code);
            if let Ok(error) = ExtendedError::<Vec<u8>>::new_with_str(code, text) {
                opt.push(&error)?;
            }
        }
        Ok(())
    })
}

/// RFC 8482, section 4.2: HINFO in place of everything.
pub(crate) fn minimal_any(name: &crate::records::OwnedName) -> Vec<OwnedRecord> {
    let word = |text: &[u8]| CharStr::from_octets(text.to_vec()).ok();
    let (Some(cpu), Some(os)) = (word(b"RFC8482"), word(b"")) else { return Vec::new() };
    let data = AllRecordData::Hinfo(Hinfo::new(cpu, os));
    Vec::from([OwnedRecord::new(name.clone(), Class::IN, Ttl::from_secs(MINIMAL_ANY_TTL), data)])
}

fn opt_length(head: &Head, body: &Body) -> usize {
    let options = body.extended_errors.iter().map(|(_, text)| 4 + 2 + text.len()).sum::<usize>();
    head.edns.map_or(0, |_| 11 + options)
}

/// A question to an upstream. The id is zero: whoever sends it chooses one.
pub(crate) fn question(
    name: &crate::records::OwnedName,
    rtype: Rtype,
    class: Class,
    dnssec_ok: bool,
    checking_disabled: bool,
) -> Vec<u8> {
    let build = || -> Result<Vec<u8>, PushError> {
        let mut builder =
            MessageBuilder::from_target(Vec::with_capacity(300)).map_err(|_| PushError::ShortBuf)?;
        builder.header_mut().set_rd(true);
        builder.header_mut().set_cd(checking_disabled);
        let mut question = builder.question();
        question.push((name, rtype, class))?;
        let mut additional = question.additional();
        additional.opt(|opt| {
            opt.set_udp_payload_size(1_232);
            opt.set_dnssec_ok(dnssec_ok);
            Ok(())
        })?;
        Ok(additional.finish())
    };
    build().unwrap_or_default()
}
