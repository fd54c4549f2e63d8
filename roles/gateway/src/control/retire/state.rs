//! A retirement on disk: it outlives every restart, and so does what is needed to undo it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// What is kept, in memory and on disk. Whoever changes it changes what stands there at that moment, and not a copy from
/// before it waited for something.
#[derive(Default)]
pub(crate) struct Keeper(Mutex<Kept>);

impl Keeper {
    pub(crate) fn now(&self) -> Kept {
        self.lock().clone()
    }

    /// Takes up what an earlier run left.
    pub(crate) fn restore(&self, store: &Store) -> Result<Kept, Error> {
        let kept = Kept::read(store)?;
        self.lock().clone_from(&kept);
        Ok(kept)
    }

    /// Changes it on disk and then in memory, or nowhere.
    pub(crate) fn change<T>(&self, store: &Store, change: impl FnOnce(&mut Kept) -> T) -> Result<T, Error> {
        let mut mine = self.lock();
        let mut next = mine.clone();
        let outcome = change(&mut next);
        next.write(store)?;
        *mine = next;
        Ok(outcome)
    }

    /// Notes who was heard, unless nothing is retired any more; written down when it is time.
    pub(crate) fn note<'a>(
        &self,
        store: &Store,
        last_heard: Option<u64>,
        hosts: impl Iterator<Item = &'a HostEvidence>,
    ) -> Result<(), Error> {
        let mut mine = self.lock();
        if mine.retirement.is_some() && mine.note(last_heard, hosts) { mine.write(store) } else { Ok(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    /// False when neither a phase nor a deleted record is left to take back.
    pub(crate) fn can_be_undone(&self) -> bool {
        self.retirement.is_some() || !self.deleted.is_empty()
    }

    /// Keeps a record for the undoing; false when it is kept already.
    pub(crate) fn deletes(&mut self, record: &Deleted) -> bool {
        let is_new = !self.deleted.contains(record);
        if is_new {
            self.deleted.push(record.clone());
        }
        is_new
    }

    /// The record stands.
    pub(crate) fn stands(&mut self, record: &Deleted) {
        self.deleted.retain(|other| other != record);
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

    const V4: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);

    fn record() -> Deleted {
        Deleted {
            name: "helpdesk-01.corp.example".to_owned(),
            address: "fd6a:7e00:cafe:2::5efe:a06:814".parse().unwrap(),
            ttl: 60,
            zone: "corp.example".to_owned(),
        }
    }

    fn kept() -> Kept {
        Kept {
            retirement: Some(Retirement {
                phase: Phase::Withdraw,
                begun: [Some(1), Some(2), Some(3), None, None],
                in_use: vec![V4],
            }),
            deleted: vec![record()],
            last_heard: Some(9),
            heard: [(V4, 9)].into(),
            written: 0,
        }
    }

    fn with_store(name: &str, test: impl FnOnce(&Store)) {
        let file = std::env::temp_dir().join(format!("sixgate-{name}-{}.redb", std::process::id()));
        let store = Store::open(&file).unwrap();
        test(&store);
        drop(store);
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn everything_comes_back_as_it_was() {
        with_store("retirement", |store| {
            assert_eq!(Kept::read(store).unwrap(), Kept::default());
            kept().write(store).unwrap();
            assert_eq!(Kept::read(store).unwrap(), kept());
        });
    }

    #[test]
    fn who_was_heard_meanwhile_brings_no_retirement_back_and_is_not_lost() {
        let host = HostEvidence { ipv4: V4, flows_started: 0, last_flow: None, open: 0, last_rs: Some(2000) };
        with_store("retirement-note", |store| {
            let keeper = Keeper::default();
            keeper.change(store, |mine| *mine = kept()).unwrap();
            keeper.note(store, Some(2000), [host].iter()).unwrap();
            // The next phase begins with what was noted.
            keeper.change(store, |mine| mine.deleted.clear()).unwrap();
            assert_eq!(Kept::read(store).unwrap().heard[&V4], 2000);
            // Undone while the next look was still asking: what it saw is not written.
            keeper.change(store, |mine| mine.retirement = None).unwrap();
            let later = HostEvidence { last_rs: Some(9000), ..host };
            keeper.note(store, Some(9000), [later].iter()).unwrap();
            let on_disk = Kept::read(store).unwrap();
            assert_eq!((&on_disk.retirement, on_disk.heard[&V4]), (&None, 2000));
            assert_eq!(keeper.now().retirement, None);
        });
    }

    #[test]
    fn records_that_were_not_put_back_can_still_be_undone() {
        let mut kept = kept();
        kept.retirement = None;
        assert!(kept.can_be_undone());
        assert!(!kept.deletes(&record()));
        kept.stands(&record());
        assert!(!kept.can_be_undone());
        assert!(kept.deletes(&record()));
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
