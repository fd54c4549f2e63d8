//! `sixgate lab break` and `sixgate lab fix`

use serde_json::{Value, json};
use sixgate_lab::faults::{self, Fault};
use sixgate_lab::{Lab, Options};

use super::trouble;
use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::Table;

pub(super) fn make(options: &Options, fault: &str, context: &Context) -> Result<Exit, Trouble> {
    faults::named(fault).map_err(trouble)?;
    let lab = Lab::open(&options.name).map_err(trouble)?;
    let fault = faults::make(&lab, fault).map_err(trouble)?;
    if context.out.json {
        let mut document = value(fault, true);
        document["schema"] = json!(1);
        context.out.document(&document);
    } else {
        context.out.text(&format!(
            "broken on {}: {}\n  see     sixgate lab doctor     ({})\n  mend    sixgate lab fix {}\n",
            fault.node, fault.what, fault.code, fault.name
        ));
    }
    Ok(Exit::Good)
}

/// One fault, or all that there are, the last one in the list first.
pub(super) fn mend(options: &Options, fault: Option<&str>, context: &Context) -> Result<Exit, Trouble> {
    let lab = Lab::open(&options.name).map_err(trouble)?;
    let mut mended = Vec::new();
    match fault {
        Some(fault) => mended.push(faults::mend(&lab, fault).map_err(trouble)?),
        None => {
            for fault in faults::broken(&options.name).into_iter().rev() {
                mended.push(faults::mend(&lab, fault.name).map_err(trouble)?);
            }
        }
    }
    if context.out.json {
        let names: Vec<&str> = mended.iter().map(|f| f.name).collect();
        context.out.document(&json!({"schema": 1, "fixed": names}));
    } else if mended.is_empty() {
        context.out.text("nothing is broken\n");
    } else {
        let lines = mended.iter().map(|f| format!(" ✓ {}: as it was\n", f.name));
        context.out.text(&lines.collect::<String>());
    }
    Ok(Exit::Good)
}

pub(super) fn list(options: &Options, context: &Context) -> Exit {
    let broken = faults::broken(&options.name);
    let is_broken = |fault: &Fault| broken.iter().any(|b| b.name == fault.name);
    if context.out.json {
        let all: Vec<Value> = faults::all().map(|f| value(f, is_broken(f))).collect();
        context.out.document(&json!({"schema": 1, "faults": all}));
        return Exit::Good;
    }
    let mut table = Table::new("", &["fault", "code", "on", "what"]);
    for fault in faults::all() {
        let what = if is_broken(fault) { format!("BROKEN: {}", fault.what) } else { fault.what.to_owned() };
        table.row([fault.name.to_owned(), fault.code.to_owned(), fault.node.to_owned(), what]);
    }
    context.out.text(&table.render());
    Exit::Good
}

fn value(fault: &Fault, broken: bool) -> Value {
    json!({"fault": fault.name, "code": fault.code, "node": fault.node, "what": fault.what, "broken": broken})
}
