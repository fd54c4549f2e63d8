//! Who uses ISATAP: judged by what a host did, not by what it asked for.

use core::net::Ipv4Addr;

/// Seconds. A host that opened a flow within them is in use: a month has every weekly and monthly job in it.
pub const IN_USE: u64 = 30 * 86_400;

/// What is known of one host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostEvidence {
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// Flows that it opened, as long as it is remembered.
    pub flows_started: u64,
    /// When it last opened one.
    pub last_flow: Option<u64>,
    /// Flows from or to it that are open at this moment.
    pub open: u32,
    /// Its last router solicitation.
    pub last_rs: Option<u64>,
}

/// What a host would lose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// It has something open now.
    Open,
    /// It opened something within the last thirty days.
    Recent,
    /// Nothing: it asked for ISATAP and never used it, or not for long.
    Idle,
}

impl HostEvidence {
    /// What it would lose.
    #[must_use]
    pub fn judge(&self, now: u64) -> Use {
        if self.open > 0 {
            Use::Open
        } else if self.last_flow.is_some_and(|at| at.saturating_add(IN_USE) > now) {
            Use::Recent
        } else {
            Use::Idle
        }
    }
}
