//! Names of routers to addresses, again and again.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sixgate_io_dns::resolv_conf::ResolvConf;
use sixgate_io_dns::resolve::{Family, ResolveError, resolve_family};
use tokio::sync::mpsc::UnboundedSender;

use crate::routers::Answer;

/// RFC 5214, section 8.3.1: PrlRefreshInterval, the longest that an answer is believed.
const REFRESH: Duration = Duration::from_secs(3600);
/// The shortest, whatever the records say: lists of routers do not change by the second.
const SHORTEST: Duration = Duration::from_secs(60);
/// After a look-up that failed; each further failure doubles it.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(300);

/// Looks `name` up until the task is ended, and tells what each look-up said.
pub(crate) async fn keep(name: String, servers: Vec<SocketAddr>, to: UnboundedSender<(String, Answer)>) {
    let mut retry = FIRST_RETRY;
    loop {
        let (answer, ttl) = ask(&name, &servers).await;
        let pause = if matches!(answer, Answer::Addresses(_)) {
            retry = FIRST_RETRY;
            refresh(ttl)
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

/// RFC 5214, section 8.3.2: no later than PrlRefreshInterval, and when the records have lived their time.
fn refresh(ttl: u32) -> Duration {
    Duration::from_secs(u64::from(ttl)).clamp(SHORTEST, REFRESH)
}

/// One look-up, and how long its answer lives.
async fn ask(name: &str, configured: &[SocketAddr]) -> (Answer, u32) {
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
            tracing::debug!(name, ?addresses, ttl = found.ttl, "router name looked up");
            if addresses.is_empty() {
                (Answer::NoAddress, 0)
            } else {
                (Answer::Addresses(addresses), found.ttl)
            }
        }
        Err(ResolveError::NoSuchName) => (Answer::NoSuchName, 0),
        Err(error) => (Answer::Failed(error.to_string()), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_lives_as_long_as_its_records_within_bounds() {
        assert_eq!(refresh(0), SHORTEST);
        assert_eq!(refresh(300), Duration::from_secs(300));
        assert_eq!(refresh(86_400), REFRESH);
    }
}
