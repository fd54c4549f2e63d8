//! `[names]`: which names clients send into the tunnel, and where clients are registered.

use core::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::reader::{At, Node, Table};
use crate::report::{Report, Rule};
use crate::values::{self, DnsName};

/// The whole section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names {
    /// Suffixes that clients send into the tunnel.
    pub route: Vec<DnsName>,
    /// Where clients get their AAAA.
    pub registration: Option<Registration>,
}

/// Registration of clients by RFC 2136.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// Clients are `NAME.zone`.
    pub zone: DnsName,
    /// Where updates go.
    pub server: SocketAddr,
    /// The TSIG key, in the syntax of BIND's `key` statement; `None` = unsigned.
    pub tsig_file: Option<PathBuf>,
}

pub(crate) fn read(node: &Node<'_>, base: &Path, report: &mut Report) -> Option<Names> {
    let mut table = node.table(report)?;
    let route = table.take("route").map(|n| n.list(values::name, report)).unwrap_or_default();
    for (i, at) in route.iter().enumerate() {
        if route[..i].iter().any(|r| r.value == at.value) {
            at.fault(Rule::Twice, format!("`{}` is listed twice", at.value), "remove one", report);
        }
    }
    if let Some(node) = table.take("exempt")
        && !node.list(values::name, report).is_empty()
    {
        report.not_yet(&node.key, node.span.clone(), "exemptions below the names of `route`");
    }
    let registration = read_registration(&mut table, base, report);
    table.finish(report);
    Some(Names { route: route.into_iter().map(|n| n.value).collect(), registration })
}

fn read_registration(table: &mut Table<'_>, base: &Path, report: &mut Report) -> Option<Registration> {
    let zone_node = table.take("zone");
    let zone = zone_node.as_ref().and_then(|n| n.parse(values::name, report));
    let Some(update) = table.take("update") else {
        if let Some(node) = zone_node {
            report.not_yet(
                &node.key,
                node.span.clone(),
                "an authoritative zone of its own; give `update` with the server that has the zone",
            );
        }
        return None;
    };
    if zone_node.is_none() {
        table.missing("zone", "\"clients.corp.example\"", report);
    }
    let mut update = update.table(report)?;
    let server = update.need("server", "\"10.6.0.53\"", report);
    let server = server.and_then(|n| n.parse(values::endpoint_or(53), report));
    if !update.has("tsig-file") {
        let here = At { value: (), span: update.span.clone(), key: update.path.clone() };
        let label = "anybody who can reach the server could do the same; add `tsig-file`";
        here.warn(Rule::Unsigned, "updates of the DNS are not signed", label, report);
    }
    let tsig_file = update.take("tsig-file").and_then(|n| n.parse(values::path, report));
    update.finish(report);
    Some(Registration { zone: zone?, server: server?, tsig_file: tsig_file.map(|p| base.join(p)) })
}
