//! Tells the translator when the ways out change.

use std::sync::Arc;
use std::time::Duration;

use sixgate_io_host::{Monitor, Netlink};
use tokio::time::{MissedTickBehavior, interval};

use super::Net;
use crate::Failure;
use crate::net::KernelWays;
use crate::seam::ToNet;

/// How often it is looked whether there is news. Changes come in bursts, and a table of many routes takes a while to read.
const PAUSE: Duration = Duration::from_millis(200);

/// Watches routes and links until the future is dropped. `within` is as in [`KernelWays::look`].
pub(crate) async fn watch(net: Net, within: Option<u16>) {
    if let Err(error) = follow(&net, within).await {
        tracing::warn!("the translator goes on with the MTUs that it knows: {error}");
    }
}

async fn follow(net: &Net, within: Option<u16>) -> Result<(), Failure> {
    let monitor = Monitor::new()?;
    let mut netlink = Netlink::new()?;
    let mut known = KernelWays::default();
    let mut pause = interval(PAUSE);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // At first without news: something may have changed before anybody watched.
    let mut news = true;
    loop {
        if news {
            let ways = KernelWays::look(&mut netlink, within)?;
            if !ways.is_as(&known) {
                net.tell(ToNet::Ways(Arc::new(ways.clone())));
                known = ways;
            }
        }
        pause.tick().await;
        news = monitor.drain();
    }
}
