//! Names of hosts for lists: what DNS says of their addresses, asked in the background and remembered for a while.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sixgate_io_dns::resolv_conf::ResolvConf;
use sixgate_io_dns::reverse::name_of;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A list is printed without the names that have not come by then; they stand in the next one.
const PATIENCE: Duration = Duration::from_millis(300);
const GOOD_FOR: Duration = Duration::from_secs(3600);
/// A host without a name, or a name server without an answer, is asked again after this.
const BAD_FOR: Duration = Duration::from_secs(300);
/// Names that are remembered.
const MOST: usize = 8192;
/// Questions on their way at once, and new ones for one list.
const AT_ONCE: usize = 16;
const FOR_ONE_LIST: usize = 512;

/// What DNS said.
#[derive(Clone)]
pub(crate) struct HostNames {
    known: Arc<Mutex<HashMap<Ipv4Addr, Known>>>,
    room: Arc<Semaphore>,
}

struct Known {
    name: Option<String>,
    until: Instant,
}

impl Default for HostNames {
    fn default() -> Self {
        Self { known: Arc::default(), room: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl HostNames {
    /// The names of these addresses, as far as they are known within a moment. `servers` are asked, or those of the system
    /// when there are none.
    pub(crate) async fn of(
        &self,
        addresses: impl Iterator<Item = Ipv4Addr>,
        servers: Vec<SocketAddr>,
    ) -> BTreeMap<Ipv4Addr, String> {
        let addresses: Vec<Ipv4Addr> = addresses.collect();
        let unknown = self.claim(&addresses);
        if !unknown.is_empty() {
            let servers = Arc::new(if servers.is_empty() { of_system() } else { servers });
            let mut asked = JoinSet::new();
            for v4 in unknown {
                asked.spawn(self.clone().ask(v4, Arc::clone(&servers)));
            }
            let all = async { while asked.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(PATIENCE, all).await;
            // What is still on its way comes in by itself, for the next list.
            asked.detach_all();
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let name = |v4: &Ipv4Addr| Some((*v4, known.get(v4)?.name.clone()?));
        addresses.iter().filter_map(name).collect()
    }

    /// The addresses that have to be asked about; nobody else asks about them meanwhile.
    fn claim(&self, addresses: &[Ipv4Addr]) -> Vec<Ipv4Addr> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let mut unknown = Vec::new();
        for v4 in addresses {
            if unknown.len() == FOR_ONE_LIST || known.get(v4).is_some_and(|k| k.until > now) {
                continue;
            }
            if known.len() >= MOST && !known.contains_key(v4) {
                known.retain(|_, k| k.until > now);
                if known.len() >= MOST {
                    break;
                }
            }
            // An old name is better than none while the question is on its way.
            let name = known.remove(v4).and_then(|k| k.name);
            known.insert(*v4, Known { name, until: now + BAD_FOR });
            unknown.push(*v4);
        }
        unknown
    }

    async fn ask(self, v4: Ipv4Addr, servers: Arc<Vec<SocketAddr>>) {
        let Ok(_permit) = self.room.acquire().await else { return };
        let answer = name_of(IpAddr::V4(v4), &servers).await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(name) => {
                let until = Instant::now() + if name.is_some() { GOOD_FOR } else { BAD_FOR };
                known.insert(v4, Known { name, until });
            }
            Err(error) => tracing::debug!("the name of {v4}: {error}"),
        }
    }
}

fn of_system() -> Vec<SocketAddr> {
    ResolvConf::of_system().map(|conf| conf.servers).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);

    #[tokio::test]
    async fn a_name_server_that_is_silent_holds_nothing_up_and_is_not_asked_again_at_once() {
        // Somebody who never answers.
        let silent = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let names = HostNames::default();
        let start = Instant::now();
        let servers = vec![silent.local_addr().unwrap()];
        assert!(names.of([V4].into_iter(), servers.clone()).await.is_empty());
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        assert!(names.claim(&[V4]).is_empty());
    }

    #[test]
    fn the_memory_is_bounded() {
        let names = HostNames::default();
        for n in 0..20_u32 {
            let many: Vec<Ipv4Addr> = (0..512).map(|i| Ipv4Addr::from_bits(n * 512 + i)).collect();
            names.claim(&many);
        }
        assert_eq!(names.known.lock().unwrap().len(), MOST);
    }
}
