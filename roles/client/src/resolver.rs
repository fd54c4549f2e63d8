//! The gateway's addresses: from the hosts file, from the network's own name servers, or as they were the last time.
//!
//! Never through the tunnel: its name servers are there only when it stands.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sixgate_config::NameOrAddress;
use sixgate_io_dns::resolve::resolve;
use tokio::time::timeout;

const HOSTS: &str = "/etc/hosts";
/// A network whose servers answer later than this is asked again at the next attempt.
const LIMIT: Duration = Duration::from_secs(5);
/// Addresses that were found before are used when the servers are silent for so long; the answer still counts when it comes.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Looks names up, and remembers.
pub(crate) struct Resolver {
    servers: Box<dyn Fn() -> Vec<SocketAddr> + Send + Sync>,
    file: PathBuf,
    known: Arc<Mutex<BTreeMap<String, Vec<IpAddr>>>>,
}

impl Resolver {
    /// `servers` tells the network's own name servers at any time; what was found is kept in `file`.
    pub(crate) fn new(servers: impl Fn() -> Vec<SocketAddr> + Send + Sync + 'static, file: PathBuf) -> Self {
        let known =
            fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { servers: Box::new(servers), file, known: Arc::new(Mutex::new(known)) }
    }

    /// The addresses of `host`; an error in one line when there are none, not even old ones.
    pub(crate) async fn addresses(&self, host: &NameOrAddress) -> Result<Vec<IpAddr>, String> {
        let name = match host {
            NameOrAddress::Address(address) => return Ok(vec![*address]),
            NameOrAddress::Name(name) => name.as_str(),
        };
        let fixed = in_hosts(Path::new(HOSTS), name);
        if !fixed.is_empty() {
            return Ok(fixed);
        }
        let before = self.before(name);
        let limit = if before.is_empty() { LIMIT } else { PATIENCE };
        match timeout(limit, resolve(name, &(self.servers)())).await {
            Ok(Ok(found)) if !found.is_empty() => {
                self.remember(name, &found);
                Ok(found)
            }
            // An outage of DNS must not keep a client out.
            _ if !before.is_empty() => Ok(before),
            Ok(Ok(_)) => Err(format!("{name} has no address")),
            Ok(Err(error)) => Err(format!("{name}: {error}")),
            Err(_) => Err(format!("{name}: no name server answers")),
        }
    }

    fn before(&self, name: &str) -> Vec<IpAddr> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned().unwrap_or_default()
    }

    fn remember(&self, name: &str, found: &[IpAddr]) {
        let text = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.get(name).is_some_and(|before| before == found) {
                return;
            }
            known.insert(name.to_owned(), found.to_vec());
            serde_json::to_vec(&*known).unwrap_or_default()
        };
        // What cannot be kept is looked up again.
        let _ = sixgate_io_tls::files::write_secret(&self.file, &text);
    }
}

/// The addresses that a hosts file gives `name` (hosts(5)).
fn in_hosts(path: &Path, name: &str) -> Vec<IpAddr> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().split_whitespace());
    lines
        .filter_map(|mut words| {
            let address = words.next()?.parse().ok()?;
            words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("sixgate-resolver-{}-{name}", std::process::id()))
    }

    fn name(text: &str) -> NameOrAddress {
        sixgate_config::client::GatewayUrl::parse(&format!("https://{text}")).unwrap().host
    }

    #[test]
    fn hosts_file_is_read_as_everybody_reads_it() {
        let path = file("hosts");
        fs::write(
            &path,
            "127.0.0.1 localhost\n# 1.2.3.4 da.example\n10.0.0.1\tx DA.example # y\nfd00::1 da.example\n",
        )
        .unwrap();
        let found = in_hosts(&path, "da.example");
        assert_eq!(found, ["10.0.0.1".parse::<IpAddr>().unwrap(), "fd00::1".parse().unwrap()]);
        assert!(in_hosts(&path, "y").is_empty());
        fs::remove_file(&path).unwrap();
    }

    #[tokio::test]
    async fn address_needs_no_server() {
        let resolver = Resolver::new(Vec::new, file("none"));
        assert_eq!(
            resolver.addresses(&name("203.0.113.10")).await,
            Ok(vec!["203.0.113.10".parse().unwrap()])
        );
        assert!(resolver.addresses(&name("da.example")).await.is_err());
    }

    #[tokio::test]
    async fn what_was_found_once_is_known_after_a_new_start_without_dns() {
        let path = file("known");
        let found: Vec<IpAddr> = vec!["203.0.113.10".parse().unwrap()];
        Resolver::new(Vec::new, path.clone()).remember("da.example", &found);
        let resolver = Resolver::new(Vec::new, path.clone());
        assert_eq!(resolver.addresses(&name("da.example")).await, Ok(found));
        fs::remove_file(&path).unwrap();
    }
}
