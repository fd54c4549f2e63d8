//! Policy: who may open flows to whom. Answers need no rule; the filter knows them by their flow.

use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix};
use sixgate_wire::flow::FlowKey;
use sixgate_wire::protocol;

use crate::identity::{Identity, group};

/// One end of a flow, as rules see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Party {
    /// Its address.
    pub address: Ipv6Addr,
    /// The IPv4 address inside, when it is a NAT64 or an ISATAP address.
    pub v4: Option<Ipv4Addr>,
    /// Who it is.
    pub identity: Identity,
}

/// Whom one side of a rule means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selector {
    /// Everybody.
    Any,
    /// Whoever is in at least one of these groups.
    Group(u64),
    /// Whoever has this name.
    Name(u32),
    /// An IPv6 prefix.
    V6(Ipv6Prefix),
    /// An IPv4 prefix: NAT64 and ISATAP addresses that embed an address of it.
    V4(Ipv4Prefix),
}

impl Selector {
    fn matches(self, party: &Party) -> bool {
        match self {
            Self::Any => true,
            Self::Group(mask) => party.identity.groups & mask != 0,
            Self::Name(name) => name != Identity::NAMELESS && party.identity.name == name,
            Self::V6(prefix) => prefix.contains(party.address),
            Self::V4(prefix) => party.v4.is_some_and(|v4| prefix.contains(v4)),
        }
    }
}

/// Which destination ports a rule means; both ends of a range belong to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ports {
    /// `tcp/22`, `tcp/8000-8010`
    Tcp(u16, u16),
    /// `udp/53`, `udp/5000-5010`
    Udp(u16, u16),
    /// `icmp`: echo. Errors need no rule, they belong to the flow that they quote.
    Icmp,
}

impl Ports {
    fn matches(self, key: &FlowKey) -> bool {
        match self {
            Self::Tcp(first, last) => key.protocol == protocol::TCP && (first..=last).contains(&key.dst_port),
            Self::Udp(first, last) => key.protocol == protocol::UDP && (first..=last).contains(&key.dst_port),
            Self::Icmp => key.protocol == protocol::ICMPV6,
        }
    }
}

/// One rule: it allows what it matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Who opens the flow: one of these.
    pub from: Vec<Selector>,
    /// To whom: one of these.
    pub to: Vec<Selector>,
    /// On which ports: one of these; empty means every protocol and port.
    pub ports: Vec<Ports>,
}

impl Rule {
    fn matches(&self, from: &Party, to: &Party, key: &FlowKey) -> bool {
        (self.ports.is_empty() || self.ports.iter().any(|p| p.matches(key)))
            && self.from.iter().any(|s| s.matches(from))
            && self.to.iter().any(|s| s.matches(to))
    }
}

/// All rules, in the order of the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
}

impl Policy {
    /// These rules and no others.
    #[must_use]
    pub const fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// The rules that hold when none is written: clients may open to the intranet, served ISATAP hosts to clients.
    #[must_use]
    pub fn standard() -> Self {
        let rule = |from, to| Rule {
            from: vec![Selector::Group(from)],
            to: vec![Selector::Group(to)],
            ports: Vec::new(),
        };
        Self::new(vec![rule(group::CLIENTS, group::INTRANET), rule(group::SERVED, group::CLIENTS)])
    }

    /// The number, from zero, of the first rule that allows `from` to open the flow `key` to `to`.
    #[must_use]
    pub fn first_match(&self, from: &Party, to: &Party, key: &FlowKey) -> Option<usize> {
        self.rules.iter().position(|rule| rule.matches(from, to, key))
    }

    /// The number of the first rule about these two, whatever the ports.
    #[must_use]
    pub fn about(&self, from: &Party, to: &Party) -> Option<usize> {
        let any = |selectors: &[Selector], party| selectors.iter().any(|s| s.matches(party));
        self.rules.iter().position(|rule| any(&rule.from, from) && any(&rule.to, to))
    }

