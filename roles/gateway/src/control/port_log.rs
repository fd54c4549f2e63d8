//! The port log: who had which outside ports, for whoever must answer for an address later (RFC 6888, section 4).
//!
//! A thread of its own writes, because a disk may be slow, or hang: what waits for it has a bound, and nobody waits for long. It keeps what is allocated, so that a file always says all: a new
//! one begins with what is allocated at that moment, the end of a run releases everything, and a start releases what a run
//! that was killed could not.

mod file;

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use sixgate_api::{PortRecord, PortRecordEvent};
use sixgate_io_store::Store;
use sixgate_nat64::{PortEvent, Proto};
use sixgate_wire::addr::Ipv6Prefix;

use crate::Failure;
use file::LogFile;

/// How soon what could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// Events that wait for the writer; what comes then is lost. A change of the settings, which may tell of all bindings at once,
/// comes in whole.
const MOST_WAITING: usize = 1 << 20;
/// How long the end waits for the last line.
const LAST_LINE: Duration = Duration::from_secs(3);

/// The writer, until this is dropped: then everything is released, and the file closed.
pub(crate) struct PortLog {
    to: mpsc::Sender<Order>,
    /// Events that the writer has not done yet.
    waiting: Arc<AtomicUsize>,
    /// Events that found no room since this was last told.
    lost: usize,
    /// Nothing comes, but the other end goes with the thread.
    ended: mpsc::Receiver<()>,
}

enum Order {
    Write { at: Timestamp, events: Vec<PortEvent> },
    Reopen(PathBuf),
    End,
}

impl PortLog {
    /// Opens the file, or makes it, and releases what is allocated in it.
    pub(crate) fn start(path: &Path, store: Arc<Store>) -> Result<Self, Failure> {
        let file = LogFile::open(path).map_err(|e| cannot(path, &e))?;
        let (to, orders) = mpsc::channel();
        let waiting = Arc::<AtomicUsize>::default();
        let mut writer = Writer {
            path: path.to_owned(),
            file,
            store,
            allocated: HashMap::new(),
            waiting: Arc::clone(&waiting),
        };
        writer.release_leftovers().map_err(|e| cannot(path, &e))?;
        let (end, ended) = mpsc::channel();
        let work = move || {
            writer.run(&orders);
            drop(end);
        };
        std::thread::Builder::new().name("port-log".to_owned()).spawn(work)?;
        Ok(Self { to, waiting, lost: 0, ended })
    }

    /// Whether the file can be written, before anything else is changed for it.
    pub(crate) fn probe(path: &Path) -> Result<(), Failure> {
        LogFile::open(path).map(drop).map_err(|e| cannot(path, &e))
    }

    /// Events of the packet plane, of this moment.
    pub(crate) fn write(&mut self, at: Timestamp, events: Vec<PortEvent>) {
        if self.waiting.load(Ordering::Relaxed) >= MOST_WAITING {
            if self.lost == 0 {
                tracing::warn!("nat64.port-log: the disk takes nothing: records are lost from now on");
            }
            self.lost = self.lost.saturating_add(events.len());
            return;
        }
        self.tell_lost();
        self.waiting.fetch_add(events.len(), Ordering::Relaxed);
        // The thread ends with us only.
        let _ = self.to.send(Order::Write { at, events });
    }

    /// Opens the file again, which may be another one.
    pub(crate) fn reopen(&self, path: &Path) {
        let _ = self.to.send(Order::Reopen(path.to_owned()));
    }

    fn tell_lost(&mut self) {
        if self.lost > 0 {
            tracing::warn!("nat64.port-log: {} records found no room and are lost", self.lost);
            self.lost = 0;
        }
    }
}

impl Drop for PortLog {
    fn drop(&mut self) {
        self.tell_lost();
        let _ = self.to.send(Order::End);
        if self.ended.recv_timeout(LAST_LINE) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("nat64.port-log: the disk takes nothing: the last records may be missing");
        }
    }
}

/// Which ports: a record of each is allocated once at most.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Ports {
    address: Ipv4Addr,
    first: u16,
    last: u16,
    protocol: Option<Proto>,
}

struct Holder {
    client: Ipv6Prefix,
    name: Option<String>,
    since: Timestamp,
}

struct Writer {
    path: PathBuf,
    file: LogFile,
    store: Arc<Store>,
    allocated: HashMap<Ports, Holder>,
    /// Shared with whoever gives the orders.
    waiting: Arc<AtomicUsize>,
}

