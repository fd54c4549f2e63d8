//! IPv4 and IPv6 prefixes without host bits.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// Why a text or a pair is no prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrefixError {
    /// Not `address/length`.
    Syntax,
    /// The length is larger than the address.
    Length,
    /// Bits behind the length are set.
    HostBits,
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not a prefix of the form address/length",
            Self::Length => "prefix length is larger than the address",
            Self::HostBits => "bits behind the prefix length are set",
        })
    }
}

impl core::error::Error for PrefixError {}

macro_rules! prefix {
    ($name:ident, $address:ty, $bits:ty, $width:literal, $what:literal) => {
        #[doc = concat!("An ", $what, " prefix; bits behind the length are zero.")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name {
            address: $address,
            length: u8,
        }

        impl $name {
            #[doc = "The prefix of this address and length."]
            #[doc = "# Errors"]
            #[doc = "[`PrefixError::Length`], [`PrefixError::HostBits`]."]
            pub fn new(address: $address, length: u8) -> Result<Self, PrefixError> {
                if length > $width {
                    return Err(PrefixError::Length);
                }
                let prefix = Self::containing(address, length);
                if prefix.address == address { Ok(prefix) } else { Err(PrefixError::HostBits) }
            }

            #[doc = "The prefix of this length that contains `address`; a length beyond the address means the address itself."]
            #[must_use]
            pub fn containing(address: $address, length: u8) -> Self {
                let length = length.min($width);
                let address = <$address>::from_bits(address.to_bits() & Self::mask(length));
                Self { address, length }
            }

            #[doc = "First address."]
            #[must_use]
            pub const fn address(self) -> $address {
                self.address
            }

            #[doc = "Length in bits."]
            #[must_use]
            pub const fn length(self) -> u8 {
                self.length
            }

            #[doc = "True when `address` lies in the prefix."]
            #[must_use]
            pub fn contains(self, address: $address) -> bool {
                address.to_bits() & Self::mask(self.length) == self.address.to_bits()
            }

            #[doc = "True when the two have an address in common."]
            #[must_use]
            pub fn overlaps(self, other: Self) -> bool {
                self.contains(other.address) || other.contains(self.address)
            }

            fn mask(length: u8) -> $bits {
                <$bits>::MAX.checked_shl(u32::from($width - length)).unwrap_or(0)
            }
        }

        impl FromStr for $name {
            type Err = PrefixError;
            fn from_str(text: &str) -> Result<Self, PrefixError> {
                let (address, length) = text.split_once('/').ok_or(PrefixError::Syntax)?;
                let address = address.parse().map_err(|_| PrefixError::Syntax)?;
                let length = length.parse().map_err(|_| PrefixError::Syntax)?;
                Self::new(address, length)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}", self.address, self.length)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

prefix!(Ipv6Prefix, Ipv6Addr, u128, 128, "IPv6");
prefix!(Ipv4Prefix, Ipv4Addr, u32, 32, "IPv4");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_refuses() {
        assert_eq!("fd00::/8".parse::<Ipv6Prefix>().unwrap().length(), 8);
        assert_eq!("fd00::1/8".parse::<Ipv6Prefix>(), Err(PrefixError::HostBits));
        assert_eq!("10.0.0.0/33".parse::<Ipv4Prefix>(), Err(PrefixError::Length));
        assert_eq!("10.0.0.0".parse::<Ipv4Prefix>(), Err(PrefixError::Syntax));
    }

    #[test]
    fn contains_its_ends_and_not_its_neighbours() {
        let p: Ipv4Prefix = "10.6.8.0/24".parse().unwrap();
        assert!(p.contains(Ipv4Addr::new(10, 6, 8, 0)) && p.contains(Ipv4Addr::new(10, 6, 8, 255)));
        assert!(!p.contains(Ipv4Addr::new(10, 6, 9, 0)) && !p.contains(Ipv4Addr::new(10, 6, 7, 255)));
        let all: Ipv6Prefix = "::/0".parse().unwrap();
        assert!(all.contains(Ipv6Addr::LOCALHOST) && all.overlaps("fd00::/8".parse().unwrap()));
    }
}
