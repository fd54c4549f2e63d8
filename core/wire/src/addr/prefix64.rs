//! IPv4 addresses inside IPv6 prefixes (RFC 6052, section 2.2).

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::Ipv6Prefix;

/// A prefix that carries IPv4 addresses: length 32, 40, 48, 56, 64 or 96.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix64(Ipv6Prefix);

impl Prefix64 {
    /// `64:ff9b::/96`, the well-known prefix (RFC 6052, section 2.1).
    pub const WELL_KNOWN_ADDRESS: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

    /// `None` when RFC 6052 does not allow the length, or octet 8 of a /96 is not zero (section 2.2).
    #[must_use]
    pub fn new(prefix: Ipv6Prefix) -> Option<Self> {
        let octets = prefix.address().octets();
        match prefix.length() {
            32 | 40 | 48 | 56 | 64 => Some(Self(prefix)),
            96 if octets[8] == 0 => Some(Self(prefix)),
            _ => None,
        }
    }

    /// The prefix itself.
    #[must_use]
    pub const fn prefix(self) -> Ipv6Prefix {
        self.0
    }

    /// True for `64:ff9b::/96`.
    #[must_use]
    pub fn is_well_known(self) -> bool {
        self.0.length() == 96 && self.0.address() == Self::WELL_KNOWN_ADDRESS
    }

    /// True when `address` lies in the prefix.
    #[must_use]
    pub fn contains(self, address: Ipv6Addr) -> bool {
        self.0.contains(address)
    }

    /// The address that stands for `v4`; the suffix is zero.
    #[must_use]
    pub fn embed(self, v4: Ipv4Addr) -> Ipv6Addr {
        let mut octets = self.0.address().octets();
        for (position, value) in self.positions().into_iter().zip(v4.octets()) {
            octets[position] = value;
        }
        Ipv6Addr::from(octets)
    }

    /// The IPv4 address inside `address`; `None` outside the prefix. Octet 8 and the suffix are not looked at.
    #[must_use]
    pub fn extract(self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        if !self.contains(address) {
            return None;
        }
        let octets = address.octets();
        let [a, b, c, d] = self.positions().map(|p| octets[p]);
        Some(Ipv4Addr::new(a, b, c, d))
    }

    /// Where the four octets go: octet 8 (bits 64 to 71, "u") is skipped.
    fn positions(self) -> [usize; 4] {
        match self.0.length() {
            32 => [4, 5, 6, 7],
            40 => [5, 6, 7, 9],
            48 => [6, 7, 9, 10],
            56 => [7, 9, 10, 11],
            64 => [9, 10, 11, 12],
            // `new` admits no other length than 96.
            _ => [12, 13, 14, 15],
        }
    }
}

impl fmt::Display for Prefix64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Prefix64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [(&str, &str, &str); 12] = [
        ("2001:db8::/32", "192.0.2.33", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "192.0.2.33", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "192.0.2.33", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "192.0.2.33", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "192.0.2.33", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "192.0.2.33", "2001:db8:122:344::192.0.2.33"),
        ("2001:db8::/32", "255.0.128.1", "2001:db8:ff00:8001::"),
        ("2001:db8:100::/40", "255.0.128.1", "2001:db8:1ff:80:1::"),
        ("2001:db8:122::/48", "255.0.128.1", "2001:db8:122:ff00:80:100::"),
        ("2001:db8:122:300::/56", "255.0.128.1", "2001:db8:122:3ff:0:8001::"),
        ("2001:db8:122:344::/64", "255.0.128.1", "2001:db8:122:344:ff:80:100:0"),
        ("2001:db8:122:344::/96", "255.0.128.1", "2001:db8:122:344::ff00:8001"),
    ];

    #[test]
    fn rfc_6052_section_2_4_table() {
        for (prefix, v4, v6) in TABLE {
            let p = Prefix64::new(prefix.parse().unwrap()).unwrap();
            let (v4, v6): (Ipv4Addr, Ipv6Addr) = (v4.parse().unwrap(), v6.parse().unwrap());
            assert_eq!(p.embed(v4), v6, "{prefix}");
            assert_eq!(p.extract(v6), Some(v4), "{prefix}");
        }
    }

    #[test]
    fn other_lengths_and_a_used_u_octet_are_refused() {
        for bad in ["fd00::/8", "fd00::/95", "fd00::/128", "fd00:0:0:0:100::/96"] {
            assert_eq!(Prefix64::new(bad.parse().unwrap()), None, "{bad}");
        }
    }
}
