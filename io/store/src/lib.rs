//! What a gateway remembers across its ends: enrolment tokens, clients, and small values of its parts.
//!
//! One file (redb, mode 0600), one process. Every call is one transaction that is on disk when it returns, so none of
//! this belongs on the packet path. Times are seconds since 1970, given by the caller.
//!
//! ```no_run
//! # use sixgate_io_store::{Client, Error, NewToken, Store};
//! # fn run(digest: [u8; 32], now: u64) -> Result<(), Error> {
//! let store = Store::open("/var/lib/sixgate/state.redb".as_ref())?;
//! store.add_token(digest, &NewToken { name: "laptop-01".into(), ..NewToken::default() }, now, now + 86_400)?;
//! // Later, at most once, whoever asks and however many ask at the same time:
//! let outcome = store.enrol(digest, now, |token| {
//!     let fingerprint = [0; 32]; // of the certificate that is issued here
//!     Ok(Client::enrolled(token, fingerprint, now))
//! })?;
//! match outcome {
//!     Ok(client) => { /* answer with the certificate */ }
//!     Err(reason) => { /* count it, refuse */ }
//! }
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

mod clients;
mod error;
mod tokens;
mod values;

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

pub use clients::Client;
pub use error::Error;
pub use tokens::{NewToken, Token, TokenState};
pub use values::{Space, Value};

/// The open file.
pub struct Store {
    database: redb::Database,
}

impl Store {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When the file cannot be read or made, or another process has it open; the text names it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let at = |what: String| Error::new(format!("{}: {what}", path.display()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|e| at(e.to_string()))?;
        // A file that was copied here may have been readable by others.
        file.set_permissions(Permissions::from_mode(0o600)).map_err(|e| at(e.to_string()))?;
        let opened = redb::backends::FileBackend::new(file)
            .and_then(|backend| redb::Builder::new().create_with_backend(backend));
        let database = opened.map_err(|e| {
            if matches!(e, redb::DatabaseError::DatabaseAlreadyOpen) {
                return at("another sixgate uses this file".to_owned());
            }
            at(e.to_string())
        })?;
        let store = Self { database };
        store.make_tables()?;
        Ok(store)
    }

    /// Reading a table that was never written is an error in redb: every table is there from the start.
    fn make_tables(&self) -> Result<(), Error> {
        let write = self.database.begin_write()?;
        write.open_table(tokens::TOKENS)?;
        write.open_table(clients::CLIENTS)?;
        write.open_table(clients::ADDRESSES)?;
        write.open_table(values::VALUES)?;
        write.commit()?;
        Ok(())
    }
}

fn encode<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|e| Error::new(e.to_string()))
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|e| Error::new(format!("a record that cannot be read: {e}")))
}

#[cfg(test)]
mod tests;
