//! `isatap allow`, `isatap deny` and the list: what commands say takes effect at once and outlives the daemon.

use std::time::Duration;

use jiff::Timestamp;
use sixgate_api::{self as api, AllowedBy, AllowedKind, Change};
use sixgate_config::isatap::{Allow, AllowedHost, Isatap, parse_group};
use sixgate_io_control::Response;

use super::runtime::{Full, Runtime};
use super::{Sources, names};
use crate::control::api::document;
use crate::control::{Control, Site};

/// Hosts of one call.
const MOST_HOSTS: usize = 256;
/// How long a call waits for DNS; what comes later takes effect later.
const PATIENCE: Duration = Duration::from_secs(3);

impl Control {
    /// Everybody who may have ISATAP.
    pub(crate) fn allow_list(&self) -> Response {
        let Ok(site) = self.site.lock() else { return Response::not_found("") };
        let Some(config) = &site.config.isatap else { return no_isatap() };
        document(list(config, &site.sources))
    }

    pub(crate) async fn allow_hosts(&self, request: api::AllowRequest) -> Response {
        let group = match request.group.as_deref().map(parse_group).transpose() {
            Ok(group) => group,
            Err(line) => return invalid(&line),
        };
        self.change(&request.hosts, |runtime, host| {
            runtime.allow(host.clone(), group.clone()).map(|()| Change::Allowed)
        })
        .await
    }

    pub(crate) async fn deny_hosts(&self, request: api::HostsRequest) -> Response {
        self.change(&request.hosts, |runtime, host| runtime.deny(host.clone()).map(|()| Change::Denied)).await
    }

    pub(crate) async fn forget_hosts(&self, request: api::HostsRequest) -> Response {
        self.change(&request.hosts, |runtime, host| {
            Ok(if runtime.forget(host) { Change::Forgotten } else { Change::Unknown })
        })
        .await
    }

    /// Changes the commands in force for all of `hosts` or for none.
    async fn change(
        &self,
        hosts: &[String],
        change: impl Fn(&mut Runtime, &AllowedHost) -> Result<Change, Full>,
    ) -> Response {
        if hosts.is_empty() || hosts.len() > MOST_HOSTS {
            return invalid(&format!("allowed: 1 to {MOST_HOSTS} hosts at a time"));
        }
        let parsed: Result<Vec<AllowedHost>, String> = hosts.iter().map(|h| AllowedHost::parse(h)).collect();
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(line) => return invalid(&line),
        };
        let changes = match self.change_runtime(&parsed, change) {
            Ok(changes) => changes,
            Err(response) => return response,
        };
        self.look_up_hosts(&parsed).await;
        let Ok(site) = self.site.lock() else { return Response::not_found("") };
        let told = parsed.iter().zip(changes).map(|(host, change)| changed_host(host, change, &site.sources));
        document(api::Changed { hosts: told.collect() })
    }

    fn change_runtime(
        &self,
        hosts: &[AllowedHost],
        change: impl Fn(&mut Runtime, &AllowedHost) -> Result<Change, Full>,
    ) -> Result<Vec<Change>, Response> {
        let outcome = self.learn(|site: &mut Site| {
            if site.config.isatap.is_none() {
                return Err(no_isatap());
            }
            let mut next = site.sources.runtime.clone();
            let changes: Result<Vec<Change>, Full> =
                hosts.iter().map(|host| change(&mut next, host)).collect();
            let changes = changes.map_err(|Full| {
                Response::failure(
                    409,
                    "too-many",
                    "there are too many entries; put these hosts into the file",
                )
            })?;
            next.save(&self.store)
                .map_err(|e| Response::failure(500, "store", &format!("nothing changed: {e}")))?;
            site.sources.runtime = next;
            Ok(changes)
        });
        outcome.unwrap_or_else(|| Err(Response::not_found("")))
    }

    /// Looks up the names among these; those that DNS does not answer in time take effect when it does.
    async fn look_up_hosts(&self, hosts: &[AllowedHost]) {
        let name = |host: &AllowedHost| match host {
            AllowedHost::Name(name) => Some(name.to_string()),
            AllowedHost::Prefix(_) => None,
        };
        let names = hosts.iter().filter_map(name).collect();
        if tokio::time::timeout(PATIENCE, names::look_up_now(self, names)).await.is_err() {
            tracing::debug!("names of a command are still looked up");
        }
        self.names_wanted.notify_one();
    }
}

