//! Addresses that no packet through a NAT64 may have.

use core::net::{Ipv4Addr, Ipv6Addr};

/// True for an IPv6 source that names no single node beyond its link. Prefixes of the NAT64 are another matter.
pub(crate) fn unusable_v6_source(address: Ipv6Addr) -> bool {
    address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().is_some()
}

/// True for an IPv4 address that is no unicast address on a network: 0/8, 127/8, 169.254/16, 224/4, 240/4.
///
/// Denied as a source, and as a destination inside a prefix: the first would be a forgery, the second would reach the
/// gateway itself or nobody (RFC 6146, section 5.1).
pub(crate) fn unusable_v4(address: Ipv4Addr) -> bool {
    address.octets()[0] == 0 || address.octets()[0] >= 224 || address.is_loopback() || address.is_link_local()
}

/// True for an address that is not global (IANA special-purpose registry), which `64:ff9b::/96` must not stand for
/// (RFC 6052, section 3.1).
pub(crate) fn non_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    // Two anycast addresses inside 192.0.0.0/24 are global (RFC 7723, RFC 8155).
    let assignments = (a, b, c) == (192, 0, 0) && d != 9 && d != 10;
    unusable_v4(address)
        || address.is_private()
        || address.is_documentation()
        || assignments
        // Shared address space (RFC 6598) and benchmarking (RFC 2544).
        || a == 100 && b & 0xc0 == 64
        || a == 198 && b & 0xfe == 18
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_of_every_range() {
        let v4 = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        for bad in ["0.1.2.3", "127.0.0.1", "169.254.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"] {
            assert!(unusable_v4(v4(bad)) && non_global_v4(v4(bad)), "{bad}");
        }
        for inside in [
            "10.0.0.1",
            "172.31.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "198.19.0.1",
            "192.0.2.1",
            "192.0.0.1",
        ] {
            assert!(!unusable_v4(v4(inside)) && non_global_v4(v4(inside)), "{inside}");
        }
        for good in ["1.0.0.1", "100.128.0.1", "198.20.0.1", "192.0.0.9", "223.255.255.255", "172.32.0.1"] {
            assert!(!non_global_v4(v4(good)), "{good}");
        }
        for bad in ["::", "::1", "ff02::1", "fe80::1", "febf::1", "::ffff:10.0.0.1"] {
            assert!(unusable_v6_source(bad.parse().unwrap()), "{bad}");
        }
        for good in ["fd00::1", "2001:db8::1", "fec0::1"] {
            assert!(!unusable_v6_source(good.parse().unwrap()), "{good}");
        }
    }
}
