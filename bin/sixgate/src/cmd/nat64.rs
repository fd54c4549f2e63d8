//! `sixgate nat64 sessions | bib | pools | explain | address`

mod explain;
mod packet;

use std::net::IpAddr;

use serde_json::{Value, json};
use sixgate_api::{Nat64Bib, Nat64Pools, Nat64Sessions, path};
use sixgate_io_control::Method;
use sixgate_wire::addr::{Ipv6Prefix, Prefix64};

use super::{call, show};
use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::{Table, until};

/// The NAT64: sessions, bindings, pools, addresses
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate nat64 sessions")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Who talks to whom
    Sessions,
    /// Which inside end has which outside end
    Bib,
    /// How full the pools are
    Pools,
    /// What would become of a packet, and why; nothing is sent and nothing changes
    #[command(after_help = explain::HELP)]
    Explain {
        /// A packet, readable or in hexadecimal; - reads it from standard input
        #[arg(required = true, value_name = "PACKET")]
        packet: Vec<String>,
    },
    /// The IPv6 address that stands for an IPv4 address, and back (RFC 6052)
    #[command(after_help = "Example: sixgate nat64 address 10.6.0.30 --prefix fd6a:7e00:cafe:7777::/96")]
    Address {
        /// IPv4, or IPv6 within the prefix
        address: IpAddr,
        /// The NAT64 prefix
        #[arg(long, default_value = "64:ff9b::/96", value_parser = prefix64)]
        prefix: Prefix64,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let get = |path| call(context, Method::Get, path, &Value::Null);
    match &args.what {
        What::Sessions => show(context, get(path::NAT64_SESSIONS)?, sessions),
        What::Bib => show(context, get(path::NAT64_BIB)?, bib),
        What::Pools => show(context, get(path::NAT64_POOLS)?, pools),
        What::Explain { packet } => explain::run(packet, context),
        What::Address { address, prefix } => translate(*address, *prefix, context),
    }
}

fn sessions(answer: Nat64Sessions) -> String {
    let mut table = Table::new("", &["proto", "inside", "outside", "peer", "state", "ends in"]);
    for s in &answer.sessions {
        table.row([
            s.proto.clone(),
            s.inside.to_string(),
            s.outside.to_string(),
            s.peer.to_string(),
            s.state.clone(),
            until(s.expires),
        ]);
    }
    format!("{}{} sessions\n", table.render(), answer.sessions.len())
}

fn bib(answer: Nat64Bib) -> String {
    let mut table = Table::new("", &["proto", "inside", "outside", "kind"]);
    for b in &answer.bib {
        let kind = if b.is_static { "static" } else { "dynamic" };
        table.row([b.proto.clone(), b.inside.to_string(), b.outside.to_string(), kind.to_owned()]);
    }
    format!("{}{} bindings\n", table.render(), answer.bib.len())
}

fn pools(answer: Nat64Pools) -> String {
    let mut table = Table::new("", &["proto", "addresses", "ports", "used", "of"]);
    for p in answer.pools {
        table.row([p.proto, p.addresses, p.ports, p.used.to_string(), p.total.to_string()]);
    }
    table.render()
}

fn translate(address: IpAddr, prefix: Prefix64, context: &Context) -> Result<Exit, Trouble> {
    let (ipv4, ipv6) = match address {
        IpAddr::V4(v4) => (v4, prefix.embed(v4)),
        IpAddr::V6(v6) => match prefix.extract(v6) {
            Some(v4) => (v4, v6),
            None => return Err(Trouble::failed("outside-prefix", format!("{v6} is not in {prefix}"))),
        },
    };
    if context.out.json {
        let document = json!({"schema": 1, "ipv4": ipv4, "ipv6": ipv6, "prefix": prefix.to_string()});
        context.out.document(&document);
    } else if address.is_ipv4() {
        context.out.text(&format!("{ipv6}\n"));
    } else {
        context.out.text(&format!("{ipv4}\n"));
    }
    Ok(Exit::Good)
}

fn prefix64(text: &str) -> Result<Prefix64, String> {
    let prefix: Ipv6Prefix = text.parse().map_err(|e| format!("{e}"))?;
    Prefix64::new(prefix).ok_or_else(|| "RFC 6052 allows the lengths 32, 40, 48, 56, 64 and 96".to_owned())
}
