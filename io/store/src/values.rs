//! Small values that parts of the gateway remember: each part has a space of its own, and its own format in it.

use redb::{ReadableDatabase, TableDefinition};

use crate::{Error, Store};

/// (space, key) -> value.
pub(crate) const VALUES: TableDefinition<'static, (&str, &[u8]), &[u8]> = TableDefinition::new("values");

/// A key and its value.
pub type Value = (Vec<u8>, Vec<u8>);

/// Whose values they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Space {
    /// ISATAP hosts that are to be told at the next start.
    IsatapHosts,
    /// Hosts that commands allowed or denied.
    IsatapRuntime,
    /// Addresses of names that are allowed.
    IsatapNames,
    /// Members of groups of the directory.
    LdapGroups,
    /// A retirement of ISATAP that is going on.
    Retirement,
    /// What the organisation's DNS is to say, and what it was last told.
    Names,
}

impl Space {
    /// As it stands in the file: never changed.
    const fn name(self) -> &'static str {
        match self {
            Self::IsatapHosts => "isatap-hosts",
            Self::IsatapRuntime => "isatap-runtime",
            Self::IsatapNames => "isatap-names",
            Self::LdapGroups => "ldap-groups",
            Self::Retirement => "retirement",
            Self::Names => "names",
        }
    }
}

impl Store {
    /// The value of `key`.
    ///
    /// # Errors
    /// Of the file.
    pub fn value(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let read = self.database.begin_read()?;
        let table = read.open_table(VALUES)?;
        Ok(table.get((space.name(), key))?.map(|value| value.value().to_vec()))
    }

    /// Every key and value of a space, by key.
    ///
    /// # Errors
    /// Of the file.
    pub fn values(&self, space: Space) -> Result<Vec<Value>, Error> {
        let read = self.database.begin_read()?;
        let table = read.open_table(VALUES)?;
        let mut values = Vec::new();
        for entry in table.range((space.name(), &[][..])..)? {
            let (key, value) = entry?;
            let (owner, key) = key.value();
            if owner != space.name() {
                break;
            }
            values.push((key.to_vec(), value.value().to_vec()));
        }
        Ok(values)
    }

    /// Changes values of a space in one transaction: each key is set, or removed where there is no value.
    ///
    /// # Errors
    /// Of the file.
    pub fn change_values<'a>(
        &self,
        space: Space,
        changes: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<(), Error> {
        let write = self.database.begin_write()?;
        {
            let mut table = write.open_table(VALUES)?;
            for (key, value) in changes {
                match value {
                    Some(value) => drop(table.insert((space.name(), key), value)?),
                    None => drop(table.remove((space.name(), key))?),
                }
            }
        }
        write.commit()?;
        Ok(())
    }

    /// Replaces everything in a space, in one transaction.
    ///
    /// # Errors
    /// Of the file.
    pub fn replace_values<'a>(
        &self,
        space: Space,
        values: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<(), Error> {
        let write = self.database.begin_write()?;
        {
            let mut table = write.open_table(VALUES)?;
            table.retain(|(owner, _), _| owner != space.name())?;
            for (key, value) in values {
                table.insert((space.name(), key), value)?;
            }
        }
        write.commit()?;
        Ok(())
    }
}
