//! The ledger of ISATAP hosts: who solicited, who opened flows and on which days, what is kept of them on disk.
//!
//! The router knows a host as long as the host may believe an advertisement; whether somebody needs ISATAP shows only over
//! weeks. All times are seconds since 1970, days are days of UTC.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use sixgate_isatap::RememberedHost;
use sixgate_wire::addr::isatap::Form;

use super::hosts::{monotonic, second};
use crate::seam::Memory;

/// For so many days it is known when a host opened flows, and a host that is not heard any more stays in the ledger.
pub(crate) const KEPT_DAYS: i64 = 90;
/// As many hosts as a router serves at once.
const MOST: usize = 65_536;
/// Between two writes when nothing but octets and solicitations has changed.
const SELDOM: i64 = 60;
const DAY: i64 = 86_400;

/// A host as it stands on disk; its key is its IPv4 address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) ipv4: Ipv4Addr,
    /// The router served it when it was last asked: it is greeted at the next start.
    #[serde(default = "yes")]
    served: bool,
    global: bool,
    router_global: bool,
    pub(crate) first_rs: Option<i64>,
    pub(crate) last_rs: Option<i64>,
    #[serde(default)]
    pub(crate) last_flow: Option<i64>,
    #[serde(default)]
    pub(crate) rx_bytes: u64,
    #[serde(default)]
    pub(crate) tx_bytes: u64,
    /// Days on which it opened flows, and how many; oldest first.
    #[serde(default)]
    days: Vec<(i64, u64)>,
    /// What the router counts, which starts anew when it has forgotten the host.
    #[serde(default)]
    pub(crate) counted: Counted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) flows: u64,
    pub(crate) rx_bytes: u64,
    pub(crate) tx_bytes: u64,
}

const fn yes() -> bool {
    true
}

impl Entry {
    fn new(ipv4: Ipv4Addr) -> Self {
        Self {
            ipv4,
            served: true,
            global: false,
            router_global: false,
            first_rs: None,
            last_rs: None,
            last_flow: None,
            rx_bytes: 0,
            tx_bytes: 0,
            days: Vec::new(),
            counted: Counted::default(),
        }
    }

    /// Flows that it opened today and in the days before, `days` in all.
    pub(crate) fn flows(&self, now: i64, days: i64) -> u64 {
        let first = now / DAY - days + 1;
        self.days.iter().filter(|(day, _)| *day >= first).map(|(_, flows)| flows).sum()
    }

    /// The router served it when it was last asked.
    pub(crate) const fn is_served(&self) -> bool {
        self.served
    }

    /// When it was last heard.
    pub(crate) fn heard(&self) -> i64 {
        self.last_rs.max(self.last_flow).max(self.first_rs).unwrap_or(0)
    }

    fn take_over(&mut self, now: i64, host: &RememberedHost) {
        self.served = true;
        self.global = host.form == Form::Global;
        self.router_global = host.router_form == Form::Global;
        self.first_rs = match (self.first_rs, second(host.first_rs)) {
            (Some(known), Some(seen)) => Some(known.min(seen)),
            (known, seen) => known.or(seen),
        };
        self.last_rs = self.last_rs.max(second(host.last_rs));
        self.last_flow = self.last_flow.max(second(host.last_flow));
        let rise = |now: u64, before: u64| if now < before { now } else { now - before };
        let flows = rise(host.flows_started, self.counted.flows);
        self.rx_bytes += rise(host.rx_bytes, self.counted.rx_bytes);
        self.tx_bytes += rise(host.tx_bytes, self.counted.tx_bytes);
        self.counted =
            Counted { flows: host.flows_started, rx_bytes: host.rx_bytes, tx_bytes: host.tx_bytes };
        if flows > 0 {
            self.add_flows(now / DAY, flows);
        }
    }

    fn add_flows(&mut self, today: i64, flows: u64) {
        match self.days.last_mut().filter(|(day, _)| *day >= today) {
            Some((_, count)) => *count += flows,
            None => self.days.push((today, flows)),
        }
        self.days.retain(|(day, _)| *day > today - KEPT_DAYS);
    }

    fn remembered(&self) -> RememberedHost {
        let form = |global| if global { Form::Global } else { Form::Private };
        RememberedHost {
            ipv4: self.ipv4,
            form: form(self.global),
            router_form: form(self.router_global),
            first_rs: self.first_rs.map(monotonic),
            last_rs: self.last_rs.map(monotonic),
            flows_started: self.counted.flows,
            last_flow: self.last_flow.map(monotonic),
            rx_bytes: self.counted.rx_bytes,
            tx_bytes: self.counted.tx_bytes,
        }
    }
}

