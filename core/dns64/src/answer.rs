//! What the machine gives back.

use alloc::vec::Vec;

use sixgate_reason::Reason;

/// A finished answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The whole message, within the asker's size.
    pub message: Vec<u8>,
    /// How it came about.
    pub kind: Kind,
    /// Set when the asker was refused or failed.
    pub reason: Option<Reason>,
    /// Everybody with the same [`view`](crate::Dns64::view), DO and CD gets the same until its lowest TTL is over: nothing of it is
    /// stale, guessed after a failure, or about this asker alone.
    pub lasting: bool,
}

/// How an answer came about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// As the upstream said, less what must not be handed out.
    Passed,
    /// AAAA made from A.
    Synthesised,
    /// From a zone of this resolver.
    Local,
    /// A blocked label.
    Blocked,
    /// A message that is no usable question.
    Invalid,
    /// The upstreams failed.
    Failed,
}
