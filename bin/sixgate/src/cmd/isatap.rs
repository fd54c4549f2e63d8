//! `sixgate isatap allow | deny | hosts | instructions | join | leave | listen | retire | suggest`

mod allow;
mod deny;
mod host_file;
mod hosts;
mod instructions;
mod join;
mod leave;
mod listen;
mod retire;
mod suggest;

use crate::cli::Context;
use crate::exit::{Exit, Trouble};

/// ISATAP: which hosts have it, and becoming one
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  sixgate isatap hosts\n  sixgate isatap join da-isatap.corp.example")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    Allow(allow::Allow),
    Deny(deny::Deny),
    Hosts(hosts::Hosts),
    Instructions(instructions::Args),
    Join(join::Join),
    Leave(leave::Leave),
    Suggest(suggest::Suggest),
    Listen(listen::Listen),
    Retire(retire::Retire),
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    match &args.what {
        What::Allow(args) => allow::run(args, context),
        What::Deny(args) => deny::run(args, context),
        What::Hosts(args) => hosts::run(args, context),
        What::Instructions(args) => instructions::run(args, context),
        What::Join(args) => join::join(args, context),
        What::Suggest(args) => suggest::run(args, context),
        What::Leave(args) => leave::leave(args, context),
        What::Listen(args) => listen::run(args, context),
        What::Retire(args) => retire::run(args, context),
    }
}
