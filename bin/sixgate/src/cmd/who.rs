//! `sixgate who`

use serde_json::{Value, json};
use sixgate_api::{Client, Flow, Flows, Nat64Sessions, Session, Who, path};
use sixgate_io_control::Method;

use super::{call, show, understood};
use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::{Table, ago, dotted, octets};

/// Which clients are connected to this gateway
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  sixgate who\n  sixgate who laptop-01 --flows")]
pub(crate) struct Args {
    /// Only this client
    name: Option<String>,
    /// What it has open with whom
    #[arg(long, requires = "name")]
    flows: bool,
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
    if args.flows {
        return flows(answer, context);
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
        client.rtt_us.map_or_else(dash, milliseconds),
        ago(Some(client.since)),
        format!("{} / {}", octets(client.rx_bytes), octets(client.tx_bytes)),
        client.last.map_or_else(dash, |t| format!("{} ago", ago(Some(t)))),
    ]
}

fn milliseconds(us: u64) -> String {
    format!("{:.1} ms", us as f64 / 1000.0)
}

/// The client with its open flows; what NAT64 made of one stands beside it.
fn flows(mut answer: Value, context: &Context) -> Result<Exit, Trouble> {
    let address = answer["clients"][0]["address"].clone();
    let flows = call(context, Method::Post, path::FLOWS, &json!({"within": address}))?;
    let sessions = call(context, Method::Post, path::NAT64_SESSIONS, &json!({"client": address}))?;
    if context.out.json {
        answer["flows"] = flows["flows"].clone();
        answer["nat64"] = sessions["sessions"].clone();
        context.out.document(&answer);
        return Ok(Exit::Good);
    }
    let who: Who = understood(answer)?;
    let (flows, sessions): (Flows, Nat64Sessions) = (understood(flows)?, understood(sessions)?);
    let mut text = String::new();
    for client in &who.clients {
        text.push_str(&headline(client));
        let mut table = Table::new("  ", &["", "with", "what", "in/out", "state", "nat64"]);
        for flow in &flows.flows {
            table.row(flow_row(client, flow, &sessions.sessions));
        }
        text.push_str(&table.render());
    }
    context.out.text(&format!("{text}{} flows\n", flows.flows.len()));
    Ok(Exit::Good)
}

fn headline(client: &Client) -> String {
    let user = client.user.as_ref().map(|user| format!(" ({user})")).unwrap_or_default();
    let rtt = client.rtt_us.map(|us| format!(" · rtt {}", milliseconds(us))).unwrap_or_default();
    let since = ago(Some(client.since));
    format!("{}{user} · {} from {} · since {since}{rtt}\n", client.name, client.via, client.from)
}

/// Octets in and out are the client's, as in the list of clients.
fn flow_row(client: &Client, flow: &Flow, sessions: &[Session]) -> [String; 6] {
    let outwards = *flow.source.ip() == client.address;
    let other = if outwards { &flow.destination } else { &flow.source };
    let session = sessions.iter().find(|s| {
        let (inside, far) = (flow.source, flow.destination.ip().to_bits() as u32);
        outwards && s.proto == flow.proto && s.inside == inside && s.peer.ip().to_bits() == far
    });
    let (from, to) = if outwards { (flow.sent, flow.received) } else { (flow.received, flow.sent) };
    let has_ports = flow.proto == "tcp" || flow.proto == "udp";
    [
        if outwards { "->" } else { "<-" }.to_owned(),
        session.map_or_else(|| dotted(*other.ip(), false), |s| s.peer.ip().to_string()),
        if has_ports { format!("{}/{}", flow.proto, flow.destination.port()) } else { flow.proto.clone() },
        format!("{} / {}", octets(from), octets(to)),
        flow.state.clone(),
        session.map_or_else(String::new, |s| s.outside.to_string()),
    ]
}
