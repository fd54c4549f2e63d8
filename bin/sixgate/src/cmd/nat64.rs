//! `sixgate nat64 sessions | bib | pools | explain | who | address`

mod explain;
mod packet;
mod tables;
mod who;

use std::net::IpAddr;

use serde_json::json;
use sixgate_wire::addr::{Ipv6Prefix, Prefix64};

use crate::cli::Context;
use crate::exit::{Exit, Trouble};

/// The NAT64: sessions, bindings, pools, addresses
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate nat64 sessions")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Who talks to whom, in order of protocol and client
    #[command(
        after_help = "Examples:\n  sixgate nat64 sessions --client laptop-01 --protocol tcp\n  sixgate nat64 sessions --outside 192.0.2.2:40000"
    )]
    Sessions(tables::Which),
    /// Which inside end has which outside end, in order of protocol and client
    #[command(after_help = "Example: sixgate nat64 bib --client 2001:db8:1::/64 --limit 100")]
    Bib(tables::Which),
    /// How full the pools are
    #[command(after_help = "Example: sixgate nat64 pools --protocol tcp")]
    Pools {
        /// Only this protocol: tcp, udp or icmp
        #[arg(long, value_parser = ["tcp", "udp", "icmp"])]
        protocol: Option<String>,
        /// Only what has this address of the pool, or this address and port
        #[arg(long, value_name = "ADDRESS[:PORT]")]
        outside: Option<String>,
    },
    /// What would become of a packet, and why; nothing is sent and nothing changes
    #[command(after_help = explain::HELP)]
    Explain {
        /// A packet, readable or in hexadecimal; - reads it from standard input
        #[arg(required = true, value_name = "PACKET")]
        packet: Vec<String>,
    },
    /// Who has a port of the pool, or had it at some time
    #[command(
        after_help = "Examples:\n  sixgate nat64 who 192.0.2.2:1234\n  sixgate nat64 who 192.0.2.2:1234 --at 2026-11-25T10:15:00Z --protocol tcp"
    )]
    Who(who::Args),
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
    match &args.what {
        What::Sessions(which) => tables::sessions(which, context),
        What::Bib(which) => tables::bib(which, context),
        What::Pools { protocol, outside } => tables::pools(protocol.as_deref(), outside.as_deref(), context),
        What::Who(args) => who::run(args, context),
        What::Explain { packet } => explain::run(packet, context),
        What::Address { address, prefix } => translate(*address, *prefix, context),
    }
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
