//! What can go wrong below: the file system, the file's format.

use std::fmt;

/// One line that says what failed.
#[derive(Debug)]
pub struct Error(String);

impl Error {
    pub(crate) fn new(what: String) -> Self {
        Self(what)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

macro_rules! from {
    ($($fault:ty),*) => {
        $(impl From<$fault> for Error {
            fn from(fault: $fault) -> Self {
                Self(fault.to_string())
            }
        })*
    };
}

from!(redb::TransactionError, redb::TableError, redb::StorageError, redb::CommitError);
