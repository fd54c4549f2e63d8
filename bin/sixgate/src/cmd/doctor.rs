//! `sixgate doctor`

mod echoes;
mod gather;
mod knock;
mod machine;
mod names;
mod print;

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use sixgate_doctor::{Case, Evidence, Report, judge};

use crate::cli::Context;
use crate::exit::{Exit, Trouble};

pub(crate) use print::{Hint, render};

const LONGEST_LISTEN: Duration = Duration::from_secs(600);

/// What is broken on this machine, or between it and the other end, and how to mend it
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  sixgate doctor
  sixgate doctor --evidence > host.json     on the ISATAP host
  sixgate doctor --with host.json           then on the gateway: both ends together

Nothing is changed. Names are looked up, routers are solicited and sent ICMP echoes. Exit: 0 nothing found, 1 a finding,
3 no daemon answers and nothing else is wrong.")]
pub(crate) struct Args {
    /// Print what was observed and judge nothing
    #[arg(long)]
    evidence: bool,
    /// Evidence of the other end, as `--evidence` printed it there; - is standard input
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// Judge this evidence in place of looking at this machine
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The daemon's file, where no daemon runs that knows it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only what the daemon knows: look nothing up, send nothing
    #[arg(long)]
    quick: bool,
    /// Listen this long for the doctor of a host, which runs meanwhile: a NAT in between shows itself
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, conflicts_with = "quick")]
    listen: f64,
    /// Say which checks were passed and which could not be made
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let begun = Instant::now();
    let other = args.with.as_deref().map(load).transpose()?;
    let ours = match &args.from {
        Some(file) => load(file)?,
        None => {
            let progress = Progress::new(context, args.evidence);
            let listen = Duration::try_from_secs_f64(args.listen)
                .ok()
                .filter(|l| *l <= LONGEST_LISTEN)
                .ok_or_else(|| Trouble::usage("--listen takes 0 to 600 seconds"))?;
            let wanted = gather::Wanted { config: args.config.as_deref(), quick: args.quick, listen };
            let ours = gather::gather(context, &wanted, other.as_ref(), &progress)?;
            progress.done();
            ours
        }
    };
    if args.evidence {
        let value = serde_json::to_value(&ours)
            .map_err(|e| Trouble::failed("evidence", format!("the evidence cannot be written: {e}")))?;
        context.out.document(&value);
        return Ok(Exit::Good);
    }
    let report = judge(&Case { ours: &ours, other: other.as_ref() });
    let seconds = begun.elapsed().as_secs_f64();
    if report.findings.is_empty() && ours.daemon.role.is_none() {
        return Err(Trouble::unreachable(format!(
            "no daemon answers at {}, and nothing says which one should; --config FILE names its file",
            ours.daemon.socket
        )));
    }
    show(context, &report, seconds, args.all, &|_| Vec::new());
    Ok(exit(&report, &ours))
}

/// One finding or more is 1; a daemon that does not answer, and nothing that explains it, is 3.
fn exit(report: &Report, ours: &Evidence) -> Exit {
    let only_silent = report.findings.iter().all(|f| f.code == "SG-SYS-007") && !ours.daemon.answers;
    match report.findings.as_slice() {
        [] => Exit::Good,
        _ if only_silent => Exit::Unreachable,
        _ => Exit::Failed,
    }
}

/// Prints a report, as text or as the one document.
pub(crate) fn show(context: &Context, report: &Report, seconds: f64, all: bool, hint: Hint<'_>) {
    if context.out.json {
        context.out.document(&json!({
            "schema": 1,
            "findings": report.findings,
            "passed": report.passed,
            "skipped": report.skipped,
            "seconds": (seconds * 1000.0).round() / 1000.0,
        }));
    } else {
        context.out.text(&render(report, seconds, all, hint));
    }
}

/// Reads evidence that was written elsewhere.
fn load(path: &Path) -> Result<Evidence, Trouble> {
    let shown = path.display();
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|content| text = content)
    };
    read.map_err(|e| Trouble::failed("file-not-readable", format!("{shown}: {e}")))?;
    let evidence: Evidence = serde_json::from_str(&text).map_err(|e| {
        Trouble::failed("evidence", format!("{shown} is not what `sixgate doctor --evidence` prints: {e}"))
    })?;
    if evidence.schema == 1 {
        Ok(evidence)
    } else {
        Err(Trouble::failed("evidence", format!("{shown} is of another version of sixgate")))
    }
}

/// Says on a terminal what is being looked at, and takes it away again.
pub(crate) struct Progress {
    shown: bool,
}

impl Progress {
    fn new(context: &Context, quiet: bool) -> Self {
        Self { shown: !quiet && !context.out.json && std::io::stderr().is_terminal() }
    }

    pub(crate) fn step(&self, what: &str) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[Klooking at {what} ...");
        }
    }

    fn done(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
