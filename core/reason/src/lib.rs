//! The one registry of reasons: every drop, refusal and finding has a number, a code and a one-line text.
//!
//! The same number stands in the counter, the metric, the capture comment, the manual and the test. Numbers are never
//! reused: a reason that is gone leaves a hole. Each area (a file under `areas/`) owns a block of one hundred numbers, and
//! what `doctor` finds has the last block ([`diagnoses`]).
#![no_std]
#![forbid(unsafe_code)]

use core::fmt;

mod areas;
mod counters;
pub mod diagnoses;

pub use areas::*;
pub use counters::Counters;
pub use diagnoses::Diagnosis;

/// Why a packet, message or request was dropped or refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(u16);

/// One line of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The reason itself.
    pub reason: Reason,
    /// Stable code: lower case, words joined by hyphens, unique.
    pub code: &'static str,
    /// One line for a person, without a full stop.
    pub text: &'static str,
}

impl Reason {
    /// Numbers are below this, so that a plain array can count them.
    pub const LIMIT: u16 = 800;

    /// The stable number, below [`Reason::LIMIT`].
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The registry's line of this reason.
    #[must_use]
    pub fn entry(self) -> &'static Entry {
        // A `Reason` can only be made by the registry, so the search always finds it.
        Self::all().find(|e| e.reason == self).unwrap_or(&areas::UNREGISTERED)
    }

    /// The stable code, as `counters` and the tests print it.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.entry().code
    }

    /// One line for a person.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.entry().text
    }

    /// The reason with this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::all().find(|e| e.code == code).map(|e| e.reason)
    }

    /// Every line of the registry, by area.
    pub fn all() -> impl Iterator<Item = &'static Entry> {
        areas::ALL.iter().flat_map(|area| area.iter())
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.code(), self.0)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_unique_and_small() {
        for (i, a) in Reason::all().enumerate() {
            assert!(a.reason.number() < Reason::LIMIT, "{a:?}");
            assert!(
                a.code.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-'),
                "{a:?}"
            );
            assert!(!a.text.is_empty() && !a.text.ends_with('.') && !a.text.contains('\n'), "{a:?}");
            for b in Reason::all().skip(i + 1) {
                assert_ne!(a.reason.number(), b.reason.number(), "{a:?} {b:?}");
                assert_ne!(a.code, b.code, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_code_leads_back_to_its_reason() {
        assert_eq!(Reason::from_code("malformed-ipv6"), Some(MALFORMED_IPV6));
        assert_eq!(Reason::from_code("no-such-code"), None);
    }
}
