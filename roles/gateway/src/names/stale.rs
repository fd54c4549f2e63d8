//! AAAA records that point into a prefix which is being taken away: found, deleted, put back.
//!
//! No server lists them on request, so they are looked for in every way there is: zone transfers where they are allowed, the
//! names of hosts that are known, and the reverse tree.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use domain::base::Name;
use sixgate_io_dns::inventory::{AaaaRecord, aaaa_of, transfer, zone_of};
use sixgate_io_dns::resolve::{Family, ResolveError, resolve_family};
use sixgate_io_dns::reverse::name_of;
use sixgate_io_dns::update::{Data, TsigKey, Update, UpdateError, Updater};
use sixgate_wire::addr::Ipv6Prefix;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Questions on their way at once, and in all.
const AT_ONCE: usize = 16;
const MOST_QUESTIONS: usize = 8192;

/// Where to look, and by whose right to change.
#[derive(Clone)]
pub(crate) struct Place {
    /// Who is asked.
    pub(crate) servers: Vec<SocketAddr>,
    /// Who has the zones and takes updates; the first of `servers` when the file gives none.
    pub(crate) primary: Option<SocketAddr>,
    pub(crate) key: Option<TsigKey>,
}

/// What to look for.
pub(crate) struct Wanted {
    pub(crate) prefixes: Vec<Ipv6Prefix>,
    /// Zones that hosts may be in.
    pub(crate) zones: Vec<String>,
    /// Names of hosts.
    pub(crate) names: BTreeSet<String>,
    /// Their addresses in the prefixes.
    pub(crate) addresses: Vec<Ipv6Addr>,
}

/// What was found.
pub(crate) struct Found {
    /// Each once, by name, with its zone where a server says.
    pub(crate) records: Vec<(AaaaRecord, Option<String>)>,
    /// What could not be looked at.
    pub(crate) remarks: Vec<String>,
    /// Somebody said something: only then is nothing found the answer that there is nothing.
    pub(crate) answered: bool,
}

impl Place {
    fn primary(&self) -> Option<SocketAddr> {
        self.primary.or(self.servers.first().copied())
    }

    /// Those who are asked for names: the primary first, since nobody knows sooner that a record is gone.
    fn asked(&self) -> Vec<SocketAddr> {
        let others = self.servers.iter().copied().filter(|server| Some(*server) != self.primary);
        self.primary.into_iter().chain(others).collect()
    }

    /// Every record that points into one of the prefixes.
    pub(crate) async fn find(&self, wanted: Wanted) -> Found {
        let (mut records, mut remarks, mut answered) = (BTreeSet::new(), Vec::new(), false);
        let mut names = wanted.names.clone();
        for zone in &wanted.zones {
            let Some(primary) = self.primary() else { break };
            match transfer(zone, primary, self.key.as_ref()).await {
                Ok(all) => {
                    records.extend(all);
                    answered = true;
                }
                Err(error) => remarks.push(format!(
                    "zone {zone}: no transfer from {} ({error}); only names of known hosts were asked for",
                    primary.ip()
                )),
            }
        }
        let servers = Arc::new(self.asked());
        let reverse = each(wanted.addresses.iter().copied(), {
            let servers = Arc::clone(&servers);
            move |address| {
                let servers = Arc::clone(&servers);
                async move { name_of(IpAddr::V6(address), &servers).await.ok().flatten() }
            }
        });
        names.extend(reverse.await.into_iter().flatten());
        let asked = each(names.into_iter(), {
            let servers = Arc::clone(&servers);
            move |name: String| {
                let servers = Arc::clone(&servers);
                async move { aaaa_of(&name, &servers).await }
            }
        });
        let mut silent = 0;
        for answer in asked.await {
            match answer {
                Some(of_name) => {
                    records.extend(of_name);
                    answered = true;
                }
                None => silent += 1,
            }
        }
        if silent > 0 {
            remarks
                .push(format!("{silent} names of hosts: no name server said whether they have AAAA records"));
        }
        records.retain(|record| wanted.prefixes.iter().any(|prefix| prefix.contains(record.address)));
        // A server that is no primary shows a life that has partly gone by: of two the longer one is what stands.
        let mut one: BTreeMap<(String, Ipv6Addr), AaaaRecord> = BTreeMap::new();
        for record in records {
            let known = one.entry((record.name.clone(), record.address)).or_insert_with(|| record.clone());
            known.ttl = known.ttl.max(record.ttl);
        }
        let mut found = Vec::new();
        for record in one.into_values() {
            let zone = zone_of(&record.name, &servers).await;
            found.push((record, zone));
        }
        Found { records: found, remarks, answered }
    }

