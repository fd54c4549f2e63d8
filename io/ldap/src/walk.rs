//! Nested groups one by one: each entry once, so that loops end; so many levels and entries, so that all else ends.

use std::collections::{HashSet, VecDeque};

use crate::Error;
use crate::ask::Ask;
use crate::chain::group_of;
use crate::entry::{ATTRIBUTES, Entry, Group, normal};

/// How far a walk goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) members: usize,
    pub(crate) depth: usize,
}

/// The machines of `group`.
pub(crate) async fn machines(
    directory: &mut impl Ask,
    group: &str,
    domain: &str,
    limits: Limits,
) -> Result<Group, Error> {
    let top = directory.read(group, &ATTRIBUTES).await?.ok_or(Error::NoSuchGroup)?;
    let mut seen = HashSet::from([normal(group)]);
    let mut groups = VecDeque::from([(top, 0)]);
    let (mut members, mut withheld) = (Vec::new(), 0);
    while let Some((group, depth)) = groups.pop_front() {
        for dn in listed(directory, &group, limits.members).await? {
            if !seen.insert(normal(&dn)) {
                continue;
            }
            if seen.len() > limits.members {
                return Err(Error::TooLarge("most-members"));
            }
            let entry = match directory.read(&dn, &ATTRIBUTES).await {
                Ok(Some(entry)) => entry,
                // A member that was deleted and is still listed is nobody.
                Ok(None) => continue,
                // One that is of another directory, or none of our business, must not hold up the others.
                Err(Error::Withheld(what)) => {
                    tracing::debug!(dn, "directory: a member cannot be read: {what}");
                    withheld += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            sort(entry, depth, limits, &mut groups, &mut members)?;
        }
        // Some directories keep membership with the member alone.
        let of_group = format!("(memberOf={})", ldap3::ldap_escape(group.dn.as_str()));
        for entry in directory.search(&of_group, &ATTRIBUTES, limits.members).await? {
            if seen.insert(normal(&entry.dn)) {
                sort(entry, depth, limits, &mut groups, &mut members)?;
            }
        }
        if seen.len() > limits.members {
            return Err(Error::TooLarge("most-members"));
        }
    }
    let mut group = group_of(&members, domain);
    group.others += withheld;
    Ok(group)
}

fn sort(
    entry: Entry,
    depth: usize,
    limits: Limits,
    groups: &mut VecDeque<(Entry, usize)>,
    members: &mut Vec<Entry>,
) -> Result<(), Error> {
    if !entry.is_group() {
        members.push(entry);
    } else if depth + 1 > limits.depth {
        return Err(Error::TooLarge("most-depth"));
    } else {
        groups.push_back((entry, depth + 1));
    }
    Ok(())
}

/// Every member that the group lists; a server that cuts long lists short is asked for the rest.
async fn listed(directory: &mut impl Ask, group: &Entry, most: usize) -> Result<Vec<String>, Error> {
    let (mut all, mut more) = group.members();
    while let Some(next) = more.pop() {
        let Some(entry) = directory.read(&group.dn, &[next.as_str()]).await? else { break };
        let (members, rest) = entry.members();
        all.extend(members);
        more.extend(rest);
        if all.len() > most {
            return Err(Error::TooLarge("most-members"));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
