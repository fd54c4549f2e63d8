//! `sixgate trace FROM TO PROTO/PORT`

use serde_json::json;
use sixgate_api::{Trace, TraceEnd, TraceVerdict, path};
use sixgate_io_control::Method;

use super::{call, show_and_judge};
use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::dotted;

/// Where a connection would go and why not, by the live gateway's own judgement; nothing is sent
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  sixgate trace helpdesk-01 laptop-01 tcp/22\n  sixgate trace laptop-01 files.corp.example tcp/80"
)]
pub(crate) struct Args {
    /// Who opens it: a client, an ISATAP host, or an address
    from: String,
    /// To whom
    to: String,
    /// tcp/PORT, udp/PORT or icmp
    what: String,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let question = json!({"from": args.from, "to": args.to, "what": args.what});
    let answer = call(context, Method::Post, path::TRACE, &question)?;
    show_and_judge(context, answer, print, |trace| match trace.verdict {
        TraceVerdict::Passes => Exit::Good,
        TraceVerdict::Refused | TraceVerdict::Absent => Exit::Failed,
    })
}

fn print(trace: &Trace) -> String {
    let ends = format!("[{}] -> [{}] {}", address(&trace.from), address(&trace.to), trace.what);
    let mut lines = vec![(label(&trace.from), ends)];
    for step in &trace.steps {
        let rule = step.rule.as_ref().map(|rule| format!("   ({rule})")).unwrap_or_default();
        lines.push((step.at.clone(), format!("{}{rule}", step.text)));
    }
    let width = lines.iter().map(|(at, _)| at.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (n, (at, text)) in (1..).zip(&lines) {
        out.push_str(&format!("{n:>2} {at:<width$}  {text}\n"));
    }
    let verdict = match trace.verdict {
        TraceVerdict::Passes | TraceVerdict::Refused => trace.text.clone(),
        TraceVerdict::Absent => format!("does not come about: {}", trace.text),
    };
    out.push_str(&format!(" verdict: {verdict}\n"));
    if let Some(reason) = &trace.reason {
        out.push_str(&format!(" reason:  {reason}   (sixgate explain {reason})\n"));
    }
    out
}

fn address(end: &TraceEnd) -> String {
    dotted(end.address, end.ipv4.is_some())
}

fn label(end: &TraceEnd) -> String {
    end.name.clone().unwrap_or_else(|| address(end))
}
