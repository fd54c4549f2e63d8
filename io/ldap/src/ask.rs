//! The few questions that are asked of a server.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, Scope, SearchEntry};

use crate::Error;
use crate::entry::Entry;
use crate::error::refused;

/// Entries in one page of an answer: servers refuse or cut short what is larger than theirs, commonly 500 or 1000.
const PAGE: i32 = 500;
/// noSuchObject and invalidDNSyntax (RFC 4511, appendix A.1): such an entry is not there.
const NOT_THERE: [u32; 2] = [32, 34];
/// referral and insufficientAccessRights (RFC 4511, appendix A.1): another server has the entry, or we may not see it.
const WITHHELD: [u32; 2] = [10, 50];

/// A directory that answers.
pub(crate) trait Ask {
    /// One entry; `None` when there is none of that name, [`Error::Withheld`] when this server does not give it.
    fn read(
        &mut self,
        dn: &str,
        attributes: &[&str],
    ) -> impl Future<Output = Result<Option<Entry>, Error>> + Send;

    /// Every entry below the base that fits, at most `most`.
    fn search(
        &mut self,
        filter: &str,
        attributes: &[&str],
        most: usize,
    ) -> impl Future<Output = Result<Vec<Entry>, Error>> + Send;
}

/// A server over a connection.
pub(crate) struct Connection {
    pub(crate) ldap: Ldap,
    pub(crate) base: String,
    /// For each answer.
    pub(crate) timeout: Duration,
}

impl Connection {
    async fn within<T>(
        timeout: Duration,
        answer: impl Future<Output = ldap3::result::Result<T>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(timeout, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Error::Lost(format!("no answer within {} s", timeout.as_secs()))),
        }
    }
}

impl Ask for Connection {
    async fn read(&mut self, dn: &str, attributes: &[&str]) -> Result<Option<Entry>, Error> {
        let asked = self.ldap.search(dn, Scope::Base, "(objectClass=*)", attributes.to_vec());
        let answer = Self::within(self.timeout, asked).await?;
        if NOT_THERE.contains(&answer.1.rc) {
            return Ok(None);
        }
        if WITHHELD.contains(&answer.1.rc) {
            return Err(Error::Withheld(refused(&answer.1)));
        }
        let (entries, _) = answer.success()?;
        Ok(entries.into_iter().find(|e| !e.is_ref() && !e.is_intermediate()).map(entry))
    }

    async fn search(&mut self, filter: &str, attributes: &[&str], most: usize) -> Result<Vec<Entry>, Error> {
        let adapters: Vec<Box<dyn Adapter<_, _>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
        let (base, attributes) = (self.base.clone(), attributes.to_vec());
        let begun = self.ldap.streaming_search_with(adapters, &base, Scope::Subtree, filter, attributes);
        let mut stream = Self::within(self.timeout, begun).await?;
        let mut entries = Vec::new();
        while let Some(found) = Self::within(self.timeout, stream.next()).await? {
            if entries.len() >= most {
                return Err(Error::TooLarge("most-members"));
            }
            entries.push(entry(found));
        }
        stream.finish().await.success()?;
        Ok(entries)
    }
}

fn entry(found: ldap3::ResultEntry) -> Entry {
    let found = SearchEntry::construct(found);
    let attributes: HashMap<String, Vec<String>> =
        found.attrs.into_iter().map(|(name, values)| (name.to_ascii_lowercase(), values)).collect();
    Entry { dn: found.dn, attributes }
}
