//! The options of a message (RFC 4861, section 4.6): type, length in units of eight octets, content.

use super::NdFault;

/// Source link-layer address.
pub(super) const SOURCE_LINK_LAYER: u8 = 1;
/// Prefix information.
pub(super) const PREFIX: u8 = 3;
/// MTU.
pub(super) const MTU: u8 = 5;
/// Route information (RFC 4191).
pub(super) const ROUTE: u8 = 24;
/// Recursive DNS servers (RFC 8106).
pub(super) const RDNSS: u8 = 25;
/// DNS search list (RFC 8106).
pub(super) const DNSSL: u8 = 31;
/// NAT64 prefix (RFC 8781).
pub(super) const PREF64: u8 = 38;

/// One option, whole: its first octets are type and length, and there are at least eight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opt<'a>(pub(super) &'a [u8]);

impl Opt<'_> {
    pub(super) fn kind(&self) -> u8 {
        self.0[0]
    }
}

/// Walks over the options; the first fault ends the walk.
pub(super) struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Walks to the end without looking at any content.
    pub(super) fn check(bytes: &'a [u8]) -> Result<(), NdFault> {
        Self(bytes).try_for_each(|option| option.map(|_| ()))
    }

    /// True when there is an option of this kind.
    pub(super) fn has(bytes: &'a [u8], kind: u8) -> bool {
        Self(bytes).any(|option| option.is_ok_and(|o| o.kind() == kind))
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<Opt<'a>, NdFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        // RFC 4861, section 4.6: nodes MUST silently discard a packet that contains an option with length zero.
        let length = self.0.get(1).map_or(0, |units| usize::from(*units) * 8);
        let Some((option, rest)) = self.0.split_at_checked(length).filter(|(option, _)| !option.is_empty())
        else {
            self.0 = &[];
            return Some(Err(NdFault::Option));
        };
        self.0 = rest;
        Some(Ok(Opt(option)))
    }
}
