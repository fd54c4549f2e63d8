//! What an entry of the directory is: a group, a machine, something else.

use std::collections::HashMap;
use std::net::Ipv4Addr;

/// What is asked of every entry.
pub(crate) const ATTRIBUTES: [&str; 7] =
    ["objectClass", "member", "uniqueMember", "cn", "dNSHostName", "ipHostNumber", "userAccountControl"];

/// Attributes that hold members.
const MEMBERS: [&str; 2] = ["member", "uniquemember"];
/// Classes of groups, for those that have no member.
const GROUPS: [&str; 4] = ["group", "groupofnames", "groupofuniquenames", "groupofmembers"];
/// Classes of machines, for those that have neither a host name nor an address.
const MACHINES: [&str; 4] = ["computer", "device", "iphost", "ipahost"];
/// ADS_UF_ACCOUNTDISABLE of userAccountControl.
const DISABLED: u32 = 2;

/// The machines of a group, nested groups unfolded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Group {
    /// By name.
    pub machines: Vec<Machine>,
    /// Members that are no machines: people, contacts, accounts that are switched off, entries that the server does not give.
    pub others: usize,
}

/// A machine of the directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Machine {
    /// Its name in DNS, lower case.
    pub name: Option<String>,
    /// The addresses that the directory itself has of it.
    pub addresses: Vec<Ipv4Addr>,
}

/// An entry, its attributes by name in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    pub(crate) attributes: HashMap<String, Vec<String>>,
}

impl Entry {
    pub(crate) fn values(&self, name: &str) -> &[String] {
        self.attributes.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.values(name).first().map(String::as_str).filter(|value| !value.is_empty())
    }

    fn is_of(&self, classes: &[&str]) -> bool {
        self.values("objectclass").iter().any(|c| classes.contains(&c.to_ascii_lowercase().as_str()))
    }

    pub(crate) fn is_group(&self) -> bool {
        let has_members =
            self.attributes.keys().any(|key| MEMBERS.contains(&key.split(';').next().unwrap_or_default()));
        has_members || self.is_of(&GROUPS)
    }

    /// The machine that this entry is, if it is one that may log on. `domain` completes a name of one label.
    pub(crate) fn machine(&self, domain: &str) -> Option<Machine> {
        let control = self.first("useraccountcontrol").and_then(|text| text.parse::<u32>().ok());
        if control.is_some_and(|bits| bits & DISABLED != 0) {
            return None;
        }
        let addresses: Vec<Ipv4Addr> =
            self.values("iphostnumber").iter().filter_map(|text| text.parse().ok()).collect();
        let host_name = self.first("dnshostname");
        if host_name.is_none() && addresses.is_empty() && !self.is_of(&MACHINES) {
            return None;
        }
        let name = host_name.or(self.first("cn")).map(|name| full_name(name, domain));
        (name.is_some() || !addresses.is_empty()).then_some(Machine { name, addresses })
    }

    /// The members that stand in the entry, and where the next ones begin for each attribute that is cut short.
    pub(crate) fn members(&self) -> (Vec<String>, Vec<String>) {
        let (mut members, mut more) = (Vec::new(), Vec::new());
        for (key, values) in &self.attributes {
            let (name, option) = key.split_once(';').unwrap_or((key, ""));
            if !MEMBERS.contains(&name) {
                continue;
            }
            members.extend(values.iter().map(|value| without_uid(value).to_owned()));
            if let Some(next) = next_range(option).filter(|_| !values.is_empty()) {
                more.push(format!("{name};range={next}-*"));
            }
        }
        (members, more)
    }
}

/// `range=0-1499` is followed by 1500; `range=1500-*` is the last.
fn next_range(option: &str) -> Option<u32> {
    let (_, last) = option.strip_prefix("range=")?.split_once('-')?;
    last.parse::<u32>().ok()?.checked_add(1)
}

/// RFC 4517, section 3.3.21: the name may be followed by a number and a bit string.
fn without_uid(value: &str) -> &str {
    match value.rsplit_once("#'") {
        Some((dn, bits)) if bits.ends_with("'B") => dn,
        _ => value,
    }
}

fn full_name(name: &str, domain: &str) -> String {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name.contains('.') || domain.is_empty() { name } else { format!("{name}.{domain}") }
}

