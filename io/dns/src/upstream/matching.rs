//! Which answer belongs to a question (RFC 5452, section 9.1).
//!
//! The case of the name's letters goes out by chance (draft-vixie-dnsext-dns0x20): a forger has to guess it with port and
//! id, and a server repeats the question octet for octet.

use domain::base::iana::{Rcode, Rtype};
use domain::base::{Header, Message, MessageBuilder};

use crate::random;

/// A question as it goes out, and what its answer must repeat.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    message: Vec<u8>,
    /// The id that the caller knows the question by.
    original_id: u16,
    /// Question section as the caller spelt it.
    question: Vec<u8>,
    edns: bool,
    /// The case of what went out last was left to chance, so that it proves something.
    mixed: bool,
}

/// Whether an answer belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Match {
    /// It does; this is it, with the caller's id and spelling.
    Whole(Vec<u8>),
    /// All but the case, which was left to chance: the server does not keep it.
    OtherCase,
    /// It does not.
    Foreign,
}

const HEADER: usize = 12;
const TYPE_AND_CLASS: usize = 4;

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
            mixed: false,
            message: message.to_vec(),
        })
    }

    /// The octets to send, under a new id, and in a case by chance where `mixed`.
    pub(crate) fn fresh(&mut self, mixed: bool) -> &[u8] {
        self.mixed = mixed;
        let end = HEADER + self.question.len();
        if let Some(question) = self.message.get_mut(HEADER..end) {
            question.copy_from_slice(&self.question);
            let name = question.len().saturating_sub(TYPE_AND_CLASS);
            if mixed {
                // Lengths of labels are below all letters, so whatever is a letter belongs to a label.
                let chance = random::octets::<32>();
                for (n, octet) in question.iter_mut().take(name).enumerate() {
                    let heads = chance.get(n / 8).is_some_and(|bits| bits >> (n % 8) & 1 == 1);
                    if octet.is_ascii_alphabetic() && heads {
                        *octet ^= 0x20;
                    }
                }
            }
            Header::for_message_slice_mut(&mut self.message).set_id(random::id());
        }
        &self.message
    }

    /// Whether the answer belongs to what [`Self::fresh`] gave last.
    pub(crate) fn judge(&self, answer: &[u8]) -> Match {
        self.try_judge(answer).unwrap_or(Match::Foreign)
    }

    fn try_judge(&self, answer: &[u8]) -> Option<Match> {
        let parsed = Message::from_slice(answer).ok()?;
        let header = parsed.header();
        let sent = Header::for_message_slice(self.message.get(..HEADER)?);
        if header.id() != sent.id() || !header.qr() || header.opcode() != sent.opcode() {
            return None;
        }
        let end = HEADER + self.question.len();
        let mut answer = answer.to_vec();
        match parsed.header_counts().qdcount() {
            // A server that cannot read the question may answer without it.
            0 if header.rcode() != Rcode::NOERROR => {}
            1 => {
                let repeated = answer.get_mut(HEADER..end)?;
                let asked = self.message.get(HEADER..end)?;
                if *repeated != *asked {
                    let name = asked.len().checked_sub(TYPE_AND_CLASS)?;
                    if repeated.get(name..) != asked.get(name..) || !repeated.eq_ignore_ascii_case(asked) {
                        return None;
                    }
                    // Names are equal in any case (RFC 4343); the asker's own is no secret.
                    if self.mixed {
                        return Some(Match::OtherCase);
                    }
                }
                // Compressed names that lead here get the caller's spelling too.
                repeated.copy_from_slice(&self.question);
            }
            _ => return None,
        }
        Header::for_message_slice_mut(&mut answer).set_id(self.original_id);
        Some(Match::Whole(answer))
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
        for mixed in [false, true] {
            let good = answer(expected.fresh(mixed));
            let Match::Whole(whole) = expected.judge(&good) else { panic!() };
            assert_eq!((&whole[..2], &whole[12..32]), (&[0, 7][..], &question()[12..32]));
            for (at, bit, want) in [
                (0, 1, Match::Foreign),
                (1, 1, Match::Foreign),
                (2, 0x80, Match::Foreign),
                (13, 0x20, if mixed { Match::OtherCase } else { Match::Whole(whole) }),
                (13, 1, Match::Foreign),
                (33, 1, Match::Foreign),
            ] {
                let mut bad = good.clone();
                bad[at] ^= bit;
                assert_eq!(expected.judge(&bad), want, "octet {at}");
            }
            assert_eq!(expected.judge(&good[..11]), Match::Foreign);
            assert_eq!(expected.judge(&good[..20]), Match::Foreign);
            let mut again = expected.clone();
            while again.fresh(mixed)[..2] == good[..2] {}
            assert_eq!(again.judge(&good), Match::Foreign);
        }
    }

    #[test]
    fn types_that_look_like_letters_are_told_apart() {
        let mut builder = MessageBuilder::new_vec().question();
        builder.push((Name::vec_from_str("files.corp.example").unwrap(), Rtype::HTTPS)).unwrap();
        let mut expected = Expected::of(&builder.finish()).unwrap();
        let mut other = answer(expected.fresh(false));
        // 65 and 97 are the same letter in two cases.
        other[33] ^= 0x20;
        assert_eq!(expected.judge(&other), Match::Foreign);
    }

    #[test]
    fn the_case_goes_out_by_chance_and_nothing_else_does() {
        let mut expected = Expected::of(&question()).unwrap();
        let plain = expected.fresh(false)[12..].to_vec();
        assert_eq!(plain, question()[12..]);
        let mixed: Vec<_> = (0..20).map(|_| expected.fresh(true)[12..].to_vec()).collect();
        assert!(mixed.iter().all(|one| one.eq_ignore_ascii_case(&plain) && one[20..] == plain[20..]));
        // 16 letters: twenty times the same would be chance of 2^-320.
        assert!(mixed.iter().any(|one| *one != mixed[0]));
    }

    #[test]
    fn edns_can_be_left_out_once() {
        let mut expected = Expected::of(&question()).unwrap();
        let with = expected.fresh(true).len();
        assert!(expected.drop_edns() && !expected.drop_edns());
        assert_eq!(expected.fresh(true).len(), with - 11);
    }

    #[test]
    fn what_is_no_question_is_refused() {
        assert!(Expected::of(&[0; 12]).is_none() && Expected::of(&[]).is_none());
    }
}
