//! Taking ISATAP away without cutting anybody off: the phases, who is in which, and what each is told.
//!
//! ```text
//!            --phase 2            --phase 3            --phase 4          --phase 5
//!  observe ------------> quiet -------------> withdraw ----------> clean ----------> verify
//!     |                    |                     |                   |                 |
//!     +--------------------+---------------------+-------------------+-----------------+--> undo: as before
//! ```
//! | phase | a host that is in use | one that is not | one with an open flow, whatever else it is |
//! | --- | --- | --- | --- |
//! | observe | as always | as always | as always |
//! | quiet | deprecated: preferred lifetime 0 | withdrawn, then no answer | deprecated |
//! | withdraw and later | withdrawn | withdrawn | deprecated, renewed until the flow ends |
//!
//! Nothing here knows a clock: a phase begins because a person says so, and the days between phases are advice.
//! Seconds are counted since 1970.

use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::addr::isatap::{self, Form};

mod evidence;
mod phase;
mod verify;

pub use evidence::{HostEvidence, IN_USE, Use};
pub use phase::{Phase, Stage};
pub use verify::{SILENCE, Verified};

/// What a router is told of a retirement; the default is that there is none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Retire {
    /// What becomes of hosts.
    pub stage: Stage,
    /// Hosts that are in use, and so go on being answered while others are not. In order.
    pub in_use: Vec<Ipv4Addr>,
}

impl Retire {
    /// Where no flow may be opened any more (true), and where within that it still may (false): what the filter has to know
    /// before the router does. `prefixes` are those of the link.
    #[must_use]
    pub fn closed(&self, prefixes: &[Ipv6Prefix]) -> Vec<(Ipv6Prefix, bool)> {
        if !self.is_on() {
            return Vec::new();
        }
        let mut closed: Vec<_> = prefixes.iter().map(|prefix| (*prefix, true)).collect();
        for v4 in self.in_use.iter().filter(|v4| self.keeps(**v4)) {
            for prefix in prefixes {
                let kept = |form| Ipv6Prefix::containing(isatap::address(prefix.address(), form, *v4), 128);
                closed.extend([Form::Private, Form::Global].map(|form| (kept(form), false)));
            }
        }
        closed
    }

    pub(crate) fn is_on(&self) -> bool {
        self.stage != Stage::Serve
    }

    /// True for a host that has something from the router, as long as no flow has to be looked at.
    pub(crate) fn keeps(&self, v4: Ipv4Addr) -> bool {
        match self.stage {
            Stage::Serve => true,
            Stage::Quiet => self.in_use.binary_search(&v4).is_ok(),
            Stage::Withdraw => false,
        }
    }
}

/// A retirement that is going on: what is kept on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retirement {
    /// The phase.
    pub phase: Phase,
    /// When each phase began, the first one first; `None` for one that was not entered or was left backwards.
    pub begun: [Option<u64>; 5],
    /// Hosts that were in use when the quiet phase began. In order.
    pub in_use: Vec<Ipv4Addr>,
}

/// Why a phase cannot begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotYet {
    /// This one comes before it.
    Before(Phase),
    /// It is the phase already.
    Already,
}

impl fmt::Display for NotYet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(phase) => write!(f, "phase {} ({}) comes first", phase.number(), phase.name()),
            Self::Already => f.write_str("this is the phase already"),
        }
    }
}

impl core::error::Error for NotYet {}

