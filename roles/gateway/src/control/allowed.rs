//! Hosts that are allowed ISATAP by name: their names are looked up at the start and again every so often.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sixgate_config::isatap::AllowedHost;
use sixgate_wire::addr::Ipv4Prefix;

use super::site::AllowedNow;
use super::{Control, Site};

/// Names are looked up this often; a name that failed keeps its last addresses.
const REFRESH: Duration = Duration::from_secs(300);
/// Until the first success of every name.
const RETRY: Duration = Duration::from_secs(10);

/// Keeps the addresses of named hosts right until the future is dropped.
pub(crate) async fn keep(control: Arc<Control>) {
    loop {
        let wanted = match control.site.lock() {
            Ok(site) => named(&site),
            Err(_) => return,
        };
        let mut all = true;
        let mut found = Vec::new();
        for (group, name) in wanted {
            match look_up(&control, &name).await {
                Some(addresses) => found.extend(addresses.into_iter().map(|a| AllowedNow {
                    group: group.clone(),
                    name: Some(name.clone()),
                    prefix: Ipv4Prefix::containing(a, 32),
                })),
                None => {
                    all = false;
                    tracing::warn!(
                        host = name,
                        "isatap.allow: the name does not resolve; the host is not served yet"
                    );
                    found.extend(known(&control, &name));
                }
            }
        }
        replace(&control, found);
        tokio::time::sleep(if all { REFRESH } else { RETRY }).await;
    }
}

fn named(site: &Site) -> Vec<(Option<String>, String)> {
    let rules = site.config.isatap.iter().flat_map(|i| &i.allow);
    rules
        .flat_map(|rule| rule.hosts.iter().map(move |host| (rule, host)))
        .filter_map(|(rule, host)| match host {
            AllowedHost::Name(name) => Some((rule.group.clone(), name.to_string())),
            AllowedHost::Prefix(_) => None,
        })
        .collect()
}

async fn look_up(control: &Control, name: &str) -> Option<Vec<std::net::Ipv4Addr>> {
    let servers = match control.site.lock() {
        Ok(site) => site.config.dns.as_ref().map(|d| d.upstream.clone()).unwrap_or_default(),
        Err(_) => return None,
    };
    let addresses = crate::names::look_up(name, &servers).await.ok()?;
    let v4 = addresses.into_iter().filter_map(|a| match a {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    });
    Some(v4.collect())
}

/// What a name resolved to when it last did.
fn known(control: &Control, name: &str) -> Vec<AllowedNow> {
    let site = control.site.lock();
    site.map(|s| s.allowed.iter().filter(|a| a.name.as_deref() == Some(name)).cloned().collect())
        .unwrap_or_default()
}

/// Puts the hosts by name behind those by address, and tells the packet plane if anything changed.
fn replace(control: &Control, found: Vec<AllowedNow>) {
    let Ok(mut site) = control.site.lock() else { return };
    let mut allowed = site.allowed_by_address();
    allowed.extend(found);
    if allowed != site.allowed {
        site.allowed = allowed;
        control.publish(&site);
    }
}
