//! `sixgate who`

use serde_json::Value;
use sixgate_api::{Client, Who, path};
use sixgate_io_control::Method;

use super::{call, show};
use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::{Table, ago, octets};

/// Which clients are connected to this gateway
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate who")]
pub(crate) struct Args {
    /// Only this client
    name: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let mut answer = call(context, Method::Get, path::WHO, &Value::Null)?;
    if let Some(name) = &args.name
        && let Some(clients) = answer["clients"].as_array_mut()
    {
        clients.retain(|c| c["name"].as_str() == Some(name));
        if clients.is_empty() {
            return Err(Trouble::failed("no-such-client", format!("{name} is not connected")));
        }
    }
    show(context, answer, print)
}

fn print(who: Who) -> String {
    let head = ["client", "user", "address", "via", "from", "rtt", "since", "in/out", "last"];
    let mut table = Table::new("", &head);
    for client in &who.clients {
        table.row(row(client));
    }
    format!(
        "{}{} connected, {} enrolled, {} ISATAP hosts\n",
        table.render(),
        who.clients.len(),
        who.enrolled,
        who.isatap_hosts
    )
}

fn row(client: &Client) -> [String; 9] {
    let dash = || "-".to_owned();
    [
        client.name.clone(),
        client.user.clone().unwrap_or_else(dash),
        client.address.to_string(),
        client.via.clone(),
        client.from.to_string(),
        client.rtt_us.map_or_else(dash, |us| format!("{:.1} ms", us as f64 / 1000.0)),
        ago(Some(client.since)),
        format!("{} / {}", octets(client.rx_bytes), octets(client.tx_bytes)),
        client.last.map_or_else(dash, |t| format!("{} ago", ago(Some(t)))),
    ]
}
