//! A retirement on disk: it outlives every restart, and so does what is needed to undo it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use sixgate_io_store::{Error, Space, Store};
use sixgate_isatap::retire::{HostEvidence, Phase, Retirement};

const KEY: &[u8] = b"state";
/// Hosts that are kept by their last solicitation; as many as a router lists as refused.
const MOST_HEARD: usize = 1024;
/// Who is heard is written no more often than this, in seconds.
const SELDOM: u64 = 600;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Kept {
    pub(crate) retirement: Option<Retirement>,
    /// Records that were deleted, for the undoing.
    pub(crate) deleted: Vec<Deleted>,
    /// When any host was last heard.
    pub(crate) last_heard: Option<u64>,
    /// Last solicitations, also of hosts that the router refuses and forgets.
    pub(crate) heard: BTreeMap<Ipv4Addr, u64>,
    written: u64,
}

/// A record that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deleted {
    pub(crate) name: String,
    pub(crate) address: Ipv6Addr,
    pub(crate) ttl: u32,
    pub(crate) zone: String,
}

/// As it stands on disk.
#[derive(Serialize, Deserialize)]
struct Row {
    phase: Option<u8>,
    begun: [Option<u64>; 5],
    in_use: Vec<Ipv4Addr>,
    #[serde(default)]
    deleted: Vec<Deleted>,
    #[serde(default)]
    last_heard: Option<u64>,
    #[serde(default)]
    heard: BTreeMap<Ipv4Addr, u64>,
}

impl Kept {
    pub(crate) fn read(store: &Store) -> Result<Self, Error> {
        let Some(bytes) = store.value(Space::Retirement, KEY)? else { return Ok(Self::default()) };
        Ok(serde_json::from_slice::<Row>(&bytes).map(Self::of).unwrap_or_default())
    }

    pub(crate) fn write(&self, store: &Store) -> Result<(), Error> {
        let retirement = self.retirement.as_ref();
        let row = Row {
            phase: retirement.map(|r| r.phase.number()),
            begun: retirement.map_or([None; 5], |r| r.begun),
            in_use: retirement.map(|r| r.in_use.clone()).unwrap_or_default(),
            deleted: self.deleted.clone(),
            last_heard: self.last_heard,
            heard: self.heard.clone(),
        };
        // The row has no map whose keys are no strings, so it can always be written.
        let bytes = serde_json::to_vec(&row).unwrap_or_default();
        store.change_values(Space::Retirement, [(KEY, Some(bytes.as_slice()))])
    }

    fn of(row: Row) -> Self {
        let phase = row.phase.and_then(Phase::from_number);
        Self {
            retirement: phase.map(|phase| Retirement { phase, begun: row.begun, in_use: row.in_use }),
            deleted: row.deleted,
            last_heard: row.last_heard,
            heard: row.heard,
            written: 0,
        }
    }

    pub(crate) fn is_in(&self, phase: Phase) -> bool {
        self.retirement.as_ref().is_some_and(|retirement| retirement.phase == phase)
    }

    /// Notes who was heard; true when it is time to write that down.
    pub(crate) fn note<'a>(
        &mut self,
        last_heard: Option<u64>,
        hosts: impl Iterator<Item = &'a HostEvidence>,
    ) -> bool {
        self.last_heard = self.last_heard.max(last_heard);
        for host in hosts {
            let Some(last_rs) = host.last_rs else { continue };
            if self.heard.len() < MOST_HEARD || self.heard.contains_key(&host.ipv4) {
                let known = self.heard.entry(host.ipv4).or_default();
                *known = last_rs.max(*known);
            }
        }
        let newest = self.last_heard.unwrap_or(0);
        let due = newest >= self.written + SELDOM;
        if due {
            self.written = newest;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_comes_back_as_it_was() {
        let folder = std::env::temp_dir().join(format!("sixgate-retirement-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("store.redb");
        let v4 = Ipv4Addr::new(10, 6, 8, 20);
        let kept = Kept {
            retirement: Some(Retirement {
                phase: Phase::Withdraw,
                begun: [Some(1), Some(2), Some(3), None, None],
                in_use: vec![v4],
            }),
            deleted: vec![Deleted {
                name: "helpdesk-01.corp.example".to_owned(),
                address: "fd6a:7e00:cafe:2::5efe:a06:814".parse().unwrap(),
                ttl: 60,
                zone: "corp.example".to_owned(),
            }],
            last_heard: Some(9),
            heard: [(v4, 9)].into(),
            written: 0,
        };
        let store = Store::open(&file).unwrap();
        assert_eq!(Kept::read(&store).unwrap(), Kept::default());
        kept.write(&store).unwrap();
        assert_eq!(Kept::read(&store).unwrap(), kept);
        drop(store);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn who_is_heard_is_written_seldom() {
        let host = |last_rs| HostEvidence {
            ipv4: Ipv4Addr::new(10, 6, 8, 20),
            flows_started: 0,
            last_flow: None,
            open: 0,
            last_rs: Some(last_rs),
        };
        let mut kept = Kept::default();
        assert!(kept.note(Some(1000), [host(1000)].iter()));
        assert!(!kept.note(Some(1300), [host(1300)].iter()));
        assert!(kept.note(Some(1600), [host(1200)].iter()));
        assert_eq!(kept.heard.values().copied().collect::<Vec<_>>(), [1300]);
    }
}
