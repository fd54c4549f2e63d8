//! Metrics for Prometheus: text format 0.0.4, read from both planes at each scrape.
//!
//! Written here: the libraries keep registries of their own counters, and ours live in the packet plane.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

use sixgate_api::Resolver;
use sixgate_nat64::{Gauges, Level, PoolView};
use sixgate_reason::{
    NAT64_CLIENT_LIMIT, NAT64_CLIENT_PORTS, NAT64_CLIENT_RATE, NAT64_POOL_EXHAUSTED, NAT64_SESSION_LIMIT,
    Reason,
};

use super::Control;
use super::ledger::{Entry, Ledger};
use crate::net::Traffic;
use crate::seam::{Counts, Question};

/// Of the answer.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Where it is, as every scraper expects it.
pub(crate) const PATH: &str = "/metrics";
/// ISATAP hosts with lines of their own: those with most flows. Each is a time series of the scraper for ever.
const MOST_HOSTS: usize = 1000;

/// Everything at this moment.
pub(crate) async fn render(control: Arc<Control>) -> String {
    let counts = control.net.ask(Question::Counts).await.unwrap_or_default();
    let pools = control.net.ask(Question::Pools).await.unwrap_or_default();
    let mut text = Text::default();
    text.family("sixgate_build_info", "gauge", "the program");
    text.line("sixgate_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.single("sixgate_start_time_seconds", "gauge", "when the daemon started", control.since.as_second());
    let counters = control.counts_by_reason().await;
    drops(&mut text, &counters);
    let enrolled = control.door.as_ref().map_or(0, |door| door.enrolled());
    everything(&mut text, &counts, enrolled);
    let registered = control.names.as_ref().map(crate::names::Names::registered).unwrap_or_default();
    let failed = registered.iter().filter(|r| r.failure.is_some()).count();
    text.family("sixgate_dns_names", "gauge", "names of clients that should stand in DNS");
    text.line("sixgate_dns_names", &[("state", "registered")], registered.len() - failed);
    text.line("sixgate_dns_names", &[("state", "failed")], failed);
    if let Some(service) = control.names.as_ref().and_then(crate::names::Names::service) {
        resolver(&mut text, &service.statistics());
    }
    if !pools.is_empty() {
        nat64(&mut text, counts.nat64, &counters, &pools);
    }
    traffic(&mut text, &control.net.ask(Question::Traffic).await.unwrap_or_default());
    if let Ok(ledger) = control.ledger.lock() {
        isatap(&mut text, &counts, &ledger);
    }
    text.0
}

fn drops(text: &mut Text, counters: &BTreeMap<String, u64>) {
    text.family("sixgate_drops_total", "counter", "packets and requests dropped or refused, by reason");
    for (reason, count) in counters {
        text.line("sixgate_drops_total", &[("reason", reason)], count);
    }
}

fn everything(text: &mut Text, counts: &Counts, enrolled: u64) {
    text.single("sixgate_clients_connected", "gauge", "clients with a session", counts.clients);
    text.single("sixgate_clients_enrolled", "gauge", "clients that hold a certificate", enrolled);
    text.single("sixgate_flows", "gauge", "flows in the table of the filter", counts.flows);
}

fn resolver(text: &mut Text, of: &Resolver) {
    let questions = of.questions;
    text.family(
        "sixgate_dns_questions_total",
        "counter",
        "questions of the resolver, by where the answer came from",
    );
    for (from, count) in [
        ("at-once", questions.at_once),
        ("cache", questions.cached),
        ("stale", questions.stale),
        ("held-failure", questions.held),
        ("upstream", questions.asked),
        ("joined", questions.joined),
        ("refresh", questions.refreshed),
    ] {
        text.line("sixgate_dns_questions_total", &[("from", from)], count);
    }
    text.single("sixgate_dns_cache_entries", "gauge", "answers in the cache", of.cache.entries);
    text.single("sixgate_dns_cache_bytes", "gauge", "octets of answers in the cache", of.cache.octets);
    text.single(
        "sixgate_dns_cache_evicted_total",
        "counter",
        "answers that left for others",
        of.cache.evicted,
    );
    text.family("sixgate_dns_upstream_up", "gauge", "1 for a name server that answers");
    for one in &of.upstreams {
        let labels = [("server", one.server.to_string()), ("suffix", one.suffix.clone())];
        let labels = labels.each_ref().map(|(key, value)| (*key, value.as_str()));
        text.line("sixgate_dns_upstream_up", &labels, u8::from(one.alive));
    }
    text.family("sixgate_dns_upstream_answers_total", "counter", "what became of questions to a name server");
    for one in &of.upstreams {
        let server = one.server.to_string();
        for (what, count) in [("answer", one.answers), ("silence", one.silences), ("failure", one.failures)] {
            let labels = [("server", server.as_str()), ("suffix", one.suffix.as_str()), ("outcome", what)];
            text.line("sixgate_dns_upstream_answers_total", &labels, count);
        }
    }
}

/// Refusals for want of room: always there, so that a rule can watch a counter that is still zero.
const NO_ROOM: [Reason; 5] =
    [NAT64_POOL_EXHAUSTED, NAT64_SESSION_LIMIT, NAT64_CLIENT_LIMIT, NAT64_CLIENT_PORTS, NAT64_CLIENT_RATE];

fn nat64(text: &mut Text, gauges: Gauges, drops: &BTreeMap<String, u64>, pools: &[PoolView]) {
    text.single("sixgate_nat64_sessions", "gauge", "sessions of NAT64", gauges.sessions);
    text.single("sixgate_nat64_bindings", "gauge", "bindings of NAT64", gauges.bindings);
    text.single(
        "sixgate_nat64_held_syns",
        "gauge",
        "SYNs from outside that wait for the inside",
        gauges.held_syns,
    );
    text.single(
        "sixgate_nat64_fragments_waiting",
        "gauge",
        "fragments that wait for others",
        gauges.fragments,
    );
    let octets = gauges.fragment_octets;
    text.single("sixgate_nat64_fragment_bytes_waiting", "gauge", "octets of fragments that wait", octets);
    text.family("sixgate_nat64_refusals_total", "counter", "packets refused for want of room, by reason");
    for reason in NO_ROOM {
        let count = drops.get(reason.code()).copied().unwrap_or(0);
        text.line("sixgate_nat64_refusals_total", &[("reason", reason.code())], count);
    }
    let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for pool in pools {
        let (used, total) = sums.entry(pool.protocol.name()).or_default();
        *used += pool.used;
        *total += pool.total;
    }
    text.family("sixgate_nat64_ports_used", "gauge", "ports of the NAT64 pool in use");
    for (proto, (used, _)) in &sums {
        text.line("sixgate_nat64_ports_used", &[("proto", proto)], used);
    }
    text.family("sixgate_nat64_ports", "gauge", "ports of the NAT64 pool");
    for (proto, (_, total)) in &sums {
        text.line("sixgate_nat64_ports", &[("proto", proto)], total);
    }
    parts(text, pools);
}

/// Each part of the pool for itself.
fn parts(text: &mut Text, pools: &[PoolView]) {
    type Value = fn(&PoolView) -> u64;
    let families: [(&str, &str, Value); 4] = [
        ("sixgate_nat64_pool_ports_used", "ports of a part of the pool in use", |p| p.used),
        ("sixgate_nat64_pool_ports", "ports of a part of the pool", |p| p.total),
        ("sixgate_nat64_pool_blocks_used", "port blocks of a part of the pool in use", |p| p.blocks_used),
        ("sixgate_nat64_pool_alarm", "0 there is room, 1 nearly used up, 2 used up", |p| match p.level {
            Level::Normal => 0,
            Level::High => 1,
            Level::Full => 2,
        }),
    ];
    for (name, help, value) in families {
        text.family(name, "gauge", help);
        for pool in pools {
            let (addresses, ports) =
                (pool.addresses.to_string(), format!("{}-{}", pool.ports.start(), pool.ports.end()));
            let labels = [
                ("proto", pool.protocol.name()),
                ("addresses", addresses.as_str()),
                ("ports", ports.as_str()),
            ];
            text.line(name, &labels, value(pool));
        }
    }
}

/// Where several workers translate: how many packets came to each, and how many came to the wrong one.
fn traffic(text: &mut Text, workers: &[Traffic]) {
    if workers.is_empty() {
        return;
    }
    type Value = fn(&Traffic) -> u64;
    let families: [(&str, &str, Value); 2] = [
        ("sixgate_nat64_worker_packets_total", "packets from the kernel, by worker", |t| t.read),
        ("sixgate_nat64_worker_crossed_total", "packets handed to the worker they belong to", |t| t.crossed),
    ];
    for (name, help, value) in families {
        text.family(name, "counter", help);
        for of_one in workers {
            text.line(name, &[("worker", &of_one.worker.to_string())], value(of_one));
        }
    }
}

/// Of the ledger, which follows the packet plane by seconds: a scrape makes no list of all hosts there.
fn isatap(text: &mut Text, counts: &Counts, ledger: &Ledger) {
    text.family("sixgate_isatap_hosts", "gauge", "hosts that asked for ISATAP, by state");
    text.line("sixgate_isatap_hosts", &[("state", "served")], counts.hosts_served);
    text.line("sixgate_isatap_hosts", &[("state", "refused")], counts.hosts_refused);
    let mut served: Vec<(Ipv4Addr, &Entry)> = ledger.iter().filter(|(_, entry)| entry.is_served()).collect();
    served.sort_by_key(|(ipv4, entry)| (std::cmp::Reverse(entry.counted.flows), *ipv4));
    served.truncate(MOST_HOSTS);
    type Value = fn(&Entry) -> u64;
    let families: [(&str, &str, Value); 3] = [
        ("sixgate_isatap_host_flows_total", "flows that a host opened", |e| e.counted.flows),
        ("sixgate_isatap_host_receive_bytes_total", "octets from a host", |e| e.counted.rx_bytes),
        ("sixgate_isatap_host_transmit_bytes_total", "octets to a host", |e| e.counted.tx_bytes),
    ];
    for (name, help, value) in families {
        text.family(name, "counter", help);
        for (ipv4, entry) in &served {
            text.line(name, &[("host", &ipv4.to_string())], value(entry));
        }
    }
}

/// The text as it grows. Names and help are ours; values of labels are escaped.
#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.line(name, &[], value);
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(last: u32, flows: u64) -> Vec<u8> {
        let counted = json!({"flows": flows, "rx_bytes": 5, "tx_bytes": 6});
        let ipv4 = Ipv4Addr::from_bits(0x0a06_0000 + last);
        let row = json!({"ipv4": ipv4, "global": false, "router_global": false, "first_rs": 1, "last_rs": 1,
                         "served": last != 7, "counted": counted});
        serde_json::to_vec(&row).unwrap()
    }

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let mut text = Text::default();
        drops(&mut text, &[("isatap-loop".to_owned(), 3)].into());
        text.line("x", &[("a", "q\"\\\n"), ("b", "")], 1);
        assert_eq!(
            text.0,
            "# HELP sixgate_drops_total packets and requests dropped or refused, by reason\n\
             # TYPE sixgate_drops_total counter\n\
             sixgate_drops_total{reason=\"isatap-loop\"} 3\n\
             x{a=\"q\\\"\\\\\\n\",b=\"\"} 1\n"
        );
    }

    #[test]
    fn each_part_of_the_pool_has_its_alarm_and_a_refusal_is_there_before_the_first() {
        let part = PoolView {
            protocol: sixgate_nat64::Proto::Tcp,
            addresses: "192.0.2.2/32".parse().unwrap(),
            ports: 1..=100,
            used: 99,
            total: 100,
            blocks_used: 0,
            blocks: 0,
            level: Level::Full,
        };
        let mut text = Text::default();
        let drops = [("nat64-client-limit".to_owned(), 7)].into();
        nat64(&mut text, Gauges { held_syns: 3, ..Gauges::default() }, &drops, &[part]);
        for line in [
            "sixgate_nat64_held_syns 3\n",
            "sixgate_nat64_refusals_total{reason=\"nat64-pool-exhausted\"} 0\n",
            "sixgate_nat64_refusals_total{reason=\"nat64-client-limit\"} 7\n",
            "sixgate_nat64_ports_used{proto=\"tcp\"} 99\n",
            "sixgate_nat64_pool_ports{proto=\"tcp\",addresses=\"192.0.2.2/32\",ports=\"1-100\"} 100\n",
            "sixgate_nat64_pool_alarm{proto=\"tcp\",addresses=\"192.0.2.2/32\",ports=\"1-100\"} 2\n",
        ] {
            assert!(text.0.contains(line), "{line}: {}", text.0);
        }
    }

    #[test]
    fn only_so_many_hosts_have_lines_of_their_own_and_those_that_do_most_are_among_them() {
        let rows: Vec<Vec<u8>> = (0..2000).map(|n| row(n, u64::from(n))).collect();
        let ledger = Ledger::read(rows.iter().map(Vec::as_slice));
        let mut text = Text::default();
        isatap(&mut text, &Counts { hosts_served: 1999, ..Counts::default() }, &ledger);
        let flows = text.0.lines().filter(|line| line.starts_with("sixgate_isatap_host_flows_total{"));
        assert_eq!(flows.clone().count(), MOST_HOSTS);
        assert_eq!(flows.clone().next(), Some("sixgate_isatap_host_flows_total{host=\"10.6.7.207\"} 1999"));
        assert!(text.0.contains("sixgate_isatap_hosts{state=\"served\"} 1999\n"));
    }
}
