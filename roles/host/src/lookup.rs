//! Names of routers to addresses, again and again.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sixgate_io_dns::resolv_conf::ResolvConf;
use sixgate_io_dns::resolve::{Family, ResolveError, resolve_family};
use tokio::sync::mpsc::UnboundedSender;

use crate::routers::Answer;

/// RFC 5214, section 8.3.1: PrlRefreshInterval.
const REFRESH: Duration = Duration::from_secs(3600);
/// After a look-up that failed; each further failure doubles it.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(300);

/// Looks `name` up until the task is ended, and tells what each look-up said.
pub(crate) async fn keep(name: String, servers: Vec<SocketAddr>, to: UnboundedSender<(String, Answer)>) {
    let mut retry = FIRST_RETRY;
    loop {
        let answer = ask(&name, &servers).await;
        let pause = if matches!(answer, Answer::Addresses(_)) {
            retry = FIRST_RETRY;
            REFRESH
        } else {
            let pause = retry;
            retry = (retry * 2).min(LAST_RETRY);
            pause
        };
        if to.send((name.clone(), answer)).is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}

async fn ask(name: &str, configured: &[SocketAddr]) -> Answer {
    // The system's servers may be others than the last time.
    let servers = if configured.is_empty() {
        ResolvConf::of_system().map(|conf| conf.servers).unwrap_or_default()
    } else {
        configured.to_vec()
    };
    match resolve_family(name, Family::V4, &servers).await {
        Ok(found) => {
            let v4 = |address| match address {
                IpAddr::V4(v4) => Some(v4),
                IpAddr::V6(_) => None,
            };
            let addresses: Vec<_> = found.addresses.into_iter().filter_map(v4).collect();
            tracing::debug!(name, ?addresses, "router name looked up");
            if addresses.is_empty() {
                tracing::warn!(name, "the router's name has no IPv4 address");
                return Answer::Absent;
            }
            Answer::Addresses(addresses)
        }
        Err(error) => {
            tracing::warn!(name, "looking up the router's name: {error}");
            if error == ResolveError::NoSuchName { Answer::Absent } else { Answer::Failed }
        }
    }
}
