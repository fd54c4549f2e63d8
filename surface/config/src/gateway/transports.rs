//! `[transports]`: ways for clients to come in.

use super::{IpHttps, any_https};
use crate::dns;
use crate::reader::Node;
use crate::report::Report;

pub(super) fn read(node: &Node<'_>, report: &mut Report) -> Option<IpHttps> {
    let mut table = node.table(report)?;
    for key in ["masque", "teredo", "6to4"] {
        // `false` asks for nothing, so it is no error.
        if let Some(node) = table.take(key)
            && !(node.is_boolean() && node.boolean(report) == Some(false))
        {
            report.not_yet(&node.key, node.span.clone(), &format!("the transport {key}"));
        }
    }
    let ip_https = table.take("ip-https").and_then(|n| read_ip_https(&n, report));
    table.finish(report);
    ip_https
}

fn read_ip_https(node: &Node<'_>, report: &mut Report) -> Option<IpHttps> {
    if node.is_boolean() {
        return node.boolean(report)?.then(|| IpHttps { listen: any_https() });
    }
    let mut table = node.table(report)?;
    let listen = match table.take("listen") {
        Some(node) => dns::listeners(&node, report),
        None => any_https(),
    };
    table.finish(report);
    Some(IpHttps { listen })
}
