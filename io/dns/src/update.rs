//! Updates of a zone (RFC 2136), signed with TSIG (RFC 8945).
//!
//! One [`Update`] is one message to one zone: all of it happens or nothing does. The answer is believed only when its
//! signature holds; everything else is a failure with a name.

mod badtime;
mod client;
mod dhcid;
mod error;
mod key;
mod message;

pub use client::Updater;
pub use dhcid::Owner;
pub use error::{KeyFault, UpdateError};
pub use key::{KeyFileError, TsigKey};
pub use message::{Data, Update};
