//! Numbers of the ports of a gateway's fabric.

use sixgate_fabric::PortId;

/// A way into and out of the fabric.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Way {
    /// The TUN devices that lead into the kernel's own IPv6.
    Kernel,
    /// The translator.
    Nat64,
    /// The ISATAP link.
    Isatap,
    /// A client's session, by its place in the table of sessions.
    Client(u32),
}

impl Way {
    /// The first number that means a client.
    const CLIENTS: u32 = 16;

    pub(crate) const fn id(self) -> PortId {
        PortId(match self {
            Self::Kernel => 0,
            Self::Nat64 => 1,
            Self::Isatap => 2,
            Self::Client(n) => Self::CLIENTS + n,
        })
    }

    /// The way that `id` means; only numbers that [`Way::id`] gave are ever asked.
    pub(crate) const fn of(id: PortId) -> Self {
        match id.0 {
            1 => Self::Nat64,
            2 => Self::Isatap,
            n if n >= Self::CLIENTS => Self::Client(n - Self::CLIENTS),
            _ => Self::Kernel,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_a_number_of_its_own() {
        for way in [Way::Kernel, Way::Nat64, Way::Isatap, Way::Client(0), Way::Client(7)] {
            assert_eq!(Way::of(way.id()), way);
        }
    }
}
