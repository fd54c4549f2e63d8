//! What must be right after a SIGKILL: which names should stand in DNS, and which should go.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv6Addr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sixgate_io_store::{Space, Store};

/// Keys and values on disk. Each call is done when it returns.
pub trait Memory: Send + Sync + 'static {
    /// The value of a key.
    ///
    /// # Errors
    /// The disk.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, MemoryError>;
    /// Everything, by key.
    ///
    /// # Errors
    /// The disk.
    fn all(&self) -> Result<Vec<(String, Vec<u8>)>, MemoryError>;
    /// Sets a value.
    ///
    /// # Errors
    /// The disk.
    fn put(&self, key: &str, value: &[u8]) -> Result<(), MemoryError>;
    /// Forgets a key.
    ///
    /// # Errors
    /// The disk.
    fn forget(&self, key: &str) -> Result<(), MemoryError>;
}

/// The disk's complaint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemoryError(pub String);

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MemoryError {}

/// Key of the identifier that claims our names, where the machine has none.
pub(super) const OWNER: &str = "owner";
/// Wanted names are under this, by full name.
const WANTED: &str = "wanted/";

/// What DNS is to say about a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Wanted {
    /// The address; of a name that is to go, the one that we wrote.
    pub(super) address: Ipv6Addr,
    /// The name is to go.
    pub(super) gone: bool,
}

pub(super) fn load(memory: &dyn Memory) -> Result<BTreeMap<String, Wanted>, MemoryError> {
    let mut all = BTreeMap::new();
    for (key, value) in memory.all()? {
        if let Some(name) = key.strip_prefix(WANTED) {
            let wanted = serde_json::from_slice(&value).map_err(|error| MemoryError(error.to_string()))?;
            all.insert(name.to_owned(), wanted);
        }
    }
    Ok(all)
}

pub(super) fn keep(memory: &dyn Memory, name: &str, wanted: Wanted) -> Result<(), MemoryError> {
    let value = serde_json::to_vec(&wanted).map_err(|error| MemoryError(error.to_string()))?;
    memory.put(&format!("{WANTED}{name}"), &value)
}

pub(super) fn drop_name(memory: &dyn Memory, name: &str) -> Result<(), MemoryError> {
    memory.forget(&format!("{WANTED}{name}"))
}

impl Memory for Store {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, MemoryError> {
        self.value(Space::Names, key.as_bytes()).map_err(said)
    }

    fn all(&self) -> Result<Vec<(String, Vec<u8>)>, MemoryError> {
        let text = |(key, value)| (String::from_utf8_lossy(key).into_owned(), value);
        let values = self.values(Space::Names).map_err(said)?;
        Ok(values.iter().map(|(key, value)| text((key.as_slice(), value.clone()))).collect())
    }

    fn put(&self, key: &str, value: &[u8]) -> Result<(), MemoryError> {
        self.change_values(Space::Names, [(key.as_bytes(), Some(value))]).map_err(said)
    }

    fn forget(&self, key: &str) -> Result<(), MemoryError> {
        self.change_values(Space::Names, [(key.as_bytes(), None)]).map_err(said)
    }
}

fn said(error: impl fmt::Display) -> MemoryError {
    MemoryError(error.to_string())
}

/// Remembers as long as the process lives: for tests, and for a gateway without a state directory.
#[derive(Debug, Default)]
pub struct Forgetful(Mutex<BTreeMap<String, Vec<u8>>>);

impl Memory for Forgetful {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, MemoryError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn all(&self) -> Result<Vec<(String, Vec<u8>)>, MemoryError> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(all.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn put(&self, key: &str, value: &[u8]) -> Result<(), MemoryError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    fn forget(&self, key: &str) -> Result<(), MemoryError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        Ok(())
    }
}
