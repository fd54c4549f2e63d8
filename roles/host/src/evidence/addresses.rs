//! The IPv4 addresses that the host had: kept on disk, because a host that moved is often one that was restarted too.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sixgate_doctor::evidence::Held;

/// Name of the file in the state directory.
const FILE: &str = "isatap-addresses.json";
/// Addresses that are kept.
const MOST: usize = 8;

/// The addresses, oldest first.
#[derive(Debug)]
pub(crate) struct Addresses {
    held: Vec<Held>,
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    schema: u32,
    addresses: Vec<Held>,
}

impl Addresses {
    /// What an earlier run kept; a file that cannot be read is as good as none.
    pub(crate) fn load(state: &Path) -> Self {
        let path = state.join(FILE);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let held = serde_json::from_str(&text).map(|k: Kept| k.addresses).unwrap_or_default();
        Self { held, path }
    }

    /// The present address. Written down when it is another one than before.
    pub(crate) fn note(&mut self, ipv4: Ipv4Addr) {
        if self.held.last().is_some_and(|h| h.ipv4 == ipv4) {
            return;
        }
        self.held.push(Held { ipv4, since: Timestamp::now() });
        let surplus = self.held.len().saturating_sub(MOST);
        self.held.drain(..surplus);
        let kept = Kept { schema: 1, addresses: self.held.clone() };
        let fresh = self.path.with_extension("new");
        let written = serde_json::to_vec_pretty(&kept)
            .map_err(std::io::Error::from)
            .and_then(|text| fs::write(&fresh, text))
            .and_then(|()| fs::rename(&fresh, &self.path));
        if let Err(e) = written {
            tracing::debug!("{}: {e}", self.path.display());
        }
    }

    /// The addresses, oldest first.
    pub(crate) fn held(&self) -> Vec<Held> {
        self.held.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_over_a_restart_once_each_and_not_for_ever() {
        let directory = std::env::temp_dir().join(format!("sixgate-addresses-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let mut addresses = Addresses::load(&directory);
        for n in [1, 1, 2, 3, 4, 5, 6, 7, 8, 9] {
            addresses.note(Ipv4Addr::new(10, 6, 8, n));
        }
        let again: Vec<u8> = Addresses::load(&directory).held().iter().map(|h| h.ipv4.octets()[3]).collect();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(again, [2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
