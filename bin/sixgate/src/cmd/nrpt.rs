//! `sixgate nrpt show | test`

use std::net::SocketAddr;

use serde_json::{Value, json};
use sixgate_api::{Nrpt, Question, Route, Steering, path};
use sixgate_io_control::Method;

use super::{call, show};
use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::Table;

/// Which names go into the tunnel, on a client
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate nrpt test files.corp.example")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// The rules
    Show,
    /// Where one name goes, and by which rule
    Test {
        /// The name
        name: String,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    match &args.what {
        What::Show => show(context, call(context, Method::Get, path::NRPT, &Value::Null)?, rules),
        What::Test { name } => {
            let body = json!(Question { name: name.trim_end_matches('.').to_owned(), client: None });
            show(context, call(context, Method::Post, path::NRPT_TEST, &body)?, decision)
        }
    }
}

fn rules(nrpt: Nrpt) -> String {
    let state = match (nrpt.active, nrpt.by) {
        (true, Some(by)) => format!("active, by {by}"),
        (true, None) => "active".to_owned(),
        (false, _) => "not active: the tunnel is down, or this machine is inside".to_owned(),
    };
    let mut table = Table::new("  ", &["names", "go", "ask"]);
    for rule in &nrpt.rules {
        let names = if rule.suffix.is_empty() { ".".to_owned() } else { format!(".{}", rule.suffix) };
        table.row([names, word(rule.route).to_owned(), servers(&rule.servers)]);
    }
    format!("{state}\n{}", table.render())
}

fn decision(steering: Steering) -> String {
    let rule = match &steering.rule {
        Some(suffix) => format!("rule .{suffix}"),
        None => "no rule fits".to_owned(),
    };
    format!("{}: {} ({rule}), asks {}\n", steering.name, word(steering.route), servers(&steering.servers))
}

const fn word(route: Route) -> &'static str {
    match route {
        Route::Tunnel => "tunnel",
        Route::Local => "local",
    }
}

fn servers(list: &[SocketAddr]) -> String {
    if list.is_empty() {
        return "the local network's resolver".to_owned();
    }
    list.iter().map(|s| s.ip().to_string()).collect::<Vec<_>>().join(" ")
}
