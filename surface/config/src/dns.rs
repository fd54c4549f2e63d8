//! `[dns]`: the forwarder that clients ask.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix};

use crate::gateway::Site;
use crate::reader::{Node, Table};
use crate::report::{Report, Rule};
use crate::values::{self, DnsName, IpPrefix};

/// The whole section, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dns {
    /// UDP and TCP; at least one.
    pub listen: Vec<SocketAddr>,
    /// Asked for every name that no `forward` rule has. Empty = only `forward` and our own answers.
    pub upstream: Vec<SocketAddr>,
    /// The longest suffix decides.
    pub forward: Vec<Forward>,
    /// Who may ask; others get REFUSED.
    pub allow: Vec<IpPrefix>,
    /// First labels that are refused; `None` = off.
    pub block: Option<Block>,
    /// Questions a second and client; 0 = no limit.
    pub rate_limit: u32,
    /// Octets of answers that are remembered.
    pub cache_size: usize,
    /// Answers are given past their time when no upstream answers (RFC 8767).
    pub serve_stale: bool,
    /// Addresses inside are taken out of answers of `upstream`.
    pub rebinding_protection: bool,
    /// Where each question is written down; `None` = nowhere.
    pub query_log: Option<QueryLog>,
}

/// What is written down of questions, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueryLog {
    /// One JSON value a line.
    pub file: PathBuf,
    /// What of the asker.
    pub privacy: QueryPrivacy,
}

/// What the query log says of who asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueryPrivacy {
    /// Its address.
    Full,
    /// The network: 24 bits of an IPv4 address, 48 of an IPv6 address.
    Network,
    /// Nothing.
    NoClient,
}

/// Servers of one suffix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forward {
    /// The name itself and all names below.
    pub suffix: DnsName,
    /// At least one.
    pub servers: Vec<SocketAddr>,
}

/// The query block list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// Under which suffixes a first label is refused.
    pub zones: Vec<DnsName>,
    /// Lower case. As the whole name they are refused too, whatever the zones.
    pub labels: Vec<String>,
}

const LABELS: [&str; 2] = ["isatap", "wpad"];
const PORT: u16 = 53;
/// Of the cache: a hundred thousand names and more.
const MEBIBYTES: u64 = 64;
const MOST_MEBIBYTES: u64 = 65_536;

/// Reads the section. `site` is `None` also where `[gateway]` has a fault. `routes` are the suffixes of `[names]`, for the block list.
pub(crate) fn read(
    node: &Node<'_>,
    base: &Path,
    site: Option<&Site>,
    has_gateway: bool,
    routes: &[DnsName],
    report: &mut Report,
) -> Option<Dns> {
    let mut table = node.table(report)?;
    table.not_yet("tls", "DNS over TLS", report);
    table.not_yet("upstream-ca", "DNS over TLS", report);
    table.not_yet("trust-anchor", "DNSSEC validation", report);
    refuse_when_on(&mut table, report);
    let listen = read_listen(&mut table, site, has_gateway, report);
    let upstream = read_upstream(&mut table, has_gateway, report);
    let forward = table.take("forward").map(|n| read_forward(&n, report)).unwrap_or_default();
    let allow = match table.take("allow") {
        Some(n) => n.list_of_some(values::ip_prefix, report).into_iter().map(|p| p.value).collect(),
        None => default_allow(site),
    };
    let block = read_block(&mut table, routes, report);
    let rate_limit = table.take("rate-limit").and_then(|n| n.number(0, 1_000_000, report)).unwrap_or(0);
    let mebibytes = table.take("cache-size").and_then(|n| n.number(1, MOST_MEBIBYTES, report));
    let serve_stale = table.take("serve-stale").and_then(|n| n.boolean(report)).unwrap_or(true);
    let rebinding_protection =
        table.take("rebinding-protection").and_then(|n| n.boolean(report)).unwrap_or(false);
    let query_log = table.take("query-log").and_then(|n| read_log(&n, base, report));
    table.finish(report);
    Some(Dns {
        listen,
        upstream,
        forward,
        allow,
        block,
        rate_limit: u32::try_from(rate_limit).unwrap_or(u32::MAX),
        cache_size: usize::try_from(mebibytes.unwrap_or(MEBIBYTES)).unwrap_or(usize::MAX >> 20) << 20,
        serve_stale,
        rebinding_protection,
        query_log,
    })
}

/// Keys whose quiet value is fine and whose other values ask for a part that is not there.
fn refuse_when_on(table: &mut Table<'_>, report: &mut Report) {
    if let Some(node) = table.take("validate")
        && node.boolean(report) == Some(true)
    {
        report.not_yet(&node.key, node.span.clone(), "DNSSEC validation");
    }
}

fn read_listen(
    table: &mut Table<'_>,
    site: Option<&Site>,
    has_gateway: bool,
    report: &mut Report,
) -> Vec<SocketAddr> {
    match (table.take("listen"), site) {
        (Some(node), _) => listeners(&node, report),
        (None, Some(site)) => vec![SocketAddr::new(IpAddr::V6(site.dns64_address()), PORT)],
        // The address comes from [gateway], whose own fault is reported.
        (None, None) if has_gateway => Vec::new(),
        (None, None) => {
            table.missing("listen", "[\"127.0.0.1:53\"]", report);
            Vec::new()
        }
    }
}

