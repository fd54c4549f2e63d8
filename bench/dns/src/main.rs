//! DNS64 of sixgate beside unbound, bind9, knot-resolver and pdns-recursor: one run, one network namespace, the same cores.
//!
//! ```text
//! load (core 1) -> resolver (core 0), one worker thread each -> nsd (core 1) with 100,000 names that have an A only
//! ```
//! `dnsperf` gives questions a second, the kernel's accounts the time of the processor for each, and a sender of our own with a
//! fixed rate the waits: it charges a stall to every question that waited for it. The binary is `SIXGATE_BIN`. Exit status 1
//! when a target is missed. Needs root.

mod daemon;
mod load;
mod peers;
mod report;
mod steady;
mod zone;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Parser;
use daemon::Daemon;
use peers::Peer;
use report::{Report, Row};

/// Set for the program once it is in its namespace.
const INSIDE: &str = "SIXGATE_BENCH_DNS_INSIDE";

/// Example: sixgate-bench-dns --rounds 3 --json > dns.json
#[derive(Parser)]
#[command(
    about = "DNS64 of sixgate beside other resolvers: questions a second, processor time, waits, memory"
)]
pub(crate) struct Arguments {
    /// Rounds, in each of which every resolver has its turn; the medians are compared
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of one figure
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Names that are cached when speed is measured
    #[arg(long, default_value_t = 10_000)]
    names: u32,
    /// Names that are cached when memory is measured
    #[arg(long, default_value_t = 100_000)]
    remembered: u32,
    /// Questions a second while waits are measured
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    /// Only resolvers whose name contains this, beside sixgate
    #[arg(long)]
    only: Option<String>,
    /// One JSON document instead of the table
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if std::env::var_os(INSIDE).is_none() {
        return go_inside();
    }
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            progress(&format!("bench/dns: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// The same again in a network namespace of its own: nobody else's traffic on loopback, and any port is free.
fn go_inside() -> ExitCode {
    let own = std::env::current_exe().unwrap_or_else(|_| "sixgate-bench-dns".into());
    let mut command = Command::new("unshare");
    command.arg("--net").arg(own).args(std::env::args_os().skip(1)).env(INSIDE, "1");
    progress(&format!("bench/dns: unshare: {}", command.exec()));
    ExitCode::FAILURE
}

fn run(arguments: &Arguments) -> Result<bool, String> {
    daemon::sh("ip link set lo up")?;
    let folder = std::env::temp_dir().join(format!("sixgate-bench-dns-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let outcome = measure(arguments, &folder);
    let _left = std::fs::remove_dir_all(&folder);
    let report = outcome?;
    report.print(arguments.json);
    Ok(report.good())
}

fn measure(arguments: &Arguments, folder: &Path) -> Result<Report, String> {
    let upstream = zone::serve(folder, arguments.remembered)?;
    let hot = load::questions(folder, "hot", 0..arguments.names)?;
    let all = load::questions(folder, "all", 0..arguments.remembered)?;
    let wanted = |peer: &Peer| {
        *peer == Peer::Sixgate
            || arguments.only.as_ref().is_none_or(|only| peer.name().contains(only.as_str()))
    };
    let mut report = Report::new(arguments);
    for round in 0..arguments.rounds {
        for peer in Peer::ALL.into_iter().filter(wanted) {
            progress(&format!("round {}: {}", round + 1, peer.name()));
            report.add(peer, one(peer, arguments, folder, &hot, &all)?);
        }
    }
    drop(upstream);
    Ok(report)
}

/// Everything of one resolver in one round, on a fresh process.
fn one(peer: Peer, arguments: &Arguments, folder: &Path, hot: &Path, all: &Path) -> Result<Row, String> {
    let daemon = Daemon::start(peer, folder)?;
    peers::check(peer)?;
    let start = daemon.memory()?;
    // Every name once: the first ones fill the cache for the speed of cached answers.
    load::once(hot)?;
    load::once(hot)?;
    let cached = load::flood(&daemon, hot, arguments.seconds)?;
    let waits = steady::waits(arguments.names, arguments.rate, arguments.seconds)?;
    drop(daemon);
    let daemon = Daemon::start(peer, folder)?;
    let uncached = load::each(&daemon, all, arguments.remembered)?;
    let full = daemon.memory()?;
    // And again, so that what is kept ready for names that are asked again is counted too.
    load::once(all)?;
    load::once(all)?;
    let again = daemon.memory()?;
    Ok(Row { cached, uncached, waits, start, full, again })
}

/// Prints a line; nobody may be reading.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Says how far things are, beside the result.
fn progress(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
