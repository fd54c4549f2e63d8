//! `sixgate dns64 explain`, `status`

use std::net::IpAddr;

use serde_json::{Value, json};
use sixgate_api::{Explanation, Question, Resolver, ResolverQuestions, path};
use sixgate_io_control::Method;

use super::{call, show};
use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::dotted;

/// The DNS64: why a name has the addresses that it has
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate dns64 explain files.corp.example")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Ask for a name as a client would, and show each step
    #[command(after_help = "Example: sixgate dns64 explain files.corp.example --client fd64::8")]
    Explain {
        /// The name
        name: String,
        /// Who asks: rules may differ by client [default: this machine]
        #[arg(long, value_name = "ADDRESS")]
        client: Option<IpAddr>,
    },
    /// What was asked and answered from where, how the name servers stand, which names are asked for most
    #[command(after_help = "Example: sixgate dns64 status")]
    Status,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    match &args.what {
        What::Explain { name, client } => {
            let body = json!(Question { name: name.trim_end_matches('.').to_owned(), client: *client });
            show(context, call(context, Method::Post, path::DNS64_EXPLAIN, &body)?, print)
        }
        What::Status => {
            show(context, call(context, Method::Get, path::DNS64_STATUS, &Value::Null)?, print_status)
        }
    }
}

fn print_status(of: Resolver) -> String {
    let ResolverQuestions { at_once, cached, stale, held, asked, joined, refreshed } = of.questions;
    let mut out = format!(
        "answered at once {at_once}, from the cache {cached}, past their time {stale}, known failures {held}\n\
         asked {asked}, joined to others {joined}, of them renewed early {refreshed}\n"
    );
    let cache = of.cache;
    out.push_str(&format!(
        "cache: {} entries, {} of {} KiB, {} left for others\n",
        cache.entries,
        cache.octets / 1_024,
        cache.most_octets / 1_024,
        cache.evicted
    ));
    for one in &of.upstreams {
        let suffix = if one.suffix.is_empty() { "all others" } else { &one.suffix };
        let state = if one.alive { "answers" } else { "silent" };
        let time = one.round_trip_ms.map_or("-".to_owned(), |ms| format!("{ms:.1} ms"));
        out.push_str(&format!(
            "{} for {suffix}: {state}, {time}, {} answers, {} silences, {} failures\n",
            one.server, one.answers, one.silences, one.failures
        ));
    }
    for name in &of.names {
        out.push_str(&format!("{:>9} {}\n", name.questions, name.name));
    }
    out
}

fn print(explanation: Explanation) -> String {
    let mut out = format!("{}\n", explanation.name);
    for step in &explanation.steps {
        out.push_str(&format!("  {:<6} {}\n", step.step, step.text));
    }
    if explanation.answers.is_empty() {
        out.push_str(&format!("  answer none ({})\n", explanation.rcode));
    }
    for answer in &explanation.answers {
        // Only the last 32 bits of a prefix of 96 bits are the IPv4 address as it is.
        let segments = answer.address.segments();
        let whole = answer.synthesised && segments[4] == 0 && segments[5] == 0;
        out.push_str(&format!("  answer AAAA {}, ttl {}\n", dotted(answer.address, whole), answer.ttl));
    }
    out
}
