//! REFUSED to who may not ask: no longer than it must be, so that nobody can be flooded through us.

use domain::base::iana::{Opcode, OptRcode, Rcode, exterr::ExtendedErrorCode};
use domain::base::opt::exterr::ExtendedError;
use domain::base::{Message, MessageBuilder};

/// The answer, or `None` where even that would be too much: to what is no question.
pub(super) fn refuse(message: &[u8]) -> Option<Vec<u8>> {
    let message = Message::from_slice(message).ok()?;
    let header = message.header();
    if header.qr() {
        return None;
    }
    let mut builder = MessageBuilder::new_vec();
    let own = builder.header_mut();
    own.set_id(header.id());
    own.set_qr(true);
    own.set_opcode(header.opcode());
    own.set_rd(header.rd());
    own.set_rcode(Rcode::REFUSED);
    let mut question = builder.question();
    if header.opcode() == Opcode::QUERY
        && let Ok(asked) = message.sole_question()
    {
        question.push(asked).ok()?;
    }
    let mut additional = question.additional();
    if message.opt().is_some() {
        additional
            .opt(|opt| {
                opt.set_udp_payload_size(1_232);
                opt.set_rcode(OptRcode::REFUSED);
                opt.push(&ExtendedError::<Vec<u8>>::from(ExtendedErrorCode::PROHIBITED))
            })
            .ok()?;
    }
    Some(additional.finish())
}