/// Endpoints to listen at; none may take the address and port of another.
pub(crate) fn listeners(node: &Node<'_>, report: &mut Report) -> Vec<SocketAddr> {
    let found = node.list_of_some(values::endpoint, report);
    for (i, at) in found.iter().enumerate() {
        let collides = |e: &SocketAddr| {
            e.port() == at.value.port()
                && e.is_ipv4() == at.value.is_ipv4()
                && (e.ip() == at.value.ip() || e.ip().is_unspecified() || at.value.ip().is_unspecified())
        };
        if let Some(first) = found[..i].iter().find(|e| collides(&e.value)) {
            at.fault_beside(
                Rule::Twice,
                format!("{} is listened at twice", at.value),
                "remove one",
                Some((first.span.clone(), "this takes it already".to_owned())),
                report,
            );
        }
    }
    found.into_iter().map(|e| e.value).collect()
}

fn read_upstream(table: &mut Table<'_>, required: bool, report: &mut Report) -> Vec<SocketAddr> {
    let example = "[\"10.6.0.53\"]";
    let Some(node) = table.take("upstream") else {
        if required {
            table.missing("upstream", example, report);
        }
        return Vec::new();
    };
    servers(&node, report)
}

/// A list of servers; the port may be left out.
fn servers(node: &Node<'_>, report: &mut Report) -> Vec<SocketAddr> {
    let items = node.items(report);
    if items.is_empty() {
        let name = node.name();
        node.fault(Rule::Empty, format!("`{name}` is empty"), "at least one element is needed", report);
    }
    let mut found = Vec::new();
    for item in items {
        let Some(text) = item.text(report) else { continue };
        if text.starts_with("tls://") {
            report.not_yet(&item.key, item.span.clone(), "DNS over TLS");
            continue;
        }
        found.extend(item.parse(values::endpoint_or(PORT), report));
    }
    found
}

fn read_log(node: &Node<'_>, base: &Path, report: &mut Report) -> Option<QueryLog> {
    let mut table = node.table(report)?;
    let file = table.need("file", "\"queries.log\"", report).and_then(|n| n.parse(values::path, report));
    let words = [
        ("full", QueryPrivacy::Full),
        ("network", QueryPrivacy::Network),
        ("no-client", QueryPrivacy::NoClient),
    ];
    let privacy = table.take("privacy").map_or(Some(QueryPrivacy::Full), |n| n.choice(&words, report));
    table.finish(report);
    Some(QueryLog { file: base.join(file?), privacy: privacy? })
}

fn read_forward(node: &Node<'_>, report: &mut Report) -> Vec<Forward> {
    let Some(table) = node.table(report) else { return Vec::new() };
    let mut found: Vec<Forward> = Vec::new();
    for (key, span, node) in table.each() {
        let servers = servers(&node, report);
        match values::name(key) {
            Ok(suffix) if found.iter().any(|f| f.suffix == suffix) => {
                node.shown_at(span).fault(
                    Rule::Twice,
                    format!("`{suffix}` is forwarded twice"),
                    "join the two lists",
                    report,
                );
            }
            Ok(suffix) => found.push(Forward { suffix, servers }),
            Err(c) => node.shown_at(span).fault(c.rule, c.title, c.label, report),
        }
    }
    found
}

/// Loopback, link-local and private addresses, and the gateway's own prefix: nobody on the Internet.
fn default_allow(site: Option<&Site>) -> Vec<IpPrefix> {
    let v4 = |a, b, length| IpPrefix::V4(Ipv4Prefix::containing(Ipv4Addr::new(a, b, 0, 0), length));
    let v6 = |high: u16, low: u16, length| {
        IpPrefix::V6(Ipv6Prefix::containing([high, 0, 0, 0, 0, 0, 0, low].into(), length))
    };
    let mut allow = vec![v4(127, 0, 8), v6(0, 1, 128), v4(10, 0, 8), v4(172, 16, 12), v4(192, 168, 16)];
    allow.extend([v6(0xfe80, 0, 10), v6(0xfc00, 0, 7)]);
    allow.extend(site.map(|s| IpPrefix::V6(s.prefix)));
    allow
}

fn read_block(table: &mut Table<'_>, routes: &[DnsName], report: &mut Report) -> Option<Block> {
    let labels = || LABELS.map(str::to_owned).to_vec();
    let default = || Block { zones: routes.to_vec(), labels: labels() };
    let Some(node) = table.take("block") else {
        return Some(default());
    };
    if node.is_boolean() {
        return node.boolean(report)?.then(default);
    }
    let mut block = node.table(report)?;
    let zones =
        block.take("zones").map(|n| n.list(values::name, report).into_iter().map(|z| z.value).collect());
    let given = block
        .take("labels")
        .map(|n| n.list_of_some(values::label, report).into_iter().map(|l| l.value).collect());
    block.finish(report);
    Some(Block { zones: zones.unwrap_or_else(|| routes.to_vec()), labels: given.unwrap_or_else(labels) })
}
