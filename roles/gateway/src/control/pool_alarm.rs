//! Says that the pool of the translator is nearly used up, once, and when it no longer is.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use sixgate_nat64::{Level, PoolAlarm};

/// A part of the pool: its addresses, their prefix length, its ports, and whether it is about ports of a protocol or blocks.
type Part = (Ipv4Addr, u8, u16, u16, &'static str);

/// What every share of the pool says, so that what all say is said once.
#[derive(Default)]
pub(crate) struct PoolAlarms {
    levels: BTreeMap<Part, BTreeMap<u16, Level>>,
}

impl PoolAlarms {
    /// A share of the pool has another level; gives the line for the log where that is news.
    pub(crate) fn note(&mut self, share: u16, alarm: &PoolAlarm) -> Option<(Level, String)> {
        let what = alarm.protocol.map_or("blocks", sixgate_nat64::Proto::name);
        let (first, last) = (*alarm.ports.start(), *alarm.ports.end());
        let part = (alarm.addresses.address(), alarm.addresses.length(), first, last, what);
        let shares = self.levels.entry(part).or_default();
        let worst = |shares: &BTreeMap<u16, Level>| shares.values().max().copied().unwrap_or(Level::Normal);
        let before = worst(shares);
        shares.insert(share, alarm.level);
        let now = worst(shares);
        if now == Level::Normal {
            self.levels.remove(&part);
        }
        if before == now {
            return None;
        }
        let percent = (alarm.used * 100).checked_div(alarm.total).unwrap_or(100);
        let of = match alarm.protocol {
            Some(protocol) => format!("{} ports", protocol.name()),
            None => "port blocks".to_owned(),
        };
        let pool = format!("{percent}% of the {of} of {}:{first}-{last} are in use", alarm.addresses);
        let then = match (now, alarm.protocol) {
            (Level::Normal, _) => "there is room again",
            (Level::High, _) => "it will be used up soon; `pool` can grow by a reload",
            (Level::Full, Some(_)) => "new sessions will be refused (nat64-pool-exhausted)",
            (Level::Full, None) => "clients will get single ports of what is left",
        };
        Some((now, format!("nat64: {pool}: {then}")))
    }

    /// The settings have changed: what is still so will be said again. True when something was said.
    pub(crate) fn forget(&mut self) -> bool {
        let said = !self.levels.is_empty();
        self.levels.clear();
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sixgate_nat64::Proto;

    #[test]
    fn what_several_shares_say_is_said_once() {
        let mut alarms = PoolAlarms::default();
        let alarm = |level, used| PoolAlarm {
            protocol: Some(Proto::Tcp),
            addresses: "192.0.2.2/32".parse().unwrap(),
            ports: 1..=3000,
            level,
            used,
            total: 1500,
        };
        let said = alarms.note(0, &alarm(Level::High, 1201)).unwrap();
        assert_eq!(
            said,
            (
                Level::High,
                "nat64: 80% of the tcp ports of 192.0.2.2/32:1-3000 are in use: it will be used up soon; `pool` can \
                 grow by a reload"
                    .to_owned()
            )
        );
        assert_eq!(alarms.note(1, &alarm(Level::High, 1201)), None);
        assert_eq!(alarms.note(1, &alarm(Level::Full, 1430)).map(|s| s.0), Some(Level::Full));
        assert_eq!(alarms.note(1, &alarm(Level::Normal, 9)).map(|s| s.0), Some(Level::High));
        assert_eq!(alarms.note(0, &alarm(Level::Normal, 9)).map(|s| s.0), Some(Level::Normal));
        assert!(alarms.levels.is_empty());
    }
}
