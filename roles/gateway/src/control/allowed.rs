//! Who may have ISATAP now: what the file names, what a command added or took away, and what a directory and DNS say of it.
//!
//! | module | holds |
//! | --- | --- |
//! | [`runtime`] | what commands added and took away; outlives the daemon |
//! | [`names`] | addresses of names, the last good ones while DNS is down |
//! | [`groups`] | members of the directory's groups, the last good ones while the directory is down |
//! | [`call`] | `isatap allow`, `isatap deny`, the list |

pub(crate) mod call;
pub(crate) mod groups;
pub(crate) mod names;
pub(crate) mod runtime;

use std::net::Ipv4Addr;

use sixgate_config::isatap::{Allow, AllowedHost, Isatap, Offer};
use sixgate_io_store::Store;
use sixgate_wire::addr::Ipv4Prefix;

use super::{Control, Site};
use groups::Groups;
use names::Names;
use runtime::Runtime;

/// A host or prefix that is allowed, names resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AllowedNow {
    pub(crate) group: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) prefix: Ipv4Prefix,
    /// Position among [`offers`]; `None` = what all are given.
    pub(crate) offer: Option<usize>,
    /// Where the rule stands, for people.
    pub(crate) origin: String,
}

/// What is known beside the file.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) runtime: Runtime,
    pub(crate) names: Names,
    pub(crate) groups: Groups,
}

impl Sources {
    /// What earlier runs left.
    ///
    /// # Errors
    /// One line: what commands said cannot be read.
    pub(crate) fn load(store: &Store) -> Result<Self, String> {
        Ok(Self { runtime: Runtime::load(store)?, names: Names::load(store), groups: Groups::load(store) })
    }
}

/// What rules offer of their own, each once.
pub(crate) fn offers(config: &Isatap) -> Vec<&Offer> {
    let mut all = Vec::new();
    for offer in config.allow.iter().filter_map(|rule| rule.offer.as_ref()) {
        if !all.contains(&offer) {
            all.push(offer);
        }
    }
    all
}

/// Everybody who is allowed. Commands come before the file: where both name the same addresses, the first decides.
pub(crate) fn allowed(config: &Isatap, sources: &Sources) -> Vec<AllowedNow> {
    let offers = offers(config);
    let offer_of =
        |rule: &Allow| rule.offer.as_ref().and_then(|own| offers.iter().position(|offer| *offer == own));
    let mut all = Vec::new();
    for added in sources.runtime.allowed() {
        // What the file gives to a group, it gives to those that a command puts into it.
        let same_group = config.allow.iter().find(|rule| added.group.is_some() && rule.group == added.group);
        let like = AllowedNow {
            group: added.group.clone(),
            name: None,
            prefix: nobody(),
            offer: same_group.and_then(offer_of),
            origin: "runtime".to_owned(),
        };
        add_host(&mut all, &added.host, &like, sources);
    }
    for rule in &config.allow {
        let mut like = AllowedNow {
            group: rule.group.clone(),
            name: None,
            prefix: nobody(),
            offer: offer_of(rule),
            origin: format!("line {}", rule.line),
        };
        for host in &rule.hosts {
            add_host(&mut all, host, &like, sources);
        }
        let Some(dn) = &rule.ldap_group else { continue };
        like.origin = format!("line {}: {dn}", rule.line);
        for member in sources.groups.members(dn) {
            like.name.clone_from(&member.name);
            add_addresses(&mut all, &member.addresses, &like);
            if let Some(name) = member.name.as_ref().filter(|_| member.addresses.is_empty()) {
                add_addresses(&mut all, sources.names.addresses(name), &like);
            }
        }
    }
    all.retain(|host| host.name.as_ref().is_none_or(|name| !sources.runtime.denies_name(name)));
    all
}

/// Stands where the prefix of an allowed host is still to be filled in.
fn nobody() -> Ipv4Prefix {
    Ipv4Prefix::containing(Ipv4Addr::UNSPECIFIED, 32)
}

fn add_host(all: &mut Vec<AllowedNow>, host: &AllowedHost, like: &AllowedNow, sources: &Sources) {
    match host {
        AllowedHost::Prefix(prefix) => all.push(AllowedNow { prefix: *prefix, ..like.clone() }),
        AllowedHost::Name(name) => {
            let like = AllowedNow { name: Some(name.to_string()), ..like.clone() };
            add_addresses(all, sources.names.addresses(name.as_str()), &like);
        }
    }
}

fn add_addresses(all: &mut Vec<AllowedNow>, addresses: &[Ipv4Addr], like: &AllowedNow) {
    let one = |v4: &Ipv4Addr| AllowedNow { prefix: Ipv4Prefix::containing(*v4, 32), ..like.clone() };
    all.extend(addresses.iter().map(one));
}

/// Everybody who is denied.
pub(crate) fn denied(sources: &Sources) -> Vec<Ipv4Prefix> {
    let mut all = Vec::new();
    for host in sources.runtime.denied() {
        match host {
            AllowedHost::Prefix(prefix) => all.push(*prefix),
            AllowedHost::Name(name) => {
                let addresses = sources.names.addresses(name.as_str()).iter();
                all.extend(addresses.map(|v4| Ipv4Prefix::containing(*v4, 32)));
            }
        }
    }
    all
}

/// Every name whose addresses matter, each once.
pub(crate) fn wanted_names(config: &Isatap, sources: &Sources) -> Vec<String> {
    let of_host = |host: &AllowedHost| match host {
        AllowedHost::Name(name) => Some(name.to_string()),
        AllowedHost::Prefix(_) => None,
    };
    let written = config.allow.iter().flat_map(|rule| &rule.hosts).filter_map(of_host);
    let added = sources.runtime.allowed().iter().map(|added| &added.host);
    let commanded = added.chain(sources.runtime.denied()).filter_map(of_host);
    let groups = config.allow.iter().filter_map(|rule| rule.ldap_group.as_deref());
    let members = groups
        .flat_map(|dn| sources.groups.members(dn))
        .filter(|member| member.addresses.is_empty())
        .filter_map(|member| member.name.clone());
    let mut all: Vec<String> = written.chain(commanded).chain(members).collect();
    all.sort_unstable();
    all.dedup();
    all
}

impl Control {
    /// Changes what is known, and tells the packet plane where that changes who is served.
    pub(crate) fn learn<T>(&self, change: impl FnOnce(&mut Site) -> T) -> Option<T> {
        let Ok(mut site) = self.site.lock() else { return None };
        let outcome = change(&mut site);
        if site.reconsider() {
            self.publish(&site);
        }
        Some(outcome)
    }
}

#[cfg(test)]
mod tests;
