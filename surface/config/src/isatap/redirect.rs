//! `redirect`: which peer is the better way to which prefix.

use core::net::Ipv4Addr;

use sixgate_wire::addr::Ipv6Prefix;

use crate::reader::{Node, Table};
use crate::report::{Report, Rule};
use crate::values;

/// Hosts that send to `prefix` through this router are told of `peer`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Redirect {
    /// Where it holds.
    pub prefix: Ipv6Prefix,
    /// One of the peers.
    pub peer: Ipv4Addr,
}

/// Most of them: each packet of a host is held against all.
const MOST: usize = 16;

pub(crate) fn read(table: &mut Table<'_>, peers: &[Ipv4Addr], report: &mut Report) -> Vec<Redirect> {
    let Some(node) = table.take("redirect") else { return Vec::new() };
    let all: Vec<_> = node.items(report).iter().filter_map(|n| one(n, peers, report)).collect();
    if all.len() > MOST {
        let label = format!("{} are given, {MOST} are the most", all.len());
        node.fault(Rule::Range, "too many redirects", label, report);
    }
    all
}

fn one(node: &Node<'_>, peers: &[Ipv4Addr], report: &mut Report) -> Option<Redirect> {
    let mut table = node.table(report)?;
    let prefix = table.need("prefix", "\"fd6a:7e00:cafe:1::/64\"", report);
    let prefix = prefix.and_then(|n| n.parse(values::ipv6_prefix, report));
    let peer = table.need("peer", "\"10.6.0.2\"", report);
    let peer = peer.and_then(|n| Some(n.at(n.parse(super::unicast, report)?)));
    table.finish(report);
    let (prefix, peer) = (prefix?, peer?);
    if !peers.contains(&peer.value) {
        peer.fault(
            Rule::Needs,
            "hosts would be sent to a router that is no peer",
            "allowed: an address in `peers`; hosts believe only routers that they know",
            report,
        );
    }
    Some(Redirect { prefix, peer: peer.value })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn a_redirect_leads_to_a_peer() {
        let read = |keys: &str| {
            let text = format!(
                "schema = 1\n[isatap]\ninterface = \"int0\"\nprefix = \"fd6a:7e00:cafe:2::/64\"\n\
                 routes = [{{ prefix = \"fd6a:7e00:cafe:1::/64\" }}]\npeers = [\"10.6.0.2\"]\n{keys}\n\
                 [[isatap.allow]]\nhosts = [\"10.6.8.20\"]\n"
            );
            crate::gateway(Path::new("router.toml"), &text)
        };
        let redirect = |peer: &str| {
            read(&format!("redirect = [{{ prefix = \"fd6a:7e00:cafe:1::/64\", peer = \"{peer}\" }}]"))
        };
        let isatap = redirect("10.6.0.2").unwrap().value.isatap.unwrap();
        assert_eq!((isatap.redirect.len(), isatap.redirect[0].peer.octets()), (1, [10, 6, 0, 2]));
        assert!(redirect("10.6.0.3").unwrap_err().render().contains("is no peer"));
        assert!(read("").unwrap().value.isatap.unwrap().redirect.is_empty());
    }
}
