//! Addresses with a structure: prefixes, RFC 6052 embedding, ISATAP interface identifiers.

pub mod either;
pub mod isatap;
pub mod prefix;
pub mod prefix64;

pub use either::IpPrefix;
pub use prefix::{Ipv4Prefix, Ipv6Prefix, PrefixError};
pub use prefix64::Prefix64;
