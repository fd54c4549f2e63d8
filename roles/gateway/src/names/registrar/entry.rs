//! One name on its way: what should be, what is known, when it is tried again.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::super::memory::Wanted;
use super::steps::Failure;
use super::{NameStatus, Standing};

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(300);
/// A name that stands is looked at again: somebody may have removed it.
const LOOK_AGAIN: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) wanted: Wanted,
    state: Standing,
    since: SystemTime,
    reverse_failure: Option<String>,
    /// When something is to be sent; `None` while it is under way.
    due: Option<Instant>,
    /// Only look whether it stands, and write when it does not.
    pub(super) look_first: bool,
    /// What was wanted changed while something was under way.
    changed: bool,
}

/// What an attempt brought.
pub(super) type Attempt = Result<Option<String>, Failure>;

impl Entry {
    /// Due at once. `look_first` for what an earlier run may have written already.
    pub(super) fn new(wanted: Wanted, look_first: bool) -> Self {
        Self {
            wanted,
            state: Standing::Pending,
            since: SystemTime::now(),
            reverse_failure: None,
            due: Some(Instant::now()),
            look_first,
            changed: false,
        }
    }

    /// Something else is wanted, or the same again.
    pub(super) fn want(&mut self, wanted: Wanted) {
        let same = self.wanted == wanted;
        self.wanted = wanted;
        match self.due {
            // A client that comes back is a moment to look, not to write.
            Some(_) => {
                self.look_first = same && (self.look_first || self.state == Standing::Stands);
                self.due = Some(Instant::now());
            }
            None => self.changed |= !same,
        }
        if !same {
            self.set(Standing::Pending);
        }
    }

    /// When it is to be sent, unless it is under way.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It is under way now.
    pub(super) fn begin(&mut self) {
        self.due = None;
        self.changed = false;
    }

    /// What it brought; true when this is news for a person.
    pub(super) fn end(&mut self, outcome: Attempt, chance: u64) -> bool {
        if self.changed {
            self.due = Some(Instant::now());
            self.look_first = false;
            return false;
        }
        match outcome {
            Ok(reverse_failure) => {
                self.due = Some(Instant::now() + LOOK_AGAIN);
                self.look_first = true;
                self.reverse_failure = reverse_failure;
                self.set(Standing::Stands)
            }
            Err(Failure { reason, what }) => {
                let attempts = match self.state {
                    Standing::Failed { attempts, .. } => attempts.saturating_add(1),
                    Standing::Pending | Standing::Stands => 1,
                };
                self.due = Some(Instant::now() + retry(attempts, chance));
                let same =
                    matches!(&self.state, Standing::Failed { reason: before, .. } if *before == reason);
                self.set(Standing::Failed { reason, what, attempts });
                !same
            }
        }
    }

    pub(super) fn status(&self, name: &str) -> NameStatus {
        NameStatus {
            name: name.to_owned(),
            address: self.wanted.address,
            leaving: self.wanted.gone,
            state: self.state.clone(),
            since: self.since,
            reverse_failure: self.reverse_failure.clone(),
        }
    }

    /// True when that is another state.
    fn set(&mut self, state: Standing) -> bool {
        let changed = core::mem::discriminant(&state) != core::mem::discriminant(&self.state);
        if changed {
            self.since = SystemTime::now();
        }
        self.state = state;
        changed
    }
}

/// One second, doubling to five minutes, a quarter of it by chance.
fn retry(attempts: u32, chance: u64) -> Duration {
    let doubled =
        FIRST_RETRY.saturating_mul(1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX));
    let whole = doubled.min(LONGEST_RETRY);
    let quarter = u64::try_from(whole.as_millis() / 4).unwrap_or(0).max(1);
    whole - Duration::from_millis(chance % quarter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_double_from_a_second_to_five_minutes() {
        for (attempts, want) in [(1, 1), (2, 2), (4, 8), (9, 256), (10, 300), (64, 300), (u32::MAX, 300)] {
            assert_eq!(retry(attempts, 0), Duration::from_secs(want));
            let least = retry(attempts, u64::MAX);
            assert!(least > Duration::from_secs(want) * 3 / 4 - Duration::from_millis(1), "{least:?}");
        }
    }
}