    /// The rules, first one first.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::standard()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(address: &str, v4: Option<[u8; 4]>, groups: u64, name: u32) -> Party {
        Party {
            address: address.parse().unwrap(),
            v4: v4.map(Ipv4Addr::from),
            identity: Identity { groups, name },
        }
    }

    fn key(protocol: u8, dst_port: u16) -> FlowKey {
        FlowKey {
            protocol,
            src: Ipv6Addr::UNSPECIFIED,
            dst: Ipv6Addr::UNSPECIFIED,
            src_port: dst_port.wrapping_add(1),
            dst_port,
        }
    }

    fn selects(selector: Selector, party: &Party) -> bool {
        let rule = Rule { from: vec![selector], to: vec![Selector::Any], ports: Vec::new() };
        Policy::new(vec![rule]).first_match(party, party, &key(protocol::TCP, 1)).is_some()
    }

    #[test]
    fn each_selector_matches_what_it_names_and_nothing_else() {
        let helpdesk = party("fd00:2::5efe:a06:814", Some([10, 6, 8, 20]), group::INTRANET | 1, 7);
        let stranger = party("2001:db8::1", None, 0, Identity::NAMELESS);
        for selector in [
            Selector::Group(1 | 2),
            Selector::Group(group::INTRANET),
            Selector::Name(7),
            Selector::V6("fd00:2::/64".parse().unwrap()),
            Selector::V4("10.6.8.0/24".parse().unwrap()),
        ] {
            assert!(selects(selector, &helpdesk), "{selector:?}");
            assert!(!selects(selector, &stranger), "{selector:?}");
        }
        for selector in [
            Selector::Group(2),
            Selector::Name(8),
            Selector::V6("fd00:3::/64".parse().unwrap()),
            Selector::V4("10.6.9.0/24".parse().unwrap()),
        ] {
            assert!(!selects(selector, &helpdesk), "{selector:?}");
        }
        assert!(selects(Selector::Any, &stranger));
        assert!(!selects(Selector::Name(Identity::NAMELESS), &stranger));
    }

    #[test]
    fn ports_bind_protocol_and_destination_port() {
        let ports = [Ports::Tcp(22, 22), Ports::Udp(5000, 5010), Ports::Icmp];
        let rule = Rule { from: vec![Selector::Any], to: vec![Selector::Any], ports: ports.to_vec() };
        let policy = Policy::new(vec![rule]);
        let anybody = party("fd00::1", None, 0, 0);
        let allowed = |protocol, port| policy.first_match(&anybody, &anybody, &key(protocol, port)).is_some();
        assert!(allowed(protocol::TCP, 22) && allowed(protocol::UDP, 5000) && allowed(protocol::UDP, 5010));
        assert!(allowed(protocol::ICMPV6, 9));
        assert!(!allowed(protocol::TCP, 21) && !allowed(protocol::TCP, 5000) && !allowed(protocol::UDP, 22));
        assert!(!allowed(protocol::UDP, 5011) && !allowed(protocol::ESP, 0));
    }

    #[test]
    fn the_first_rule_that_matches_answers() {
        let rule = |port| Rule {
            from: vec![Selector::Any],
            to: vec![Selector::Any],
            ports: vec![Ports::Tcp(port, u16::MAX)],
        };
        let policy = Policy::new(vec![rule(100), rule(10), rule(1)]);
        let anybody = party("fd00::1", None, 0, 0);
        let first = |port| policy.first_match(&anybody, &anybody, &key(protocol::TCP, port));
        assert_eq!((first(200), first(50), first(1), first(0)), (Some(0), Some(1), Some(2), None));
    }

    #[test]
    fn standard_policy_opens_two_directions_only() {
        let client = party("fd00:1::1", None, group::CLIENTS, 0);
        let server = party("fd00:64::1", None, group::INTRANET, 0);
        let served = party("fd00:2::1", None, group::INTRANET | group::SERVED, 0);
        let outside = party("2001:db8::1", None, 0, 0);
        let allowed = |a, b| Policy::standard().first_match(a, b, &key(protocol::TCP, 22)).is_some();
        assert!(allowed(&client, &server) && allowed(&client, &served) && allowed(&served, &client));
        assert!(!allowed(&server, &client) && !allowed(&client, &client) && !allowed(&served, &server));
        assert!(!allowed(&client, &outside) && !allowed(&outside, &client) && !allowed(&outside, &server));
    }
}
