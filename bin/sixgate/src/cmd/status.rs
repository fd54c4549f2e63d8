//! `sixgate status`

use serde_json::Value;
use sixgate_api::{ClientState, ClientStatus, ComponentState, GatewayStatus, HostStatus, Status, path};
use sixgate_io_control::Method;
use sixgate_reason::Reason;

use super::{call, show};
use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::{Table, ago, dotted, octets};

/// How the daemon of this machine is: gateway, client or host
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate status")]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, context: &Context) -> Result<Exit, Trouble> {
    let answer = call(context, Method::Get, path::STATUS, &Value::Null)?;
    show(context, answer, |status: Status| match status {
        Status::Gateway(g) => gateway(&g),
        Status::Client(c) => client(&c),
        Status::Host(h) => host(&h),
    })
}

fn gateway(status: &GatewayStatus) -> String {
    let bad = |state| status.components.iter().filter(|c| c.state == state).count();
    let health = match (bad(ComponentState::Failed), bad(ComponentState::Degraded)) {
        (0, 0) => "healthy".to_owned(),
        (0, n) => format!("{n} degraded"),
        (n, _) => format!("{n} failed"),
    };
    let mut table = Table::new("  ", &["component", "state", "since", "detail"]);
    for component in &status.components {
        let state = match component.state {
            ComponentState::Ok => "ok",
            ComponentState::Degraded => "degraded",
            ComponentState::Failed => "failed",
            ComponentState::Disabled => "disabled",
        };
        let row = [&component.component, state, &ago(component.since), &component.detail];
        table.row(row.map(str::to_owned));
    }
    format!("gateway {} · up {} · {health}\n{}", status.name, ago(Some(status.since)), table.render())
}

fn client(status: &ClientStatus) -> String {
    let since = ago(Some(status.since));
    let mut out = match status.state {
        ClientState::Connected => format!("{} · connected {since}", status.name),
        ClientState::Connecting => format!("{} · connecting for {since}", status.name),
        ClientState::Waiting => format!("{} · not connected for {since}", status.name),
    };
    if let (Some(via), Some(gateway)) = (&status.via, &status.gateway) {
        let address = status.gateway_address.map(|a| format!(" ({a})")).unwrap_or_default();
        out.push_str(&format!(" · {via} to {gateway}{address}"));
    }
    if let Some(rtt) = status.rtt_us {
        out.push_str(&format!(" · rtt {:.1} ms", rtt as f64 / 1000.0));
    }
    if let Some(mtu) = status.mtu {
        out.push_str(&format!(" · MTU {mtu}"));
    }
    out.push('\n');
    let mut line = |label: &str, text: String| {
        if !text.is_empty() {
            out.push_str(&format!("  {label:<12} {text}\n"));
        }
    };
    line("because", status.reason.clone().unwrap_or_default());
    let addresses: Vec<String> = status.addresses.iter().map(|a| dotted(*a, false)).collect();
    line("my address", addresses.join(" "));
    if !status.names.is_empty() {
        let names: Vec<String> = status.names.iter().map(|n| format!("*.{n}")).collect();
        line("names", format!("{} go through the tunnel; everything else stays local", names.join(", ")));
    }
    line("routes", status.routes.join(" "));
    line("traffic", format!("{} in / {} out", octets(status.rx_bytes), octets(status.tx_bytes)));
    line("certificate", status.certificate_until.map(|t| format!("until {t}")).unwrap_or_default());
    line("congestion", status.congestion_control.clone().unwrap_or_default());
    out
}

fn host(status: &HostStatus) -> String {
    let place = match (&status.interface, status.ipv4) {
        (Some(interface), Some(ipv4)) => format!("{interface} {ipv4}"),
        (Some(interface), None) => format!("{interface} without IPv4 address"),
        (None, _) => "no interface".to_owned(),
    };
    let mut table = Table::new("  ", &["router", "address", "state", "since", "reason"]);
    for link in &status.isatap {
        table.row([
            link.router.to_string(),
            link.address.map_or_else(|| "-".to_owned(), |a| dotted(a, false)),
            link.state.clone(),
            ago(link.since),
            explained(link.reason.as_deref(), None),
        ]);
    }
    let mut names = Table::new("  ", &["name", "addresses", "state", "since", "reason"]);
    for name in &status.names {
        let addresses: Vec<String> = name.addresses.iter().map(ToString::to_string).collect();
        names.row([
            name.name.clone(),
            if addresses.is_empty() { "-".to_owned() } else { addresses.join(" ") },
            name.state.clone(),
            ago(name.since),
            explained(name.reason.as_deref(), name.detail.as_deref()),
        ]);
    }
    let mut out = format!("ISATAP host · up {} · {place} · {}\n", ago(Some(status.since)), status.device);
    out.push_str(&table.render());
    if !status.names.is_empty() {
        out.push_str(&names.render());
    }
    if !status.routes.is_empty() {
        out.push_str(&format!("  routes: {}\n", status.routes.join(" ")));
    }
    out
}

/// What the code of a reason means, the code itself for `sixgate explain`, and what is known of this case.
fn explained(code: Option<&str>, detail: Option<&str>) -> String {
    let Some(code) = code else { return String::new() };
    let text = Reason::from_code(code).map(|reason| format!("{} ({code})", reason.text()));
    let text = text.unwrap_or_else(|| code.to_owned());
    detail.map_or_else(|| text.clone(), |detail| format!("{text}: {detail}"))
}
