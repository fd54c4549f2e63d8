//! `sixgate isatap hosts`

use serde_json::Value;
use sixgate_api::{HostState, IsatapHosts, path};
use sixgate_io_control::Method;

use crate::cli::Context;
use crate::cmd::{call, show};
use crate::exit::{Exit, Trouble};
use crate::print::{Table, ago, dotted, octets};

pub(super) fn run(context: &Context) -> Result<Exit, Trouble> {
    show(context, call(context, Method::Get, path::ISATAP_HOSTS, &Value::Null)?, print)
}

fn print(answer: IsatapHosts) -> String {
    let head = ["host", "IPv4", "ISATAP address", "by", "first seen", "last RS", "in/out", "state"];
    let mut table = Table::new("", &head);
    let dash = || "-".to_owned();
    for host in &answer.hosts {
        table.row([
            host.name.clone().unwrap_or_else(|| "(unknown)".to_owned()),
            host.ipv4.to_string(),
            host.address.map_or_else(dash, |a| dotted(a, false)),
            host.rule.clone().unwrap_or_else(dash),
            ago(host.first_rs),
            ago(host.last_rs),
            format!("{} / {}", octets(host.rx_bytes), octets(host.tx_bytes)),
            match (host.state, &host.reason) {
                (HostState::Served, _) => "served".to_owned(),
                (HostState::Refused, Some(reason)) => format!("refused: {reason}"),
                (HostState::Refused, None) => "refused".to_owned(),
            },
        ]);
    }
    let served = answer.hosts.iter().filter(|h| h.state == HostState::Served).count();
    format!("{}{served} served, {} refused\n", table.render(), answer.hosts.len() - served)
}