impl Retirement {
    /// The retirement after `phase` has begun, which may also be an earlier one than today's.
    ///
    /// Observing changes nothing, so that the quiet phase may be the first. Who is in use is decided once, when the quiet
    /// phase begins: a host that falls silent in it must not lose what it was told to keep.
    ///
    /// # Errors
    /// When a phase between was not there yet.
    pub fn enter(
        before: Option<&Self>,
        phase: Phase,
        now: u64,
        hosts: &[HostEvidence],
    ) -> Result<Self, NotYet> {
        let today = before.map_or(Phase::Observe, |r| r.phase);
        if before.is_some() && today == phase {
            return Err(NotYet::Already);
        }
        if phase.number() > today.number() + 1 {
            return Err(NotYet::Before(today.next().unwrap_or(today)));
        }
        let mut begun = before.map_or([None; 5], |r| r.begun);
        for (number, at) in (1..).zip(&mut begun) {
            match phase.number() {
                n if n == number => *at = Some(now),
                n if n < number => *at = None,
                _ => *at = at.or(Some(now)),
            }
        }
        let kept = before.filter(|r| r.phase > Phase::Observe && phase > Phase::Observe);
        let in_use = match kept {
            Some(before) => before.in_use.clone(),
            None => {
                let mut all: Vec<_> =
                    hosts.iter().filter(|h| h.judge(now) != Use::Idle).map(|h| h.ipv4).collect();
                all.sort_unstable();
                all.dedup();
                all
            }
        };
        Ok(Self { phase, begun, in_use })
    }

    /// When today's phase began.
    #[must_use]
    pub fn since(&self) -> u64 {
        self.begun[usize::from(self.phase.number()) - 1].unwrap_or(0)
    }

    /// When `phase` should begin at the earliest, counted from the day on which hosts were first told.
    #[must_use]
    pub fn advised(&self, phase: Phase) -> u64 {
        let quiet = self.begun[usize::from(Phase::Quiet.number()) - 1];
        quiet.map_or(0, |at| at.saturating_add(phase.day().saturating_mul(86_400)))
    }