impl Writer {
    fn run(mut self, orders: &mpsc::Receiver<Order>) {
        loop {
            let order = match self.file.is_behind() {
                false => orders.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
                true => orders.recv_timeout(AGAIN),
            };
            match order {
                Ok(Order::Write { at, events }) => {
                    if self.file.is_behind() {
                        self.file.flush(&self.path);
                    }
                    events.iter().for_each(|event| self.note(at, event));
                    self.waiting.fetch_sub(events.len(), Ordering::Relaxed);
                }
                Ok(Order::Reopen(path)) => self.reopen(path),
                Ok(Order::End) | Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            self.file.flush(&self.path);
        }
        let now = Timestamp::now();
        let allocated = std::mem::take(&mut self.allocated);
        for (ports, holder) in in_order(&allocated) {
            self.file.push(&record(now, PortRecordEvent::Released, ports, holder), &self.path);
        }
        self.file.flush(&self.path);
        self.file.sync();
    }

    fn note(&mut self, at: Timestamp, event: &PortEvent) {
        let ports =
            Ports { address: event.address, first: event.first, last: event.last, protocol: event.protocol };
        if event.allocated {
            let holder = Holder { client: event.client, name: self.name(event.client), since: at };
            self.file.push(&record(at, PortRecordEvent::Allocated, &ports, &holder), &self.path);
            self.allocated.insert(ports, holder);
        } else if let Some(holder) = self.allocated.remove(&ports) {
            self.file.push(&record(at, PortRecordEvent::Released, &ports, &holder), &self.path);
        }
    }

    /// The name of the client that has this address.
    fn name(&self, client: Ipv6Prefix) -> Option<String> {
        if client.length() != 128 {
            return None;
        }
        // A log without a name is better than none.
        self.store.holder(client.address()).ok().flatten()
    }

    fn reopen(&mut self, path: PathBuf) {
        // What belongs to the old file is written there.
        self.file.flush(&self.path);
        match LogFile::open(&path) {
            Ok(file) if file.is_same(&self.file) => {}
            Ok(mut file) => {
                file.inherit(&mut self.file);
                self.file = file;
                self.path = path;
                if let Err(e) = self.release_leftovers() {
                    tracing::warn!("nat64.port-log {}: {e}", self.path.display());
                }
                for (ports, holder) in in_order(&self.allocated) {
                    let record = record(holder.since, PortRecordEvent::Allocated, ports, holder);
                    self.file.push(&record, &self.path);
                }
            }
            Err(e) => {
                tracing::warn!("nat64.port-log {}: {e}: the file that is open goes on", path.display());
            }
        }
    }

    /// Releases what the file has as allocated: its run is over.
    fn release_leftovers(&mut self) -> io::Result<()> {
        let now = Timestamp::now();
        for record in self.file.leftovers()? {
            let record = PortRecord { time: now, event: PortRecordEvent::Released, ..record };
            self.file.push(&record, &self.path);
        }
        self.file.flush(&self.path);
        Ok(())
    }
}

/// In the order in which they were allocated.
fn in_order(allocated: &HashMap<Ports, Holder>) -> Vec<(&Ports, &Holder)> {
    let mut all: Vec<(&Ports, &Holder)> = allocated.iter().collect();
    all.sort_by_key(|(ports, holder)| (holder.since, ports.address, ports.first, ports.last));
    all
}

fn record(time: Timestamp, event: PortRecordEvent, ports: &Ports, holder: &Holder) -> PortRecord {
    let client = match holder.client.length() {
        128 => holder.client.address().to_string(),
        _ => holder.client.to_string(),
    };
    PortRecord {
        schema: 1,
        time,
        event,
        protocol: ports.protocol.map_or("all", Proto::name).to_owned(),
        client,
        name: holder.name.clone(),
        address: ports.address,
        ports: format!("{}-{}", ports.first, ports.last),
    }
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("nat64.port-log {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("sixgate-port-log-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn log(&self) -> PathBuf {
            self.0.join("ports.log")
        }

        fn store(&self) -> Arc<Store> {
            Arc::new(Store::open(&self.0.join("gateway.redb")).unwrap())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn event(first: u16, last: u16, allocated: bool) -> PortEvent {
        PortEvent {
            address: [192, 0, 2, 2].into(),
            first,
            last,
            protocol: (first == last).then_some(Proto::Tcp),
            client: "2001:db8::8/128".parse().unwrap(),
            allocated,
        }
    }

    fn lines(path: &Path) -> Vec<PortRecord> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn said(path: &Path) -> Vec<(PortRecordEvent, String)> {
        lines(path).into_iter().map(|r| (r.event, r.ports)).collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn wait_for(path: &Path, many: usize) {
        for _ in 0..200 {
            if said(path).len() >= many {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{:?}", said(path));
    }

    use PortRecordEvent::{Allocated, Released};

    #[test]
    fn a_line_is_what_the_manual_says_and_the_end_releases_all() {
        let folder = Folder::new("line");
        let mut log = PortLog::start(&folder.log(), folder.store()).unwrap();
        log.write(at(1_700_000_000), vec![event(512, 1023, true), event(7, 7, true)]);
        log.write(at(1_700_000_001), vec![event(7, 7, false)]);
        wait_for(&folder.log(), 3);
        let text = std::fs::read_to_string(folder.log()).unwrap();
        assert_eq!(
            text.lines().next().unwrap(),
            "{\"schema\":1,\"time\":\"2023-11-14T22:13:20Z\",\"event\":\"allocated\",\"protocol\":\"all\",\
             \"client\":\"2001:db8::8\",\"address\":\"192.0.2.2\",\"ports\":\"512-1023\"}"
        );
        assert!(text.contains("\"protocol\":\"tcp\""), "{text}");
        assert_eq!(std::fs::metadata(folder.log()).unwrap().permissions().mode() & 0o777, 0o600);
        drop(log);
        assert_eq!(said(&folder.log())[2..], [(Released, "7-7".into()), (Released, "512-1023".into())]);
    }

    #[test]
    fn what_a_killed_run_left_is_released_at_the_next_start() {
        let folder = Folder::new("killed");
        let line = |event: &str, ports: &str| {
            format!(
                "{{\"schema\":1,\"time\":\"2023-11-14T22:13:20Z\",\"event\":\"{event}\",\"protocol\":\"all\",\
                 \"client\":\"2001:db8::8\",\"address\":\"192.0.2.2\",\"ports\":\"{ports}\"}}\n"
            )
        };
        let mut text = line("allocated", "512-1023") + &line("allocated", "1024-1535");
        text += &line("released", "512-1023");
        // The last line was cut short.
        text += "{\"schema\":1,\"time\":\"2023-11-";
        std::fs::write(folder.log(), text).unwrap();
        drop(PortLog::start(&folder.log(), folder.store()).unwrap());
        let text = std::fs::read_to_string(folder.log()).unwrap();
        let last: PortRecord = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((last.event, last.ports.as_str()), (Released, "1024-1535"));
        assert_eq!(text.lines().count(), 5, "{text}");
    }

    #[test]
    fn a_file_that_was_moved_away_is_followed_by_one_that_says_all() {
        let folder = Folder::new("moved");
        let mut log = PortLog::start(&folder.log(), folder.store()).unwrap();
        log.write(at(100), vec![event(512, 1023, true)]);
        log.write(at(200), vec![event(1024, 1535, true), event(512, 1023, false)]);
        wait_for(&folder.log(), 3);
        // The same file is not begun again.
        log.reopen(&folder.log());
        let old = folder.0.join("ports.log.1");
        std::fs::rename(folder.log(), &old).unwrap();
        log.reopen(&folder.log());
        wait_for(&folder.log(), 1);
        log.write(at(300), vec![event(1024, 1535, false)]);
        drop(log);
        assert_eq!(said(&folder.log()), [(Allocated, "1024-1535".into()), (Released, "1024-1535".into())]);
        assert_eq!(lines(&folder.log())[0].time, at(200));
        assert_eq!(said(&old).len(), 3);
    }
    /// Single ports of a network that is one client: no name is looked up for it.
    fn many() -> Vec<PortEvent> {
        let client = "2001:db8::/64".parse().unwrap();
        (0..60_000).map(|port| PortEvent { client, ..event(port, port, true) }).collect()
    }

    fn count(path: &Path) -> usize {
        std::fs::read(path).unwrap().iter().filter(|octet| **octet == b'\n').count()
    }

    #[test]
    fn more_than_may_wait_for_a_disk_is_written_when_it_comes_at_once() {
        let folder = Folder::new("many");
        let mut log = PortLog::start(&folder.log(), folder.store()).unwrap();
        log.write(at(100), many());
        while log.waiting.load(Ordering::Relaxed) > 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let old = folder.0.join("ports.log.1");
        std::fs::rename(folder.log(), &old).unwrap();
        log.reopen(&folder.log());
        drop(log);
        assert!(std::fs::metadata(&old).unwrap().len() > 8 << 20);
        assert_eq!((count(&old), count(&folder.log())), (60_000, 120_000));
        // A run that was killed leaves as much.
        drop(PortLog::start(&old, folder.store()).unwrap());
        assert_eq!(count(&old), 120_000);
    }

    #[test]
    fn a_disk_that_hangs_costs_records_but_neither_memory_nor_the_one_who_tells() {
        let folder = Folder::new("hangs");
        // Nobody reads: it takes some lines, and then nothing for ever.
        assert!(std::process::Command::new("mkfifo").arg(folder.log()).status().unwrap().success());
        let mut log = PortLog::start(&folder.log(), folder.store()).unwrap();
        let whole = MOST_WAITING.div_ceil(60_000);
        for _ in 0..whole + 2 {
            log.write(at(100), many());
        }
        assert_eq!(log.lost, 2 * 60_000);
        let began = std::time::Instant::now();
        drop(log);
        assert!(began.elapsed() < LAST_LINE * 2, "{:?}", began.elapsed());
    }
}
