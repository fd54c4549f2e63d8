//! Names that the doctor asks for: all at once, each with its own end.

use std::net::SocketAddr;
use std::time::Duration;

use sixgate_doctor::evidence::{Answer, Evidence, Lookup, Purpose, Role};
use sixgate_io_dns::resolve::{Family, ResolveError, resolve_family};
use tokio::task::JoinSet;

/// A server that has not answered by then is silent.
const PATIENCE: Duration = Duration::from_secs(2);
/// Clients whose names are asked for.
const MOST_CLIENTS: usize = 16;
/// Suffixes below which `isatap` and `wpad` are asked for.
const MOST_SUFFIXES: usize = 8;

/// A question.
struct Wanted {
    purpose: Purpose,
    name: String,
    servers: Vec<SocketAddr>,
}

/// Asks for everything that this machine's evidence makes worth asking for.
pub(super) async fn look_up(evidence: &Evidence) -> Vec<Lookup> {
    let mut tasks = JoinSet::new();
    for (n, wanted) in wanted(evidence).into_iter().enumerate() {
        tasks.spawn(async move { (n, ask(wanted).await) });
    }
    let mut done = tasks.join_all().await;
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, lookup)| lookup).collect()
}

fn wanted(evidence: &Evidence) -> Vec<Wanted> {
    let search = &evidence.machine.search;
    let mut all = Vec::new();
    let mut suffixes: Vec<String> = Vec::new();
    let servers = match &evidence.role {
        Some(Role::Host(host)) => {
            for name in host.routers.iter().filter(|r| r.parse::<std::net::IpAddr>().is_err()) {
                let servers = host.nameservers.clone();
                suffixes.extend(name.split_once('.').map(|(_, suffix)| suffix.to_owned()));
                all.push(Wanted { purpose: Purpose::Router, name: name.clone(), servers });
            }
            host.nameservers.clone()
        }
        Some(Role::Gateway(gateway)) if gateway.isatap.is_some() || !gateway.registered.is_empty() => {
            let servers = gateway.upstream.clone();
            if let Some(name) = gateway.isatap.as_ref().and_then(|i| i.name.clone()) {
                all.push(Wanted { purpose: Purpose::Router, name, servers: servers.clone() });
            }
            let connected = |name: &str| {
                let label = name.split('.').next().unwrap_or_default();
                gateway.connected.iter().any(|(n, _)| n == label)
            };
            for client in gateway.registered.iter().filter(|r| connected(&r.name)).take(MOST_CLIENTS) {
                all.push(Wanted {
                    purpose: Purpose::Client,
                    name: client.name.clone(),
                    servers: servers.clone(),
                });
            }
            suffixes.extend(gateway.suffixes.iter().cloned());
            servers
        }
        Some(Role::Gateway(_) | Role::Client(_)) | None => return all,
    };
    suffixes.extend(search.iter().cloned());
    suffixes.sort_unstable();
    suffixes.dedup();
    for suffix in suffixes.into_iter().take(MOST_SUFFIXES) {
        for (label, purpose) in [("isatap", Purpose::BareIsatap), ("wpad", Purpose::BareWpad)] {
            all.push(Wanted { purpose, name: format!("{label}.{suffix}"), servers: servers.clone() });
        }
    }
    // Nobody to ask is a matter of the file, and no server's silence.
    all.retain(|w| !w.servers.is_empty());
    all
}

async fn ask(wanted: Wanted) -> Lookup {
    let Wanted { purpose, name, servers } = wanted;
    let family = match purpose {
        Purpose::Router | Purpose::BareIsatap | Purpose::BareWpad => Family::V4,
        Purpose::Client => Family::V6,
    };
    let answer = match tokio::time::timeout(PATIENCE, resolve_family(&name, family, &servers)).await {
        Err(_) => Answer::Silent(format!("no answer within {} s", PATIENCE.as_secs())),
        Ok(Ok(found)) => Answer::Addresses(found.addresses),
        Ok(Err(ResolveError::NoSuchName)) => Answer::NoSuchName,
        Ok(Err(error)) => Answer::Silent(error.to_string()),
    };
    Lookup { purpose, name, servers, answer }
}
