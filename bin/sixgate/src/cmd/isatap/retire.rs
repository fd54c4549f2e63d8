//! `sixgate isatap retire`

mod plan;
mod status;
mod step;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use serde_json::{Value, json};
use sixgate_api::{Document, RetirePlan, RetireRequest, RetireUpdate, Retired, Retirement, path};
use sixgate_io_control::Method;

use super::listen;
use crate::cli::Context;
use crate::cmd::{call, show};
use crate::exit::{Exit, Trouble};

/// Take ISATAP away in five phases, without cutting a connection
///
/// 1 observe, 2 quiet, 3 withdraw, 4 clean, 5 verify. Each begins when you say so, says what it did, and can be undone. Without
/// an option the plan is shown and nothing changes.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  sixgate isatap retire --plan\n  sixgate isatap retire --phase 2\n  sixgate isatap retire --status\n  sixgate isatap retire --undo"
)]
pub(super) struct Retire {
    /// Who would lose what, phase by phase; changes nothing
    #[arg(long, conflicts_with_all = ["phase", "status", "undo", "foreign"])]
    plan: bool,
    /// Begin this phase, 1 to 5; an earlier one goes back to it
    #[arg(long, conflicts_with_all = ["status", "undo", "foreign"], value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    phase: Option<u8>,
    /// How it stands, and who holds it up
    #[arg(long, conflicts_with_all = ["undo", "foreign"])]
    status: bool,
    /// Offer everything again as before, and put back the records that were deleted
    #[arg(long, conflicts_with = "foreign")]
    undo: bool,
    /// For another's router: listen who still asks it, as `sixgate isatap listen` does
    #[arg(long)]
    foreign: bool,
    /// With --foreign: how long to listen
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "foreign")]
    seconds: u64,
    /// With --foreign: the interface to listen on; default: all
    #[arg(long, value_name = "NAME", requires = "foreign")]
    interface: Option<String>,
    /// Do not ask. Where standard input is no terminal, and with --json, nobody is asked: it goes ahead and says what it did
    #[arg(long)]
    yes: bool,
    /// In phase 4: delete the records that are listed, by signed update (RFC 2136)
    #[arg(long)]
    dns_update: bool,
    /// Who has the zones and takes updates; default: the server of `[names] update`
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    dns_server: Option<String>,
    /// The TSIG key for that server, as `tsig-keygen` writes it; default: that of `[names] update`
    #[arg(long, value_name = "FILE")]
    tsig_file: Option<PathBuf>,
}

pub(super) fn run(args: &Retire, context: &Context) -> Result<Exit, Trouble> {
    if args.foreign {
        return listen::listen(args.interface.as_deref(), args.seconds, context);
    }
    if args.dns_update && args.phase != Some(4) {
        return Err(Trouble::usage("--dns-update belongs to --phase 4"));
    }
    if let Some(phase) = args.phase {
        return begin(args, phase, context);
    }
    if args.undo {
        return undo(args, context);
    }
    if args.status {
        let answer = call(context, Method::Get, path::ISATAP_RETIRE, &Value::Null)?;
        return show(context, answer, |now: Retirement| status::text(&now));
    }
    show(context, plan(args, context)?, |now: Retirement| plan::text(&now))
}

fn plan(args: &Retire, context: &Context) -> Result<Value, Trouble> {
    let body = json!(RetirePlan { update: update(args)? });
    call(context, Method::Post, path::ISATAP_RETIRE_PLAN, &body)
}

fn begin(args: &Retire, phase: u8, context: &Context) -> Result<Exit, Trouble> {
    if asks(args, context) {
        // What the person agrees to is what was shown, so it is looked at before the question.
        let before = match phase {
            4 => plan(args, context)?,
            _ => call(context, Method::Get, path::ISATAP_RETIRE, &Value::Null)?,
        };
        let before: Document<Retirement> = document(before)?;
        context.out.text(&plan::of_phase(&before.body, phase, args.dns_update));
        if !agreed() {
            return Err(Trouble::failed("not-agreed", "nothing changed"));
        }
    }
    let request = RetireRequest { phase: Some(phase), dns_update: args.dns_update, update: update(args)? };
    step(&request, context)
}

fn undo(args: &Retire, context: &Context) -> Result<Exit, Trouble> {
    if asks(args, context) {
        context.out.text("Offers everything again as before, and puts back the records that were deleted.\n");
        if !agreed() {
            return Err(Trouble::failed("not-agreed", "nothing changed"));
        }
    }
    step(&RetireRequest { phase: None, dns_update: false, update: update(args)? }, context)
}

fn step(request: &RetireRequest, context: &Context) -> Result<Exit, Trouble> {
    let answer = call(context, Method::Post, path::ISATAP_RETIRE, &json!(request))?;
    let done: Document<Retired> = document(answer.clone())?;
    // Where nobody could be asked, nothing was cleaned.
    let unknown = request.dns_update && done.body.retirement.records.is_none();
    let failed = done.body.cut > 0
        || unknown
        || done.body.retirement.records.iter().flatten().any(|record| record.failure.is_some())
        || request.phase.is_none() && !done.body.retirement.remarks.is_empty();
    show(context, answer, |done: Retired| step::text(request, &done))?;
    Ok(if failed { Exit::Failed } else { Exit::Good })
}

fn update(args: &Retire) -> Result<RetireUpdate, Trouble> {
    let key = match &args.tsig_file {
        None => None,
        Some(file) => Some(
            std::fs::read_to_string(file)
                .map_err(|e| Trouble::failed("tsig-file", format!("{}: {e}", file.display())))?,
        ),
    };
    Ok(RetireUpdate { server: args.dns_server.clone(), key })
}

fn document<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T, Trouble> {
    serde_json::from_value(answer).map_err(|e| {
        Trouble::failed(
            "answer",
            format!("the daemon's answer is not understood ({e}); is it of another version?"),
        )
    })
}

/// Where nobody can answer, nobody is asked: the phase is named, and it can be undone.
fn asks(args: &Retire, context: &Context) -> bool {
    !args.yes && !context.out.json && io::stdin().is_terminal()
}

fn agreed() -> bool {
    let _ = write!(io::stderr(), "Proceed? [y/N] ");
    let mut answer = String::new();
    // An end without an answer is none.
    let _ = io::stdin().lock().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes")
}