/// A change for the disk: a key, and its value unless it is to go.
pub(crate) type Change = ([u8; 4], Option<Vec<u8>>);

/// All hosts of the last [`KEPT_DAYS`] days.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<Ipv4Addr, Entry>,
    /// What differs from the disk.
    changed: BTreeSet<Ipv4Addr>,
    /// Something changed that a kill must not lose.
    pressing: bool,
    written: i64,
    /// Number of the newest memory that was taken over.
    newest: u64,
}

impl Ledger {
    /// The ledger as it stands on disk; what cannot be read is left out.
    pub(crate) fn read<'a>(rows: impl Iterator<Item = &'a [u8]>) -> Self {
        let entries = rows.filter_map(|row| serde_json::from_slice::<Entry>(row).ok());
        Self { entries: entries.map(|e| (e.ipv4, e)).collect(), ..Self::default() }
    }

    /// The hosts that the router served when it was last asked.
    pub(crate) fn served(&self) -> Vec<RememberedHost> {
        self.entries.values().filter(|e| e.served).map(Entry::remembered).collect()
    }

    /// Every host of the last weeks, by address.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(crate) fn get(&self, v4: Ipv4Addr) -> Option<&Entry> {
        self.entries.get(&v4)
    }

    /// By IPv4 address.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Ipv4Addr, &Entry)> {
        self.entries.iter().map(|(v4, entry)| (*v4, entry))
    }

    /// Takes over what the router says of the hosts that it serves.
    pub(crate) fn note(&mut self, now: i64, memory: &Memory) {
        if memory.number <= self.newest {
            // A newer one has overtaken it; with this one what happened between the two would be counted again.
            return;
        }
        self.newest = memory.number;
        let hosts = &memory.hosts;
        let present: BTreeSet<Ipv4Addr> = hosts.iter().map(|h| h.ipv4).collect();
        for (v4, entry) in &mut self.entries {
            if entry.served && !present.contains(v4) {
                entry.served = false;
                self.changed.insert(*v4);
                self.pressing = true;
            }
        }
        for host in hosts {
            let known = self.entries.get(&host.ipv4);
            let mut entry = known.cloned().unwrap_or_else(|| Entry::new(host.ipv4));
            entry.take_over(now, host);
            if known == Some(&entry) {
                continue;
            }
            self.pressing |= known.is_none_or(|k| !k.served || k.counted.flows != entry.counted.flows);
            self.changed.insert(host.ipv4);
            self.entries.insert(host.ipv4, entry);
        }
        self.forget(now);
    }

    /// What is to be written, if it is time; `last` says that there is no later time.
    pub(crate) fn changes(&self, now: i64, last: bool) -> Vec<Change> {
        if !last && !self.pressing && now < self.written + SELDOM {
            return Vec::new();
        }
        let value = |v4| self.entries.get(v4).and_then(|entry| serde_json::to_vec(entry).ok());
        self.changed.iter().map(|v4| (v4.octets(), value(v4))).collect()
    }

    /// The changes are on disk.
    pub(crate) fn wrote(&mut self, now: i64) {
        self.changed.clear();
        (self.pressing, self.written) = (false, now);
    }

    /// Lets go of hosts that were not heard for long, and of the longest silent ones when there are too many.
    fn forget(&mut self, now: i64) {
        let mut gone: Vec<(i64, Ipv4Addr)> =
            self.entries.values().filter(|e| !e.served).map(|e| (e.heard(), e.ipv4)).collect();
        gone.sort_unstable();
        let too_many = self.entries.len().saturating_sub(MOST);
        for (n, (heard, v4)) in gone.into_iter().enumerate() {
            if n >= too_many && heard > now - KEPT_DAYS * DAY {
                return;
            }
            self.entries.remove(&v4);
            self.changed.insert(v4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sixgate_io_link::clock;
    use sixgate_time::{Duration, Instant};

    const V4: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);
    const NOW: i64 = 20_000 * DAY + 100;

    fn host(flows: u64) -> RememberedHost {
        RememberedHost {
            ipv4: V4,
            form: Form::Global,
            router_form: Form::Private,
            first_rs: Some(clock::now() - Duration::from_secs(90)),
            last_rs: None,
            flows_started: flows,
            last_flow: (flows > 0).then(clock::now),
            rx_bytes: 10 * flows,
            tx_bytes: flows,
        }
    }

    fn note(ledger: &mut Ledger, now: i64, hosts: &[RememberedHost]) {
        let number = ledger.newest + 1;
        ledger.note(now, &Memory { number, hosts: hosts.to_vec() });
    }

    #[test]
    fn an_older_memory_that_comes_late_changes_nothing() {
        let mut ledger = Ledger::default();
        for (number, flows) in [(1, 1), (3, 5), (2, 3), (4, 6)] {
            ledger.note(NOW, &Memory { number, hosts: vec![host(flows)] });
        }
        assert_eq!(ledger.get(V4).unwrap().flows(NOW, 30), 6);
    }

    fn rewritten(ledger: &Ledger) -> Ledger {
        let rows: Vec<Vec<u8>> = ledger.entries.values().map(|e| serde_json::to_vec(e).unwrap()).collect();
        Ledger::read(rows.iter().map(Vec::as_slice))
    }

    #[test]
    fn a_host_comes_back_as_it_was() {
        let mut ledger = Ledger::default();
        note(&mut ledger, NOW, &[host(3)]);
        let [back] = rewritten(&ledger).served()[..] else { panic!("not one host") };
        assert_eq!(
            (back.ipv4, back.form, back.router_form, back.last_rs, back.flows_started, back.rx_bytes),
            (V4, Form::Global, Form::Private, None, 3, 30)
        );
        let age = |at: Option<Instant>| clock::now().since(at.unwrap()).as_secs();
        assert!((89..=91).contains(&age(back.first_rs)), "{}", age(back.first_rs));
        assert!(age(back.last_flow) <= 1);
    }

    #[test]
    fn a_row_without_flows_is_read() {
        let old = br#"{"ipv4":"10.6.8.20","global":false,"router_global":true,"first_rs":5,"last_rs":null}"#;
        let ledger = Ledger::read([&old[..]].into_iter());
        assert_eq!((ledger.served().len(), ledger.get(V4).unwrap().flows(NOW, 30)), (1, 0));
    }

    #[test]
    fn flows_are_counted_by_day_and_once_also_over_a_restart() {
        let mut ledger = Ledger::default();
        note(&mut ledger, NOW - 40 * DAY, &[host(2)]);
        note(&mut ledger, NOW - 10 * DAY, &[host(5)]);
        let mut ledger = rewritten(&ledger);
        note(&mut ledger, NOW, &[host(5)]);
        let entry = ledger.get(V4).unwrap();
        assert_eq!((entry.flows(NOW, 30), entry.flows(NOW, 60), entry.flows(NOW, 5)), (3, 5, 0));
        // The router forgot the host and counts from zero.
        note(&mut ledger, NOW, &[]);
        note(&mut ledger, NOW, &[host(1)]);
        let entry = ledger.get(V4).unwrap();
        assert_eq!((entry.flows(NOW, 30), entry.rx_bytes), (4, 60));
    }

    #[test]
    fn new_hosts_and_flows_are_written_at_once_and_octets_seldom() {
        let mut ledger = Ledger::default();
        note(&mut ledger, NOW, &[host(1)]);
        assert_eq!(ledger.changes(NOW, false).len(), 1);
        ledger.wrote(NOW);
        let more = RememberedHost { rx_bytes: 999, ..host(1) };
        note(&mut ledger, NOW + 5, &[more]);
        assert_eq!(ledger.changes(NOW + 5, false), []);
        assert_eq!(ledger.changes(NOW + 5, true).len(), 1);
        assert_eq!(ledger.changes(NOW + SELDOM, false).len(), 1);
        note(&mut ledger, NOW + 6, &[host(2)]);
        assert_eq!(ledger.changes(NOW + 6, false).len(), 1);
    }

    #[test]
    fn a_host_that_left_stays_for_its_time_and_then_goes_from_the_disk_too() {
        let mut ledger = Ledger::default();
        note(&mut ledger, NOW, &[host(1)]);
        note(&mut ledger, NOW, &[]);
        assert!(ledger.served().is_empty() && ledger.get(V4).is_some());
        ledger.wrote(NOW);
        let late = jiff::Timestamp::now().as_second() + (KEPT_DAYS + 1) * DAY;
        note(&mut ledger, late, &[]);
        assert!(ledger.get(V4).is_none());
        assert_eq!(ledger.changes(late, false), [(V4.octets(), None)]);
    }
}