fn no_isatap() -> Response {
    Response::failure(409, "no-isatap", "this gateway is no ISATAP router: there is no [isatap] section")
}

fn invalid(line: &str) -> Response {
    Response::failure(400, "request-invalid", line)
}

fn changed_host(host: &AllowedHost, change: Change, sources: &Sources) -> api::ChangedHost {
    let addresses = addresses_of(host, sources);
    let remark = match change {
        Change::Allowed => sources
            .runtime
            .shadows(host)
            .map(|denied| {
                format!("{denied} is denied, which wins; `sixgate isatap allow --forget {denied}` ends that")
            })
            .or_else(|| addresses.is_empty().then(|| "the name has no IPv4 address yet".to_owned())),
        Change::Denied => addresses
            .is_empty()
            .then(|| "the name has no IPv4 address; rules that name it are off".to_owned()),
        Change::Forgotten => None,
        Change::Unknown => Some("no command allowed or denied this; the file's rules hold".to_owned()),
    };
    api::ChangedHost { host: host.to_string(), change, addresses, remark }
}

fn addresses_of(host: &AllowedHost, sources: &Sources) -> Vec<String> {
    match host {
        AllowedHost::Prefix(_) => vec![host.to_string()],
        AllowedHost::Name(name) => {
            sources.names.addresses(name.as_str()).iter().map(ToString::to_string).collect()
        }
    }
}

fn list(config: &Isatap, sources: &Sources) -> api::AllowList {
    let mut rules: Vec<api::AllowedHosts> = Vec::new();
    for added in sources.runtime.allowed() {
        let same_group = config.allow.iter().find(|rule| added.group.is_some() && rule.group == added.group);
        let mut row = row(&added.host, AllowedBy::Runtime, config, same_group, sources);
        row.line = None;
        row.group.clone_from(&added.group);
        rules.push(row);
    }
    for rule in &config.allow {
        rules.extend(rule.hosts.iter().map(|h| row(h, AllowedBy::File, config, Some(rule), sources)));
        rules.extend(rule.ldap_group.as_deref().map(|dn| group_row(dn, config, rule, sources)));
    }
    let denied = |host: &AllowedHost| api::DeniedHost {
        host: host.to_string(),
        addresses: addresses_of(host, sources),
    };
    api::AllowList { rules, denied: sources.runtime.denied().iter().map(denied).collect() }
}

fn row(
    host: &AllowedHost,
    by: AllowedBy,
    config: &Isatap,
    rule: Option<&Allow>,
    sources: &Sources,
) -> api::AllowedHosts {
    let (kind, as_of) = match host {
        AllowedHost::Prefix(_) => (AllowedKind::Prefix, None),
        AllowedHost::Name(name) => {
            (AllowedKind::Name, sources.names.get(name.as_str()).and_then(|known| time(Some(known.at))))
        }
    };
    api::AllowedHosts {
        host: host.to_string(),
        kind,
        by,
        line: rule.map(|rule| rule.line),
        group: rule.and_then(|rule| rule.group.clone()),
        prefix: prefix_of(config, rule),
        addresses: addresses_of(host, sources),
        as_of,
        others: None,
        trouble: None,
    }
}

fn group_row(dn: &str, config: &Isatap, rule: &Allow, sources: &Sources) -> api::AllowedHosts {
    let known = sources.groups.get(dn);
    let mut addresses: Vec<_> = sources
        .groups
        .members(dn)
        .iter()
        .flat_map(|member| match (&member.name, member.addresses.is_empty()) {
            (Some(name), true) => sources.names.addresses(name),
            _ => member.addresses.as_slice(),
        })
        .copied()
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    api::AllowedHosts {
        host: dn.to_owned(),
        kind: AllowedKind::LdapGroup,
        by: AllowedBy::File,
        line: Some(rule.line),
        group: rule.group.clone(),
        prefix: prefix_of(config, Some(rule)),
        addresses: addresses.iter().map(ToString::to_string).collect(),
        as_of: time(known.and_then(|k| k.at)),
        others: known.map(|k| k.others),
        trouble: known.and_then(|k| k.trouble.clone()),
    }
}

fn prefix_of(config: &Isatap, rule: Option<&Allow>) -> String {
    rule.and_then(|rule| rule.offer.as_ref()).map_or(config.prefix, |offer| offer.prefix).to_string()
}

fn time(second: Option<i64>) -> Option<Timestamp> {
    second.and_then(|second| Timestamp::from_second(second).ok())
}
