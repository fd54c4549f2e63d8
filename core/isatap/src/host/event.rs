//! What the kernel, the log and a person are told.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::Reason;
use sixgate_time::Instant;
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::lease::Preference;

/// A change of what the host has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostEvent {
    /// An address is there, or its standing changed.
    AddressAdded {
        /// The address.
        address: Ipv6Addr,
        /// The prefix that it is in.
        prefix: Ipv6Prefix,
        /// Until when.
        lifetimes: Lifetimes,
    },
    /// An address that is there has other lifetimes and the same standing.
    AddressRenewed {
        /// The address.
        address: Ipv6Addr,
        /// The prefix that it is in.
        prefix: Ipv6Prefix,
        /// Until when.
        lifetimes: Lifetimes,
    },
    /// An address is gone.
    AddressRemoved {
        /// The address.
        address: Ipv6Addr,
        /// The prefix that it was in.
        prefix: Ipv6Prefix,
    },
    /// A route is there; it takes the place of an earlier one to the same prefix.
    RouteAdded {
        /// Where it leads.
        prefix: Ipv6Prefix,
        /// The link-local address of the router.
        next_hop: Ipv6Addr,
        /// The IPv4 address of the router.
        router: Ipv4Addr,
        /// As the router says.
        preference: Preference,
        /// The address that new connections should come from: one that this router gave (RFC 8028, section 3.3).
        /// `None` when it gave none.
        source: Option<Ipv6Addr>,
    },
    /// A route is gone.
    RouteRemoved {
        /// Where it led.
        prefix: Ipv6Prefix,
        /// The link-local address of the router.
        next_hop: Ipv6Addr,
    },
    /// The link takes packets of this size.
    MtuChanged {
        /// In octets, IPv6 header included.
        mtu: u32,
    },
    /// Packets into the link should begin with this hop limit.
    HopLimitChanged {
        /// As a router says.
        hop_limit: u8,
    },
    /// A router is in another state.
    RouterChanged {
        /// Its IPv4 address.
        router: Ipv4Addr,
        /// What it is.
        state: RouterState,
    },
}

/// The two ends of an address (RFC 4862, section 5.5.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetimes {
    /// Until when new connections should use it; [`Instant::ZERO`] when they should not any more.
    pub preferred: Instant,
    /// Until when it is there at all.
    pub valid: Instant,
}

impl Lifetimes {
    /// False when the address is there for open connections alone.
    #[must_use]
    pub fn is_preferred(self) -> bool {
        self.preferred != Instant::ZERO
    }
}

/// What is known of a router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouterState {
    /// Asked, and the answer may still come.
    Soliciting,
    /// Asked three times without an answer; asked again every half minute.
    Silent,
    /// It answered and is there.
    Reachable,
    /// It answered and offers nothing.
    Withdrawn,
    /// It answered once and does not any more.
    Unreachable,
}

/// A router as `status` shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouterView {
    /// Its IPv4 address.
    pub router: Ipv4Addr,
    /// Its link-local address, the next hop of routes through it.
    pub next_hop: Ipv6Addr,
    /// The addresses that this host has from it.
    pub addresses: Vec<Ipv6Addr>,
    /// What it is.
    pub state: RouterState,
    /// Since when it is that.
    pub since: Instant,
    /// Why it is of no use, or what is missing.
    pub reason: Option<Reason>,
}
