//! `sixgate check FILE`

use std::path::PathBuf;

use serde_json::json;
use sixgate_config::{Checked, File, Gateway, Report};

use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::file;

/// Check a configuration file: every error with its line and column; changes nothing
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate check /etc/sixgate/sixgate.toml")]
pub(crate) struct Args {
    /// The file, of a gateway, a client or a host
    file: PathBuf,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let text = file::text(&args.file)?;
    let (valid, role, report) = match sixgate_config::any(&args.file, &text) {
        Ok(Checked { value, report }) => (true, Some(value), report),
        Err(report) => (false, None, report),
    };
    if context.out.json {
        context.out.document(&json!({
            "schema": 1,
            "file": args.file,
            "valid": valid,
            "role": role.as_ref().map(word),
            "findings": report.findings(),
        }));
    } else {
        context.out.text(&format!("{}{}\n", report.render(), summary(args, role.as_ref(), &report)));
    }
    Ok(if valid { Exit::Good } else { Exit::Failed })
}

fn summary(args: &Args, role: Option<&File>, report: &Report) -> String {
    let count = report.findings().len();
    let file = args.file.display();
    match (role, count) {
        (Some(role), 0) => format!("{file}: valid, {}", what(role)),
        (Some(role), 1) => format!("{file}: valid with 1 warning, {}", what(role)),
        (Some(role), n) => format!("{file}: valid with {n} warnings, {}", what(role)),
        (None, 1) => format!("{file}: 1 finding"),
        (None, n) => format!("{file}: {n} findings"),
    }
}

const fn word(file: &File) -> &'static str {
    match file {
        File::Gateway(_) => "gateway",
        File::Client(_) => "client",
        File::Host(_) => "host",
    }
}

fn what(file: &File) -> String {
    match file {
        File::Gateway(gateway) => format!("gateway: {}", functions(gateway).join(", ")),
        File::Client(client) => format!("client `{}` of {}", client.name, client.gateway[0]),
        File::Host(host) => format!("ISATAP host of {}", host.routers[0]),
    }
}

fn functions(gateway: &Gateway) -> Vec<&'static str> {
    [
        (gateway.ip_https.is_some(), "IP-HTTPS"),
        (gateway.nat64.is_some(), "NAT64"),
        (gateway.siit.is_some(), "SIIT"),
        (gateway.dns64.is_some(), "DNS64"),
        (gateway.dns.is_some() && gateway.dns64.is_none(), "DNS"),
        (gateway.isatap.is_some(), "ISATAP router"),
        (gateway.native.is_some(), "native IPv6"),
        (gateway.names.as_ref().is_some_and(|n| n.registration.is_some()), "registration"),
    ]
    .into_iter()
    .filter_map(|(on, what)| on.then_some(what))
    .collect()
}