/// `corp.example` of `OU=Machines,DC=corp,DC=example`.
pub(crate) fn domain(base: &str) -> String {
    let parts = base.split(',').filter_map(|part| part.split_once('='));
    let labels = parts.filter(|(kind, _)| kind.trim().eq_ignore_ascii_case("dc"));
    labels.map(|(_, label)| label.trim().to_ascii_lowercase()).collect::<Vec<_>>().join(".")
}

/// Two writings of one name: case, and spaces around commas and equals signs, mean nothing.
pub(crate) fn normal(dn: &str) -> String {
    let (mut out, mut escaped, mut begins) = (String::with_capacity(dn.len()), false, true);
    for c in dn.chars() {
        let separates = !escaped && matches!(c, ',' | '=' | '+');
        if separates {
            out.truncate(out.trim_end_matches(' ').len());
        }
        if !(begins && c == ' ') {
            out.extend(c.to_lowercase());
            begins = separates;
        }
        escaped = c == '\\' && !escaped;
    }
    out.truncate(out.trim_end_matches(' ').len());
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_a_server_sends_is_understood_or_is_not(
            key in "(member|uniqueMember)?(;range=)?[-*0-9]{0,12}",
            value in ".{0,40}",
        ) {
            let entry = entry(&[(key.to_lowercase().as_str(), &[value.as_str()]), ("iphostnumber", &[value.as_str()])]);
            let _ = (entry.is_group(), entry.members(), entry.machine("corp.example"), domain(&value));
            // Twice is once.
            let once = normal(&value);
            prop_assert_eq!(normal(&once), once);
        }
    }

    fn entry(pairs: &[(&str, &[&str])]) -> Entry {
        let attributes = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.iter().map(|t| (*t).to_owned()).collect()))
            .collect();
        Entry { dn: String::new(), attributes }
    }

    #[test]
    fn machines_are_known_by_host_name_address_or_class() {
        let of = |pairs: &[(&str, &[&str])]| entry(pairs).machine("corp.example");
        let name = |text: &str| Some(Machine { name: Some(text.to_owned()), addresses: vec![] });
        assert_eq!(
            of(&[
                ("objectclass", &["top", "computer"]),
                ("cn", &["WS-1"]),
                ("dnshostname", &["WS-1.Corp.Example."])
            ]),
            name("ws-1.corp.example")
        );
        assert_eq!(of(&[("objectclass", &["device"]), ("cn", &["ws-2"])]), name("ws-2.corp.example"));
        let addressed = of(&[("cn", &["ws-3"]), ("iphostnumber", &["10.6.8.3", "fd00::3"])]).unwrap();
        assert_eq!(addressed.addresses, [Ipv4Addr::new(10, 6, 8, 3)]);
        // People, and accounts that are switched off (ACCOUNTDISABLE).
        assert_eq!(of(&[("objectclass", &["person"]), ("cn", &["Ana"])]), None);
        let off = [("objectclass", &["computer"][..]), ("cn", &["ws-4"]), ("useraccountcontrol", &["4098"])];
        assert_eq!(of(&off), None);
    }

    #[test]
    fn members_come_in_ranges_and_with_identifiers() {
        let whole = entry(&[("uniquemember", &["cn=a,dc=x#'0101'B", "cn=b,dc=x"])]);
        assert_eq!(whole.members(), (vec!["cn=a,dc=x".to_owned(), "cn=b,dc=x".to_owned()], vec![]));
        let first = entry(&[("member", &[]), ("member;range=0-1499", &["cn=a"])]);
        assert!(first.is_group());
        assert_eq!(first.members().1, ["member;range=1500-*"]);
        assert_eq!(entry(&[("member;range=1500-*", &["cn=b"])]).members().1, [""; 0]);
        assert_eq!(next_range("range=0-4294967295"), None);
    }

    #[test]
    fn two_writings_of_a_name_are_one() {
        assert_eq!(normal("CN=Help Desk , OU=Groups,DC=Corp"), "cn=help desk,ou=groups,dc=corp");
        assert_eq!(normal("CN=a\\, b,DC=x"), "cn=a\\, b,dc=x");
        assert_eq!(domain("OU=Machines, DC=Corp,dc=example"), "corp.example");
        assert_eq!(domain("o=corp"), "");
    }
}
