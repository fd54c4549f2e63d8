//! Clients: the name in the certificate is the key of everything that we know of one.

use std::net::Ipv6Addr;

use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use sixgate_reason::{self as reason, Reason};

use crate::tokens::Token;
use crate::{Error, Store, decode, encode};

/// Name -> [`Client`] in JSON.
pub(crate) const CLIENTS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("clients");
/// Address -> name of the client that has it.
pub(crate) const ADDRESSES: TableDefinition<'static, u128, &str> = TableDefinition::new("addresses");
/// Candidates that are looked at before an address pool counts as full.
const MOST_CANDIDATES: usize = 1000;

/// A client that enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The only dNSName of its certificate.
    pub name: String,
    /// Whom it was enrolled for.
    pub user: Option<String>,
    /// For the policy.
    pub groups: Vec<String>,
    /// SHA-256 of its certificate. Another certificate, though of our authority, is not let in.
    pub fingerprint: [u8; 32],
    /// SHA-256 of the certificate that it was given in renewal and has not shown yet. The older one is good until then.
    #[serde(default)]
    pub successor: Option<[u8; 32]>,
    /// Its address inside the tunnel, once it has connected.
    pub address: Option<Ipv6Addr>,
    /// When it enrolled, in seconds since 1970.
    pub enrolled: u64,
    /// It is not let in any more.
    pub revoked: bool,
}

impl Client {
    /// The record of a client that enrols with `token`.
    #[must_use]
    pub fn enrolled(token: &Token, fingerprint: [u8; 32], now: u64) -> Self {
        Self {
            name: token.name.clone(),
            user: token.user.clone(),
            groups: token.groups.clone(),
            fingerprint,
            successor: None,
            address: None,
            enrolled: now,
            revoked: false,
        }
    }
}

/// Writes `client` in place of the one of the same name, whose address it keeps.
pub(crate) fn replace(write: &WriteTransaction, client: Client) -> Result<Client, Error> {
    let mut table = write.open_table(CLIENTS)?;
    let before = table.get(client.name.as_str())?.map(|b| decode::<Client>(b.value())).transpose()?;
    let client = Client { address: client.address.or(before.and_then(|b| b.address)), ..client };
    table.insert(client.name.as_str(), encode(&client)?.as_slice())?;
    Ok(client)
}

impl Store {
    /// The client of this name.
    ///
    /// # Errors
    /// Of the file.
    pub fn client(&self, name: &str) -> Result<Option<Client>, Error> {
        let read = self.database.begin_read()?;
        let table = read.open_table(CLIENTS)?;
        table.get(name)?.map(|bytes| decode(bytes.value())).transpose()
    }

    /// The client that shows a certificate with this name and fingerprint.
    ///
    /// # Errors
    /// Outer: of the file. Inner: [`reason::IPHTTPS_CLIENT_REVOKED`] when it is unknown, was revoked, or has enrolled anew
    /// with another certificate.
    pub fn admit(&self, name: &str, fingerprint: [u8; 32]) -> Result<Result<Client, Reason>, Error> {
        let client = self.client(name)?.filter(|client| !client.revoked);
        match client {
            Some(client) if client.fingerprint == fingerprint => Ok(Ok(client)),
            Some(client) if client.successor == Some(fingerprint) => self.change(name, |client| {
                (client.successor == Some(fingerprint) && !client.revoked).then(|| {
                    (client.fingerprint, client.successor) = (fingerprint, None);
                })
            }),
            Some(_) | None => Ok(Err(reason::IPHTTPS_CLIENT_REVOKED)),
        }
    }

    /// Notes the certificate with the fingerprint `fresh`, which the client that shows `shown` is given in its place: from
    /// the first time that it is shown, `shown` is not let in any more.
    ///
    /// # Errors
    /// As [`Store::admit`].
    pub fn renew(
        &self,
        name: &str,
        shown: [u8; 32],
        fresh: [u8; 32],
    ) -> Result<Result<Client, Reason>, Error> {
        self.change(name, |client| {
            let is_its_own = client.fingerprint == shown && !client.revoked;
            is_its_own.then(|| client.successor = Some(fresh))
        })
    }

