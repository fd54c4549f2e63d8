//! Who had a port at some time, by the records of a port log.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{PortRecord, PortRecordEvent};
use crate::Nat64Holder;

/// Reads records in their order and finds who had one port at one time.
#[derive(Debug)]
pub struct Holders {
    address: Ipv4Addr,
    port: u16,
    protocol: Option<String>,
    at: Timestamp,
    /// The time of the first record, and of the last.
    range: Option<(Timestamp, Timestamp)>,
    /// What is allocated so far, by protocol and ports.
    open: BTreeMap<(String, String), PortRecord>,
    found: BTreeMap<(String, String), Nat64Holder>,
    /// The moment has been passed: what is open then is decided.
    decided: bool,
}

impl Holders {
    /// For a port of an outside address, at a time, for one protocol or all.
    #[must_use]
    pub const fn new(address: Ipv4Addr, port: u16, protocol: Option<String>, at: Timestamp) -> Self {
        Self {
            address,
            port,
            protocol,
            at,
            range: None,
            open: BTreeMap::new(),
            found: BTreeMap::new(),
            decided: false,
        }
    }

    /// The next line of the log; what is no record is passed over.
    pub fn line(&mut self, line: &[u8]) {
        if let Ok(record) = serde_json::from_slice::<PortRecord>(line) {
            self.record(record);
        }
    }

    fn record(&mut self, record: PortRecord) {
        let first = self.range.map_or(record.time, |(first, _)| first);
        self.range = Some((first, record.time));
        if record.time > self.at {
            self.decide();
        }
        if record.address != self.address || !covers(&record.ports, self.port) || !self.is_meant(&record) {
            return;
        }
        let key = (record.protocol.clone(), record.ports.clone());
        match (record.event, self.decided) {
            (PortRecordEvent::Allocated, false) => drop(self.open.insert(key, record)),
            (PortRecordEvent::Released, false) => drop(self.open.remove(&key)),
            (PortRecordEvent::Allocated, true) => {}
            (PortRecordEvent::Released, true) => {
                if let Some(holder) = self.found.get_mut(&key)
                    && holder.until.is_none()
                {
                    holder.until = Some(record.time);
                }
            }
        }
    }

    fn is_meant(&self, record: &PortRecord) -> bool {
        let wanted = self.protocol.as_ref();
        wanted.is_none_or(|wanted| record.protocol == "all" || record.protocol == *wanted)
    }

    fn decide(&mut self) {
        if core::mem::replace(&mut self.decided, true) {
            return;
        }
        for (key, record) in core::mem::take(&mut self.open) {
            let holder = Nat64Holder {
                proto: record.protocol,
                client: record.client,
                name: record.name,
                ports: record.ports,
                since: Some(record.time),
                until: None,
                by: "log".to_owned(),
            };
            self.found.insert(key, holder);
        }
    }

    /// Who had it, the most exact record first, and the times that the log reaches from and to.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Nat64Holder>, Option<(Timestamp, Timestamp)>) {
        self.decide();
        let mut all: Vec<Nat64Holder> = self.found.into_values().collect();
        all.sort_by_key(|h| (width(&h.ports), h.proto.clone()));
        // Of records whose ports overlap the one of fewer ports says whose the port is; other protocols are others.
        let single: Vec<String> =
            all.iter().filter(|h| width(&h.ports) == 1).map(|h| h.proto.clone()).collect();
        let hidden = |h: &Nat64Holder| {
            width(&h.ports) > 1
                && (single.contains(&h.proto) || self.protocol.is_some() && !single.is_empty())
        };
        all.retain(|h| !hidden(h));
        (all, self.range)
    }
}

/// `FIRST-LAST`
fn bounds(ports: &str) -> Option<(u16, u16)> {
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    Some((first.parse().ok()?, last.parse().ok()?))
}

fn covers(ports: &str, port: u16) -> bool {
    bounds(ports).is_some_and(|(first, last)| (first..=last).contains(&port))
}

fn width(ports: &str) -> u32 {
    bounds(ports).map_or(0, |(first, last)| u32::from(last.saturating_sub(first)) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"
{"schema":1,"time":"2026-11-25T10:00:00Z","event":"allocated","protocol":"all","client":"2001:db8::8","name":"laptop-01","address":"192.0.2.2","ports":"1024-1535"}
{"schema":1,"time":"2026-11-25T10:05:00Z","event":"allocated","protocol":"all","client":"2001:db8::9","address":"192.0.2.2","ports":"1536-2047"}
{"schema":1,"time":"2026-11-25T10:06:00Z","event":"allocated","protocol":"udp","client":"2001:db8::a","address":"192.0.2.2","ports":"1234-1234"}
not a record
{"schema":1,"time":"2026-11-25T10:10:00Z","event":"released","protocol":"all","client":"2001:db8::8","name":"laptop-01","address":"192.0.2.2","ports":"1024-1535"}
{"schema":1,"time":"2026-11-25T10:20:00Z","event":"allocated","protocol":"all","client":"2001:db8::b","address":"192.0.2.2","ports":"1024-1535"}
"#;

    fn who(port: u16, at: &str, protocol: Option<&str>) -> Vec<String> {
        let address = Ipv4Addr::new(192, 0, 2, 2);
        let at = format!("2026-11-25T{at}Z").parse().unwrap();
        let mut holders = Holders::new(address, port, protocol.map(str::to_owned), at);
        LOG.lines().for_each(|line| holders.line(line.as_bytes()));
        let (found, range) = holders.finish();
        assert_eq!(range.map(|(first, _)| first.to_string()), Some("2026-11-25T10:00:00Z".to_owned()));
        let until =
            |h: &Nat64Holder| h.until.map_or_else(|| "-".to_owned(), |t| t.to_string()[11..16].to_owned());
        found.iter().map(|h| format!("{} {} {}", h.proto, h.client, until(h))).collect()
    }

    #[test]
    fn a_port_is_its_blocks_client_s_until_that_is_released() {
        assert_eq!(who(1100, "10:03:00", None), ["all 2001:db8::8 10:10"]);
        assert!(who(1100, "10:10:00", None).is_empty());
        assert_eq!(who(1100, "10:25:00", None), ["all 2001:db8::b -"]);
        assert!(who(1535, "09:59:59", None).is_empty());
        assert_eq!(who(1536, "10:30:00", None), ["all 2001:db8::9 -"]);
        assert!(who(2048, "10:30:00", None).is_empty());
    }

    #[test]
    fn a_single_port_is_said_before_the_block_that_it_is_in() {
        assert_eq!(who(1234, "10:07:00", Some("udp")), ["udp 2001:db8::a -"]);
        assert_eq!(who(1234, "10:07:00", Some("tcp")), ["all 2001:db8::8 10:10"]);
        assert_eq!(who(1234, "10:07:00", None), ["udp 2001:db8::a -", "all 2001:db8::8 10:10"]);
    }
}
