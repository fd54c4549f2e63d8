//! What every daemon of ours says to people in the same way: why it failed, and what it refused.
//!
//! | module | holds |
//! | --- | --- |
//! | [`failure`] | why a daemon did not start, or ended: one line |
//! | [`tally`] | a counter for each reason, and a line in the log when one first strikes |
#![forbid(unsafe_code)]

pub mod failure;
pub mod tally;

pub use failure::Failure;
pub use tally::{Said, Tally};
