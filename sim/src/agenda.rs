//! What happens when: events in order of time, and of two at the same time the one that was put in first.

use std::collections::BTreeMap;

use sixgate_time::Instant;

/// Events that are still to come.
#[derive(Debug)]
pub struct Agenda<E> {
    waiting: BTreeMap<(Instant, u64), E>,
    count: u64,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), count: 0 }
    }
}

impl<E> Agenda<E> {
    /// Puts an event in.
    pub fn add(&mut self, at: Instant, event: E) {
        self.count += 1;
        self.waiting.insert((at, self.count), event);
    }

    /// When the next one happens.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.waiting.first_key_value().map_or(Instant::NEVER, |((at, _), _)| *at)
    }

    /// Takes the next one that happens at `now` or before.
    pub fn take(&mut self, now: Instant) -> Option<E> {
        let entry = self.waiting.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}
