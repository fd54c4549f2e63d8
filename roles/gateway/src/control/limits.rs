//! How many certificates are signed: strangers who enrol have one limit together, each client that renews has its own.

use std::collections::HashMap;

use sixgate_time::{Instant, TokenBucket};

/// Enrolments a second, and at once.
const ENROLMENTS: (u32, u32) = (5, 20);
/// Renewals of one client a second, and at once.
const RENEWALS: (u32, u32) = (1, 5);

/// What is left of each limit.
pub(crate) struct Limits {
    enrolments: TokenBucket,
    /// By name, of clients that are let in: as many as there are tokens that somebody was given.
    renewals: HashMap<String, TokenBucket>,
}

impl Limits {
    pub(crate) fn new() -> Self {
        Self { enrolments: TokenBucket::new(ENROLMENTS.0, ENROLMENTS.1), renewals: HashMap::new() }
    }

    /// False when there are more enrolments than anybody makes in earnest.
    pub(crate) fn may_enrol(&mut self, now: Instant) -> bool {
        self.enrolments.take(now)
    }

    /// False when this client, which is let in, renews more often than any does in earnest.
    pub(crate) fn may_renew(&mut self, name: &str, now: Instant) -> bool {
        if let Some(left) = self.renewals.get_mut(name) {
            return left.take(now);
        }
        let mut full = TokenBucket::new(RENEWALS.0, RENEWALS.1);
        let may = full.take(now);
        self.renewals.insert(name.to_owned(), full);
        may
    }

    /// The client is let in no longer.
    pub(crate) fn forget(&mut self, name: &str) {
        self.renewals.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_strangers_nor_another_client_keep_a_client_from_renewing() {
        let (mut limits, now) = (Limits::new(), Instant::from_secs(100));
        assert_eq!((0..100).filter(|_| limits.may_enrol(now)).count(), 20);
        assert_eq!((0..100).filter(|_| limits.may_renew("laptop-01", now)).count(), 5);
        assert!(limits.may_renew("laptop-02", now));
        assert!(!limits.may_enrol(now) && !limits.may_renew("laptop-01", now));
        assert!(limits.may_renew("laptop-01", Instant::from_secs(101)));
        limits.forget("laptop-01");
        assert_eq!(limits.renewals.len(), 1);
    }
}
