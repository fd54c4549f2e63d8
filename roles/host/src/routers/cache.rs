//! What names of routers meant, on disk: read at a start, when DNS may be down.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Name;

/// Name of the file in the state directory.
pub(crate) const FILE: &str = "isatap-routers.json";

/// The file.
pub(super) struct Cache(PathBuf);

#[derive(Serialize, Deserialize)]
struct Content {
    schema: u32,
    names: BTreeMap<String, Vec<Ipv4Addr>>,
    /// When each answer came.
    #[serde(default)]
    learned: BTreeMap<String, Timestamp>,
}

impl Cache {
    pub(super) fn in_folder(state: &Path) -> Self {
        Self(state.join(FILE))
    }

    pub(super) fn read(&self) -> io::Result<BTreeMap<String, Name>> {
        let text = match fs::read_to_string(&self.0) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            text => text?,
        };
        let content: Content = serde_json::from_str(&text)?;
        if content.schema != 1 {
            return Err(io::Error::other("it is of another version of sixgate"));
        }
        let known = |(name, addresses): (String, Vec<Ipv4Addr>)| {
            let learned = content.learned.get(&name).copied();
            (name, Name { addresses, learned, ..Name::default() })
        };
        Ok(content.names.into_iter().map(known).collect())
    }

    /// Replaces the file in one step.
    pub(super) fn write(&self, names: &BTreeMap<String, Name>) -> io::Result<()> {
        let known = || names.iter().filter(|(_, n)| !n.addresses.is_empty());
        let content = Content {
            schema: 1,
            names: known().map(|(name, n)| (name.clone(), n.addresses.clone())).collect(),
            learned: known().filter_map(|(name, n)| Some((name.clone(), n.learned?))).collect(),
        };
        let fresh = self.0.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(serde_json::to_string_pretty(&content)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.0)?;
        // The name itself is on disk only after its folder is.
        self.0.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

impl fmt::Display for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}
