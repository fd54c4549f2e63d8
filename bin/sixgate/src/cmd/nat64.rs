//! `sixgate nat64 sessions | bib | pools | explain | who | address`

mod address;
mod explain;
mod packet;
mod tables;
mod who;

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
    /// The IPv6 address that stands for an IPv4 address, and back (RFC 6052, RFC 7757)
    Address(address::Args),
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    match &args.what {
        What::Sessions(which) => tables::sessions(which, context),
        What::Bib(which) => tables::bib(which, context),
        What::Pools { protocol, outside } => tables::pools(protocol.as_deref(), outside.as_deref(), context),
        What::Who(args) => who::run(args, context),
        What::Explain { packet } => explain::run(packet, context),
        What::Address(args) => address::run(args, context),
    }
}
