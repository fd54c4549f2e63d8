//! A prefix of either family, as access lists hold them.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use super::{Ipv4Prefix, Ipv6Prefix, PrefixError};

/// An IPv4 or IPv6 prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpPrefix {
    /// IPv4
    V4(Ipv4Prefix),
    /// IPv6
    V6(Ipv6Prefix),
}

impl IpPrefix {
    /// True when `address` lies in the prefix. An IPv4-mapped IPv6 address counts as its IPv4 address, because that is
    /// how a socket bound to `::` shows IPv4 peers.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::V4(prefix), IpAddr::V4(address)) => prefix.contains(address),
            (Self::V6(prefix), IpAddr::V6(address)) => prefix.contains(address),
            (Self::V4(_), IpAddr::V6(_)) | (Self::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl From<Ipv4Prefix> for IpPrefix {
    fn from(prefix: Ipv4Prefix) -> Self {
        Self::V4(prefix)
    }
}

impl From<Ipv6Prefix> for IpPrefix {
    fn from(prefix: Ipv6Prefix) -> Self {
        Self::V6(prefix)
    }
}

impl FromStr for IpPrefix {
    type Err = PrefixError;
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        if text.contains(':') { text.parse().map(Self::V6) } else { text.parse().map(Self::V4) }
    }
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(prefix) => fmt::Display::fmt(prefix, f),
            Self::V6(prefix) => fmt::Display::fmt(prefix, f),
        }
    }
}

impl fmt::Debug for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_do_not_mix_and_mapped_addresses_count_as_ipv4() {
        let v4: IpPrefix = "10.0.0.0/8".parse().unwrap();
        let v6: IpPrefix = "::/0".parse().unwrap();
        assert!(v4.contains("10.1.2.3".parse().unwrap()) && v4.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!v4.contains("fd00::1".parse().unwrap()) && v6.contains("fd00::1".parse().unwrap()));
        assert!(
            !v6.contains("10.1.2.3".parse().unwrap()) && !v6.contains("::ffff:10.1.2.3".parse().unwrap())
        );
    }
}
