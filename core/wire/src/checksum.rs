//! The Internet checksum (RFC 1071), full and incremental (RFC 1624), in one place.

use core::net::{Ipv4Addr, Ipv6Addr};

/// A running one's complement sum, not yet folded.
///
/// Additions and subtractions commute, so a header can be changed field by field and the checksum corrected once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// The empty sum.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds octets as 16-bit words; an odd last octet is padded with zero.
    #[must_use]
    pub fn with(self, bytes: &[u8]) -> Self {
        let mut sum = 0_u64;
        // A one's complement sum may be taken over wider words and folded afterwards (RFC 1071, section 2 (C)).
        let mut chunks = bytes.chunks_exact(4);
        for c in &mut chunks {
            sum += u64::from(u32::from_be_bytes([c[0], c[1], c[2], c[3]]));
        }
        let mut rest = [0_u8; 4];
        rest[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        sum += u64::from(u32::from_be_bytes(rest));
        self.plus(sum)
    }

    /// Adds one 16-bit word.
    #[must_use]
    pub fn with_word(self, word: u16) -> Self {
        self.plus(u64::from(word))
    }

    /// Adds an IPv6 address.
    #[must_use]
    pub fn with_v6(self, address: Ipv6Addr) -> Self {
        self.with(&address.octets())
    }

    /// Adds an IPv4 address.
    #[must_use]
    pub fn with_v4(self, address: Ipv4Addr) -> Self {
        self.with(&address.octets())
    }

    /// Adds another sum.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.plus(u64::from(other.fold()))
    }

    /// Takes another sum away: adds its complement.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.plus(u64::from(!other.fold()))
    }

    /// The sum folded into 16 bits, not complemented: what a partial checksum field holds.
    #[must_use]
    pub fn fold(self) -> u16 {
        let mut s = self.0;
        while s > 0xffff {
            s = (s & 0xffff) + (s >> 16);
        }
        // The loop ends at or below 0xffff.
        s as u16
    }

    /// The checksum field: the folded sum, complemented.
    #[must_use]
    pub fn finish(self) -> u16 {
        !self.fold()
    }

    fn plus(self, n: u64) -> Self {
        let (sum, carry) = self.0.overflowing_add(n);
        Self(sum + u64::from(carry))
    }
}

/// The pseudo-header of RFC 8200, section 8.1: addresses, upper-layer length, protocol.
#[must_use]
pub fn pseudo_v6(src: Ipv6Addr, dst: Ipv6Addr, protocol: u8, length: u32) -> Sum {
    Sum::new().with_v6(src).with_v6(dst).with(&length.to_be_bytes()).with_word(u16::from(protocol))
}

/// The pseudo-header of RFC 9293, section 3.1: addresses, protocol, upper-layer length.
#[must_use]
pub fn pseudo_v4(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, length: u16) -> Sum {
    Sum::new().with_v4(src).with_v4(dst).with_word(u16::from(protocol)).with_word(length)
}

/// The checksum field after what it covers changed from `old` to `new` (RFC 1624, equation 3).
///
/// A field that was wrong stays exactly as wrong: damage is not repaired.
#[must_use]
pub fn update(field: u16, old: Sum, new: Sum) -> u16 {
    !Sum::new().with_word(!field).minus(old).and(new).fold()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc_1071_example() {
        let data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::new().with(&data).fold(), 0xddf2);
    }

    #[test]
    fn rfc_1624_example_does_not_yield_minus_zero() {
        assert_eq!(update(0xdd2f, Sum::new().with_word(0x5555), Sum::new().with_word(0x3285)), 0x0000);
    }

    proptest! {
        #[test]
        fn update_equals_full_sum(a: [u8; 16], b: [u8; 16], rest: Vec<u8>) {
            prop_assume!(rest.iter().chain(&b).any(|x| *x != 0));
            let before = Sum::new().with(&a).and(Sum::new().with(&rest)).finish();
            let after = Sum::new().with(&b).and(Sum::new().with(&rest)).finish();
            let updated = update(before, Sum::new().with(&a), Sum::new().with(&b));
            // 0x0000 and 0xffff are the same number in one's complement.
            prop_assert!(updated == after || (updated ^ after) == 0xffff && (updated == 0 || after == 0));
        }
    }

    extern crate std;
    use std::vec::Vec;
}
