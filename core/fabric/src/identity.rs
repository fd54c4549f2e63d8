//! Who somebody is, as policy sees it.

/// The built-in groups: the highest bits of [`Identity::groups`].
pub mod group {
    /// Enrolled clients, here and at other gateways.
    pub const CLIENTS: u64 = 1 << 63;
    /// The organisation's network, ISATAP hosts included.
    pub const INTRANET: u64 = 1 << 62;
    /// ISATAP hosts that are served: they may open flows to clients when no policy is written.
    pub const SERVED: u64 = 1 << 61;
    /// Bits below this number are free for the organisation's own groups.
    pub const NAMED: u32 = 61;
}

/// The groups somebody is in, and their name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// One bit a group; see [`group`] for those that are built in.
    pub groups: u64,
    /// Number of the name, given by the role; [`Identity::NAMELESS`] when there is none.
    pub name: u32,
}

impl Identity {
    /// No name: no selector by name matches it.
    pub const NAMELESS: u32 = 0;
}
