//! What the machine is connected to: a value that changes when, and only when, a connection may have become better or worse.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use sixgate_io_host::{HostError, Monitor, Netlink};
use sixgate_io_link::{Interest, Poller, Waker};
use sixgate_wire::addr::IpPrefix;
use tokio::sync::Notify;

use crate::Failure;

/// Links with a carrier, their addresses, the ways out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Network {
    links: Vec<(u32, bool)>,
    addresses: Vec<(u32, IpAddr)>,
    ways_out: Vec<(Option<u32>, Option<IpAddr>, Option<u32>)>,
}

impl Network {
    /// The network without our own device.
    pub(crate) fn look(netlink: &mut Netlink, own: u32) -> Result<Self, HostError> {
        let links = netlink.links()?;
        let links: Vec<_> = links
            .into_iter()
            .filter(|l| l.index != own && !l.loopback)
            .map(|l| (l.index, l.running))
            .collect();
        let others = |link: u32| links.iter().any(|(index, _)| *index == link);
        let mut addresses: Vec<_> = netlink
            .addresses(None)?
            .into_iter()
            .filter(|a| others(a.link))
            .map(|a| (a.link, a.address))
            .collect();
        addresses.sort_unstable();
        let mut ways_out: Vec<_> = netlink
            .routes()?
            .into_iter()
            .filter(|r| is_default(r.destination) && r.link != Some(own))
            .map(|r| (r.link, r.gateway, r.metric))
            .collect();
        ways_out.sort_unstable();
        Ok(Self { links, addresses, ways_out })
    }

    /// True when the machine has this address, on a link other than ours.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|(_, a)| *a == address)
    }
}

const fn is_default(destination: IpPrefix) -> bool {
    match destination {
        IpPrefix::V4(prefix) => prefix.length() == 0,
        IpPrefix::V6(prefix) => prefix.length() == 0,
    }
}

/// Watches for news of the network on a thread of its own, which ends when this is dropped.
pub(crate) struct Watch {
    news: Arc<Notify>,
    end: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches from now on: no change after this is missed.
    pub(crate) fn start() -> Result<Self, Failure> {
        let monitor = Monitor::new()?;
        let (news, end, waker) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)), Waker::new()?);
        let inside = (Arc::clone(&news), Arc::clone(&end), waker.clone());
        let thread = thread::Builder::new().name("network".to_owned()).spawn(move || {
            let (news, end, waker) = inside;
            if let Err(error) = watch(&monitor, &news, &end, &waker) {
                tracing::warn!("changes of the network are not seen any more: {error}");
            }
        })?;
        Ok(Self { news, end, waker, thread: Some(thread) })
    }

    /// Waits until something was said to have changed since the last call.
    pub(crate) async fn changed(&self) {
        self.news.notified().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say at its end.
            let _ = thread.join();
        }
    }
}

fn watch(monitor: &Monitor, news: &Notify, end: &AtomicBool, waker: &Waker) -> io::Result<()> {
    let mut poller = Poller::new(2)?;
    poller.add(monitor, 0, Interest::READ)?;
    poller.add(waker, 1, Interest::READ)?;
    while !end.load(Ordering::Acquire) {
        for event in poller.wait(None)? {
            if event.token == 0 && monitor.drain() {
                news.notify_one();
            }
        }
    }
    Ok(())
}
