//! Which address stands for which: explicit mappings first, then the prefixes (RFC 7757, section 3.3; RFC 6052).

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::addr::Prefix64;

use super::eam::{Eam, EamTable};
use crate::scope;

/// What made an address out of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// An explicit mapping.
    Mapping(Eam),
    /// A prefix.
    Prefix(Prefix64),
}

/// Stateless translation of addresses.
#[derive(Clone, Default, Debug)]
pub struct Addresses {
    mappings: EamTable,
    prefixes: Vec<Prefix64>,
    well_known_non_global: bool,
}

impl Addresses {
    /// Of these prefixes, the first of which that may carry an IPv4 address stands for it, and these mappings.
    #[must_use]
    pub fn new(prefixes: Vec<Prefix64>, mappings: Vec<Eam>, well_known_non_global: bool) -> Self {
        Self { mappings: EamTable::new(mappings), prefixes, well_known_non_global }
    }

    /// The IPv4 address that `v6` stands for, usable or not.
    #[must_use]
    pub fn to_v4(&self, v6: Ipv6Addr) -> Option<(Ipv4Addr, By)> {
        if let Some(mapping) = self.mappings.of_v6(v6) {
            return Some((mapping.to_v4(v6), By::Mapping(*mapping)));
        }
        self.prefixes.iter().find_map(|p| Some((p.extract(v6)?, By::Prefix(*p))))
    }

    /// The IPv6 address that stands for `v4`.
    #[must_use]
    pub fn to_v6(&self, v4: Ipv4Addr) -> Option<(Ipv6Addr, By)> {
        match self.mappings.of_v4(v4) {
            Some(mapping) => Some((mapping.to_v6(v4), By::Mapping(*mapping))),
            None => self.embed(v4),
        }
    }

    /// The same without the mappings.
    pub(super) fn embed(&self, v4: Ipv4Addr) -> Option<(Ipv6Addr, By)> {
        let prefix = self.prefixes.iter().find(|p| self.carries(**p, v4))?;
        Some((prefix.embed(v4), By::Prefix(*prefix)))
    }

    /// True for an IPv4 address that an explicit mapping translates.
    pub(super) fn is_mapped(&self, v4: Ipv4Addr) -> bool {
        self.mappings.of_v4(v4).is_some()
    }

    /// True when packets may have this address, which [`Addresses::to_v4`] gave.
    pub(super) fn allows(&self, (v4, by): (Ipv4Addr, By)) -> bool {
        match by {
            By::Mapping(_) => !scope::unusable_v4(v4),
            By::Prefix(prefix) => !scope::unusable_v4(v4) && self.carries(prefix, v4),
        }
    }

    /// RFC 6052, section 3.1: the well-known prefix stands for global addresses only, unless that is lifted.
    fn carries(&self, prefix: Prefix64, v4: Ipv4Addr) -> bool {
        self.well_known_non_global || !prefix.is_well_known() || !scope::non_global_v4(v4)
    }
}
