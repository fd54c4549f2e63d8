//! `sixgate client run | add`

use super::token;
use crate::cli::Context;
use crate::exit::{Exit, Trouble};

/// The roaming client, and enrolling one
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate client add laptop-01 --user ana")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Allow a client to enrol, on the gateway: the friendly form of `token add`
    Add(token::Add),
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    match &args.what {
        What::Add(add) => token::run_add(add, context),
    }
}
