//! What commands added to the file's rules and took away from them. Kept on disk, never written into the file.

use serde::{Deserialize, Serialize};
use sixgate_config::isatap::AllowedHost;
use sixgate_io_store::{Error, Space, Store};

/// Entries that a person can still oversee.
const MOST: usize = 4096;

/// A host or prefix that a command allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Added {
    pub(crate) host: AllowedHost,
    pub(crate) group: Option<String>,
}

/// The commands in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runtime {
    allowed: Vec<Added>,
    denied: Vec<AllowedHost>,
}

/// As it stands on disk; the key is the host as a person writes it.
#[derive(Serialize, Deserialize)]
struct Kept {
    allow: bool,
    group: Option<String>,
}

/// There are too many entries.
#[derive(Debug)]
pub(crate) struct Full;

impl Runtime {
    /// What earlier runs left, all of it: a row that is left out may be the one that denies a host.
    ///
    /// # Errors
    /// One line: what cannot be read.
    pub(crate) fn load(store: &Store) -> Result<Self, String> {
        let mut runtime = Self::default();
        let rows = store
            .values(Space::IsatapRuntime)
            .map_err(|e| format!("what `isatap allow` and `isatap deny` said cannot be read: {e}"))?;
        for (key, value) in rows {
            let host = std::str::from_utf8(&key).ok().and_then(|text| AllowedHost::parse(text).ok());
            match (host, serde_json::from_slice::<Kept>(&value)) {
                (Some(host), Ok(kept)) if kept.allow => {
                    runtime.allowed.push(Added { host, group: kept.group })
                }
                (Some(host), Ok(_)) => runtime.denied.push(host),
                (None, _) | (_, Err(_)) => {
                    let key = String::from_utf8_lossy(&key);
                    return Err(format!(
                        "what `isatap allow` or `isatap deny` said of {key:?} is not understood"
                    ));
                }
            }
        }
        Ok(runtime)
    }

    pub(crate) fn save(&self, store: &Store) -> Result<(), Error> {
        let row = |host: &AllowedHost, kept: &Kept| {
            let value = serde_json::to_vec(kept).unwrap_or_default();
            (host.to_string().into_bytes(), value)
        };
        let allowed =
            self.allowed.iter().map(|a| row(&a.host, &Kept { allow: true, group: a.group.clone() }));
        let denied = self.denied.iter().map(|host| row(host, &Kept { allow: false, group: None }));
        let rows: Vec<_> = allowed.chain(denied).collect();
        store.replace_values(
            Space::IsatapRuntime,
            rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice())),
        )
    }

    pub(crate) fn allowed(&self) -> &[Added] {
        &self.allowed
    }

    pub(crate) fn denied(&self) -> &[AllowedHost] {
        &self.denied
    }

    pub(crate) fn denies_name(&self, name: &str) -> bool {
        self.denied.iter().any(|host| match host {
            AllowedHost::Name(denied) => denied.as_str() == name,
            AllowedHost::Prefix(_) => false,
        })
    }

    /// The denied entry, beside itself, that has all of `host`.
    pub(crate) fn shadows(&self, host: &AllowedHost) -> Option<&AllowedHost> {
        self.denied.iter().find(|denied| match (denied, host) {
            (AllowedHost::Prefix(denied), AllowedHost::Prefix(host)) => {
                denied.length() <= host.length() && denied.contains(host.address())
            }
            (AllowedHost::Name(_), _) | (_, AllowedHost::Name(_)) => false,
        })
    }

    /// Allows a host, and takes back that it was denied.
    pub(crate) fn allow(&mut self, host: AllowedHost, group: Option<String>) -> Result<(), Full> {
        self.forget(&host);
        self.has_room()?;
        self.allowed.push(Added { host, group });
        Ok(())
    }

    /// Denies a host, and takes back that it was allowed.
    pub(crate) fn deny(&mut self, host: AllowedHost) -> Result<(), Full> {
        self.forget(&host);
        self.has_room()?;
        self.denied.push(host);
        Ok(())
    }

    /// Leaves a host to the file again; false when no command was about it.
    pub(crate) fn forget(&mut self, host: &AllowedHost) -> bool {
        let before = self.allowed.len() + self.denied.len();
        self.allowed.retain(|added| added.host != *host);
        self.denied.retain(|denied| denied != host);
        before != self.allowed.len() + self.denied.len()
    }

    fn has_room(&self) -> Result<(), Full> {
        if self.allowed.len() + self.denied.len() < MOST { Ok(()) } else { Err(Full) }
    }
}
