//! Throughput of sixgate as a ratio to plain kernel forwarding in the same run.
//!
//! `sixgate-bench-ratio nat64` measures the translator alone beside tayga with nftables, in namespaces of its own;
//! `sixgate-bench-ratio gateway` the two ways of the main job through a laboratory. The binary is `SIXGATE_BIN`. Exit status 1
//! below a floor. Needs root.

mod gateway;
mod nat64;
mod statistics;
mod stop;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Throughput of sixgate as a ratio to plain kernel forwarding in the same run")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// NAT64 alone: plain IPv6 forwarding, sixgate, and tayga with nftables' masquerade, each on cables of its own
    Nat64(Nat64),
    /// The whole gateway in a laboratory: client to IPv4 server, helpdesk to client
    Gateway {
        /// Rounds; the medians are compared
        #[arg(default_value_t = 3)]
        rounds: usize,
    },
}

/// Example: sixgate-bench-ratio nat64 --rounds 5 --json > nat64.json
#[derive(clap::Args)]
pub(crate) struct Nat64 {
    /// Rounds, in each of which every row has its turn; the medians are compared
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of one figure
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only figures whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// One JSON document instead of the table
    #[arg(long)]
    json: bool,
    /// Also draw the ratios into this SVG file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Take the translator out: its packets are forwarded untranslated instead, and the measurement must fail
    #[arg(long)]
    without_translator: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    stop::listen();
    let outcome = match &arguments.what {
        What::Nat64(options) => nat64::run(options),
        What::Gateway { rounds } => gateway::run(*rounds),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            progress(&format!("bench/ratio: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints a line; nobody may be reading.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Says how far things are, beside the result.
fn progress(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