    /// Where each of these names leads in IPv4; `None` when nobody says.
    pub(crate) async fn look_up(&self, names: Vec<String>) -> Vec<(String, Option<Vec<Ipv4Addr>>)> {
        let servers = self.asked();
        let mut found = Vec::new();
        for name in names {
            let addresses = match resolve_family(&name, Family::V4, &servers).await {
                Ok(resolved) => Some(resolved.addresses),
                Err(ResolveError::NoSuchName) => Some(Vec::new()),
                Err(ResolveError::BadName(_) | ResolveError::Exchange(_) | ResolveError::Failed(_)) => None,
            };
            let v4 = |all: Vec<IpAddr>| {
                let v4 = all.into_iter().filter_map(|address| match address {
                    IpAddr::V4(v4) => Some(v4),
                    IpAddr::V6(_) => None,
                });
                v4.collect()
            };
            found.push((name, addresses.map(v4)));
        }
        found
    }

    /// Deletes a record, this one alone (RFC 2136, section 2.5.4).
    ///
    /// # Errors
    /// See [`NotChanged`].
    pub(crate) async fn delete(&self, record: &AaaaRecord, zone: &str) -> Result<(), NotChanged> {
        self.change(record, zone, |update, name, data| update.delete(name, data)).await
    }

    /// Puts back what was deleted.
    ///
    /// # Errors
    /// See [`NotChanged`].
    pub(crate) async fn restore(&self, record: &AaaaRecord, zone: &str) -> Result<(), NotChanged> {
        self.change(record, zone, |update, name, data| update.add(name, record.ttl, data)).await
    }

    async fn change(
        &self,
        record: &AaaaRecord,
        zone: &str,
        change: impl Fn(Update, &Name<Vec<u8>>, Data) -> Update,
    ) -> Result<(), NotChanged> {
        let unasked = |why: String| NotChanged { why, is_certain: true };
        let server =
            self.primary().ok_or_else(|| unasked("no server takes updates: give --dns-server".to_owned()))?;
        let parse =
            |text: &str| Name::vec_from_str(text).map_err(|_| unasked(format!("{text:?} is no domain name")));
        let (zone, name) = (parse(zone)?, parse(&record.name)?);
        let update = change(Update::of(zone), &name, Data::aaaa(record.address));
        let updater = Updater::new(vec![server], self.key.clone());
        updater.send(&update).await.map_err(|error| NotChanged {
            is_certain: matches!(error, UpdateError::Refused(_) | UpdateError::Prerequisite(_)),
            why: error.to_string(),
        })
    }
}

/// A change that did not happen, or of which nobody knows.
#[derive(Debug)]
pub(crate) struct NotChanged {
    /// One line.
    pub(crate) why: String,
    /// The server itself said no, or was not asked; else it may have made the change and its answer was lost.
    pub(crate) is_certain: bool,
}

/// Does the same with each, a few at a time; in no order.
async fn each<T, F, Fut>(all: impl Iterator<Item = T>, work: F) -> Vec<Fut::Output>
where
    T: Send + 'static,
    F: Fn(T) -> Fut + Clone + Send + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: Send + 'static,
{
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for one in all.take(MOST_QUESTIONS) {
        let (room, work) = (Arc::clone(&room), work.clone());
        tasks.spawn(async move {
            let _permit = room.acquire_owned().await;
            work(one).await
        });
    }
    tasks.join_all().await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What a deletion comes to at a server that reads it, and then answers with this code or hangs up.
    async fn deletion(rcode: Option<u8>) -> Result<(), NotChanged> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut message = vec![0; usize::from(stream.read_u16().await.unwrap())];
                stream.read_exact(&mut message).await.unwrap();
                let Some(rcode) = rcode else { continue };
                // The question comes back as the answer (RFC 2136, section 3.8).
                message[2] |= 0x80;
                message[3] = rcode;
                stream.write_u16(u16::try_from(message.len()).unwrap()).await.unwrap();
                stream.write_all(&message).await.unwrap();
            }
        });
        let place = Place { servers: vec![server], primary: None, key: None };
        let address = "fd6a:7e00:cafe:2::5efe:a06:814".parse().unwrap();
        let record = AaaaRecord { name: "helpdesk-01.corp.example".to_owned(), address, ttl: 60 };
        place.delete(&record, "corp.example").await
    }

    #[tokio::test]
    async fn only_a_server_that_says_no_is_certain_not_to_have_deleted() {
        assert!(deletion(Some(0)).await.is_ok());
        assert!(deletion(Some(5)).await.unwrap_err().is_certain);
        assert!(!deletion(None).await.unwrap_err().is_certain);
        let nowhere = Place { servers: vec![], primary: None, key: None };
        let record = AaaaRecord { name: "a.x".to_owned(), address: Ipv6Addr::LOCALHOST, ttl: 60 };
        assert!(nowhere.delete(&record, "x").await.unwrap_err().is_certain);
    }
}
