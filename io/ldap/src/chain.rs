//! Nested groups as Active Directory unfolds them itself.

use crate::Error;
use crate::ask::Ask;
use crate::entry::{ATTRIBUTES, Entry, Group};

/// LDAP_MATCHING_RULE_IN_CHAIN of \[MS-ADTS\], section 3.1.1.3.4.4.3: memberOf of memberOf, and so on; loops end.
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// The machines of `group`.
pub(crate) async fn machines(
    directory: &mut impl Ask,
    group: &str,
    domain: &str,
    most: usize,
) -> Result<Group, Error> {
    const TOKEN: &str = "primaryGroupToken";
    let top = directory.read(group, &["objectClass", TOKEN]).await?.ok_or(Error::NoSuchGroup)?;
    let member_of = format!("(memberOf:{IN_CHAIN}:={})", ldap3::ldap_escape(group));
    let not_groups = format!("(&{member_of}(!(objectClass=group)))");
    let mut members = directory.search(&not_groups, &ATTRIBUTES, most).await?;
    // The primary group of a computer, Domain Computers for most, is in no `member` and no `memberOf`.
    let nested = directory.search(&format!("(&{member_of}(objectClass=group))"), &[TOKEN], most).await?;
    for token in nested.iter().chain([&top]).filter_map(|entry| entry.first("primarygrouptoken")) {
        let primary = format!("(primaryGroupID={})", ldap3::ldap_escape(token));
        members.extend(directory.search(&primary, &ATTRIBUTES, most).await?);
        if members.len() > most {
            return Err(Error::TooLarge("most-members"));
        }
    }
    Ok(group_of(&members, domain))
}

/// The machines among the members, each once.
pub(crate) fn group_of(members: &[Entry], domain: &str) -> Group {
    let mut group = Group::default();
    for member in members {
        match member.machine(domain) {
            Some(machine) => group.machines.push(machine),
            None => group.others += 1,
        }
    }
    group.machines.sort_unstable();
    group.machines.dedup();
    group
}
