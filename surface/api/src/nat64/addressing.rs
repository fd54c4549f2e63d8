//! Which address of one family stands for which of the other.

use serde::{Deserialize, Serialize};

/// What a translator makes of addresses.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Nat64Addressing {
    /// In the order of the file: address/length (RFC 6052).
    pub prefixes: Vec<String>,
    /// Of `[siit]`; they go before the prefixes.
    pub mappings: Vec<Mapping>,
    /// The well-known prefix carries addresses that are not global too.
    pub well_known_non_global: bool,
}

/// One explicit mapping (RFC 7757).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mapping {
    /// The IPv6 side: address/length.
    pub v6: String,
    /// The IPv4 side: address/length.
    pub v4: String,
}
