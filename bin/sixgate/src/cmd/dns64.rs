//! `sixgate dns64 explain`

use serde_json::json;
use sixgate_api::{Explanation, Question, path};
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
    Explain {
        /// The name
        name: String,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let What::Explain { name } = &args.what;
    let body = json!(Question { name: name.trim_end_matches('.').to_owned() });
    show(context, call(context, Method::Post, path::DNS64_EXPLAIN, &body)?, print)
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
