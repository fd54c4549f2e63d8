//! `sixgate explain CODE`

use serde_json::{Value, json};
use sixgate_reason::{Entry, Reason};

use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::Table;

/// What a reason means; without a code, all of them
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate explain isatap-host-not-allowed")]
pub(crate) struct Args {
    /// The code, or its number
    code: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let Some(code) = &args.code else {
        return Ok(all(context));
    };
    let Some(entry) = find(code) else {
        let near: Vec<&str> =
            Reason::all().map(|e| e.code).filter(|c| c.contains(code.as_str())).take(5).collect();
        let hint = if near.is_empty() {
            "`sixgate explain` lists all".to_owned()
        } else {
            format!("did you mean {}?", near.join(", "))
        };
        return Err(Trouble::failed("no-such-code", format!("there is no reason `{code}`; {hint}")));
    };
    if context.out.json {
        let mut document = value(entry);
        document["schema"] = json!(1);
        context.out.document(&document);
    } else {
        context.out.text(&format!(
            "{} ({})\n  {}\n  area   {}\n  count  sixgate counters\n",
            entry.code,
            entry.reason.number(),
            entry.text,
            area(entry)
        ));
    }
    Ok(Exit::Good)
}

fn all(context: &Context) -> Exit {
    if context.out.json {
        let reasons: Vec<Value> = Reason::all().map(value).collect();
        context.out.document(&json!({"schema": 1, "reasons": reasons}));
        return Exit::Good;
    }
    let mut table = Table::new("", &["number", "reason", "what"]);
    for entry in Reason::all() {
        table.row([entry.reason.number().to_string(), entry.code.to_owned(), entry.text.to_owned()]);
    }
    context.out.text(&table.render());
    Exit::Good
}

fn find(code: &str) -> Option<&'static Entry> {
    Reason::all().find(|e| e.code == code || code.parse() == Ok(e.reason.number()))
}

fn value(entry: &Entry) -> Value {
    json!({"code": entry.code, "number": entry.reason.number(), "text": entry.text, "area": area(entry)})
}

/// The block of one hundred numbers that the reason is in.
const fn area(entry: &Entry) -> &'static str {
    match entry.reason.number() / 100 {
        0 => "packets",
        1 => "forwarding and policy",
        2 => "ISATAP",
        3 => "NAT64",
        4 => "IP-HTTPS",
        5 => "DNS",
        6 => "enrolment and control",
        _ => "other",
    }
}
