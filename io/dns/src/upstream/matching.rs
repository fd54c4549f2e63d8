//! Which answer belongs to a question (RFC 5452, section 9.1).

use domain::base::iana::Rtype;
use domain::base::{Header, Message, MessageBuilder};

use crate::random;

/// A question as it goes out, and what its answer must repeat.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    message: Vec<u8>,
    /// The id that the caller knows the question by.
    original_id: u16,
    /// Question section, octet for octet.
    question: Vec<u8>,
    edns: bool,
}

const HEADER: usize = 12;

impl Expected {
    /// `None` when the message has not exactly one question.
    pub(crate) fn of(message: &[u8]) -> Option<Self> {
        let parsed = Message::from_slice(message).ok()?;
        parsed.sole_question().ok()?;
        let end = parsed.answer().ok()?.pos();
        Some(Self {
            original_id: parsed.header().id(),
            question: message.get(HEADER..end)?.to_vec(),
            edns: parsed.opt().is_some(),
            message: message.to_vec(),
        })
    }

    /// The octets to send, under a new id.
    pub(crate) fn fresh(&mut self) -> &[u8] {
        if self.message.len() >= HEADER {
            Header::for_message_slice_mut(&mut self.message).set_id(random::id());
        }
        &self.message
    }

    /// The answer under the caller's id, when it belongs to what [`Self::fresh`] gave last.
    pub(crate) fn accept(&self, answer: &[u8]) -> Option<Vec<u8>> {
        let parsed = Message::from_slice(answer).ok()?;
        let header = parsed.header();
        let sent = Header::for_message_slice(self.message.get(..HEADER)?);
        if header.id() != sent.id() || !header.qr() || header.opcode() != sent.opcode() {
            return None;
        }
        let repeats = answer.get(HEADER..HEADER + self.question.len()) == Some(&self.question[..]);
        // A server that cannot read the question may answer without it.
        let bare =
            parsed.header_counts().qdcount() == 0 && header.rcode() != domain::base::iana::Rcode::NOERROR;
        if !(bare || (repeats && parsed.header_counts().qdcount() == 1)) {
            return None;
        }
        let mut answer = answer.to_vec();
        Header::for_message_slice_mut(&mut answer).set_id(self.original_id);
        Some(answer)
    }

    /// Leaves the OPT record out from here on; false when there was none.
    pub(crate) fn drop_edns(&mut self) -> bool {
        if !self.edns {
            return false;
        }
        self.edns = false;
        match self.without_opt() {
            Some(message) => {
                self.message = message;
                true
            }
            None => false,
        }
    }

    fn without_opt(&self) -> Option<Vec<u8>> {
        let message = Message::from_slice(&self.message).ok()?;
        let mut builder = MessageBuilder::new_vec();
        *builder.header_mut() = message.header();
        let mut question = builder.question();
        question.push(message.sole_question().ok()?).ok()?;
        debug_assert!(message.additional().ok()?.flatten().all(|record| record.rtype() == Rtype::OPT));
        Some(question.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::Name;
    use domain::base::iana::Rcode;

    fn question() -> Vec<u8> {
        let mut builder = MessageBuilder::new_vec();
        builder.header_mut().set_id(7);
        let mut builder = builder.question();
        builder.push((Name::vec_from_str("Files.corp.example").unwrap(), Rtype::A)).unwrap();
        let mut builder = builder.additional();
        builder.opt(|_| Ok(())).unwrap();
        builder.finish()
    }

    fn answer(to: &[u8]) -> Vec<u8> {
        let to = Message::from_slice(to).unwrap();
        MessageBuilder::new_vec().start_answer(to, Rcode::NOERROR).unwrap().finish()
    }

    #[test]
    fn only_id_question_and_case_together_belong() {
        let mut expected = Expected::of(&question()).unwrap();
        let good = answer(expected.fresh());
        assert_eq!(expected.accept(&good).unwrap()[..2], [0, 7]);
        for at in [0, 1, 2, 13, 20, 32] {
            let mut bad = good.clone();
            bad[at] ^= if at == 2 { 0x80 } else { 0x20 };
            assert!(expected.accept(&bad).is_none(), "octet {at}");
        }
        assert!(expected.accept(&good[..11]).is_none() && expected.accept(&good[..20]).is_none());
        let old = good;
        let mut again = expected.clone();
        while again.fresh()[..2] == old[..2] {}
        assert!(again.accept(&old).is_none());
    }

    #[test]
    fn edns_can_be_left_out_once() {
        let mut expected = Expected::of(&question()).unwrap();
        let with = expected.fresh().len();
        assert!(expected.drop_edns() && !expected.drop_edns());
        assert_eq!(expected.fresh().len(), with - 11);
    }

    #[test]
    fn what_is_no_question_is_refused() {
        assert!(Expected::of(&[0; 12]).is_none() && Expected::of(&[]).is_none());
    }
}
