//! `sixgate isatap hosts`

use serde_json::Value;
use sixgate_api::{HostState, IsatapHost, IsatapHosts, path};
use sixgate_io_control::Method;

use super::suggest::{self, Suggest};
use crate::cli::Context;
use crate::cmd::{call, show};
use crate::exit::{Exit, Trouble};
use crate::print::{Table, ago, dotted, octets};

/// Hosts that asked this router: served under which rule, or refused and why
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  sixgate isatap hosts\n  sixgate isatap hosts suggest --days 60")]
pub(crate) struct Hosts {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    Suggest(Suggest),
}

pub(super) fn run(args: &Hosts, context: &Context) -> Result<Exit, Trouble> {
    if let Some(What::Suggest(args)) = &args.what {
        return suggest::run(args, context);
    }
    show(context, call(context, Method::Get, path::ISATAP_HOSTS, &Value::Null)?, print)
}

fn print(answer: IsatapHosts) -> String {
    let head = [
        "host",
        "IPv4",
        "ISATAP address",
        "by",
        "first seen",
        "last RS",
        "flows out 30 d",
        "last flow",
        "in/out",
        "state",
    ];
    let mut table = Table::new("", &head);
    for host in &answer.hosts {
        table.row(row(host));
    }
    let served = answer.hosts.iter().filter(|h| h.state == HostState::Served).count();
    format!("{}{served} served, {} refused\n", table.render(), answer.hosts.len() - served)
}

/// The group, and where its rule stands; which group of a directory it is, `isatap allow --list` says.
fn rule(host: &IsatapHost) -> Option<String> {
    let rule = host.rule.as_ref()?;
    let place = host.origin.as_ref().and_then(|origin| origin.split(':').next());
    Some(place.map_or_else(|| rule.clone(), |place| format!("{rule} ({place})")))
}

fn row(host: &IsatapHost) -> [String; 10] {
    let dash = || "-".to_owned();
    let is_served = host.state == HostState::Served;
    let of_served = |text: String| if is_served { text } else { dash() };
    [
        host.name.clone().unwrap_or_else(|| "(unknown)".to_owned()),
        host.ipv4.to_string(),
        host.address.map_or_else(dash, |a| dotted(a, false)),
        rule(host).or_else(|| host.reason.clone()).unwrap_or_else(dash),
        ago(host.first_rs),
        ago(host.last_rs),
        of_served(host.flows_30d.to_string()),
        ago(host.last_flow),
        of_served(format!("{} / {}", octets(host.rx_bytes), octets(host.tx_bytes))),
        match (host.state, host.refusals) {
            (HostState::Served, _) => "served".to_owned(),
            (HostState::Refused, 0) => "refused".to_owned(),
            (HostState::Refused, 1) => "refused once".to_owned(),
            (HostState::Refused, n) => format!("refused {n} times"),
        },
    ]
}
