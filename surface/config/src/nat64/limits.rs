//! What one client may have of the translator (RFC 6888, section 3, REQ-4).

use crate::reader::Table;
use crate::report::Report;

/// Limits of each client; `None` = no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bits of an IPv6 address that name a client.
    pub prefix_length: u8,
    /// Sessions.
    pub sessions: Option<u32>,
    /// Outside ports of all protocols, static bindings apart.
    pub ports: Option<u32>,
    /// New sessions a second, and at once.
    pub new_sessions_per_second: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { prefix_length: 128, sessions: None, ports: None, new_sessions_per_second: None }
    }
}

pub(super) fn read(table: &mut Table<'_>, report: &mut Report) -> Limits {
    let mut limits = Limits::default();
    for (key, most, slot) in [
        ("max-sessions-per-client", u64::from(u32::MAX), &mut limits.sessions),
        ("max-ports-per-client", u64::from(u32::MAX), &mut limits.ports),
        // Faster than this no clock of ours can tell.
        ("new-sessions-per-second-per-client", 1_000_000, &mut limits.new_sessions_per_second),
    ] {
        let number = table.take(key).and_then(|n| n.number(0, most, report));
        *slot = number.and_then(|n| u32::try_from(n).ok()).filter(|n| *n != 0);
    }
    if let Some(bits) = table.take("client-prefix-length").and_then(|n| n.number(16, 128, report)) {
        limits.prefix_length = u8::try_from(bits).unwrap_or(128);
    }
    limits
}
