//! `sixgate isatap suggest`, also as `sixgate isatap hosts suggest`

use serde_json::json;
use sixgate_api::{IdleHost, Suggestions, path};
use sixgate_io_control::Method;

use crate::cli::Context;
use crate::cmd::{call, show};
use crate::exit::{Exit, Trouble};
use crate::print::{Table, ago};

/// Who needs ISATAP, who could do without, and who asks for it in vain, by what hosts did
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate isatap suggest --days 60")]
pub(crate) struct Suggest {
    /// Days to look at, 1 to 90
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,
}

pub(super) fn run(args: &Suggest, context: &Context) -> Result<Exit, Trouble> {
    let answer = call(context, Method::Post, path::ISATAP_SUGGEST, &json!({"days": args.days}))?;
    show(context, answer, print)
}

fn print(found: Suggestions) -> String {
    let since = found.watched_since.map(|at| format!("; hosts are watched since {}", ago(Some(at))));
    let mut out = format!("The last {} days{}\n", found.days, since.unwrap_or_default());
    let unknown = || "(unknown)".to_owned();
    if !found.need.is_empty() {
        let mut table = Table::new("  ", &["host", "IPv4", "by", "flows", "last flow"]);
        for host in &found.need {
            table.row([
                host.name.clone().unwrap_or_else(unknown),
                host.ipv4.to_string(),
                host.rule.clone().unwrap_or_else(|| "not served any more".to_owned()),
                host.flows.to_string(),
                ago(host.last_flow),
            ]);
        }
        out.push_str(&format!("They open connections to clients, and need ISATAP:\n{}", table.render()));
    }
    idle(&mut out, "They opened none in all this time, and could do without:", &found.idle);
    idle(&mut out, "They opened none so far, and have had ISATAP for too short a time to say:", &found.early);
    if !found.ask.is_empty() {
        let mut table = Table::new("  ", &["host", "IPv4", "refused", "last RS", "to allow it"]);
        for host in &found.ask {
            table.row([
                host.name.clone().unwrap_or_else(unknown),
                host.ipv4.to_string(),
                format!("{} times", host.refusals),
                ago(host.last_rs),
                format!("sixgate isatap allow {}", host.ipv4),
            ]);
        }
        out.push_str(&format!("They ask for it and are not allowed:\n{}", table.render()));
    }
    if !found.native.is_empty() {
        let mut table = Table::new("  ", &["host", "IPv4", "native address", "flows from there"]);
        for host in &found.native {
            let in_use = if host.in_use { "open now" } else { "none now" };
            table.row([
                host.name.clone(),
                host.ipv4.to_string(),
                host.address.to_string(),
                in_use.to_owned(),
            ]);
        }
        out.push_str(&format!("They have IPv6 of their own, and could drop ISATAP:\n{}", table.render()));
    }
    if found.need.is_empty() && found.idle.is_empty() && found.early.is_empty() && found.ask.is_empty() {
        out.push_str("no host had ISATAP or asked for it more than in passing\n");
    }
    out
}

fn idle(out: &mut String, title: &str, hosts: &[IdleHost]) {
    if hosts.is_empty() {
        return;
    }
    let mut table = Table::new("  ", &["host", "IPv4", "by", "first seen", "last RS", "last flow"]);
    for host in hosts {
        table.row([
            host.name.clone().unwrap_or_else(|| "(unknown)".to_owned()),
            host.ipv4.to_string(),
            host.rule.clone().unwrap_or_else(|| "-".to_owned()),
            ago(host.first_rs),
            ago(host.last_rs),
            ago(host.last_flow),
        ]);
    }
    out.push_str(&format!("{title}\n{}", table.render()));
}
