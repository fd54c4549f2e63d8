//! `sixgate counters`

use serde_json::Value;
use sixgate_api::{Counters, path};
use sixgate_io_control::Method;
use sixgate_reason::Reason;

use super::{call, show};
use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::Table;

/// Drops and refusals by reason, since the daemon started
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate counters; then: sixgate explain REASON")]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, context: &Context) -> Result<Exit, Trouble> {
    let answer = call(context, Method::Get, path::COUNTERS, &Value::Null)?;
    show(context, answer, |counters: Counters| {
        if counters.counters.is_empty() {
            return "nothing was dropped or refused\n".to_owned();
        }
        let mut table = Table::new("", &["reason", "count", "what"]);
        for (code, count) in &counters.counters {
            let what = Reason::from_code(code).map_or("of another version", Reason::text);
            table.row([code.clone(), count.to_string(), what.to_owned()]);
        }
        table.render()
    })
}
