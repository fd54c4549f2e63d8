//! `sixgate counters`, before and after.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use sixgate_lab::{Lab, wait_for};

/// What a daemon had counted at one moment.
pub struct Counters<'a> {
    lab: &'a Lab,
    node: &'static str,
    before: BTreeMap<String, u64>,
}

impl<'a> Counters<'a> {
    /// Reads them.
    ///
    /// # Panics
    /// The daemon does not answer.
    #[must_use]
    pub fn of(lab: &'a Lab, node: &'static str) -> Self {
        Self { lab, node, before: read(lab, node) }
    }

    /// `reason` was counted since then at least once.
    ///
    /// # Panics
    /// It was not, within three seconds.
    #[track_caller]
    pub fn rose(&self, reason: &str) {
        self.rose_by(reason, 1..=u64::MAX);
    }

    /// `reason` was counted since then so often.
    ///
    /// # Panics
    /// It was not, within three seconds.
    #[track_caller]
    pub fn rose_by(&self, reason: &str, times: RangeInclusive<u64>) {
        let found = wait_for(Duration::from_secs(3), || {
            times.contains(&(value(&read(self.lab, self.node), reason) - value(&self.before, reason)))
        });
        assert!(
            found.is_some(),
            "{}: {reason} was not counted {times:?} times; what was: {:?}",
            self.node,
            self.changed()
        );
    }

    /// Everything that was counted since then.
    #[must_use]
    pub fn changed(&self) -> BTreeMap<String, u64> {
        let now = read(self.lab, self.node);
        now.into_iter()
            .map(|(reason, count)| {
                let rise = count - value(&self.before, &reason);
                (reason, rise)
            })
            .filter(|(_, rise)| *rise > 0)
            .collect()
    }
}

fn value(counters: &BTreeMap<String, u64>, reason: &str) -> u64 {
    counters.get(reason).copied().unwrap_or(0)
}

/// Everything that a daemon has counted.
pub(crate) fn read(lab: &Lab, node: &str) -> BTreeMap<String, u64> {
    let done = lab.run(node, &["sixgate", "counters", "--json"]).expect("the node is there");
    assert!(done.ok(), "{node}: sixgate counters ended with {}: {}", done.code, done.said());
    let document: serde_json::Value =
        serde_json::from_str(&done.stdout).expect("counters --json prints JSON");
    let counters = document["counters"].as_object().expect("it has .counters");
    counters.iter().map(|(reason, count)| (reason.clone(), count.as_u64().expect("a number"))).collect()
}
