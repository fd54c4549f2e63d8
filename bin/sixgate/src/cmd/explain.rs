//! `sixgate explain CODE`

use serde_json::{Value, json};
use sixgate_reason::{Diagnosis, Entry, Reason};

use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::Table;

/// What a reason or a finding of `doctor` means; without a code, all of them
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  sixgate explain isatap-host-not-allowed\n  sixgate explain SG-ISATAP-003"
)]
pub(crate) struct Args {
    /// The code, or its number
    code: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let Some(code) = &args.code else {
        return Ok(all(context));
    };
    if let Some(diagnosis) = Diagnosis::from_code(code).or_else(|| numbered(code)) {
        return Ok(finding(diagnosis, context));
    }
    let Some(entry) = find(code) else {
        let (lower, upper) = (code.to_ascii_lowercase(), code.to_ascii_uppercase());
        let reasons = Reason::all().map(|e| e.code).filter(|c| c.contains(&lower));
        let diagnoses = Diagnosis::all().map(|d| d.code).filter(|c| c.contains(&upper));
        let near: Vec<&str> = reasons.chain(diagnoses).take(5).collect();
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

/// The page of a finding.
fn finding(d: &Diagnosis, context: &Context) -> Exit {
    if context.out.json {
        let mut document = page(d);
        document["schema"] = json!(1);
        context.out.document(&document);
        return Exit::Good;
    }
    let mut out = format!("{} ({})\n  {}\n\n  {}\n", d.code, d.number, d.text, wrapped(d.meaning, 2));
    let mut list = |title: &str, items: &[&str]| {
        if !items.is_empty() {
            out.push_str(&format!("\n  {title}\n"));
            for item in items {
                out.push_str(&format!("    - {}\n", wrapped(item, 6)));
            }
        }
    };
    list("causes, the most frequent first", d.causes);
    list("how to prove it", d.proof);
    list("fix", &[d.fix]);
    list("counters that rise with it (sixgate counters)", d.reasons);
    list("see also", d.references);
    context.out.text(&out);
    Exit::Good
}

fn page(d: &Diagnosis) -> Value {
    json!({
        "code": d.code, "number": d.number, "text": d.text, "area": "doctor", "meaning": d.meaning, "causes": d.causes,
        "proof": d.proof, "fix": d.fix, "reasons": d.reasons, "references": d.references,
    })
}

/// Cut at words to the width of a page; further lines are set in by so many columns.
fn wrapped(text: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut column = indent;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column + length > 100 && column > indent {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if column > indent {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

fn all(context: &Context) -> Exit {
    if context.out.json {
        let reasons: Vec<Value> = Reason::all().map(value).collect();
        let findings: Vec<Value> = Diagnosis::all().map(page).collect();
        context.out.document(&json!({"schema": 1, "reasons": reasons, "findings": findings}));
        return Exit::Good;
    }
    let mut table = Table::new("", &["number", "reason", "what"]);
    for entry in Reason::all() {
        table.row([entry.reason.number().to_string(), entry.code.to_owned(), entry.text.to_owned()]);
    }
    for d in Diagnosis::all() {
        table.row([d.number.to_string(), d.code.to_owned(), d.text.to_owned()]);
    }
    context.out.text(&table.render());
    Exit::Good
}

fn numbered(code: &str) -> Option<&'static Diagnosis> {
    Diagnosis::all().find(|d| code.parse() == Ok(d.number))
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
