//! The list of potential routers (RFC 5214, sections 8.1 and 8.3.2): addresses as they are, names as they were last known.
//!
//! What names meant is kept on disk, and a look-up that fails changes nothing: an outage of DNS leaves the tunnel up.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sixgate_config::host::RouterSpec;

/// Name of the cache in the state directory.
const CACHE: &str = "isatap-routers.json";
/// Look-ups in a row that must say "no such name" before it is believed. A name that is gone takes the routers away, and
/// servers that start or fail over give that answer too.
const BELIEVED: u8 = 3;

/// The list, and what its names mean.
pub(crate) struct Routers {
    specs: Vec<RouterSpec>,
    known: BTreeMap<String, Vec<Ipv4Addr>>,
    /// How often in a row a name was not there.
    absent: BTreeMap<String, u8>,
    cache: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Cache {
    schema: u32,
    names: BTreeMap<String, Vec<Ipv4Addr>>,
}

/// What a look-up said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// These, and no others.
    Addresses(Vec<Ipv4Addr>),
    /// There is no such name, or it has no IPv4 address.
    Absent,
    /// Nobody knows.
    Failed,
}

impl Routers {
    /// The list of the file, with what an earlier run knew of its names. A cache that cannot be read is a remark, no error.
    pub(crate) fn load(specs: &[RouterSpec], state: &Path) -> (Self, Option<String>) {
        let cache = state.join(CACHE);
        let (known, remark) = match read(&cache) {
            Ok(known) => (known, None),
            Err(e) => (BTreeMap::new(), Some(format!("{}: {e}; it will be written anew", cache.display()))),
        };
        let mut routers = Self { specs: Vec::new(), known, absent: BTreeMap::new(), cache };
        routers.set_specs(specs);
        (routers, remark)
    }

    /// Takes another list. What is known of names that are in it stays known.
    pub(crate) fn set_specs(&mut self, specs: &[RouterSpec]) {
        self.specs = specs.to_vec();
        let names = self.names();
        self.known.retain(|name, _| names.contains(name));
        self.absent.clear();
    }

    /// The names to be looked up.
    pub(crate) fn names(&self) -> Vec<String> {
        let name = |spec: &RouterSpec| match spec {
            RouterSpec::Name(name) => Some(name.to_string()),
            RouterSpec::Address(_) => None,
        };
        self.specs.iter().filter_map(name).collect()
    }

    /// The addresses, in the order of the file.
    pub(crate) fn list(&self) -> Vec<Ipv4Addr> {
        let mut list = Vec::new();
        for spec in &self.specs {
            match spec {
                RouterSpec::Address(address) => list.push(*address),
                RouterSpec::Name(name) => list.extend(self.known.get(name.as_str()).into_iter().flatten()),
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

    /// Takes what a look-up said; true when the list may be another one.
    pub(crate) fn learn(&mut self, name: &str, answer: Answer) -> bool {
        let addresses = match answer {
            Answer::Failed => return false,
            Answer::Absent => {
                let times = self.absent.entry(name.to_owned()).or_default();
                *times = times.saturating_add(1);
                return *times >= BELIEVED && self.known.remove(name).is_some();
            }
            // The order of an answer changes from one to the next and means nothing.
            Answer::Addresses(mut addresses) => {
                addresses.sort_unstable();
                addresses
            }
        };
        self.absent.remove(name);
        self.known.insert(name.to_owned(), addresses.clone()) != Some(addresses)
    }

    /// Writes what is known to disk, so that the file is whole at every moment.
    pub(crate) fn save(&self) -> io::Result<()> {
        let text = serde_json::to_string_pretty(&Cache { schema: 1, names: self.known.clone() })?;
        let fresh = self.cache.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.cache)
    }
}

fn read(path: &Path) -> io::Result<BTreeMap<String, Vec<Ipv4Addr>>> {
    let text = match fs::read_to_string(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text?,
    };
    let cache: Cache = serde_json::from_str(&text)?;
    if cache.schema == 1 {
        Ok(cache.names)
    } else {
        Err(io::Error::other("it is of another version of sixgate"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
    const B: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 2);
    const NAME: &str = "da-isatap.corp.example";

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("sixgate-routers-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn specs() -> Vec<RouterSpec> {
        [NAME, "10.6.0.2"].iter().map(|text| RouterSpec::parse(text).unwrap()).collect()
    }

    #[test]
    fn the_list_follows_the_file_and_survives_an_outage_and_a_restart() {
        let directory = Directory::new("restart");
        let (mut routers, remark) = Routers::load(&specs(), &directory.0);
        assert_eq!((routers.list(), remark), (vec![B], None));
        assert!(routers.learn(NAME, Answer::Addresses(vec![B, A])));
        assert_eq!(routers.list(), [A, B]);
        assert!(!routers.learn(NAME, Answer::Addresses(vec![A, B])), "the order of an answer means nothing");
        assert!(!routers.learn(NAME, Answer::Failed));
        routers.save().unwrap();
        let (again, _) = Routers::load(&specs(), &directory.0);
        assert_eq!(again.list(), [A, B]);
        // A name that is not in the file any more is forgotten.
        let (other, _) = Routers::load(&specs()[1..], &directory.0);
        assert_eq!((other.list(), other.known.len()), (vec![B], 0));
    }

    #[test]
    fn a_name_that_is_gone_is_believed_at_the_third_time_in_a_row() {
        let directory = Directory::new("gone");
        let (mut routers, _) = Routers::load(&specs(), &directory.0);
        routers.learn(NAME, Answer::Addresses(vec![A]));
        assert!(!routers.learn(NAME, Answer::Absent) && !routers.learn(NAME, Answer::Absent));
        routers.learn(NAME, Answer::Addresses(vec![A]));
        assert!(!routers.learn(NAME, Answer::Absent) && !routers.learn(NAME, Answer::Absent));
        assert_eq!(routers.list(), [A, B]);
        assert!(routers.learn(NAME, Answer::Absent));
        assert_eq!(routers.list(), [B]);
    }

    #[test]
    fn a_damaged_cache_is_a_remark_and_no_error() {
        let directory = Directory::new("damaged");
        for text in ["{", "{\"schema\":2,\"names\":{}}", "{\"schema\":1,\"names\":{\"a\":[\"x\"]}}"] {
            fs::write(directory.0.join(CACHE), text).unwrap();
            let (routers, remark) = Routers::load(&specs(), &directory.0);
            assert_eq!(routers.list(), [B]);
            assert!(remark.unwrap().contains(CACHE), "{text}");
        }
    }
}
