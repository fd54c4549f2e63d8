//! What stands in the DNS for hosts whose addresses are taken away.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use sixgate_api as api;
use sixgate_config::isatap::AllowedHost;
use sixgate_io_control::Response;
use sixgate_io_dns::inventory::AaaaRecord;
use sixgate_io_dns::resolv_conf::ResolvConf;
use sixgate_io_dns::update::TsigKey;
use sixgate_wire::addr::isatap::{self, Form};

use super::super::Control;
use super::state::Deleted;
use crate::names::stale::{Place, Wanted};

/// The name by which hosts find a router without being told (RFC 5214, section 8.3.2).
const BARE: &str = "isatap";
/// A person waits for the plan; a DNS that is silent must not be waited for longer.
const PATIENCE: Duration = Duration::from_secs(15);

impl Control {
    /// Whom to ask and where to change: what the command says, else what the file says, else what the system asks.
    pub(super) fn place(&self, update: &api::RetireUpdate) -> Result<Place, Response> {
        let wrong = |what: String| Response::failure(400, "update-invalid", &what);
        let server = match &update.server {
            None => None,
            Some(text) => Some(endpoint(text).ok_or_else(|| {
                wrong(format!("{text:?} is no name server: an address, and a port where it is not 53"))
            })?),
        };
        let key = match &update.key {
            None => None,
            Some(text) => Some(TsigKey::parse(text).map_err(|e| wrong(format!("the TSIG key: {e}")))?),
        };
        let Ok(site) = self.site.lock() else { return Err(wrong("the gateway is ending".to_owned())) };
        let registration = site.config.names.as_ref().and_then(|names| names.registration.as_ref());
        let upstream = site.config.dns.as_ref().map(|dns| dns.upstream.clone()).unwrap_or_default();
        let servers = if upstream.is_empty() {
            ResolvConf::of_system().map(|conf| conf.servers).unwrap_or_default()
        } else {
            upstream
        };
        let of_file = registration.filter(|_| update.server.is_none());
        let key = match (key, of_file.and_then(|r| r.tsig_file.as_ref())) {
            (Some(key), _) => Some(key),
            (None, Some(path)) => {
                Some(TsigKey::read(path).map_err(|e| wrong(format!("[names] update: {e}")))?)
            }
            (None, None) => None,
        };
        Ok(Place { servers, primary: server.or(of_file.map(|r| r.server)), key })
    }

    /// Looks for records and names, and puts them down in `now`.
    pub(super) async fn look_into_dns(&self, place: &Place, now: &mut api::Retirement) {
        let Some((wanted, bare, own)) = self.wanted(now) else { return };
        let asked = tokio::time::timeout(PATIENCE, async {
            let found = place.find(wanted).await;
            (found, place.look_up(bare).await)
        });
        let Ok((found, bare)) = asked.await else {
            let seconds = PATIENCE.as_secs();
            now.remarks.push(format!("the DNS was not looked into: no answer within {seconds} s"));
            return;
        };
        let record = |(record, zone): (AaaaRecord, Option<String>)| api::StaleRecord {
            name: record.name,
            address: record.address,
            ttl: record.ttl,
            zone,
            deleted: false,
            failure: None,
        };
        now.records = found.answered.then(|| found.records.into_iter().map(record).collect());
        now.remarks.extend(found.remarks);
        let mut names = Vec::new();
        for (name, addresses) in bare {
            match addresses {
                Some(addresses) => names.push(api::KnownName {
                    ours: addresses.iter().any(|v4| own.contains(v4)),
                    name,
                    addresses,
                }),
                None => now.remarks.push(format!("{name}: no name server said whether it exists")),
            }
        }
        now.router_names = Some(names);
    }

    /// Deletes the records that were found, each alone; what was deleted is kept for the undoing.
    pub(super) async fn delete_records(
        &self,
        place: &Place,
        now: &mut api::Retirement,
    ) -> Result<(), Response> {
        for record in now.records.iter_mut().flatten() {
            let Some(zone) = record.zone.clone() else {
                record.failure = Some("no server says which zone the name is in".to_owned());
                continue;
            };
            // Written before it is done: of the two faults, putting back what still stands is the one that does no harm.
            let deleted = Deleted {
                name: record.name.clone(),
                address: record.address,
                ttl: record.ttl,
                zone: zone.clone(),
            };
            let is_new = self.keep(|kept| kept.deletes(&deleted))?;
            match place.delete(&of(&deleted), &zone).await {
                Ok(()) => record.deleted = true,
                Err(not) => {
                    record.failure = Some(not.why);
                    // Where an answer was lost, then or an earlier time, the record may be gone.
                    if not.is_certain && is_new {
                        self.keep(|kept| kept.stands(&deleted))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts back what was deleted: how many, and why not the others.
    pub(super) async fn restore_records(&self, place: &Place) -> Result<(u64, Vec<String>), Response> {
        let (mut restored, mut remarks) = (0, Vec::new());
        for deleted in self.kept().deleted {
            match place.restore(&of(&deleted), &deleted.zone).await {
                Ok(()) => {
                    restored += 1;
                    self.keep(|kept| kept.stands(&deleted))?;
                }
                Err(not) => remarks.push(format!(
                    "{} AAAA {} was not put back: {}; `sixgate isatap retire --undo` tries again",
                    deleted.name, deleted.address, not.why
                )),
            }
        }
        Ok((restored, remarks))
    }

    /// What to look for; names by which a router is found unasked, and the addresses of this one.
    fn wanted(&self, now: &api::Retirement) -> Option<(Wanted, Vec<String>, Vec<Ipv4Addr>)> {
        let site = self.site.lock().ok()?;
        let config = site.config.isatap.as_ref()?;
        let prefixes = site.link_prefixes();
        let names = site.config.names.as_ref();
        let mut zones: Vec<String> = names.iter().flat_map(|n| &n.route).map(ToString::to_string).collect();
        // A router alone has no [names]; the name that hosts are told is in the zone that they are in.
        zones.extend(
            config.name.iter().filter_map(|name| Some(name.to_string().split_once('.')?.1.to_owned())),
        );
        zones.sort_unstable();
        zones.dedup();
        let mut hosts: BTreeSet<String> = now.hosts.iter().filter_map(|host| host.name.clone()).collect();
        for host in config.allow.iter().flat_map(|rule| &rule.hosts) {
            if let AllowedHost::Name(name) = host {
                hosts.insert(name.to_string());
            }
        }
        let addresses = now.hosts.iter().flat_map(|host| {
            let form = |form| prefixes.iter().map(move |p| isatap::address(p.address(), form, host.ipv4));
            form(Form::Private).chain(form(Form::Global)).collect::<Vec<_>>()
        });
        let addresses = addresses.collect();
        let bare = zones.iter().map(|zone| format!("{BARE}.{zone}")).collect();
        let own = site.isatap_address.into_iter().chain(site.own_addresses.iter().copied()).collect();
        Some((Wanted { prefixes, zones, names: hosts, addresses }, bare, own))
    }
}

fn of(deleted: &Deleted) -> AaaaRecord {
    AaaaRecord { name: deleted.name.clone(), address: deleted.address, ttl: deleted.ttl }
}

fn endpoint(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, 53)))
}