    /// Changes a client in one transaction; `None` of `change` refuses.
    fn change(
        &self,
        name: &str,
        change: impl FnOnce(&mut Client) -> Option<()>,
    ) -> Result<Result<Client, Reason>, Error> {
        let write = self.database.begin_write()?;
        let changed = {
            let mut table = write.open_table(CLIENTS)?;
            let found = table.get(name)?.map(|b| decode::<Client>(b.value())).transpose()?;
            let changed = found.and_then(|mut client| change(&mut client).map(|()| client));
            if let Some(client) = &changed {
                table.insert(name, encode(client)?.as_slice())?;
            }
            changed
        };
        write.commit()?;
        Ok(changed.ok_or(reason::IPHTTPS_CLIENT_REVOKED))
    }

    /// Every client, by name.
    ///
    /// # Errors
    /// Of the file.
    pub fn clients(&self) -> Result<Vec<Client>, Error> {
        let read = self.database.begin_read()?;
        let table = read.open_table(CLIENTS)?;
        let mut clients = Vec::new();
        for entry in table.iter()? {
            clients.push(decode(entry?.1.value())?);
        }
        Ok(clients)
    }

    /// How many clients there are that are let in.
    ///
    /// # Errors
    /// Of the file.
    pub fn enrolled(&self) -> Result<u64, Error> {
        let clients = self.clients()?;
        Ok(clients.iter().filter(|client| !client.revoked).count() as u64)
    }

    /// The address of the client `name`: the one it had, or the first of `candidates` that nobody has. `good` says
    /// whether an address may be kept, because prefixes change.
    ///
    /// # Errors
    /// Of the file. `None` when there is no such client, or no free candidate among the first thousand.
    pub fn assign_address(
        &self,
        name: &str,
        good: impl Fn(Ipv6Addr) -> bool,
        candidates: impl IntoIterator<Item = Ipv6Addr>,
    ) -> Result<Option<Ipv6Addr>, Error> {
        let Some(client) = self.client(name)? else { return Ok(None) };
        if let Some(address) = client.address.filter(|a| good(*a)) {
            return Ok(Some(address));
        }
        let write = self.database.begin_write()?;
        let mut assigned = None;
        {
            let mut clients = write.open_table(CLIENTS)?;
            let mut addresses = write.open_table(ADDRESSES)?;
            let found = clients.get(name)?.map(|b| decode::<Client>(b.value())).transpose()?;
            let Some(mut client) = found else { return Ok(None) };
            if let Some(address) = client.address.filter(|a| good(*a)) {
                return Ok(Some(address));
            }
            for candidate in candidates.into_iter().filter(|a| good(*a)).take(MOST_CANDIDATES) {
                if addresses.get(candidate.to_bits())?.is_none() {
                    assigned = Some(candidate);
                    break;
                }
            }
            if let Some(address) = assigned {
                if let Some(old) = client.address.replace(address) {
                    addresses.remove(old.to_bits())?;
                }
                addresses.insert(address.to_bits(), name)?;
                clients.insert(name, encode(&client)?.as_slice())?;
            }
        }
        write.commit()?;
        Ok(assigned)
    }

    /// Who has this address.
    ///
    /// # Errors
    /// Of the file.
    pub fn holder(&self, address: Ipv6Addr) -> Result<Option<String>, Error> {
        let read = self.database.begin_read()?;
        let table = read.open_table(ADDRESSES)?;
        Ok(table.get(address.to_bits())?.map(|name| name.value().to_owned()))
    }

    /// Shuts a client out, or lets it in again; false when there is no such client.
    ///
    /// # Errors
    /// Of the file.
    pub fn set_revoked(&self, name: &str, revoked: bool) -> Result<bool, Error> {
        let changed = self.change(name, |client| {
            client.revoked = revoked;
            Some(())
        })?;
        Ok(changed.is_ok())
    }

    /// Forgets a client and frees its address; gives what was known of it.
    ///
    /// # Errors
    /// Of the file.
    pub fn remove_client(&self, name: &str) -> Result<Option<Client>, Error> {
        let write = self.database.begin_write()?;
        let removed = {
            let mut clients = write.open_table(CLIENTS)?;
            let removed = clients.remove(name)?.map(|b| decode::<Client>(b.value())).transpose()?;
            if let Some(address) = removed.as_ref().and_then(|client| client.address) {
                write.open_table(ADDRESSES)?.remove(address.to_bits())?;
            }
            removed
        };
        write.commit()?;
        Ok(removed)
    }
}
