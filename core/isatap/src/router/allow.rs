//! Which rule serves an IPv4 address: longest prefix first, in time that does not depend on the number of rules.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use hashbrown::HashMap;
use sixgate_wire::addr::Ipv4Prefix;

use sixgate_reason::{ISATAP_HOST_DENIED, ISATAP_HOST_NOT_ALLOWED, Reason};

use super::{AllowRule, RouterConfig};
use crate::keyed::Keyed;

/// The rules, and who is left out whatever they say.
pub(super) struct Allowed {
    rules: ByPrefix,
    denied: ByPrefix,
}

impl Allowed {
    pub(super) fn new(config: &RouterConfig, seed: &[u8; 32]) -> Self {
        let mut allowed = Self { rules: ByPrefix::new(seed), denied: ByPrefix::new(seed) };
        allowed.replace(config);
        allowed
    }

    pub(super) fn replace(&mut self, config: &RouterConfig) {
        let numbered = |(number, rule): (u32, &AllowRule)| {
            rule.prefixes.iter().map(move |prefix| (*prefix, number)).collect::<Vec<_>>()
        };
        self.rules.replace((0..).zip(&config.allow).flat_map(numbered));
        self.denied.replace(config.deny.iter().map(|prefix| (*prefix, 0)));
    }

    /// The number of the rule that serves `v4`.
    ///
    /// # Errors
    /// Why none does.
    pub(super) fn rule(&self, v4: Ipv4Addr) -> Result<u32, Reason> {
        if self.denied.longest(v4).is_some() {
            return Err(ISATAP_HOST_DENIED);
        }
        self.rules.longest(v4).ok_or(ISATAP_HOST_NOT_ALLOWED)
    }
}

/// Numbers by prefix.
struct ByPrefix {
    numbers: HashMap<Ipv4Prefix, u32, Keyed>,
    /// Bit n: there is a prefix of n bits.
    lengths: u64,
}

impl ByPrefix {
    fn new(seed: &[u8; 32]) -> Self {
        Self { numbers: HashMap::with_hasher(Keyed::new(seed)), lengths: 0 }
    }

    /// The first of several that have the same prefix stays.
    fn replace(&mut self, all: impl Iterator<Item = (Ipv4Prefix, u32)>) {
        self.numbers.clear();
        self.lengths = 0;
        for (prefix, number) in all {
            self.numbers.entry(prefix).or_insert(number);
            self.lengths |= 1 << prefix.length();
        }
    }

    /// The number of the longest prefix that has `v4`.
    fn longest(&self, v4: Ipv4Addr) -> Option<u32> {
        (0..=32_u8)
            .rev()
            .filter(|length| self.lengths >> length & 1 != 0)
            .find_map(|length| self.numbers.get(&Ipv4Prefix::containing(v4, length)).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn config(allow: &[&str], deny: &[&str]) -> RouterConfig {
        let rule = |text: &&str| AllowRule {
            rule: (*text).into(),
            origin: "line 1".into(),
            name: None,
            prefixes: vec![text.parse().unwrap()],
            offer: None,
        };
        RouterConfig {
            address: Ipv4Addr::LOCALHOST,
            own_addresses: vec![],
            broadcasts: vec![],
            lease: sixgate_wire::lease::Lease::default(),
            offers: vec![],
            peers: vec![],
            allow: allow.iter().map(rule).collect(),
            deny: deny.iter().map(|text| text.parse().unwrap()).collect(),
            most_hosts: 1,
            options: super::super::RouterOptions::default(),
            retire: crate::retire::Retire::default(),
        }
    }

    #[test]
    fn the_longest_prefix_decides_then_the_first_rule() {
        let config = config(&["10.0.0.0/8", "10.6.8.0/24", "10.6.8.20/32", "10.6.8.20/32"], &[]);
        let allowed = Allowed::new(&config, &[1; 32]);
        assert_eq!(allowed.rule(Ipv4Addr::new(10, 6, 8, 20)), Ok(2));
        assert_eq!(allowed.rule(Ipv4Addr::new(10, 6, 8, 21)), Ok(1));
        assert_eq!(allowed.rule(Ipv4Addr::new(10, 6, 9, 21)), Ok(0));
        assert_eq!(allowed.rule(Ipv4Addr::new(11, 6, 9, 21)), Err(ISATAP_HOST_NOT_ALLOWED));
    }

    #[test]
    fn a_denied_prefix_beats_every_rule_however_long() {
        let allowed = Allowed::new(&config(&["10.6.8.0/24", "10.6.8.20/32"], &["10.6.8.16/28"]), &[1; 32]);
        assert_eq!(allowed.rule(Ipv4Addr::new(10, 6, 8, 20)), Err(ISATAP_HOST_DENIED));
        assert_eq!(allowed.rule(Ipv4Addr::new(10, 6, 8, 40)), Ok(0));
        assert_eq!(allowed.rule(Ipv4Addr::new(10, 6, 9, 1)), Err(ISATAP_HOST_NOT_ALLOWED));
    }
}
