//! Which upstreams a name belongs to: the longest suffix wins.

use std::net::SocketAddr;

use domain::base::{Message, Name};

use super::{ExchangeError, Upstreams};

/// Upstreams by suffix.
#[derive(Debug)]
pub struct Forwarder {
    /// Longest first.
    zones: Vec<(Name<Vec<u8>>, Upstreams)>,
    others: Upstreams,
}

impl Forwarder {
    /// `zones` for their names, `others` for the rest.
    #[must_use]
    pub fn new(others: &[SocketAddr], zones: Vec<(Name<Vec<u8>>, Vec<SocketAddr>)>) -> Self {
        let mut zones: Vec<_> =
            zones.into_iter().map(|(zone, servers)| (zone, Upstreams::new(&servers))).collect();
        zones.sort_by_key(|(zone, _)| std::cmp::Reverse(zone.label_count()));
        Self { zones, others: Upstreams::new(others) }
    }

    /// Sends the question where its name belongs; see [`Upstreams::exchange`].
    ///
    /// # Errors
    /// See [`ExchangeError`].
    pub async fn exchange(&self, question: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        let message = Message::from_slice(question).map_err(|_| ExchangeError::Question)?;
        let name = message.sole_question().map_err(|_| ExchangeError::Question)?.into_qname();
        let zone = self.zones.iter().find(|(zone, _)| name.ends_with(zone));
        zone.map_or(&self.others, |(_, upstreams)| upstreams).exchange(question).await
    }

    /// Answers that did not belong to their question, since this was last asked.
    #[must_use]
    pub fn take_mismatches(&self) -> u64 {
        let zones = self.zones.iter().map(|(_, upstreams)| upstreams.take_mismatches());
        zones.sum::<u64>() + self.others.take_mismatches()
    }
}
