//! What can go wrong with an update, each with its reason in the registry.

use std::fmt;
use std::net::SocketAddr;

use domain::base::iana::Rcode;
use sixgate_reason::{DNS_UPDATE_KEY, DNS_UPDATE_REFUSED, DNS_UPDATE_UNREACHABLE, Reason};

/// Why an update did not happen, or cannot be said to have happened.
#[derive(Debug)]
pub enum UpdateError {
    /// A prerequisite did not hold: YXDOMAIN, YXRRSET, NXRRSET or NXDOMAIN (RFC 2136, section 3.2). Nothing was changed.
    Prerequisite(Rcode),
    /// The server does not do it: REFUSED, NOTAUTH, NOTZONE, SERVFAIL, NOTIMP, FORMERR.
    Refused(Rcode),
    /// The key: the server does not accept ours, or its answer does not hold against it.
    Key(KeyFault),
    /// No answer; the last server that was tried.
    Unreachable(Option<SocketAddr>, std::io::Error),
    /// The answer cannot be read, or the update does not fit into a message.
    Malformed,
}

/// What is wrong with the key or the signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyFault {
    /// BADKEY: the server does not know a key of this name and algorithm.
    Unknown,
    /// BADSIG: it knows a key of this name, but with another secret.
    Secret,
    /// BADTIME: the server's clock minus ours, in seconds.
    Clock(i64),
    /// The answer is not signed, so that nobody knows whose it is.
    Unsigned,
    /// The answer's signature does not hold.
    Forged,
}

impl UpdateError {
    /// The registry's name for it; a prerequisite that fails has its meaning from who made it, and counts as refused here.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Key(_) => DNS_UPDATE_KEY,
            Self::Unreachable(..) => DNS_UPDATE_UNREACHABLE,
            Self::Prerequisite(_) | Self::Refused(_) | Self::Malformed => DNS_UPDATE_REFUSED,
        }
    }
}

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prerequisite(rcode) => write!(f, "a prerequisite does not hold ({rcode})"),
            Self::Refused(Rcode::REFUSED) => f.write_str("the server's policy refuses the update (REFUSED)"),
            Self::Refused(Rcode::NOTAUTH) => {
                f.write_str("the server is not the primary of the zone (NOTAUTH)")
            }
            Self::Refused(Rcode::NOTZONE) => f.write_str("the name lies outside the zone (NOTZONE)"),
            Self::Refused(Rcode::SERVFAIL) => f.write_str("the server failed to make the change (SERVFAIL)"),
            Self::Refused(Rcode::NOTIMP) => f.write_str("the server does not know such updates (NOTIMP)"),
            Self::Refused(rcode) => write!(f, "the server answered {rcode}"),
            Self::Key(fault) => fmt::Display::fmt(fault, f),
            Self::Unreachable(Some(server), source) => write!(f, "{server} does not answer: {source}"),
            Self::Unreachable(None, _) => f.write_str("no server is configured"),
            Self::Malformed => f.write_str("the server's answer cannot be read"),
        }
    }
}

impl std::error::Error for UpdateError {}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the server does not know the key (BADKEY)"),
            Self::Secret => f.write_str("the server has another secret for the key (BADSIG)"),
            Self::Clock(offset) => write!(f, "the server's clock differs by {offset} s (BADTIME)"),
            Self::Unsigned => f.write_str("the server's answer is not signed"),
            Self::Forged => f.write_str("the signature of the server's answer does not hold"),
        }
    }
}
