//! ISATAP hosts over a restart: nothing else would tell them that their router is back before they ask again.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sixgate_io_link::clock;
use sixgate_io_store::Space;
use sixgate_isatap::RememberedHost;
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::isatap::Form;

use super::Control;
use super::api::wall;
use crate::seam::ToNet;

/// A host as it stands on disk; its key is its IPv4 address. Times are seconds since 1970.
#[derive(Serialize, Deserialize)]
struct Kept {
    ipv4: Ipv4Addr,
    global: bool,
    router_global: bool,
    first_rs: Option<i64>,
    last_rs: Option<i64>,
}

impl Kept {
    fn of(host: &RememberedHost) -> Self {
        let second = |at: Option<Instant>| at.map(|at| wall(at).as_second());
        Self {
            ipv4: host.ipv4,
            global: host.form == Form::Global,
            router_global: host.router_form == Form::Global,
            first_rs: second(host.first_rs),
            last_rs: second(host.last_rs),
        }
    }

    fn host(&self) -> RememberedHost {
        let form = |global| if global { Form::Global } else { Form::Private };
        RememberedHost {
            ipv4: self.ipv4,
            form: form(self.global),
            router_form: form(self.router_global),
            first_rs: self.first_rs.map(monotonic),
            last_rs: self.last_rs.map(monotonic),
        }
    }
}

/// A person's time on the workers' clock; what lies before the clock's start is its start.
fn monotonic(second: i64) -> Instant {
    let ago = Timestamp::now().as_second().saturating_sub(second);
    clock::now() - Duration::from_secs(u64::try_from(ago).unwrap_or(0))
}

impl Control {
    /// Keeps the hosts that are served.
    pub(crate) fn keep_hosts(&self, hosts: &[RememberedHost]) {
        let Ok(mut kept) = self.kept.lock() else { return };
        let addresses: Vec<Ipv4Addr> = hosts.iter().map(|h| h.ipv4).collect();
        if *kept == addresses {
            return;
        }
        let rows: Vec<_> = hosts
            .iter()
            .filter_map(|h| Some((h.ipv4.octets(), serde_json::to_vec(&Kept::of(h)).ok()?)))
            .collect();
        let rows = rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
        match self.store.replace_values(Space::IsatapHosts, rows) {
            Ok(()) => *kept = addresses,
            Err(e) => tracing::warn!("the list of ISATAP hosts was not kept: {e}"),
        }
    }

    /// Tells the packet plane of the hosts that an earlier run served, so that it greets them.
    pub(crate) fn restore_hosts(&self) {
        match self.store.values(Space::IsatapHosts) {
            Ok(rows) => {
                let hosts = rows.iter().filter_map(|(_, v)| serde_json::from_slice::<Kept>(v).ok());
                self.net.tell(ToNet::Remember(hosts.map(|k| k.host()).collect()));
            }
            Err(e) => tracing::warn!("the list of ISATAP hosts cannot be read: {e}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_comes_back_as_it_was() {
        let now = clock::now();
        let host = RememberedHost {
            ipv4: Ipv4Addr::new(10, 6, 8, 20),
            form: Form::Global,
            router_form: Form::Private,
            first_rs: Some(now - Duration::from_secs(90)),
            last_rs: None,
        };
        let back = Kept::of(&host).host();
        assert_eq!(
            (back.ipv4, back.form, back.router_form, back.last_rs),
            (host.ipv4, host.form, host.router_form, None)
        );
        let age = now.since(back.first_rs.unwrap()).as_secs();
        assert!((89..=91).contains(&age), "{age}");
    }
}
