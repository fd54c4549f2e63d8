//! Policy as the file says it becomes policy as the fabric asks it: groups are bits, names are numbers.

use std::net::Ipv4Addr;

use sixgate_config::policy::{Policy as Written, Ports as WrittenPorts, Selector as WrittenSelector};
use sixgate_fabric::{Identity, Policy, Ports, Rule, Selector, group};
use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, isatap};

/// The names that policy mentions: the only ones that make a difference to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mentioned(Vec<String>);

impl Mentioned {
    /// Collects the names of all rules, each once.
    pub(crate) fn in_policy(policy: &Written) -> Self {
        let mut names: Vec<String> = Vec::new();
        for selector in policy.rules.iter().flat_map(|r| [&r.from, &r.to]) {
            if let WrittenSelector::Named(name) = selector
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        }
        Self(names)
    }

    /// True when there are more names than groups can be told apart.
    pub(crate) fn too_many(&self) -> bool {
        self.0.len() > group::NAMED as usize
    }

    /// The bit of a group; none when no rule mentions it.
    pub(crate) fn bit(&self, name: &str) -> u64 {
        self.number(name).map_or(0, |n| 1 << n)
    }

    /// Who a client is.
    pub(crate) fn client(&self, name: &str, groups: &[String]) -> Identity {
        let bits = groups.iter().fold(group::CLIENTS, |bits, g| bits | self.bit(g));
        Identity { groups: bits, name: self.id(name) }
    }

    /// Who an ISATAP host is that the group `group` lets in, under this name if it has one.
    pub(crate) fn host(&self, name: Option<&str>, group: Option<&str>) -> Identity {
        let groups = group::INTRANET | group::SERVED | group.map_or(0, |g| self.bit(g));
        Identity { groups, name: name.map_or(Identity::NAMELESS, |n| self.id(n)) }
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.0.iter().position(|n| n == name).and_then(|at| u32::try_from(at).ok())
    }

    fn id(&self, name: &str) -> u32 {
        self.number(name).map_or(Identity::NAMELESS, |n| n + 1)
    }

    /// A name in the file may be a group or somebody's own.
    fn selectors(&self, written: &WrittenSelector) -> Vec<Selector> {
        match written {
            WrittenSelector::Any => vec![Selector::Any],
            WrittenSelector::Clients => vec![Selector::Group(group::CLIENTS)],
            WrittenSelector::Intranet => vec![Selector::Group(group::INTRANET)],
            WrittenSelector::V6(prefix) => vec![Selector::V6(*prefix)],
            WrittenSelector::V4(prefix) => vec![Selector::V4(*prefix)],
            WrittenSelector::Named(name) => {
                vec![Selector::Group(self.bit(name)), Selector::Name(self.id(name))]
            }
        }
    }
}

/// The rules, compiled.
pub(crate) fn compile(written: &Written, mentioned: &Mentioned) -> Policy {
    let rule = |r: &sixgate_config::policy::PolicyRule| Rule {
        from: mentioned.selectors(&r.from),
        to: mentioned.selectors(&r.to),
        ports: r.ports.iter().map(ports).collect(),
    };
    Policy::new(written.rules.iter().map(rule).collect())
}

fn ports(written: &WrittenPorts) -> Ports {
    match written {
        WrittenPorts::Tcp(range) => Ports::Tcp(*range.start(), *range.end()),
        WrittenPorts::Udp(range) => Ports::Udp(*range.start(), *range.end()),
        WrittenPorts::Icmp => Ports::Icmp,
    }
}

/// The IPv6 prefixes that hold the ISATAP addresses of `v4` on the link `prefix`, one for each form of identifier.
pub(crate) fn isatap_prefixes(link: Ipv6Prefix, v4: Ipv4Prefix) -> [Ipv6Prefix; 2] {
    let of = |form, address: Ipv4Addr| {
        Ipv6Prefix::containing(isatap::address(link.address(), form, address), 96 + v4.length())
    };
    [of(isatap::Form::Private, v4.address()), of(isatap::Form::Global, v4.address())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use sixgate_config::policy::PolicyRule;

    fn written() -> Written {
        let named = |n: &str| WrittenSelector::Named(n.to_owned());
        let rule = |from, to| PolicyRule { from, to, ports: vec![WrittenPorts::Icmp], line: 1 };
        let rules = vec![
            rule(named("helpdesk"), WrittenSelector::Clients),
            rule(named("laptop-01"), named("laptop-02")),
            rule(named("helpdesk"), named("laptop-02")),
        ];
        Written { rules, is_default: false }
    }

    #[test]
    fn a_name_means_the_group_and_the_one_who_bears_it() {
        let policy = written();
        let mentioned = Mentioned::in_policy(&policy);
        assert!(!mentioned.too_many());
        let compiled = compile(&policy, &mentioned);
        let helpdesk = mentioned.host(None, Some("helpdesk"));
        assert_eq!(
            compiled.rules()[0].from[0],
            Selector::Group(helpdesk.groups & !(group::INTRANET | group::SERVED))
        );
        let laptop = mentioned.client("laptop-01", &["sales".to_owned()]);
        assert_eq!(laptop.groups, group::CLIENTS);
        assert_eq!(compiled.rules()[1].from[1], Selector::Name(laptop.name));
    }

    #[test]
    fn an_unmentioned_client_has_no_number() {
        let identity = Mentioned::in_policy(&written()).client("laptop-77", &[]);
        assert_eq!(identity, Identity { groups: group::CLIENTS, name: Identity::NAMELESS });
    }

    #[test]
    fn both_forms_of_a_host_are_covered() {
        let [private, global] =
            isatap_prefixes("fd00:2::/64".parse().unwrap(), "10.6.8.0/24".parse().unwrap());
        assert_eq!(private, "fd00:2::5efe:10.6.8.0/120".parse().unwrap());
        assert_eq!(global, "fd00:2::200:5efe:10.6.8.0/120".parse().unwrap());
    }
}
