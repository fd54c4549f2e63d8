//! The check at the end: is anybody still there?

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::{HostEvidence, Retirement};

/// Seconds without a packet in protocol 41 after which nobody is left.
pub const SILENCE: u64 = 7 * 86_400;

/// How the end looks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Seconds since a packet in protocol 41 came from a host, or since hosts were withdrawn from when none came.
    pub silent_for: u64,
    /// Hosts that still have an open flow.
    pub open: Vec<Ipv4Addr>,
    /// Hosts that were heard within [`SILENCE`] and have nothing open: what is left is their own configuration.
    pub asking: Vec<Ipv4Addr>,
}

impl Verified {
    /// Judges `hosts` at `now`; `last_heard` is when any host was last heard.
    #[must_use]
    pub fn of(retirement: &Retirement, now: u64, last_heard: Option<u64>, hosts: &[HostEvidence]) -> Self {
        // Being heard before anybody was told to stop says nothing about the end.
        let told = retirement.begun[2].unwrap_or(now);
        let last = last_heard.map_or(told, |at| at.max(told));
        let open = hosts.iter().filter(|h| h.open > 0).map(|h| h.ipv4).collect();
        let heard = |h: &&HostEvidence| {
            h.open == 0 && h.last_rs.is_some_and(|at| at.max(told) > told && at.saturating_add(SILENCE) > now)
        };
        let asking = hosts.iter().filter(heard).map(|h| h.ipv4).collect();
        Self { silent_for: now.saturating_sub(last), open, asking }
    }

    /// True when nobody is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.silent_for >= SILENCE && self.open.is_empty() && self.asking.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retire::Phase;
    use std::vec;

    const DAY: u64 = 86_400;

    fn withdrawn_at(day: u64) -> Retirement {
        let quiet = Retirement::enter(None, Phase::Quiet, (day - 7) * DAY, &[]).unwrap();
        Retirement::enter(Some(&quiet), Phase::Withdraw, day * DAY, &[]).unwrap()
    }

    fn host(n: u8, open: u32, last_rs: Option<u64>) -> HostEvidence {
        HostEvidence { ipv4: Ipv4Addr::new(10, 6, 8, n), flows_started: 0, last_flow: None, open, last_rs }
    }

    #[test]
    fn a_week_of_silence_after_the_withdrawal_is_the_end() {
        let state = withdrawn_at(100);
        let after = |days: u64, heard, hosts: &[_]| Verified::of(&state, (100 + days) * DAY, heard, hosts);
        assert!(!after(6, None, &[]).is_over());
        assert!(after(7, None, &[]).is_over());
        // What was heard before counts for nothing, what was heard after counts.
        assert!(after(7, Some(99 * DAY), &[host(1, 0, Some(99 * DAY))]).is_over());
        assert!(!after(8, Some(102 * DAY), &[]).is_over());
        assert!(after(9, Some(102 * DAY), &[host(1, 0, Some(102 * DAY))]).is_over());
    }

    #[test]
    fn whoever_is_left_is_named() {
        let state = withdrawn_at(100);
        let hosts = [host(1, 2, None), host(2, 0, Some(107 * DAY)), host(3, 0, Some(90 * DAY))];
        let end = Verified::of(&state, 108 * DAY, Some(107 * DAY), &hosts);
        assert_eq!(
            (end.open.clone(), end.asking.clone(), end.silent_for),
            (vec![hosts[0].ipv4], vec![hosts[1].ipv4], DAY)
        );
        assert!(!end.is_over());
    }
}
