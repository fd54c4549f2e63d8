//! The list of potential routers (RFC 5214, sections 8.1 and 8.3.2): addresses as they are, names as they were last known.
//!
//! What names meant is kept on disk. A look-up that fails changes nothing, and neither does an answer that the name is
//! gone: an outage or a slip in DNS leaves the tunnel up, and `status` says what DNS says. Only another list of addresses
//! takes the place of the last one; whether a router still serves us is for the router to say.

mod cache;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use jiff::Timestamp;
use sixgate_config::host::RouterSpec;

pub(crate) use cache::FILE as CACHE;

use cache::Cache;

/// The list, and what its names mean.
pub(crate) struct Routers {
    specs: Vec<RouterSpec>,
    names: BTreeMap<String, Name>,
    cache: Cache,
}

/// What is known of a name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Name {
    /// Its addresses, as the last answer that had any gave them.
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// When that answer came.
    pub(crate) learned: Option<Timestamp>,
    /// What the last look-up said.
    pub(crate) standing: Standing,
    /// Since when look-ups say that.
    pub(crate) since: Option<Timestamp>,
    /// What a person wants to know of a failure.
    pub(crate) detail: Option<String>,
}

/// What the last look-up of a name said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Standing {
    /// There was none since the start.
    #[default]
    NotAsked,
    /// The addresses.
    Answered,
    /// There is no such name.
    Gone,
    /// The name is there and has no IPv4 address.
    Empty,
    /// Nobody answered, or only that they do not know.
    Unanswered,
}

/// What a look-up said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// These, and no others.
    Addresses(Vec<Ipv4Addr>),
    /// There is no such name.
    NoSuchName,
    /// The name has no IPv4 address.
    NoAddress,
    /// Nobody knows, and why.
    Failed(String),
}

impl Routers {
    /// The list of the file, with what an earlier run knew of its names. A cache that cannot be read is a remark, no error.
    pub(crate) fn load(specs: &[RouterSpec], state: &Path) -> (Self, Option<String>) {
        let cache = Cache::in_folder(state);
        let (names, remark) = match cache.read() {
            Ok(names) => (names, None),
            Err(e) => (BTreeMap::new(), Some(format!("{cache}: {e}; it will be written anew"))),
        };
        let mut routers = Self { specs: Vec::new(), names, cache };
        routers.set_specs(specs);
        (routers, remark)
    }

    /// Takes another list. What is known of names that are in it stays known.
    pub(crate) fn set_specs(&mut self, specs: &[RouterSpec]) {
        self.specs = specs.to_vec();
        let wanted: Vec<String> = self.to_look_up();
        self.names.retain(|name, _| wanted.contains(name));
        for name in wanted {
            self.names.entry(name).or_default();
        }
    }

    /// The names to be looked up, in the order of the file.
    pub(crate) fn to_look_up(&self) -> Vec<String> {
        let name = |spec: &RouterSpec| match spec {
            RouterSpec::Name(name) => Some(name.to_string()),
            RouterSpec::Address(_) => None,
        };
        self.specs.iter().filter_map(name).collect()
    }

    /// The names with what is known of them, in the order of the file.
    pub(crate) fn names(&self) -> Vec<(String, Name)> {
        let known = |name: String| self.names.get(&name).cloned().map(|known| (name, known));
        self.to_look_up().into_iter().filter_map(known).collect()
    }

    /// What is known of one name.
    pub(crate) fn name(&self, name: &str) -> Option<&Name> {
        self.names.get(name)
    }

    /// The addresses, in the order of the file.
    pub(crate) fn list(&self) -> Vec<Ipv4Addr> {
        let mut list = Vec::new();
        for spec in &self.specs {
            match spec {
                RouterSpec::Address(address) => list.push(*address),
                RouterSpec::Name(name) => {
                    list.extend(self.names.get(name.as_str()).into_iter().flat_map(|n| &n.addresses));
                }
            }
        }
        let mut seen = Vec::new();
        list.retain(|address| {
            let new = !seen.contains(address);
            seen.push(*address);
            new
        });
        list
    }

    /// True when there is no address, and every name has been looked up: nothing can be sent.
    pub(crate) fn nobody_is_known(&self) -> bool {
        self.list().is_empty() && self.names.values().all(|name| name.standing != Standing::NotAsked)
    }

    /// Takes what a look-up said at `now`; true when the list may be another one.
    pub(crate) fn learn(&mut self, now: Timestamp, name: &str, answer: Answer) -> bool {
        // A look-up that was under way when the file changed.
        let Some(known) = self.names.get_mut(name) else { return false };
        let (standing, detail) = match &answer {
            Answer::Addresses(_) => (Standing::Answered, None),
            Answer::NoSuchName => (Standing::Gone, None),
            Answer::NoAddress => (Standing::Empty, None),
            Answer::Failed(why) => (Standing::Unanswered, Some(why.clone())),
        };
        if known.standing != standing {
            known.standing = standing;
            known.since = Some(now);
        }
        known.detail = detail;
        let Answer::Addresses(mut addresses) = answer else { return false };
        // The order of an answer changes from one to the next and means nothing.
        addresses.sort_unstable();
        addresses.dedup();
        known.learned = Some(now);
        let changed = known.addresses != addresses;
        known.addresses = addresses;
        changed
    }

    /// Writes what is known to disk, so that the file is whole at every moment.
    pub(crate) fn save(&self) -> io::Result<()> {
        self.cache.write(&self.names)
    }
}

#[cfg(test)]
mod tests;
