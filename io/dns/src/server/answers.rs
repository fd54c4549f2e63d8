//! Answers that a server makes by itself, and the size of those that it passes on.

use domain::base::iana::{OptRcode, Rcode, exterr::ExtendedErrorCode};
use domain::base::message_builder::PushError;
use domain::base::opt::exterr::ExtendedError;
use domain::base::{Message, MessageBuilder};

/// An answer without records to a question: SERVFAIL, NXDOMAIN, REFUSED and the like. An extended error (RFC 8914) goes along
/// where the asker can read it. `None` when the message is no question.
#[must_use]
pub fn empty(question: &[u8], rcode: Rcode, why: Option<(ExtendedErrorCode, &str)>) -> Option<Vec<u8>> {
    let message = Message::from_slice(question).ok()?;
    if message.header().qr() {
        return None;
    }
    build(message, rcode, false, why).ok()
}

/// REFUSED, for who may not ask.
pub(super) fn refuse(question: &[u8]) -> Option<Vec<u8>> {
    empty(question, Rcode::REFUSED, Some((ExtendedErrorCode::PROHIBITED, "")))
}

/// `answer`, or, where the asker of `question` could not take it over UDP, an empty one with TC that sends it to TCP.
#[must_use]
pub fn fit(question: &[u8], answer: Vec<u8>, stream: bool) -> Option<Vec<u8>> {
    let message = Message::from_slice(question).ok()?;
    let asked = message.opt().map_or(0, |opt| usize::from(opt.udp_payload_size()));
    // RFC 1035, section 2.3.4: 512 octets whoever asks.
    if stream || answer.len() <= asked.max(512) {
        return Some(answer);
    }
    let rcode = Message::from_slice(&answer).ok()?.header().rcode();
    build(message, rcode, true, None).ok()
}

fn build(
    message: &Message<[u8]>,
    rcode: Rcode,
    truncated: bool,
    why: Option<(ExtendedErrorCode, &str)>,
) -> Result<Vec<u8>, PushError> {
    let header = message.header();
    let mut builder = MessageBuilder::new_vec();
    let own = builder.header_mut();
    own.set_id(header.id());
    own.set_qr(true);
    own.set_opcode(header.opcode());
    own.set_rd(header.rd());
    own.set_ra(true);
    own.set_cd(header.cd());
    own.set_tc(truncated);
    own.set_rcode(rcode);
    let mut section = builder.question();
    if let Ok(question) = message.sole_question() {
        section.push(question)?;
    }
    let mut additional = section.additional();
    if let Some(opt) = message.opt() {
        additional.opt(|own| {
            own.set_udp_payload_size(1_232);
            own.set_dnssec_ok(opt.dnssec_ok());
            own.set_rcode(OptRcode::from(rcode));
            if let Some((code, text)) = why
                && let Ok(error) = ExtendedError::<Vec<u8>>::new_with_str(code, text)
            {
                own.push(&error)?;
            }
            Ok(())
        })?;
    }
    Ok(additional.finish())
}
