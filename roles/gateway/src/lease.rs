//! Addresses that clients are given: made at random once, kept for ever.

use std::io;
use std::net::Ipv6Addr;

use sixgate_wire::addr::Ipv6Prefix;

/// Interface identifiers that begin with these four bits are given by leases only. The others are for clients that form
/// an address by themselves, so that nobody can take the address of a client that happens to be away.
const RESERVED: u64 = 0xf << 60;

/// True for an address that only a lease gives.
pub(crate) fn is_reserved(address: Ipv6Addr) -> bool {
    low(address) & RESERVED == RESERVED
}

/// A random address for a client, in `prefix`, a /64.
pub(crate) fn draw(prefix: Ipv6Prefix) -> io::Result<Ipv6Addr> {
    loop {
        let mut octets = [0; 8];
        getrandom::fill(&mut octets).map_err(io::Error::other)?;
        let identifier = u64::from_be_bytes(octets) | RESERVED;
        let address = Ipv6Addr::from_bits(prefix.address().to_bits() | u128::from(identifier));
        // RFC 5453 reserves fdff:ffff:ffff:ff80 to :ffff for anycast.
        if identifier >> 7 != 0xfdff_ffff_ffff_ff80 >> 7 {
            return Ok(address);
        }
    }
}

fn low(address: Ipv6Addr) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = address.octets();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_addresses_are_reserved_and_differ() {
        let prefix: Ipv6Prefix = "fd6a:7e00:cafe:1::/64".parse().unwrap();
        let first = draw(prefix).unwrap();
        let second = draw(prefix).unwrap();
        assert_ne!(first, second);
        assert!(prefix.contains(first) && is_reserved(first) && is_reserved(second));
        assert!(!is_reserved("fd6a:7e00:cafe:1:5d3c:91ff:2ab0:7e14".parse().unwrap()));
    }
}
