//! The blocks of numbers, one file an area.

use crate::{Entry, Reason};

/// Declares constants and the table of one area from one list, so that they cannot disagree.
macro_rules! reasons {
    ($($number:literal $name:ident $code:literal $text:literal;)*) => {
        $(#[doc = $text] pub const $name: $crate::Reason = $crate::Reason($number);)*
        /// The registry's lines of this area.
        pub(super) const TABLE: &[$crate::Entry] = &[
            $($crate::Entry { reason: $name, code: $code, text: $text },)*
        ];
    };
}

mod control;
mod dns;
mod fabric;
mod iphttps;
mod isatap;
mod nat64;
mod packet;

pub use control::*;
pub use dns::*;
pub use fabric::*;
pub use iphttps::*;
pub use isatap::*;
pub use nat64::*;
pub use packet::*;

pub(crate) const ALL: &[&[Entry]] =
    &[packet::TABLE, fabric::TABLE, isatap::TABLE, nat64::TABLE, iphttps::TABLE, dns::TABLE, control::TABLE];

pub(crate) const UNREGISTERED: Entry =
    Entry { reason: Reason(0), code: "unregistered", text: "not in the registry" };
