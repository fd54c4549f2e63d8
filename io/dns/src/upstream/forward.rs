//! Which upstreams a name belongs to: the longest suffix wins.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use domain::base::{Message, Name, ToName};

use super::{ExchangeError, Standing, Upstreams};

/// Upstreams by suffix.
#[derive(Debug)]
pub struct Forwarder {
    /// Longest first.
    zones: Vec<Zone>,
    others: Upstreams,
    others_source: u32,
}

#[derive(Debug)]
struct Zone {
    name: Name<Vec<u8>>,
    upstreams: Upstreams,
    source: u32,
}

/// Where questions about a name go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source {
    /// The same for every name whose questions go to the same servers under the same suffix, over reloads too.
    pub id: u32,
    /// The suffix is one of those with servers of their own.
    pub own_suffix: bool,
}

impl Forwarder {
    /// `zones` for their names, `others` for the rest.
    #[must_use]
    pub fn new(others: &[SocketAddr], zones: Vec<(Name<Vec<u8>>, Vec<SocketAddr>)>) -> Self {
        let zone = |(name, servers): (Name<Vec<u8>>, Vec<SocketAddr>)| {
            let source = source(Some(&name), &servers);
            Zone { name, upstreams: Upstreams::new(&servers), source }
        };
        let mut zones: Vec<_> = zones.into_iter().map(zone).collect();
        zones.sort_by_key(|zone| std::cmp::Reverse(zone.name.label_count()));
        Self { zones, others: Upstreams::new(others), others_source: source(None, others) }
    }

    /// Where questions about this name go.
    pub fn source_of<N: ToName>(&self, name: &N) -> Source {
        match self.zone_of(name) {
            Some(zone) => Source { id: zone.source, own_suffix: true },
            None => Source { id: self.others_source, own_suffix: false },
        }
    }

    /// True for a question about a name whose suffix has servers of its own.
    #[must_use]
    pub fn is_internal(&self, question: &[u8]) -> bool {
        let message = Message::from_slice(question).ok();
        let name =
            message.and_then(|message| message.sole_question().ok()).map(|question| question.into_qname());
        name.is_some_and(|name| self.zone_of(&name).is_some())
    }

    /// Sends the question where its name belongs; see [`Upstreams::exchange`].
    ///
    /// # Errors
    /// See [`ExchangeError`].
    pub async fn exchange(&self, question: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        let message = Message::from_slice(question).map_err(|_| ExchangeError::Question)?;
        let name = message.sole_question().map_err(|_| ExchangeError::Question)?.into_qname();
        self.zone_of(&name).map_or(&self.others, |zone| &zone.upstreams).exchange(question).await
    }

    fn zone_of<N: ToName>(&self, name: &N) -> Option<&Zone> {
        self.zones.iter().find(|zone| name.ends_with(&zone.name))
    }

    /// The smoothed round trip to the servers of this name; `None` before their first answer.
    pub fn round_trip<N: ToName>(&self, name: &N) -> Option<Duration> {
        self.zone_of(name).map_or(&self.others, |zone| &zone.upstreams).round_trip()
    }

    /// What is known of each server, by suffix; the empty one is that of all other names.
    pub fn standings(&self) -> impl Iterator<Item = (String, Standing)> + '_ {
        let zones = self.zones.iter().flat_map(|zone| {
            let suffix = zone.name.to_string();
            zone.upstreams.standings().map(move |standing| (suffix.clone(), standing))
        });
        zones.chain(self.others.standings().map(|standing| (String::new(), standing)))
    }

    /// Answers that did not belong to their question, since this was last asked.
    #[must_use]
    pub fn take_mismatches(&self) -> u64 {
        let zones = self.zones.iter().map(|zone| zone.upstreams.take_mismatches());
        zones.sum::<u64>() + self.others.take_mismatches()
    }
}

/// Nobody outside chooses what is hashed.
fn source(suffix: Option<&Name<Vec<u8>>>, servers: &[SocketAddr]) -> u32 {
    let mut hasher = DefaultHasher::new();
    suffix.hash(&mut hasher);
    let mut servers = servers.to_vec();
    servers.sort_unstable();
    servers.hash(&mut hasher);
    // Half of the hash is enough for a handful of suffixes.
    hasher.finish() as u32
}
