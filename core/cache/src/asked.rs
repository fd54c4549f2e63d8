//! What a question to an upstream is known by.

use alloc::vec::Vec;

use domain::base::iana::{Class, Rtype};
use domain::base::name::FlattenInto;
use domain::base::{Message, Name};

pub(crate) const HEADER: usize = 12;
/// Source, flags and type before the name of a key.
const PREFIX: usize = 7;
/// In place of the type: the whole name. No record has type 0 (RFC 6895, section 3.1).
const WHOLE_NAME: [u8; 2] = [0; 2];

/// A question in class IN. Equal ones have equal keys: name in any case, type, DO, CD and the set of upstreams.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    pub(crate) name: Name<Vec<u8>>,
    pub(crate) rtype: Rtype,
    pub(crate) dnssec_ok: bool,
    /// Name, type and class as the asker spelt them.
    pub(crate) question: Vec<u8>,
    key: Vec<u8>,
}

impl Asked {
    /// `source` names the set of upstreams that is asked: what one set says is not known to another. `None` when the message
    /// has not exactly one question, or another class than IN, or type 0, which would count for the whole name.
    #[must_use]
    pub fn of(message: &[u8], source: u32) -> Option<Self> {
        let parsed = Message::from_slice(message).ok()?;
        let question = parsed.sole_question().ok()?;
        let rtype = question.qtype();
        if question.qclass() != Class::IN || rtype.to_int().to_be_bytes() == WHOLE_NAME {
            return None;
        }
        let name: Name<Vec<u8>> = question.qname().try_flatten_into().ok()?;
        let dnssec_ok = parsed.opt().is_some_and(|opt| opt.dnssec_ok());
        let flags = u8::from(dnssec_ok) | u8::from(parsed.header().cd()) << 1;
        let mut key = Vec::with_capacity(PREFIX + name.len());
        key.extend_from_slice(&source.to_be_bytes());
        key.push(flags);
        key.extend_from_slice(&rtype.to_int().to_be_bytes());
        // Lengths of labels are below all letters.
        key.extend(name.as_slice().iter().map(u8::to_ascii_lowercase));
        let mut spelt = name.as_slice().to_vec();
        spelt.extend_from_slice(&rtype.to_int().to_be_bytes());
        spelt.extend_from_slice(&Class::IN.to_int().to_be_bytes());
        Some(Self { name, rtype, dnssec_ok, question: spelt, key })
    }

    /// The same question to another set of upstreams.
    #[must_use]
    pub fn from(mut self, source: u32) -> Self {
        if let Some(own) = self.key.first_chunk_mut() {
            *own = source.to_be_bytes();
        }
        self
    }

    /// Octets that are the same for equal questions and for no others.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The key of what is said of the name for all types.
    pub(crate) fn name_key(&self) -> Vec<u8> {
        let mut key = self.key.clone();
        if let Some(rtype) = key.get_mut(PREFIX - WHOLE_NAME.len()..PREFIX) {
            rtype.copy_from_slice(&WHOLE_NAME);
        }
        key
    }

    /// The name, as the asker spelt it.
    #[must_use]
    pub const fn name(&self) -> &Name<Vec<u8>> {
        &self.name
    }

    /// Octets from the start of a message to the end of this question.
    pub(crate) fn end(&self) -> usize {
        HEADER + self.question.len()
    }
}
