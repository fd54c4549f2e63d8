//! Which rule serves an IPv4 address: longest prefix first, in time that does not depend on the number of rules.

use core::net::Ipv4Addr;

use hashbrown::HashMap;
use sixgate_wire::addr::Ipv4Prefix;

use super::AllowRule;
use crate::keyed::Keyed;

/// The rules, by prefix.
pub(super) struct Allowed {
    rules: HashMap<Ipv4Prefix, u32, Keyed>,
    /// Bit n: some rule has a prefix of n bits.
    lengths: u64,
}

impl Allowed {
    pub(super) fn new(rules: &[AllowRule], seed: &[u8; 32]) -> Self {
        let mut allowed = Self { rules: HashMap::with_hasher(Keyed::new(seed)), lengths: 0 };
        allowed.replace(rules);
        allowed
    }

    pub(super) fn replace(&mut self, rules: &[AllowRule]) {
        self.rules.clear();
        self.lengths = 0;
        for (number, rule) in (0_u32..).zip(rules) {
            for prefix in &rule.prefixes {
                self.rules.entry(*prefix).or_insert(number);
                self.lengths |= 1 << prefix.length();
            }
        }
    }

    /// The number of the rule that serves `v4`.
    pub(super) fn rule(&self, v4: Ipv4Addr) -> Option<u32> {
        (0..=32_u8)
            .rev()
            .filter(|length| self.lengths >> length & 1 != 0)
            .find_map(|length| self.rules.get(&Ipv4Prefix::containing(v4, length)).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn rules(texts: &[&str]) -> Vec<AllowRule> {
        let rule = |text: &&str| AllowRule {
            rule: (*text).into(),
            name: None,
            prefixes: vec![text.parse().unwrap()],
        };
        texts.iter().map(rule).collect()
    }

    #[test]
    fn the_longest_prefix_decides_then_the_first_rule() {
        let allowed =
            Allowed::new(&rules(&["10.0.0.0/8", "10.6.8.0/24", "10.6.8.20/32", "10.6.8.20/32"]), &[1; 32]);
        assert_eq!(allowed.rule(Ipv4Addr::new(10, 6, 8, 20)), Some(2));
        assert_eq!(allowed.rule(Ipv4Addr::new(10, 6, 8, 21)), Some(1));
        assert_eq!(allowed.rule(Ipv4Addr::new(10, 6, 9, 21)), Some(0));
        assert_eq!(allowed.rule(Ipv4Addr::new(11, 6, 9, 21)), None);
    }
}
