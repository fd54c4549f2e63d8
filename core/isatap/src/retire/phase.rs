//! The phases of a retirement, and what the router does in each.

/// A phase; each begins because a person says so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// Nothing changes; it is counted who would lose what.
    Observe,
    /// Hosts that never opened anything get no answer; the others are deprecated.
    Quiet,
    /// Everybody without an open flow is withdrawn from; nothing new is opened.
    Withdraw,
    /// What is left in the DNS is listed and deleted.
    Clean,
    /// Nobody should be heard any more.
    Verify,
}

/// What the router does with its hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Stage {
    /// It serves those whom policy names.
    #[default]
    Serve,
    /// It serves those in use, deprecated, and falls silent for the others.
    Quiet,
    /// It serves those with an open flow, deprecated, and withdraws from the others.
    Withdraw,
}

impl Phase {
    /// All, in order.
    pub const ALL: [Self; 5] = [Self::Observe, Self::Quiet, Self::Withdraw, Self::Clean, Self::Verify];

    /// 1 to 5.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Observe => 1,
            Self::Quiet => 2,
            Self::Withdraw => 3,
            Self::Clean => 4,
            Self::Verify => 5,
        }
    }

    /// The phase of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.number() == number)
    }

    /// One word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Quiet => "quiet",
            Self::Withdraw => "withdraw",
            Self::Clean => "clean",
            Self::Verify => "verify",
        }
    }

    /// Days after the quiet phase began at which this one should begin.
    #[must_use]
    pub const fn day(self) -> u64 {
        match self {
            Self::Observe | Self::Quiet => 0,
            // A week, so that every host was on at least once and whoever misses something has said so.
            Self::Withdraw => 7,
            // A day, by when the last address that was withdrawn is two hours gone.
            Self::Clean => 8,
            // A week after that, in which nobody should have been heard.
            Self::Verify => 15,
        }
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::from_number(self.number() + 1)
    }

    /// What the router does in it.
    #[must_use]
    pub const fn stage(self) -> Stage {
        match self {
            Self::Observe => Stage::Serve,
            Self::Quiet => Stage::Quiet,
            Self::Withdraw | Self::Clean | Self::Verify => Stage::Withdraw,
        }
    }
}
