//! What `doctor` can find: the second table of the registry, beside the reasons of drops and refusals.
//!
//! A diagnosis names a broken step on a machine or between two; a reason names why one packet or message went no further.
//! Both share one space of numbers: diagnoses have 700 to 799.

mod isatap;
mod nat64;
mod network;
mod system;

pub use isatap::*;
pub use nat64::*;
pub use network::*;
pub use system::*;

/// One fault that `doctor` knows: its place in the registry and its page in the manual.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Diagnosis {
    /// Stable, within 700 to 799.
    pub number: u16,
    /// Stable: `SG-`, area, three digits.
    pub code: &'static str,
    /// One line for a person, without a full stop.
    pub text: &'static str,
    /// What is broken, and what a person notices.
    pub meaning: &'static str,
    /// Why it happens, the most frequent cause first.
    pub causes: &'static [&'static str],
    /// How to prove it by hand: one command or observation a line.
    pub proof: &'static [&'static str],
    /// The mend.
    pub fix: &'static str,
    /// RFC sections and pages of the manual.
    pub references: &'static [&'static str],
    /// Reasons whose counters rise with it, by code.
    pub reasons: &'static [&'static str],
}

impl Diagnosis {
    /// The first number of the diagnoses.
    pub const FIRST: u16 = 700;
    /// Numbers are below this.
    pub const LIMIT: u16 = 800;

    /// The diagnosis with this code, in upper or lower case.
    #[must_use]
    pub fn from_code(code: &str) -> Option<&'static Self> {
        Self::all().find(|d| d.code.eq_ignore_ascii_case(code))
    }

    /// Every diagnosis, by area.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        [isatap::ALL, network::ALL, nat64::ALL, system::ALL].into_iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;

    #[test]
    fn numbers_and_codes_are_unique_and_in_their_block() {
        for (i, a) in Diagnosis::all().enumerate() {
            assert!((Diagnosis::FIRST..Diagnosis::LIMIT).contains(&a.number), "{}", a.code);
            assert!(a.code.starts_with("SG-"), "{}", a.code);
            assert!(Reason::all().all(|e| e.reason.number() != a.number), "{}", a.code);
            for b in Diagnosis::all().skip(i + 1) {
                assert!(a.number != b.number && a.code != b.code, "{} {}", a.code, b.code);
            }
        }
    }

    #[test]
    fn every_diagnosis_says_all_that_explain_prints() {
        for d in Diagnosis::all() {
            assert!(!d.text.is_empty() && !d.text.ends_with('.') && !d.text.contains('\n'), "{}", d.code);
            assert!(!d.meaning.is_empty() && !d.fix.is_empty(), "{}", d.code);
            assert!(!d.causes.is_empty() && !d.proof.is_empty(), "{}", d.code);
            for reason in d.reasons {
                assert!(Reason::from_code(reason).is_some(), "{}: {reason}", d.code);
            }
        }
    }

    #[test]
    fn a_code_leads_back_to_its_diagnosis() {
        assert_eq!(Diagnosis::from_code("sg-isatap-003").map(|d| d.number), Some(702));
        assert!(Diagnosis::from_code("SG-ISATAP-999").is_none());
    }
}
