//! Follows the IPv4 addresses of this machine.
//!
//! RFC 6324, section 3.3: nothing is sent to, or taken about, an address of any interface of ours, and that is one that came after
//! the start as well. The address of the ISATAP link itself stays what it was: it is the router's identifier.

use std::sync::Arc;
use std::time::Duration;

use sixgate_io_host::{Monitor, Netlink};
use tokio::time::{MissedTickBehavior, interval};

use super::Control;
use crate::seam::{Addresses, ToNet};
use crate::{Failure, parent};

/// How often it is looked whether there is news: changes come in bursts.
const PAUSE: Duration = Duration::from_millis(200);

/// Watches the addresses until the future is dropped.
pub(crate) async fn watch(control: Arc<Control>) {
    if let Err(error) = follow(&control).await {
        tracing::warn!("the ISATAP router goes on with the addresses that this machine had: {error}");
    }
}

async fn follow(control: &Control) -> Result<(), Failure> {
    let monitor = Monitor::new()?;
    let mut netlink = Netlink::new()?;
    let mut known = Addresses::default();
    let mut pause = interval(PAUSE);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // At first without news: something may have changed before anybody watched.
    let mut news = true;
    loop {
        let mut missed = false;
        if news {
            match parent::addresses_now(&mut netlink) {
                Ok(addresses) if addresses == known => {}
                Ok(addresses) => {
                    known = addresses.clone();
                    control.has(addresses);
                }
                // A device may go while it is looked at.
                Err(error) => {
                    tracing::debug!("reading the addresses of this machine: {error}");
                    missed = true;
                }
            }
        }
        pause.tick().await;
        news = monitor.drain() || missed;
    }
}

impl Control {
    fn has(&self, addresses: Addresses) {
        let Ok(mut site) = self.site.lock() else { return };
        site.own_addresses.clone_from(&addresses.own);
        site.broadcasts.clone_from(&addresses.broadcasts);
        self.net.tell(ToNet::Machine(Box::new(addresses)));
    }
}
