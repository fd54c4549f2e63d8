//! What `sixgate doctor` thinks: evidence in, findings out, and nothing else.
//!
//! [`Evidence`] is what one machine can observe of itself, of its own names and of its own network, as one JSON value. A rule is a
//! pure function from a [`Case`] (this machine, and the other end where its evidence was given) to [`Check`]s. Whoever
//! gathers evidence is elsewhere: the daemons answer for themselves, the command line looks at the rest.
//!
//! ```
//! use sixgate_doctor::{Case, Evidence, judge};
//! # let evidence = Evidence::default();
//! let report = judge(&Case { ours: &evidence, other: None });
//! for finding in &report.findings {
//!     println!("{}  {}", finding.code, finding.what);
//! }
//! ```
//!
//! One cause gives one message: a finding names the findings that would explain it, and is folded into the first of them
//! that is there.
//!
//! | module | holds |
//! | --- | --- |
//! | [`evidence`] | what each machine can observe |
//! | [`case`] | both ends together, and the questions that rules ask of them |
//! | [`finding`] | what a rule says, and how findings explain each other |
//! | `rules` | one file a rule or a small family |
#![forbid(unsafe_code)]

pub mod case;
pub mod evidence;
pub mod finding;
mod rules;

pub use case::Case;
pub use evidence::Evidence;
pub use finding::{Check, Finding, Report, Severity};

/// Applies every rule and puts the findings in order: failures first, then as the registry numbers them.
#[must_use]
pub fn judge(case: &Case<'_>) -> Report {
    Report::of(rules::ALL.iter().flat_map(|rule| rule(case)))
}
