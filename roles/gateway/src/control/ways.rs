//! Tells the translator when the ways out change.

use std::sync::Arc;

use sixgate_io_host::Netlink;

use super::Net;
use super::news::News;
use crate::Failure;
use crate::net::KernelWays;
use crate::seam::ToNet;

/// Watches routes and links until the future is dropped. `within` is as in [`KernelWays::look`].
pub(crate) async fn watch(net: Net, within: Option<u16>) {
    if let Err(error) = follow(&net, within).await {
        tracing::warn!("the translator goes on with the MTUs that it knows: {error}");
    }
}

async fn follow(net: &Net, within: Option<u16>) -> Result<(), Failure> {
    let mut news = News::start()?;
    let mut netlink = Netlink::new()?;
    let mut known = KernelWays::default();
    loop {
        news.next().await;
        let ways = KernelWays::look(&mut netlink, within)?;
        if !ways.is_as(&known) {
            net.tell(ToNet::Ways(Arc::new(ways.clone())));
            known = ways;
        }
    }
}
