//! What becomes of a packet.

use sixgate_reason::Reason;
use sixgate_wire::refusal::Refusal;

/// What becomes of a packet that came from the ISATAP link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inbound {
    /// Its source is verified; it goes on.
    Forward,
    /// It was for us and has been dealt with.
    Consumed,
    /// It goes no further, and nobody is told: the outer source may be forged (RFC 5214, section 7.3).
    Drop(Reason),
}

/// A packet that cannot be sent into the ISATAP link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// What to tell the sender; `None` where it is nobody's business, as with multicast.
    pub refusal: Option<Refusal>,
}

impl Refused {
    pub(crate) const fn silently(reason: Reason) -> Self {
        Self { reason, refusal: None }
    }

    pub(crate) const fn with(reason: Reason, refusal: Refusal) -> Self {
        Self { reason, refusal: Some(refusal) }
    }
}
