//! Faults of the machines that sixgate runs on: what a daemon may, and what it finds.

use super::Fault;

pub(super) static FAULTS: &[Fault] = &[];
