//! IPv4 addresses that synthesis treats apart.

use core::net::Ipv4Addr;

/// Never synthesised: what no packet through a NAT64 can reach (RFC 6890): this network, loopback, link-local, multicast,
/// reserved and broadcast.
pub(crate) const fn never(v4: Ipv4Addr) -> bool {
    let [a, b, _, _] = v4.octets();
    a == 0 || a == 127 || (a == 169 && b == 254) || a >= 224
}

/// RFC 6890 with its registry: reachable from anywhere on the Internet.
pub(crate) const fn global(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = never(v4)
        || a == 10
        || (a == 100 && b & 0xc0 == 64)
        || (a == 172 && b & 0xf0 == 16)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 168)
        || (a == 198 && b & 0xfe == 18)
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113);
    !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_where_the_registry_says() {
        let is = |text: &str| global(text.parse().unwrap());
        for inside in [
            "0.1.2.3",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.9.9",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.170",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!is(inside), "{inside}");
        }
        for outside in [
            "1.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.0",
            "172.32.0.0",
            "192.0.1.1",
            "198.17.0.0",
            "198.20.0.0",
            "203.0.114.1",
            "223.255.255.255",
        ] {
            assert!(is(outside), "{outside}");
        }
        assert!(!never(Ipv4Addr::new(10, 0, 0, 1)) && never(Ipv4Addr::new(240, 0, 0, 1)));
    }
}
