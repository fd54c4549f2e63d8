//! `[metrics]`: counts for a scraper.

use core::net::SocketAddr;

use crate::reader::Node;
use crate::report::Report;
use crate::values;

/// `[metrics]`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metrics {
    /// Where `GET /metrics` is answered, to whoever asks.
    pub listen: SocketAddr,
}

pub(crate) fn read(node: &Node<'_>, report: &mut Report) -> Option<Metrics> {
    let mut table = node.table(report)?;
    let listen = table.need("listen", "\"127.0.0.1:9464\"", report);
    let listen = listen.and_then(|n| n.parse(values::endpoint, report));
    table.finish(report);
    Some(Metrics { listen: listen? })
}