    /// What the router is told.
    #[must_use]
    pub fn retire(&self) -> Retire {
        Retire { stage: self.phase.stage(), in_use: self.in_use.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    const DAY: u64 = 86_400;

    fn host(n: u8, last_flow: Option<u64>) -> HostEvidence {
        HostEvidence {
            ipv4: Ipv4Addr::new(10, 6, 8, n),
            flows_started: u64::from(last_flow.is_some()),
            last_flow,
            open: 0,
            last_rs: None,
        }
    }

    #[test]
    fn each_phase_needs_the_one_before_it() {
        let now = 100 * DAY;
        for phase in [Phase::Withdraw, Phase::Clean, Phase::Verify] {
            assert_eq!(Retirement::enter(None, phase, now, &[]), Err(NotYet::Before(Phase::Quiet)));
        }
        let mut state = Retirement::enter(None, Phase::Quiet, now, &[]).unwrap();
        assert_eq!(Retirement::enter(Some(&state), Phase::Quiet, now, &[]), Err(NotYet::Already));
        assert_eq!(
            Retirement::enter(Some(&state), Phase::Clean, now, &[]),
            Err(NotYet::Before(Phase::Withdraw))
        );
        for phase in [Phase::Withdraw, Phase::Clean, Phase::Verify] {
            state = Retirement::enter(Some(&state), phase, now + 1, &[]).unwrap();
            assert_eq!((state.phase, state.since()), (phase, now + 1));
        }
        // Any earlier one, at once; what lay between has not happened any more.
        let back = Retirement::enter(Some(&state), Phase::Quiet, now + 9, &[]).unwrap();
        assert_eq!(back.begun, [Some(now), Some(now + 9), None, None, None]);
        assert_eq!(back.retire().stage, Stage::Quiet);
    }

    #[test]
    fn who_is_in_use_is_decided_when_hosts_are_first_told() {
        let now = 100 * DAY;
        let hosts =
            [host(3, Some(now - 29 * DAY)), host(2, Some(now - 31 * DAY)), host(1, Some(now)), host(4, None)];
        let open = HostEvidence { open: 1, ..host(5, None) };
        let all = [&hosts[..], &[open]].concat();
        let quiet = Retirement::enter(None, Phase::Quiet, now, &all).unwrap();
        let v4 = |n| Ipv4Addr::new(10, 6, 8, n);
        assert_eq!(quiet.in_use, vec![v4(1), v4(3), v4(5)]);
        // Days later none of them has opened anything, and they are still the ones that were told.
        let withdraw = Retirement::enter(Some(&quiet), Phase::Withdraw, now + 40 * DAY, &[]).unwrap();
        let back = Retirement::enter(Some(&withdraw), Phase::Quiet, now + 41 * DAY, &hosts[3..]).unwrap();
        assert_eq!(back.in_use, quiet.in_use);
        // From the beginning they are counted anew.
        let observe = Retirement::enter(Some(&back), Phase::Observe, now + 41 * DAY, &hosts[3..]).unwrap();
        let again = Retirement::enter(Some(&observe), Phase::Quiet, now + 41 * DAY, &hosts[3..]).unwrap();
        assert!(again.in_use.is_empty());
    }

    #[test]
    fn days_are_counted_from_the_day_on_which_hosts_were_told() {
        let now = 100 * DAY;
        let quiet = Retirement::enter(None, Phase::Quiet, now, &[]).unwrap();
        assert_eq!(quiet.advised(Phase::Withdraw), now + 7 * DAY);
        let withdraw = Retirement::enter(Some(&quiet), Phase::Withdraw, now + 2 * DAY, &[]).unwrap();
        assert_eq!(withdraw.advised(Phase::Verify), now + 15 * DAY);
    }

    proptest! {
        #[test]
        fn whatever_is_tried_the_phases_before_have_begun_and_the_later_ones_have_not(
            steps in proptest::collection::vec((0_u8..6, 0_u64..20), 0..40),
        ) {
            let (mut state, mut now) = (None, 100 * DAY);
            for (number, days) in steps {
                now += days * DAY;
                let Some(phase) = Phase::from_number(number) else {
                    state = None;
                    continue;
                };
                let before: Option<Retirement> = state.clone();
                let Ok(next) = Retirement::enter(before.as_ref(), phase, now, &[host(1, Some(now))]) else {
                    // Nothing but a step too far, or none at all.
                    let today = before.as_ref().map_or(Phase::Observe, |r| r.phase);
                    prop_assert!(phase.number() > today.number() + 1 || before.is_some() && phase == today);
                    continue;
                };
                prop_assert_eq!((next.phase, next.since()), (phase, now));
                for (at, begun) in (1..).zip(next.begun) {
                    prop_assert_eq!(begun.is_some(), at <= phase.number());
                }
                prop_assert!(next.begun.iter().flatten().is_sorted());
                // Who was told to keep something keeps it until the quiet phase begins anew.
                if let Some(before) = before.filter(|r| r.phase > Phase::Observe && phase > Phase::Observe) {
                    prop_assert_eq!(&next.in_use, &before.in_use);
                }
                prop_assert_eq!(next.retire().is_on(), phase > Phase::Observe);
                state = Some(next);
            }
        }

        #[test]
        fn only_those_in_use_can_open_and_only_while_it_is_quiet(used in proptest::collection::btree_set(0_u8..20, 0..8), asks: u8) {
            let v4 = |n| Ipv4Addr::new(10, 6, 8, n);
            let prefix: Ipv6Prefix = "fd00:2::/64".parse().unwrap();
            let asks = asks % 20;
            for stage in [Stage::Serve, Stage::Quiet, Stage::Withdraw] {
                let retire = Retire { stage, in_use: used.iter().map(|n| v4(*n)).collect() };
                for form in [Form::Private, Form::Global] {
                    let address = isatap::address(prefix.address(), form, v4(asks));
                    let closed = retire.closed(&[prefix]);
                    // The longest prefix decides, as in the fabric.
                    let rule = closed.iter().filter(|(p, _)| p.contains(address)).max_by_key(|(p, _)| p.length());
                    let may = rule.is_none_or(|(_, closed)| !closed);
                    let expected = stage == Stage::Serve || stage == Stage::Quiet && used.contains(&asks);
                    prop_assert_eq!((may, retire.keeps(v4(asks))), (expected, expected));
                }
            }
        }
    }
}
