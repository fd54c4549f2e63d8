//! Follows the IPv4 addresses of this machine.
//!
//! RFC 6324, section 3.3: nothing is sent to, or taken about, an address of any interface of ours, and that is one that came after
//! the start as well. The address of the ISATAP link itself stays what it was: it is the router's identifier.

use std::sync::Arc;

use sixgate_io_host::Netlink;

use super::Control;
use super::news::News;
use crate::seam::{Addresses, ToNet};
use crate::{Failure, parent};

/// Watches the addresses until the future is dropped.
pub(crate) async fn watch(control: Arc<Control>) {
    if let Err(error) = follow(&control).await {
        tracing::warn!("the ISATAP router goes on with the addresses that this machine had: {error}");
    }
}

async fn follow(control: &Control) -> Result<(), Failure> {
    let mut news = News::start()?;
    let mut netlink = Netlink::new()?;
    let mut known = Addresses::default();
    loop {
        news.next().await;
        match parent::addresses_now(&mut netlink) {
            Ok(addresses) if addresses == known => {}
            Ok(addresses) => {
                known = addresses.clone();
                control.has(addresses);
            }
            // A device may go while it is looked at.
            Err(error) => {
                tracing::debug!("reading the addresses of this machine: {error}");
                news.again();
            }
        }
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
